"""Metrics of cell lineages, and lineages as napari layers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bcannot_core.tasks.base import LayerData
from bcannot_core.tasks.lineage_tree import node_colour
from bcannot_core.tasks.point_looks import ring_look
from bcannot_core.tasks.scoring import Match, f1_score, point_score
from bcannot_core.tasks.worlds.cell_lineage import LineageWorld

if TYPE_CHECKING:
    from bcannot_core.tasks.cell_lineage import CellLineage, LineageState, Node

RADIUS_PX = 5.0
LATE_FRAMES = 1
SUCCESS = 0.9
_FAR = 1e6
_TRUE_PX, _MARKED_PX = 12, 22


def score_lineage(world: LineageWorld, nodes: Sequence["Node"], done: bool) -> dict[str, Any]:
    """Return the metrics of a lineage.

    Nodes are matched to cells, one to one, where they lie within 5 px of them in their frame:
    ``precision``, ``recall``, ``f1``, ``rmse_px``, ``found``, ``missed``, ``false``. An edge is
    right where a node and its parent are matched to a cell and its parent: ``edge_precision``,
    ``edge_recall``, ``edge_f1``. A division is right where both its edges are and the daughters
    were placed at most one frame after they appeared: ``division_precision``,
    ``division_recall``, ``division_f1``. Also ``nodes``, ``divisions``, ``root`` (whether the
    root was marked) and ``done``.

    ``success`` asks for Done and for F1 of at least 0.9 of both edges and divisions.
    """
    match = _match(world, nodes)
    cell_of = {int(i): int(j) for i, j in match.pairs}
    right = {
        i
        for i, node in enumerate(nodes)
        if i in cell_of
        and node.parent in cell_of
        and world.cells[cell_of[i]].parent == cell_of[node.parent]
    }
    wanted = len(world.cells) - 1
    edges = f1_score(len(right), sum(node.parent is not None for node in nodes), wanted)
    claimed, hits = _divisions(world, nodes, cell_of, right)
    divisions = f1_score(hits, claimed, len(world.divisions))
    score: dict[str, Any] = point_score(match)
    for name, values in (("edge", edges), ("division", divisions)):
        score |= {
            f"{name}_{what}": value
            for what, value in zip(("precision", "recall", "f1"), values, strict=True)
        }
    return score | {
        "nodes": len(nodes),
        "divisions": claimed,
        "root": any(cell_of.get(i) == 0 for i, node in enumerate(nodes) if node.parent is None),
        "done": done,
        "success": bool(done and edges[2] >= SUCCESS and divisions[2] >= SUCCESS),
    }


def _match(world: LineageWorld, nodes: Sequence["Node"]) -> Match:
    """Match nodes to cells: as many as possible, then as near as possible."""
    if not nodes:
        return Match(np.empty((0, 2), np.int64), np.empty(0), 0, len(world.cells), RADIUS_PX)
    at = np.array([(node.y, node.x) for node in nodes], dtype=np.float64)
    there = world.yx[[node.frame for node in nodes]]
    distance = np.sqrt(((there - at[:, None]) ** 2).sum(-1))
    with np.errstate(invalid="ignore"):
        cost = np.where(distance <= RADIUS_PX, distance, _FAR)
    rows, columns = linear_sum_assignment(cost)
    near = cost[rows, columns] < _FAR
    pairs = np.stack([rows[near], columns[near]], axis=1).astype(np.int64)
    distances = cost[rows[near], columns[near]]
    return Match(pairs, distances, len(nodes), len(world.cells), RADIUS_PX)


def _divisions(
    world: LineageWorld, nodes: Sequence["Node"], cell_of: dict[int, int], right: set[int]
) -> tuple[int, int]:
    """Return how many divisions were claimed, and how many of them are right."""
    daughters: dict[int, list[int]] = {}
    for i, node in enumerate(nodes):
        if node.parent is not None:
            daughters.setdefault(node.parent, []).append(i)
    claimed = [pair for pair in daughters.values() if len(pair) == 2]
    hits = sum(
        all(
            d in right and 0 <= nodes[d].frame - world.cells[cell_of[d]].birth <= LATE_FRAMES
            for d in pair
        )
        for pair in claimed
    )
    return len(claimed), hits


def world_layers(world: LineageWorld, pictures: NDArray[np.uint8]) -> list[LayerData]:
    """Return the recording, and its cells as hidden Tracks and Points."""
    rows: list[tuple[float, ...]] = []
    features: dict[str, list[int]] = {
        name: [] for name in ("cell", "parent", "generation", "divides")
    }
    for cell in world.cells:
        for frame in range(cell.birth, cell.last + 1):
            y, x = world.yx[frame, cell.index].tolist()
            rows.append((cell.index, frame, y, x))
            features["cell"].append(cell.index)
            features["parent"].append(-1 if cell.parent is None else cell.parent)
            features["generation"].append(cell.generation)
            features["divides"].append(int(bool(cell.daughters) and frame == cell.last))
    graph = {cell.index: [cell.parent] for cell in world.cells if cell.parent is not None}
    tracks = np.array(rows, dtype=np.float64)
    columns = {name: np.array(values) for name, values in features.items()}
    return [
        (pictures, {"name": "nuclei", "contrast_limits": (0, 255), "colormap": "gray"}, "image"),
        (
            tracks,
            {"name": "true lineage", "graph": graph, "properties": columns, "visible": False},
            "tracks",
        ),
        (
            tracks[:, 1:],
            {
                "name": "true cells",
                "properties": columns,
                "size": _TRUE_PX,
                "visible": False,
                **ring_look(_colours(columns["cell"])),
            },
            "points",
        ),
    ]


def _colours(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return colours as on the screen, (n, 4)."""
    colours = [(*node_colour(int(cell)), 255) for cell in cells]
    return np.array(colours, dtype=np.float64).reshape(-1, 4) / 255


def annotation_layers(task: "CellLineage", state: "LineageState") -> list[LayerData]:
    """Return the marked cells as Points and, from the second frame on, as Tracks."""
    nodes = state.nodes
    points = np.array([(n.frame, n.y, n.x) for n in nodes], dtype=np.float64).reshape(-1, 3)
    properties = {
        "node": np.arange(len(nodes)),
        "parent": np.array([-1 if n.parent is None else n.parent for n in nodes], dtype=np.int64),
    }
    look = {
        "name": "marked cells",
        "properties": properties,
        "size": _MARKED_PX,
        **ring_look(_colours(properties["node"])),
    }
    layers: list[LayerData] = [(points, look, "points")]
    rows = []
    for i, node in enumerate(nodes):
        ends = [nodes[d].frame for d in state.families[i]]
        for frame in range(node.frame, min(ends, default=task.world.frames)):
            x, y = task.ring_xy(node, frame)
            rows.append((i, frame, y, x))
    if rows:
        graph = {i: [n.parent] for i, n in enumerate(nodes) if n.parent is not None}
        tracks = np.array(rows, dtype=np.float64)
        layers.append((tracks, {"name": "marked lineage", "graph": graph}, "tracks"))
    return layers
