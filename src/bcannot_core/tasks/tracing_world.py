"""Worlds of neuron tracing: drawn at random, scored, and shown as layers."""

from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.tasks.base import LayerData
from bcannot_core.tasks.neurites import (
    KnownSections,
    LabelSource,
    NeuritePath,
    sample_neurites,
    start_candidates,
)
from bcannot_core.tasks.trace_state import Offset, TraceState
from bcannot_core.tasks.tracing_config import TracingConfig, TracingWorld

if TYPE_CHECKING:
    from bcannot_core.tasks.neuron_tracing import NeuronTracing

DEFAULT_VOLUME = "synthetic://default?seed=0"
SUCCESS = 0.9


@lru_cache(maxsize=8)
def _opened(address: str, labels: bool) -> Any:
    from bcannot_core.volumes import open_volume

    return open_volume(address, labels=labels)


def sample_world(
    rng: np.random.Generator, options: dict[str, Any]
) -> tuple[TracingWorld, TracingConfig]:
    """Draw a world, and make the configuration that stands among the options.

    Raises
    ------
    UsageError
        An option is unknown.
    """
    known = {f.name for f in fields(TracingConfig)}
    unknown = set(options) - known - {"volume", "labels", "start_zyx"}
    if unknown:
        names = ", ".join(sorted(known | {"volume", "labels", "start_zyx"}))
        raise UsageError(
            f"neuron_tracing has no option {sorted(unknown)[0]!r}: choose from {names}"
        )
    config = TracingConfig(**{name: options[name] for name in known & set(options)})
    volume, labels = options.get("volume"), options.get("labels")
    if volume is None:
        volume, labels = DEFAULT_VOLUME, DEFAULT_VOLUME
    volume = _opened(volume, labels=False) if isinstance(volume, str) else volume
    labels = _opened(labels, labels=True) if isinstance(labels, str) else labels
    start_zyx = options.get("start_zyx")
    if start_zyx is not None:
        return TracingWorld(volume, start_zyx, labels), config
    return _draw_world(rng, volume, labels, config), config


_LEAST_SECTIONS = 20
_DRAWS = 20
_Found = tuple[dict[int, NDArray[np.int64]], KnownSections]
_FOUND: WeakKeyDictionary[LabelSource, _Found] = WeakKeyDictionary()


def _found_in(labels: LabelSource) -> _Found:
    """Return where neurites can start, found once for each label volume, and what is known."""
    if labels not in _FOUND:
        _FOUND[labels] = (start_candidates(labels), KnownSections())
    return _FOUND[labels]


def _draw_world(
    rng: np.random.Generator, volume: Any, labels: LabelSource | None, config: TracingConfig
) -> TracingWorld:
    """Draw a neurite where there are labels, the middle of a section otherwise.

    One that reaches the volume's border soon is taken only where others are hard to find.
    """
    depth, height, width = volume.shape
    sections = min(config.sections, depth)
    if labels is None:
        first = int(rng.integers(depth - sections + 1))
        z = first if config.direction > 0 else depth - 1 - first
        return TracingWorld(volume, (z, height // 2, width // 2))
    least = min(_LEAST_SECTIONS, sections)
    candidates, known = _found_in(labels)
    paths = sample_neurites(
        labels,
        rng,
        min_sections=least,
        sections=sections,
        direction=config.direction,
        candidates=candidates,
        known=known,
    )
    path = next(paths)
    for _ in range(_DRAWS):
        if len(path) >= least:
            break
        path = next(paths)
    y, x = path.points_yx[0]
    return TracingWorld(volume, (path.z0, float(y), float(x)), labels, path)


def score_trace(task: "NeuronTracing", state: TraceState) -> dict[str, Any]:
    """Return the metrics of a trace.

    Without labels: ``sections``, ``nodes``, ``placements``, ``undos``, ``done``, and ``success``,
    which then means Done alone. With labels also

    * ``skeleton_accuracy``: share of the nodes that lie in the neurite,
    * ``coverage``: share of the neurite's sections that carry a node,
    * ``first_node_accuracy``: 1.0 where the first placement lay in the neurite,
    * ``placement_at_5px``, ``placement_at_10px``: share of the nodes within as many canvas pixels
      of the section's reference point,
    * ``mistakes``: placements, undone ones included, outside the neurite,

    and ``success`` asks for accuracy and coverage of 0.9 each.
    """
    score: dict[str, Any] = {
        "sections": task.sections,
        "nodes": state.nodes.count,
        "placements": state.placements,
        "undos": state.undos,
        "done": state.terminated,
        "success": state.terminated,
    }
    if task.world.labels is not None:
        score |= _against_truth(task, state)
        good = score["skeleton_accuracy"] >= SUCCESS and score["coverage"] >= SUCCESS
        score["success"] = bool(state.terminated and good)
    return score


def _against_truth(task: "NeuronTracing", state: TraceState) -> dict[str, Any]:
    path = task.path
    nodes = list(state.nodes.items())
    hits = [on_target(task, section, node) for section, node in nodes]
    errors_px = [
        _distance_px(task, path, section, node) for section, node in nodes if section < len(path)
    ]
    placed = [on_target(task, section, node) for section, node in _placements(state)]
    count = max(1, len(nodes))
    return {
        "path_sections": len(path),
        "skeleton_accuracy": sum(hits) / count,
        "coverage": sum(section < len(path) for section, _ in nodes) / len(path),
        "first_node_accuracy": float(placed[-1]) if placed else 0.0,
        "placement_at_5px": sum(error <= 5.0 for error in errors_px) / count,
        "placement_at_10px": sum(error <= 10.0 for error in errors_px) / count,
        "mistakes": placed.count(False),
    }


def _placements(state: TraceState) -> Iterator[tuple[int, Offset]]:
    """Yield all placements ever made, the latest first."""
    record = state.last_placement
    while record is not None:
        yield record.section, record.node
        record = record.earlier


def on_target(task: "NeuronTracing", section: int, node: Offset) -> bool:
    """Whether a node lies in the neurite: in its cross-section, or elsewhere on its id.

    Raises
    ------
    TaskError
        The world has no labels.
    """
    path, yx = task.path, task.point(node)
    if section < len(path) and path.sections[section].contains(yx):
        return True
    labels = task.world.labels
    _, height, width = task.world.volume.shape
    y = min(max(round(yx[0]), 0), height - 1)
    x = min(max(round(yx[1]), 0), width - 1)
    z = task.z_of(section)
    return (
        labels is not None and int(labels.read(z, z + 1, y, y + 1, x, x + 1)[0, 0, 0]) == path.label
    )


def _distance_px(task: "NeuronTracing", path: NeuritePath, section: int, node: Offset) -> float:
    y, x = task.point(node)
    step_y, step_x = (task.config.nm_per_px / size for size in task.world.volume.voxel_nm[1:])
    ry, rx = (float(c) for c in path.points_yx[section])
    return float(np.hypot((y - ry) / step_y, (x - rx) / step_x))


def trace_layers(task: "NeuronTracing", state: TraceState | None) -> list[LayerData]:
    """Return the volume, its labels (hidden) and the nodes (or the start point) as layers."""
    volume, labels = task.world.volume, task.world.labels
    space = {"scale": tuple(volume.voxel_nm), "units": ("nm",) * 3}
    layers: list[LayerData] = [
        (getattr(volume, "array", volume), {"name": "volume", **space}, "image")
    ]
    if labels is not None:
        shown = {"name": "ground truth", "visible": False, **space}
        layers.append((getattr(labels, "array", labels), shown, "labels"))
    nodes = task.nodes_zyx(state) if state is not None else [task.world.start_zyx]
    points = np.array(nodes, dtype=np.float64).reshape(-1, 3)
    name = "nodes" if state is not None else "start"
    layers.append((points, {"name": name, "size": 5, **space}, "points"))
    return layers
