"""Processes that trace, and stop within a click when they are asked to."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any

POLITE = 10
"""By so much the processes give way to others, a window above all, where the system can do that."""

_stop: Event | None = None
_NAMING = ("__spec__", "__file__")
_main_lock = threading.Lock()


class TracingPool(ProcessPoolExecutor):
    """A process pool for :func:`~bcannot_core.tracing.batch.trace_many`.

    Its processes end with the one that started them, share the processor's cores among them, and
    never run the main script again, so that scripts without a ``__main__`` guard can use it.

    Parameters
    ----------
    workers : int
        How many processes.
    """

    def __init__(self, workers: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._asked_to_stop = spawn.Event()
        threads = max(1, (os.cpu_count() or 1) // workers)
        super().__init__(
            workers, spawn, initializer=_begin, initargs=(self._asked_to_stop, threads)
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call; a process is started for it where all are at work."""
        with _main_unseen():
            return super().submit(fn, *args, **kwargs)

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Wait for what is queued; where something went wrong, drop it."""
        if error is not None:
            self._asked_to_stop.set()
        self.shutdown(cancel_futures=self._asked_to_stop.is_set())

    def cancel(self) -> None:
        """Drop what waits, and let every trace at hand end at its next click, ``paused``."""
        self._asked_to_stop.set()
        self.shutdown(wait=False, cancel_futures=True)


def wanted() -> bool:
    """Whether this process is still to trace."""
    return _stop is None or not _stop.is_set()


def _begin(stop: Event, threads: int) -> None:
    global _stop
    _stop = stop
    os.environ["OMP_NUM_THREADS"] = str(threads)  # torch reads it when it is imported
    if hasattr(os, "nice"):
        os.nice(POLITE)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches every process: end without a word
    _end_with_parent()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _main_unseen() -> Iterator[None]:
    """Hide the main script from processes that are started meanwhile.

    A spawned process runs it again to find what was pickled by reference to it. All that is
    pickled here is the package's, and a person's script would open another viewer.
    """
    main = sys.modules["__main__"]
    with _main_lock:
        hidden = {name: vars(main)[name] for name in _NAMING if name in vars(main)}
        main.__spec__ = None
        main.__dict__.pop("__file__", None)
        try:
            yield
        finally:
            main.__dict__.update(hidden)
