"""The plan of limb tracking: tab by tab and keypoint by keypoint, then the next frame.

Wrong keypoints are mended first: by Undo while they are the last edit, else by going to their frame
and tab and placing them again. Then the tab in view is completed, then the other tabs of the frame,
then the other frames.
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
from bcannot_core.tasks.animal_limb_tracking import AnimalLimbTracking, LimbState, Point, Pose
from bcannot_core.tasks.frame_steps import PREVIOUS

_NEAR_PX = 2.3


class LimbAnnotator(VideoAnnotator[AnimalLimbTracking, int]):
    """The scripted annotator of limb tracking."""

    task_type = AnimalLimbTracking
    default_behaviour: ClassVar[Behaviour] = Behaviour(
        near_miss=0.045, far_miss=0.012, wrong_object=0.035, verify=0.03, overshoot=0.03,
        notice_late=0.15, jitter_px=0.7,
    )  # fmt: skip
    kinds: ClassVar[tuple[Mistake, ...]] = tuple(Mistake)

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self.anatomy = self.task.anatomy
        self._truth = self.task.points_xy.tolist()

    def _is_right(self, frame: int, k: int, point: Point) -> bool:
        x, y = self._truth[frame][k]
        return bool((point[0] - x) ** 2 + (point[1] - y) ** 2 <= _NEAR_PX * _NEAR_PX)

    def _marks(self, state: LimbState) -> tuple[Pose, ...]:
        return state.poses

    def _last(self, before: LimbState) -> int | None:
        return before.keypoint

    def _assess(self, frame: int, marks: Pose) -> tuple[list[int], list[int]]:
        there = [(k, point) for k, point in enumerate(marks) if point is not None]
        wrong = [k for k, point in there if not self._is_right(frame, k, point)]
        missing = [] if len(there) == len(marks) else [k for k, p in enumerate(marks) if p is None]
        return wrong, missing

    def _repair(self, state: LimbState, wrong: Sequence[int]) -> Intent:
        k = next((k for k in wrong if self.anatomy.tab_of[k] == state.tab), wrong[0])
        tab, position = self.anatomy.tab_of[k], self._position(state.frame, k)
        if tab != state.tab:
            return Intent("tab", f"tab_{tab}", Phase.CORRECT, position)
        if k != state.keypoint:
            item = f"point_{k - self.anatomy.firsts[tab]}"
            return Intent("select", item, Phase.CORRECT, position)
        return self._placement(state, k)

    def _complete(self, state: LimbState, missing: Sequence[int]) -> Intent:
        pose = state.poses[state.frame]
        k = self.task.missing(pose, state.tab)
        if k is None:
            tab = self.anatomy.tab_of[missing[0]]
            return Intent("tab", f"tab_{tab}", Phase.NAVIGATE, tab)
        chosen = state.keypoint
        if chosen is None or pose[chosen] is not None:
            item = f"point_{k - self.anatomy.firsts[state.tab]}"
            return Intent("select", item, Phase.NAVIGATE, self._position(state.frame, k))
        return self._placement(state, chosen)

    def _placement(self, state: LimbState, k: int) -> Intent:
        xy = self._aim(state.frame, k)
        return Intent("place", xy, Phase.PLACE, self._position(state.frame, k), fallible=True)

    def _aim(self, frame: int, k: int) -> Point:
        x, y = self._truth[frame][k]
        return self._on_canvas(self.hand.around((x, y), self.behaviour.jitter_px, 1.9))

    def _position(self, frame: int, item: int) -> int:
        return frame * self.anatomy.count + item

    def wrong(self, intent: Intent, state: LimbState, kind: Mistake) -> Iterable[Intent]:
        """Return a placement beside the joint, far off, at another joint or under a wrong tab."""
        k = state.keypoint
        if k is None:
            return ()
        if kind is Mistake.WRONG_TAB:
            return self._under_wrong_tab(intent, state)
        xy = self._wrong_pixel(state.frame, k, kind)
        if xy is None or self._is_right(state.frame, k, xy) or xy == state.poses[state.frame][k]:
            return ()
        return (intent._replace(target=xy, fallible=False),)

    def _wrong_pixel(self, frame: int, k: int, kind: Mistake) -> Point | None:
        points, anatomy = self._truth[frame], self.anatomy
        if kind is Mistake.NEAR_MISS:
            return self._on_canvas(self.hand.ring(points[k], 4.0, 9.0))
        if kind is Mistake.FAR_MISS:
            return self._on_canvas(self.hand.ring(points[k], 20.0, 60.0))
        tab = anatomy.tab_of[k]
        first, end = anatomy.firsts[tab], anatomy.firsts[tab + 1]
        if kind is Mistake.WRONG_OBJECT:  # a neighbour on the same limb
            others = [j for j in (k - 1, k + 1) if first <= j < end]
        else:  # the same joint of another limb
            others = [
                anatomy.firsts[t] + k - first
                for t, other in enumerate(anatomy.tabs)
                if t != tab and other.names == anatomy.tabs[tab].names
            ]
        if not others:
            return None
        return self._aim(frame, self.hand.choice(others))

    def _under_wrong_tab(self, intent: Intent, state: LimbState) -> Iterator[Intent]:
        """Yield a tab chosen by mistake and this keypoint placed under it."""
        pose, k = state.poses[state.frame], state.keypoint
        if k != self.anatomy.firsts[state.tab]:
            return
        tabs = [t for t in range(len(self.anatomy.tabs)) if t != state.tab]
        tabs = [t for t in tabs if self.task.missing(pose, t) is not None]
        if not tabs or not isinstance(intent.target, tuple):
            return
        tab = self.hand.choice(tabs)
        chosen = self.task.missing(pose, tab)
        if chosen is None or self._is_right(state.frame, chosen, intent.target):
            return
        yield Intent("tab", f"tab_{tab}", Phase.NAVIGATE, tab)
        yield intent._replace(fallible=False)

    def onward(self, intent: Intent, state: LimbState) -> Iterator[Intent]:
        """Yield the next keypoint of the tab, placed rightly, before a mistake is noticed."""
        now: LimbState = self.session.state
        k = now.keypoint
        if k is not None and now.poses[now.frame][k] is None:
            yield Intent("place", self._aim(now.frame, k), Phase.NAVIGATE)

    def opening(self, state: LimbState) -> Iterator[Intent]:
        """Yield a look at the first frames, and the way back."""
        ahead = min(round(self.strategy.explore * 5), self._frames - 1 - state.frame)
        return there_and_back(ahead)

    def closing(self, state: LimbState) -> Iterator[Intent]:
        """Yield a walk back through the frames."""
        for _ in range(min(round(self.strategy.verify * 8), state.frame)):
            yield Intent(PREVIOUS)
