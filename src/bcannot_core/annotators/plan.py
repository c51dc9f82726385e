"""The plan machinery: right clicks from the state, with mistakes and habits laid over them.

A subclass says what is right next (:meth:`PlanAnnotator.plan`) and what can go wrong
(:meth:`PlanAnnotator.wrong`). Everything else is here: how often mistakes happen, that they are
noticed at once or late, exploration and verification as short scripts, and the labels of every
click. Since the plan follows from the state alone, a mistake is mended because the plan finds it,
whoever made it.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import Enum
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, cast

import numpy as np

from bcannot_core.annotators.base import Annotator
from bcannot_core.annotators.behaviour import STRATEGIES, Behaviour, Hand, Strategy
from bcannot_core.annotators.labels import Flag, Phase, pack_flags
from bcannot_core.errors import TaskError
from bcannot_core.session.session import Session
from bcannot_core.tasks.base import TaskBase

_MOST_IN_A_ROW = 3


class Mistake(Enum):
    """Kinds of mistakes."""

    NEAR_MISS = "near_miss"
    FAR_MISS = "far_miss"
    WRONG_OBJECT = "wrong_object"
    WRONG_CLASS = "wrong_class"
    WRONG_TAB = "wrong_tab"


class Intent(NamedTuple):
    """A click before its pixel is chosen.

    Attributes
    ----------
    action : str
        What it is meant to do, named as in ``info["action"]``; gives the reaction time.
    target : str or tuple of int or None
        A button id, or a canvas pixel (x, y); None for the button whose id is the action.
    phase : Phase
        What the click is for.
    position : int or None
        Index of the object concerned.
    events : Flag
        What is known of it beforehand; mistakes and corrections are added by the machinery.
    fallible : bool
        Whether it is a decision that may go wrong.
    """

    action: str
    target: str | tuple[int, int] | None = None
    phase: Phase = Phase.NAVIGATE
    position: int | None = None
    events: Flag = Flag.NONE
    fallible: bool = False


TaskT = TypeVar("TaskT", bound=TaskBase)


class PlanAnnotator(Annotator, Generic[TaskT]):
    """A scripted annotator that plans from the state.

    Parameters
    ----------
    session : Session
        Where it works; its task is a ``task_type``.
    rng : numpy.random.Generator
        Where all its randomness comes from.
    behaviour : Behaviour
        Its mistakes and habits.

    Attributes
    ----------
    task : TaskBase
        The session's.
    strategy : Strategy
        How it works through this episode.

    Raises
    ------
    TaskError
        The session's task is another one.
    """

    task_type: ClassVar[type[TaskBase]]

    strategies: ClassVar[Sequence[Strategy]] = tuple(STRATEGIES.values())
    kinds: ClassVar[tuple[Mistake, ...]] = (
        Mistake.NEAR_MISS,
        Mistake.FAR_MISS,
        Mistake.WRONG_OBJECT,
    )

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        if not isinstance(session.task, self.task_type):
            raise TaskError(f"{session.task.id} is no {self.task_type.id}: choose its annotator")
        self.task = cast("TaskT", session.task)
        self.strategy = _strategy(self.strategies, behaviour, self.hand)
        self.hand = Hand(rng, _paced(behaviour, self.strategy.pace))
        self._mistake_rate = min(behaviour.mistakes * self.strategy.mistakes, 0.9)
        self._script: Iterator[Intent] | None = None
        self._opened = self._closed = self._repairing = False
        self._in_a_row = 0
        self._clicked: tuple[int, int, int] = (0, -1, -1)

    @abstractmethod
    def plan(self, state: Any) -> Intent:
        """Return the next right click in any state that has not ended.

        What is wrong is mended first (phase ``CORRECT``), then what is missing is placed
        (``PLACE``, fallible), then comes Done (``FINISH``).
        """

    def count_wrong(self, state: Any) -> int | None:
        """Return how many marks are wrong in a state; None where they are not judged one by one."""
        return None

    def wrong(self, intent: Intent, state: Any, kind: Mistake) -> Iterable[Intent]:
        """Return what goes wrong in place of a fallible intent; nothing where it cannot."""
        return ()

    def opening(self, state: Any) -> Iterable[Intent]:
        """Return the exploration before the first decision."""
        return ()

    def aside(self, intent: Intent, state: Any) -> Iterable[Intent]:
        """Return a look at earlier work, and the way back, after a right placement."""
        return ()

    def onward(self, intent: Intent, state: Any) -> Iterable[Intent]:
        """Return how the annotator goes on before it notices the mistake ``intent``."""
        return ()

    def overshoot(self, intent: Intent, state: Any) -> Iterable[Intent]:
        """Return the clicks of going one too far, and back, after a navigation."""
        return ()

    def closing(self, state: Any) -> Iterable[Intent]:
        """Return the verification before Done."""
        return ()

    def act(self) -> tuple[int, int]:
        """Return the next click (x, y) for the session's present state, without applying it."""
        session = self.session
        if session.terminated:
            raise TaskError(f"{session.task.id} has ended: there is nothing left to click")
        self._drop_stale_script()
        intent = None if self._script is None else next(self._script, None)
        if intent is None:
            self._script = None
            intent = self._next(session.state)
        self.action = intent.action
        self.flags = pack_flags(intent.events, intent.phase, intent.position)
        self.ms = self.hand.reaction_ms(intent.action)
        x, y = self._pixel(intent)
        self._clicked = (len(session.clicks) + 1, x, y)
        return x, y

    def _next(self, state: Any) -> Intent:
        """Return what comes next when no script is under way, and begin scripts."""
        if not self._opened:
            self._opened = True
            first = self._begin(self.opening(state), Phase.EXPLORE)
            if first is not None:
                return first
        intent = self.plan(state)
        if intent.phase is Phase.FINISH and not self._closed:
            self._closed = True
            first = self._begin(self.closing(state), Phase.VERIFY, Flag.VERIFY)
            if first is not None:
                return first
        if intent.fallible:
            return self._decide(intent, state)
        if intent.phase is Phase.CORRECT:
            self._repairing = True
        if self._repairing and intent.phase is not Phase.FINISH:
            return intent._replace(events=intent.events | Flag.CORRECTION)
        if intent.phase is Phase.NAVIGATE and self.hand.chance(self.behaviour.overshoot):
            self._script = iter(self.overshoot(intent, state))
        return intent

    def _decide(self, intent: Intent, state: Any) -> Intent:
        """Return a fallible intent, or a mistake in its place."""
        if self._in_a_row < _MOST_IN_A_ROW and self.hand.chance(self._mistake_rate):
            mistake = self._mistaken(intent, state)
            if mistake is not None:
                self._in_a_row += 1
                self._repairing = True
                return mistake
        self._in_a_row = 0
        if self._repairing:
            self._repairing = False
            intent = intent._replace(events=intent.events | Flag.CORRECTION)
        if self.hand.chance(self.behaviour.verify):
            self._script = _labelled(self.aside(intent, state), Phase.VERIFY, Flag.VERIFY)
        return intent

    def _mistaken(self, intent: Intent, state: Any) -> Intent | None:
        """Return the first click of a mistake; None where every kind is impossible here."""
        for kind in self._drawn_kinds():
            steps = iter(self.wrong(intent, state, kind))
            first = next(steps, None)
            if first is None:
                continue
            if self.hand.chance(self.behaviour.notice_late):
                steps = chain(steps, self.onward(first, state))
            self._script = _labelled(steps, None, Flag.MISTAKE)
            return first._replace(events=first.events | Flag.MISTAKE)
        return None

    def _drawn_kinds(self) -> Iterator[Mistake]:
        """Yield the kinds of mistakes, drawn by their rates, without repeating any."""
        habits = self.behaviour
        rates = {Mistake.NEAR_MISS: habits.near_miss, Mistake.FAR_MISS: habits.far_miss}
        others = sum(kind not in rates for kind in self.kinds)
        left = {kind: rates.get(kind, habits.wrong_object / max(others, 1)) for kind in self.kinds}
        if not sum(left.values()):
            left = dict.fromkeys(left, 1.0)
        while left:
            draw = self.hand.uniform() * sum(left.values())
            drawn = list(left)[-1]
            for kind, rate in left.items():
                draw -= rate
                if draw < 0:
                    drawn = kind
                    break
            del left[drawn]
            yield drawn

    def _begin(
        self, script: Iterable[Intent], phase: Phase, events: Flag = Flag.NONE
    ) -> Intent | None:
        """Begin a script; return its first click, None where it has none."""
        steps = _labelled(script, phase, events)
        first = next(steps, None)
        self._script = None if first is None else steps
        return first

    def _drop_stale_script(self) -> None:
        """Forget what was begun when somebody else clicked, or the click did something else."""
        if self._script is None:
            return
        count, x, y = self._clicked
        clicks = self.session.clicks
        ours = len(clicks) == count and count > 0 and clicks[-1][:2] == (x, y)
        if not ours or clicks[-1].action != self.action:
            self._script = None

    def _pixel(self, intent: Intent) -> tuple[int, int]:
        layout = self.session.screen.layout
        target = intent.target
        if isinstance(target, tuple):
            return layout.canvas.x + target[0], layout.canvas.y + target[1]
        return self.hand.on_button(layout.buttons[intent.action if target is None else target])


@lru_cache(maxsize=64)
def _paced(behaviour: Behaviour, pace: float) -> Behaviour:
    """Return a behaviour so many times as slow."""
    return replace(behaviour, pace=behaviour.pace * pace)


def _strategy(strategies: Sequence[Strategy], behaviour: Behaviour, hand: Hand) -> Strategy:
    """Return the behaviour's own strategy, or one drawn by shares.

    The behaviour's rates and pace are those of its own strategy already.
    """
    if behaviour.strategy:
        named = next((s for s in strategies if s.name == behaviour.strategy), None)
        return replace(named or STRATEGIES[behaviour.strategy], mistakes=1.0, pace=1.0)
    draw = hand.uniform() * sum(strategy.share for strategy in strategies)
    for strategy in strategies:
        draw -= strategy.share
        if draw < 0:
            return strategy
    return strategies[-1]


def _labelled(script: Iterable[Intent], phase: Phase | None, events: Flag) -> Iterator[Intent]:
    """Yield the clicks of a script, with the events and in place of navigation the phase."""
    for intent in script:
        plain = phase is not None and intent.phase is Phase.NAVIGATE
        yield intent._replace(
            phase=phase if plain and phase is not None else intent.phase,
            events=intent.events | events,
        )
