"""Whether a session's folder is being written: a lock that the operating system gives back.

However a process ends, the lock ends with it; a session that was neither closed nor is locked was
interrupted.
"""

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import IO

LOCK = ".lock"
"""Name of the locked file in a session's folder."""

TRIES, TRY_S = 3, 0.005

_HELD: set[Path] = set()
"""What this process holds; asking the system would give such a lock away."""


class FolderLock:
    """Holds a folder for this process until `release`.

    Parameters
    ----------
    folder : Path
        Where the lock lies.

    Raises
    ------
    BlockingIOError
        Somebody else holds it, or this process does already.
    OSError
        The lock's file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._path = (folder / LOCK).resolve()
        if self._path in _HELD:
            raise BlockingIOError(f"{folder} is in use")
        self._file = self._path.open("ab")
        try:
            _lock_patiently(self._file)
        except OSError:
            self._file.close()
            raise
        _HELD.add(self._path)

    def release(self) -> None:
        """Give the folder free; the lock's file goes."""
        if self._path in _HELD:
            _HELD.discard(self._path)
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._file.close()


def in_use(folder: Path) -> bool:
    """Whether a process, perhaps this one, holds a folder."""
    path = (folder / LOCK).resolve()
    if path in _HELD:
        return True
    try:
        file = path.open("r+b")
    except OSError:
        return False
    with file:
        try:
            _lock(file)
        except BlockingIOError:
            return True
        except OSError:
            return False  # a file system without locks
    return False


def _lock_patiently(file: IO[bytes]) -> None:
    """Lock; who only looks whether a folder is in use holds it for a moment, too."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(BlockingIOError):
            return _lock(file)
        time.sleep(TRY_S)
    return _lock(file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(str(error)) from error

else:
    import errno
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        # not flock: a forked child would go on holding it after its parent is gone
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0, os.SEEK_SET)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise BlockingIOError(str(error)) from error
            raise
