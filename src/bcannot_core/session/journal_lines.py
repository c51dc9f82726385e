"""The lines of a journal: a header, then one event a line, JSON each. See ``docs/formats.md``."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from bcannot_core.errors import JournalError
from bcannot_core.session.clicks import ClickToken

FORMAT = "bcannot-journal"
VERSION = 1
MAX_HEADER_BYTES = 65_536
MAX_EVENT_BYTES = 1_024
MAX_EVENTS = 1_000_000
_LIMITS = {"x": 0xFFFF, "y": 0xFFFF, "flags": 0xFFFF, "ms": 0xFFFF_FFFF}
_EVENT_FIELDS = ("x", "y", "actor", "flags", "ms", "action")
_HEADER_TYPES: dict[str, type | tuple[type, ...]] = {
    "task": str,
    "config": dict,
    "data": (dict, type(None)),
    "variant": str,
    "seed": int,
    "meta": dict,
}


@dataclass(frozen=True)
class JournalHeader:
    """What a session is about: the first line of its journal.

    Attributes
    ----------
    task : str
        Task id.
    config : mapping
        The task's configuration, JSON values only.
    data : mapping or None
        Reference to the data that the session looks at.
    variant : str
        Interface variant.
    seed : int
        Seed of the task, 0 where the data decide everything.
    meta : mapping
        Anything else worth keeping; does not change the replay.
    """

    task: str
    config: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] | None = None
    variant: str = "original"
    seed: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JournalContents:
    """What a journal holds.

    Attributes
    ----------
    header : JournalHeader
        Its first line.
    clicks : tuple of ClickToken
        Its whole events.
    torn_bytes : int
        How many torn bytes follow them.
    times : tuple
        When each event happened, milliseconds since 1970 (UTC); None where that was not noted.
    confidences : tuple
        How sure the policy was of each event, 0 to 1; None where that was not noted.
    """

    header: JournalHeader
    clicks: tuple[ClickToken, ...]
    torn_bytes: int = 0
    times: tuple[int | None, ...] = field(default=(), compare=False)
    confidences: tuple[float | None, ...] = field(default=(), compare=False)


def read_journal(path: str | os.PathLike[str]) -> JournalContents:
    """Read a journal up to its last whole line.

    Parameters
    ----------
    path : path
        The file; it may be one that is being written.

    Returns
    -------
    JournalContents
        ``torn_bytes`` counts what follows the last whole line: the event in flight when the
        process was killed.

    Raises
    ------
    JournalError
        The file is missing, no journal, of another version, or damaged before its last line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except OSError as error:
        raise JournalError(f"cannot read journal {path}: {error.strerror or error}") from error


def encode_header(header: JournalHeader) -> bytes:
    """Return the first line of a journal."""
    try:
        body = {"format": FORMAT, "version": VERSION, **asdict(header)}
        line = _dump(body)
    except (TypeError, ValueError) as error:
        raise JournalError(
            f"the journal's header holds a value that JSON does not know: {error}"
        ) from error
    if len(line) > MAX_HEADER_BYTES:
        raise JournalError(
            f"the journal's header has {len(line)} bytes, more than {MAX_HEADER_BYTES}"
        )
    return line


def encode_event(
    index: int, token: ClickToken, at_ms: int | None = None, confidence: float | None = None
) -> bytes:
    """Return the line of one event, checked; when it happened, and how sure a policy was of it."""
    body = {"i": index, **{name: getattr(token, name) for name in _EVENT_FIELDS}}
    _check_event(body, "the event")
    more: dict[str, Any] = {} if at_ms is None else {"at": int(at_ms)}
    if confidence is not None and math.isfinite(confidence):
        more["confidence"] = round(float(confidence), 4)
    line = _dump({**body, **{name: int(body[name]) for name in _LIMITS}, **more})
    if len(line) > MAX_EVENT_BYTES:
        raise JournalError(f"an event has {len(line)} bytes, more than {MAX_EVENT_BYTES}")
    return line


def _dump(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii") + b"\n"


def _read(file: IO[bytes], path: Path) -> JournalContents:
    first = file.readline(MAX_HEADER_BYTES + 1)
    if not first.endswith(b"\n"):
        if len(first) > MAX_HEADER_BYTES:
            raise JournalError(f"{path} is not a journal: its first line is too long")
        raise JournalError(f"journal {path} has no whole first line: nothing was recorded in it")
    header = _decode_header(first, path)
    clicks: list[ClickToken] = []
    times: list[int | None] = []
    sure: list[float | None] = []
    torn = 0
    while line := file.readline(MAX_EVENT_BYTES + 1):
        event = _decode_event(line, len(clicks), path)
        if event is None:
            rest = _rest_of_torn_line(file, line)
            if rest is None:
                raise JournalError(f"journal {path} is damaged at line {len(clicks) + 2}")
            torn = len(line) + rest
            break
        if len(clicks) >= MAX_EVENTS:
            raise JournalError(f"journal {path} has more than {MAX_EVENTS} events")
        clicks.append(event[0])
        times.append(event[1])
        sure.append(event[2])
    return JournalContents(header, tuple(clicks), torn, tuple(times), tuple(sure))


def _rest_of_torn_line(file: IO[bytes], line: bytes) -> int | None:
    """Return how many bytes follow without a whole line in them; None where a line follows."""
    if line.endswith(b"\n"):
        return None if file.read(1) else 0
    rest = 0
    while chunk := file.read(1 << 16):
        if b"\n" in chunk:
            return None
        rest += len(chunk)
    return rest


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the object on a line, None where the line holds none."""
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _decode_header(line: bytes, path: Path) -> JournalHeader:
    body = _parse(line)
    if body is None or body.get("format") != FORMAT:
        raise JournalError(f"{path} is not a journal: its first line does not say {FORMAT!r}")
    if body.get("version") != VERSION:
        raise JournalError(
            f"journal {path} has version {body.get('version')!r}, this program reads {VERSION}: "
            "use the program that wrote it"
        )
    values = {name: body[name] for name in _HEADER_TYPES if name in body}
    for name, kind in _HEADER_TYPES.items():
        if name == "task" and name not in values:
            raise JournalError(f"journal {path} does not name its task")
        if name in values and (
            not isinstance(values[name], kind) or isinstance(values[name], bool)
        ):
            raise JournalError(f"journal {path}: {name} is {values[name]!r}, which it may not be")
    return JournalHeader(**values)


def _decode_event(
    line: bytes, index: int, path: Path
) -> tuple[ClickToken, int | None, float | None] | None:
    """Return the token on a line, its time and confidence; None where the line is torn."""
    body = _parse(line) if line.endswith(b"\n") else None
    if body is None:
        return None
    where = f"journal {path}, line {index + 2}"
    if body.get("i") != index:
        raise JournalError(f"{where}: event {body.get('i')!r} stands where event {index} should")
    _check_event(body, where)
    at_ms, sure = body.get("at"), body.get("confidence")
    return (
        ClickToken(**{name: body[name] for name in _EVENT_FIELDS}),
        at_ms if isinstance(at_ms, int) and not isinstance(at_ms, bool) else None,
        float(sure) if isinstance(sure, int | float) and 0 <= sure <= 1 else None,
    )


def _check_event(body: Mapping[str, Any], where: str) -> None:
    for name, most in _LIMITS.items():
        value = body.get(name)
        whole = hasattr(value, "__index__") and not isinstance(value, bool)
        if not whole or not 0 <= int(value) <= most:  # type: ignore[arg-type]
            raise JournalError(f"{where}: {name} is {value!r}, not a whole number from 0 to {most}")
    for name in ("actor", "action"):
        if not isinstance(body.get(name), str):
            raise JournalError(f"{where}: {name} is {body.get(name)!r}, not a text")
