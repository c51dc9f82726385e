"""A file that lines are appended to, each handed to the operating system at once.

A kill of the process loses at most the line in flight. When the disk is full the lines are kept in
memory, and every later line writes what is pending first.
"""

import os
import time
from pathlib import Path
from typing import IO, ClassVar, Self

from bcannot_core.closing import Closing
from bcannot_core.errors import JournalError


class LineFile(Closing):
    """An open file of lines; what the lines say is its subclasses' affair.

    Parameters
    ----------
    path : Path
        The file.
    file : binary file
        Open for writing, without a buffer.
    lines : list of bytes
        What it holds or is to hold, a line feed at the end of each.
    fsync_s : float or None
        Longest time between two appends' requests to put the file on the disk itself; None never
        asks.
    """

    what: ClassVar[str] = "file"
    """What messages call it."""

    def __init__(self, path: Path, file: IO[bytes], lines: list[bytes], fsync_s: float | None):
        self.path = path
        self.repaired_bytes = 0
        self._file = file
        self._lines = lines
        self._saved = 0
        self._size = 0
        self._torn = False  # a failed write may have left part of itself behind
        self._parked = False
        self._fsync_s = fsync_s
        self._synced_at = time.monotonic()

    @classmethod
    def _create(cls, path: Path, first: bytes, fsync_s: float | None) -> Self:
        """Start a new file with its first line."""
        try:
            file = path.open("xb", buffering=0)
        except FileExistsError:
            raise JournalError(
                f"{cls.what} {path} exists: open it to go on, or choose another name"
            ) from None
        except OSError as error:
            raise JournalError(
                f"cannot create {cls.what} {path}: {error.strerror or error}"
            ) from error
        made = cls(path, file, [first], fsync_s)
        try:
            made.flush()
        except JournalError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return made

    @classmethod
    def _open(cls, path: Path, lines: list[bytes], torn_bytes: int, fsync_s: float | None) -> Self:
        """Go on with a file that holds ``lines``, after cutting off its torn tail."""
        try:
            file = path.open("r+b", buffering=0)
            size = file.seek(0, os.SEEK_END) - torn_bytes
            file.truncate(size)
            file.seek(size)
        except OSError as error:
            raise JournalError(
                f"cannot append to {cls.what} {path}: {error.strerror or error}"
            ) from error
        made = cls(path, file, lines, fsync_s)
        made._saved, made._size = len(lines), size
        made.repaired_bytes = torn_bytes
        return made

    def __len__(self) -> int:
        """Return the number of events, pending ones included."""
        return len(self._lines) - 1

    @property
    def pending(self) -> int:
        """Events that are not in the file yet, because writing them failed."""
        return len(self._lines) - self._saved

    def fileno(self) -> int:
        """Return the file's descriptor, to put it on the disk from another thread."""
        return self._file.fileno()

    def flush(self) -> None:
        """Write what is pending, after cutting off what a failed write left behind.

        Raises
        ------
        JournalError
            The file cannot be written; everything stays pending.
        """
        if self._saved == len(self._lines):
            return
        data = b"".join(self._lines[self._saved :])
        try:
            if self._parked:
                self._file = self.path.open("r+b", buffering=0)
                self._parked = False
            self._check_file()
            self._torn = True
            _write_all(self._file, data)
            self._torn = False
            self._size += len(data)
            self._saved = len(self._lines)
            self._sync()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise JournalError(
                f"cannot write {self.what} {self.path}: {reason}; {self.pending} events are kept "
                f"in memory: free space and go on, or save the {self.what} elsewhere"
            ) from error

    def park(self) -> None:
        """Close the file until the next line: so many files can be had that few are open.

        Raises
        ------
        JournalError
            Pending lines could not be written; the file stays open.
        """
        self.flush()
        if not self._file.closed:
            self._file.close()
            self._parked = True

    def save_as(self, path: str | os.PathLike[str]) -> None:
        """Write the whole file, pending events included, to a new one and go on there.

        Raises
        ------
        JournalError
            The file exists or cannot be written; this one stays where it was.
        """
        path = Path(path)
        try:
            file = path.open("xb", buffering=0)
        except OSError as error:
            raise JournalError(
                f"cannot create {self.what} {path}: {error.strerror or error}"
            ) from error
        other = type(self)(path, file, self._lines, self._fsync_s)
        try:
            other.flush()
        except JournalError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        self._file.close()
        self.path, self._file = path, file
        self._saved, self._size, self._torn = other._saved, other._size, False
        self._parked = False

    def close(self) -> None:
        """Write what is pending, put it on the disk and close the file.

        Raises
        ------
        JournalError
            Pending events could not be written; the file stays open.
        """
        if self._file.closed:
            return
        self.flush()
        self._synced_at = float("-inf")
        try:
            self._sync()
        except OSError as error:
            raise JournalError(
                f"cannot sync {self.what} {self.path}: {error.strerror or error}"
            ) from error
        self._file.close()

    def discard(self) -> None:
        """Close the file as it is, giving up what is pending."""
        self._file.close()
        self._parked = False

    def _check_file(self) -> None:
        """See that the file ends where the last event ended, or make it so after a failure."""
        status = os.fstat(self._file.fileno())
        if os.name == "posix" and status.st_nlink == 0:
            raise OSError("the file was deleted")
        if status.st_size != self._size:
            if not self._torn:
                raise OSError("another program changed the file")
            self._file.truncate(self._size)
        self._file.seek(self._size)

    def _sync(self) -> None:
        now = time.monotonic()
        if self._fsync_s is not None and now - self._synced_at >= self._fsync_s:
            os.fsync(self._file.fileno())
            self._synced_at = now


def _write_all(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = file.write(view)
        if not written:
            raise OSError("nothing could be written")
        view = view[written:]
