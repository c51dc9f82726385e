"""The plan of spectral plume finding: look through the bands, then outline plume after plume.

Outlines are drawn in the gas's deepest band, each from a vertex and in a direction of its own. A
closed polygon counts as right where it overlaps a plume of its own well enough; vertices count as
right while they follow one of the planned outlines.
"""

import math
from collections.abc import Iterator

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.plume_views import plume_iou
from bcannot_core.tasks.spectral_plume import (
    APART_PX,
    BAND_IDS,
    CLOSE_PX,
    PlumeState,
    Polygon,
    SpectralPlume,
    Vertex,
)
from bcannot_core.tasks.worlds.outlines import simplify
from bcannot_core.tasks.worlds.spectral_materials import BANDS, DARK
from bcannot_core.tasks.worlds.spectral_plume import SIDE, Cloud

_RIGHT_IOU = 0.6
_WANTED_IOU = 0.75  # of a planned outline, before the hand's imprecision
_RIGHT_PX = 4.5
_MOST_JITTER = 2.5
_MOST_VERTICES = 14
_TRIES = 12


class SpectralPlumeAnnotator(PlanAnnotator[SpectralPlume]):
    """The scripted annotator of plumes."""

    task_type = SpectralPlume
    kinds = (Mistake.NEAR_MISS, Mistake.FAR_MISS, Mistake.WRONG_OBJECT, Mistake.WRONG_TAB)

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self._plumes = self.task.world.plumes
        self._signature = self.task.signature
        self._main = self._signature[0]
        self._others = [
            cloud
            for cloud in self.task.world.clouds
            if not cloud.plume and cloud.depths[self._main] >= DARK
        ]
        self._vertices = 7 + self.hand.below(3)
        self._by_button = self.hand.chance(0.4)
        self._outlines = [self._outline(plume) for plume in self._plumes]
        self._order = sorted(range(len(self._plumes)), key=self._outlines.__getitem__)
        if self.hand.chance(0.5):
            self._order.reverse()
        self._judged: dict[tuple[Polygon, int], bool] = {}

    def plan(self, state: PlumeState) -> Intent:
        """Return the next right click: mend, show the gas's band, outline, close, done."""
        outlined = self._outlined(state)
        if outlined is None:
            return Intent("undo", phase=Phase.CORRECT)
        missing = [plume for plume in self._order if plume not in outlined]
        current = self._following(state, missing)
        if state.vertices and current is None:
            return Intent("undo", phase=Phase.CORRECT)
        if current is None:
            if not missing:
                return Intent("done", phase=Phase.FINISH)
            current = missing[0]
        if state.band != self._main:
            return self._show(self._main)
        outline = self._outlines[current]
        if len(state.vertices) < len(outline):
            return self._vertex(current, len(state.vertices), state)
        target = None if self._by_button else self._on(state.vertices[0])
        return Intent("close", target, Phase.PLACE, current)

    def opening(self, state: PlumeState) -> Iterator[Intent]:
        """Yield a look at the gas's bands and at others, more or fewer of them."""
        others = [band for band in range(BANDS) if band not in self._signature]
        count = 1 + round(self.strategy.explore * (len(others) - 1))
        start = self.hand.below(len(others))
        looked = {*self._signature, *(others[(start + i) % len(others)] for i in range(count))}
        for band in sorted(looked):
            yield self._show(band)
        if self.hand.chance(self.strategy.explore * 0.5):
            for band in self._signature:
                yield self._show(band)

    def aside(self, intent: Intent, state: PlumeState) -> Iterator[Intent]:
        """Yield a look at another band."""
        if intent.action == "place":
            yield from self._compare()

    def closing(self, state: PlumeState) -> Iterator[Intent]:
        """Yield a look at a few bands with all outlines drawn."""
        for _ in range(2):
            if self.hand.chance(self.strategy.verify):
                yield from self._compare()

    def wrong(self, intent: Intent, state: PlumeState, kind: Mistake) -> Iterator[Intent]:
        """Yield a vertex off the outline, a look-alike's outline, a polygon closed too early."""
        if kind is Mistake.WRONG_TAB:
            other = (self._main + 1 + self.hand.below(BANDS - 1)) % BANDS
            yield intent._replace(action="toggle", target=BAND_IDS[other])
        elif kind is Mistake.WRONG_OBJECT:
            yield from self._wrong_object(intent, state)
        elif intent.position is not None:
            at = self._off(state, intent.position, near=kind is Mistake.NEAR_MISS)
            if at is not None:
                yield intent._replace(target=at)

    def onward(self, intent: Intent, state: PlumeState) -> Iterator[Intent]:
        """Yield the vertex after a wrong one."""
        now: PlumeState = self.session.state
        if intent.action != "place" or intent.position is None:
            return
        outline = self._outlines[intent.position]
        if 1 <= len(now.vertices) < len(outline) and self._clear(outline[len(now.vertices)], now):
            yield self._vertex(intent.position, len(now.vertices), now)._replace(fallible=False)

    def _wrong_object(self, intent: Intent, state: PlumeState) -> Iterator[Intent]:
        """Yield the beginning of a look-alike's outline, or the end of one that is too short."""
        if not state.vertices and self._others:
            cloud = self.hand.choice(self._others)
            outline = self._outline(cloud)
            for at in outline[: 2 + self.hand.below(3)]:
                if self._clear(at, self.session.state):
                    yield intent._replace(target=at)
        elif len(state.vertices) >= 3 and intent.position is not None:
            polygon = state.vertices
            if plume_iou(polygon, self._plumes[intent.position]) < _RIGHT_IOU - 0.1:
                yield intent._replace(action="close", target=None)

    def _compare(self) -> Iterator[Intent]:
        state: PlumeState = self.session.state
        back = state.band
        other = (self._main + 1 + self.hand.below(BANDS - 1)) % BANDS
        if other == back:
            return
        yield self._show(other)._replace(phase=Phase.VERIFY)
        if back is not None:
            yield self._show(back)._replace(phase=Phase.VERIFY)

    def _show(self, band: int) -> Intent:
        return Intent("toggle", BAND_IDS[band])

    def _vertex(self, plume: int, number: int, state: PlumeState) -> Intent:
        """Return the placement of a planned vertex, where it does not close the polygon."""
        planned = self._outlines[plume][number]
        at = self._on(planned)
        if not self._clear(at, state):
            at = planned
        return Intent("place", at, Phase.PLACE, plume, fallible=True)

    def _outlined(self, state: PlumeState) -> set[int] | None:
        """Return the plumes that have a polygon, None where a polygon is wrong."""
        outlined: set[int] = set()
        for polygon in state.polygons:
            plume = next((p for p in self._order if self._covers(polygon, p)), None)
            if plume is None or plume in outlined:
                return None
            outlined.add(plume)
        return outlined

    def _covers(self, polygon: Polygon, plume: int) -> bool:
        key = polygon, plume
        if key not in self._judged:
            self._judged[key] = plume_iou(polygon, self._plumes[plume]) >= _RIGHT_IOU
        return self._judged[key]

    def _following(self, state: PlumeState, missing: list[int]) -> int | None:
        """Return the plume whose planned outline the vertices follow."""
        for plume in missing:
            outline = self._outlines[plume]
            if 0 < len(state.vertices) <= len(outline) and all(
                math.dist(vertex, planned) <= _RIGHT_PX
                for vertex, planned in zip(state.vertices, outline, strict=False)
            ):
                return plume
        return None

    def _off(self, state: PlumeState, plume: int, near: bool) -> Vertex | None:
        """Return a pixel where a vertex is wrong, None where none was found."""
        if len(state.vertices) >= len(self._outlines[plume]):
            return None
        planned = self._outlines[plume][len(state.vertices)]
        for _ in range(_TRIES):
            at = self.hand.ring(planned, 8.0, 14.0) if near else (
                self.hand.below(SIDE), self.hand.below(SIDE)
            )  # fmt: skip
            on_canvas = 0 <= at[0] < SIDE and 0 <= at[1] < SIDE
            far = math.dist(at, planned) > _RIGHT_PX + 2
            first = not state.vertices and any(
                math.dist(at, outline[0]) <= _RIGHT_PX for outline in self._outlines
            )
            if on_canvas and far and not first and self._clear(at, state):
                return at
        return None

    def _clear(self, at: Vertex, state: PlumeState) -> bool:
        """Whether a click places a vertex, and neither closes the polygon nor does nothing."""
        if not state.vertices:
            return True
        apart = math.dist(at, state.vertices[-1]) >= APART_PX
        return apart and (len(state.vertices) < 3 or math.dist(at, state.vertices[0]) > CLOSE_PX)

    def _on(self, at: Vertex) -> Vertex:
        x, y = self.hand.around(at, self.behaviour.jitter_px, _MOST_JITTER)
        return min(max(x, 0), SIDE - 1), min(max(y, 0), SIDE - 1)

    def _outline(self, cloud: Cloud) -> Polygon:
        """Return the vertices of a cloud's outline as this annotator clicks them."""
        count = self._vertices
        while True:
            corners = simplify(cloud.outline_xy, count).round().astype(int).tolist()
            polygon = tuple(dict.fromkeys((min(max(x, 0), SIDE - 1), min(max(y, 0), SIDE - 1))
                                          for x, y in corners))  # fmt: skip
            if count >= _MOST_VERTICES or plume_iou(polygon, cloud) >= _WANTED_IOU:
                break
            count += 1
        if self.hand.chance(0.5):
            polygon = polygon[::-1]
        # The first vertex is one that no other lies near to, so that none closes the polygon.
        start = self.hand.below(len(polygon))
        turns = [polygon[i:] + polygon[:i] for i in (*range(start, len(polygon)), *range(start))]
        return max((_kept(turn) for turn in turns), key=len)


def _kept(polygon: Polygon) -> Polygon:
    """Return the vertices of a polygon that do not close it when they are clicked."""
    first = polygon[0]
    reach = CLOSE_PX + _MOST_JITTER * 2 + 1
    return (first, *(v for v in polygon[1:] if math.dist(v, first) > reach))
