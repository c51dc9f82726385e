"""The journal of a session: one line per event, on disk before the next event happens.

The first line describes the session, every further line is one click token, both JSON. A line is
handed to the operating system in one unbuffered write, so that killing the process loses at most
the event in flight.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

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
from bcannot_core.session.line_file import LineFile

__all__ = ["Journal", "JournalContents", "JournalHeader", "JournalRecorder", "read_journal"]


class Journal(LineFile):
    """An open journal: events are appended and handed to the operating system at once.

    Made by :meth:`create` or :meth:`open`. When the disk is full, :meth:`append` raises
    :class:`JournalError` and keeps the event; the session goes on, and every later append, or
    :meth:`flush`, writes what is pending first. :meth:`save_as` writes everything elsewhere.
    """

    what: ClassVar[str] = "journal"

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
        return cls._create(Path(path), encode_header(header), fsync_s)

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
        events = zip(contents.clicks, contents.times, contents.confidences, strict=True)
        lines += [encode_event(i, *event) for i, event in enumerate(events)]
        return cls._open(path, lines, contents.torn_bytes, fsync_s)

    def append(
        self, token: ClickToken, at_ms: int | None = None, confidence: float | None = None
    ) -> None:
        """Add one event; when this returns the event survives a kill of the process.

        Parameters
        ----------
        token : ClickToken
            The event.
        at_ms : int, optional
            When it happened: milliseconds since 1970, UTC.
        confidence : float, optional
            How sure the policy was, 0 to 1.

        Raises
        ------
        JournalError
            The token cannot be stored (nothing is kept of it), or the file cannot be written
            (the event is kept in memory and counted in ``pending``).
        """
        if len(self) >= MAX_EVENTS:
            raise JournalError(f"journal {self.path} has {MAX_EVENTS} events, the most it may have")
        self._lines.append(encode_event(len(self), token, at_ms, confidence))
        self.flush()


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
