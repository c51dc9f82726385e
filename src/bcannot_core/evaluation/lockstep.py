"""Sessions in lockstep: one batch of frames in, one batch of clicks out, until all have ended.

A session that ends makes room for the next one at once, so that the batch stays full.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bcannot_core.evaluation.actors import Actors, Click
from bcannot_core.session import Outcome, Session


class Seat:
    """A session on its way, in one row of the actors.

    Parameters
    ----------
    session : Session
        What is worked on.
    limit : int
        After so many clicks it is cut off.
    patience : int
        After so many clicks in a row without any effect it is cut off, too; 0 for never.

    Attributes
    ----------
    steps : int
        Clicks so far.
    stuck : bool
        Whether patience ran out.
    actions : Counter
        What the clicks did.
    """

    def __init__(self, session: Session, limit: int, patience: int = 0) -> None:
        self.session = session
        self.limit, self.patience = limit, patience
        self.steps = 0
        self.stuck = False
        self.actions: Counter[str] = Counter()
        self._idle = 0

    @property
    def over(self) -> bool:
        """Whether the session has ended, or is cut off."""
        return self.session.terminated or self.stuck or self.steps >= self.limit

    def override(self) -> Click | None:
        """Return a click to make in the policy's place, None to let it act."""
        return None

    def apply(self, click: Click, *, own: bool) -> Outcome:
        """Click; ``own`` says whether it is the policy's click."""
        outcome = self.session.apply(click, "policy" if own else "annotator")
        self.steps += 1
        self.actions[outcome.action] += 1
        changed = outcome.state_before is not outcome.state_after
        self._idle = 0 if changed else self._idle + 1
        self.stuck = bool(self.patience) and self._idle >= self.patience
        self.applied(outcome, own=own)
        return outcome

    def applied(self, outcome: Outcome, *, own: bool) -> None:
        """Take notice of a click; for subclasses."""


@dataclass
class Timing:
    """What the policy took.

    Attributes
    ----------
    seconds : float
        In the policy, without drawing and judging.
    clicks : int
        Steps that it took, forced ones included.
    """

    seconds: float = 0.0
    clicks: int = 0

    @property
    def ms_per_action(self) -> float:
        """Milliseconds of the policy for each of its clicks."""
        return 1e3 * self.seconds / max(1, self.clicks)


def play(
    actors: Actors,
    seats: Iterator[Seat],
    ended: Callable[[Seat], object] = lambda _seat: None,
    timing: Timing | None = None,
) -> Timing:
    """Let actors work through seats.

    Parameters
    ----------
    actors : Actors
        Who acts; ``actors.rows`` seats are worked on at once.
    seats : iterator of Seat
        Asked for the next one whenever a row is free.
    ended : callable
        Given each seat when it is over, in the order in which they end.
    timing : Timing, optional
        Is counted on, and knows how far things went where an actor fails.

    Returns
    -------
    Timing
        Of the policy.
    """
    timing = Timing() if timing is None else timing
    rows: list[Seat | None] = [_seated(actors, row, seats) for row in range(actors.rows)]
    while any(rows):
        _step(actors, rows, timing)
        for row, seat in enumerate(rows):
            if seat is not None and seat.over:
                ended(seat)
                rows[row] = _seated(actors, row, seats)
    return timing


def _seated(actors: Actors, row: int, seats: Iterator[Seat]) -> Seat | None:
    """Return the next seat, with its row begun anew."""
    seat = next(seats, None)
    if seat is not None:
        actors.begin(row, seat.session)
    return seat


def _step(actors: Actors, rows: list[Seat | None], timing: Timing) -> None:
    """Make one click in every row that has a seat."""
    blank = next(seat for seat in rows if seat is not None).session.frame()
    frames = [blank if seat is None else seat.session.frame() for seat in rows]
    alive = [seat is not None for seat in rows]
    forced = [None if seat is None else seat.override() for seat in rows]
    begun = time.perf_counter()
    clicks = actors.step(frames, alive, forced)
    timing.seconds += time.perf_counter() - begun
    timing.clicks += sum(alive)
    for seat, click, other in zip(rows, clicks, forced, strict=True):
        if seat is not None:
            seat.apply(click, own=other is None)
