"""Behavioural tracking as napari layers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.base import LayerData
from bcannot_core.tasks.behavior_score import marks_array
from bcannot_core.tasks.worlds.animal_behavior_tracking import BehaviorWorld


def behavior_layers(world: BehaviorWorld, marks: tuple[Any, ...] | None) -> list[LayerData]:
    """Return the video, true bodies, marks and tracks (hidden), and marks placed so far."""
    video = np.stack([world.picture(frame) for frame in range(world.frames)])
    ends = world.ends_xy[..., ::-1].astype(np.float64)
    frames, animals = ends.shape[:2]
    at = np.broadcast_to(np.arange(frames)[:, None, None, None], (frames, animals, 2, 1))
    bodies = np.concatenate([at, ends], axis=-1)
    number = np.tile(np.arange(animals), frames)
    middles = np.concatenate([at[:, :, 0], ends.mean(axis=2)], axis=-1)
    by_animal = middles.transpose(1, 0, 2).reshape(-1, 3)
    tracks = np.column_stack([np.repeat(np.arange(animals), frames), by_animal])
    layers: list[LayerData] = [
        (video, {"name": f"{world.kind} video", "rgb": True}, "image"),
        (
            bodies.reshape(-1, 2, 3),
            {
                "name": "bodies", "visible": False, "shape_type": "line", "edge_width": 1,
                "edge_color": "yellow", "features": {"animal": number + 1},
            },
            "shapes",
        ),
        (
            bodies.reshape(-1, 3),
            _look("fronts and backs", np.repeat(number, 2), np.tile([0, 1], len(number))),
            "points",
        ),
        (tracks, {"name": "animal tracks", "visible": False, "tail_length": 4}, "tracks"),
    ]  # fmt: skip
    if marks is not None:
        placed = marks_array(marks)[..., ::-1]
        there = ~np.isnan(placed[..., 0])
        frame, animal, end = np.nonzero(there)
        data = np.column_stack([frame, placed[there]])
        layers.append((data, _look("annotation", animal, end) | {"visible": True}, "points"))
    return layers


def _look(name: str, animal: NDArray[np.int64], end: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "name": name,
        "visible": False,
        "size": 4,
        "symbol": ["disc" if e == 0 else "ring" for e in end],
        "features": {"animal": animal + 1, "end": [("front", "back")[e] for e in end]},
    }
