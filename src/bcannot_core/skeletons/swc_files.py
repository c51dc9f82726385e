"""Several neurites in one SWC file, in a folder of them, and appending to a file.

A comment ``# neurite ID: #rrggbb NAME`` says that the nodes from the one with this id on, up to the
next one so named, are a neurite; the colour may be missing. A file without such comments is one
neurite, however many trees it has.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bcannot_core.errors import UsageError, VolumeError, VolumeFormatError
from bcannot_core.skeletons.neurites import (
    Colour,
    NamedSkeleton,
    SkeletonSet,
    colour_of,
    colour_text,
)
from bcannot_core.skeletons.reading import MAX_NEURITES, MAX_NODES, clean
from bcannot_core.volumes.atomic import write_atomic
from bcannot_core.volumes.base import VoxelNm
from bcannot_core.volumes.formats.units import usable_voxel
from bcannot_core.volumes.swc import Skeleton, parents_first, read_swc_file

_NEURITE = re.compile(r"neurite (\d{1,18})")


def read_swc_set(path: str | Path) -> SkeletonSet:
    """Read the neurites of an SWC file, or of all SWC files of a folder.

    Raises
    ------
    VolumeNotFoundError, VolumeFormatError
        It is not there or malformed; a folder holds no SWC files.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    file = read_swc_file(path)
    marks, header = _split_header(file.skeleton.header)
    neurites = _cut(file.skeleton, file.ids, marks, header, path)
    return SkeletonSet(tuple(neurites), voxel_of(header), header)


def _read_folder(folder: Path) -> SkeletonSet:
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".swc")
    if not files or len(files) > MAX_NEURITES:
        raise VolumeFormatError(f"{folder} has {len(files)} SWC files: there is nothing to read")
    sets = [read_swc_set(file) for file in files]
    neurites = tuple(neurite for one in sets for neurite in one.neurites)
    voxels = {one.voxel_nm for one in sets}
    header = dict(sets[0].header.items() & set.intersection(*(set(s.header.items()) for s in sets)))
    return SkeletonSet(neurites, voxels.pop() if len(voxels) == 1 else None, header)


def voxel_of(header: Mapping[str, str]) -> VoxelNm | None:
    """Return the voxel size that a header states as ``voxel_nm_zyx``."""
    return usable_voxel(header.get("voxel_nm_zyx", "").split())


def _split_header(header: Mapping[str, str]) -> tuple[dict[int, str], dict[str, str]]:
    """Return the names of neurites by their first node's id, and all other comments."""
    marks: dict[int, str] = {}
    rest: dict[str, str] = {}
    for name, value in header.items():
        found = _NEURITE.fullmatch(name)
        if found:
            marks[int(found[1])] = value
        elif name != "unit":
            rest[name] = value
    return marks, rest


def _cut(
    skeleton: Skeleton,
    ids: Sequence[int],
    marks: dict[int, str],
    header: dict[str, str],
    path: Path,
) -> list[NamedSkeleton]:
    """Cut a file into its neurites; an edge between two of them is cut, too."""
    begins = [i for i, node in enumerate(ids) if node in marks]
    if not begins:
        name = clean(header.get("name", "")) or path.stem
        whole = Skeleton(
            skeleton.zyx_nm, skeleton.parents, skeleton.radius_nm, skeleton.kinds, header
        )
        return [NamedSkeleton(name, whole)]
    ends = [*begins[1:], len(ids)]
    starts = [0, *begins] if begins[0] else begins
    ends = [begins[0], *ends] if begins[0] else ends
    neurites = []
    for first, end in zip(starts, ends, strict=True):
        name, colour = _marked(marks.get(ids[first], ""), path.stem)
        parents = skeleton.parents[first:end]
        inside = (parents >= first) & (parents < end)
        part = slice(first, end)
        cut = Skeleton(
            skeleton.zyx_nm[part],
            np.where(inside, parents - first, -1),
            skeleton.radius_nm[part],
            skeleton.kinds[part],
            header,
        )
        neurites.append(NamedSkeleton(name, cut, colour))
    return neurites


def _mark(neurite: NamedSkeleton) -> str:
    """Return colour and name; a lone ``#`` stands before a name that would look like a colour."""
    name = clean(neurite.name)
    if neurite.colour is not None:
        return f"{colour_text(neurite.colour)} {name}"
    return f"# {name}" if name.startswith("#") else name


def _marked(text: str, otherwise: str) -> tuple[str, Colour | None]:
    word, _, rest = text.partition(" ")
    colour = colour_of(word) if word.startswith("#") else None
    name = clean(rest if colour is not None or word == "#" else text)
    return name or otherwise, colour


def swc_lines(neurites: Sequence[NamedSkeleton], first_id: int, nm: float = 1.0) -> list[str]:
    """Return the lines of neurites, named by comments, with ids from ``first_id`` on.

    Parameters
    ----------
    neurites : sequence of NamedSkeleton
        In this order; parents come before their children.
    first_id : int
        Of the first node.
    nm : float
        The file's unit in nm.
    """
    lines: list[str] = []
    base = first_id
    for neurite in neurites:
        skeleton = neurite.skeleton
        lines.append(f"# neurite {base}: {_mark(neurite)}")
        order = parents_first(skeleton.parents)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        for number, i in enumerate(order.tolist(), start=base):
            z, y, x = (float(at) / nm for at in skeleton.zyx_nm[i])
            parent = int(skeleton.parents[i])
            above = -1 if parent < 0 else int(rank[parent]) + base
            radius = float(skeleton.radius_nm[i]) / nm
            lines.append(f"{number} {skeleton.kinds[i]} {x!r} {y!r} {z!r} {radius!r} {above}")
        base += len(order)
    return lines


def write_swc_set(path: str | Path, skeletons: SkeletonSet) -> None:
    """Write all neurites into one SWC file, in nm; it appears whole or not at all.

    Raises
    ------
    VolumeError
        It cannot be written.
    """
    header = dict(skeletons.header)
    if skeletons.voxel_nm is not None:
        header["voxel_nm_zyx"] = " ".join(f"{size:g}" for size in skeletons.voxel_nm)
    lines = ["# SWC skeleton, columns id type x y z radius parent", "# unit: nm"]
    lines += [
        f"# {clean(name)}: {clean(str(value))}"
        for name, value in header.items()
        if name != "unit" and not _NEURITE.fullmatch(name)
    ]
    _write(Path(path), "\n".join([*lines, *swc_lines(skeletons.neurites, 1)]) + "\n")


def append_swc(path: str | Path, neurites: Sequence[NamedSkeleton]) -> None:
    """Add neurites to an SWC file; what it holds stays as it is, byte for byte.

    New ids follow the largest one, positions are written in the file's unit. A file that is not
    there is made. The file is replaced in one go: whoever reads it sees it before or after.

    Parameters
    ----------
    path : str or Path
        The file.
    neurites : sequence of NamedSkeleton
        What to add.

    Raises
    ------
    UsageError
        There is nothing to add.
    VolumeFormatError
        The file is no SWC file, or would become too large; nothing is changed.
    VolumeError
        It cannot be written; nothing is changed.
    """
    path = Path(path)
    if not neurites:
        raise UsageError(f"there are no neurites to append to {path}")
    if not path.exists():
        header = neurites[0].skeleton.header
        write_swc_set(path, SkeletonSet(tuple(neurites), voxel_of(header), header))
        return
    old = read_swc_file(path)
    if len(old.ids) + sum(map(len, neurites)) > MAX_NODES:
        raise VolumeFormatError(f"{path} would have more than {MAX_NODES} nodes: use another file")
    try:
        before = path.read_bytes().decode("utf-8", errors="surrogateescape")
    except OSError as error:
        raise VolumeFormatError(f"{path} cannot be read: {error.strerror}") from error
    ended = "" if before.endswith("\n") else "\n"
    lines = swc_lines(neurites, max(old.ids) + 1, old.unit_nm)
    _write(path, before + ended + "\n".join(lines) + "\n")


def _write(path: Path, text: str) -> None:
    content = text.encode("utf-8", errors="surrogateescape")
    try:
        write_atomic(path, lambda file: file.write(content))
    except OSError as error:
        raise VolumeError(
            f"cannot write {path}: {error.strerror or error}; nothing was changed"
        ) from error


def write_swc_folder(folder: str | Path, skeletons: SkeletonSet) -> list[Path]:
    """Write each neurite into an SWC file of its own; files that are there are not replaced.

    Raises
    ------
    UsageError
        A file is there already.
    VolumeError
        The folder or a file cannot be written.
    """
    folder = Path(folder)
    paths = [folder / f"{name}.swc" for name in _file_names(skeletons)]
    there = [path for path in paths if path.exists()]
    if there:
        raise UsageError(f"{there[0]} is there already: choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VolumeError(f"cannot make the folder {folder}: {error.strerror}") from error
    for path, neurite in zip(paths, skeletons.neurites, strict=True):
        header = {**skeletons.header, "name": neurite.name}
        write_swc_set(path, SkeletonSet((neurite,), skeletons.voxel_nm, header))
    return paths


def _file_names(skeletons: SkeletonSet) -> list[str]:
    """Return a different file name without suffix for each neurite, safe on any system."""
    taken: set[str] = set()
    names = []
    for neurite in skeletons.neurites:
        plain = re.sub(r"[^\w.+-]+", "_", clean(neurite.name)).strip("._")[:100] or "neurite"
        tries = (plain if n == 1 else f"{plain}_{n}" for n in range(1, len(skeletons) + 2))
        name = next(name for name in tries if name.lower() not in taken)
        taken.add(name.lower())
        names.append(name)
    return names
