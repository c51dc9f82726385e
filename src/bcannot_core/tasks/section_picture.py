"""Pictures of a section: a window onto a volume at any scale, the same bytes everywhere.

Sampling is separable and in whole numbers (positions to 1/256 voxel): a copy where canvas pixels
are voxels, bilinear when magnifying, the mean over the pixel's area when shrinking by more than
1.5, so that nothing aliases.
"""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.coords import CanvasView

OUTSIDE = (24, 24, 30)
_FINE = 256
_SHRINK = 1.5
_KEPT = 8


class VolumeLike(Protocol):
    """What a picture needs of a volume."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size in voxels, (z, y, x)."""
        ...

    @property
    def voxel_nm(self) -> tuple[float, float, float]:
        """Voxel size in nm, (z, y, x)."""
        ...

    def section_grey(self, z: int, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.uint8]:
        """Return a part of a section that lies inside the volume, contrast normalised."""
        ...


@dataclass(frozen=True, eq=False)
class AxisTable:
    """How one axis of a picture is sampled: each pixel a weighted sum of neighbouring voxels.

    Attributes
    ----------
    pixels : slice
        Canvas pixels that show the volume; the others lie outside it.
    voxels : slice
        What must be read.
    taps : int64 (k, n)
        Voxels of each pixel, relative to ``voxels``; empty where pixels are voxels.
    weights : uint16 (k, n)
        Their weights; those of a pixel sum to 256.
    """

    pixels: slice
    voxels: slice
    taps: NDArray[np.int64]
    weights: NDArray[np.uint16]

    @property
    def copies(self) -> bool:
        """Whether canvas pixels are voxels."""
        return self.taps.size == 0

    def sum_rows(self, picture: NDArray[Any], dtype: type[np.unsignedinteger]) -> NDArray[Any]:
        """Sample the rows of an array; values come out times 256, as ``dtype``."""
        if self.copies:
            scaled: NDArray[Any] = np.multiply(picture, _FINE, dtype=dtype)
            return scaled
        total: NDArray[Any] | None = None
        for tap, weight in zip(self.taps, self.weights, strict=True):
            term = picture.take(tap, axis=0).astype(dtype)
            term *= weight.astype(dtype)[:, None]
            total = term if total is None else np.add(total, term, out=total)
        return np.zeros((0, picture.shape[1]), dtype) if total is None else total


@lru_cache(maxsize=512)
def axis_table(centre: float, step: float, pixels: int, voxels: int) -> AxisTable | None:
    """Return how an axis is sampled, None where no canvas pixel shows the volume.

    Parameters
    ----------
    centre : float
        Voxel position of canvas pixel ``pixels // 2``.
    step : float
        Voxels per canvas pixel.
    pixels, voxels : int
        Lengths of the canvas and of the volume.
    """
    at: NDArray[np.float64] = centre + (np.arange(pixels, dtype=np.float64) - pixels // 2) * step
    shown = np.flatnonzero((at >= -0.5) & (at < voxels - 0.5))
    if shown.size == 0:
        return None
    window = slice(int(shown[0]), int(shown[-1]) + 1)
    at = at[window]
    if step == 1.0 and at[0].is_integer():
        none = np.empty((0, 0))
        read = slice(int(at[0]), int(at[-1]) + 1)
        return AxisTable(window, read, none.astype(np.int64), none.astype(np.uint16))
    taps, weights = _bilinear(at) if step <= _SHRINK else _mean(at, step, voxels)
    taps = np.clip(taps, 0, voxels - 1)
    read = slice(int(taps.min()), int(taps.max()) + 1)
    return AxisTable(window, read, taps - read.start, weights.astype(np.uint16))


def _bilinear(at: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    fine = np.floor(at * _FINE + 0.5).astype(np.int64)
    first, part = fine // _FINE, fine % _FINE
    return np.stack([first, first + 1]), np.stack([_FINE - part, part])


def _mean(
    at: NDArray[np.float64], step: float, voxels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weigh each voxel by its overlap with the pixel; rounded such that the sum stays exact."""
    ends = [np.floor((at + side * step / 2 + 0.5) * _FINE + 0.5) for side in (-1, 1)]
    low, high = (np.clip(end.astype(np.int64), 0, voxels * _FINE) for end in ends)
    first = low // _FINE
    count = int((-(-high // _FINE) - first).max())
    edges = (first + np.arange(count + 1)[:, None]) * _FINE
    covered = np.clip(edges, low, high) - low
    extent = high - low
    cumulative = (covered * _FINE + extent // 2) // extent
    return first + np.arange(count)[:, None], np.diff(cumulative, axis=0)


def render_section(volume: VolumeLike, z: int, view: CanvasView) -> NDArray[np.uint8]:
    """Return what a view shows of section ``z``.

    Returns
    -------
    uint8 (h, w) or (h, w, 3)
        Grey, or RGB where a part lies outside the volume. Read-only.
    """
    height, width = view.size_hw
    (step_y, step_x), (centre_y, centre_x) = view.step_yx, view.centre_yx
    rows = axis_table(float(centre_y), step_y, height, volume.shape[1])
    columns = axis_table(float(centre_x), step_x, width, volume.shape[2])
    if rows is None or columns is None:
        return _framed(None, rows, columns, view.size_hw)
    grey = volume.section_grey(
        z, rows.voxels.start, rows.voxels.stop, columns.voxels.start, columns.voxels.stop
    )
    if not (rows.copies and columns.copies):
        tall = np.ascontiguousarray(rows.sum_rows(grey, np.uint16).T)
        fine = columns.sum_rows(tall, np.uint32)
        fine += np.uint32(_FINE * _FINE // 2)
        fine >>= np.uint32(16)
        grey = np.ascontiguousarray(fine.astype(np.uint8).T)
    return _framed(grey, rows, columns, view.size_hw)


@lru_cache(maxsize=8)
def _empty_canvas(size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    canvas = np.empty((*size_hw, 3), dtype=np.uint8)
    canvas[:] = OUTSIDE
    return canvas


def _framed(
    grey: NDArray[np.uint8] | None,
    rows: AxisTable | None,
    columns: AxisTable | None,
    size_hw: tuple[int, int],
) -> NDArray[np.uint8]:
    """Surround what was read by the colour of the outside, where the canvas shows any."""
    if grey is not None and grey.shape == size_hw:
        picture = grey.view()
    else:
        picture = _empty_canvas(size_hw).copy()
        if grey is not None and rows is not None and columns is not None:
            part = picture[rows.pixels, columns.pixels]
            for channel in range(3):  # much faster than one broadcast assignment
                part[..., channel] = grey
    picture.flags.writeable = False
    return picture


class SectionPictures:
    """The pictures seen last of a volume; the same view gives the same array. Thread-safe."""

    def __init__(self, volume: VolumeLike) -> None:
        self._volume = volume
        self._kept: OrderedDict[tuple[int, CanvasView], NDArray[np.uint8]] = OrderedDict()

    def holds(self, z: int, view: CanvasView) -> bool:
        """Whether a picture is one of those seen last."""
        return (z, view) in self._kept

    def get(self, z: int, view: CanvasView) -> NDArray[np.uint8]:
        """Return the picture of a section in a view, read-only."""
        key = (z, view)
        picture = self._kept.get(key)
        if picture is None:
            picture = self._kept.setdefault(key, render_section(self._volume, z, view))
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            with suppress(KeyError):  # another thread may have let go of it
                self._kept.move_to_end(key)
        return picture
