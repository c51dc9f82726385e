"""Who acts in an evaluation: several sessions at once, each in a row of its own.

A policy that handles many sessions in one batch implements :class:`Actors` itself; any other one
is wrapped by :class:`OneByOne`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.session import Session

Frame = NDArray[np.uint8]
Click = tuple[int, int]


class Actors(ABC):
    """Acts in up to ``rows`` sessions in lockstep.

    Attributes
    ----------
    rows : int
        How many sessions at once.
    name : str
        What it is called in results.
    """

    rows: int = 1
    name: str = "unnamed"

    @abstractmethod
    def begin(self, row: int, session: Session) -> None:
        """Forget the session of a row: its next frame begins this one.

        Policies that see pixels alone leave the session be.
        """

    @abstractmethod
    def act(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Choose a click (x, y) for the frame of every living row, and take it as made.

        Parameters
        ----------
        frames : sequence of uint8 (h, w, 3)
            One for each row; of rows that are not alive anything.
        alive : sequence of bool
            Which rows take part.

        Returns
        -------
        list of (x, y)
            One for each row; of rows that are not alive anything.
        """

    @abstractmethod
    def propose(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Choose clicks as :meth:`act`, without taking them as made; :meth:`observe` follows."""

    @abstractmethod
    def observe(
        self, frames: Sequence[Frame], clicks: Sequence[Click], alive: Sequence[bool]
    ) -> None:
        """Take in what somebody else clicked in the living rows."""

    def step(
        self, frames: Sequence[Frame], alive: Sequence[bool], forced: Sequence[Click | None]
    ) -> list[Click]:
        """Act in the living rows, but for those in which a click is forced: it is observed there.

        Returns
        -------
        list of (x, y)
            What is clicked in each row, forced clicks included.
        """
        acting = [lives and click is None for lives, click in zip(alive, forced, strict=True)]
        clicks = self.act(frames, acting) if any(acting) else [(0, 0)] * len(frames)
        shown = [lives and click is not None for lives, click in zip(alive, forced, strict=True)]
        if any(shown):
            clicks = replaced(clicks, forced)
            self.observe(frames, clicks, shown)
        return clicks

    def facts(self) -> dict[str, Any]:
        """Return what else belongs in a result: counts of bad replies, for example."""
        return {}


class OneByOne(Actors):
    """Policies that each act in one session.

    Parameters
    ----------
    policies : sequence
        One for each row, with ``reset``, ``act``, ``observe`` and for teacher-forced evaluation
        ``propose``. One that has ``watch`` is given the session that begins.
    name : str
        What they are called; by default the name of the first.
    """

    def __init__(self, policies: Sequence[Any], name: str = "") -> None:
        self.policies = list(policies)
        self.rows = len(self.policies)
        self.name = name or str(getattr(self.policies[0], "name", "unnamed"))

    def begin(self, row: int, session: Session) -> None:
        """Reset the policy of a row."""
        policy = self.policies[row]
        policy.reset()
        watch = getattr(policy, "watch", None)
        if watch is not None:
            watch(session)

    def act(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Let the policies of the living rows act, one after the other."""
        return [
            _click(policy.act(frame)) if lives else (0, 0)
            for policy, frame, lives in zip(self.policies, frames, alive, strict=True)
        ]

    def propose(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Ask the policies of the living rows, one after the other."""
        return [
            _click(policy.propose(frame).click_xy) if lives else (0, 0)
            for policy, frame, lives in zip(self.policies, frames, alive, strict=True)
        ]

    def observe(
        self, frames: Sequence[Frame], clicks: Sequence[Click], alive: Sequence[bool]
    ) -> None:
        """Show clicks to the policies of the living rows."""
        for policy, frame, click, lives in zip(self.policies, frames, clicks, alive, strict=True):
            if lives:
                policy.observe(frame, click)

    def facts(self) -> dict[str, Any]:
        """Return what the first policy has to say of itself."""
        facts = getattr(self.policies[0], "facts", None)
        return {} if facts is None else dict(facts())


class BatchActors(Actors):
    """A policy that takes the frames of all rows in one batch.

    Its rows share one clock, so that each step has to be taken by all living rows together.

    Parameters
    ----------
    batch : object
        With ``rows``, ``reset(row)``, ``act``, ``propose`` and ``observe``, as a frames policy's
        ``batch(rows)``.
    name : str
        What it is called.
    """

    def __init__(self, batch: Any, name: str) -> None:
        self.batch, self.rows, self.name = batch, int(batch.rows), name

    def begin(self, row: int, session: Session) -> None:
        """Begin a new session in a row."""
        self.batch.reset(row)

    def act(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Act in one batch."""
        return [_click(click) for click in self.batch.act(frames, alive)]

    def propose(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Propose in one batch."""
        return [_click(click) for click in self.batch.propose(frames, alive)]

    def observe(
        self, frames: Sequence[Frame], clicks: Sequence[Click], alive: Sequence[bool]
    ) -> None:
        """Observe in one batch."""
        self.batch.observe(frames, clicks, alive)

    def step(
        self, frames: Sequence[Frame], alive: Sequence[bool], forced: Sequence[Click | None]
    ) -> list[Click]:
        """Propose for all living rows, put the forced clicks in, and observe all."""
        if all(click is None for click in forced):
            return self.act(frames, alive)
        clicks = replaced(self.propose(frames, alive), forced)
        self.observe(frames, clicks, alive)
        return clicks


def replaced(clicks: Sequence[Click], forced: Sequence[Click | None]) -> list[Click]:
    """Return clicks, the forced ones in their places."""
    pairs = zip(clicks, forced, strict=True)
    return [click if other is None else other for click, other in pairs]


def as_actors(policy: Any) -> Actors:
    """Return a policy as actors: itself where it is some, else in one row."""
    return policy if isinstance(policy, Actors) else OneByOne([policy])


def policy_actors(policy: Any, rows: int) -> Actors:
    """Return a policy as actors in so many rows, in one row where it takes no batch."""
    batch = getattr(policy, "batch", None)
    if batch is None:
        return OneByOne([policy])
    return BatchActors(batch(rows), str(getattr(policy, "name", "unnamed")))


def _click(xy: Sequence[int]) -> Click:
    x, y = xy
    return int(x), int(y)
