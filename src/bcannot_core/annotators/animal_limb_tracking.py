"""The plan of limb tracking: tab by tab and keypoint by keypoint, then the next frame.

Wrong keypoints are mended first: by Undo while they are the last edit, else by going to their frame
and tab and placing them again. Then the tab in view is completed, then the other tabs of the frame,
then the other frames.
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Flag, Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.animal_limb_tracking import AnimalLimbTracking, LimbState, Point, Pose

_NEAR_PX = 2.3
_NEXT, _PREVIOUS = "next_frame", "previous_frame"


class _Faults(NamedTuple):
    """What is wrong and what is missing in a pose."""

    pose: Pose
    wrong: tuple[int, ...]
    complete: bool


class LimbAnnotator(PlanAnnotator[AnimalLimbTracking]):
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
        self._faults: list[_Faults | None] = [None] * self.task.world.frames

    def _is_right(self, frame: int, k: int, point: Point) -> bool:
        x, y = self._truth[frame][k]
        return bool((point[0] - x) ** 2 + (point[1] - y) ** 2 <= _NEAR_PX * _NEAR_PX)

    def _faults_of(self, frame: int, pose: Pose) -> _Faults:
        known = self._faults[frame]
        if known is None or known.pose is not pose:
            wrong = tuple(
                k
                for k, point in enumerate(pose)
                if point is not None and not self._is_right(frame, k, point)
            )
            known = self._faults[frame] = _Faults(pose, wrong, None not in pose)
        return known

    def plan(self, state: LimbState) -> Intent:
        """Return the next right click."""
        faults = [self._faults_of(f, pose) for f, pose in enumerate(state.poses)]
        wrong = [f for f, fault in enumerate(faults) if fault.wrong]
        if wrong:
            frame = min(wrong, key=lambda f: abs(f - state.frame))
            return self._mend(state, frame, faults[frame].wrong)
        if not faults[state.frame].complete:
            return self._place_next(state)
        open_ = [f for f, fault in enumerate(faults) if not fault.complete]
        if open_:
            return self._towards(state, open_[0], Phase.NAVIGATE)
        return Intent("done", phase=Phase.FINISH)

    def _mend(self, state: LimbState, frame: int, wrong: tuple[int, ...]) -> Intent:
        before = state.before
        if isinstance(before, LimbState):
            k = before.keypoint
            if before.frame == frame and k in wrong:
                position = self._position(frame, k)
                return Intent("undo", phase=Phase.CORRECT, position=position)
        if frame != state.frame:
            return self._towards(state, frame, Phase.CORRECT)
        k = next((k for k in wrong if self.anatomy.tab_of[k] == state.tab), wrong[0])
        tab, position = self.anatomy.tab_of[k], self._position(frame, k)
        if tab != state.tab:
            return Intent("tab", f"tab_{tab}", Phase.CORRECT, position)
        if k != state.keypoint:
            item = f"point_{k - self.anatomy.firsts[tab]}"
            return Intent("select", item, Phase.CORRECT, position)
        return self._placement(state, k)

    def _place_next(self, state: LimbState) -> Intent:
        pose = state.poses[state.frame]
        k = self.task.missing(pose, state.tab)
        if k is None:
            tab = self.anatomy.tab_of[pose.index(None)]
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

    def _towards(self, state: LimbState, frame: int, phase: Phase) -> Intent:
        name = _NEXT if frame > state.frame else _PREVIOUS
        return Intent(name, None, phase, frame)

    def _position(self, frame: int, k: int) -> int:
        """Return the index of a keypoint in the order of the episode."""
        return frame * self.anatomy.count + k

    def _on_canvas(self, xy: Point) -> Point:
        height, width = self.task.canvas_hw
        return min(max(xy[0], 0), width - 1), min(max(xy[1], 0), height - 1)

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
        ahead = min(round(self.strategy.explore * 5), self.task.world.frames - 1 - state.frame)
        for name in [_NEXT] * ahead + [_PREVIOUS] * ahead:
            yield Intent(name)

    def aside(self, intent: Intent, state: LimbState) -> Iterator[Intent]:
        """Yield a look at the frame before, and the way back."""
        if state.frame > 0:
            yield Intent(_PREVIOUS)
            yield Intent(_NEXT)

    def overshoot(self, intent: Intent, state: LimbState) -> Iterator[Intent]:
        """Yield one frame too far and the way back."""
        now: LimbState = self.session.state
        if intent.action == _NEXT and now.frame + 1 < self.task.world.frames:
            yield Intent(_NEXT, events=Flag.OVERSHOOT)
            yield Intent(_PREVIOUS, events=Flag.CORRECTION)

    def closing(self, state: LimbState) -> Iterator[Intent]:
        """Yield a walk back through the frames."""
        for _ in range(min(round(self.strategy.verify * 8), state.frame)):
            yield Intent(_PREVIOUS)
