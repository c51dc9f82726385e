"""Volumes that are known by name: public ones that need no account, and the person's own."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import platformdirs

from bcannot_core.errors import UsageError, VolumeFormatError
from bcannot_core.volumes.atomic import write_atomic
from bcannot_core.volumes.base import VoxelNm

MAX_BYTES = 2**20
_TEXTS = ("name", "title", "kind", "address", "source")


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A volume that is known by name.

    Attributes
    ----------
    name : str
        Short name; ``open_volume`` takes it as an address.
    title : str
        What it shows.
    kind : str
        ``"em"`` or ``"labels"``.
    address : str
        Where it is.
    voxel_nm : tuple of float or None
        Voxel size (z, y, x) of the finest scale in nm, where it is known beforehand.
    labels : str or None
        Name of the entry with its labels, or their address.
    source : str
        What to cite.
    """

    name: str
    title: str
    kind: str
    address: str
    voxel_nm: VoxelNm | None = None
    labels: str | None = None
    source: str = ""


@cache
def public_catalogue() -> tuple[CatalogueEntry, ...]:
    """Return the public volumes."""
    text = files("bcannot_core.volumes").joinpath("catalogue.json").read_text(encoding="utf-8")
    return parse_catalogue(text, "the catalogue of public volumes")


def own_catalogue_path() -> Path:
    """Return the file with the person's own entries; the same format as the public one."""
    return platformdirs.user_config_path("bcannot", appauthor=False) / "catalogue.json"


def own_catalogue() -> tuple[CatalogueEntry, ...]:
    """Return the person's own entries.

    Raises
    ------
    VolumeFormatError
        The file is damaged.
    """
    path = own_catalogue_path()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise VolumeFormatError(f"{path} is larger than {MAX_BYTES} bytes: no catalogue")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise VolumeFormatError(f"{path} cannot be read: {error}; mend or delete it") from error
    return parse_catalogue(text, str(path))


def catalogue() -> tuple[CatalogueEntry, ...]:
    """Return all volumes that are known by name, the person's own ones first.

    A damaged file of own ones counts as empty: `own_catalogue` says what is wrong with it.
    """
    try:
        own = own_catalogue()
    except VolumeFormatError:
        own = ()
    names = {entry.name for entry in own}
    return (*own, *(entry for entry in public_catalogue() if entry.name not in names))


def find_volume(name: str) -> CatalogueEntry | None:
    """Return the volume of this name, or None."""
    return next((entry for entry in catalogue() if entry.name == name), None)


def remember(entry: CatalogueEntry) -> None:
    """Add an entry to the person's own ones, in place of one with its name.

    Raises
    ------
    UsageError
        It has no name, title or address, or the name looks like an address.
    VolumeFormatError
        The file is damaged or cannot be written.
    """
    if not (entry.name.strip() and entry.title.strip() and entry.address.strip()):
        raise UsageError("a volume in the catalogue needs a name, a title and an address")
    if any(mark in entry.name for mark in "/\\#:"):
        raise UsageError(f"the name {entry.name} looks like an address: leave / \\ # and : out")
    _write([e for e in own_catalogue() if e.name != entry.name] + [entry])


def forget(name: str) -> None:
    """Take an entry out of the person's own ones.

    Raises
    ------
    VolumeFormatError
        The file is damaged or cannot be written.
    """
    _write(entry for entry in own_catalogue() if entry.name != name)


def _write(entries: Iterable[CatalogueEntry]) -> None:
    path = own_catalogue_path()
    text = json.dumps({"volumes": [asdict(entry) for entry in entries]}, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, lambda file: file.write(text.encode()))
    except OSError as error:
        raise VolumeFormatError(f"{path} cannot be written: {error.strerror or error}") from error


def parse_catalogue(text: str, where: str) -> tuple[CatalogueEntry, ...]:
    """Return the entries of a catalogue.

    Raises
    ------
    VolumeFormatError
        It is no catalogue; the message says where.
    """
    try:
        entries = json.loads(text)["volumes"]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise VolumeFormatError(f'{where} is not JSON with a list "volumes": {error}') from error
    if not isinstance(entries, list):
        raise VolumeFormatError(f'{where}: "volumes" is no list')
    found = tuple(_entry(entry, f"{where}, volume {i + 1}") for i, entry in enumerate(entries))
    if len({entry.name for entry in found}) < len(found):
        raise VolumeFormatError(f"{where} has a name twice")
    return found


def _entry(stored: Any, where: str) -> CatalogueEntry:
    if not isinstance(stored, dict):
        raise VolumeFormatError(f"{where} is no JSON object")
    unknown = set(stored) - {*_TEXTS, "voxel_nm", "labels"}
    if unknown:
        raise VolumeFormatError(f"{where} has the unknown field {min(unknown)}")
    texts: dict[str, str] = {}
    for name in _TEXTS:
        value = stored.get(name, "" if name == "source" else None)
        if not isinstance(value, str) or (name != "source" and not value.strip()):
            raise VolumeFormatError(f"{where} needs a text as {name}, it has {value!r}")
        texts[name] = value
    if texts["kind"] not in ("em", "labels"):
        raise VolumeFormatError(f"{where} has the kind {texts['kind']}: em or labels")
    labels = stored.get("labels")
    if labels is not None and not isinstance(labels, str):
        raise VolumeFormatError(f"{where} has the labels {labels!r}: a name, an address or null")
    return CatalogueEntry(**texts, labels=labels, voxel_nm=_voxel(stored.get("voxel_nm"), where))


def _voxel(value: Any, where: str) -> VoxelNm | None:
    if value is None:
        return None
    good = isinstance(value, list) and len(value) == 3
    if not good or not all(isinstance(v, int | float) and 0 < v < 1e9 for v in value):
        raise VolumeFormatError(f"{where} has the voxel size {value!r}: three positive numbers, nm")
    return float(value[0]), float(value[1]), float(value[2])
