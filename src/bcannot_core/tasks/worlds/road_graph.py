"""Road graphs: streets that branch off streets, end, cross, or meet again."""

import math
from collections import Counter
from typing import NamedTuple

import numpy as np

Point = tuple[float, float]
Edge = tuple[int, int]

_SIDE = 256.0
_MARGIN = 22.0  # of nodes inside the picture
_EXIT = 4.0  # of nodes where a road leaves the picture
_GAP = 27.0  # between nodes of one road
_CLEAR = 22.0  # between a node and the roads that it is not on
_TRIES = 160
_CROSSED = 0.75  # share of the graphs that begin with two roads
_FIRST = 8  # nodes, until when roads may end freely
_LOOPS = 0.95  # share of the later roads that are given up where they would not meet another one


class RoadGraph(NamedTuple):
    """Intersections and end points with the roads between them.

    Attributes
    ----------
    nodes : tuple of (float, float)
        (x, y), canvas pixels.
    edges : tuple of (int, int)
        Pairs of node numbers, the smaller first, sorted.
    leaves : frozenset of int
        Nodes at which a road leaves the picture.
    main : frozenset of (int, int)
        Edges of the main road.
    """

    nodes: tuple[Point, ...]
    edges: tuple[Edge, ...]
    leaves: frozenset[int]
    main: frozenset[Edge]

    def degree(self, node: int) -> int:
        """Return how many roads meet at a node."""
        return sum(node in edge for edge in self.edges)


def grow_graph(rng: np.random.Generator, nodes: int, most_edges: int, disorder: float) -> RoadGraph:
    """Return a random road graph of so many nodes; no node has two roads only.

    Parameters
    ----------
    nodes : int
        How many.
    most_edges : int
        At most so many edges.
    disorder : float
        0 for streets at right angles, 1 for any direction within 35°.
    """
    while True:
        growth = _Growth(rng, most_edges, disorder)
        for _ in range(_TRIES):
            missing = nodes - len(growth.nodes)
            if missing <= 0:
                break
            growth.branch(single=missing == 1)
        if len(growth.nodes) == nodes:
            return growth.graph()


class _Growth:
    """A graph while it grows from its main road."""

    def __init__(self, rng: np.random.Generator, most_edges: int, disorder: float) -> None:
        self.rng = rng
        self.most_edges = most_edges
        self.spread = math.radians(4 + 31 * disorder)
        self.nodes: list[Point] = []
        self.edges: list[Edge] = []
        self.degrees: Counter[int] = Counter()  # roads that meet at each node
        self.leaves: set[int] = set()
        self.main: set[Edge] = set()
        self._begin()

    def graph(self) -> RoadGraph:
        edges = sorted((min(e), max(e)) for e in self.edges)
        main = frozenset((min(e), max(e)) for e in self.main)
        return RoadGraph(tuple(self.nodes), tuple(edges), frozenset(self.leaves), main)

    def _begin(self) -> None:
        """Lay the main road through the middle of the picture, often with one that crosses it."""
        angle = self.rng.uniform(0, math.pi)
        x, y = self.rng.uniform(80, 176, 2).tolist()
        crossed = self.rng.random() < _CROSSED
        turns = [angle, angle + math.pi]
        if crossed:
            square = angle + math.pi / 2 + self.rng.uniform(-self.spread, self.spread)
            turns += [square, square + math.pi]
        for turn in turns:
            reach = _to_border((x, y), turn, _EXIT)
            if self.rng.random() < 0.25:
                reach = max(60.0, reach - self.rng.uniform(18, 45))
                end = _inside(_ahead((x, y), turn, reach))
            else:
                end = _ahead((x, y), turn, reach)
                self.leaves.add(len(self.nodes))
            self.nodes.append(end)
        if crossed:
            self.nodes.append((x, y))
            for node in range(4):
                self._join(4, node)
            self.main.update(self.edges[:2])
        else:
            self._join(0, 1)
            self.main.add((0, 1))

    def branch(self, single: bool) -> None:
        """Try to let a road grow out of another one; with ``single``, out of a node."""
        if single or self.rng.random() < 0.2:
            joints = [n for n in range(len(self.nodes)) if self.degrees[n] == 3]
            if joints:
                node = joints[int(self.rng.integers(len(joints)))]
                self._grow(self.nodes[node], self._gap_angle(node), node, None)
            return
        edge = self.edges[int(self.rng.integers(len(self.edges)))]
        (x0, y0), (x1, y1) = self.nodes[edge[0]], self.nodes[edge[1]]
        length = math.hypot(x1 - x0, y1 - y0)
        if length < 2 * _GAP:
            return
        share = self.rng.uniform(_GAP / length, 1 - _GAP / length)
        start = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share)
        side = math.pi / 2 if self.rng.random() < 0.5 else -math.pi / 2
        turn = math.atan2(y1 - y0, x1 - x0) + side + self.rng.uniform(-self.spread, self.spread)
        self._grow(start, turn, None, edge)

    def _grow(self, start: Point, turn: float, node: int | None, edge: Edge | None) -> None:
        """Add a road from a point of an edge, or from a node, unless there is no room."""
        if not (_EXIT + 14 < start[0] < _SIDE - _EXIT - 14):
            return
        if not (_EXIT + 14 < start[1] < _SIDE - _EXIT - 14):
            return
        if node is None and not self._free(start, except_edge=edge):
            return
        met = self._meets(start, turn, node, edge)
        if met is not None and met[0] < 150 and len(self.edges) + 3 <= self.most_edges:
            self._connect(start, met, node, edge)
            return
        if len(self.nodes) >= _FIRST and self.rng.random() < _LOOPS:
            return
        reach = _to_border(start, turn, _EXIT)
        if met is None and reach < 110 and self.rng.random() < 0.6:
            self._finish(start, _ahead(start, turn, reach), node, edge, leaves=True)
            return
        reach = min(_to_border(start, turn, _MARGIN), met[0] - _CLEAR if met else 1e9)
        if reach > _GAP + 4:
            reach = self.rng.uniform(_GAP + 4, min(reach, 95.0)) if reach > 40 else reach
            self._finish(start, _ahead(start, turn, reach), node, edge, leaves=False)

    def _connect(
        self,
        start: Point,
        met: tuple[float, Point, Edge],
        node: int | None,
        edge: Edge | None,
    ) -> None:
        """Join the road to the one that it meets: at a node of that one, or in between."""
        _, point, other = met
        if not _steep(start, point, self.nodes[other[0]], self.nodes[other[1]]):
            return
        near = min(other, key=lambda n: math.dist(self.nodes[n], point))
        if math.dist(self.nodes[near], point) < _GAP:
            if self.degrees[near] not in (2, 3) or not self._apart(near, start):
                return
            end, end_node = self.nodes[near], near
        else:
            end, end_node = point, None
        if math.dist(start, end) < _GAP or not self._road_is_free(start, end, edge, other, node):
            return
        first = self._node_at(start, node, edge)
        if end_node is None:
            second = len(self.nodes)
            self.nodes.append(end)
            self._split(other, second)
        else:
            second = end_node
        self._join(first, second)

    def _finish(
        self, start: Point, end: Point, node: int | None, edge: Edge | None, leaves: bool
    ) -> None:
        """Let the road end, inside the picture or at its border."""
        if len(self.edges) + 2 > self.most_edges or math.dist(start, end) < _GAP:
            return
        if not self._free(end, except_edge=None) or not self._road_is_free(
            start, end, edge, None, node
        ):
            return
        first = self._node_at(start, node, edge)
        if leaves:
            self.leaves.add(len(self.nodes))
        self._join(first, len(self.nodes))
        self.nodes.append(end)

    def _node_at(self, start: Point, node: int | None, edge: Edge | None) -> int:
        if node is not None or edge is None:
            return node or 0
        self.nodes.append(start)
        self._split(edge, len(self.nodes) - 1)
        return len(self.nodes) - 1

    def _split(self, edge: Edge, node: int) -> None:
        parts = [(edge[0], node), (node, edge[1])]
        at = self.edges.index(edge)
        self.edges[at : at + 1] = parts
        self.degrees[node] += 2
        if edge in self.main:
            self.main.remove(edge)
            self.main.update(parts)

    def _join(self, one: int, other: int) -> None:
        self.edges.append((one, other))
        self.degrees.update((one, other))

    def _angles(self, node: int) -> list[float]:
        x, y = self.nodes[node]
        ends = [self.nodes[a + b - node] for a, b in self.edges if node in (a, b)]
        return sorted(math.atan2(ey - y, ex - x) for ex, ey in ends)

    def _gap_angle(self, node: int) -> float:
        """Return the middle of the widest gap between the roads at a node."""
        angles = self._angles(node)
        turns = [(b - a) % (2 * math.pi) for a, b in zip(angles, angles[1:] + angles[:1],
                                                          strict=True)]  # fmt: skip
        widest = max(range(len(turns)), key=turns.__getitem__)
        return angles[widest] + turns[widest] / 2

    def _apart(self, node: int, from_xy: Point) -> bool:
        """Whether a road from a point would come to a node at 45° or more from the others."""
        x, y = self.nodes[node]
        turn = math.atan2(from_xy[1] - y, from_xy[0] - x)
        return all(abs((turn - a + math.pi) % (2 * math.pi) - math.pi) > 0.8
                   for a in self._angles(node))  # fmt: skip

    def _free(self, point: Point, except_edge: Edge | None) -> bool:
        """Whether a point is clear of all nodes and of all roads but one."""
        if any(math.dist(point, other) < _GAP - 2 for other in self.nodes):
            return False
        return all(
            edge == except_edge
            or _point_to_segment(point, self.nodes[edge[0]], self.nodes[edge[1]]) > _CLEAR
            for edge in self.edges
        )

    def _road_is_free(
        self, start: Point, end: Point, edge: Edge | None, other: Edge | None, node: int | None
    ) -> bool:
        """Whether a road crosses no other one and passes no node too closely."""
        for n, point in enumerate(self.nodes):
            if n == node or math.dist(point, end) < 1:
                continue
            if _point_to_segment(point, start, end) < _CLEAR:
                return False
        for a, b in self.edges:
            if (a, b) in (edge, other) or node in (a, b):
                continue
            p, q = self.nodes[a], self.nodes[b]
            if math.dist(p, end) < 1 or math.dist(q, end) < 1:
                continue
            if _crossing(start, end, p, q) is not None:
                return False
        return True

    def _meets(
        self, start: Point, turn: float, node: int | None, edge: Edge | None
    ) -> tuple[float, Point, Edge] | None:
        """Return distance, point and edge where a ray first meets a road."""
        far = _ahead(start, turn, 400.0)
        found: tuple[float, Point, Edge] | None = None
        for other in self.edges:
            if other == edge or node in other:
                continue
            point = _crossing(start, far, self.nodes[other[0]], self.nodes[other[1]])
            if point is not None:
                distance = math.dist(start, point)
                if found is None or distance < found[0]:
                    found = (distance, point, other)
        return found


def _ahead(point: Point, turn: float, reach: float) -> Point:
    return point[0] + math.cos(turn) * reach, point[1] + math.sin(turn) * reach


def _inside(point: Point) -> Point:
    x, y = (min(max(c, _MARGIN), _SIDE - 1 - _MARGIN) for c in point)
    return x, y


def _to_border(point: Point, turn: float, margin: float) -> float:
    """Return how far it is to the picture's border less a margin."""
    reach = math.inf
    for at, step in zip(point, (math.cos(turn), math.sin(turn)), strict=True):
        if abs(step) > 1e-9:
            border = _SIDE - 1 - margin if step > 0 else margin
            reach = min(reach, (border - at) / step)
    return max(0.0, reach)


def _steep(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two roads meet at 40° or more."""
    rx, ry, sx, sy = b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]
    return abs(rx * sy - ry * sx) > 0.643 * math.hypot(rx, ry) * math.hypot(sx, sy)


def _crossing(a: Point, b: Point, c: Point, d: Point) -> Point | None:
    """Return where two segments cross, None where they do not."""
    rx, ry, sx, sy = b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]
    cross = rx * sy - ry * sx
    if abs(cross) < 1e-9:
        return None
    t = ((c[0] - a[0]) * sy - (c[1] - a[1]) * sx) / cross
    u = ((c[0] - a[0]) * ry - (c[1] - a[1]) * rx) / cross
    if not (0 <= t <= 1 and 0 <= u <= 1):
        return None
    return a[0] + t * rx, a[1] + t * ry


def _point_to_segment(point: Point, a: Point, b: Point) -> float:
    """Return the distance of a point to a segment."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dy * dy
    share = ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / square if square else 0.0
    share = min(max(share, 0.0), 1.0)
    return math.hypot(point[0] - a[0] - share * dx, point[1] - a[1] - share * dy)
