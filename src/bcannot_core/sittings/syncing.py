"""Puts files on the disk itself, now and then, on a thread of its own.

Asking for it can take long where the disk is busy, and who is recorded must not wait.
"""

import contextlib
import os
import threading
from pathlib import Path
from typing import Protocol


class HasFile(Protocol):
    """An open file."""

    path: Path

    def fileno(self) -> int:
        """Return its descriptor."""


class Syncer:
    """Puts what was written on the disk, every ``every_s`` seconds and at the end.

    Parameters
    ----------
    every_s : float
        Longest time that a loss of power can take away.
    """

    def __init__(self, every_s: float = 5.0) -> None:
        self._every_s = every_s
        self._dirty: dict[Path, int] = {}
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    def wrote(self, file: HasFile) -> None:
        """Take note that a file was written to; it may be closed before it is on the disk."""
        with self._lock:
            if file.path not in self._dirty:
                self._dirty[file.path] = os.dup(file.fileno())
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="bcannot-sync", daemon=True)
            self._thread.start()

    def close(self, patience_s: float = 0.04) -> None:
        """Put everything on the disk and end the thread; on a slow disk that goes on a while."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join(patience_s)

    def _run(self) -> None:
        while not self._ends.wait(self._every_s):
            self._sync_all()
        self._sync_all()

    def _sync_all(self) -> None:
        with self._lock:
            copies = list(self._dirty.values())
            self._dirty.clear()
        for copy in copies:
            with contextlib.suppress(OSError):  # writing says what is wrong with a disk
                os.fsync(copy)
            os.close(copy)
