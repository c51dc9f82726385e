"""Runs a policy's turns on a worker thread, one click at a time."""

import threading
from collections.abc import Callable, Iterator
from typing import Any
from weakref import ref

from napari.qt.threading import create_worker
from qtpy.QtCore import QTimer

from napari_bcannot.turns import (
    Desk,
    Failure,
    PolicyLike,
    Seat,
    Turn,
    WatcherLike,
    describe_error,
    take_turns,
)


class PolicyShelf:
    """Loads policies once, on whichever thread asks first.

    Parameters
    ----------
    load : callable
        Makes a policy from its name or folder.
    watch : callable, optional
        Makes somebody who looks on for mistakes from the policy and its name; None for nobody.
    """

    def __init__(
        self,
        load: Callable[[str], PolicyLike],
        watch: Callable[[PolicyLike, str], WatcherLike | None] = lambda policy, name: None,
    ) -> None:
        self._load = load
        self._watch = watch
        self._seats: dict[str, Seat] = {}
        self._lock = threading.Lock()

    def seat(self, name: str) -> Seat:
        """Return the policy with this name or folder, and what it has seen so far."""
        with self._lock:
            if name not in self._seats:
                policy = self._load(name)
                self._seats[name] = Seat(policy, self._watch(policy, name))
            return self._seats[name]

    def forget_sessions(self) -> None:
        """Let every policy start afresh at its next turn."""
        for seat in tuple(self._seats.values()):
            seat.forget()


class PolicyRunner:
    """One worker at a time; its turns arrive on the GUI thread, paced by the painting.

    Parameters
    ----------
    on_turn : callable
        Gets each `Turn`; the turn is given back with `PolicyRunner.release`.
    """

    def __init__(self, on_turn: Callable[[Turn], None]) -> None:
        self._on_turn = on_turn
        self._worker: Any = None

    def start(self, desk: Desk, sit_down: Callable[[], Seat], generation: int) -> None:
        """Begin a run; a run of an older generation ends by itself."""
        self.stop()
        worker = create_worker(
            _turns, ref(desk), [sit_down], generation, _start_thread=False, _ignore_errors=True
        )
        me = ref(self)  # a worker outlives its run: it is to hold nothing of the widget
        worker.yielded.connect(lambda turn: _hand_over(me(), turn))
        worker.errored.connect(lambda error: _hand_over(me(), _failed(generation, error)))
        self._worker = worker
        worker.start()

    def hand_over(self, turn: Turn) -> None:
        """Give a turn to whoever started the run."""
        self._on_turn(turn)

    def release(self, turn: Turn) -> None:
        """Let the worker go on once the window has painted what the turn changed."""
        QTimer.singleShot(0, turn.ack.set)

    def stop(self) -> None:
        """Ask the worker to end; it does so at its next turn."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.quit()


def _turns(
    desk: "ref[Desk]", sit_down: list[Callable[[], Seat]], generation: int
) -> Iterator[Turn]:
    """Take turns for as long as the desk is there; nothing is held of it afterwards."""
    held = desk()
    if held is not None:
        yield from take_turns(held, sit_down.pop(), generation)


def _hand_over(runner: PolicyRunner | None, turn: Turn) -> None:
    if runner is None:
        turn.ack.set()
    else:
        runner.hand_over(turn)


def _failed(generation: int, error: BaseException) -> Turn:
    return Turn(Failure(generation, describe_error(error)))
