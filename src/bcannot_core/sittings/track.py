"""One neurite's journal in a session's folder, while the session is recorded."""

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bcannot_core.session.journal import Journal, JournalHeader
from bcannot_core.sittings.syncing import Syncer

if TYPE_CHECKING:
    from bcannot_core.session import ClickToken


class Track:
    """A journal that is made when there is something to write, and waits while that is impossible.

    Parameters
    ----------
    path : Path
        The journal, not there yet.
    header : JournalHeader
        Its first line.
    """

    def __init__(self, path: Path, header: JournalHeader) -> None:
        self.path = path
        self.waiting: deque[tuple[ClickToken, int, float | None]] = deque()
        self._header = header
        self._journal: Journal | None = None

    @classmethod
    def resume(cls, path: Path) -> Self:
        """Go on with a journal that is there.

        Raises
        ------
        JournalError
            It is missing, damaged or cannot be written.
        """
        journal = Journal.open(path, fsync_s=None)
        journal.park()
        track = cls(path, JournalHeader(""))
        track._journal = journal
        return track

    def flush(self, syncer: Syncer) -> None:
        """Write what waits.

        Raises
        ------
        JournalError
            It cannot be written; it goes on waiting.
        """
        if self._journal is None:
            self._journal = Journal.create(self.path, self._header, fsync_s=None)
            syncer.wrote(self._journal)
        if not self.waiting and not self._journal.pending:
            return
        while self.waiting:
            self._journal.append(*self.waiting.popleft())
        self._journal.flush()
        syncer.wrote(self._journal)

    def park(self) -> None:
        """Hold the file closed until the next click.

        Raises
        ------
        JournalError
            What is pending cannot be written; the file stays open.
        """
        if self._journal is not None:
            self._journal.park()

    def close(self) -> None:
        """Close the file."""
        if self._journal is not None:
            self._journal.discard()
            self._journal = None
