"""Colored dot tracking: click the dots of a curve through a stack, from blue to red.

The dots lie in different sections. ``+z`` and ``−z`` change the section; ``MIP`` shows the maximum
projection of the whole stack, to look at only. A click on a section places the next dot there.
``Undo`` takes the last one back and returns to its section, ``Done`` ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from bcannot_core.errors import TaskError
from bcannot_core.screen import ButtonSpec, Content, Hit, Marker
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, make_config
from bcannot_core.tasks.edits import EditState, EditTask, edited
from bcannot_core.tasks.scoring import match_points, point_score
from bcannot_core.tasks.worlds.colored_dot_tracking import ColoredDotConfig as ColoredDotConfig
from bcannot_core.tasks.worlds.colored_dot_tracking import make_world
from bcannot_core.tasks.worlds.dot_world import DotPictures, DotWorld
from bcannot_core.tasks.worlds.omniglot import fingerprint_characters

RADIUS_PX = 5.0
SECTIONS_OFF = 1
_RING = 7
_HERE, _ELSEWHERE = (255, 255, 255), (96, 96, 102)
_MIP = frozenset({"mip"})


class Placed(NamedTuple):
    """A placed dot: section and canvas pixel."""

    z: int
    y: int
    x: int


@dataclass(frozen=True, slots=True)
class DotState(EditState):
    """Tracking under way.

    Attributes
    ----------
    section : int
        The section that is looked at.
    mip : bool
        Whether the projection is looked at instead.
    placed : tuple of Placed
        In the order of placing.
    """

    section: int = 0
    mip: bool = False
    placed: tuple[Placed, ...] = ()


class ColoredDotTracking(EditTask):
    """The colored dot tracking task on one world.

    Parameters
    ----------
    world : DotWorld
        The dots.
    config : ColoredDotConfig, optional
        How they look, and the interface.
    """

    id: ClassVar[str] = "colored_dot_tracking"
    buttons: ClassVar[tuple[ButtonSpec, ...]] = (
        ButtonSpec("next_section", "+z", "+z", "navigation"),
        ButtonSpec("previous_section", "−z", "−z", "navigation"),
        ButtonSpec("mip", "MIP", "MIP", "navigation", kind="toggle"),
        ButtonSpec("undo", "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
    )
    hint_line: ClassVar[bool] = True

    def __init__(self, world: DotWorld, config: ColoredDotConfig | None = None) -> None:
        self.world = world
        self.config = config or ColoredDotConfig()
        self._pictures = DotPictures(
            world, self.config.background, self.config.noise, self.config.sigma_sections
        )

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random curve; ``options`` are fields of :class:`ColoredDotConfig`."""
        config = make_config(ColoredDotConfig, cls.id, options)
        return cls(make_world(rng, config), config)

    @property
    def sections(self) -> int:
        """How many sections the stack has."""
        return self.world.sections

    def files_fingerprint(self) -> str:
        """Return a short hash of the user's characters, where curves are taken from them."""
        return fingerprint_characters(self.config.folder) if self.config.folder else ""

    def initial_state(self) -> DotState:
        """Return the state at the start: the first section, nothing placed."""
        return DotState()

    def action_for(self, hit: Hit, state: DotState) -> Action:
        """Return what a click means; on the projection only MIP, Undo and Done mean anything."""
        if hit.canvas_xy is not None:
            return NONE if state.mip else Action("place", hit.canvas_xy)
        if hit.target == "mip":
            return Action("toggle", None, "mip")
        allowed = {
            "next_section": not state.mip and state.section + 1 < self.sections,
            "previous_section": not state.mip and state.section > 0,
            "undo": state.can_undo,
            "done": True,
        }
        return Action(hit.target) if allowed.get(hit.target) else NONE

    def change(self, state: DotState, action: Action) -> DotState | None:
        """Return the state after an action; None for one that the task does not know."""
        name = action.name
        if name == "next_section":
            return replace(state, section=min(state.section + 1, self.sections - 1))
        if name == "previous_section":
            return replace(state, section=max(state.section - 1, 0))
        if name == "place" and action.canvas_xy is not None:
            x, y = action.canvas_xy
            return edited(state, placed=(*state.placed, Placed(state.section, y, x)))
        if name == "toggle":
            return replace(state, mip=not state.mip)
        return None

    def detail(self, before: DotState, action: Action, after: DotState) -> Mapping[str, Any]:
        """Describe an action: the section, and for ``place`` the dot's number and pixel."""
        if action.name == "place":
            z, y, x = after.placed[-1]
            return {"z": z, "y": y, "x": x, "index": len(before.placed)}
        if action.name == "toggle":
            return {"mip": after.mip}
        return {} if action.name == "none" else {"z": after.section}

    def retrace(self, state: DotState, before: DotState, action: Action) -> list[Aim]:
        """Return the clicks that place a dot again: off the projection, to its section, place."""
        if action.canvas_xy is None:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        steps = before.section - state.section
        way: list[Aim] = ["next_section" if steps > 0 else "previous_section"] * abs(steps)
        return [*(["mip"] if state.mip else []), *way, action.canvas_xy]

    def content(self, state: DotState) -> Content:
        """Return what the screen shows."""
        last = self.sections - 1
        disabled = {
            "next_section": state.mip or state.section == last,
            "previous_section": state.mip or state.section == 0,
            "undo": not state.can_undo,
        }
        return Content(
            canvas=self._pictures.projection() if state.mip else self._picture(state.section),
            markers=self._markers(state),
            status=(
                f"{len(state.placed)}/{len(self.world.dots)} dots",
                "all sections" if state.mip else f"z {state.section + 1}/{self.sections}",
            ),
            progress=(state.section + 1) / self.sections,
            disabled=frozenset(name for name, is_so in disabled.items() if is_so),
            pressed=_MIP if state.mip else frozenset(),
            hint=self._hint(state),
        )

    def _picture(self, section: int) -> Any:
        return self._pictures.section(section)

    def _hint(self, state: DotState) -> str:
        if state.mip:
            return "Projection: look only"
        if len(state.placed) >= len(self.world.dots):
            return "All placed: press Done"
        return f"Click blue to red, next: {self.world.dots[len(state.placed)].colour_name}"

    def _markers(self, state: DotState) -> tuple[Marker, ...]:
        section = state.section
        return tuple(
            Marker(x, y, _RING, _HERE if state.mip or z == section else _ELSEWHERE)
            for z, y, x in state.placed
        )

    def score(self, state: DotState) -> dict[str, Any]:
        """Return how well the dots were found.

        A placed dot matches a true one within 5 px, at most one section off (Hungarian):
        ``precision``, ``recall``, ``f1``, ``rmse_px``, ``found``, ``missed``, ``false``. ``order``
        is the share of the matched dots, placed one after the other, whose colours follow each
        other from blue to red. ``placements`` and ``undos`` count all that were made.
        ``success``: every dot found, nothing false, in order, and Done.
        """
        placed = np.array(state.placed, dtype=np.float64).reshape(-1, 3)
        truth = np.array([(dot.z, dot.y, dot.x) for dot in self.world.dots])
        off = np.abs(placed[:, None, 0] - truth[None, :, 0])
        match = match_points(placed[:, 1:], truth[:, 1:], RADIUS_PX, allowed=off <= SECTIONS_OFF)
        colours = match.pairs[:, 1]
        order = float(np.mean(np.diff(colours) > 0)) if len(colours) > 1 else 1.0
        score = point_score(match)
        return {
            **score,
            "order": order,
            "placements": state.edits,
            "undos": state.undos,
            "done": state.terminated,
            "success": bool(state.terminated and score["f1"] == 1.0 and order == 1.0),
        }

    def layers(self, state: DotState | None = None) -> list[LayerData]:
        """Return the stack, the true dots and their curve (hidden), and what is placed."""
        stack = np.stack([self._picture(z) for z in range(self.sections)])
        dots = self.world.dots
        truth = np.array([(dot.z, dot.y, dot.x) for dot in dots], dtype=np.float64)
        colours = np.array([(*dot.colour, 1.0) for dot in dots])
        features = {"order": np.arange(len(dots)), "colour": [dot.colour_name for dot in dots]}
        hidden = {"visible": False, "features": features}
        layers: list[LayerData] = [
            (stack, {"name": "dots", "rgb": True}, "image"),
            ([truth], {"name": "curve", "shape_type": "path", "visible": False}, "shapes"),
            (truth, {"name": "true dots", "size": 10, "face_color": colours, **hidden}, "points"),
        ]
        if state is not None:
            placed = np.array(state.placed, dtype=np.float64).reshape(-1, 3)
            shown = {"name": "placed dots", "size": 10, "face_color": "white"}
            order = {"features": {"order": np.arange(len(placed))}}
            layers.append((placed, {**shown, **order}, "points"))
        return layers
