"""Road network construction: nodes on junctions and road ends, then edges along the roads.

The picture is an aerial photograph of a small place. In node mode a click places a node; in edge
mode a click on a node selects it, and a click on a second one joins the two. The task is scored
as a graph: nodes within 8 px of the middle of a junction or of a road's end (roads are 9 to 11 px
wide), and edges between them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np

from bcannot_core.errors import TaskError
from bcannot_core.screen import (
    ButtonSpec,
    Content,
    Disc,
    Hit,
    Line,
    Marker,
    Variant,
    get_variant,
)
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, make_config
from bcannot_core.tasks.edits import EditState, EditTask, edited
from bcannot_core.tasks.scoring import graph_score
from bcannot_core.tasks.worlds.road_network import RoadNetworkConfig as RoadNetworkConfig
from bcannot_core.tasks.worlds.road_network import RoadWorld as RoadWorld
from bcannot_core.tasks.worlds.road_network import make_world

MATCH_PX = 8.0
PICK_PX = 10.0  # how near a click selects a node
SPACING_PX = 9.0  # no node is placed nearer to another one
NODE_COLOUR = (0, 200, 255)
EDGE_COLOUR = (255, 214, 40)
CHOSEN_COLOUR = (255, 70, 200)
_RIM = (10, 14, 20)

Node = tuple[int, int]
Edge = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadState(EditState):
    """A graph under construction.

    Attributes
    ----------
    mode : str
        ``"node_mode"`` or ``"edge_mode"``.
    nodes : tuple of (int, int)
        Placed nodes, canvas pixels (x, y), in order.
    edges : tuple of (int, int)
        Pairs of node numbers, the smaller first, in order.
    chosen : int or None
        The node that the next edge begins at.
    """

    mode: str = "node_mode"
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    chosen: int | None = None


class RoadNetwork(EditTask):
    """The road network task on one world.

    Parameters
    ----------
    world : RoadWorld
        Picture and true graph.
    config : RoadNetworkConfig, optional
        What the world was made with, and the interface.
    """

    id: ClassVar[str] = "road_network"
    buttons: ClassVar[tuple[ButtonSpec, ...]] = (
        ButtonSpec("node_mode", "Nodes", "N", "navigation", kind="toggle"),
        ButtonSpec("edge_mode", "Edges", "E", "navigation", kind="toggle"),
        ButtonSpec("undo", "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
    )
    edit_actions: ClassVar[frozenset[str]] = frozenset({"place", "connect"})
    navigation_actions: ClassVar[frozenset[str]] = frozenset({"node_mode", "edge_mode"})
    hint_line: ClassVar[bool] = True

    def __init__(self, world: RoadWorld, config: RoadNetworkConfig | None = None) -> None:
        self.world = world
        self.config = config or RoadNetworkConfig()

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random world; options are the fields of ``RoadNetworkConfig``."""
        config = make_config(RoadNetworkConfig, cls.id, options)
        return cls(make_world(rng, config), config)

    @property
    def variant(self) -> Variant:
        """The interface variant."""
        return get_variant(self.config.variant)

    def initial_state(self) -> RoadState:
        """Return an empty graph in node mode."""
        return RoadState()

    def action_for(self, hit: Hit, state: RoadState) -> Action:
        """Return what a click means.

        ``place``, ``select`` and ``deselect`` a node, ``connect`` two, ``node_mode``,
        ``edge_mode``, ``undo``, ``done``.
        """
        if hit.kind == "button":
            return Action(hit.target) if self._usable(hit.target, state) else NONE
        if hit.canvas_xy is None:
            return NONE
        near = nearest_node(state.nodes, hit.canvas_xy)
        if state.mode == "node_mode":
            free = near is None or math.dist(state.nodes[near], hit.canvas_xy) >= SPACING_PX
            return Action("place", hit.canvas_xy) if free else NONE
        if near is None or math.dist(state.nodes[near], hit.canvas_xy) > PICK_PX:
            return NONE if state.chosen is None else Action("deselect", hit.canvas_xy)
        if state.chosen is None:
            return Action("select", hit.canvas_xy)
        if near == state.chosen:
            return Action("deselect", hit.canvas_xy)
        known = _edge(state.chosen, near) in state.edges
        return NONE if known else Action("connect", hit.canvas_xy)

    def _usable(self, button: str, state: RoadState) -> bool:
        if button == "undo":
            return state.can_undo
        if button == "edge_mode":
            return state.mode != button and len(state.nodes) > 1
        return button != state.mode

    def change(self, state: RoadState, action: Action) -> RoadState | None:
        """Return the state after an action; None for one that the task does not know."""
        name, at = action.name, action.canvas_xy
        if at is not None and name == "place":
            return edited(state, nodes=(*state.nodes, at))
        if name in ("node_mode", "edge_mode"):
            return replace(state, mode=name, chosen=None)
        if name == "deselect":
            return replace(state, chosen=None)
        near = None if at is None else nearest_node(state.nodes, at)
        if near is not None and name == "select":
            return replace(state, chosen=near)
        if near is not None and name == "connect" and state.chosen is not None:
            edges = (*state.edges, _edge(state.chosen, near))
            return edited(state, edges=edges, chosen=None)
        return None

    def detail(self, before: RoadState, action: Action, after: RoadState) -> Mapping[str, Any]:
        """Name the placed node, or the two that were joined."""
        if action.name == "place":
            return {"node_xy": list(after.nodes[-1])}
        if action.name == "connect":
            return {"edge": list(after.edges[-1])}
        return {}

    def retrace(self, state: RoadState, before: RoadState, action: Action) -> list[Aim]:
        """Return the clicks that place a node or join two again."""
        at = action.canvas_xy
        if at is None or action.name not in self.edit_actions:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        aims: list[Aim] = [] if state.mode == before.mode else [before.mode]
        if action.name == "connect" and before.chosen is not None:
            chosen = state.chosen if state.mode == before.mode else None
            if chosen != before.chosen:
                if chosen is not None:
                    aims.append(state.nodes[chosen])
                aims.append(before.nodes[before.chosen])
        return [*aims, at]

    def content(self, state: RoadState) -> Content:
        """Return the picture with the graph."""
        discs = [disc for node in state.nodes for disc in _discs(node)]
        lines = [_road(state.nodes[a], state.nodes[b]) for a, b in state.edges]
        rings: tuple[Marker, ...] = ()
        if state.chosen is not None:
            x, y = state.nodes[state.chosen]
            rings = Marker(x, y, 7, CHOSEN_COLOUR), Marker(x, y, 8, CHOSEN_COLOUR)
        joined = {node for edge in state.edges for node in edge}
        unusable = {"undo"} if not state.can_undo else set()
        if len(state.nodes) < 2:
            unusable.add("edge_mode")
        return Content(
            self.world.picture,
            markers=rings,
            shapes=(*discs, *lines),
            status=(f"Nodes {len(state.nodes)}", f"Edges {len(state.edges)}"),
            progress=len(joined) / len(state.nodes) if state.nodes else 0.0,
            disabled=frozenset(unusable),
            pressed=frozenset({state.mode}),
            hint=_hint(state),
        )

    def score(self, state: RoadState) -> dict[str, Any]:
        """Return how the graph agrees with the roads.

        Returns
        -------
        dict
            The metrics of ``graph_score`` within 8 px, ``nodes`` and ``edges`` placed, ``done``,
            and ``success``: Done was clicked, and nodes and edges are exactly the true ones.
        """
        graph = self.world.graph
        found = graph_score(state.nodes, state.edges, graph.nodes, graph.edges, MATCH_PX)
        right = found["node_f1"] == 1.0 and found["edge_f1"] == 1.0
        return {
            **found,
            "nodes": len(state.nodes),
            "edges": len(state.edges),
            "done": state.terminated,
            "success": bool(right and state.terminated),
        }

    def layers(self, state: RoadState | None = None) -> list[LayerData]:
        """Return the picture, the true graph (hidden) and the graph so far as napari layers."""
        graph = self.world.graph
        kinds = [
            "road end" if graph.degree(n) == 1 else "junction" for n in range(len(graph.nodes))
        ]
        layers: list[LayerData] = [
            (self.world.picture, {"name": "aerial picture", "rgb": True}, "image"),
            *_graph_layers(graph.nodes, graph.edges, "true", EDGE_COLOUR, kinds, visible=False),
        ]
        if state is not None:
            placed = ["placed"] * len(state.nodes)
            layers += _graph_layers(state.nodes, state.edges, "placed", NODE_COLOUR, placed)
        return layers


@lru_cache(maxsize=1024)
def _discs(at: Node) -> tuple[Disc, Disc]:
    """Return the rim and the middle of a node; the same objects again draw faster."""
    return Disc(*at, 5, _RIM), Disc(*at, 4, NODE_COLOUR)


@lru_cache(maxsize=1024)
def _road(start: Node, end: Node) -> Line:
    return Line(*start, *end, EDGE_COLOUR, width=2)


def nearest_node(nodes: tuple[Node, ...], at: tuple[int, int]) -> int | None:
    """Return the number of the node nearest to a canvas pixel, None without nodes."""
    if not nodes:
        return None
    return min(range(len(nodes)), key=lambda n: math.dist(nodes[n], at))


def _edge(a: int, b: int) -> Edge:
    return (a, b) if a < b else (b, a)


def _hint(state: RoadState) -> str:
    if state.mode == "node_mode":
        return "Click each junction and road end"
    if state.chosen is None:
        return "Click a node where a road begins"
    return "Click the node it leads to"


def _graph_layers(
    nodes: Any,
    edges: Any,
    name: str,
    colour: tuple[int, int, int],
    kinds: list[str],
    *,
    visible: bool = True,
) -> list[LayerData]:
    """Return a graph as a layer of lines and a layer of points, in (y, x)."""
    points = np.array(nodes, dtype=np.float64).reshape(-1, 2)[:, ::-1]
    lines = [points[list(edge)] for edge in edges]
    rgba = [channel / 255 for channel in colour] + [1.0]
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return [
        (
            lines,
            {
                "name": f"{name} edges",
                "shape_type": "line",
                "edge_color": rgba,
                "edge_width": 2,
                "features": {"from": ends[:, 0], "to": ends[:, 1]},
                "visible": visible,
            },
            "shapes",
        ),
        (
            points,
            {
                "name": f"{name} nodes",
                "size": 8,
                "face_color": rgba,
                "features": {"node": np.arange(len(points)), "kind": kinds},
                "visible": visible,
            },
            "points",
        ),
    ]
