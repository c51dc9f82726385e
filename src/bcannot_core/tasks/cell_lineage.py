"""Cell lineage tracking: who came from whom, in a clone that grows from one cell.

A recording of fluorescent nuclei is stepped through in time. The first click marks the root; for
each division the annotator selects the parent by a click on its ring and then clicks both
daughters in a frame where they are apart. A ring follows the nucleus that it was put on, as the
spots of semi-automatic trackers do, until that nucleus divides; it then waits, faint, between the
daughters. A ring on nothing stays where it is. Beside the canvas the lineage grows as a tree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from bcannot_core.errors import TaskError
from bcannot_core.screen import ButtonSpec, Content, Hit, Line, Marker
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks import lineage_score
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
from bcannot_core.tasks.lineage_tree import PANEL_HW, draw_tree, node_colour
from bcannot_core.tasks.worlds.cell_lineage import CellLineageConfig as CellLineageConfig
from bcannot_core.tasks.worlds.cell_lineage import LineageWorld, sample_world
from bcannot_core.tasks.worlds.cell_lineage_picture import LineagePictures

RING = 11
SELECT_PX = 11
FOLLOW_PX = 9.0
MOST_NODES = 64
_WAITING_ALPHA = 0.5
_CHOSEN = (255, 255, 255)
_EDGE_ALPHA = 0.7
_EDGE_FRAMES = 2


class Node(NamedTuple):
    """A cell as it was marked: where, in which frame, and under which parent node."""

    frame: int
    x: int
    y: int
    parent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageState(EditState):
    """A lineage under way.

    Attributes
    ----------
    frame : int
        The frame that is shown.
    nodes : tuple of Node
        The marked cells in their order; a parent comes before its daughters.
    families : tuple of tuple of int
        The daughters of each node.
    selected : int or None
        The node whose daughters are to be placed.
    """

    frame: int = 0
    nodes: tuple[Node, ...] = ()
    families: tuple[tuple[int, ...], ...] = ()
    selected: int | None = None


class _Look(NamedTuple):
    """What stands on a frame: where rings are by node, their markers, edges to the parents."""

    rings: dict[int, tuple[int, int]]
    markers: tuple[Marker, ...]
    edges: tuple[Line, ...]


class CellLineage(EditTask):
    """The cell lineage task on one world.

    Parameters
    ----------
    world : LineageWorld
        The clone of cells.
    config : CellLineageConfig, optional
        What it was drawn with, and the interface.
    """

    id: ClassVar[str] = "cell_lineage"
    buttons: ClassVar[tuple[ButtonSpec, ...]] = (
        ButtonSpec(NEXT, "+t", "+t", "navigation"),
        ButtonSpec(PREVIOUS, "−t", "−t", "navigation"),
        ButtonSpec(UNDO, "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
    )
    edit_actions: ClassVar[frozenset[str]] = frozenset({"place", "select"})
    navigation_actions: ClassVar[frozenset[str]] = STEPS
    panel_hw: ClassVar[tuple[int, int] | None] = PANEL_HW
    hint_line: ClassVar[bool] = True

    def __init__(self, world: LineageWorld, config: CellLineageConfig | None = None) -> None:
        self.world = world
        self.config = config or CellLineageConfig()
        self._pictures = LineagePictures(world, self.config)
        self._xy: list[list[tuple[float, float]]] = [
            [(x, y) for y, x in frame] for frame in world.yx.tolist()
        ]
        self._followed: dict[Node, int | None] = {}
        self._ways: dict[Node, tuple[tuple[int, int], ...]] = {}
        self._looks: tuple[tuple[Node, ...], dict[int, _Look]] = ((), {})
        self._tree: tuple[tuple[Node, ...], Any] | None = None

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a clone drawn at random; ``options`` are fields of the configuration."""
        config = make_config(CellLineageConfig, cls.id, options)
        return cls(sample_world(rng, config), config)

    def initial_state(self) -> LineageState:
        """Return the state at the start: the first frame, nothing marked."""
        return LineageState()

    def action_for(self, hit: Hit, state: LineageState) -> Action:
        """Return what a click means; ``none`` where it would have no effect."""
        if hit.canvas_xy is not None:
            return self._canvas_action(hit.canvas_xy, state)
        if not hit.target or hit.target in unusable(state.frame, self.world.frames, state.can_undo):
            return NONE
        return Action(hit.target)

    def _canvas_action(self, canvas_xy: tuple[int, int], state: LineageState) -> Action:
        if not state.nodes:
            return Action("place", canvas_xy)
        if state.selected is None:
            return NONE if self.ring_at(state, canvas_xy) is None else Action("select", canvas_xy)
        later = state.frame > state.nodes[state.selected].frame
        return Action("place", canvas_xy) if later and len(state.nodes) < MOST_NODES else NONE

    def change(self, state: LineageState, action: Action) -> LineageState | None:
        """Return the state after an action; None for one that the task does not know."""
        if action.name in STEPS:
            return replace(state, frame=stepped(state.frame, action.name, self.world.frames))
        if action.canvas_xy is not None and action.name == "select":
            return edited(state, selected=self.ring_at(state, action.canvas_xy))
        if action.canvas_xy is not None and action.name == "place":
            return _placed(state, action.canvas_xy)
        return None

    def detail(
        self, before: LineageState, action: Action, after: LineageState
    ) -> Mapping[str, Any]:
        """Describe an action: its frame, and the node that was placed or selected."""
        if action.name == "none":
            return {}
        detail: dict[str, Any] = {"frame": after.frame}
        if action.name == "place":
            node = after.nodes[-1]
            detail |= {"node": len(before.nodes), "xy": (node.x, node.y), "parent": node.parent}
        elif action.name == "select":
            detail["node"] = after.selected
        return detail

    def retrace(self, state: LineageState, before: LineageState, action: Action) -> list[Aim]:
        """Return the clicks that do an edit again: to its frame, then the click."""
        if action.canvas_xy is None:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        return [*steps_between(state.frame, before.frame), action.canvas_xy]

    def cell_under(self, frame: int, xy: tuple[float, float], within: float) -> int | None:
        """Return the cell nearest to a canvas point in a frame, None where none is so near."""
        best, least = None, within * within
        for cell in self.world.alive(frame):
            x, y = self._xy[frame][cell]
            squared = (x - xy[0]) ** 2 + (y - xy[1]) ** 2
            if squared <= least:
                best, least = cell, squared
        return best

    def cell_xy(self, frame: int, cell: int) -> tuple[float, float]:
        """Return where a cell is in a frame, canvas pixels (x, y)."""
        return self._xy[frame][cell]

    def ring_xy(self, node: Node, frame: int) -> tuple[int, int]:
        """Return where a node's ring is in a frame: on the nucleus that it follows."""
        way = self._ways.get(node)
        if way is None:
            way = self._ways[node] = self._way(node)
        return way[min(max(frame - node.frame, 0), len(way) - 1)]

    def _way(self, node: Node) -> tuple[tuple[int, int], ...]:
        """Return where a node's ring is from its frame on, while it moves."""
        cell = self._cell_of(node)
        if cell is None:
            return ((node.x, node.y),)
        x0, y0 = self._xy[node.frame][cell]
        places = [self._xy[t][cell] for t in range(node.frame, self.world.cells[cell].last + 1)]
        return tuple((round(node.x + x - x0), round(node.y + y - y0)) for x, y in places)

    def ring_waits(self, node: Node, frame: int) -> bool:
        """Whether the nucleus that a ring follows has divided."""
        cell = self._cell_of(node)
        return cell is not None and frame > self.world.cells[cell].last

    def _cell_of(self, node: Node) -> int | None:
        """Return the cell whose nucleus a ring follows."""
        if node not in self._followed:
            self._followed[node] = self.cell_under(node.frame, (node.x, node.y), FOLLOW_PX)
        return self._followed[node]

    def rings(self, state: LineageState) -> Mapping[int, tuple[int, int]]:
        """Return the rings that are shown, canvas pixels (x, y) by node."""
        return self._look(state).rings

    def _look(self, state: LineageState) -> "_Look":
        """Return what stands on a frame; known while no node is added or taken back."""
        if self._looks[0] is not state.nodes:
            self._looks = (state.nodes, {})
        known = self._looks[1].get(state.frame)
        if known is None:
            known = self._looks[1][state.frame] = self._new_look(state)
        return known

    def _new_look(self, state: LineageState) -> "_Look":
        nodes, frame = state.nodes, state.frame
        rings: dict[int, tuple[int, int]] = {}
        markers: list[Marker] = []
        edges: list[Line] = []
        for i, node in enumerate(nodes):
            if node.frame > frame or _replaced(state, i):
                continue
            x, y = rings[i] = self.ring_xy(node, frame)
            alpha = _WAITING_ALPHA if self.ring_waits(node, frame) else 1.0
            markers.append(Marker(x, y, RING, node_colour(i), alpha))
            if node.parent is not None and frame - node.frame < _EDGE_FRAMES:
                x0, y0 = self.ring_xy(nodes[node.parent], node.frame)
                edges.append(Line(x0, y0, x, y, node_colour(i), _EDGE_ALPHA))
        return _Look(rings, tuple(markers), tuple(edges))

    def ring_at(self, state: LineageState, xy: tuple[int, int]) -> int | None:
        """Return the node that a click selects: the nearest ring of a cell still undivided."""
        best, least = None, SELECT_PX * SELECT_PX
        for i, (x, y) in self.rings(state).items():
            squared = (x - xy[0]) ** 2 + (y - xy[1]) ** 2
            if squared <= least and len(state.families[i]) < 2:
                best, least = i, squared
        return best

    def content(self, state: LineageState) -> Content:
        """Return what the screen shows."""
        divisions = sum([len(daughters) == 2 for daughters in state.families])
        look = self._look(state)
        return Content(
            canvas=self._pictures.grey(state.frame),
            shapes=look.edges,
            markers=_with_chosen(look, state.selected),
            status=(
                f"frame {state.frame + 1}/{self.world.frames}",
                "1 division" if divisions == 1 else f"{divisions} divisions",
            ),
            progress=(state.frame + 1) / self.world.frames,
            disabled=unusable(state.frame, self.world.frames, state.can_undo),
            panel=self._panel(state.nodes),
            caption="Lineage",
            hint=self._hint(state),
        )

    def _hint(self, state: LineageState) -> str:
        if not state.nodes:
            return "Click the first cell"
        if state.selected is None:
            if state.frame + 1 < self.world.frames:
                return "+t to a division, click the parent's ring"
            return "Click a dividing cell's ring, or Done"
        if state.frame <= state.nodes[state.selected].frame:
            return "Go to the division of this cell"
        nth = "second" if state.families[state.selected] else "first"
        return f"Click the {nth} daughter"

    def _panel(self, nodes: tuple[Node, ...]) -> Any:
        if self._tree is None or self._tree[0] is not nodes:
            spans = [(node.frame, node.parent) for node in nodes]
            self._tree = (nodes, draw_tree(spans, self.world.frames))
        return self._tree[1]

    def score(self, state: LineageState) -> dict[str, Any]:
        """Return the metrics of a lineage; see :func:`lineage_score.score_lineage`."""
        return lineage_score.score_lineage(self.world, state.nodes, state.terminated)

    def layers(self, state: LineageState | None = None) -> list[LayerData]:
        """Return the recording, the true lineage (hidden) and the one so far as layers."""
        layers = lineage_score.world_layers(self.world, self._pictures.all())
        if state is not None:
            layers += lineage_score.annotation_layers(self, state)
        return layers


def _placed(state: LineageState, xy: tuple[int, int]) -> LineageState:
    node = Node(state.frame, xy[0], xy[1], state.selected)
    families, selected = list(state.families), state.selected
    if selected is not None:
        families[selected] = (*families[selected], len(state.nodes))
        selected = None if len(families[selected]) == 2 else selected
    return edited(state, nodes=(*state.nodes, node), families=(*families, ()), selected=selected)


def _with_chosen(look: _Look, selected: int | None) -> tuple[Marker, ...]:
    """Return the markers of the rings, with two white rings about the selected one."""
    if selected is None or selected not in look.rings:
        return look.markers
    x, y = look.rings[selected]
    place = list(look.rings).index(selected) + 1
    chosen = [Marker(x, y, RING + r, _CHOSEN) for r in (1, 2)]
    return (*look.markers[:place], *chosen, *look.markers[place:])


def _replaced(state: LineageState, node: int) -> bool:
    """Whether both daughters are shown in place of a node."""
    daughters = state.families[node]
    if len(daughters) < 2:
        return False
    one, other = daughters
    return state.nodes[one].frame <= state.frame and state.nodes[other].frame <= state.frame
