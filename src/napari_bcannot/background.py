"""Does what may take a while on worker threads, and hands over results on the GUI thread."""

from collections.abc import Callable
from itertools import count
from typing import Any
from weakref import ref

from napari.qt.threading import create_worker

from napari_bcannot.turns import describe_error


class Background:
    """Jobs off the GUI thread; what comes in too late is dropped.

    Parameters
    ----------
    failed : callable
        Gets a one-line message.
    latest : bool
        Whether a newer job makes the older one's result stale.
    """

    def __init__(self, failed: Callable[[str], None], *, latest: bool = True) -> None:
        self._failed = failed
        self._latest = latest
        self._numbers = count()
        self._done: dict[int, Callable[[Any], None]] = {}

    @property
    def busy(self) -> bool:
        """Whether a result is waited for."""
        return bool(self._done)

    def run(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Begin a job; ``done`` gets its result on the GUI thread."""
        if self._latest:
            self.drop()
        number = next(self._numbers)
        self._done[number] = done
        _WAITING.add(self)
        # workers outlive their jobs: they are to hold nothing of whoever waits for them
        me = ref(self)
        worker = create_worker(_Once(job), _start_thread=False, _ignore_errors=True)
        worker.returned.connect(lambda result: _hand_over(me(), number, result))
        worker.errored.connect(lambda error: _say(me(), number, error))
        worker.start()

    def drop(self) -> None:
        """Take no notice of what is still going on."""
        self._done.clear()
        _WAITING.discard(self)

    def take(self, number: int) -> Callable[[Any], None] | None:
        """Return who waits for a job, once; None where nobody does any more."""
        done = self._done.pop(number, None)
        if not self._done:
            _WAITING.discard(self)
        return done

    def fail(self, message: str) -> None:
        """Say that a job failed."""
        self._failed(message)


_WAITING: set[Background] = set()
"""Those that wait for a result: nobody else may hold them."""


class _Once:
    """A job that is let go once it is done."""

    def __init__(self, job: Callable[[], Any]) -> None:
        self._job: Callable[[], Any] | None = job

    def __call__(self) -> Any:
        job, self._job = self._job, None
        return None if job is None else job()


def _hand_over(background: Background | None, number: int, result: Any) -> None:
    done = None if background is None else background.take(number)
    if done is not None:
        done(result)


def _say(background: Background | None, number: int, error: BaseException) -> None:
    if background is not None and background.take(number) is not None:
        background.fail(describe_error(error))
