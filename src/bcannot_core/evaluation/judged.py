"""A session whose placements are judged: which of them have to be taken back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bcannot_core.evaluation.lockstep import Seat
from bcannot_core.evaluation.oracle import Oracle, oracle_of
from bcannot_core.session import Outcome, Session

_UNDO = "undo"


@dataclass(frozen=True)
class EpisodeResult:
    """What came of one session.

    Attributes
    ----------
    number, seed : int
        Which one, and the seed of its world.
    steps : int
        Clicks.
    done, stuck : bool
        Whether it was ended by Done, and whether it was cut off because nothing happened.
    placements : int
        Clicks that placed or chose something (the task's edits), undone ones included.
    judged : int
        Those that can be told right from wrong.
    mistakes : int
        Judged ones that the flawless annotator would have mended next.
    mended : int
        How often something wrong was put right.
    undos : int
        Clicks on Undo that took something back.
    distances : tuple of float
        Of judged placements from where the flawless annotator would have placed, canvas pixels.
    score : mapping
        The task's own metrics.
    actions : mapping
        How often it did what.
    """

    number: int
    seed: int
    steps: int
    done: bool
    stuck: bool
    placements: int
    judged: int
    mistakes: int
    mended: int
    undos: int
    score: Mapping[str, Any]
    actions: Mapping[str, int] = field(default_factory=dict)
    distances: tuple[float, ...] = ()


class JudgedSeat(Seat):
    """A session whose placements are judged as it goes on.

    A placement is a mistake where the flawless annotator's next click would mend something, and
    its click before would not have: the same definition for policies and for scripted annotators.
    What is placed on top of a mistake that stands is judged only where things are marked one by
    one (neurons, keypoints, ends of animals): there it is a mistake if the annotator would undo it.

    Parameters
    ----------
    session : Session
        What is worked on.
    limit, patience : int
        As of a seat.
    number, seed : int
        Of the episode.
    """

    def __init__(
        self, session: Session, limit: int, patience: int = 0, *, number: int = 0, seed: int = 0
    ) -> None:
        super().__init__(session, limit, patience)
        self.number, self.seed = number, seed
        self.oracle = oracle_of(session)
        self.faults = 0
        self.placements = self.judged = self.mistakes = self.mended = self.undos = 0
        self._distances: list[float] = []

    def applied(self, outcome: Outcome, *, own: bool) -> None:
        """Judge what a click did."""
        if outcome.state_before is outcome.state_after:
            return
        placed = outcome.action in self.session.task.edit_actions
        self.undos += outcome.action == _UNDO
        self.placements += placed
        if self.oracle is None or self.session.terminated or not (placed or self.faults):
            return
        before, self.faults = self.faults, self.oracle.faults()
        self.mended += max(0, before - self.faults)
        if not placed or (before and not self.oracle.itemwise):
            return
        self.judged += 1
        self.mistakes += self._is_mistake()
        self._measure(outcome, self.oracle)

    def _is_mistake(self) -> bool:
        """Whether what was placed last is wrong."""
        if not self.faults or self.oracle is None:
            return False
        return not self.oracle.itemwise or self.oracle.wanted().action == _UNDO

    def _measure(self, outcome: Outcome, oracle: Oracle) -> None:
        """Note how far a placement is from where it is wanted, if a place is wanted."""
        click = self.session.clicks[-1]
        at = self.session.screen.hit(click.x, click.y).canvas_xy
        if at is None:
            return
        wanted = oracle.wanted(outcome.state_before)
        if wanted.action == outcome.action and isinstance(wanted.target, tuple):
            x, y = wanted.target
            self._distances.append(((at[0] - x) ** 2 + (at[1] - y) ** 2) ** 0.5)

    def result(self) -> EpisodeResult:
        """Return what came of it."""
        task: Any = self.session.task
        return EpisodeResult(
            number=self.number,
            seed=self.seed,
            steps=self.steps,
            done=self.session.terminated,
            stuck=self.stuck,
            placements=self.placements,
            judged=self.judged,
            mistakes=self.mistakes,
            mended=self.mended,
            undos=self.undos,
            score=task.score(self.session.state),
            actions=dict(sorted(self.actions.items())),
            distances=tuple(round(d, 2) for d in self._distances),
        )
