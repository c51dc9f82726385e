"""The plan of 3D exploration: a few turns about both axes, then the class, then Done."""

from collections.abc import Iterable

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.exploration_3d import Exploration3D, ObjectState
from bcannot_core.tasks.worlds.exploration_3d import SHAPES

_LEAST, _SPREAD = 2, 4
_UNDOES = 0.6
_DECEIVED = 0.7
_OPPOSITE = {
    "turn_left": "turn_right",
    "turn_right": "turn_left",
    "turn_up": "turn_down",
    "turn_down": "turn_up",
}


class ExplorationAnnotator(PlanAnnotator[Exploration3D]):
    """The scripted annotator of 3D exploration.

    It turns the object about one axis, then about the other (a flat object seen from its edge
    stays a line about one of them), and on as its strategy demands: 2 to 6 turns. Its mistakes are
    wrong classes, most often the one that the first view resembles; it takes them back, or chooses
    again.
    """

    task_type = Exploration3D
    kinds = (Mistake.WRONG_CLASS,)

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self.world = self.task.world
        self._turns = _LEAST + round(_SPREAD * self.strategy.explore)
        sideways = self.hand.choice(("turn_left", "turn_right"))
        upright = self.hand.choice(("turn_up", "turn_down"))
        both = (sideways, upright) if self.hand.chance(0.6) else (upright, sideways)
        more = [self.hand.choice(both) for _ in range(_SPREAD)]
        self._course = (*both, *more)
        self._undoes = self.hand.chance(_UNDOES)

    def plan(self, state: ObjectState) -> Intent:
        """Return the next right click: turn, choose, Done; a wrong choice is taken back first."""
        shape = self.world.shape
        if state.chosen == shape:
            return Intent("done", phase=Phase.FINISH)
        if state.chosen:
            if self._undoes and state.can_undo:
                return Intent("undo", phase=Phase.CORRECT, position=0)
            return Intent("select", shape, Phase.CORRECT, 0)
        if state.turns < self._turns:
            turn = self._course[state.turns % len(self._course)]
            return Intent("rotate", turn, Phase.EXPLORE, 0)
        return Intent("select", shape, Phase.PLACE, 0, fallible=True)

    def wrong(self, intent: Intent, state: ObjectState, kind: Mistake) -> Iterable[Intent]:
        """Return a wrong class: mostly the one that the first view resembles."""
        others = [shape for shape in SHAPES if shape != self.world.shape]
        shape = self.world.twin if self.hand.chance(_DECEIVED) else self.hand.choice(others)
        yield intent._replace(target=shape)

    def onward(self, intent: Intent, state: ObjectState) -> Iterable[Intent]:
        """Return another look before a wrong class is noticed."""
        yield Intent("rotate", self.hand.choice(self._course), Phase.VERIFY, 0)

    def closing(self, state: ObjectState) -> Iterable[Intent]:
        """Return a last look from another side, and back."""
        if self.hand.chance(0.5 * self.strategy.verify):
            turn = self.hand.choice(self._course)
            yield Intent("rotate", turn, Phase.VERIFY, 0)
            if self.hand.chance(0.5):
                yield Intent("rotate", _OPPOSITE[turn], Phase.VERIFY, 0)
