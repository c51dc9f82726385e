"""Replay: from an episode back to its frames, bit for bit."""

import hashlib
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.worlds import build_task
from bcannot_core.errors import ClickError, DatasetError, UsageError
from bcannot_core.session.clicks import ClickToken, Outcome
from bcannot_core.session.journal import read_journal
from bcannot_core.session.protocol import Task
from bcannot_core.session.session import Session
from bcannot_core.volumes import Volume


class Step(NamedTuple):
    """One step of an episode.

    Attributes
    ----------
    frame : uint8 (h, w, 3)
        What was seen before the click.
    click : ClickToken
        The click.
    outcome : Outcome
        What it did.
    """

    frame: NDArray[np.uint8]
    click: ClickToken
    outcome: Outcome


class Replay:
    """An episode being replayed: iterate over it for its steps.

    Parameters
    ----------
    episode : Episode
        What to replay.
    task : Task, optional
        The episode's task, where the caller has built it.
    volume : Volume, optional
        The episode's volume, where its address cannot be opened here.
    copy : bool
        Whether every step has a frame of its own; otherwise a frame changes with the next step.

    Raises
    ------
    DatasetError
        The data are not those of the episode, or a click does not do what it did.
    VolumeError
        The volume cannot be opened or read.
    """

    def __init__(
        self,
        episode: Episode,
        *,
        task: Task | None = None,
        volume: Volume | None = None,
        copy: bool = True,
    ) -> None:
        self.episode = episode
        self.session = Session(build_task(episode, volume=volume) if task is None else task)
        self._copy = copy

    def __iter__(self) -> Iterator[Step]:
        """Replay what is left; the session stands after the step that was yielded last."""
        for click in self.episode.clicks[len(self.session.clicks) :]:
            frame = self.session.frame()
            if self._copy:
                frame = frame.copy()
            yield Step(frame, click, self._apply(click))

    def finish(self) -> None:
        """Replay what is left without drawing anything."""
        for click in self.episode.clicks[len(self.session.clicks) :]:
            self._apply(click)

    def _apply(self, click: ClickToken) -> Outcome:
        index = len(self.session.clicks)
        try:
            outcome = self.session.apply((click.x, click.y), click.actor, click.flags, click.ms)
        except (ClickError, UsageError) as error:
            raise DatasetError(
                f"click {index} of an episode cannot be replayed: {error}"
            ) from error
        if outcome.action != click.action:
            raise DatasetError(
                f"click {index} of an episode was {click.action!r} when it was recorded and is "
                f"{outcome.action!r} now: the episode does not fit its data or this program"
            )
        return outcome


def replay(
    episode: Episode,
    *,
    task: Task | None = None,
    volume: Volume | None = None,
    copy: bool = True,
) -> Iterator[Step]:
    """Yield the steps of an episode: each frame, the click on it, and what the click did.

    The parameters and errors are those of :class:`Replay`, which also has the session.
    """
    yield from Replay(episode, task=task, volume=volume, copy=copy)


def episode_hash(episode: Episode, *, volume: Volume | None = None) -> str:
    """Return a BLAKE2b hash over all frames of an episode, the one after the last click included.

    Returns
    -------
    str
        32 hexadecimal digits, the same in any process and on any machine.
    """
    digest = hashlib.blake2b(digest_size=16)
    run = Replay(episode, volume=volume, copy=False)
    for step in run:
        digest.update(np.ascontiguousarray(step.frame).data)
    digest.update(np.ascontiguousarray(run.session.frame()).data)
    return digest.hexdigest()


def episode_from_journal(path: str | os.PathLike[str]) -> Episode:
    """Return the session of a journal as an episode, up to the journal's last whole line.

    Raises
    ------
    JournalError
        The journal cannot be read.
    DatasetError
        Its data reference cannot be read.
    """
    contents = read_journal(path)
    return Episode.from_header(contents.header, contents.clicks)
