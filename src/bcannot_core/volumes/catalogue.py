"""Public volumes that need no account."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bcannot_core.volumes.base import VoxelNm


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A public volume.

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
        Name of the entry with its labels.
    source : str
        What to cite.
    """

    name: str
    title: str
    kind: str
    address: str
    voxel_nm: VoxelNm | None
    labels: str | None
    source: str


@cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """Return all public volumes that are known by name."""
    text = files("bcannot_core.volumes").joinpath("catalogue.json").read_text(encoding="utf-8")
    entries = []
    for entry in json.loads(text)["volumes"]:
        size = entry["voxel_nm"]
        voxel = None if size is None else (float(size[0]), float(size[1]), float(size[2]))
        entries.append(CatalogueEntry(**{**entry, "voxel_nm": voxel}))
    return tuple(entries)


def find_volume(name: str) -> CatalogueEntry | None:
    """Return the public volume of this name, or None."""
    return next((entry for entry in catalogue() if entry.name == name), None)
