"""The plan of road network construction: all nodes along a walk, then the roads between them.

Some annotators work in two parts, the nodes and roads of one half of the walk before those of the
other. A node counts as right within 6.5 px of a junction or road end that has no other node.
"""

import math
from collections.abc import Iterator

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.road_network import SPACING_PX, RoadNetwork, RoadState

_RIGHT_PX = 6.5
_MOST_JITTER = 3.0
_IN_PARTS = 0.25  # share of the episodes
_TRIES = 12
_SIDE = 256

Edge = tuple[int, int]
Pixel = tuple[int, int]


class RoadNetworkAnnotator(PlanAnnotator[RoadNetwork]):
    """The scripted annotator of road networks."""

    task_type = RoadNetwork
    kinds = (Mistake.NEAR_MISS, Mistake.FAR_MISS, Mistake.WRONG_OBJECT, Mistake.WRONG_TAB)

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        graph = self.task.world.graph
        self._truth = graph.nodes
        self._wanted = frozenset(graph.edges)
        self._order = self._walk()
        self._roads = self._route(graph.edges)
        parts = self.hand.chance(_IN_PARTS)
        half = len(self._order) // 2 if parts else len(self._order)
        self._stages = [frozenset(self._order[:half]), frozenset(self._order)]
        self._known: tuple[tuple[Pixel, ...], tuple[int | None, ...]] = ((), ())

    def plan(self, state: RoadState) -> Intent:
        """Return the next right click: mend, place nodes, join them, done."""
        true_of = self._true_nodes(state)
        joined = {_pair(true_of[a], true_of[b]) for a, b in state.edges}
        if None in true_of or not joined <= self._wanted:
            return Intent("undo", phase=Phase.CORRECT)
        return self._missing(state, true_of, joined)

    def _missing(
        self, state: RoadState, true_of: tuple[int | None, ...], joined: set[Edge | None]
    ) -> Intent:
        """Return the next click towards what is missing yet."""
        for stage in self._stages:
            for node in self._order:
                if node in stage and node not in true_of:
                    return self._place(node, state)
            roads = [r for r in self._roads if r not in joined and stage.issuperset(r)]
            if roads:
                return self._join(roads, state, true_of)
        return Intent("done", phase=Phase.FINISH)

    def _place(self, node: int, state: RoadState) -> Intent:
        if state.mode != "node_mode":
            return Intent("node_mode", position=node)
        x, y = self.hand.around(self._truth[node], self.behaviour.jitter_px, _MOST_JITTER)
        at = min(max(x, 0), _SIDE - 1), min(max(y, 0), _SIDE - 1)
        return Intent("place", at, Phase.PLACE, node, fallible=True)

    def _join(self, roads: list[Edge], state: RoadState, true_of: tuple[int | None, ...]) -> Intent:
        if state.mode != "edge_mode":
            return Intent("edge_mode")
        if state.chosen is None:
            begin, end = roads[0]
            at = self._on(state.nodes[true_of.index(begin)])
            return Intent("select", at, Phase.NAVIGATE, self._number((begin, end)))
        chosen = true_of[state.chosen]
        for road in roads:
            if chosen in road:
                other = road[1] if road[0] == chosen else road[0]
                at = self._on(state.nodes[true_of.index(other)])
                return Intent("connect", at, Phase.PLACE, self._number(road), fallible=True)
        return Intent("deselect", self._on(state.nodes[state.chosen]), Phase.CORRECT)

    def wrong(self, intent: Intent, state: RoadState, kind: Mistake) -> Iterator[Intent]:
        """Yield a node off its place, on a mere bend, an edge where no road is, or a wrong mode."""
        if intent.action == "connect":
            other = self._wrong_end(state, near=kind is Mistake.NEAR_MISS)
            if other is not None and kind is not Mistake.WRONG_TAB:
                yield intent._replace(target=self._on(state.nodes[other]))
        elif kind is Mistake.WRONG_TAB:
            if len(state.nodes) > 1:
                yield intent._replace(action="edge_mode", target=None)
        else:
            at = self._wrong_place(intent, state, kind)
            if at is not None:
                yield intent._replace(target=at)

    def onward(self, intent: Intent, state: RoadState) -> Iterator[Intent]:
        """Yield the next node that is missing, or nothing."""
        now: RoadState = self.session.state
        if intent.action != "place" or now.mode != "node_mode":
            return
        true_of = self._true_nodes(now)
        missing = [n for n in self._order if n not in true_of and n != intent.position]
        if missing:
            yield self._place(missing[0], now)._replace(fallible=False)

    def aside(self, intent: Intent, state: RoadState) -> Iterator[Intent]:
        """Yield a node that is selected and let go again."""
        if intent.action == "connect":
            yield from self._recheck()

    def closing(self, state: RoadState) -> Iterator[Intent]:
        """Yield a few nodes, one after the other, selected to see the roads at them."""
        if state.mode == "edge_mode" and self.hand.chance(self.strategy.verify):
            for _ in range(1 + self.hand.below(3)):
                yield from self._recheck()

    def _recheck(self) -> Iterator[Intent]:
        state: RoadState = self.session.state
        if not state.nodes or state.mode != "edge_mode" or state.chosen is not None:
            return
        node = self.hand.below(len(state.nodes))
        at, position = state.nodes[node], self._true_nodes(state)[node]
        yield Intent("select", self._on(at), Phase.VERIFY, position)
        yield Intent("deselect", self._on(at), Phase.VERIFY, position)

    def _wrong_end(self, state: RoadState, near: bool) -> int | None:
        """Return a placed node that no road leads to from the chosen one."""
        true_of = self._true_nodes(state)
        if state.chosen is None:
            return None
        wrong = [
            n
            for n in range(len(state.nodes))
            if n != state.chosen
            and _pair(true_of[n], true_of[state.chosen]) not in self._wanted
            and _pair(n, state.chosen) not in state.edges
        ]
        if not wrong:
            return None
        chosen = state.nodes[state.chosen]
        return min(wrong, key=lambda n: math.dist(state.nodes[n], chosen)) if near else (
            self.hand.choice(wrong)
        )  # fmt: skip

    def _wrong_place(self, intent: Intent, state: RoadState, kind: Mistake) -> Pixel | None:
        """Return a pixel where a node is wrong, None where none was found."""
        if intent.position is None:
            return None
        for _ in range(_TRIES):
            if kind is Mistake.NEAR_MISS:
                at = self.hand.ring(self._truth[intent.position], 9.0, 14.0)
            elif kind is Mistake.FAR_MISS:
                at = self.hand.below(_SIDE), self.hand.below(_SIDE)
            else:
                a, b = self.hand.choice(self._roads)
                (x0, y0), (x1, y1) = self._truth[a], self._truth[b]
                share = 0.35 + 0.3 * self.hand.uniform()
                at = round(x0 + (x1 - x0) * share), round(y0 + (y1 - y0) * share)
            clear = all(math.dist(at, node) > SPACING_PX + 1 for node in state.nodes)
            off = all(math.dist(at, node) > _RIGHT_PX + 1.5 for node in self._truth)
            if clear and off and 0 <= at[0] < _SIDE and 0 <= at[1] < _SIDE:
                return at
        return None

    def _true_nodes(self, state: RoadState) -> tuple[int | None, ...]:
        """Return the true node of each placed one, None for wrong ones."""
        nodes, known = self._known
        if nodes == state.nodes:
            return known
        same = len(nodes) if state.nodes[: len(nodes)] == nodes else 0
        true_of = list(known[:same])
        for at in state.nodes[same:]:
            near = min(range(len(self._truth)), key=lambda n: math.dist(self._truth[n], at))
            right = math.dist(self._truth[near], at) <= _RIGHT_PX and near not in true_of
            true_of.append(near if right else None)
        self._known = state.nodes, tuple(true_of)
        return self._known[1]

    def _number(self, road: Edge) -> int:
        """Return the data position of a road: roads follow after the nodes."""
        return len(self._truth) + self._roads.index(road)

    def _on(self, at: Pixel) -> Pixel:
        """Return a pixel on a placed node."""
        x, y = self.hand.around(at, 1.5, 4.0)
        return min(max(x, 0), _SIDE - 1), min(max(y, 0), _SIDE - 1)

    def _walk(self) -> list[int]:
        """Return all nodes, from one to the nearest one not visited yet."""
        corner = (_SIDE * self.hand.below(2), _SIDE * self.hand.below(2))
        left = set(range(len(self._truth)))
        at: tuple[float, float] = corner
        order: list[int] = []
        while left:
            node = min(sorted(left), key=lambda n: math.dist(self._truth[n], at))
            left.remove(node)
            order.append(node)
            at = self._truth[node]
        return order

    def _route(self, edges: tuple[Edge, ...]) -> list[Edge]:
        """Return all roads, each from the end of one before it where there is one."""
        left, rank = set(edges), {node: i for i, node in enumerate(self._order)}
        route: list[Edge] = []
        at = self._order[0]
        while left:
            here = [road for road in left if at in road] or list(left)
            road = min(here, key=lambda r: sorted(rank[n] for n in r))
            left.remove(road)
            route.append(road)
            at = road[1] if road[0] == at else road[0]
        return route


def _pair(a: int | None, b: int | None) -> Edge | None:
    if a is None or b is None:
        return None
    return (a, b) if a < b else (b, a)
