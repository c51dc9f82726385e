"""The plan of behavioural tracking: frame by frame and animal by animal, its front, then its back.

Numbers go to the animals from left to right in the first frame. Where somebody marked animals
before, each number stays with the animal that most of its marks are on. Wrong marks are mended
first: by Undo while they are the last edit, else by selecting animal and tab and marking again.
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Flag, Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.animal_behavior_tracking import (
    TABS,
    AnimalBehaviorTracking,
    BehaviorState,
    Marks,
    Point,
)  # fmt: skip
from bcannot_core.tasks.behavior_score import marks_array, owners

_NEAR_PX = 3.0
_NEXT, _PREVIOUS = "next_frame", "previous_frame"
_Mark = tuple[int, int]  # number and end


class _Faults(NamedTuple):
    """What is wrong and what is missing in a frame, for one pairing of numbers and animals."""

    marks: Marks
    owners: tuple[int, ...]
    wrong: tuple[_Mark, ...]
    missing: tuple[_Mark, ...]


class BehaviorAnnotator(PlanAnnotator[AnimalBehaviorTracking]):
    """The scripted annotator of behavioural tracking."""

    task_type = AnimalBehaviorTracking
    default_behaviour: ClassVar[Behaviour] = Behaviour(
        near_miss=0.04, far_miss=0.015, wrong_object=0.04, verify=0.14, overshoot=0.1,
        notice_late=0.3, jitter_px=0.9,
    )  # fmt: skip
    kinds: ClassVar[tuple[Mistake, ...]] = tuple(Mistake)

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self._frames = self.task.world.frames
        self._truth = self.task.world.ends_xy.tolist()
        self._owners: tuple[int, ...] = ()
        self._faults: list[_Faults | None] = [None] * self._frames

    def _pair(self, state: BehaviorState) -> None:
        """Find out which animal each number stands for, anew when somebody else has clicked.

        The annotator's own wrong marks leave the numbers as they are.
        """
        clicks = self.session.clicks
        ours = bool(clicks) and (len(clicks), *clicks[-1][:2]) == self._clicked
        if ours and self._owners:
            return
        placed = marks_array(state.marks)
        self._owners = tuple(int(a) for a in owners(placed, self.task.world.ends_xy))

    def _is_right(self, frame: int, mark: _Mark, point: Point) -> bool:
        x, y = self._truth[frame][self._owners[mark[0]]][mark[1]]
        return bool((point[0] - x) ** 2 + (point[1] - y) ** 2 <= _NEAR_PX * _NEAR_PX)

    def _faults_of(self, frame: int, marks: Marks) -> _Faults:
        known = self._faults[frame]
        if known is None or known.marks is not marks or known.owners != self._owners:
            wrong, missing = [], []
            for number, ends in enumerate(marks):
                for end, point in enumerate(ends):
                    if point is None:
                        missing.append((number, end))
                    elif not self._is_right(frame, (number, end), point):
                        wrong.append((number, end))
            known = _Faults(marks, self._owners, tuple(wrong), tuple(missing))
            self._faults[frame] = known
        return known

    def plan(self, state: BehaviorState) -> Intent:
        """Return the next right click."""
        self._pair(state)
        faults = [self._faults_of(f, marks) for f, marks in enumerate(state.marks)]
        wrong = [f for f, fault in enumerate(faults) if fault.wrong]
        if wrong:
            frame = min(wrong, key=lambda f: abs(f - state.frame))
            return self._mend(state, frame, faults[frame].wrong)
        open_ = [f for f, fault in enumerate(faults) if fault.missing]
        if not open_:
            return Intent("done", phase=Phase.FINISH)
        if not faults[state.frame].missing:
            return self._towards(state, open_[0], Phase.NAVIGATE)
        missing = faults[state.frame].missing
        mark = next((m for m in missing if m[0] == state.animal), missing[0])
        return self._set(state, mark, Phase.NAVIGATE)

    def _mend(self, state: BehaviorState, frame: int, wrong: tuple[_Mark, ...]) -> Intent:
        before = state.before
        if isinstance(before, BehaviorState) and before.animal is not None:
            mark = (before.animal, before.end)
            if before.frame == frame and mark in wrong:
                position = self._position(frame, mark)
                return Intent("undo", phase=Phase.CORRECT, position=position)
        if frame != state.frame:
            return self._towards(state, frame, Phase.CORRECT)
        mark = next((m for m in wrong if m[0] == state.animal), wrong[0])
        return self._set(state, mark, Phase.CORRECT)

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

    def _towards(self, state: BehaviorState, frame: int, phase: Phase) -> Intent:
        return Intent(_NEXT if frame > state.frame else _PREVIOUS, None, phase, frame)

    def _position(self, frame: int, mark: _Mark) -> int:
        """Return the index of a mark in the order of the episode."""
        return 2 * (frame * self.task.world.animals + mark[0]) + mark[1]

    def _on_canvas(self, xy: Point) -> Point:
        height, width = self.task.canvas_hw
        return min(max(xy[0], 0), width - 1), min(max(xy[1], 0), height - 1)

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
        ahead = min(ahead, self._frames - 1 - state.frame)
        for name in [_NEXT] * ahead + [_PREVIOUS] * ahead:
            yield Intent(name)

    def aside(self, intent: Intent, state: BehaviorState) -> Iterator[Intent]:
        """Yield a look at the frame before, and the way back."""
        if state.frame > 0:
            yield Intent(_PREVIOUS)
            yield Intent(_NEXT)

    def overshoot(self, intent: Intent, state: BehaviorState) -> Iterator[Intent]:
        """Yield one frame too far and the way back."""
        now: BehaviorState = self.session.state
        if intent.action == _NEXT and now.frame + 1 < self._frames:
            yield Intent(_NEXT, events=Flag.OVERSHOOT)
            yield Intent(_PREVIOUS, events=Flag.CORRECTION)

    def closing(self, state: BehaviorState) -> Iterator[Intent]:
        """Yield a walk back through the frames, and forth again where there is time."""
        back = min(round(self.strategy.verify * (self._frames - 1)), state.frame)
        for _ in range(back):
            yield Intent(_PREVIOUS)
        if self.strategy.verify > 0.5:
            for _ in range(back):
                yield Intent(_NEXT)
