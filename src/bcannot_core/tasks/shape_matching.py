"""Shape matching: click every object of the template's shape. Held out of training.

The template stands in the panel "MATCH THIS"; turn, size and colour do not matter. A click on
an object marks it at once: a green ring for a match, a red cross for a mistake, which Undo takes
back. The counter says how many matches there are. The tool has another layout than the others: a
higher canvas of light paper and a panel with a picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.screen import ButtonSpec, Content, Cross, Hit, Marker, get_variant
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, check_range, make_config
from bcannot_core.tasks.edits import EditState, EditTask, edited
from bcannot_core.tasks.scoring import f1_score
from bcannot_core.tasks.worlds.shape_matching import (
    FIELD_HW,
    PANEL_HW,
    FieldLook,
    FieldWorld,
    Item,
    sample_field,
    shape_outline,
)

_RIGHT, _WRONG = (18, 150, 54), (214, 20, 20)
_LEAST_MATCHES, _MOST_MATCHES = 5, 11
_OBJECTS = (16, 26)


@dataclass(frozen=True, slots=True)
class MatchingConfig:
    """Difficulty and interface of shape matching.

    Parameters
    ----------
    objects : int
        How many objects, 4 to 40; 0 draws 16 to 26.
    matches : int
        How many of them match, up to ``objects``; 0 draws 5 to 11, at most half of the objects.
    crowding : float
        0 for wide gaps, 1 for objects that nearly touch.
    size_spread : float
        0 for objects of one size, 1 for radii from 10 to 19 px.
    deformation : float
        0 for regular shapes, 1 for shapes stretched by up to 12 %.
    contrast : float
        Of the objects against the paper, 0.3 to 1.
    noise : float
        Standard deviation of the paper's grain, 0 to 0.1 of the grey scale.
    variant : str
        Interface variant.
    """

    objects: int = 0
    matches: int = 0
    crowding: float = 0.5
    size_spread: float = 0.6
    deformation: float = 0.4
    contrast: float = 0.9
    noise: float = 0.02
    variant: str = "original"

    def __post_init__(self) -> None:
        if self.objects:
            check_range("objects", self.objects, 4, 40)
        if self.matches:
            check_range("matches", self.matches, 1, self.objects or _OBJECTS[0])
        check_range("crowding", self.crowding, 0.0, 1.0)
        check_range("size_spread", self.size_spread, 0.0, 1.0)
        check_range("deformation", self.deformation, 0.0, 1.0)
        check_range("contrast", self.contrast, 0.3, 1.0)
        check_range("noise", self.noise, 0.0, 0.1)
        get_variant(self.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldState(EditState):
    """A search under way.

    Attributes
    ----------
    marked : tuple of int
        Indices of the marked objects, the first one first.
    false_clicks : int
        How many wrong objects were marked, those taken back included.
    """

    marked: tuple[int, ...] = ()
    false_clicks: int = 0


class ShapeMatching(EditTask):
    """The shape matching task on one world.

    Parameters
    ----------
    world : FieldWorld
        The objects and the template.
    config : MatchingConfig, optional
        Difficulty and interface.
    """

    id: ClassVar[str] = "shape_matching"
    kept_by_undo = ("false_clicks",)
    buttons: ClassVar[tuple[ButtonSpec, ...]] = (
        ButtonSpec("undo", "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
    )
    navigation_actions: ClassVar[frozenset[str]] = frozenset()
    canvas_hw: ClassVar[tuple[int, int]] = FIELD_HW
    panel_hw: ClassVar[tuple[int, int] | None] = PANEL_HW

    def __init__(self, world: FieldWorld, config: MatchingConfig | None = None) -> None:
        self.world = world
        self.config = config or MatchingConfig()

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random field; options are the fields of :class:`MatchingConfig`."""
        config = make_config(MatchingConfig, cls.id, options)
        objects = config.objects or int(rng.integers(_OBJECTS[0], _OBJECTS[1] + 1))
        most = min(_MOST_MATCHES, max(1, objects // 2))
        least = min(_LEAST_MATCHES, most)
        matches = config.matches or int(rng.integers(least, most + 1))
        if matches > objects:
            raise UsageError(f"matches is {matches}: give at most objects, {objects}")
        look = FieldLook(
            objects,
            matches,
            config.crowding,
            config.size_spread,
            config.deformation,
            config.contrast,
            config.noise,
        )
        return cls(sample_field(rng, look), config)

    @cached_property
    def wanted(self) -> frozenset[int]:
        """Indices of the objects that match the template."""
        return self.world.wanted

    def initial_state(self) -> FieldState:
        """Return the state at the start: nothing is marked."""
        return FieldState()

    def action_for(self, hit: Hit, state: FieldState) -> Action:
        """Return what a click means; ``none`` on paper and on objects that are marked."""
        if hit.canvas_xy is not None:
            item = self.world.item_at(*hit.canvas_xy)
            return NONE if item is None or item in state.marked else Action("place", hit.canvas_xy)
        if hit.target == "done" or (hit.target == "undo" and state.can_undo):
            return Action(hit.target)
        return NONE

    def change(self, state: FieldState, action: Action) -> FieldState | None:
        """Return the state after an action; None for one that the task does not know."""
        if action.name == "place" and action.canvas_xy is not None:
            item = self.world.item_at(*action.canvas_xy)
            if item is None or item in state.marked:
                return state
            false = state.false_clicks + (item not in self.wanted)
            return edited(state, marked=(*state.marked, item), false_clicks=false)
        return None

    def detail(self, before: FieldState, action: Action, after: FieldState) -> Mapping[str, Any]:
        """Describe an edit: the object's index, its shape, and whether it matches."""
        changed = set(before.marked) ^ set(after.marked)
        if not changed:
            return {}
        index = changed.pop()
        return {
            "object": index,
            "shape": self.world.items[index].shape,
            "match": index in self.wanted,
        }

    def content(self, state: FieldState) -> Content:
        """Return what the screen shows."""
        wrong = [i for i in state.marked if i not in self.wanted]
        found = len(state.marked) - len(wrong)
        return Content(
            canvas=self.world.picture,
            shapes=tuple(_cross(self.world.items[i]) for i in wrong),
            markers=tuple(marker for i in state.marked for marker in self._rings[i]),
            status=(f"FOUND: {found}/{len(self.wanted)}",),
            progress=found / len(self.wanted),
            disabled=frozenset() if state.can_undo else frozenset({"undo"}),
            panel=self.world.panel,
            caption="MATCH THIS",
        )

    @cached_property
    def _rings(self) -> list[tuple[Marker, Marker]]:
        """Rings two pixels wide around the objects, as they are when marked."""
        return [
            (
                Marker(item.x, item.y, item.radius + 2, _RIGHT if i in self.wanted else _WRONG),
                Marker(item.x, item.y, item.radius + 3, _RIGHT if i in self.wanted else _WRONG),
            )
            for i, item in enumerate(self.world.items)
        ]

    def score(self, state: FieldState) -> dict[str, Any]:
        """Return the metrics.

        ``success``: every match and nothing else is marked, and Done was clicked. ``found``,
        ``missed`` and ``false`` count objects as they stand, ``false_clicks`` also those taken
        back.
        """
        found = len(self.wanted.intersection(state.marked))
        false = len(state.marked) - found
        precision, recall, f1 = f1_score(found, len(state.marked), len(self.wanted))
        return {
            "found": found,
            "missed": len(self.wanted) - found,
            "false": false,
            "false_clicks": state.false_clicks,
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "success": found == len(self.wanted) and not false and state.terminated,
        }

    def layers(self, state: FieldState | None = None) -> list[LayerData]:
        """Return field and template as images, the objects as shapes (hidden), and the marks."""
        items = self.world.items
        truth = {
            "object": np.arange(len(items)),
            "shape": np.array([item.shape for item in items]),
            "match": np.array([i in self.wanted for i in range(len(items))]),
        }
        width = FIELD_HW[1]
        layers: list[LayerData] = [
            (self.world.picture, {"name": "field", "rgb": True}, "image"),
            (
                self.world.panel,
                {"name": "match this", "rgb": True, "translate": (0, width + 12)},
                "image",
            ),
            (
                [shape_outline(item) for item in items],
                {
                    "name": "objects",
                    "shape_type": "polygon",
                    "features": truth,
                    "face_color": "transparent",
                    "edge_color": ["lime" if match else "grey" for match in truth["match"]],
                    "visible": False,
                },
                "shapes",
            ),
        ]
        if state is not None:
            marks = np.array([(items[i].y, items[i].x) for i in state.marked], dtype=np.float64)
            right = np.array([i in self.wanted for i in state.marked], dtype=bool)
            attributes = {
                "name": "marked",
                "features": {"object": np.array(state.marked, dtype=np.int64), "match": right},
                "face_color": ["lime" if match else "red" for match in right] or "lime",
                "size": 8,
            }
            layers.append((marks.reshape(-1, 2), attributes, "points"))
        return layers

    def retrace(self, state: FieldState, before: FieldState, action: Action) -> list[Aim]:
        """Return the click that marks the object again."""
        if action.canvas_xy is None:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        return [action.canvas_xy]


def _cross(item: Item) -> Cross:
    return Cross(item.x, item.y, item.radius + 3, _WRONG)
