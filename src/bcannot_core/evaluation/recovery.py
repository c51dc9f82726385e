"""Forced mistakes in any task: the annotator's own wrong clicks are made in the policy's place.

What the policy does next is looked at: does it take them back, as the flawless annotator would?
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from bcannot_core.annotators import Intent, make_annotator
from bcannot_core.evaluation.actors import Click
from bcannot_core.evaluation.intervals import mean_interval
from bcannot_core.evaluation.lockstep import Seat
from bcannot_core.evaluation.oracle import oracle_of
from bcannot_core.session import Outcome, Session

MENDED_WITHIN = 10
"""So many clicks a policy has to put a forced mistake right."""


class ForcedSeat(Seat):
    """A session in which one mistake is forced on the policy.

    After a drawn number of placements, at the next decision, a wrong click of the scripted
    annotator is made in its place (all of them where a mistake takes several). The session is over
    when the mistake is mended or ``MENDED_WITHIN`` clicks are made. Until the mistake the scripted
    annotator works and the policy looks on, so that it comes about in every world, however good
    the policy is; or the policy works itself.

    Parameters
    ----------
    session : Session
        What is worked on.
    limit : int
        As of a seat.
    after : int
        How many placements are made before.
    rng : numpy.random.Generator
        Draws the kind of mistake.
    own_history : bool
        Whether the policy works until the mistake.

    Attributes
    ----------
    forced : bool
        Whether a mistake was made that something has to be done about.
    answer : str
        What the policy did next; empty before.
    right : bool
        Whether that took it back or mended it: Undo, what the flawless annotator would have done,
        or anything after which nothing is wrong.
    mended : bool
        Whether nothing was wrong any more in time.
    """

    def __init__(
        self,
        session: Session,
        limit: int,
        after: int,
        rng: np.random.Generator,
        *,
        own_history: bool = False,
    ) -> None:
        super().__init__(session, limit)
        self.forced = self.right = self.mended = False
        self.answer = ""
        self._rng, self._after = rng, after
        self._oracle = oracle_of(session)
        self._script: Iterator[Intent] | None = None
        self._expected: tuple[str, str] = ("", "")
        self._placements = self._since = 0
        self._closed = self._oracle is None
        self._guide = None if own_history or self._closed else make_annotator(session, rng)

    @property
    def over(self) -> bool:
        """Whether the session has ended or the question is answered."""
        answered = self.mended or self._since >= MENDED_WITHIN
        return self._closed or super().over or answered

    def override(self) -> Click | None:
        """Return the next wrong click, None for the policy's turn."""
        if self.forced or self._oracle is None:
            return None
        if self._script is None:
            if self._placements >= self._after:
                self._script = self._mistake()
            if self._script is None:
                return None if self._guide is None else self._guide.act()
        intent = next(self._script, None)
        if intent is not None:
            return self._pixel(intent)
        self._begin_watch()
        return None if self.forced or self._guide is None else self._guide.act()

    def applied(self, outcome: Outcome, *, own: bool) -> None:
        """Count placements, and after the mistake see what becomes of it."""
        if not self.forced:
            changed = outcome.state_before is not outcome.state_after
            self._placements += changed and outcome.action in self.session.task.edit_actions
            return
        self._since += 1
        self.mended = not (self.session.terminated or self._oracle is None or self._oracle.mends())
        if not self.answer:
            self.answer = outcome.action
            expected = self._meaning(outcome.state_before) == self._expected
            self.right = expected or self.mended or outcome.action == "undo"

    def _begin_watch(self) -> None:
        """See what the flawless annotator would do about it; was it harmless, try again later."""
        assert self._oracle is not None
        self._script = None
        if self.session.terminated or not self._oracle.mends():
            return
        wanted = self._oracle.wanted()
        target = wanted.target if isinstance(wanted.target, str) else ""
        self._expected = (wanted.action, "" if target == wanted.action else target)
        self.forced = True

    def _mistake(self) -> Iterator[Intent] | None:
        """Return the wrong clicks of a drawn kind, None where there is nothing to do wrong now."""
        assert self._oracle is not None
        annotator: Any = self._oracle.annotator if self._guide is None else self._guide
        state = self.session.state
        if self._oracle.mends():
            return None
        intent = annotator.plan(state)
        edits = self.session.task.edit_actions
        if not getattr(intent, "fallible", False) or intent.action not in edits:
            return None
        kinds = list(annotator.kinds)
        for index in self._rng.permutation(len(kinds)):
            steps = iter(annotator.wrong(intent, state, kinds[int(index)]))
            first = next(steps, None)
            if first is not None and first.action in edits:
                return chain((first,), steps)
        return None

    def _pixel(self, intent: Intent) -> Click:
        layout = self.session.screen.layout
        if isinstance(intent.target, tuple):
            return layout.canvas.x + intent.target[0], layout.canvas.y + intent.target[1]
        return layout.buttons[intent.target or intent.action].centre

    def _meaning(self, state: Any) -> tuple[str, str]:
        """Return what the last click meant in the state it was made in."""
        click = self.session.clicks[-1]
        hit = self.session.screen.hit(click.x, click.y)
        action = self.session.task.action_for(hit, state)
        return action.name, "" if action.target == action.name else action.target


def recovery_report(seats: Sequence[ForcedSeat], seed: int = 0) -> dict[str, Any]:
    """Return what became of forced mistakes.

    Returns
    -------
    dict
        ``episodes`` in which one was made, ``undo_rate`` (the next click took it back or mended
        it, as the flawless annotator would have done) with its interval, ``mended_rate`` (put
        right within ten clicks), and ``answers``: how often the next click did what.
    """
    made = [seat for seat in seats if seat.forced and seat.answer]
    answers = Counter(seat.answer for seat in made)
    right = [float(seat.right) for seat in made]
    mended = [float(seat.mended) for seat in made]
    return {
        "episodes": len(made),
        "undo_rate": round(float(np.mean(right)), 4) if made else None,
        "undo_rate_interval_95": mean_interval(right, seed) if made else None,
        "mended_rate": round(float(np.mean(mended)), 4) if made else None,
        "answers": dict(sorted(answers.items())),
    }
