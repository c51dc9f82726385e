"""A player: plays a task step by step, or looks at a recorded session, without any window.

Position ``i`` of a session is the moment before its click ``i``; the last position is the moment
after the last click. A player stands at one position and shows its frame, with the click that comes
next marked on it and described.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators import Annotator, Behaviour, make_annotator
from bcannot_core.episodes.captions import Caption, describe_click
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.export import mark_click
from bcannot_core.episodes.replay import Replay
from bcannot_core.episodes.worlds import build_task
from bcannot_core.errors import BcannotError, TaskError, VolumeError
from bcannot_core.screen import Screen
from bcannot_core.session.clicks import ClickToken, Outcome
from bcannot_core.session.protocol import Task
from bcannot_core.session.session import Session
from bcannot_core.volumes import Volume


@dataclass(frozen=True)
class Habits:
    """How the annotator of a player works.

    Attributes
    ----------
    seed : int
        Of its randomness.
    behaviour : Behaviour or str
        Its mistakes and habits.
    mistakes : float, optional
        Share of placements that go wrong, in place of the behaviour's own.
    """

    seed: int = 0
    behaviour: Behaviour | str = "default"
    mistakes: float | None = None


class View(NamedTuple):
    """What a player shows.

    Attributes
    ----------
    position : int
        The moment, 0 to ``steps``.
    steps : int
        Number of clicks so far, or of the recording.
    click : ClickToken or None
        The click that comes next, where it is known: recorded, or what the annotator would do.
    caption : Caption or None
        What that click is.
    """

    position: int
    steps: int
    click: ClickToken | None
    caption: Caption | None


class Player:
    """A session to play in, or a recorded one to look at; made by `play` or `replay`.

    Every state of the session is kept (they share what did not change), so that any position is
    shown at once.

    Attributes
    ----------
    session : Session
        What is played or was recorded, after its last click.
    seed : int
        Of the world.
    recorded : bool
        Whether this is a recording, which nobody can click in.
    """

    def __init__(self, session: Session, seed: int, habits: Habits, *, recorded: bool) -> None:
        self.session = session
        self.seed = seed
        self.recorded = recorded
        self._habits = habits
        self._screen = Screen(session.task.layout())
        self._states = [session.state]
        self._position = 0
        self._annotator: Annotator | None = None
        self._upcoming: ClickToken | None = None
        self._scores: dict[int, dict[str, Any] | None] = {}
        session.subscribe(self._on_click)

    @classmethod
    def play(cls, task: Task, seed: int = 0, habits: Habits | None = None) -> Self:
        """Begin a session of a task, for a person and the scripted annotator."""
        return cls(Session(task), seed, habits or Habits(seed), recorded=False)

    @classmethod
    def replay(
        cls, episode: Episode, *, task: Task | None = None, volume: Volume | None = None
    ) -> Self:
        """Open a recorded session at its beginning, with its ground truth where that is there.

        The parameters are those of :class:`Replay`.

        Raises
        ------
        DatasetError
            The data are not those of the episode, or a click does not do what it did.
        VolumeError
            The volume cannot be opened.
        """
        run = Replay(episode, task=_with_truth(episode, volume) if task is None else task)
        player = cls(run.session, episode.seed, Habits(), recorded=True)
        run.finish()
        player.seek(0)
        return player

    # ------------------------------------------------------------------------------ where
    @property
    def task(self) -> Any:
        """The task."""
        return self.session.task

    @property
    def steps(self) -> int:
        """Number of clicks."""
        return len(self.session.clicks)

    @property
    def position(self) -> int:
        """The moment that is shown."""
        return self._position

    @property
    def at_end(self) -> bool:
        """Whether the moment after the last click is shown."""
        return self._position == self.steps

    @property
    def can_advance(self) -> bool:
        """Whether there is a click to go on by: recorded, made earlier, or the annotator's."""
        return not self.at_end or not (self.recorded or self.session.terminated)

    @property
    def state(self) -> Any:
        """The task's state at the position."""
        return self._states[self._position]

    def seek(self, position: int) -> None:
        """Go to a position; the nearest one where there is none of this number."""
        self._position = max(0, min(int(position), self.steps))

    # ------------------------------------------------------------------------------- what
    def upcoming(self, *, think: bool = False) -> ClickToken | None:
        """Return the click that comes next.

        Parameters
        ----------
        think : bool
            At the end of a session that is played, ask the annotator; otherwise nobody knows.

        Raises
        ------
        TaskError
            There is no annotator for the task, or the world has no ground truth.
        """
        if not self.at_end:
            return self.session.clicks[self._position]
        if not think or not self.can_advance:
            return None
        if self._upcoming is None:
            self._upcoming = self._think()
        return self._upcoming

    def view(self, *, think: bool = False) -> View:
        """Return what is shown beside the frame; ``think`` as in :meth:`upcoming`."""
        click = self.upcoming(think=think)
        caption = None if click is None else describe_click(self.session, click)
        return View(self._position, self.steps, click, caption)

    def frame(self, *, think: bool = False, mark: bool = True) -> NDArray[np.uint8]:
        """Return the frame at the position, the click that comes next marked on it.

        Returns
        -------
        uint8 (h, w, 3)
            A copy.
        """
        frame = self._screen.draw(self.task.content(self.state)).copy()
        click = self.upcoming(think=think)
        if mark and click is not None:
            mark_click(frame, click)
        return frame

    def score(self) -> dict[str, Any] | None:
        """Return the task's metrics where the shown moment is after Done.

        None before, and where there is no ground truth or it cannot be read.
        """
        if not self.task.terminated(self.state):
            return None
        return self._scored(self._position, self.state)

    def _scored(self, position: int, state: Any) -> dict[str, Any] | None:
        """Return the metrics of a moment, computed once: what was clicked does not change."""
        if position not in self._scores:
            try:
                self._scores[position] = self.task.score(state)
            except BcannotError:
                self._scores[position] = None
        return self._scores[position]

    # ------------------------------------------------------------------------------- read
    @property
    def at_hand(self) -> bool:
        """Whether the shown moment's frame and score need nothing from a disk or a server."""
        task = self.task
        if task.in_memory:
            return True
        scored = self._position in self._scores or not task.terminated(self.state)
        return bool(scored and task.at_hand(self.state))

    def reading(self) -> Callable[[], None]:
        """Return a job that reads what the shown moment needs; any thread may run it.

        Raises
        ------
        VolumeError
            From the job: the frame cannot be read.
        """
        task, position, state = self.task, self._position, self.state

        def read() -> None:
            task.content(state)
            if task.terminated(state):
                self._scored(position, state)

        return read

    # -------------------------------------------------------------------------------- act
    def work_as(self, habits: Habits) -> None:
        """Let the annotator go on with other habits from here."""
        self._habits = habits
        self._annotator = self._upcoming = None

    def click(self, click_xy: tuple[int, int], ms: int = 0) -> Outcome:
        """Click for the person, after the last click of the session.

        Raises
        ------
        TaskError
            This is a recording, or an earlier moment is shown.
        ClickError
            The click lies outside the frame.
        """
        if self.recorded:
            raise TaskError("this is a recording: begin a new world to play")
        if not self.at_end:
            raise TaskError("an earlier step is shown: go to the last one to click")
        return self.session.apply(click_xy, "person", 0, ms)

    def advance(self) -> bool:
        """Go on by one step: through what was clicked, then by the annotator's next click.

        Returns
        -------
        bool
            Whether there was a step to go.

        Raises
        ------
        TaskError
            There is no annotator for the task, or the world has no ground truth.
        """
        if not self.at_end:
            self.seek(self._position + 1)
            return True
        click = self.upcoming(think=True)
        if click is None:
            return False
        self.session.apply((click.x, click.y), click.actor, click.flags, click.ms)
        return True

    def _think(self) -> ClickToken:
        if self._annotator is None:
            habits = self._habits
            behaviour = habits.behaviour
            if habits.mistakes is not None:
                usual = make_annotator(self.session, habits.seed, behaviour).behaviour
                behaviour = usual.with_mistakes(habits.mistakes)
            self._annotator = make_annotator(self.session, habits.seed, behaviour)
        x, y = self._annotator.act()
        annotator = self._annotator
        return ClickToken(x, y, "annotator", int(annotator.flags), annotator.ms, annotator.action)

    def _on_click(self, outcome: Outcome, _: ClickToken) -> None:
        self._states.append(outcome.state_after)
        self._position = self.steps
        self._upcoming = None


def _with_truth(episode: Episode, volume: Volume | None) -> Task:
    """Build the task of an episode, without its labels where they cannot be opened."""
    if episode.data is not None and episode.data.labels is not None:
        with suppress(VolumeError):
            return build_task(episode, volume=volume, labels=True)
    return build_task(episode, volume=volume)
