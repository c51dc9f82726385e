"""Runs a policy's turns on a worker thread, one click at a time."""

import threading
from collections.abc import Callable
from typing import Any

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
            take_turns, desk, sit_down, generation, _start_thread=False, _ignore_errors=True
        )
        worker.yielded.connect(self._on_turn)
        worker.errored.connect(lambda error: self._on_turn(_failed(generation, error)))
        self._worker = worker
        worker.start()

    def release(self, turn: Turn) -> None:
        """Let the worker go on once the window has painted what the turn changed."""
        QTimer.singleShot(0, turn.ack.set)

    def stop(self) -> None:
        """Ask the worker to end; it does so at its next turn."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.quit()


def _failed(generation: int, error: BaseException) -> Turn:
    return Turn(Failure(generation, describe_error(error)))
