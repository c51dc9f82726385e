"""The plan of colored dot tracking: dot after dot from blue to red, each in its own section.

The annotator remembers in which section it saw a dot (also one section off, where it is dim). It
goes straight to a dot that it has seen, and looks for others section by section, going on in the
direction that it came from. Careful strategies look at the projection and through the whole stack
first, and again before Done.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import CORRECTION, OVERSHOOT, Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.colored_dot_tracking import (
    RADIUS_PX,
    SECTIONS_OFF,
    ColoredDotTracking,
    DotState,
    Placed,
)

_NEAR_PX = (7.0, 14.0)
_FAR_PX = 40.0
_TRIES = 12
_JITTER_MOST_PX = 3.0
_NEXT, _PREVIOUS = "next_section", "previous_section"
_MIP = Intent("toggle", "mip")


class ColoredDotAnnotator(PlanAnnotator[ColoredDotTracking]):
    """The scripted annotator of colored dot tracking."""

    task_type = ColoredDotTracking
    default_behaviour: ClassVar[Behaviour] = Behaviour(verify=0.17).with_mistakes(0.06)

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self._dots = self.task.world.dots
        self._seen_sections: set[int] = set()
        self._heading = 1
        self._section = 0
        self._checked: tuple[tuple[Placed, ...], list[int]] = ((), [])

    def act(self) -> tuple[int, int]:
        """Look at the screen, and return the next click (x, y)."""
        state: DotState = self.session.state
        if state.section != self._section:
            self._heading = 1 if state.section > self._section else -1
            self._section = state.section
        if not state.mip:
            self._seen_sections.add(state.section)
        return super().act()

    def plan(self, state: DotState) -> Intent:
        """Return what a flawless annotator does next."""
        found = self._found(state.placed)
        if len(state.placed) > len(found):
            return Intent("undo", None, Phase.CORRECT, len(state.placed) - 1)
        following = self._first_missing(found)
        if following is None:
            return Intent("done", None, Phase.FINISH)
        if state.mip:
            return _MIP._replace(position=following)
        dot = self._dots[following]
        if state.section == dot.z:
            at = self.hand.around((dot.x, dot.y), self.behaviour.jitter_px, _JITTER_MOST_PX)
            return Intent("place", self._on_canvas(at), Phase.PLACE, following, fallible=True)
        return self._step(self._direction(state.section, dot.z), following)

    def opening(self, state: DotState) -> Iterator[Intent]:
        """Look at the projection, then through the stack, as far as the strategy has it."""
        if self.hand.chance(0.35 + 0.65 * self.strategy.explore) and self.strategy.explore:
            yield from self._glance()
        if self.strategy.explore >= 0.7:
            while self._now().section + 1 < self.task.sections:
                yield Intent(_NEXT)
        elif self.hand.chance(self.strategy.explore):
            far = self.hand.below(self.task.sections)
            while self._now().section < far:
                yield Intent(_NEXT)

    def aside(self, intent: Intent, state: DotState) -> Iterator[Intent]:
        """Look at the projection, or back at the dot before."""
        position = intent.position or 0
        if position == 0 or self.hand.chance(0.65):
            yield from self._glance()
            return
        here, there = self._dots[position].z, self._dots[position - 1].z
        for z in (there, here):
            while self._now().section != z:
                yield self._step(1 if z > self._now().section else -1, position - 1)

    def onward(self, intent: Intent, state: DotState) -> Iterator[Intent]:
        """Go on towards the next dot for a section or two."""
        following = min((intent.position or 0) + 1, len(self._dots) - 1)
        for _ in range(1 + self.hand.below(2)):
            section = self._now().section
            if section == self._dots[following].z:
                return
            yield self._step(1 if self._dots[following].z > section else -1, following)

    def overshoot(self, intent: Intent, state: DotState) -> Iterator[Intent]:
        """Go one section too far, and come back."""
        ahead = 1 if intent.action == _NEXT else -1
        if intent.action == "toggle" or not 0 <= state.section + 2 * ahead < self.task.sections:
            return
        yield intent._replace(events=OVERSHOOT)
        yield self._step(-ahead, intent.position or 0)._replace(events=CORRECTION)

    def closing(self, state: DotState) -> Iterator[Intent]:
        """Look at the projection with all marks; the careful go through the sections, too."""
        if self.hand.chance(self.strategy.verify):
            yield from self._glance()
        if self.hand.chance(0.6 * self.strategy.verify):
            down = state.section >= self.task.sections // 2
            last = 0 if down else self.task.sections - 1
            while self._now().section != last:
                yield Intent(_PREVIOUS if down else _NEXT)

    def wrong(self, intent: Intent, state: DotState, kind: Mistake) -> Iterator[Intent]:
        """Click beside the dot, far from it, or on another dot."""
        position = intent.position or 0
        dot = self._dots[position]
        if kind is Mistake.WRONG_OBJECT:
            others = [
                other
                for i, other in enumerate(self._dots)
                if i != position and abs(other.z - state.section) <= SECTIONS_OFF
            ]
            spots = [self.hand.choice(others)] if others else []
            ways = [self.hand.around((o.x, o.y), self.behaviour.jitter_px, 3.0) for o in spots]
        elif kind is Mistake.NEAR_MISS:
            ways = [self.hand.ring((dot.x, dot.y), *_NEAR_PX) for _ in range(_TRIES)]
        else:
            height, width = self.task.canvas_hw
            tries = [(self.hand.below(width), self.hand.below(height)) for _ in range(_TRIES)]
            ways = [(x, y) for x, y in tries if (x - dot.x) ** 2 + (y - dot.y) ** 2 >= _FAR_PX**2]
        for x, y in ways:
            if self._on_canvas((x, y)) == (x, y) and not self._is_right(
                position, Placed(state.section, y, x)
            ):
                yield intent._replace(target=(x, y), fallible=False)
                return

    def _glance(self) -> Iterator[Intent]:
        """Switch the projection on and off again."""
        if not self._now().mip:
            yield _MIP
        yield _MIP

    def _now(self) -> DotState:
        state: DotState = self.session.state
        return state

    def _step(self, direction: int, position: int) -> Intent:
        return Intent(_NEXT if direction > 0 else _PREVIOUS, None, Phase.NAVIGATE, position)

    def _direction(self, section: int, wanted: int) -> int:
        """Return where to go: towards a dot that was seen, else on as before.

        The lenient always go on as before: what somebody else has seen, they do not know.
        """
        if not self.behaviour.lenient and self._seen_sections & {wanted - 1, wanted, wanted + 1}:
            return 1 if wanted > section else -1
        at_end = section + 1 == self.task.sections if self._heading > 0 else section == 0
        return -self._heading if at_end else self._heading

    def _found(self, placed: tuple[Placed, ...]) -> list[int]:
        """Return which dots the first placed ones are, as far as they are placed rightly."""
        known, found = self._checked
        if placed is known:
            return found
        found = []
        for spot in placed:
            dot = self._meant(spot, found)
            if dot is None:
                break
            found.append(dot)
        self._checked = (placed, found)
        return found

    def _meant(self, spot: Placed, found: list[int]) -> int | None:
        """Return the dot, of those that may come next, on which a placed one lies."""
        missing = [i for i in range(len(self._dots)) if i not in found]
        due = missing if self.behaviour.lenient else missing[:1]
        return next((i for i in due if self._is_right(i, spot)), None)

    def _first_missing(self, found: list[int]) -> int | None:
        """Return the first dot that is not placed; None where all are."""
        return next((i for i in range(len(self._dots)) if i not in found), None)

    def _is_right(self, i: int, spot: Placed) -> bool:
        dot = self._dots[i]
        off = (spot.y - dot.y) ** 2 + (spot.x - dot.x) ** 2
        return abs(spot.z - dot.z) <= SECTIONS_OFF and off <= RADIUS_PX**2

    def _on_canvas(self, xy: tuple[int, int]) -> tuple[int, int]:
        height, width = self.task.canvas_hw
        return min(max(xy[0], 0), width - 1), min(max(xy[1], 0), height - 1)
