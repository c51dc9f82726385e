"""Learning from the policy's own sessions: it plays, the scripted annotator says what was right.

In a session the annotator clicks in the policy's place with a chance β (Ross, Gordon and Bagnell,
A Reduction of Imitation Learning and Structured Prediction to No-Regret Online Learning, 2011), and
where the policy has left a mistake as it is for too long: until that is mended, every right click
would be Undo. The sessions are stored as clicks like any others. When windows are cut from them,
the lenient annotator is asked at every step, so that its corrections of the policy's mistakes are
the labels: the first chance to mend a mistake is learnt, not those that follow while it is left.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bcannot_core.annotators import make_annotator
from bcannot_core.annotators.behaviour import LENIENT
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.policy.frames.policy import BatchPolicy
from bcannot_core.training.frames.opened import ORACLE
from bcannot_core.training.frames.recipe import DaggerRecipe
from bcannot_core.training.frames.sources import LiveEpisodes, Pick

_STREAM = 17  # this stream of randomness
_PATIENCE = 12


@dataclass(frozen=True)
class PlayOptions:
    """How sessions are played.

    Attributes
    ----------
    beta : float
        Chance that the annotator clicks; 0 for the policy alone.
    limit : int
        Most steps of a session; one in which nothing has happened for 12 clicks ends, too.
    patience : int
        Clicks in a row by which the policy may leave a mistake as it is.
    """

    beta: float
    limit: int
    patience: int

    @classmethod
    def of_round(cls, recipe: DaggerRecipe, number: int) -> "PlayOptions":
        """Return the options of a round, counted from 0: the annotator helps less and less."""
        return cls(recipe.beta ** (number + 1), recipe.limit, recipe.patience)


class _Seat:
    """A session on its way in one row of the policy."""

    def __init__(self, tasks: LiveEpisodes, pick: Pick, options: PlayOptions) -> None:
        self.seed, self._options = pick.number, options
        self._rng = np.random.default_rng((pick.number, _STREAM))
        self.session = tasks.begin(pick, self._rng)
        self._oracle = make_annotator(self.session, self._rng, LENIENT)
        self._idle = self._left = 0

    @property
    def over(self) -> bool:
        """Whether the session has ended, or is cut off."""
        clicks = len(self.session.clicks)
        return self.session.terminated or clicks >= self._options.limit or self._idle >= _PATIENCE

    def click(self, proposed: tuple[int, int]) -> tuple[int, int]:
        """Make the policy's click, or the annotator's; return it."""
        oracle, options = self._oracle, self._options
        right, actor, flags = oracle.act(), "policy", 0
        impatient = oracle.mends and self._left >= options.patience
        if self._rng.random() < options.beta or impatient:
            proposed, actor, flags = right, "annotator", int(oracle.flags)
        outcome = self.session.apply(proposed, actor, flags)
        if not oracle.mends:
            self._left = 0
        elif outcome.action != oracle.action:
            self._left += 1
        idle = outcome.state_before is outcome.state_after
        self._idle = self._idle + 1 if idle else 0
        return proposed

    def episode(self) -> Episode:
        """Return the session, to be labelled by the lenient annotator when it is learnt from."""
        success = bool(self.session.task.score(self.session.state)["success"])  # type: ignore[attr-defined]
        meta = {"labels": ORACLE, "beta": self._options.beta, "success": success}
        return episode_of(self.session, meta, seed=self.seed)


def play(
    policy: BatchPolicy, tasks: LiveEpisodes, episodes: int, seed: int, options: PlayOptions
) -> Iterator[Episode]:
    """Let a policy and the scripted annotator play sessions, several at once.

    Parameters
    ----------
    policy : BatchPolicy
        The policy; as many sessions are under way as it has rows.
    tasks : LiveEpisodes
        What is played, by its weights.
    episodes : int
        How many sessions.
    seed : int
        Decides worlds and whose turn it is.
    options : PlayOptions
        How.

    Yields
    ------
    Episode
        In the order in which they end.
    """
    rng = np.random.default_rng((seed, _STREAM))
    coming = iter([tasks.pick(rng) for _ in range(episodes)])
    rows: list[_Seat | None] = [None] * policy.rows
    while True:
        for row, seat in enumerate(rows):
            if seat is None and (pick := next(coming, None)) is not None:
                rows[row] = _Seat(tasks, pick, options)
                policy.reset(row)
        playing = [seat for seat in rows if seat is not None]
        if not playing:
            return
        blank = playing[0].session.frame()
        frames = [blank if seat is None else seat.session.frame() for seat in rows]
        alive = [seat is not None for seat in rows]
        frames = [frame.copy() for frame in frames]
        proposed = policy.propose(frames, alive)
        clicks = [
            click if seat is None else seat.click(click)
            for seat, click in zip(rows, proposed, strict=True)
        ]
        policy.observe(frames, clicks, alive)
        for row, seat in enumerate(rows):
            if seat is not None and seat.over:
                yield seat.episode()
                rows[row] = None
