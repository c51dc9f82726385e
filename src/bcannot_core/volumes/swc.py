"""Skeletons as SWC files: seven columns, nanometres, a comment header.

``id type x y z radius parent``; a root has parent −1. Header lines read ``# name: value``.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import (
    UsageError,
    VolumeError,
    VolumeFormatError,
    VolumeNotFoundError,
)
from bcannot_core.volumes.atomic import write_atomic
from bcannot_core.volumes.base import VoxelNm
from bcannot_core.volumes.formats.units import nm_per_unit

MAX_NODES = 5_000_000
MAX_BYTES = 2**30
MAX_LINE = 10_000


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A skeleton of one or more trees.

    Parameters
    ----------
    zyx_nm : ndarray of float64
        (n, 3) positions in nm.
    parents : ndarray of int64
        (n,) index of each node's parent; −1 for a root.
    radius_nm : ndarray of float64
        (n,); 0 where it is not known.
    kinds : ndarray of int64
        (n,) SWC types: 0 undefined, 1 soma, 2 axon, 3 dendrite, …
    header : mapping of str to str
        ``volume``, ``voxel_nm_zyx``, ``policy``, …

    Raises
    ------
    UsageError
        The arrays do not fit together, hold non-finite values, or the parents form a cycle.
    """

    zyx_nm: NDArray[np.float64]
    parents: NDArray[np.int64]
    radius_nm: NDArray[np.float64]
    kinds: NDArray[np.int64]
    header: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would make no valid file."""
        count = len(self.zyx_nm)
        shapes = (self.zyx_nm.shape, self.parents.shape, self.radius_nm.shape, self.kinds.shape)
        if shapes != ((count, 3), (count,), (count,), (count,)) or count == 0:
            raise UsageError(f"a skeleton needs (n, 3) positions and n of the others, got {shapes}")
        if not (np.isfinite(self.zyx_nm).all() and np.isfinite(self.radius_nm).all()):
            raise UsageError("a skeleton has positions or radii that are not finite numbers")
        if self.parents.min() < -1 or self.parents.max() >= count:
            raise UsageError(f"a skeleton of {count} nodes has a parent outside −1…{count - 1}")
        looped = find_cycle(self.parents)
        if looped is not None:
            raise UsageError(f"node {looped} of the skeleton is its own ancestor")

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.parents)

    @classmethod
    def from_voxels(
        cls,
        nodes_zyx: Sequence[Sequence[float]] | NDArray[np.floating],
        voxel_nm: VoxelNm,
        *,
        parents: Sequence[int] | None = None,
        radius_nm: float = 0.0,
        header: Mapping[str, str] | None = None,
    ) -> "Skeleton":
        """Make a skeleton of nodes in voxels; a chain in their order by default.

        Parameters
        ----------
        nodes_zyx : array-like
            (n, 3) positions in voxels of the volume.
        voxel_nm : tuple of float
            (z, y, x) in nm.
        parents : sequence of int, optional
            Index of each node's parent, −1 for roots.
        radius_nm : float
            The same for all nodes.
        header : mapping, optional
            Written as comments; ``voxel_nm_zyx`` is added.
        """
        nodes = np.asarray(nodes_zyx, dtype=np.float64).reshape(-1, 3)
        count = len(nodes)
        chain = np.arange(-1, count - 1) if parents is None else np.asarray(parents, np.int64)
        size = " ".join(f"{v:g}" for v in voxel_nm)
        return cls(
            nodes * np.asarray(voxel_nm),
            chain.astype(np.int64),
            np.full(count, radius_nm, np.float64),
            np.zeros(count, np.int64),
            {"voxel_nm_zyx": size, **(header or {})},
        )

    def to_voxels(self, voxel_nm: VoxelNm) -> NDArray[np.float64]:
        """Return the (n, 3) positions (z, y, x) in voxels of a volume."""
        return np.divide(self.zyx_nm, np.asarray(voxel_nm, np.float64))


def find_cycle(parents: NDArray[np.int64]) -> int | None:
    """Return the first node that never reaches a root by its parents, or None."""
    at = np.where(parents < 0, len(parents), parents)
    at = np.append(at, len(parents))
    for _ in range(len(parents).bit_length()):
        at = at[at]
    stuck = np.flatnonzero(at[:-1] != len(parents))
    return int(stuck[0]) if stuck.size else None


def _fail(path: Path, line: int, what: str) -> VolumeFormatError:
    return VolumeFormatError(f"{path}, line {line}: {what}")


@dataclass(slots=True)
class _Rows:
    """Columns of the nodes read so far, and the line of each."""

    ids: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    xyzr: list[tuple[float, float, float, float]] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    header: dict[str, str] = field(default_factory=dict)


def read_swc(path: str | Path) -> Skeleton:
    """Read a skeleton; positions are nm unless the header says ``unit: um`` or alike.

    Parameters
    ----------
    path : str or Path
        The file. Children may come before their parents; negative radii mean "not known".

    Returns
    -------
    Skeleton
        Nodes in the order of the file.

    Raises
    ------
    VolumeNotFoundError
        There is no such file.
    VolumeFormatError
        A line is malformed (named by its number), an id is repeated, a parent is missing, the
        parents form a cycle, or the file is empty or too large.
    """
    return read_swc_file(path).skeleton


class SwcFile(NamedTuple):
    """A skeleton in nm, the id that each of its nodes has in the file, the file's unit in nm."""

    skeleton: Skeleton
    ids: list[int]
    unit_nm: float


def read_swc_file(path: str | Path) -> SwcFile:
    """Read like `read_swc`, with what it takes to add to the file."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise VolumeFormatError(f"{path} has more than {MAX_BYTES} bytes: split it")
        with path.open("r", encoding="utf-8-sig", errors="replace") as file:
            rows = _read_rows(file, path)
    except FileNotFoundError as error:
        raise VolumeNotFoundError(f"there is no file {path}") from error
    except OSError as error:
        raise VolumeFormatError(f"{path} cannot be read: {error.strerror}") from error
    if not rows.ids:
        raise VolumeFormatError(f"{path} holds no nodes: it is empty or no SWC file")
    unit = _unit_nm(rows, path)
    return SwcFile(_build(rows, unit, path), rows.ids, unit)


def _unit_nm(rows: _Rows, path: Path) -> float:
    unit = rows.header.get("unit", "nm")
    factor = nm_per_unit(unit)
    if factor is None:
        raise VolumeFormatError(f"{path} has the unknown unit {unit}: use nm or um")
    return factor


def _read_rows(file: io.TextIOBase, path: Path) -> _Rows:
    rows = _Rows()
    number = 0
    while text := file.readline(MAX_LINE + 1):
        number += 1
        if len(text) > MAX_LINE:
            raise _fail(path, number, f"longer than {MAX_LINE} characters, this is no SWC file")
        text = text.strip()
        if text.startswith("#"):
            name, mark, value = text.lstrip("# ").partition(":")
            if mark and name.strip():
                rows.header.setdefault(name.strip().lower(), value.strip())
        elif text:
            _read_node(rows, text, number, path)
    return rows


def _read_node(rows: _Rows, text: str, number: int, path: Path) -> None:
    words = text.split()
    if len(words) != 7:
        raise _fail(path, number, f"has {len(words)} columns, an SWC node has 7")
    if len(rows.ids) >= MAX_NODES:
        raise _fail(path, number, f"more than {MAX_NODES} nodes: split the file")
    try:
        if not text.isascii() or "_" in text:
            raise ValueError
        node, kind, parent = int(words[0]), int(words[1]), int(words[6])
        x, y, z, radius = (float(word) for word in words[2:6])
    except ValueError:
        raise _fail(path, number, f"not seven numbers: {text[:80]}") from None
    if not np.isfinite((x, y, z, radius)).all():
        raise _fail(path, number, f"not finite: {text[:80]}")
    if not (0 <= node < 2**62 and -1 <= parent < 2**62 and 0 <= kind < 2**62):
        raise _fail(path, number, "ids and types start at 0; only the parent of a root is −1")
    if node == parent:
        raise _fail(path, number, f"node {node} is its own parent")
    rows.ids.append(node)
    rows.kinds.append(kind)
    rows.xyzr.append((x, y, z, max(radius, 0.0)))
    rows.parents.append(parent)
    rows.lines.append(number)


def _build(rows: _Rows, factor: float, path: Path) -> Skeleton:
    index: dict[int, int] = {}
    for i, node in enumerate(rows.ids):
        if index.setdefault(node, i) != i:
            first = rows.lines[index[node]]
            raise _fail(path, rows.lines[i], f"id {node} is already that of line {first}")
    parents = np.empty(len(rows.ids), np.int64)
    for i, parent in enumerate(rows.parents):
        if parent != -1 and parent not in index:
            raise _fail(path, rows.lines[i], f"the parent {parent} does not exist")
        parents[i] = -1 if parent == -1 else index[parent]
    looped = find_cycle(parents)
    if looped is not None:
        raise _fail(path, rows.lines[looped], f"node {rows.ids[looped]} is its own ancestor")
    with np.errstate(over="ignore"):
        values = np.asarray(rows.xyzr, np.float64) * factor
    if not np.isfinite(values).all():
        raise VolumeFormatError(f"{path} has positions beyond all measure")
    header = {**rows.header, "unit": "nm"}
    kinds = np.asarray(rows.kinds, np.int64)
    return Skeleton(values[:, [2, 1, 0]], parents, values[:, 3], kinds, header)


def parents_first(parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return an order of the nodes in which every parent comes before its children."""
    order = np.arange(len(parents))
    if (parents < order).all():
        return order
    depth = np.zeros(len(parents) + 1, np.int64)
    at = np.append(np.where(parents < 0, len(parents), parents), len(parents))
    depth[:-1] = at[:-1] < len(parents)
    # Pointer doubling: after round k a node knows its distance to its 2^k-th ancestor.
    for _ in range(len(parents).bit_length()):
        depth = depth + depth[at]
        at = at[at]
    return np.argsort(depth[:-1], kind="stable")


def write_swc(path: str | Path, skeleton: Skeleton) -> None:
    """Write a skeleton in nm; the file appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file; replaced if it is there.
    skeleton : Skeleton
        Ids are 1…n; nodes are reordered only where a child comes before its parent.

    Raises
    ------
    VolumeError
        The file cannot be written (disk full, no folder, no permission); an earlier file of that
        name is untouched.
    """
    path = Path(path)
    order = parents_first(skeleton.parents)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    lines = ["# SWC skeleton, columns id type x y z radius parent", "# unit: nm"]
    for name, value in skeleton.header.items():
        if name != "unit":
            lines.append(f"# {' '.join(name.split())}: {' '.join(str(value).split())}"[:MAX_LINE])
    for number, i in enumerate(order.tolist(), start=1):
        z, y, x = skeleton.zyx_nm[i].tolist()
        parent = int(skeleton.parents[i])
        above = -1 if parent < 0 else int(rank[parent]) + 1
        radius = float(skeleton.radius_nm[i])
        lines.append(f"{number} {skeleton.kinds[i]} {x!r} {y!r} {z!r} {radius!r} {above}")
    content = ("\n".join(lines) + "\n").encode()
    try:
        write_atomic(path, lambda file: file.write(content))
    except OSError as error:
        raise VolumeError(
            f"cannot write {path}: {error.strerror or error}; nothing was changed"
        ) from error
