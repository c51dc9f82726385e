"""What the annotators of videos of animals share."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Phase
from bcannot_core.annotators.plan import Intent, PlanAnnotator
from bcannot_core.annotators.stepping import (
    Faults,
    Point,
    glance_back,
    on_canvas,
    one_too_far,
    towards,
)
from bcannot_core.session.session import Session
from bcannot_core.tasks.frame_steps import NEXT
from bcannot_core.tasks.marked_frames import VideoTask

TaskT = TypeVar("TaskT", bound=VideoTask)
Item = TypeVar("Item")


class VideoAnnotator(PlanAnnotator[TaskT], Generic[TaskT, Item]):
    """Mends what is wrong, completes the frame in view, then goes on to the next open one."""

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self._frames: int = self.task.world.frames
        self._faults: Faults[Item] = Faults(self._frames, self._assess)

    @abstractmethod
    def _assess(self, frame: int, marks: Any) -> tuple[Sequence[Item], Sequence[Item]]:
        """Return what is wrong and what is missing in a frame."""

    @abstractmethod
    def _marks(self, state: Any) -> Sequence[Any]:
        """Return the marks of all frames."""

    @abstractmethod
    def _last(self, before: Any) -> Item | None:
        """Return what was placed in the state before the last edit, None for nothing."""

    @abstractmethod
    def _position(self, frame: int, item: Item) -> int:
        """Return the index of a mark in the order of the episode."""

    @abstractmethod
    def _repair(self, state: Any, wrong: Sequence[Item]) -> Intent:
        """Return the next click towards mending something wrong in the frame in view."""

    @abstractmethod
    def _complete(self, state: Any, missing: Sequence[Item]) -> Intent:
        """Return the next click towards something missing in the frame in view."""

    def plan(self, state: Any) -> Intent:
        """Return the next right click."""
        faults = self._faults
        faults.update(self._marks(state))
        frame = faults.nearest_wrong(state.frame)
        if frame is not None:
            return self._mend(state, frame, faults.wrong[frame])
        if state.frame in faults.missing:
            return self._complete(state, faults.missing[state.frame])
        if faults.missing:
            open_ = min(faults.missing)
            return towards(state.frame, open_, Phase.NAVIGATE, open_)
        return Intent("done", phase=Phase.FINISH)

    def count_wrong(self, state: Any) -> int:
        """Return how many marks are wrong in a state."""
        return self._faults.count(self._marks(state))

    def _mend(self, state: Any, frame: int, wrong: Sequence[Item]) -> Intent:
        if state.before is not None and state.before.frame == frame:
            last = self._last(state.before)
            if last is not None and last in wrong:
                return Intent("undo", phase=Phase.CORRECT, position=self._position(frame, last))
        if frame != state.frame:
            return towards(state.frame, frame, Phase.CORRECT, frame)
        return self._repair(state, wrong)

    def _on_canvas(self, xy: Point) -> Point:
        return on_canvas(xy, self.task.canvas_hw)

    def aside(self, intent: Intent, state: Any) -> Iterator[Intent]:
        """Yield a look at the frame before, and the way back."""
        if state.frame > 0:
            yield from glance_back()

    def overshoot(self, intent: Intent, state: Any) -> Iterator[Intent]:
        """Yield one frame too far and the way back."""
        if intent.action == NEXT and self.session.state.frame + 1 < self._frames:
            yield from one_too_far(NEXT)
