"""A policy's turns in a session: what runs off the GUI thread. No Qt and no napari here.

The worker reads a snapshot of the session, renders the frame, asks the policy and hands out a
`Proposal`; the GUI thread applies it or drops it, and acknowledges. Nothing here changes the
session.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import BcannotError

HISTORY_STEPS = 64
"""How much of the history a policy is shown when it starts in the middle of a session."""

ACK_POLL_S = 0.05

_LOG = logging.getLogger(__name__)

Frame = NDArray[np.uint8]
ClickXY = tuple[int, int]


class Choice(Protocol):
    """A click that a policy would make."""

    @property
    def click_xy(self) -> ClickXY:
        """Frame pixel (x, y)."""

    @property
    def confidence(self) -> float:
        """How sure the policy is, 0 to 1."""


class PolicyLike(Protocol):
    """What the plugin needs of a policy."""

    def reset(self) -> None:
        """Forget the history."""

    def propose(self, frame: Frame) -> Choice:
        """Choose a click; it counts only once it is observed."""

    def observe(self, frame: Frame, click: ClickXY, *, trusted: bool) -> None:
        """Take note of a click that was made on this frame; a person's is trusted."""

    def heatmap(self) -> NDArray[np.float32]:
        """Where the last choice might have gone, (height, width) of the frame."""


@dataclass(frozen=True, slots=True)
class Step:
    """One click of the session, the state it was made in and who made it.

    ``accepted`` says that a person accepted it as the policy proposed it.
    """

    state: Any
    click_xy: ClickXY
    actor: str
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """A snapshot of a session: its history so far, and the state it is in now."""

    history: Sequence[Step]
    state: Any
    render: Callable[[Any], Frame]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A click that the policy wants to make on ``state``, the one after ``base`` clicks."""

    generation: int
    base: int
    state: Any
    click_xy: ClickXY
    confidence: float
    heatmap: NDArray[np.float32] | None
    alarm: float | None = None
    """How likely the node placed last is a mistake, where that is worth a pause."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The policy's run ended by an error."""

    generation: int
    message: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What the worker hands to the GUI thread; the worker waits until ``ack`` is set."""

    result: Proposal | Failure
    ack: threading.Event = field(default_factory=threading.Event)


class WatcherLike(Protocol):
    """Somebody who looks on at a session and says of clicks how likely they were mistakes."""

    def reset(self) -> None:
        """Forget the session."""

    def saw(self, frame: Frame, click_xy: ClickXY, following: Frame | None = None) -> float | None:
        """Take in a click; return how likely it was a mistake where the next frame is given."""

    def alarming(self, score: float) -> bool:
        """Whether few right clicks reach such a score."""


class Seat:
    """A policy together with how much of a session's history it has seen.

    What the policy proposed counts for it only once it is part of the history: a proposal that is
    dropped because a person acted first leaves no trace.

    Parameters
    ----------
    policy : PolicyLike
        Used by one worker at a time: hold ``lock``.
    watcher : WatcherLike, optional
        Looks on, to raise the alarm at a placement that is likely a mistake.
    """

    def __init__(self, policy: PolicyLike, watcher: WatcherLike | None = None) -> None:
        self.policy = policy
        self.watcher = watcher
        self.lock = threading.Lock()
        self._seen: list[Step] = []
        self._watched: list[Step] = []

    def forget(self) -> None:
        """Let the next proposal start from a fresh policy."""
        self._seen = []
        self._watched = []

    def propose(
        self, situation: Situation, generation: int, *, heatmap: bool, watch: bool = False
    ) -> Proposal:
        """Show the policy what it has missed, then ask it for a click.

        Parameters
        ----------
        situation : Situation
            What to act on.
        generation : int
            Of the run.
        heatmap : bool
            Whether the proposal carries one.
        watch : bool
            Whether the watcher looks on, which takes as long again.
        """
        history = list(situation.history)
        self._catch_up(history, situation.render)
        alarm = self._alarm(history, situation) if watch else None
        choice = self.policy.propose(situation.render(situation.state))
        x, y = choice.click_xy
        return Proposal(
            generation=generation,
            base=len(history),
            state=situation.state,
            click_xy=(int(x), int(y)),
            confidence=float(choice.confidence),
            heatmap=self.policy.heatmap() if heatmap else None,
            alarm=alarm,
        )

    def _catch_up(self, history: list[Step], render: Callable[[Any], Frame]) -> None:
        seen, self._seen = self._seen, []  # an error on the way leaves a policy to start afresh
        missed = _missed(history, seen)
        if missed is None:
            self.policy.reset()
            missed = history[-HISTORY_STEPS:]
        for step in missed:
            trusted = step.actor == "person" or step.accepted
            self.policy.observe(render(step.state), step.click_xy, trusted=trusted)
        self._seen = history

    def _alarm(self, history: list[Step], situation: Situation) -> float | None:
        """Let the watcher see what is new; return its score where it raises the alarm."""
        if self.watcher is None:
            return None
        seen, self._watched = self._watched, []
        missed = _missed(history, seen)
        if missed is None:
            self.watcher.reset()
            missed = history[-HISTORY_STEPS:]
        score = None
        for step in missed[:-1]:
            self.watcher.saw(situation.render(step.state), step.click_xy)
        for last in missed[-1:]:
            placed = situation.state.placements > last.state.placements and last.actor == "policy"
            following = situation.render(situation.state) if placed else None
            score = self.watcher.saw(situation.render(last.state), last.click_xy, following)
        self._watched = history
        return score if score is not None and self.watcher.alarming(score) else None


def _missed(history: list[Step], seen: list[Step]) -> list[Step] | None:
    """Return what of a history was not seen yet; None where it is another one than was seen."""
    if not seen or len(seen) > len(history) or history[len(seen) - 1] is not seen[-1]:
        return None
    return history[len(seen) :]


class Desk(Protocol):
    """Where a worker looks up the session and whether its turn is still wanted."""

    @property
    def wants_heatmap(self) -> bool:
        """Whether proposals should carry the heatmap."""

    @property
    def wants_watcher(self) -> bool:
        """Whether somebody should look on for mistakes."""

    def wants(self, generation: int) -> bool:
        """Whether a worker of this generation should go on."""

    def situation(self) -> Situation:
        """Return a snapshot of the session."""


def take_turns(desk: Desk, sit_down: Callable[[], Seat], generation: int) -> Iterator[Turn]:
    """Propose clicks until the desk wants no more of this generation.

    An error that a user can do something about ends the run with a `Failure`. ``RuntimeError`` is
    one of them (out of memory on a device, say): napari's generator workers would swallow it.
    """
    try:
        seat = sit_down()
        while desk.wants(generation):
            with seat.lock:
                result = seat.propose(
                    desk.situation(),
                    generation,
                    heatmap=desk.wants_heatmap,
                    watch=desk.wants_watcher,
                )
            turn = Turn(result)
            yield turn
            while not turn.ack.wait(ACK_POLL_S):
                if not desk.wants(generation):
                    return
    except (BcannotError, OSError, RuntimeError, ValueError, MemoryError) as error:
        yield Turn(Failure(generation, describe_error(error)))


def one_line(error: BaseException) -> str:
    """Return an error's message on one line, or its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def counted(number: int, thing: str) -> str:
    """Return so many things in words."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def describe_error(error: BaseException) -> str:
    """Return what to tell a person of an error; one that nobody raised on purpose is logged, too.

    Its message alone may say little ("'x'" for a key that is missing), so its type stands before.
    """
    if isinstance(error, BcannotError):
        return one_line(error)
    _LOG.error("an unexpected error in the background", exc_info=error)
    return f"{type(error).__name__}: {one_line(error)}"
