"""The plan of multi-channel alignment: a salient point in one channel, its match in the other."""

import math
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.multichannel_alignment import (
    CHANNELS,
    DISTINCT_PX,
    TOLERANCE_PX,
    AlignmentState,
    MultichannelAlignment,
    Pixel,
)
from bcannot_core.tasks.worlds.alignment_warp import SIDE

_FREE_PX = DISTINCT_PX + 8
_FIRST_JITTER, _LAST_JITTER = 2.0, 2.5
_SPARE_EVERY = 20
_TRIES = 8
_EDGE = 4

XY = tuple[float, float]


class AlignmentAnnotator(PlanAnnotator[MultichannelAlignment]):
    """The scripted annotator of multi-channel alignment.

    It goes through salient points in reading order, and works in one of three ways: a point in A,
    its match in B; the same, but going on in the channel where it is, so as to switch less; or a
    few points in A, then their matches in B. Its mistakes are near and far misses, the match of
    another point, a point that is used already, and the wrong tab.
    """

    task_type = MultichannelAlignment
    default_behaviour = Behaviour(near_miss=0.05, far_miss=0.02, wrong_object=0.05)
    kinds = (
        Mistake.NEAR_MISS,
        Mistake.FAR_MISS,
        Mistake.WRONG_OBJECT,
        Mistake.WRONG_TAB,
    )

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self.warp = self.task.world.warp
        self._pairs = self.task.config.landmarks
        self._alternates = self.hand.chance(0.4)
        self._batch = self.hand.choice((1, 1, 2, 4))
        both = zip(
            self.task.world.landmarks_a.tolist(), self.task.world.landmarks_b.tolist(), strict=True
        )
        self._salient: list[tuple[XY, XY]] = [((a[0], a[1]), (b[0], b[1])) for a, b in both]
        self._matches: dict[tuple[int, Pixel], XY] = {}
        self._judged: tuple[object, bool] = None, False

    def plan(self, state: AlignmentState) -> Intent:
        """Return the next right click: Undo of what is wrong, then tabs and landmarks, Done."""
        if state.points is not self._judged[0]:
            self._judged = state.points, self._any_wrong(state)
        if self._judged[1]:
            pair = max(len(points) for points in state.points) - 1
            return Intent("undo", phase=Phase.CORRECT, position=pair)
        first, second = (len(points) for points in state.points)
        if first == second == self._pairs:
            return Intent("done", phase=Phase.FINISH)
        channel = self._next_channel(state.channel, first, second)
        pair = len(state.points[channel])
        if channel != state.channel:
            return Intent("select", CHANNELS[channel], Phase.NAVIGATE, pair)
        target, most = self._target(state), _FIRST_JITTER
        if len(state.points[1 - channel]) > pair:
            most = _LAST_JITTER
        pixel = _inside(self.hand.around(target, self.behaviour.jitter_px, most))
        return Intent("place", pixel, Phase.PLACE, pair, fallible=True)

    def wrong(self, intent: Intent, state: AlignmentState, kind: Mistake) -> Iterable[Intent]:
        """Return a misplaced landmark, or a click on the tab that is not wanted."""
        channel, pair = state.channel, len(state.points[state.channel])
        matched = len(state.points[1 - channel]) > pair
        if kind is Mistake.WRONG_TAB:
            if matched or not self._alternates:
                yield Intent("select", CHANNELS[1 - channel], Phase.PLACE, pair)
            return
        spot = next((xy for xy in self._misses(state, kind, matched) if self._bad(state, xy)), None)
        if spot is not None:
            yield intent._replace(target=spot)

    def onward(self, intent: Intent, state: AlignmentState) -> Iterable[Intent]:
        """Return a look at the other channel before a mistake is noticed."""
        if intent.action == "place":
            yield Intent("select", CHANNELS[1 - state.channel], Phase.NAVIGATE, intent.position)

    def opening(self, state: AlignmentState) -> Iterable[Intent]:
        """Return a look at both channels."""
        if self.hand.chance(self.strategy.explore):
            yield from self._flick(1 + self.hand.chance(0.3 * self.strategy.explore))

    def aside(self, intent: Intent, state: AlignmentState) -> Iterable[Intent]:
        """Return a look at the other channel, and back, to compare."""
        yield from self._flick(1)

    def closing(self, state: AlignmentState) -> Iterable[Intent]:
        """Return a comparison of the channels before Done."""
        if self.hand.chance(self.strategy.verify):
            yield from self._flick(1 + self.hand.below(2))

    def _flick(self, times: int) -> Iterator[Intent]:
        """Yield clicks on the other tab and back."""
        shown: int = self.session.state.channel
        for _ in range(times):
            yield Intent("select", CHANNELS[1 - shown])
            yield Intent("select", CHANNELS[shown])

    def _next_channel(self, shown: int, first: int, second: int) -> int:
        """Return the channel of the next landmark, from how many each channel has."""
        if second > first:
            return 0
        if first == second and self._alternates:
            return shown
        if self._alternates:
            return 1
        batch_end = min(self._pairs, (second // self._batch + 1) * self._batch)
        return 0 if first < batch_end else 1

    def _match(self, channel: int, xy: Pixel) -> XY:
        """Return where a landmark of a channel lies in the other one; known ones cost nothing."""
        key = channel, xy
        if key not in self._matches:
            move = self.warp.point_to_b if channel == 0 else self.warp.point_to_a
            self._matches[key] = move(*xy)
        return self._matches[key]

    def _target(self, state: AlignmentState) -> XY:
        """Return the right place of the next landmark in the channel that is shown."""
        channel = state.channel
        pair, others = len(state.points[channel]), state.points[1 - channel]
        if len(others) > pair:
            return self._match(1 - channel, others[pair])
        used = self._used(state)
        for points in chain(self._salient, self._spare()):
            if all(_apart(points[0], u) >= _FREE_PX for u in used):
                return points[channel]
        return points[channel]

    def _used(self, state: AlignmentState) -> list[XY]:
        """Return all landmarks in channel A, matches of those of channel B included."""
        first, second = state.points
        return [*first, *(self._match(1, xy) for xy in second[len(first) :])]

    def _spare(self) -> Iterator[tuple[XY, XY]]:
        """Yield points of both channels that are not salient, for when others are used up."""
        at = np.arange(_SPARE_EVERY, SIDE - _SPARE_EVERY, _SPARE_EVERY / 2)
        points = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        for a, b in zip(points.tolist(), self.warp.to_b(points).tolist(), strict=True):
            if _shown((b[0], b[1])):
                yield (a[0], a[1]), (b[0], b[1])

    def _any_wrong(self, state: AlignmentState) -> bool:
        """Whether a pair does not match, lies on another one, or cannot be completed."""
        first, second = state.points
        for a, b in zip(first, second, strict=False):
            if _apart(a, self._match(1, b)) > TOLERANCE_PX:
                return True
        pairs = state.pairs
        for channel in (0, 1):
            for xy in state.points[channel][pairs:]:
                if not _shown(self._match(channel, xy)):
                    return True
        used = self._used(state)
        return any(
            _apart(a, b) < DISTINCT_PX + (2 if i >= len(first) else 0)
            for i, a in enumerate(used)
            for b in used[:i]
        )

    def _bad(self, state: AlignmentState, xy: Pixel) -> bool:
        """Whether a landmark at a pixel would be wrong."""
        placed = list(state.points)
        placed[state.channel] = (*placed[state.channel], xy)
        first, second = placed
        after = AlignmentState(channel=state.channel, points=(first, second))
        return self._any_wrong(after)

    def _misses(self, state: AlignmentState, kind: Mistake, matched: bool) -> Iterator[Pixel]:
        """Yield places where a landmark may land by mistake."""
        channel = state.channel
        target = self._target(state)
        for _ in range(_TRIES):
            if kind is Mistake.NEAR_MISS and matched:
                yield _inside(self.hand.ring(target, 7, 14))
            elif kind is Mistake.FAR_MISS:
                yield 8 + self.hand.below(SIDE - 16), 8 + self.hand.below(SIDE - 16)
            elif kind is Mistake.WRONG_OBJECT:
                options: list[XY] = [points[channel] for points in self._salient]
                if not matched:
                    options = [*state.points[channel]]
                if options:
                    yield _inside(self.hand.around(self.hand.choice(options), 1.0, 2.0))


def _apart(a: XY, b: XY) -> float:
    return math.hypot(a[0] - b[0], a[1] - b[1])


def _shown(xy: XY) -> bool:
    """Whether a point lies on the canvas, a little inside."""
    return _EDGE <= xy[0] <= SIDE - 1 - _EDGE and _EDGE <= xy[1] <= SIDE - 1 - _EDGE


def _inside(xy: Pixel) -> Pixel:
    """Return the pixel of the canvas that is nearest."""
    return min(max(xy[0], 0), SIDE - 1), min(max(xy[1], 0), SIDE - 1)
