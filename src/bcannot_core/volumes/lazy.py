"""Lazy arrays: indexable like numpy, read only when asked for values."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bcannot_core.errors import UsageError, VolumeUnreachableError
from bcannot_core.volumes.base import Box, Shape, Source, check_array


class ArraySource:
    """A source over a numpy array (or memory map) in the address space: reads are views."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.chunks: Shape | None = None
        self.concurrent: bool = False
        self.array = array.view(np.ndarray)
        self.array.setflags(write=False)
        self.shape: Shape = (array.shape[0], array.shape[1], array.shape[2])
        self.dtype = array.dtype

    def read(self, box: Box) -> NDArray[Any]:
        """Return a read-only view of the box."""
        return self.array[box[0] : box[1], box[2] : box[3], box[4] : box[5]]


class IndexedSource:
    """A source over any object with ``shape``, ``dtype`` and slicing (dask, zarr, a generator)."""

    def __init__(self, array: Any, where: str) -> None:
        self.concurrent: bool = False
        self.dtype = np.dtype(array.dtype)
        self.shape = check_array(tuple(array.shape), self.dtype, where)
        self._array = array
        self._where = where
        self.chunks = _chunks_of(array, self.shape)

    def read(self, box: Box) -> NDArray[Any]:
        """Return the raw voxels of a box that lies inside the volume."""
        try:
            return np.asarray(self._array[box[0] : box[1], box[2] : box[3], box[4] : box[5]])
        except OSError as error:
            raise VolumeUnreachableError(
                f"cannot read {self._where} at {box}: {error}; try again later"
            ) from error


def _chunks_of(array: Any, shape: Shape) -> Shape | None:
    """Return the chunk shape that an array states (dask: the first of each axis), or None."""
    chunks = getattr(array, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) != 3:
        return None
    sizes = [int(max(c)) if isinstance(c, tuple) else int(c) for c in chunks]
    sizes = [min(max(size, 1), full) for size, full in zip(sizes, shape, strict=True)]
    return sizes[0], sizes[1], sizes[2]


class LazyArray:
    """A lazy array over a source, made for napari and dask.

    Integer and slice indexing returns another lazy array, clipped as numpy does, without reading;
    ``numpy.asarray`` reads. Picking a single voxel reads it at once.

    Parameters
    ----------
    source : Source
        Where the voxels come from.
    picks : tuple, optional
        For each source axis a range (kept axis) or an int (dropped axis).
    """

    def __init__(self, source: Source, picks: tuple[range | int, ...] | None = None) -> None:
        self._source = source
        self._picks = picks or tuple(range(size) for size in source.shape)
        self.dtype = source.dtype
        self.shape = tuple(len(pick) for pick in self._picks if isinstance(pick, range))
        self.ndim = len(self.shape)
        self.size = prod(self.shape)
        self.nbytes = self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Return the length of the first axis."""
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __repr__(self) -> str:
        """Return the shape and the dtype."""
        return f"<LazyArray shape={self.shape} dtype={self.dtype}>"

    def __getitem__(self, key: Any) -> Any:
        """Index lazily by integers, slices and an ellipsis; by arrays through numpy."""
        keys = key if isinstance(key, tuple) else (key,)
        if not all(k is Ellipsis or isinstance(k, int | np.integer | slice) for k in keys):
            return np.asarray(self)[key]
        if keys.count(Ellipsis) > 1:
            raise IndexError("an index can only have a single ellipsis ('...')")
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            fill = (slice(None),) * (self.ndim - len(keys) + 1)
            keys = keys[:at] + fill + keys[at + 1 :]
        if len(keys) > self.ndim:
            raise IndexError(f"{len(keys)} indices for an array of {self.ndim} axes")
        rest = iter(keys)
        picks = tuple(
            pick if isinstance(pick, int) else _pick(pick, next(rest, slice(None)))
            for pick in self._picks
        )
        part = LazyArray(self._source, picks)
        return part if part.shape else np.asarray(part)[()]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the values (always a fresh array or a read-only view)."""
        data = self._read()
        if dtype is not None and np.dtype(dtype) != data.dtype:
            return data.astype(dtype)
        return data.copy() if copy else data

    def _read(self) -> NDArray[Any]:
        if self.size == 0:
            return np.empty(self.shape, self.dtype)
        bounds: list[int] = []
        steps: list[slice | int] = []
        for pick in self._picks:
            ends = sorted((pick[0], pick[-1])) if isinstance(pick, range) else [pick, pick]
            bounds += [ends[0], ends[1] + 1]
            if isinstance(pick, range):
                steps.append(slice(None, None, pick.step if len(pick) > 1 else 1))
            else:
                steps.append(0)
        z0, z1, y0, y1, x0, x1 = bounds
        return np.asarray(self._source.read((z0, z1, y0, y1, x0, x1))[tuple(steps)])


def _pick(pick: range, key: int | slice) -> range | int:
    if isinstance(key, slice):
        return pick[key]
    return int(pick[int(key)])


def make_source(array: Any, where: str) -> Source:
    """Return a source over an array; numpy arrays stay in place, others are read on demand.

    Raises
    ------
    UsageError
        The object has no shape, dtype or indexing.
    VolumeFormatError
        It is not three-dimensional or has values that cannot be shown.
    """
    if isinstance(array, np.ndarray):
        check_array(array.shape, array.dtype, where)
        return ArraySource(array)
    if not all(hasattr(array, name) for name in ("shape", "dtype", "__getitem__")):
        raise UsageError(
            f"{where} is a {type(array).__name__}: a volume needs an array with shape, dtype and "
            "indexing (numpy, dask, zarr, h5py, …)"
        )
    return IndexedSource(array, where)
