"""Readers: show recorded sessions to a policy and note the stream of its [cls] token."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import Replay, Step
from bcannot_core.probes.labels import Labeller, Labels
from bcannot_core.probes.taps import ClsTap

Stream = NDArray[np.float16]

USUAL_ROWS = 16


class Reader(Protocol):
    """Reads the stream of a policy over episodes.

    Attributes
    ----------
    layers, width : int
        Before the first layer and after each; size of the stream.
    """

    layers: int
    width: int

    def read(self, first: int, episodes: Sequence[Episode]) -> Iterator[tuple[Stream, Labels]]:
        """Yield the stream (steps, layers, width) and the labels of episodes, in order.

        Parameters
        ----------
        first : int
            Number of the first of them.
        episodes : sequence of Episode
            What is replayed.
        """
        ...


def open_reader(policy: Any, rows: int = USUAL_ROWS) -> Reader:
    """Return the reader for a policy: in lockstep where it takes a batch."""
    batch = getattr(policy, "batch", None)
    return StreamingReader(policy) if batch is None else LockstepReader(batch(rows))


class StreamingReader:
    """Shows one episode after the other, as the plugin does live.

    Parameters
    ----------
    policy : Policy
        A policy that a tap fits on.
    """

    def __init__(self, policy: Any) -> None:
        self._policy = policy
        with ClsTap(policy) as tap:
            self.layers, self.width = tap.layers, tap.width

    def read(self, first: int, episodes: Sequence[Episode]) -> Iterator[tuple[Stream, Labels]]:
        """Yield the stream (steps, layers, width) and the labels of episodes, in order."""
        for number, episode in enumerate(episodes, first):
            self._policy.reset()
            showing = _Showing(number, episode, self.layers, self.width)
            with ClsTap(self._policy) as tap:
                while (step := showing.step) is not None:
                    self._policy.observe(step.frame, (step.click.x, step.click.y))
                    showing.note(tap.latest)
            yield showing.finish()


class LockstepReader:
    """Shows several episodes at once to a policy that takes a batch.

    Parameters
    ----------
    policy : BatchPolicy
        ``rows`` sessions in lockstep.
    """

    def __init__(self, policy: Any) -> None:
        self._policy = policy
        with ClsTap(policy) as tap:
            self.layers, self.width = tap.layers, tap.width

    def read(self, first: int, episodes: Sequence[Episode]) -> Iterator[tuple[Stream, Labels]]:
        """Yield the stream (steps, layers, width) and the labels of episodes, in order."""
        waiting = iter(enumerate(episodes, first))
        rows: list[_Showing | None] = [None] * self._policy.rows
        ended: dict[int, tuple[Stream, Labels]] = {}
        following = first
        with ClsTap(self._policy) as tap:
            while True:
                for row, showing in enumerate(rows):
                    if showing is None or showing.step is None:
                        if showing is not None:
                            ended[showing.number] = showing.finish()
                        rows[row] = self._begin(row, next(waiting, None))
                while following in ended:
                    yield ended.pop(following)
                    following += 1
                if not any(rows):
                    return
                self._step(rows, tap)

    def _begin(self, row: int, taken: tuple[int, Episode] | None) -> "_Showing | None":
        """Begin an episode in a row; one without steps is over before it began."""
        if taken is None:
            return None
        self._policy.reset(row)
        return _Showing(*taken, self.layers, self.width)

    def _step(self, rows: "list[_Showing | None]", tap: ClsTap) -> None:
        steps = [None if showing is None else showing.step for showing in rows]
        some = next((step for step in steps if step is not None), None)
        if some is None:
            return
        shown = [some if step is None else step for step in steps]
        clicks = [(step.click.x, step.click.y) for step in shown]
        alive = [step is not None for step in steps]
        self._policy.observe([step.frame for step in shown], clicks, alive)
        heard = tap.rows
        for row, showing in enumerate(rows):
            if showing is not None and alive[row]:
                showing.note(heard[row])


class _Showing:
    """An episode that is being shown, and what was noted of it.

    ``step`` is the step that comes, None after the last.
    """

    def __init__(self, number: int, episode: Episode, layers: int, width: int) -> None:
        self.number = number
        self._steps = iter(Replay(episode))
        self._labeller = Labeller(number, episode.task)
        self._heard = np.empty((len(episode), layers, width), np.float16)
        self._count = 0
        self.step: Step | None = next(self._steps, None)

    def note(self, stream: NDArray[np.float16]) -> None:
        """Note what was heard at the present step, and go on to the next."""
        assert self.step is not None
        self._heard[self._count] = stream
        self._count += 1
        self._labeller.add(self.step)
        self.step = next(self._steps, None)

    def finish(self) -> tuple[Stream, Labels]:
        """Return the stream and the labels."""
        return self._heard, self._labeller.finish()
