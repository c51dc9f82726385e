"""The plan of shape matching: mark the matches one after the other, take back what is wrong."""

from collections.abc import Callable, Iterable

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.shape_matching import FieldState, ShapeMatching

_WITHIN = 0.4
_BESIDE = 9
_TRIES = 8


class MatchingAnnotator(PlanAnnotator[ShapeMatching]):
    """The scripted annotator of shape matching.

    It goes through the field in reading order, or from each match to the nearest one. Its mistakes
    are objects of another shape near the one it meant, which it takes back (at once, or after the
    next match), and clicks beside an object, which do nothing.
    """

    task_type = ShapeMatching
    default_behaviour = Behaviour(near_miss=0.02, far_miss=0.0, wrong_object=0.07)
    kinds = (Mistake.WRONG_OBJECT, Mistake.NEAR_MISS)

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self.items = self.task.world.items
        self._reads = self.hand.chance(0.5)

    def plan(self, state: FieldState) -> Intent:
        """Return the next right click: Undo of a wrong mark, the next match, Done."""
        marked = state.marked
        if not self.task.wanted.issuperset(marked):
            return Intent("undo", phase=Phase.CORRECT, position=marked[-1])
        missing = [i for i in sorted(self.task.wanted) if i not in marked]
        if not missing:
            return Intent("done", phase=Phase.FINISH)
        nearest = not self._reads and bool(marked)
        index = min(missing, key=self._distance_from(marked[-1])) if nearest else missing[0]
        return Intent("place", self._pixel_on(index), Phase.PLACE, index, fallible=True)

    def wrong(self, intent: Intent, state: FieldState, kind: Mistake) -> Iterable[Intent]:
        """Return a click on an object of another shape, or on the paper beside the right one."""
        index = intent.position
        if index is None:
            return
        if kind is Mistake.WRONG_OBJECT:
            free = set(range(len(self.items))) - self.task.wanted - set(state.marked)
            near = sorted(free, key=self._distance_from(index))[:3]
            if near:
                other = self.hand.choice(near)
                yield Intent("place", self._pixel_on(other), Phase.PLACE, other)
        elif kind is Mistake.NEAR_MISS:
            beside = self._beside(index)
            if beside is not None:
                yield Intent("none", beside, Phase.PLACE, index)

    def onward(self, intent: Intent, state: FieldState) -> Iterable[Intent]:
        """Return the next match, marked before a wrong mark is noticed."""
        if intent.action == "place":
            left = sorted(self.task.wanted - set(state.marked))
            if left:
                yield Intent("place", self._pixel_on(left[0]), Phase.PLACE, left[0])

    def _distance_from(self, index: int) -> Callable[[int], int]:
        origin = self.items[index]

        def distance(other: int) -> int:
            item = self.items[other]
            return (item.x - origin.x) ** 2 + (item.y - origin.y) ** 2

        return distance

    def _pixel_on(self, index: int) -> tuple[int, int]:
        item = self.items[index]
        most = _WITHIN * item.radius
        return self.hand.around((item.x, item.y), 2 * self.behaviour.jitter_px, most)

    def _beside(self, index: int) -> tuple[int, int] | None:
        """Return a pixel of paper near an object, None where others stand all around."""
        item = self.items[index]
        height, width = self.task.canvas_hw
        for _ in range(_TRIES):
            x, y = self.hand.ring((item.x, item.y), item.radius + 2, item.radius + _BESIDE)
            inside = 0 <= x < width and 0 <= y < height
            if inside and self.task.world.item_at(x, y) is None:
                return x, y
        return None
