"""The journal of a session: one line per event, on disk before the next event happens.

The first line describes the session, every further line is one click token, both JSON. A line is
handed to the operating system in one unbuffered write, so that killing the process loses at most
the event in flight.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

from bcannot_core.closing import Closing
from bcannot_core.errors import JournalError
from bcannot_core.session.clicks import ClickToken
from bcannot_core.session.journal_lines import (
    MAX_EVENTS,
    JournalContents,
    JournalHeader,
    encode_event,
    encode_header,
    read_journal,
)

__all__ = ["Journal", "JournalContents", "JournalHeader", "JournalRecorder", "read_journal"]


class Journal(Closing):
    """An open journal: events are appended and handed to the operating system at once.

    Made by :meth:`create` or :meth:`open`. When the disk is full, :meth:`append` raises
    :class:`JournalError` and keeps the event; the session goes on, and every later append, or
    :meth:`flush`, writes what is pending first. :meth:`save_as` writes everything elsewhere.
    """

    def __init__(self, path: Path, file: IO[bytes], lines: list[bytes], fsync_s: float | None):
        self.path = path
        self.repaired_bytes = 0
        self._file = file
        self._lines = lines
        self._saved = 0
        self._size = 0
        self._torn = False  # a failed write may have left part of itself behind
        self._fsync_s = fsync_s
        self._synced_at = time.monotonic()

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], header: JournalHeader, *, fsync_s: float | None = 5.0
    ) -> Self:
        """Start a journal in a new file.

        Parameters
        ----------
        path : path
            The file; it must not exist.
        header : JournalHeader
            Written as the first line.
        fsync_s : float, optional
            Longest time between two appends' requests to put the file on the disk itself, which
            protects against a loss of power; None never asks. A kill of the process never
            loses an event that was appended.

        Raises
        ------
        JournalError
            The file exists or cannot be written, or the header cannot be stored.
        """
        path = Path(path)
        line = encode_header(header)
        try:
            file = path.open("xb", buffering=0)
        except FileExistsError:
            raise JournalError(
                f"journal {path} exists: open it to go on, or choose another name"
            ) from None
        except OSError as error:
            raise JournalError(
                f"cannot create journal {path}: {error.strerror or error}"
            ) from error
        journal = cls(path, file, [line], fsync_s)
        try:
            journal.flush()
        except JournalError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return journal

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, fsync_s: float | None = 5.0) -> Self:
        """Go on with a journal; a torn tail is cut off first (``repaired_bytes`` says how long).

        Raises
        ------
        JournalError
            The file is missing, damaged, of another version, or cannot be written.
        """
        path = Path(path)
        contents = read_journal(path)
        lines = [encode_header(contents.header)]
        lines += [encode_event(i, click) for i, click in enumerate(contents.clicks)]
        try:
            file = path.open("r+b", buffering=0)
            size = file.seek(0, os.SEEK_END) - contents.torn_bytes
            file.truncate(size)
            file.seek(size)
        except OSError as error:
            raise JournalError(
                f"cannot append to journal {path}: {error.strerror or error}"
            ) from error
        journal = cls(path, file, lines, fsync_s)
        journal._saved, journal._size = len(lines), size
        journal.repaired_bytes = contents.torn_bytes
        return journal

    def __len__(self) -> int:
        """Return the number of events, pending ones included."""
        return len(self._lines) - 1

    @property
    def pending(self) -> int:
        """Events that are not in the file yet, because writing them failed."""
        return len(self._lines) - self._saved

    def append(self, token: ClickToken) -> None:
        """Add one event; when this returns the event survives a kill of the process.

        Raises
        ------
        JournalError
            The token cannot be stored (nothing is kept of it), or the file cannot be written
            (the event is kept in memory and counted in ``pending``).
        """
        if len(self) >= MAX_EVENTS:
            raise JournalError(f"journal {self.path} has {MAX_EVENTS} events, the most it may have")
        self._lines.append(encode_event(len(self), token))
        self.flush()

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
                f"cannot write journal {self.path}: {reason}; {self.pending} events are kept in "
                "memory: free space and go on, or save the journal elsewhere"
            ) from error

    def save_as(self, path: str | os.PathLike[str]) -> None:
        """Write the whole journal, pending events included, to a new file and go on there.

        Raises
        ------
        JournalError
            The file exists or cannot be written; the journal stays where it was.
        """
        path = Path(path)
        try:
            file = path.open("xb", buffering=0)
        except OSError as error:
            raise JournalError(
                f"cannot create journal {path}: {error.strerror or error}"
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

    def close(self) -> None:
        """Write what is pending, put it on the disk and close the file.

        Raises
        ------
        JournalError
            Pending events could not be written; the journal stays open.
        """
        if self._file.closed:
            return
        self.flush()
        self._synced_at = float("-inf")
        try:
            self._sync()
        except OSError as error:
            raise JournalError(
                f"cannot sync journal {self.path}: {error.strerror or error}"
            ) from error
        self._file.close()

    def discard(self) -> None:
        """Close the file as it is, giving up what is pending."""
        self._file.close()

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


class JournalRecorder:
    """Listens to a session and appends its tokens to a journal; never stops the session.

    Parameters
    ----------
    journal : Journal
        Where the tokens go.
    on_error : callable, optional
        Called with the :class:`JournalError` when writing begins to fail; once until it works
        again. Without it the error stands in ``error`` alone.
    """

    def __init__(self, journal: Journal, on_error: Callable[[JournalError], None] | None = None):
        self.journal = journal
        self.error: JournalError | None = None
        self._on_error = on_error

    def __call__(self, outcome: object, token: ClickToken) -> None:
        """Append the token; the signature is that of a session's listener."""
        try:
            self.journal.append(token)
        except JournalError as error:
            first, self.error = self.error is None, error
            if first and self._on_error is not None:
                self._on_error(error)
        else:
            self.error = None


def _write_all(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = file.write(view)
        if not written:
            raise OSError("nothing could be written")
        view = view[written:]
