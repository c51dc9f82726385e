"""The lines of a session folder's record: a header, then one event a line, JSON each.

The clicks themselves stand in the journals beside it. See ``docs/formats.md``.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from bcannot_core.errors import JournalError
from bcannot_core.session.line_file import LineFile

RECORD = "session.jsonl"
"""Name of the record in a session's folder."""
FORMAT = "bcannot-session"
VERSION = 1
MAX_LINE_BYTES = 65_536
MAX_EVENTS = 1_000_000


@dataclass(frozen=True)
class SittingHeader:
    """Which session this is: the first line of its record.

    Attributes
    ----------
    id : str
        Names the session wherever its folder is moved to.
    begun_ms : int
        When it began, milliseconds since 1970 (UTC).
    meta : mapping
        Anything else worth keeping, JSON values.
    """

    id: str
    begun_ms: int
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SittingEvent:
    """One event of a session that is no click.

    Attributes
    ----------
    kind : str
        What happened; kinds that a reader does not know are kept.
    at_ms : int
        When, milliseconds since 1970 (UTC).
    fields : mapping
        What belongs to it, JSON values.
    """

    kind: str
    at_ms: int
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordContents:
    """What a record holds: its header, its whole events, and how many torn bytes follow them."""

    header: SittingHeader
    events: tuple[SittingEvent, ...]
    torn_bytes: int = 0


class Record(LineFile):
    """An open record: events are appended and handed to the operating system at once."""

    what: ClassVar[str] = "session record"

    @classmethod
    def create(cls, path: Path, header: SittingHeader) -> Self:
        """Start a record in a new file.

        Raises
        ------
        JournalError
            The file exists or cannot be written, or the header cannot be stored.
        """
        body = {"id": header.id, "begun": header.begun_ms, "meta": dict(header.meta)}
        return cls._create(path, _dump({"format": FORMAT, "version": VERSION, **body}), None)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Go on with a record; a torn tail is cut off first.

        Raises
        ------
        JournalError
            The file is missing, damaged, of another version, or cannot be written.
        """
        data = _read_bytes(path)
        torn = _parse(data, path).torn_bytes
        whole = data[: len(data) - torn].split(b"\n")[:-1]
        return cls._open(path, [line + b"\n" for line in whole], torn, None)

    def append(self, event: SittingEvent) -> None:
        """Add one event.

        Raises
        ------
        JournalError
            The event cannot be stored, or the file cannot be written (the event is kept then).
        """
        if len(self) >= MAX_EVENTS:
            raise JournalError(f"{self.path} has {MAX_EVENTS} events, the most it may have")
        reserved = {"i": len(self), "event": event.kind, "at": event.at_ms}
        self._lines.append(_dump({**reserved, **event.fields, **reserved}))
        self.flush()


def read_record(path: str | os.PathLike[str]) -> RecordContents:
    """Read a record up to its last whole line; it may be one that is being written.

    Raises
    ------
    JournalError
        The file is missing, no record, of another version, or damaged before its last line.
    """
    path = Path(path)
    return _parse(_read_bytes(path), path)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalError(
            f"cannot read session record {path}: {error.strerror or error}"
        ) from error


def _dump(body: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise JournalError(
            f"a session's event holds a value that JSON does not know: {error}"
        ) from error
    line = text.encode("ascii") + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise JournalError(f"a session's event has {len(line)} bytes, more than {MAX_LINE_BYTES}")
    return line


def _parse(data: bytes, path: Path) -> RecordContents:
    *lines, tail = data.split(b"\n")
    if not lines:
        raise JournalError(f"session record {path} has no whole first line: nothing is in it")
    header = _header(_object(lines[0]), path)
    events: list[SittingEvent] = []
    for number, line in enumerate(lines[1:]):
        body = _object(line)
        if body is None and number == len(lines) - 2 and not tail:
            return RecordContents(header, tuple(events), len(line) + 1)
        if body is None or body.pop("i", None) != number:
            raise JournalError(f"session record {path} is damaged at line {number + 2}")
        events.append(_event(body, path, number + 2))
    return RecordContents(header, tuple(events), len(tail))


def _object(line: bytes) -> dict[str, Any] | None:
    if len(line) > MAX_LINE_BYTES:
        return None
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _header(body: dict[str, Any] | None, path: Path) -> SittingHeader:
    if body is None or body.get("format") != FORMAT:
        raise JournalError(f"{path} is no session record: its first line does not say {FORMAT!r}")
    if body.get("version") != VERSION:
        raise JournalError(
            f"session record {path} has version {body.get('version')!r}, this program reads "
            f"{VERSION}: use the program that wrote it"
        )
    name, begun, meta = body.get("id"), body.get("begun"), body.get("meta", {})
    if not (isinstance(name, str) and is_whole(begun) and isinstance(meta, dict)):
        raise JournalError(f"session record {path}: its first line says {body!r}"[:300])
    return SittingHeader(name, int(begun), meta)  # type: ignore[arg-type]


def _event(body: dict[str, Any], path: Path, line: int) -> SittingEvent:
    kind, at_ms = body.pop("event", None), body.pop("at", None)
    if not isinstance(kind, str) or not is_whole(at_ms):
        raise JournalError(f"session record {path} is damaged at line {line}: no event with a time")
    return SittingEvent(kind, int(at_ms), body)


def is_whole(value: object) -> bool:
    """Whether a JSON value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)
