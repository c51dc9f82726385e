"""Metrics of annotations: matched points, keypoints, regions and graphs.

Everything here is plain numpy and scipy, and returns plain floats and ints.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from bcannot_core.errors import UsageError

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Match:
    """What was matched of placed and true points.

    Attributes
    ----------
    pairs : int64 (k, 2)
        Indices of (placed, true) points, in the order of the placed ones.
    distances : float64 (k,)
        Of each pair.
    placed, truth : int
        How many points there were.
    radius : float
        The largest distance of a pair.
    """

    pairs: NDArray[np.int64]
    distances: NDArray[np.float64]
    placed: int
    truth: int
    radius: float

    @property
    def precision(self) -> float:
        """Share of the placed points that are matched; 1 where nothing was placed or wanted."""
        return f1_score(len(self.pairs), self.placed, self.truth)[0]

    @property
    def recall(self) -> float:
        """Share of the true points that are matched; 1 where there are none."""
        return f1_score(len(self.pairs), self.placed, self.truth)[1]

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return f1_score(len(self.pairs), self.placed, self.truth)[2]

    @property
    def rmse(self) -> float:
        """Root mean square distance of the pairs; the radius where there are none."""
        if not len(self.distances):
            return float(self.radius)
        return float(np.sqrt(np.mean(self.distances**2)))


def match_points(
    placed: ArrayLike,
    truth: ArrayLike,
    radius: float = 5.0,
    placed_groups: ArrayLike | None = None,
    truth_groups: ArrayLike | None = None,
    *,
    allowed: NDArray[np.bool_] | None = None,
) -> Match:
    """Match points within a radius: as many as possible, then as near as possible (Hungarian).

    Parameters
    ----------
    placed : (n, k)
        Placed points.
    truth : (m, k)
        True points.
    radius : float
        Largest distance of a pair, in the points' unit.
    placed_groups : (n,), optional
        Group of each placed point (a section, a frame, an id); pairs are made within groups only.
    truth_groups : (m,), optional
        Group of each true point.
    allowed : bool (n, m), optional
        Which pairs may be made at all.

    Raises
    ------
    UsageError
        One of the groups is missing.
    """
    a, b = _points(placed), _points(truth)
    if (placed_groups is None) != (truth_groups is None):
        raise UsageError("groups of placed and true points are given together or not at all")
    nothing = np.empty((0, 2), dtype=np.int64)
    if not len(a) or not len(b):
        return Match(nothing, np.empty(0), len(a), len(b), radius)
    distances = np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=-1))
    near = distances <= radius
    if placed_groups is not None and truth_groups is not None:
        near &= np.asarray(placed_groups)[:, None] == np.asarray(truth_groups)[None]
    if allowed is not None:
        near &= allowed
    # One pair more outweighs whatever the distances of all others can save.
    never = (radius + 1.0) * (min(near.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(near, distances, never))
    kept = near[rows, columns]
    pairs = np.stack([rows[kept], columns[kept]], axis=1).astype(np.int64)
    return Match(pairs, distances[rows[kept], columns[kept]], len(a), len(b), radius)


def point_score(match: Match) -> dict[str, Any]:
    """Return precision, recall, f1, rmse_px, found, missed and false of a match."""
    found = len(match.pairs)
    return {
        "precision": match.precision,
        "recall": match.recall,
        "f1": match.f1,
        "rmse_px": match.rmse,
        "found": found,
        "missed": match.truth - found,
        "false": match.placed - found,
    }


def f1_score(hits: int, claimed: int, wanted: int) -> tuple[float, float, float]:
    """Return precision, recall and F1 of so many hits.

    Parameters
    ----------
    hits, claimed, wanted : int
        Right ones, all that were claimed, all that there are. Nothing claimed has precision 0,
        unless nothing was wanted either: then everything is 1.
    """
    precision = hits / claimed if claimed else float(not wanted)
    recall = hits / wanted if wanted else 1.0
    total = precision + recall
    return float(precision), float(recall), float(2 * precision * recall / total if total else 0.0)


def pck(placed: ArrayLike, truth: ArrayLike, radius: float = 3.0) -> float:
    """Return the share of keypoints placed within a radius of the truth.

    Parameters
    ----------
    placed, truth : (n, k)
        Keypoints in the same order; a row with NaN was not placed, and counts as wrong.
    radius : float
        Largest distance, in the points' unit.

    Raises
    ------
    UsageError
        They are not equally many.
    """
    a, b = _points(placed), _points(truth)
    if len(a) != len(b):
        raise UsageError(f"{len(a)} keypoints were given for {len(b)} true ones")
    if not len(b):
        return 1.0
    with np.errstate(invalid="ignore"):
        return float(np.mean(((a - b) ** 2).sum(axis=-1) <= radius * radius))


def polygon_mask(vertices_xy: ArrayLike, hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie in a polygon (even-odd rule).

    Parameters
    ----------
    vertices_xy : (n, 2)
        Vertices (x, y) in pixels; the last is joined to the first. Fewer than 3 give nothing.
    hw : tuple of int
        Height and width of the mask.
    """
    height, width = hw
    inside = np.zeros(hw, dtype=bool)
    vertices = _points(vertices_xy)
    if len(vertices) < 3:
        return inside
    top = max(0, int(np.ceil(vertices[:, 1].min())))
    bottom = min(height, int(np.floor(vertices[:, 1].max())) + 1)
    if top >= bottom:
        return inside
    ys = np.arange(top, bottom, dtype=np.float64)
    starts, ends = vertices, np.roll(vertices, -1, axis=0)
    side, row = np.nonzero((starts[:, 1:] <= ys) != (ends[:, 1:] <= ys))
    (x0, y0), (x1, y1) = starts[side].T, ends[side].T
    at = x0 + (ys[row] - y0) * (x1 - x0) / (y1 - y0)
    column = np.clip(np.ceil(at), 0, width).astype(np.intp)
    # Going along a row, each side that is crossed leads in or out.
    crossed = np.bincount(row * (width + 1) + column, minlength=len(ys) * (width + 1))
    inside[top:bottom] = crossed.reshape(len(ys), -1)[:, :-1].cumsum(axis=1) & 1
    return inside


def mask_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return intersection over union; 1 for two empty masks."""
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 1.0


def polygon_iou(a_xy: ArrayLike, b_xy: ArrayLike, hw: tuple[int, int] = (256, 256)) -> float:
    """Return intersection over union of two polygons, counted in pixels of a canvas."""
    return mask_iou(polygon_mask(a_xy, hw), polygon_mask(b_xy, hw))


def graph_score(
    nodes: ArrayLike,
    edges: Iterable[Edge],
    true_nodes: ArrayLike,
    true_edges: Iterable[Edge],
    radius: float = 8.0,
) -> dict[str, Any]:
    """Return how a graph agrees with the true one.

    Nodes are matched within the radius. An edge is right where its two ends are matched to the
    ends of a true edge; edges have no direction, and double ones count once.

    Parameters
    ----------
    nodes, true_nodes : (n, 2)
        Positions.
    edges, true_edges : iterable of (int, int)
        Pairs of indices of nodes.
    radius : float
        Largest distance of matched nodes.

    Returns
    -------
    dict
        ``node_precision``, ``node_recall``, ``node_f1``, ``node_rmse_px``, ``edge_precision``,
        ``edge_recall``, ``edge_f1``, and ``connectivity``: share of the pairs of true nodes
        with a way between them that have one in the graph, too.
    """
    match = match_points(nodes, true_nodes, radius)
    true_of = {int(i): int(j) for i, j in match.pairs}
    placed = {tuple(sorted(edge)) for edge in edges if edge[0] != edge[1]}
    wanted = {tuple(sorted(edge)) for edge in true_edges if edge[0] != edge[1]}
    mapped = {
        tuple(sorted((true_of[i], true_of[j]))) for i, j in placed if i in true_of and j in true_of
    }
    right = len(mapped & wanted)
    precision, recall, f1 = f1_score(right, len(placed), len(wanted))
    component = _components(match.placed, placed)
    connected = {j: component[i] for i, j in true_of.items()}
    return {
        "node_precision": match.precision,
        "node_recall": match.recall,
        "node_f1": match.f1,
        "node_rmse_px": match.rmse,
        "edge_precision": precision,
        "edge_recall": recall,
        "edge_f1": f1,
        "connectivity": _connectivity(_components(match.truth, wanted), connected),
    }


def _connectivity(true_component: Sequence[int], connected: dict[int, int]) -> float:
    pairs = both = 0
    for i, one in enumerate(true_component):
        for j in range(i):
            if true_component[j] == one:
                pairs += 1
                both += i in connected and j in connected and connected[i] == connected[j]
    return both / pairs if pairs else 1.0


def _components(count: int, edges: Iterable[tuple[int, ...]]) -> list[int]:
    """Return the number of the connected component of each node."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for i, j in edges:
        parent[root(i)] = root(j)
    return [root(node) for node in range(count)]


def _points(points: ArrayLike) -> NDArray[np.float64]:
    """Return points as an array (n, k), also where there are none."""
    array = np.asarray(points, dtype=np.float64)
    return array.reshape(len(array), -1) if array.size else np.empty((0, 2))
