"""Does what may take a while on a worker thread; only the latest result counts."""

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker

from napari_bcannot.turns import one_line


class Background:
    """One job at a time; a newer job makes the older one's result stale.

    Parameters
    ----------
    failed : callable
        Gets a one-line message.
    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._generation = 0

    def run(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Begin a job; ``done`` gets its result on the GUI thread."""
        self._generation += 1
        generation = self._generation
        worker = create_worker(job, _start_thread=False, _ignore_errors=True)
        worker.returned.connect(lambda result: self._if_wanted(generation, done, result))
        worker.errored.connect(
            lambda error: self._if_wanted(generation, self._failed, one_line(error))
        )
        worker.start()

    def drop(self) -> None:
        """Take no notice of what is still going on."""
        self._generation += 1

    def _if_wanted(self, generation: int, then: Callable[[Any], None], result: Any) -> None:
        if generation == self._generation:
            then(result)
