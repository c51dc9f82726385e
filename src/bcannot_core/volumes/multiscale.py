"""All levels of a volume as one pyramid of cached blocks: what is there can be looked at at once.

A `Pyramid` reads nothing by itself: `Pyramid.peek` puts a picture together from the blocks that are
in the cache and, where they are missing, from those of coarser levels; `Pyramid.plan` says which
blocks are to be fetched for it.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.volumes.base import Box, ScaleInfo, Shape, VoxelNm, box_shape
from bcannot_core.volumes.cache import Block, CachedSource
from bcannot_core.volumes.lazy import ArraySource
from bcannot_core.volumes.volume import Volume

OVERVIEW_SIDE = 1024
"""Sections of the coarsest level have at most this side; napari reads all of them."""
SHARE = 0.45
"""So much of the cache one picture may take: an image and ids upon it fit."""
_OPENING_THREADS = 8


class Task(NamedTuple):
    """A block to fetch: of which source of the pyramid, and its index there."""

    source: int
    block: Shape


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a pyramid: a level of the volume, or every n-th voxel of one.

    Attributes
    ----------
    shape : tuple of int
        (z, y, x).
    voxel_nm, origin_nm : tuple of float
        Voxel size and where the first voxel begins, (z, y, x).
    source : int
        Which source of the pyramid it is read from.
    step : tuple of int
        Every so many voxels of it are shown, (z, y, x).
    """

    shape: Shape
    voxel_nm: VoxelNm
    origin_nm: VoxelNm
    source: int
    step: Shape = (1, 1, 1)

    def base_box(self, box: Box) -> Box:
        """Return the box of the source that holds the voxels of a box of this level."""
        z, y, x = self.step
        return (
            box[0] * z, max(box[1] - 1, box[0]) * z + 1,
            box[2] * y, max(box[3] - 1, box[2]) * y + 1,
            box[4] * x, max(box[5] - 1, box[4]) * x + 1,
        )  # fmt: skip


class Pyramid:
    """The levels of a volume that is read by parts, finest first, each smaller than the one before.

    Parameters
    ----------
    volume : Volume
        Not in memory.
    finest : int
        Index of the finest level of ``volume.scales`` to show.

    Raises
    ------
    VolumeError
        A level cannot be opened.
    """

    def __init__(self, volume: Volume, finest: int = 0) -> None:
        infos: list[ScaleInfo] = []
        for info in volume.scales[finest:]:
            if not infos or prod(info.shape) < prod(infos[-1].shape):
                infos.append(info)
        with ThreadPoolExecutor(_OPENING_THREADS) as pool:
            self.volumes = tuple(pool.map(volume.at_scale, [info.index for info in infos]))
        self.sources = tuple(_cached(level) for level in self.volumes)
        self.dtype = self.sources[0].dtype
        self.levels = tuple(_levels(infos))

    @property
    def stored(self) -> int:
        """How many levels are stored; the others show every n-th voxel of the last of them."""
        return len(self.sources)

    def peek(self, level: int, box: Box) -> tuple[NDArray[Any], list[Task]]:
        """Return a box of a level as far as it is known, and the blocks that it lacks.

        What is missing is shown from coarser levels, else it is zero. Reads nothing.
        """
        at = self.levels[level]
        source = self.sources[at.source]
        found: dict[Shape, Block] = {}
        missing: list[Task] = []
        for index in self._needed(at, box):
            block = source.peek(index)
            if block is None:
                missing.append(Task(at.source, index))
            else:
                found[index] = block
        if not missing:
            out = np.empty(box_shape(box), self.dtype)
        elif level + 1 < len(self.levels):
            out = self._from_coarser(level, box)
        else:
            out = np.zeros(box_shape(box), self.dtype)
        for index, block in found.items():
            _paste(out, at, box, block, source.bounds(index, index))
        return out, missing

    def plan(self, level: int, box: Box) -> tuple[int, list[Task]] | None:
        """Return what to fetch to show a box of a level: the level it is taken from, and blocks.

        Where that would not fit into the cache it is a coarser level; None where even the coarsest
        one does not fit. Blocks in the middle come first.
        """
        while True:
            at = self.levels[level]
            source = self.sources[at.source]
            if self._count(at, box) * source.kept_bytes <= source.budget_bytes * SHARE:
                break
            if level + 1 >= self.stored:
                return None
            box, level = self.coarser_box(level, level + 1, box), level + 1
        tasks = [Task(at.source, index) for index in self._needed(at, box)]
        return level, [task for task in middle_first(tasks) if self.lacks(task)]

    def lacks(self, task: Task) -> bool:
        """Whether a block is not in the cache."""
        return self.sources[task.source].peek(task.block) is None

    def load(self, task: Task) -> None:
        """Fetch a block into the cache; takes as long as it takes.

        Raises
        ------
        VolumeError
            It cannot be read.
        """
        self.sources[task.source].load(task.block)

    def read(self, level: int, box: Box) -> NDArray[Any]:
        """Return a box of a level exactly; takes as long as it takes.

        Raises
        ------
        VolumeError
            It cannot be read.
        """
        at = self.levels[level]
        z, y, x = at.step
        return np.asarray(self.sources[at.source].read(at.base_box(box))[::z, ::y, ::x])

    def coarser_box(self, fine: int, coarse: int, box: Box) -> Box:
        """Return the box of a coarser level that covers a box of a finer one."""
        picks = self._picks(fine, coarse, box)
        (z0, z1), (y0, y1), (x0, x1) = ((int(p.min()), int(p.max()) + 1) for p in picks)
        return z0, z1, y0, y1, x0, x1

    def _picks(self, fine: int, coarse: int, box: Box) -> list[NDArray[np.int64]]:
        """Return for each axis which voxels of a coarser level lie at those of a finer one."""
        a, b = self.levels[fine], self.levels[coarse]
        picks = []
        for axis in range(3):
            at = np.arange(box[2 * axis], max(box[2 * axis + 1], box[2 * axis] + 1))
            nm = (at + 0.5) * a.voxel_nm[axis] + a.origin_nm[axis] - b.origin_nm[axis]
            there = np.floor(nm / b.voxel_nm[axis]).astype(np.int64)
            picks.append(np.clip(there, 0, b.shape[axis] - 1))
        return picks

    def _from_coarser(self, level: int, box: Box) -> NDArray[Any]:
        z, y, x = self._picks(level, level + 1, box)
        around = self.coarser_box(level, level + 1, box)
        coarse, _ = self.peek(level + 1, around)
        part = coarse[z - around[0]]
        part = part[:, y - around[2]]
        return np.ascontiguousarray(part[:, :, x - around[4]])

    def _count(self, at: Level, box: Box) -> int:
        """Return how many blocks a box needs at most, without listing them."""
        base, block = at.base_box(box), self.sources[at.source].block_shape
        return prod(
            (base[2 * i + 1] - 1) // block[i] - base[2 * i] // block[i] + 1 for i in range(3)
        )

    def _needed(self, at: Level, box: Box) -> list[Shape]:
        if prod(box_shape(box)) == 0:
            return []
        source = self.sources[at.source]
        if self._count(at, box) * source.kept_bytes > 4 * source.budget_bytes:
            return []  # nobody can look at so much: the list alone would take long
        indices = source.blocks(at.base_box(box))
        if at.step == (1, 1, 1):
            return indices
        return [i for i in indices if prod(s.stop - s.start for s in _hit(at, source.bounds(i, i)))]


def middle_first(tasks: list[Task]) -> list[Task]:
    """Return tasks by their distance from the middle of all of them."""
    if not tasks:
        return []
    at = np.array([task.block for task in tasks], dtype=float)
    order = np.argsort(
        ((at - (at.min(axis=0) + at.max(axis=0)) / 2) ** 2).sum(axis=1), kind="stable"
    )
    return [tasks[i] for i in order]


def _cached(volume: Volume) -> CachedSource:
    source = volume.source
    if isinstance(source, CachedSource):
        return source
    if isinstance(source, ArraySource):
        return CachedSource(source)
    raise TypeError(f"{volume!r} has no blocks")


def _levels(infos: Iterable[ScaleInfo]) -> Iterable[Level]:
    """Yield the stored levels, and then coarser ones down to a small section."""
    level = None
    for number, info in enumerate(infos):
        origin = tuple(o * v for o, v in zip(info.offset, info.voxel_nm, strict=True))
        level = Level(info.shape, info.voxel_nm, (origin[0], origin[1], origin[2]), number)
        yield level
    while level is not None and max(level.shape[1:]) > OVERVIEW_SIDE:
        _, y, x = level.step
        base_y, base_x = level.voxel_nm[1] / y, level.voxel_nm[2] / x
        step = (1, 2 * y, 2 * x)
        depth, height, width = level.shape
        level = Level(
            (depth, ceil(height / 2), ceil(width / 2)),
            (level.voxel_nm[0], base_y * step[1], base_x * step[2]),
            level.origin_nm,
            level.source,
            step,
        )
        yield level


def _hit(at: Level, bounds: Box) -> tuple[slice, slice, slice]:
    """Return which voxels of a level lie in the bounds of a block of its source."""
    z, y, x = (
        slice(-(-bounds[2 * i] // step), -(-bounds[2 * i + 1] // step))
        for i, step in enumerate(at.step)
    )
    return z, y, x


def _paste(out: NDArray[Any], at: Level, box: Box, block: Block, bounds: Box) -> None:
    into, of = [], []
    for axis, (hit, step) in enumerate(zip(_hit(at, bounds), at.step, strict=True)):
        first, stop = max(hit.start, box[2 * axis]), min(hit.stop, box[2 * axis + 1])
        if first >= stop:
            return
        into.append(slice(first - box[2 * axis], stop - box[2 * axis]))
        start = first * step - bounds[2 * axis]
        of.append(slice(start, start + (stop - 1 - first) * step + 1, step))
    out[into[0], into[1], into[2]] = block[of[0], of[1], of[2]]
