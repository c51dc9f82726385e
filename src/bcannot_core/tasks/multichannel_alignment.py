"""Multi-channel alignment: landmark pairs on one scene in two channels under a hidden warp.

Two tabs switch between the channels. A click on the canvas places the next numbered landmark of the
channel that is shown; equal numbers make a pair. Which points to use is free: what counts is
that the two of a pair show the same place. Undo takes back the last landmark, Done ends. The
scenes are photographs (scikit-image's, or a folder of the user's), sheets of Voronoi cells, and
Perlin noise; the warp is a similarity and a smooth spline.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.screen import (
    ButtonSpec,
    Content,
    Cross,
    Hit,
    Line,
    Marker,
    Shape,
    Text,
    get_variant,
)
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, check_choice, check_range, make_config
from bcannot_core.tasks.edits import EditState, EditTask, edited
from bcannot_core.tasks.worlds.alignment_warp import SIDE
from bcannot_core.tasks.worlds.multichannel_alignment import (
    SOURCES,
    AlignmentLook,
    AlignmentWorld,
    sample_alignment,
)
from bcannot_core.tasks.worlds.photographs import fingerprint_folder

TOLERANCE_PX = 5.0
DISTINCT_PX = 8.0
CHANNELS = ("channel_a", "channel_b")
_NAMES = ("A", "B")
_PAIRED, _SINGLE, _RIM = (255, 224, 32), (255, 255, 255), (0, 0, 0)
_ARROWS_EVERY = 16

Pixel = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AlignmentConfig:
    """Difficulty and interface of multi-channel alignment.

    Parameters
    ----------
    source : str
        ``"natural"``, ``"voronoi"``, ``"perlin"``, ``"mixed"`` for any of these, or ``"folder"``.
    folder : str
        A folder of pictures, for the source ``"folder"``: PNG, JPEG, BMP or TIFF, grey, coloured or
        of two channels.
    landmarks : int
        How many pairs to place, 2 to 12.
    warp_px : float
        Largest displacement of the warp's control points, 0 to 20 px.
    rotation_deg : float
        Largest rotation, 0 to 8 degrees; the scale varies by as many hundredths.
    shift_px : float
        Largest translation along each axis, 0 to 16 px.
    noise : float
        Standard deviation of each channel's noise, 0 to 0.15 of the grey scale.
    variant : str
        Interface variant.
    """

    source: str = "mixed"
    folder: str = ""
    landmarks: int = 8
    warp_px: float = 10.0
    rotation_deg: float = 3.0
    shift_px: float = 8.0
    noise: float = 0.03
    variant: str = "original"

    def __post_init__(self) -> None:
        check_choice("source", self.source, ("mixed", *SOURCES, "folder"))
        if (self.source == "folder") != bool(self.folder):
            raise UsageError(
                f"source is {self.source!r} and folder {self.folder!r}: "
                "name a folder with the source 'folder', and only then"
            )
        check_range("landmarks", self.landmarks, 2, 12)
        check_range("warp_px", self.warp_px, 0.0, 20.0)
        check_range("rotation_deg", self.rotation_deg, 0.0, 8.0)
        check_range("shift_px", self.shift_px, 0.0, 16.0)
        check_range("noise", self.noise, 0.0, 0.15)
        get_variant(self.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentState(EditState):
    """An alignment under way.

    Attributes
    ----------
    channel : int
        The channel that is shown, 0 or 1.
    points : tuple of tuple of Pixel
        Landmarks (x, y) of channels A and B, in the order of their numbers.
    """

    channel: int = 0
    points: tuple[tuple[Pixel, ...], tuple[Pixel, ...]] = ((), ())

    @property
    def pairs(self) -> int:
        """How many pairs are complete."""
        return min(len(self.points[0]), len(self.points[1]))


class MultichannelAlignment(EditTask):
    """The multi-channel alignment task on one world.

    Parameters
    ----------
    world : AlignmentWorld
        Channels and warp.
    config : AlignmentConfig, optional
        Difficulty and interface.
    """

    id: ClassVar[str] = "multichannel_alignment"
    buttons: ClassVar[tuple[ButtonSpec, ...]] = (
        ButtonSpec("channel_a", "Channel A", "A", "navigation", "tab"),
        ButtonSpec("channel_b", "Channel B", "B", "navigation", "tab"),
        ButtonSpec("undo", "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
    )
    navigation_actions: ClassVar[frozenset[str]] = frozenset({"select"})
    hint_line: ClassVar[bool] = True

    def __init__(self, world: AlignmentWorld, config: AlignmentConfig | None = None) -> None:
        self.world = world
        self.config = config or AlignmentConfig()

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random scene; options are the fields of :class:`AlignmentConfig`."""
        config = make_config(AlignmentConfig, cls.id, options)
        look = AlignmentLook(config.warp_px, config.rotation_deg, config.shift_px, config.noise)
        world = sample_alignment(rng, config.source, config.folder, config.landmarks, look)
        return cls(world, config)

    def files_fingerprint(self) -> str:
        """Return a short hash of the user's pictures, where the scene is one of them."""
        return fingerprint_folder(self.config.folder) if self.config.folder else ""

    def initial_state(self) -> AlignmentState:
        """Return the state at the start: channel A without landmarks."""
        return AlignmentState()

    def action_for(self, hit: Hit, state: AlignmentState) -> Action:
        """Return what a click means; ``none`` where the channel has all its landmarks."""
        if hit.canvas_xy is not None:
            full = len(state.points[state.channel]) >= self.config.landmarks
            return NONE if full else Action("place", hit.canvas_xy)
        target = hit.target
        if target in CHANNELS:
            shown = CHANNELS[state.channel] == target
            return NONE if shown else Action("select", None, target)
        if target == "done" or (target == "undo" and state.can_undo):
            return Action(target)
        return NONE

    def change(self, state: AlignmentState, action: Action) -> AlignmentState | None:
        """Return the state after an action; None for one that the task does not know."""
        if action.name == "place" and action.canvas_xy is not None:
            first, second = state.points
            if state.channel == 0:
                return edited(state, points=((*first, action.canvas_xy), second))
            return edited(state, points=(first, (*second, action.canvas_xy)))
        if action.name == "select" and action.target in CHANNELS:
            return replace(state, channel=CHANNELS.index(action.target))
        return None

    def detail(
        self, before: AlignmentState, action: Action, after: AlignmentState
    ) -> Mapping[str, Any]:
        """Describe an action: the channel, and of an edit the pair's index and the pixel."""
        if action.name == "none":
            return {}
        detail: dict[str, Any] = {"channel": _NAMES[after.channel]}
        if action.name in ("place", "undo"):
            longer = after if action.name == "place" else before
            placed = longer.points[after.channel]
            detail |= {"pair": len(placed) - 1, "xy": placed[-1]}
        return detail

    def retrace(self, state: AlignmentState, before: AlignmentState, action: Action) -> list[Aim]:
        """Return the clicks that place a landmark again: the channel's tab, then the pixel."""
        if action.canvas_xy is None:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        tab: list[Aim] = [] if state.channel == before.channel else [CHANNELS[before.channel]]
        return [*tab, action.canvas_xy]

    def content(self, state: AlignmentState) -> Content:
        """Return what the screen shows."""
        placed, pairs = state.points[state.channel], state.pairs
        marks = [(x, y, _PAIRED if i < pairs else _SINGLE) for i, (x, y) in enumerate(placed)]
        wanted = self.config.landmarks
        return Content(
            canvas=self.world.pictures[state.channel],
            shapes=tuple(
                shape
                for i, (x, y, colour) in enumerate(marks)
                for shape in _landmark(x, y, i, colour)
            ),
            markers=tuple(Marker(x, y, 7, _SINGLE) for x, y in placed[pairs:]),
            status=(f"{pairs}/{wanted} pairs", f"channel {_NAMES[state.channel]}"),
            progress=pairs / wanted,
            disabled=frozenset() if state.can_undo else frozenset({"undo"}),
            pressed=frozenset({CHANNELS[state.channel]}),
            hint=self._asked(state),
        )

    def _asked(self, state: AlignmentState) -> str:
        """Return what is to be done next, in words."""
        first, second = len(state.points[0]), len(state.points[1])
        if first == second == self.config.landmarks:
            return "All pairs placed: press Done"
        if first == second:
            return f"Place point {first + 1} in either channel"
        return f"Find point {min(first, second) + 1} in channel {_NAMES[first > second]}"

    def errors(self, state: AlignmentState) -> NDArray[np.float64]:
        """Return the distance of each complete pair from a true match, px of channel A, (n,)."""
        count = state.pairs
        first = np.array(state.points[0][:count], dtype=np.float64).reshape(-1, 2)
        second = np.array(state.points[1][:count], dtype=np.float64).reshape(-1, 2)
        return np.asarray(np.hypot(*(self.world.warp.to_a(second) - first).T))

    def score(self, state: AlignmentState) -> dict[str, Any]:
        """Return the metrics.

        ``success``: all pairs are placed, none is off by more than 5 px, no two lie within 8 px of
        each other in channel A, and Done was clicked. ``completion`` is the share of pairs placed;
        ``landmark_error_px`` and ``worst_error_px`` are mean and maximum over them (the canvas's
        side where there is none); ``within_5px`` is the share of all pairs asked for.
        """
        errors = self.errors(state)
        wanted = self.config.landmarks
        close = int((errors <= TOLERANCE_PX).sum())
        distinct = _distinct(state.points[0])
        return {
            "pairs": len(errors),
            "completion": len(errors) / wanted,
            "landmark_error_px": float(errors.mean()) if len(errors) else float(SIDE),
            "worst_error_px": float(errors.max()) if len(errors) else float(SIDE),
            "within_5px": close / wanted,
            "distinct": distinct,
            "success": close == wanted and distinct and state.terminated,
        }

    def layers(self, state: AlignmentState | None = None) -> list[LayerData]:
        """Return both channels, the warp and good landmarks (hidden), and the pairs so far."""
        layers: list[LayerData] = []
        for name, picture, colours in zip(
            _NAMES, self.world.channels, ("green", "magenta"), strict=True
        ):
            attributes = {
                "name": f"channel {name}",
                "colormap": colours,
                "blending": "additive",
                "contrast_limits": (0, 255),
            }
            layers.append((picture, attributes, "image"))
        truth = (self.world.landmarks_a, self.world.landmarks_b)
        layers += _point_layers("matches", truth, "cyan", visible=False)
        layers.append((self._warp_arrows(), {"name": "warp", "visible": False}, "vectors"))
        if state is not None:
            placed = tuple(
                np.array(points, dtype=np.float64).reshape(-1, 2) for points in state.points
            )
            layers += _point_layers("landmarks", (placed[0], placed[1]), "yellow", visible=True)
        return layers

    def _warp_arrows(self) -> NDArray[np.float64]:
        """Return arrows from channel B to channel A, (n, 2, 2): start and direction (y, x)."""
        at = np.arange(_ARROWS_EVERY // 2, SIDE, _ARROWS_EVERY, dtype=np.float64)
        points = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        moved = self.world.warp.to_a(points) - points
        return np.stack([points[:, ::-1], moved[:, ::-1]], axis=1)


@lru_cache(maxsize=1024)
def _landmark(x: int, y: int, index: int, colour: tuple[int, int, int]) -> tuple[Shape, ...]:
    """Return a landmark's cross with a rim, and its number beside it, inside the canvas."""
    left = x + 8 if x < SIDE - 26 else x - 22
    return (
        Line(x - 5, y, x + 5, y, _RIM, width=3),
        Line(x, y - 5, x, y + 5, _RIM, width=3),
        Cross(x, y, 5, colour),
        Text(left, min(max(y - 7, 7), SIDE - 8), str(index + 1), colour),
    )


def _distinct(points: tuple[Pixel, ...]) -> bool:
    """Whether no two points lie within 8 px of each other."""
    return all(
        (x - u) ** 2 + (y - v) ** 2 >= DISTINCT_PX**2
        for i, (x, y) in enumerate(points)
        for u, v in points[:i]
    )


def _point_layers(
    name: str,
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
    colour: str,
    *,
    visible: bool,
) -> list[LayerData]:
    """Return a Points layer for each channel, its features the pairs' numbers."""
    return [
        (
            xy[:, ::-1].copy(),
            {
                "name": f"{name} {channel}",
                "features": {"pair": np.arange(1, len(xy) + 1)},
                "text": {"string": "{pair}", "color": colour, "translation": (-8, 8)},
                "face_color": colour,
                "symbol": "cross",
                "size": 8,
                "visible": visible,
            },
            "points",
        )
        for channel, xy in zip(_NAMES, points, strict=True)
    ]
