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
_NEXT, _PREVIOUS, _UNDO = "next_frame", "previous_frame", "undo"


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
        ButtonSpec(_NEXT, "+t", "+t", "navigation"),
        ButtonSpec(_PREVIOUS, "−t", "−t", "navigation"),
        ButtonSpec(_UNDO, "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
    )
    edit_actions: ClassVar[frozenset[str]] = frozenset({"place", "select"})
    navigation_actions: ClassVar[frozenset[str]] = frozenset({_NEXT, _PREVIOUS})
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
        self._rings: tuple[tuple[Node, ...], int, dict[int, tuple[int, int]]] | None = None
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
        if not hit.target or hit.target in self._disabled(state):
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
        if action.name == _NEXT:
            return replace(state, frame=min(state.frame + 1, self.world.frames - 1))
        if action.name == _PREVIOUS:
            return replace(state, frame=max(state.frame - 1, 0))
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
        steps = before.frame - state.frame
        return [*[_NEXT if steps > 0 else _PREVIOUS] * abs(steps), action.canvas_xy]

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
        cell = self._cell_of(node)
        if cell is None or frame <= node.frame:
            return node.x, node.y
        x0, y0 = self._xy[node.frame][cell]
        x1, y1 = self._xy[min(frame, self.world.cells[cell].last)][cell]
        return round(node.x + x1 - x0), round(node.y + y1 - y0)

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
        known = self._rings
        if known is None or known[0] is not state.nodes or known[1] != state.frame:
            shown = {
                i: self.ring_xy(node, state.frame)
                for i, node in enumerate(state.nodes)
                if node.frame <= state.frame and not _replaced(state, i)
            }
            known = self._rings = (state.nodes, state.frame, shown)
        return known[2]

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
        divisions = sum(len(daughters) == 2 for daughters in state.families)
        rings = self.rings(state)
        return Content(
            canvas=self._pictures.get(state.frame),
            shapes=self._shapes(state, rings),
            markers=self._markers(state, rings),
            status=(
                f"frame {state.frame + 1}/{self.world.frames}",
                "1 division" if divisions == 1 else f"{divisions} divisions",
            ),
            progress=(state.frame + 1) / self.world.frames,
            disabled=self._disabled(state),
            panel=self._panel(state.nodes),
            caption="Lineage",
            hint=self._hint(state),
        )

    def _disabled(self, state: LineageState) -> frozenset[str]:
        unusable = {
            _NEXT: state.frame + 1 >= self.world.frames,
            _PREVIOUS: state.frame == 0,
            _UNDO: not state.can_undo,
        }
        return frozenset(name for name, useless in unusable.items() if useless)

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

    def _markers(
        self, state: LineageState, rings: Mapping[int, tuple[int, int]]
    ) -> tuple[Marker, ...]:
        markers = []
        for i, (x, y) in rings.items():
            waits = self.ring_waits(state.nodes[i], state.frame)
            markers.append(Marker(x, y, RING, node_colour(i), _WAITING_ALPHA if waits else 1.0))
            if i == state.selected:
                markers += [Marker(x, y, RING + r, _CHOSEN) for r in (1, 2)]
        return tuple(markers)

    def _shapes(
        self, state: LineageState, rings: Mapping[int, tuple[int, int]]
    ) -> tuple[Line, ...]:
        shapes: list[Line] = []
        for i, (x, y) in rings.items():
            node = state.nodes[i]
            if node.parent is not None and state.frame - node.frame < _EDGE_FRAMES:
                x0, y0 = self.ring_xy(state.nodes[node.parent], node.frame)
                shapes.append(Line(x0, y0, x, y, node_colour(i), _EDGE_ALPHA))
        return tuple(shapes)

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


def _replaced(state: LineageState, node: int) -> bool:
    """Whether both daughters are shown in place of a node."""
    daughters = state.families[node]
    return len(daughters) == 2 and all(state.nodes[d].frame <= state.frame for d in daughters)
