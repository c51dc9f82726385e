"""Skeletons from and to files, by the kind of file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bcannot_core.errors import UsageError, VolumeNotFoundError
from bcannot_core.skeletons.neurites import SkeletonSet
from bcannot_core.volumes.base import VoxelNm

Format = Literal["swc", "swc-folder", "nml", "csv", "precomputed"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    ".swc": "swc",
    ".nml": "nml",
    ".csv": "csv",
    ".tsv": "csv",
    ".precomputed": "precomputed",
}
"""File name endings; ``.precomputed`` is a folder."""
_KEEPS: dict[Format, set[str]] = {
    "swc": {"radii", "kinds", "colours"},
    "swc-folder": {"radii", "kinds", "colours"},
    "nml": {"radii", "comments", "colours"},
    "csv": {"radii", "kinds", "features", "comments", "colours"},
    "precomputed": {"radii", "kinds", "features"},
}


@dataclass(frozen=True)
class Reading:
    """What to know of a file that it may not say itself.

    Attributes
    ----------
    voxel_nm : tuple of float, optional
        Voxel size (z, y, x) for positions in voxels.
    ids : sequence of int, optional
        Segments to read of precomputed skeletons.
    timeout_s : float
        Longest wait for one answer of a server.
    """

    voxel_nm: VoxelNm | None = None
    ids: Sequence[int] | None = None
    timeout_s: float = 20.0


def format_of(path: str | Path, *, reading: bool = True) -> Format:
    """Return the format of a file or folder, by its name and, to read, by what lies there.

    Raises
    ------
    VolumeNotFoundError
        There is nothing to read.
    UsageError
        It is of no known format.
    """
    text = str(path)
    if text.startswith("precomputed://") or (reading and "://" in text):
        return "precomputed"
    by_name = SUFFIXES.get(Path(text).suffix.lower())
    if reading and Path(text).is_dir():
        has_info = (Path(text) / "info").is_file()
        return "precomputed" if has_info else "swc-folder"
    if reading and not Path(text).exists():
        raise VolumeNotFoundError(f"there is no file or folder {text}")
    if by_name is None:
        raise UsageError(
            f"{text} names no format of skeletons: it should end in {', '.join(SUFFIXES)}, "
            f"or say the format ({', '.join(FORMATS)})"
        )
    return by_name


def read_skeletons(
    path: str | Path, form: Format | None = None, options: Reading | None = None
) -> SkeletonSet:
    """Read skeletons of any format.

    Parameters
    ----------
    path : str or Path
        A file, a folder of SWC files, or a folder or address of precomputed skeletons.
    form : str, optional
        One of ``FORMATS``; by the name and what lies there by default.
    options : Reading, optional
        Voxel size, segments, timeout.

    Raises
    ------
    VolumeError
        It is not there, malformed or too large.
    UsageError
        The format is not known, or something has to be said in ``options``.
    """
    chosen = form or format_of(path)
    options = options or Reading()
    if chosen in ("swc", "swc-folder"):
        from bcannot_core.skeletons.swc_files import read_swc_set

        return read_swc_set(path)
    if chosen == "nml":
        from bcannot_core.skeletons.nml import read_nml

        return read_nml(path, options.voxel_nm)
    if chosen == "csv":
        from bcannot_core.skeletons.table import read_table

        return read_table(path, options.voxel_nm)
    from bcannot_core.skeletons.precomputed import read_precomputed

    return read_precomputed(path, options.ids, options.timeout_s)


def write_skeletons(
    path: str | Path, skeletons: SkeletonSet, form: Format | None = None
) -> tuple[str, ...]:
    """Write skeletons in any format.

    Parameters
    ----------
    path : str or Path
        The file, or the folder for ``swc-folder`` and ``precomputed``.
    skeletons : SkeletonSet
        What to write.
    form : str, optional
        One of ``FORMATS``; by the name by default.

    Returns
    -------
    tuple of str
        What the format has no place for, one line each.

    Raises
    ------
    UsageError
        There are no neurites, the format is not known, a folder is in the way, or NML lacks a
        voxel size.
    VolumeError
        It cannot be written; what was there before stays.
    """
    chosen = form or format_of(path, reading=False)
    if not skeletons.nodes:
        raise UsageError(f"there are no nodes to write to {path}")
    if chosen == "swc":
        from bcannot_core.skeletons.swc_files import write_swc_set

        write_swc_set(path, skeletons)
    elif chosen == "swc-folder":
        from bcannot_core.skeletons.swc_files import write_swc_folder

        write_swc_folder(path, skeletons)
    elif chosen == "nml":
        from bcannot_core.skeletons.nml_writing import write_nml

        write_nml(path, skeletons)
    elif chosen == "csv":
        from bcannot_core.skeletons.table_writing import write_table

        write_table(path, skeletons)
    else:
        from bcannot_core.skeletons.precomputed_writing import write_precomputed

        write_precomputed(path, skeletons)
    return _left_out(skeletons, chosen)


def _left_out(skeletons: SkeletonSet, form: Format) -> tuple[str, ...]:
    """Say what of a set a format has no place for."""
    features = dict.fromkeys(name for n in skeletons.neurites for name in n.features)
    has = {
        "kinds": any(neurite.skeleton.kinds.any() for neurite in skeletons.neurites),
        "features": bool(features),
        "comments": any(neurite.comments for neurite in skeletons.neurites),
        "colours": any(neurite.colour for neurite in skeletons.neurites),
    }
    lost = [name for name, there in has.items() if there and name not in _KEEPS[form]]
    if "features" in lost:
        lost[lost.index("features")] = f"features ({', '.join(features)})"
    return (f"{form} has no place for {', '.join(lost)}: left out",) if lost else ()
