"""Writes a session's folder: every click of every neurite, and everything else that happens."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from uuid import uuid4

from bcannot_core.closing import Closing
from bcannot_core.errors import JournalError
from bcannot_core.session import ClickToken
from bcannot_core.session.journal import JournalHeader
from bcannot_core.sittings import facts as kinds
from bcannot_core.sittings.facts import NeuriteFacts, fold
from bcannot_core.sittings.lines import RECORD, Record, SittingEvent, SittingHeader, read_record
from bcannot_core.sittings.lock import FolderLock
from bcannot_core.sittings.syncing import Syncer
from bcannot_core.sittings.track import Track

OPEN_JOURNALS = 8
"""So many journals are held open; the others are opened again when a click comes."""

OnError = Callable[[JournalError], None]


class SittingWriter(Closing):
    """A session that is being recorded.

    Made by :meth:`begin` or :meth:`resume`. When a method returns, what it wrote survives a kill of
    the process; against a loss of power it is put on the disk every few seconds. Nothing that goes
    wrong later stops the session: what cannot be written is kept and written first at the next
    event, and ``on_error`` is called once until it works again.
    """

    def __init__(
        self, folder: Path, lock: FolderLock, record: Record, on_error: OnError | None
    ) -> None:
        self.folder = folder
        self.id = ""
        self._lock = lock
        self._record = record
        self._waiting: deque[SittingEvent] = deque()
        self._on_error = on_error
        self._failing = False
        self._syncer = Syncer()
        self._tracks: dict[int, Track] = {}
        self._recent: dict[int, Track] = {}
        self._last = self._at_ms = 0
        self._open = True

    # ------------------------------------------------------------------------------ begin
    @classmethod
    def begin(
        cls,
        root: Path,
        *,
        meta: Mapping[str, Any] | None = None,
        on_error: OnError | None = None,
    ) -> Self:
        """Make a new folder, named by date and time, in ``root``.

        Raises
        ------
        JournalError
            It cannot be made or written.
        """
        begun = datetime.now().astimezone()
        folder = _new_folder(root, begun)
        header = SittingHeader(uuid4().hex, _now_ms(), dict(meta or {}))
        try:
            lock = _locked(folder)
            try:
                record = Record.create(folder / RECORD, header)
            except JournalError:
                lock.release()
                raise
        except JournalError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            raise
        writer = cls(folder, lock, record, on_error)
        writer.id = header.id
        return writer

    @classmethod
    def resume(cls, folder: Path, *, on_error: OnError | None = None) -> Self:
        """Go on with a session, one that was interrupted too; torn lines are cut off.

        Raises
        ------
        JournalError
            It is damaged, being recorded by somebody else, or cannot be written.
        """
        lock = _locked(folder)
        try:
            contents = read_record(folder / RECORD)
            known = fold(contents.events, folder)
            record = Record.open(folder / RECORD)
        except JournalError:
            lock.release()
            raise
        writer = cls(folder, lock, record, on_error)
        writer.id = contents.header.id
        writer._last = max(known.neurites, default=0)
        writer._at_ms = max((event.at_ms for event in contents.events), default=0)
        for number, neurite in known.neurites.items():
            with contextlib.suppress(JournalError):  # readers say which journal is damaged
                writer._tracks[number] = Track.resume(folder / neurite.journals[-1])
        writer.note(kinds.RESUMED)
        return writer

    def report_to(self, on_error: OnError) -> None:
        """Tell somebody else of what cannot be written from now on."""
        self._on_error, self._failing = on_error, False

    # ---------------------------------------------------------------------------- neurites
    def add(
        self,
        facts: NeuriteFacts,
        header: JournalHeader,
        clicks: Iterable[ClickToken] = (),
        confidences: Mapping[int, float | None] = MappingProxyType({}),
    ) -> int:
        """Take note of a new neurite, its clicks so far and how sure a policy was of some.

        Returns
        -------
        int
            The neurite's number in the session.
        """
        self._last += 1
        number = self._last
        self._track(number, header, clicks, confidences)
        name = self._tracks[number].path.name
        self.note(kinds.NEURITE, neurite=number, journal=name, **facts.to_fields())
        return number

    def click(self, number: int, token: ClickToken, confidence: float | None = None) -> None:
        """Write one click of a neurite, and how sure the policy was of it."""
        self._write(number, [(token, confidence)])

    def begin_again(
        self,
        number: int,
        header: JournalHeader,
        clicks: Iterable[ClickToken],
        confidences: Mapping[int, float | None] = MappingProxyType({}),
    ) -> None:
        """Go on with a neurite in a new journal, which begins with clicks made again."""
        clicks = tuple(clicks)
        self._close_track(number)
        self._track(number, header, clicks, confidences)
        name = self._tracks[number].path.name
        self.note(kinds.JOURNAL, neurite=number, journal=name, carried=len(clicks))

    def change(self, number: int, **fields: Any) -> None:
        """Take note of another name, colour, status, note, parent or place of a neurite."""
        self.note(kinds.CHANGED, neurite=number, **fields)

    def remove(self, number: int) -> None:
        """Take note that a neurite was removed; its clicks stay in the folder."""
        self.note(kinds.REMOVED, neurite=number)

    def restore(self, number: int) -> None:
        """Take note that a removed neurite is back."""
        self.note(kinds.RESTORED, neurite=number)

    def activate(self, number: int) -> None:
        """Take note of which neurite is at hand."""
        self.note(kinds.ACTIVE, neurite=number)

    def fingerprint(self, volume: str, fingerprint: str) -> None:
        """Take note of a volume's fingerprint, which may be known later than its first click."""
        self.note(kinds.FINGERPRINT, volume=volume, fingerprint=fingerprint)

    def note(self, kind: str, **fields: Any) -> None:
        """Write any other event; readers that do not know its kind keep it."""
        self._waiting.append(SittingEvent(kind, self._tick(), fields))
        self._try(self._flush_record)

    # --------------------------------------------------------------------------------- end
    def close(self) -> None:
        """End the session in order: nothing is to be restored."""
        self._end(closed=True)

    def discard(self) -> None:
        """Let go of the folder as it is: the session counts as interrupted."""
        self._end(closed=False)

    def _end(self, *, closed: bool) -> None:
        if not self._open:
            return
        if closed:
            self.note(kinds.CLOSED)
        for number in tuple(self._tracks):
            self._close_track(number)
        self._open = False
        self._syncer.close()
        self._record.discard()
        self._lock.release()

    # ---------------------------------------------------------------------------- internal
    def _track(
        self,
        number: int,
        header: JournalHeader,
        clicks: Iterable[ClickToken],
        confidences: Mapping[int, float | None],
    ) -> None:
        self._tracks[number] = Track(_free(self.folder, number), header)
        self._write(number, [(token, confidences.get(i)) for i, token in enumerate(clicks)])

    def _write(self, number: int, clicks: Iterable[tuple[ClickToken, float | None]]) -> None:
        track = self._tracks.get(number)
        if track is None:  # its journal was lost before the session was resumed
            return
        at_ms = self._tick()
        track.waiting.extend((token, at_ms, confidence) for token, confidence in clicks)
        self._try(lambda: track.flush(self._syncer))
        self._recent.pop(number, None)
        self._recent[number] = track
        if len(self._recent) > OPEN_JOURNALS:
            oldest = self._recent.pop(next(iter(self._recent)))
            self._try(oldest.park)

    def _tick(self) -> int:
        """Return the time, later than that of whatever was written before: it gives the order."""
        self._at_ms = max(_now_ms(), self._at_ms + 1)
        return self._at_ms

    def _close_track(self, number: int) -> None:
        track = self._tracks.pop(number, None)
        self._recent.pop(number, None)
        if track is not None:
            self._try(lambda: track.flush(self._syncer))
            track.close()

    def _flush_record(self) -> None:
        while self._waiting:
            self._record.append(self._waiting.popleft())
        self._record.flush()
        self._syncer.wrote(self._record)

    def _try(self, write: Callable[[], None]) -> None:
        if not self._open:
            return
        try:
            write()
        except JournalError as error:
            first, self._failing = not self._failing, True
            if first and self._on_error is not None:
                self._on_error(error)
        else:
            self._failing = False


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _new_folder(root: Path, begun: datetime) -> Path:
    stamp = begun.strftime("%Y-%m-%d_%H-%M-%S")
    try:
        root.mkdir(parents=True, exist_ok=True)
        for n in range(1, 1000):
            folder = root / (stamp if n == 1 else f"{stamp}_{n}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        raise JournalError(
            f"cannot make a session's folder in {root}: {error.strerror or error}; choose another "
            "place"
        ) from error
    raise JournalError(f"there are too many sessions of {stamp} in {root}: choose another place")


def _locked(folder: Path) -> FolderLock:
    try:
        return FolderLock(folder)
    except BlockingIOError as error:
        raise JournalError(
            f"session {folder} is being recorded: close it where it is open first"
        ) from error
    except OSError as error:
        raise JournalError(
            f"cannot write in session {folder}: {error.strerror or error}"
        ) from error


def _free(folder: Path, number: int) -> Path:
    """Return a journal's file that is not there yet."""
    path = folder / f"neurite-{number:03d}.jsonl"
    n = 1
    while path.exists():
        n += 1
        path = folder / f"neurite-{number:03d}-{n}.jsonl"
    return path
