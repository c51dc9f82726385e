"""Does what may take a while on worker threads, and hands over results on the GUI thread."""

from collections.abc import Callable
from typing import Any

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
        self._generation = 0
        self._waiting = 0

    @property
    def busy(self) -> bool:
        """Whether a result is waited for."""
        return self._waiting > 0

    def run(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Begin a job; ``done`` gets its result on the GUI thread."""
        if self._latest:
            self.drop()
        self._waiting += 1
        generation = self._generation
        worker = create_worker(job, _start_thread=False, _ignore_errors=True)
        worker.returned.connect(lambda result: self._if_wanted(generation, done, result))
        worker.errored.connect(
            lambda error: self._if_wanted(generation, self._failed, describe_error(error))
        )
        worker.start()

    def drop(self) -> None:
        """Take no notice of what is still going on."""
        self._generation += 1
        self._waiting = 0

    def _if_wanted(self, generation: int, then: Callable[[Any], None], result: Any) -> None:
        if generation == self._generation:
            self._waiting -= 1
            then(result)
