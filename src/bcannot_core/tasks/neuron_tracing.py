"""Neuron tracing: follow one neurite from section to section, a node in each.

The target neurite lies under the canvas's centre in the first section; its cross-section is
clicked in every section. The canvas is a window onto a volume of any size. ``docs/architecture.md``
has the rules.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from bcannot_core.coords import CanvasView
from bcannot_core.errors import TaskError
from bcannot_core.screen import ButtonSpec, Content, Hit, Marker, Variant, get_variant
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks import tracing_moves, tracing_world
from bcannot_core.tasks.base import LayerData, TaskBase
from bcannot_core.tasks.neurites import NeuritePath, follow_neurite
from bcannot_core.tasks.section_picture import SectionPictures
from bcannot_core.tasks.trace_lattice import TraceLattice
from bcannot_core.tasks.trace_state import PAN_MARGIN as PAN_MARGIN
from bcannot_core.tasks.trace_state import RECENTRE_MARGIN as RECENTRE_MARGIN
from bcannot_core.tasks.trace_state import EditRecord, Nodes, Offset, PlacementRecord, TraceState
from bcannot_core.tasks.tracing_config import TracingConfig as TracingConfig
from bcannot_core.tasks.tracing_config import TracingWorld as TracingWorld

NODE_RADIUS = 5
NODE_COLOUR = (255, 210, 0)
PREVIOUS_COLOUR = (90, 200, 255)
PREVIOUS_ALPHA = 0.35
_ALL: frozenset[str] = frozenset()
_NO_NEXT, _NO_PREVIOUS = frozenset({"next_section"}), frozenset({"previous_section"})


class NeuronTracing(TraceLattice, TaskBase):
    """The neuron tracing task on one world.

    Parameters
    ----------
    world : TracingWorld
        Volume, start point and, for the score, labels.
    config : TracingConfig, optional
        Sections, scale, direction and interface.
    """

    id: ClassVar[str] = "neuron_tracing"
    buttons: ClassVar[tuple[ButtonSpec, ...]] = (
        ButtonSpec("next_section", "+z", "+z", "navigation"),
        ButtonSpec("previous_section", "−z", "−z", "navigation"),
        ButtonSpec("undo", "Undo", "↶"),
        ButtonSpec("remove", "Remove", "✕"),
        ButtonSpec("done", "Done", "✓"),
    )
    edit_actions: ClassVar[frozenset[str]] = frozenset({"place", "remove"})

    def __init__(self, world: TracingWorld, config: TracingConfig | None = None) -> None:
        super().__init__(world, config or TracingConfig())
        self._pictures = SectionPictures(world.volume)

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a neurite drawn at random, by default of generated tissue.

        Parameters
        ----------
        rng : numpy.random.Generator
            Draws the neurite, or the start point where there are no labels.
        **options
            ``volume`` and ``labels`` (volumes or addresses), ``start_zyx``, and the fields of
            :class:`TracingConfig`.
        """
        return cls(*tracing_world.sample_world(rng, options))

    @property
    def variant(self) -> Variant:
        """The interface variant."""
        return get_variant(self.config.variant)

    @cached_property
    def path(self) -> NeuritePath:
        """The neurite's course through the task's sections.

        Raises
        ------
        TaskError
            The world has no labels, or the start point lies on background.
        """
        known = self.world.path
        if known is not None and known.direction == self.config.direction:
            return _first_sections(known, self.sections)
        if self.world.labels is None:
            raise TaskError("the world has no labels: give labels to know the neurite's course")
        return follow_neurite(
            self.world.labels, self._start, self.sections, direction=self.config.direction
        )

    def view(self, state: TraceState) -> CanvasView:
        """Return which point of the section each canvas pixel shows."""
        centre = self.point(state.view)
        return CanvasView(centre, self._voxel_yx, self.config.nm_per_px, self.canvas_hw)

    def nodes_zyx(self, state: TraceState) -> list[tuple[int, float, float]]:
        """Return the nodes in voxels, in the order of their sections."""
        return [(self.z_of(section), *self.point(node)) for section, node in state.nodes.items()]

    def node_at(self, state: TraceState, z: float) -> tuple[float, float] | None:
        """Return the node (y, x) of the section at ``z``, None where there is none."""
        section = self.section_of(z)
        node = None if section is None else state.nodes.get(section)
        return None if node is None else self.point(node)

    def initial_state(self) -> TraceState:
        """Return the state at the start: the first section, the start point in the centre."""
        return TraceState(0, (0, 0), Nodes.empty(self.sections))

    def action_for(self, hit: Hit, state: TraceState) -> Action:
        """Return what a click means; ``none`` where it would have no effect."""
        if hit.canvas_xy is not None:
            return self._canvas_action(hit.canvas_xy, state)
        allowed = {
            "next_section": state.section + 1 < self.sections,
            "previous_section": state.section > 0,
            "undo": state.last_edit is not None,
            "remove": state.nodes.get(state.section) is not None,
            "done": True,
        }
        return Action(hit.target) if allowed.get(hit.target) else NONE

    def _canvas_action(self, canvas_xy: tuple[int, int], state: TraceState) -> Action:
        if not self.inside(self._clicked(canvas_xy, state)):
            return NONE
        return Action("pan" if self._near_border(canvas_xy, PAN_MARGIN) else "place", canvas_xy)

    def _near_border(self, canvas_xy: tuple[int, int], margin: int) -> bool:
        x, y = canvas_xy
        height, width = self.canvas_hw
        return not (margin <= x < width - margin and margin <= y < height - margin)

    def _clicked(self, canvas_xy: tuple[int, int], state: TraceState) -> Offset:
        height, width = self.canvas_hw
        return (
            state.view[0] + canvas_xy[1] - height // 2,
            state.view[1] + canvas_xy[0] - width // 2,
        )

    def apply(self, state: TraceState, action: Action) -> TraceState:
        """Return the state after an action.

        Raises
        ------
        TaskError
            The task knows no such action.
        """
        if state.terminated or action.name == "none":
            return state
        if action.canvas_xy is not None:
            clicked = self._clicked(action.canvas_xy, state)
            if action.name == "pan":
                return replace(state, view=clicked)
            if action.name == "place":
                near = self._near_border(action.canvas_xy, RECENTRE_MARGIN)
                return _edit(state, "place", clicked, clicked if near else state.view)
        elif action.name == "next_section":
            return replace(state, section=min(state.section + 1, self.sections - 1))
        elif action.name == "previous_section":
            return replace(state, section=max(state.section - 1, 0))
        elif action.name == "undo":
            return _undo(state)
        elif action.name == "remove":
            return _edit(state, "remove", None, state.view)
        elif action.name == "done":
            return replace(state, terminated=True)
        raise TaskError(f"{self.id} knows no action {action}")

    def terminated(self, state: TraceState) -> bool:
        """Whether Done was clicked."""
        return state.terminated

    def detail(self, before: TraceState, action: Action, after: TraceState) -> Mapping[str, Any]:
        """Describe an action: where it acted (``z``), and the node there, None for none.

        ``undo`` also names the action that it took back (``undone``).
        """
        if action.name == "none":
            return {}
        section = after.section
        node = after.nodes.get(section)
        detail: dict[str, Any] = {
            "z": self.z_of(section),
            "node_yx": None if node is None else self.point(node),
        }
        if action.name == "undo" and before.last_edit is not None:
            detail["undone"] = before.last_edit.action
        return detail

    def retrace(self, state: TraceState, before: TraceState, action: Action) -> list[Aim]:
        """Return the clicks that do an edit again: back to its section and view, then the edit.

        Where no clicks lead back to the very view, the same point is placed from another.
        """
        return tracing_moves.aims_to_redo(self, state, before, action)

    def content(self, state: TraceState) -> Content:
        """Return what the screen shows."""
        count = state.nodes.count
        return Content(
            canvas=self._pictures.get(self.z_of(state.section), self.view(state)),
            markers=self._markers(state),
            status=(
                f"section {state.section + 1}/{self.sections}",
                "1 node" if count == 1 else f"{count} nodes",
            ),
            progress=(state.section + 1) / self.sections,
            disabled=self._disabled(state.section),
        )

    @property
    def in_memory(self) -> bool:
        """Whether the voxels of volume and labels lie in memory."""
        read = (self.world.volume, self.world.labels)
        return all(getattr(volume, "in_memory", True) for volume in read if volume is not None)

    def at_hand(self, state: TraceState) -> bool:
        """Whether the section of a state was drawn lately, or lies in memory."""
        if getattr(self.world.volume, "in_memory", True):
            return True
        return self._pictures.holds(self.z_of(state.section), self.view(state))

    def _disabled(self, section: int) -> frozenset[str]:
        at_end = _NO_NEXT if section == self.sections - 1 else _ALL
        return at_end | _NO_PREVIOUS if section == 0 else at_end

    def _markers(self, state: TraceState) -> tuple[Marker, ...]:
        looks = (
            (state.section - 1, PREVIOUS_COLOUR, PREVIOUS_ALPHA),
            (state.section, NODE_COLOUR, 1.0),
        )
        height, width = self.canvas_hw
        markers = []
        for section, colour, alpha in looks:
            node = state.nodes.get(section)
            if node is not None:
                x = node[1] - state.view[1] + width // 2
                y = node[0] - state.view[0] + height // 2
                markers.append(Marker(x, y, NODE_RADIUS, colour, alpha))
        return tuple(markers)

    def score(self, state: TraceState) -> dict[str, Any]:
        """Return the metrics of a trace; those against ground truth need labels."""
        return tracing_world.score_trace(self, state)

    def layers(self, state: TraceState | None = None) -> list[LayerData]:
        """Return the volume, the labels (hidden) and the nodes (or the start) as layers."""
        return tracing_world.trace_layers(self, state)


def _first_sections(path: NeuritePath, count: int) -> NeuritePath:
    if len(path) <= count:
        return path
    shown = path.points_yx[:count], path.sections[:count]
    return replace(path, points_yx=shown[0], sections=shown[1], ends=False)


def _edit(state: TraceState, name: str, node: Offset | None, view: Offset) -> TraceState:
    record = EditRecord(
        name, state.section, state.view, state.nodes.get(state.section), state.last_edit
    )
    placed = state.last_placement
    if node is not None:
        placed = PlacementRecord(state.section, node, placed)
    return TraceState(
        section=state.section,
        view=view,
        nodes=state.nodes.set(state.section, node),
        placements=state.placements + (node is not None),
        undos=state.undos,
        edits=state.edits + 1,
        last_edit=record,
        last_placement=placed,
    )


def _undo(state: TraceState) -> TraceState:
    record = state.last_edit
    if record is None:
        return state
    return replace(
        state,
        section=record.section,
        view=record.view,
        nodes=state.nodes.set(record.section, record.node_before),
        undos=state.undos + 1,
        last_edit=record.earlier,
    )
