"""Reading skeletons from a table (CSV): one row for each node, columns by their names."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError, VolumeFormatError
from bcannot_core.skeletons.neurites import NamedSkeleton, SkeletonSet, colour_of
from bcannot_core.skeletons.reading import MAX_NEURITES, MAX_NODES, check_file, clean
from bcannot_core.volumes.base import VoxelNm
from bcannot_core.volumes.swc import Skeleton, find_cycle

NM = ("z_nm", "y_nm", "x_nm")
VOXELS = ("z", "y", "x")
_NAPARI = ("axis-0", "axis-1", "axis-2")
_ALIASES = {
    "neuron": "neurite", "skeleton": "neurite", "tree": "neurite",
    "node": "id", "node_id": "id", "parent_id": "parent",
    "radius": "radius_nm", "type": "kind", "color": "colour",
    **dict(zip(_NAPARI, VOXELS, strict=True)),
}  # fmt: skip
KNOWN = {*NM, *VOXELS, "neurite", "id", "parent", "radius_nm", "kind", "colour", "comment"}
_MAX_COLUMNS = 256
_MAX_CELL = 2**16


@dataclass(slots=True)
class _Rows:
    """The rows of one neurite, and the line of the file that each stands in."""

    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Columns:
    """Where each column stands, by its name."""

    index: dict[str, int]
    path: Path

    def text(self, rows: _Rows, name: str) -> list[str]:
        """Return a column's texts; empty ones where there is no such column."""
        at = self.index.get(name)
        return [""] * len(rows.rows) if at is None else [row[at].strip() for row in rows.rows]

    def numbers(self, rows: _Rows, name: str, empty: float) -> NDArray[np.float64]:
        """Return a column's numbers; ``empty`` where a cell has none."""
        values = np.empty(len(rows.rows))
        for i, text in enumerate(self.text(rows, name)):
            try:
                values[i] = float(text) if text else empty
            except ValueError:
                raise self.fail(rows.lines[i], f"{name} is {text[:40]!r}, no number") from None
        return values

    def fail(self, line: int, what: str) -> VolumeFormatError:
        """Return an error that names a line."""
        return VolumeFormatError(f"{self.path}, line {line}: {what}")


def read_table(path: str | Path, voxel_nm: VoxelNm | None = None) -> SkeletonSet:
    """Read skeletons from a CSV file with a header row.

    Columns ``z_nm``, ``y_nm``, ``x_nm`` (nm), or ``z``, ``y``, ``x`` (voxels; napari's ``axis-0…``
    are taken, too); further ``neurite``, ``id``, ``parent``, ``radius_nm``, ``kind``, ``colour``,
    ``comment``. Without ``parent`` the nodes of a neurite are a chain. Any other column of numbers
    becomes a feature. Commas, semicolons and tabs separate.

    Parameters
    ----------
    path : str or Path
        The file, UTF-8.
    voxel_nm : tuple of float, optional
        Voxel size (z, y, x); needed where the table has positions in voxels only.

    Raises
    ------
    VolumeNotFoundError, VolumeFormatError
        The file is not there, malformed (named by its line) or too large.
    UsageError
        Positions are in voxels and no voxel size is known.
    """
    path = Path(path)
    check_file(path, "a table")
    try:
        with path.open("r", encoding="utf-8-sig", errors="replace", newline="") as file:
            columns, groups = _read_groups(file, path)
    except OSError as error:
        raise VolumeFormatError(f"{path} cannot be read: {error.strerror}") from error
    except csv.Error as error:
        raise VolumeFormatError(f"{path} is no table: {error}") from error
    if not groups:
        raise VolumeFormatError(f"{path} has no rows: there is nothing to read")
    size = voxel_nm or _stated_voxel(columns, groups)
    features, remarks = _features(columns, groups)
    neurites = [_neurite(name, rows, columns, size, features) for name, rows in groups.items()]
    return SkeletonSet(tuple(neurites), size, remarks=remarks)


def sniff_table(path: str | Path) -> bool:
    """Whether a CSV file's header names positions of nodes as ours do (napari's own does not)."""
    try:
        with Path(path).open("r", encoding="utf-8-sig", errors="replace", newline="") as file:
            names = {name.strip().lower() for name in _split(file.readline(_MAX_CELL))}
    except (OSError, csv.Error):
        return False
    return set(NM) <= names or set(VOXELS) <= names


def _split(line: str) -> list[str]:
    """Return the cells of a header row."""
    return next(csv.reader([line], delimiter=_delimiter(line)), [])


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _read_groups(file: io.TextIOBase, path: Path) -> tuple[_Columns, dict[str, _Rows]]:
    header = file.readline(_MAX_CELL)
    names = [name.strip().lower() for name in _split(header)]
    names = [
        _ALIASES.get(name, name) if _ALIASES.get(name) not in names else name for name in names
    ]
    columns = _Columns({name: at for at, name in enumerate(names) if name}, path)
    if len(names) > _MAX_COLUMNS or len(columns.index) != len([name for name in names if name]):
        raise columns.fail(1, "has a column twice, or too many columns")
    if not (set(NM) <= columns.index.keys() or set(VOXELS) <= columns.index.keys()):
        raise columns.fail(1, f"has neither the columns {', '.join(NM)} nor {', '.join(VOXELS)}")
    groups: dict[str, _Rows] = {}
    reader = csv.reader(_bounded(file, columns), delimiter=_delimiter(header), strict=True)
    at = columns.index.get("neurite")
    for count, row in enumerate(reader):
        line = reader.line_num + 1
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            raise columns.fail(line, f"has {len(row)} cells, the header {len(names)}")
        if count >= MAX_NODES:
            raise columns.fail(line, f"more than {MAX_NODES} nodes: split the file")
        name = clean(row[at]) if at is not None else ""
        group = groups.setdefault(name, _Rows())
        if len(groups) > MAX_NEURITES:
            raise columns.fail(line, f"more than {MAX_NEURITES} neurites: split the file")
        group.rows.append(row)
        group.lines.append(line)
    return columns, groups


def _bounded(file: io.TextIOBase, columns: _Columns) -> Iterator[str]:
    """Yield lines, and refuse one that is far too long."""
    number = 1
    while line := file.readline(_MAX_CELL):
        number += 1
        if len(line) == _MAX_CELL:
            raise columns.fail(number, f"longer than {_MAX_CELL} characters, this is no table")
        yield line.replace("\0", " ")


def _stated_voxel(columns: _Columns, groups: Mapping[str, _Rows]) -> VoxelNm | None:
    """Return the voxel size where positions stand in both nm and voxels, else None."""
    if not {*NM, *VOXELS} <= columns.index.keys():
        return None
    sizes = []
    for in_nm, in_voxels in zip(NM, VOXELS, strict=True):
        ratios = []
        for rows in groups.values():
            voxels = columns.numbers(rows, in_voxels, math.nan)
            with np.errstate(all="ignore"):
                ratio = columns.numbers(rows, in_nm, math.nan) / voxels
            ratios.append(ratio[np.isfinite(ratio) & (np.abs(voxels) >= 1)])
        known = np.concatenate(ratios)
        if not known.size or np.ptp(known) > 1e-3 * abs(known[0]) or known[0] <= 0:
            return None
        sizes.append(float(f"{np.median(known):.9g}"))
    return sizes[0], sizes[1], sizes[2]


def _features(
    columns: _Columns, groups: Mapping[str, _Rows]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the further columns that hold numbers, and remarks about those that do not."""
    numeric, others = [], []
    for name in columns.index:
        if name in KNOWN:
            continue
        try:
            for rows in groups.values():
                columns.numbers(rows, name, math.nan)
        except VolumeFormatError:
            others.append(clean(name))
        else:
            numeric.append(name)
    remarks = (f"columns without numbers were left out: {', '.join(others)}",) if others else ()
    return tuple(name for name in numeric if name != "index"), remarks


def _neurite(
    name: str,
    rows: _Rows,
    columns: _Columns,
    voxel_nm: VoxelNm | None,
    features: Sequence[str],
) -> NamedSkeleton:
    in_nm = set(NM) <= columns.index.keys()
    axes = [columns.numbers(rows, axis, math.nan) for axis in (NM if in_nm else VOXELS)]
    zyx = np.stack(axes, axis=1)
    wrong = np.flatnonzero(~(np.abs(zyx) < 1e15).all(axis=1))
    if wrong.size:
        raise columns.fail(rows.lines[wrong[0]], "has no position")
    if not in_nm and voxel_nm is None:
        raise UsageError(
            f"{columns.path} has positions in voxels: give the voxel size in nm (--voxel-nm Z,Y,X)"
        )
    parents = _parents(rows, columns)
    radius = np.nan_to_num(columns.numbers(rows, "radius_nm", 0.0), posinf=0.0, neginf=0.0)
    kinds = columns.numbers(rows, "kind", 0.0)
    if not ((kinds >= 0) & (kinds < 2**53)).all():
        raise VolumeFormatError(f"{columns.path}: kinds are whole numbers from 0 on")
    skeleton = Skeleton(
        zyx if in_nm else zyx * np.asarray(voxel_nm),
        parents,
        np.maximum(radius, 0.0),
        kinds.astype(np.int64),
    )
    texts = enumerate(columns.text(rows, "comment"))
    comments = {i: clean(text) for i, text in texts if clean(text)}
    colour = colour_of(next(iter(columns.text(rows, "colour"))))
    numbers = {feature: columns.numbers(rows, feature, math.nan) for feature in features}
    kept = {feature: column for feature, column in numbers.items() if not np.isnan(column).all()}
    return NamedSkeleton(name or columns.path.stem, skeleton, colour, None, kept, comments)


def _parents(rows: _Rows, columns: _Columns) -> NDArray[np.int64]:
    """Return each node's parent by index: a chain where the table says nothing of parents."""
    count = len(rows.rows)
    if "parent" not in columns.index:
        return np.arange(-1, count - 1, dtype=np.int64)
    ids = columns.text(rows, "id") if "id" in columns.index else list(map(str, range(1, count + 1)))
    index: dict[str, int] = {}
    for i, node in enumerate(ids):
        if index.setdefault(node, i) != i:
            raise columns.fail(rows.lines[i], f"the id {node[:40]!r} stands there twice")
    parents = np.full(count, -1, np.int64)
    for i, parent in enumerate(columns.text(rows, "parent")):
        if parent and parent not in index and parent != "-1":
            raise columns.fail(rows.lines[i], f"the parent {parent[:40]!r} does not exist")
        parents[i] = index.get(parent, -1) if parent else -1
    looped = find_cycle(parents)
    if looped is not None:
        raise columns.fail(rows.lines[looped], "the node is its own ancestor")
    return parents
