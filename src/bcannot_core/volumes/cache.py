"""A bounded cache of raw blocks, so that tracing reads nothing twice."""

import threading
from collections import OrderedDict, deque
from itertools import count
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.volumes.base import Box, Shape, Source, box_shape, box_slices

BUDGET_BYTES = 384 * 2**20
MIN_BLOCK: Shape = (1, 128, 128)
MAX_GROWN_BYTES = 2 * 2**20

_Key = tuple[int, int, int, int]
_MAX_IDS = 2**16


class PaletteBlock:
    """A block of ids kept as small numbers: a view of labels then takes as little as one of EM.

    Parameters
    ----------
    ids : ndarray
        The ids that occur, sorted.
    numbers : ndarray
        For each voxel the index of its id.
    """

    def __init__(self, ids: NDArray[Any], numbers: NDArray[Any]) -> None:
        self._ids, self._numbers = ids, numbers
        self.nbytes = ids.nbytes + numbers.nbytes

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[Any]:
        """Return the ids of a part."""
        return np.asarray(self._ids[self._numbers[key]])


Block = NDArray[Any] | PaletteBlock


def compact(block: NDArray[Any]) -> Block:
    """Return what is kept of a block: wide integers as small numbers, a copy of all else."""
    if block.dtype.kind not in "iu" or block.dtype.itemsize < 4:
        return np.array(block, order="C")
    if block.size and block.min() == block.max():
        return PaletteBlock(block.ravel()[:1].copy(), np.zeros(block.shape, np.uint8))
    # section by section: a whole block of searchsorted's indices would take more than the ids
    ids = np.unique(np.concatenate([np.unique(section) for section in block]))
    if len(ids) > _MAX_IDS:
        return np.array(block, order="C")
    numbers = np.empty(block.shape, np.uint8 if len(ids) <= 2**8 else np.uint16)
    for section, into in zip(block, numbers, strict=True):
        into[:] = np.searchsorted(ids, section)
    return PaletteBlock(ids, numbers)


class BlockCache:
    """Least recently used blocks of any number of sources, bounded by bytes, thread-safe."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._blocks: OrderedDict[_Key, Block] = OrderedDict()
        self._closed: deque[int] = deque()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> Block | None:
        """Return a block and mark it as used, or None."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
            return block

    def put(self, key: _Key, block: Block) -> None:
        """Keep a block; the longest unused ones go."""
        with self._lock:
            while self._closed:
                self._forget(self._closed.popleft())
            old = self._blocks.pop(key, None)
            self.used_bytes += block.nbytes - (0 if old is None else old.nbytes)
            self._blocks[key] = block
            while self.used_bytes > self.budget_bytes and self._blocks:
                _, gone = self._blocks.popitem(last=False)
                self.used_bytes -= gone.nbytes

    def drop(self, source: int) -> None:
        """Forget the blocks of one source, at the next ``put``.

        Takes no lock: it is called by finalizers, which may run in the middle of ``put``.
        """
        self._closed.append(source)

    def _forget(self, source: int) -> None:
        for key in [key for key in list(self._blocks) if key[0] == source]:
            self.used_bytes -= self._blocks.pop(key).nbytes


SHARED_CACHE = BlockCache()
_numbers = count()


def block_shape(source: Source) -> Shape:
    """Return the block that is read at one go: whole chunks, at least 128×128 in the plane.

    Chunks that are large as they are make a block each.
    """
    chunks = source.chunks or (8, 256, 256)
    grown = [
        min(-(-low // chunk) * chunk, size) if chunk < low else min(chunk, size)
        for chunk, low, size in zip(chunks, MIN_BLOCK, source.shape, strict=True)
    ]
    if prod(grown) * source.dtype.itemsize > MAX_GROWN_BYTES:
        grown = [min(chunk, size) for chunk, size in zip(chunks, source.shape, strict=True)]
    return grown[0], grown[1], grown[2]


class CachedSource:
    """A source whose small reads go through a block cache.

    A box is put together from blocks of whole chunks; missing blocks are fetched by one read of
    the smallest box that holds them. Boxes too large for the cache are read directly.

    Parameters
    ----------
    source : Source
        Where the voxels come from.
    cache : BlockCache, optional
        By default one cache for the whole process.
    """

    def __init__(self, source: Source, cache: BlockCache | None = None) -> None:
        self.shape, self.dtype, self.chunks = source.shape, source.dtype, source.chunks
        self.concurrent = source.concurrent
        self._source = source
        self._cache = SHARED_CACHE if cache is None else cache
        self._number = next(_numbers)
        self._block = block_shape(source)

    def __del__(self) -> None:
        """Give the memory of the blocks back."""
        cache = getattr(self, "_cache", None)
        if cache is not None:
            cache.drop(self._number)

    def read(self, box: Box) -> NDArray[Any]:
        """Return the raw voxels of a box that lies inside the volume."""
        if prod(box_shape(box)) == 0:
            return np.empty(box_shape(box), self.dtype)
        blocks = prod(len(r) for r in self._ranges(box))
        if blocks * self.block_bytes > self._cache.budget_bytes // 2:
            return self._source.read(box)
        indices = self.blocks(box)
        found = {index: self.peek(index) for index in indices}
        missing = [index for index, block in found.items() if block is None]
        if missing:
            found.update(self._fetch(missing))
        out = np.empty(box_shape(box), self.dtype)
        for index, block in found.items():
            if block is not None:
                self._paste(out, box, index, block)
        return out

    @property
    def block_bytes(self) -> int:
        """What a whole block takes, as it is read."""
        return prod(self._block) * self.dtype.itemsize

    @property
    def kept_bytes(self) -> int:
        """What a whole block takes in the cache: ids are kept as a byte each, mostly."""
        wide = self.dtype.kind in "iu" and self.dtype.itemsize >= 4
        return prod(self._block) if wide else self.block_bytes

    @property
    def block_shape(self) -> Shape:
        """The (z, y, x) shape of what is read at one go."""
        return self._block

    @property
    def budget_bytes(self) -> int:
        """What the cache may take, all its sources together."""
        return self._cache.budget_bytes

    def _ranges(self, box: Box) -> list[range]:
        return [
            range(box[2 * i] // self._block[i], (box[2 * i + 1] - 1) // self._block[i] + 1)
            for i in range(3)
        ]

    def blocks(self, box: Box) -> list[Shape]:
        """Return the indices of the blocks that a box needs."""
        z, y, x = self._ranges(box)
        return [(i, j, k) for i in z for j in y for k in x]

    def peek(self, index: Shape) -> Block | None:
        """Return a block that is in the cache, else None; reads nothing."""
        return self._cache.get((self._number, *index))

    def load(self, index: Shape) -> None:
        """Read a block into the cache.

        Raises
        ------
        VolumeError
            It cannot be read.
        """
        self._fetch([index])

    def blacken(self, index: Shape) -> None:
        """Take a block for black that cannot be read, so that it is not asked for again."""
        z0, z1, y0, y1, x0, x1 = self.bounds(index, index)
        black = np.zeros((z1 - z0, y1 - y0, x1 - x0), self.dtype)
        self._cache.put((self._number, *index), compact(black))

    def bounds(self, low: Shape, high: Shape) -> Box:
        """Return the box from block ``low`` to block ``high`` inclusive, clipped."""
        starts = [i * b for i, b in zip(low, self._block, strict=True)]
        stops = [min((i + 1) * b, n) for i, b, n in zip(high, self._block, self.shape, strict=True)]
        return starts[0], stops[0], starts[1], stops[1], starts[2], stops[2]

    def _fetch(self, missing: list[Shape]) -> dict[Shape, Block]:
        low = (min(m[0] for m in missing), min(m[1] for m in missing), min(m[2] for m in missing))
        high = (max(m[0] for m in missing), max(m[1] for m in missing), max(m[2] for m in missing))
        outer = self.bounds(low, high)
        data = self._source.read(outer)
        fetched: dict[Shape, Block] = {}
        for index in missing:
            inner = self.bounds(index, index)
            shift = (outer[0], outer[0], outer[2], outer[2], outer[4], outer[4])
            local = tuple(a - b for a, b in zip(inner, shift, strict=True))
            z0, z1, y0, y1, x0, x1 = local
            block = compact(data[z0:z1, y0:y1, x0:x1])
            self._cache.put((self._number, *index), block)
            fetched[index] = block
        return fetched

    def _paste(self, out: NDArray[Any], box: Box, index: Shape, block: Block) -> None:
        bounds = self.bounds(index, index)
        part = tuple(
            max(a, b) if side % 2 == 0 else min(a, b)
            for side, (a, b) in enumerate(zip(box, bounds, strict=True))
        )
        z0, z1, y0, y1, x0, x1 = part
        into = (z0 - box[0], z1 - box[0], y0 - box[2], y1 - box[2], x0 - box[4], x1 - box[4])
        of = tuple(a - bounds[side // 2 * 2] for side, a in enumerate(part))
        out[box_slices(into)] = block[of[0] : of[1], of[2] : of[3], of[4] : of[5]]
