"""Which sessions there are, without reading more of them than needed."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bcannot_core.errors import JournalError
from bcannot_core.sittings.facts import CLOSED
from bcannot_core.sittings.lines import RECORD
from bcannot_core.sittings.lock import in_use
from bcannot_core.sittings.reader import SittingReader

State = Literal["recording", "interrupted", "closed", "damaged"]

_TAIL_BYTES = 512
_ACTORS = ("person", "policy", "annotator")
_Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class SittingInfo:
    """A session at a glance.

    Attributes
    ----------
    folder : Path
        Where it lies.
    state : str
        ``"recording"``: somebody is at it; ``"interrupted"``: it was not ended in order, so there
        is something to restore; ``"closed"``; ``"damaged"``.
    id : str
        Its name wherever the folder lies.
    begun_ms, changed_ms : int
        When it began and when its folder changed last, milliseconds since 1970 (UTC).
    neurites : tuple of str
        Names of the neurites, without those removed.
    clicks : int
        How many clicks were made on them.
    by_person : int
        How many of these a person made.
    volumes : tuple of str
        Addresses of what was traced in.
    problem : str
        What is wrong with it; empty where nothing is.
    """

    folder: Path
    state: State
    id: str = ""
    begun_ms: int = 0
    changed_ms: int = 0
    neurites: tuple[str, ...] = ()
    clicks: int = 0
    by_person: int = 0
    volumes: tuple[str, ...] = ()
    problem: str = ""
    signature: _Signature = field(default=(), repr=False)


def list_sittings(root: Path, known: Iterable[SittingInfo] = ()) -> list[SittingInfo]:
    """Return the sessions in a folder, the latest first.

    Parameters
    ----------
    root : Path
        May be missing: then there are none.
    known : iterable of SittingInfo
        From an earlier call: what did not change since is not read again.

    Raises
    ------
    JournalError
        The folder cannot be read.
    """
    before = {info.folder: info for info in known}
    return [_look(folder, before.get(folder)) for folder in _folders(root)]


def look_at(folder: Path) -> SittingInfo:
    """Return one session at a glance."""
    return _look(folder, None)


def interrupted(root: Path) -> SittingInfo | None:
    """Return the latest session that was not ended in order and has clicks; None for none.

    Raises
    ------
    JournalError
        The folder cannot be read.
    """
    for folder in _folders(root):
        if not _ends_closed(folder / RECORD):
            info = _look(folder, None)
            if info.state == "interrupted" and info.clicks:
                return info
    return None


def delete_sitting(folder: Path) -> None:
    """Delete a session's folder with everything in it.

    Raises
    ------
    JournalError
        It is no session's folder, being recorded, or cannot be deleted.
    """
    if folder.is_symlink() or not (folder / RECORD).is_file():
        raise JournalError(f"{folder} is not a session's folder: nothing was deleted")
    if in_use(folder):
        raise JournalError(f"session {folder.name} is being recorded: close it first")
    aside = folder.with_name(f".{folder.name}.deleted")
    try:
        folder.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise JournalError(
            f"session {folder} cannot be deleted: {error.strerror or error}"
        ) from error


def delete_sittings(folders: Iterable[Path]) -> list[str]:
    """Delete sessions; return a line for each that cannot be deleted."""
    problems = []
    for folder in folders:
        try:
            delete_sitting(folder)
        except JournalError as error:
            problems.append(" ".join(str(error).split()))
    return problems


def _folders(root: Path) -> list[Path]:
    """Return the sessions' folders, the latest first."""
    try:
        return sorted((p for p in root.iterdir() if (p / RECORD).is_file()), reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(f"cannot read {root}: {error.strerror or error}") from error


def _ends_closed(record: Path) -> bool:
    """Whether the last line of a record says that the session was ended in order."""
    try:
        with record.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    except OSError:
        return False
    return b'"event":"%s"' % CLOSED.encode() in last


def _look(folder: Path, known: SittingInfo | None) -> SittingInfo:
    busy = in_use(folder)
    try:
        signature = _signature(folder)
        if known is None or known.signature != signature or known.state == "recording":
            known = _read(folder, signature)
    except (JournalError, OSError) as error:
        return SittingInfo(folder, "damaged", problem=" ".join(str(error).split()))
    if busy:
        return replace(known, state="recording")
    return known


def _signature(folder: Path) -> _Signature:
    """Return what tells whether something in the folder changed."""
    with os.scandir(folder) as entries:
        stats = [(e.name, e.stat()) for e in entries if e.name.endswith(".jsonl")]
    return tuple(sorted((name, s.st_size, s.st_mtime_ns) for name, s in stats))


def _read(folder: Path, signature: _Signature) -> SittingInfo:
    reader = SittingReader.open(folder)
    clicks, by_person = 0, 0
    volumes: dict[str, None] = {}
    problem = ""
    for neurite in reader.neurites:
        try:
            data = (folder / neurite.journals[-1]).read_bytes()
        except OSError as error:
            problem = f"{neurite.journals[-1]}: {error.strerror or error}"
            continue
        # quotes inside a text are escaped, so that this stands for nothing but the field
        made = {actor: data.count(b'"actor":"%s"' % actor.encode()) for actor in _ACTORS}
        clicks, by_person = clicks + sum(made.values()), by_person + made["person"]
        address = neurite.facts.place.get("address")
        if isinstance(address, str):
            volumes[address] = None
    return SittingInfo(
        folder,
        "closed" if reader.facts.closed else "interrupted",
        reader.id,
        reader.record.header.begun_ms,
        max((mtime for _, _, mtime in signature), default=0) // 1_000_000,
        tuple(one.facts.name for one in reader.neurites),
        clicks,
        by_person,
        tuple(volumes),
        problem,
        signature,
    )
