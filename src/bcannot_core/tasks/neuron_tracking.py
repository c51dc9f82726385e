"""Neuron tracking: find each neuron again in group after group of frames.

The first group is the reference: every neuron carries its number there. In each later group the
worm has bent, turned and shifted; a neuron is chosen in the list and clicked where it is now. A
second click moves it. A small picture of the reference stays beside the canvas, and a faint ring
shows where the chosen neuron was in the group before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import TaskError
from bcannot_core.screen import ButtonSpec, Content, Hit, Marker, Text
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, make_config
from bcannot_core.tasks.edits import EditState, EditTask, edited
from bcannot_core.tasks.frame_steps import (
    NEXT,
    PREVIOUS,
    STEPS,
    UNDO,
    stepped,
    steps_between,
    unusable,
)
from bcannot_core.tasks.point_looks import ring_look
from bcannot_core.tasks.scoring import match_points, point_score
from bcannot_core.tasks.worlds.neuron_tracking import NeuronTrackingConfig as NeuronTrackingConfig
from bcannot_core.tasks.worlds.neuron_tracking import NeuronWorld, sample_world
from bcannot_core.tasks.worlds.neuron_tracking_picture import NeuronPictures

RADIUS_PX = 5.0
SUCCESS = 0.9
RING = 8
_GHOST_ALPHA = 0.45
_SHRINK = 3
_NOTHING: frozenset[str] = frozenset()
_OTHERS = "gray"
_PALETTE = (
    (255, 99, 99), (255, 178, 66), (245, 236, 86), (96, 210, 255), (122, 140, 255),
    (214, 122, 255), (255, 130, 208), (255, 255, 255), (186, 148, 112), (64, 224, 190),
    (255, 214, 170), (172, 182, 198),
)  # fmt: skip


class Placed(NamedTuple):
    """Where a neuron was placed, canvas pixels."""

    x: int
    y: int


Group = tuple[Placed | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingState(EditState):
    """Neurons placed so far.

    Attributes
    ----------
    placed : tuple of tuple of (Placed or None)
        By group and neuron; nothing is ever placed in group 0, the reference.
    group : int
        The group that is shown.
    selected : int or None
        The neuron that a click places.
    """

    placed: tuple[Group, ...]
    group: int = 0
    selected: int | None = None


class _Look(NamedTuple):
    """What stands on a group: what is shown there, the neurons' numbers, rings and ticks."""

    shown: Group
    numbers: tuple[Text, ...]
    markers: tuple[Marker, ...]
    ticked: frozenset[str]


class NeuronTracking(EditTask):
    """The neuron tracking task on one world.

    Parameters
    ----------
    world : NeuronWorld
        The neurons.
    config : NeuronTrackingConfig, optional
        What it was drawn with, and the interface.
    """

    id: ClassVar[str] = "neuron_tracking"
    navigation_actions: ClassVar[frozenset[str]] = STEPS
    panel_hw: ClassVar[tuple[int, int] | None] = (85, 85)
    hint_line: ClassVar[bool] = True

    def __init__(self, world: NeuronWorld, config: NeuronTrackingConfig | None = None) -> None:
        self.world = world
        self.config = config or NeuronTrackingConfig()
        self._buttons = _buttons(world.neurons)
        self._items = {item_id(i): i for i in range(world.neurons)}
        self._pictures = NeuronPictures(world, self.config)
        self._pressed = [frozenset({item}) for item in self._items]
        self._truth = tuple(_pixel(self.true_xy(0, i)) for i in range(world.neurons))
        self._looks: dict[int, _Look] = {}
        self._reference: NDArray[np.uint8] | None = None

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on neurons drawn at random; ``options`` are fields of the configuration."""
        config = make_config(NeuronTrackingConfig, cls.id, options)
        return cls(sample_world(rng, config), config)

    @property
    def buttons(self) -> tuple[ButtonSpec, ...]:  # type: ignore[override]
        """The buttons, and an item for each neuron."""
        return self._buttons

    def initial_state(self) -> TrackingState:
        """Return the state at the start: the reference is shown, nothing is placed."""
        return TrackingState(placed=((None,) * self.world.neurons,) * self.world.groups)

    def action_for(self, hit: Hit, state: TrackingState) -> Action:
        """Return what a click means; ``none`` where it would have no effect."""
        if hit.canvas_xy is not None:
            usable = state.group > 0 and state.selected is not None
            unchanged = usable and Placed(*hit.canvas_xy) == self._selected_at(state, state.group)
            return Action("place", hit.canvas_xy) if usable and not unchanged else NONE
        if not hit.target or hit.target in self._disabled(state):
            return NONE
        if hit.target in self._items:
            same = self._items[hit.target] == state.selected
            return NONE if same else Action("select", None, hit.target)
        return Action(hit.target)

    def change(self, state: TrackingState, action: Action) -> TrackingState | None:
        """Return the state after an action; None for one that the task does not know."""
        if action.name in STEPS:
            group = stepped(state.group, action.name, self.world.groups)
            return replace(state, group=group, selected=None)
        if action.name == "select" and action.target in self._items:
            return replace(state, selected=self._items[action.target])
        if action.name == "place" and action.canvas_xy is not None and state.selected is not None:
            return edited(state, placed=_with(state, Placed(*action.canvas_xy)))
        return None

    def detail(
        self, before: TrackingState, action: Action, after: TrackingState
    ) -> Mapping[str, Any]:
        """Describe an action: its group, the neuron that is chosen, and where it was placed."""
        if action.name == "none":
            return {}
        detail: dict[str, Any] = {"group": after.group}
        if action.name in ("select", "place") and after.selected is not None:
            detail["neuron"] = after.selected
        if action.name == "place" and action.canvas_xy is not None:
            detail["xy"] = action.canvas_xy
        return detail

    def retrace(self, state: TrackingState, before: TrackingState, action: Action) -> list[Aim]:
        """Return the clicks that do a placement again: its group, its neuron, the click."""
        if action.canvas_xy is None or before.selected is None:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        aims = steps_between(state.group, before.group)
        if aims or state.selected != before.selected:
            aims.append(item_id(before.selected))
        return [*aims, action.canvas_xy]

    def true_xy(self, group: int, neuron: int) -> tuple[float, float]:
        """Return where a neuron is in a group, canvas pixels (x, y)."""
        y, x = self.world.yx[group, neuron].tolist()
        return x, y

    def content(self, state: TrackingState) -> Content:
        """Return what the screen shows."""
        look = self._look(state)
        last, count = self.world.groups - 1, len(look.ticked)
        return Content(
            canvas=self._pictures.green(state.group),
            shapes=look.numbers,
            markers=self._markers(state, look),
            status=(
                f"group {state.group}/{last}" if state.group else "reference",
                f"{count}/{self.world.neurons} placed" if state.group else f"{last} groups follow",
            ),
            progress=state.group / last,
            disabled=self._disabled(state),
            pressed=_NOTHING if state.selected is None else self._pressed[state.selected],
            ticked=look.ticked,
            panel=self._panel(),
            caption="Reference",
            hint=self._hint(state, count),
        )

    def _shown(self, group: int, state: TrackingState) -> Group:
        """Return what is marked in a group: everything in the reference."""
        return state.placed[group] if group else self._truth

    def _look(self, state: TrackingState) -> "_Look":
        """Return what stands on a group; known while nothing is placed there."""
        shown = self._shown(state.group, state)
        known = self._looks.get(state.group)
        if known is None or known.shown is not shown:
            known = self._looks[state.group] = _new_look(shown, state.group > 0)
        return known

    def _selected_at(self, state: TrackingState, group: int) -> Placed | None:
        return None if state.selected is None else self._shown(group, state)[state.selected]

    def _markers(self, state: TrackingState, look: "_Look") -> tuple[Marker, ...]:
        if state.group == 0 or state.selected is None or look.shown[state.selected] is not None:
            return look.markers
        before = self._selected_at(state, state.group - 1)
        if before is None:
            return look.markers
        ghost = neuron_colour(state.selected)
        return (*look.markers, Marker(before.x, before.y, RING - 2, ghost, _GHOST_ALPHA))

    def _hint(self, state: TrackingState, count: int) -> str:
        if state.group == 0:
            return "Learn which is which, then +t"
        if state.selected is not None and state.placed[state.group][state.selected] is None:
            return f"Click neuron {state.selected + 1}"
        if count < self.world.neurons:
            return "Choose a neuron in the list"
        return "All placed: +t" if state.group + 1 < self.world.groups else "All placed: Done"

    def _disabled(self, state: TrackingState) -> frozenset[str]:
        names = unusable(state.group, self.world.groups, state.can_undo)
        return names if state.group else names | self._items.keys()

    def _panel(self) -> NDArray[np.uint8]:
        """Return the small picture of the reference, its neurons in their colours."""
        if self._reference is None:
            self._reference = _small_reference(
                self._pictures.green(0),
                self._truth,
            )
        return self._reference

    def score(self, state: TrackingState) -> dict[str, Any]:
        """Return the metrics of a tracking; the reference does not count.

        Placed points are matched to neurons within 5 px, each in its group, whatever their
        numbers: ``precision``, ``recall``, ``f1``, ``rmse_px``, ``found``, ``missed``, ``false``.
        With numbers, where a point counts for its own neuron only: ``identity_precision``,
        ``identity_recall``, ``identity_f1``. ``groups_complete`` is the share of the groups in
        which every neuron is placed right; also ``done``.

        ``success`` asks for Done and an ``identity_f1`` of at least 0.9.
        """
        world, count = self.world, self.world.neurons
        marks = [
            (group, i, at)
            for group, points in enumerate(state.placed)
            for i, at in enumerate(points)
            if at is not None
        ]
        placed = [(at.y, at.x) for _, _, at in marks]
        truth = world.yx[1:].reshape(-1, 2)
        groups = np.repeat(np.arange(1, world.groups), count)
        found = match_points(placed, truth, RADIUS_PX, [g for g, _, _ in marks], groups)
        ids = np.arange(count, count * world.groups)
        named = match_points(placed, truth, RADIUS_PX, [g * count + i for g, i, _ in marks], ids)
        right = np.bincount(named.pairs[:, 1] // count, minlength=world.groups - 1)
        score: dict[str, Any] = point_score(found)
        return score | {
            "identity_precision": named.precision,
            "identity_recall": named.recall,
            "identity_f1": named.f1,
            "groups_complete": float(np.mean(right == count)),
            "done": state.terminated,
            "success": bool(state.terminated and named.f1 >= SUCCESS),
        }

    def layers(self, state: TrackingState | None = None) -> list[LayerData]:
        """Return the groups, the true neurons (hidden) and those placed as layers."""
        layers = _world_layers(self.world, self._pictures.all())
        if state is not None:
            layers.append(_placed_layer(state))
        return layers


def item_id(neuron: int) -> str:
    """Return the id of a neuron's item in the list."""
    return f"neuron_{neuron + 1}"


def neuron_colour(neuron: int) -> tuple[int, int, int]:
    """Return a neuron's colour."""
    return _PALETTE[neuron % len(_PALETTE)]


def _buttons(neurons: int) -> tuple[ButtonSpec, ...]:
    return (
        ButtonSpec(NEXT, "+t", "+t", "navigation"),
        ButtonSpec(PREVIOUS, "−t", "−t", "navigation"),
        ButtonSpec(UNDO, "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
        *(
            ButtonSpec(item_id(i), f"Neuron {i + 1}", kind="item", swatch=neuron_colour(i))
            for i in range(neurons)
        ),
    )


def _pixel(xy: tuple[float, float]) -> Placed:
    return Placed(round(xy[0]), round(xy[1]))


def _with(state: TrackingState, at: Placed) -> tuple[Group, ...]:
    """Return what is placed with the selected neuron at a point."""
    group, neuron = state.group, state.selected
    if neuron is None:
        return state.placed
    points = state.placed[group]
    changed = (*points[:neuron], at, *points[neuron + 1 :])
    return (*state.placed[:group], changed, *state.placed[group + 1 :])


def _new_look(shown: Group, ticks: bool) -> _Look:
    there = [(i, at) for i, at in enumerate(shown) if at is not None]
    return _Look(
        shown,
        tuple([Text(at.x + RING, at.y - RING, str(i + 1), neuron_colour(i)) for i, at in there]),
        tuple([Marker(at.x, at.y, RING, neuron_colour(i)) for i, at in there]),
        frozenset([item_id(i) for i, _ in there]) if ticks else _NOTHING,
    )


def _small_reference(picture: NDArray[np.uint8], points: Sequence[Placed]) -> NDArray[np.uint8]:
    side = picture.shape[0] // _SHRINK
    part = picture[: side * _SHRINK, : side * _SHRINK].astype(np.uint16)
    rows = sum(part[i::_SHRINK] for i in range(1, _SHRINK)) + part[::_SHRINK]
    blocks = sum(rows[:, i::_SHRINK] for i in range(1, _SHRINK)) + rows[:, ::_SHRINK]
    bright = np.minimum(blocks // (_SHRINK * _SHRINK) * 5 // 4, 255)
    small: NDArray[np.uint8] = bright.astype(np.uint8)
    for i, at in enumerate(points):
        row, column = at.y // _SHRINK, at.x // _SHRINK
        small[max(row - 2, 0) : row + 3, max(column - 1, 0) : column + 2] = neuron_colour(i)
        small[max(row - 1, 0) : row + 2, max(column - 2, 0) : column + 3] = neuron_colour(i)
    small.flags.writeable = False
    return small


def _world_layers(world: NeuronWorld, pictures: NDArray[np.uint8]) -> list[LayerData]:
    """Return the pictures, the neurons as hidden Points and Tracks, and the others."""
    groups, count = world.groups, world.neurons
    group = np.repeat(np.arange(groups), count)
    neuron = np.tile(np.arange(1, count + 1), groups)
    points = np.column_stack([group, world.yx.reshape(-1, 2)])
    properties = {"neuron": neuron, "brightness": world.brightness[:, :count].ravel()}
    order = np.lexsort((group, neuron))
    others = world.others_yx.shape[1]
    rest = np.column_stack([np.repeat(np.arange(groups), others), world.others_yx.reshape(-1, 2)])
    return [
        (pictures, {"name": "neurons", "contrast_limits": (0, 255), "colormap": "green"}, "image"),
        (
            points,
            {"name": "true neurons", "properties": properties, "visible": False, **_rings(neuron)},
            "points",
        ),
        (
            np.column_stack([neuron, points])[order],
            {"name": "true identities", "visible": False},
            "tracks",
        ),
        (
            rest,
            {"name": "other neurons", "visible": False, "size": 8, **ring_look(_OTHERS)},
            "points",
        ),
    ]


def _rings(neurons: NDArray[np.int64]) -> dict[str, Any]:
    """Return how neurons look as points: rings in their colours, with their numbers."""
    colours = np.array([(*neuron_colour(i - 1), 255) for i in neurons]).reshape(-1, 4) / 255
    text = {"string": "{neuron}", "color": "white", "anchor": "upper_left", "size": 9}
    return {"size": 2 * RING, "text": text, **ring_look(colours)}


def _placed_layer(state: TrackingState) -> LayerData:
    rows = [
        (group, at.y, at.x, i + 1)
        for group, points in enumerate(state.placed)
        for i, at in enumerate(points)
        if at is not None
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    neurons = table[:, 3].astype(np.int64)
    look = {"name": "placed neurons", "properties": {"neuron": neurons}, **_rings(neurons)}
    return table[:, :3], look, "points"
