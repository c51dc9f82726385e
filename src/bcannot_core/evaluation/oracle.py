"""The flawless annotator as a judge: what is right next, and whether something needs mending."""

from dataclasses import replace
from typing import Any, NamedTuple

from bcannot_core.annotators import BEHAVIOURS, Flag, Phase, PlanAnnotator, make_annotator
from bcannot_core.errors import TaskError
from bcannot_core.session import Session


class Wanted(NamedTuple):
    """What the flawless annotator would do in a state.

    Attributes
    ----------
    action : str
        Named as in ``info["action"]``.
    target : str or tuple of int or None
        Button id or canvas pixel (x, y); None for the button of the action's name.
    mends : bool
        Whether it takes back or mends something wrong.
    fallible : bool
        Whether it is a decision in which a mistake can be made.
    """

    action: str
    target: str | tuple[int, int] | None
    mends: bool
    fallible: bool


class Oracle:
    """The flawless annotator of a session, without jitter; it never clicks.

    Parameters
    ----------
    session : Session
        Whose states are judged.

    Raises
    ------
    TaskError
        The task has no annotator that plans from states, or its world no ground truth.
    """

    def __init__(self, session: Session) -> None:
        behaviour = replace(BEHAVIOURS["flawless"], jitter_px=0.0)
        self.annotator: Any = make_annotator(session, 0, behaviour)
        if not hasattr(self.annotator, "plan"):
            raise TaskError(f"the annotator of {session.task.id!r} does not plan from states")
        self.session = session

    def wanted(self, state: Any = None) -> Wanted:
        """Return what is right next in a state that has not ended; by default the present one."""
        intent = self.annotator.plan(self.session.state if state is None else state)
        flags = getattr(intent, "flags", None)
        if flags is not None:  # of tracing: what is aimed at is where in the volume
            return Wanted(intent.action, None, bool(flags & Flag.CORRECTION), False)
        return Wanted(intent.action, intent.target, intent.phase is Phase.CORRECT, intent.fallible)

    @property
    def itemwise(self) -> bool:
        """Whether every placement can be judged apart from the others that stand."""
        return self._count(self.session.state) is not None

    def faults(self, state: Any = None) -> int:
        """Return how many things are wrong in a state; 1 for any where they cannot be counted."""
        shown = self.session.state if state is None else state
        if self.session.task.terminated(shown):
            return 0
        mends = self.wanted(shown).mends
        count = self._count(shown)
        return int(mends) if count is None else count

    def _count(self, state: Any) -> int | None:
        plans = isinstance(self.annotator, PlanAnnotator)
        return self.annotator.count_wrong(state) if plans else None

    def mends(self, state: Any = None) -> bool:
        """Whether something is wrong in a state, so that it has to be mended."""
        return self.faults(state) > 0


def oracle_of(session: Session) -> Oracle | None:
    """Return the judge of a session, None where the task has none."""
    from bcannot_core.evaluation.plume_oracle import PlumeOracle

    kind = PlumeOracle if session.task.id == "spectral_plume" else Oracle
    try:
        return kind(session)
    except TaskError:
        return None
