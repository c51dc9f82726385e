"""Pictures of a section: a window onto a volume at any scale, the same bytes everywhere.

Sampling is separable and in whole numbers (positions to 1/256 voxel): a copy where canvas pixels
are voxels, bilinear when magnifying, the mean over the pixel's area when shrinking by more than
1.5, so that nothing aliases.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.coords import CanvasView

OUTSIDE = (24, 24, 30)
_FINE = 256
_SHRINK = 1.5
_KEPT = 64


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
    """How one axis of a picture is sampled.

    Attributes
    ----------
    pixels : slice
        Canvas pixels that show the volume; the others lie outside it.
    voxels : slice
        What must be read.
    mode : str
        ``"copy"``, ``"bilinear"`` or ``"mean"``.
    low, high : int64 (n,)
        Positions in 1/256 voxel relative to ``voxels``: of the two neighbours' pair (bilinear:
        ``low`` the position, ``high`` the last index), or the ends of the pixel's extent (mean).
    """

    pixels: slice
    voxels: slice
    mode: Literal["copy", "bilinear", "mean"]
    low: NDArray[np.int64]
    high: NDArray[np.int64]

    def apply(self, picture: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
        """Sample an array along an axis; values come out times 256."""
        if self.mode == "copy":
            return picture * _FINE
        shape = (-1, 1) if axis == 0 else (1, -1)
        if self.mode == "bilinear":
            first, part = self.low // _FINE, (self.low % _FINE).reshape(shape)
            left = picture.take(first, axis)
            right = picture.take(np.minimum(first + 1, picture.shape[axis] - 1), axis)
            out: NDArray[np.int64] = left * (_FINE - part) + right * part
            return out
        extent = (self.high - self.low).reshape(shape)
        total = self._integral(picture, self.high, axis) - self._integral(picture, self.low, axis)
        mean: NDArray[np.int64] = (total * _FINE + extent // 2) // extent
        return mean

    @staticmethod
    def _integral(
        picture: NDArray[np.int64], ends: NDArray[np.int64], axis: int
    ) -> NDArray[np.int64]:
        """Return 256 times the integral from the first voxel's edge to each end."""
        pad = [(1, 0) if a == axis else (0, 0) for a in range(2)]
        sums = np.pad(np.cumsum(picture, axis=axis), pad)
        whole, part = ends // _FINE, ends % _FINE
        inside = np.minimum(whole, picture.shape[axis] - 1)
        shape = (-1, 1) if axis == 0 else (1, -1)
        out: NDArray[np.int64] = sums.take(whole, axis) * _FINE + picture.take(
            inside, axis
        ) * part.reshape(shape)
        return out


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
    at = centre + (np.arange(pixels) - pixels // 2) * step
    shown = np.flatnonzero((at >= -0.5) & (at < voxels - 0.5))
    if shown.size == 0:
        return None
    first, last = int(shown[0]), int(shown[-1])
    at = at[first : last + 1]
    window = slice(first, last + 1)
    none = np.empty(0, dtype=np.int64)
    if step == 1.0 and at[0].is_integer():
        return AxisTable(window, slice(int(at[0]), int(at[-1]) + 1), "copy", none, none)
    if step <= _SHRINK:
        fine = np.floor(at * _FINE + 0.5).astype(np.int64)
        fine = np.clip(fine, 0, (voxels - 1) * _FINE)
        start, stop = int(fine[0]) // _FINE, min(voxels, int(fine[-1]) // _FINE + 2)
        return AxisTable(window, slice(start, stop), "bilinear", fine - start * _FINE, none)
    low = np.floor((at - step / 2 + 0.5) * _FINE + 0.5).astype(np.int64)
    high = np.floor((at + step / 2 + 0.5) * _FINE + 0.5).astype(np.int64)
    low, high = np.clip(low, 0, voxels * _FINE), np.clip(high, 0, voxels * _FINE)
    start, stop = int(low[0]) // _FINE, -(-int(high[-1]) // _FINE)
    base = start * _FINE
    return AxisTable(window, slice(start, stop), "mean", low - base, high - base)


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
    if not rows.mode == columns.mode == "copy":
        fine = columns.apply(rows.apply(grey.astype(np.int64), 0), 1)
        grey = ((fine + _FINE * _FINE // 2) // (_FINE * _FINE)).astype(np.uint8)
    return _framed(grey, rows, columns, view.size_hw)


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
        picture = np.empty((*size_hw, 3), dtype=np.uint8)
        picture[:] = OUTSIDE
        if grey is not None and rows is not None and columns is not None:
            picture[rows.pixels, columns.pixels] = grey[..., None]
    picture.flags.writeable = False
    return picture


class SectionPictures:
    """The pictures seen last of a volume; the same view gives the same array."""

    def __init__(self, volume: VolumeLike) -> None:
        self._volume = volume
        self._kept: OrderedDict[tuple[int, CanvasView], NDArray[np.uint8]] = OrderedDict()

    def get(self, z: int, view: CanvasView) -> NDArray[np.uint8]:
        """Return the picture of a section in a view, read-only."""
        key = (z, view)
        picture = self._kept.get(key)
        if picture is None:
            picture = render_section(self._volume, z, view)
            self._kept[key] = picture
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return picture
