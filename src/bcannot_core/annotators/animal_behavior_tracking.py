"""The plan of behavioural tracking: frame by frame and animal by animal, its front, then its back.

Numbers go to the animals from left to right in the first frame. Where somebody marked animals
before, each number stays with the animal that most of its marks are on. Wrong marks are mended
first: by Undo while they are the last edit, else by selecting animal and tab and marking again.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Phase
from bcannot_core.annotators.plan import Intent, Mistake
from bcannot_core.annotators.stepping import there_and_back
from bcannot_core.annotators.video import VideoAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.animal_behavior_tracking import (
    TABS,
    AnimalBehaviorTracking,
    BehaviorState,
    Marks,
    Point,
)  # fmt: skip
from bcannot_core.tasks.behavior_score import marks_array, owners
from bcannot_core.tasks.frame_steps import NEXT, PREVIOUS

_NEAR_PX = 3.0
_Mark = tuple[int, int]  # number and end


class BehaviorAnnotator(VideoAnnotator[AnimalBehaviorTracking, _Mark]):
    """The scripted annotator of behavioural tracking."""

    task_type = AnimalBehaviorTracking
    default_behaviour: ClassVar[Behaviour] = Behaviour(
        near_miss=0.04, far_miss=0.015, wrong_object=0.04, verify=0.14, overshoot=0.1,
        notice_late=0.3, jitter_px=0.9,
    )  # fmt: skip
    kinds: ClassVar[tuple[Mistake, ...]] = tuple(Mistake)

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self._truth = self.task.world.ends_xy.tolist()
        self._owners: tuple[int, ...] = ()

    def _pair(self, state: BehaviorState) -> None:
        """Find out which animal each number stands for, anew when somebody else has clicked.

        The annotator's own wrong marks leave the numbers as they are.
        """
        clicks = self.session.clicks
        ours = bool(clicks) and (len(clicks), *clicks[-1][:2]) == self._clicked
        if ours and self._owners:
            return
        placed = marks_array(state.marks)
        found = tuple(int(a) for a in owners(placed, self.task.world.ends_xy))
        if found != self._owners:
            self._owners = found
            self._faults.forget()

    def count_wrong(self, state: BehaviorState) -> int:
        """Return how many marks are wrong in a state."""
        self._pair(state)
        return super().count_wrong(state)

    def _is_right(self, frame: int, mark: _Mark, point: Point) -> bool:
        x, y = self._truth[frame][self._owners[mark[0]]][mark[1]]
        return bool((point[0] - x) ** 2 + (point[1] - y) ** 2 <= _NEAR_PX * _NEAR_PX)

    def _marks(self, state: BehaviorState) -> tuple[Marks, ...]:
        return state.marks

    def _last(self, before: BehaviorState) -> _Mark | None:
        return None if before.animal is None else (before.animal, before.end)

    def _assess(self, frame: int, marks: Marks) -> tuple[list[_Mark], list[_Mark]]:
        wrong, missing = [], []
        for number, ends in enumerate(marks):
            for end, point in enumerate(ends):
                if point is None:
                    missing.append((number, end))
                elif not self._is_right(frame, (number, end), point):
                    wrong.append((number, end))
        return wrong, missing

    def plan(self, state: BehaviorState) -> Intent:
        """Return the next right click."""
        self._pair(state)
        return super().plan(state)

    def _repair(self, state: BehaviorState, wrong: Sequence[_Mark]) -> Intent:
        return self._set(state, _of_selected(state, wrong), Phase.CORRECT)

    def _complete(self, state: BehaviorState, missing: Sequence[_Mark]) -> Intent:
        return self._set(state, _of_selected(state, missing), Phase.NAVIGATE)

    def _set(self, state: BehaviorState, mark: _Mark, phase: Phase) -> Intent:
        """Return the next click towards a mark in this frame: select, choose the tab, place."""
        number, end = mark
        position = self._position(state.frame, mark)
        if number != state.animal:
            return Intent("select", f"animal_{number}", phase, position)
        if end != state.end:
            return Intent("tab", TABS[end], phase, position)
        xy = self._aim(state.frame, self._owners[number], end)
        return Intent("place", xy, Phase.PLACE, position, fallible=True)

    def _aim(self, frame: int, animal: int, end: int) -> Point:
        x, y = self._truth[frame][animal][end]
        return self._on_canvas(self.hand.around((x, y), self.behaviour.jitter_px, 2.6))

    def _position(self, frame: int, item: _Mark) -> int:
        return 2 * (frame * self.task.world.animals + item[0]) + item[1]

    def wrong(self, intent: Intent, state: BehaviorState, kind: Mistake) -> Iterable[Intent]:
        """Return a mark beside the end, far off, on another animal or on the other end."""
        number = state.animal
        if number is None:
            return ()
        if kind is Mistake.WRONG_TAB:
            return self._under_wrong_tab(intent, state)
        animal = self._owners[number]
        point = self._truth[state.frame][animal][state.end]
        if kind is Mistake.NEAR_MISS:
            xy = self._on_canvas(self.hand.ring(point, 6.0, 11.0))
        elif kind is Mistake.FAR_MISS:
            xy = self._on_canvas(self.hand.ring(point, 22.0, 70.0))
        elif kind is Mistake.WRONG_OBJECT:
            others = [a for a in self._owners if a != animal]
            xy = self._aim(state.frame, self.hand.choice(others), state.end)
        else:
            xy = self._aim(state.frame, animal, 1 - state.end)
        present = state.marks[state.frame][number][state.end]
        if xy == present or self._is_right(state.frame, (number, state.end), xy):
            return ()
        return (intent._replace(target=xy, fallible=False),)

    def _under_wrong_tab(self, intent: Intent, state: BehaviorState) -> Iterator[Intent]:
        """Yield the other tab, chosen by mistake, and this mark set under it."""
        number, end = state.animal, 1 - state.end
        if number is None or not isinstance(intent.target, tuple):
            return
        if state.marks[state.frame][number][end] is not None:
            return
        if self._is_right(state.frame, (number, end), intent.target):
            return
        yield Intent("tab", TABS[end], Phase.NAVIGATE, intent.position)
        yield intent._replace(fallible=False)

    def onward(self, intent: Intent, state: BehaviorState) -> Iterator[Intent]:
        """Yield the other tab or the next animal, before a mistake is noticed."""
        now: BehaviorState = self.session.state
        if now.end == 0:
            yield Intent("tab", TABS[1])
        elif now.animal is not None and now.animal + 1 < self.task.world.animals:
            yield Intent("select", f"animal_{now.animal + 1}")

    def opening(self, state: BehaviorState) -> Iterator[Intent]:
        """Yield a look at the video and the way back, to see who goes where."""
        degree = self.strategy.explore
        ahead = round((0.4 + 0.6 * degree) * (self._frames - 1)) if degree else 0
        return there_and_back(min(ahead, self._frames - 1 - state.frame))

    def closing(self, state: BehaviorState) -> Iterator[Intent]:
        """Yield a walk back through the frames, and forth again where there is time."""
        back = min(round(self.strategy.verify * (self._frames - 1)), state.frame)
        for _ in range(back):
            yield Intent(PREVIOUS)
        if self.strategy.verify > 0.5:
            for _ in range(back):
                yield Intent(NEXT)


def _of_selected(state: BehaviorState, marks: Sequence[_Mark]) -> _Mark:
    """Return the first mark of the selected animal, of any where it has none."""
    return next((mark for mark in marks if mark[0] == state.animal), marks[0])
