"""Names shared by the modules of this package."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import VolumeFormatError

Shape = tuple[int, int, int]
"""A shape or index in the order (z, y, x)."""
VoxelNm = tuple[float, float, float]
"""A voxel size in nm in the order (z, y, x)."""
Box = tuple[int, int, int, int, int, int]
"""Half-open bounds (z0, z1, y0, y1, x0, x1)."""

DEFAULT_VOXEL_NM: VoxelNm = (10.0, 10.0, 10.0)
"""Voxel size of data that do not state one (``Volume.voxel_known`` is then False)."""


@dataclass(frozen=True, slots=True)
class ScaleInfo:
    """One resolution level of a volume.

    Attributes
    ----------
    index : int
        Position in ``Volume.scales``; 0 is the finest as stored.
    name : str
        The key, path or folder of the level.
    shape : tuple of int
        (z, y, x).
    voxel_nm : tuple of float
        (z, y, x) in nm.
    offset : tuple of int
        Where the first voxel lies in the coordinates of the data set, (z, y, x) in voxels.
    """

    index: int
    name: str
    shape: Shape
    voxel_nm: VoxelNm
    offset: Shape = (0, 0, 0)


class Source(Protocol):
    """What a format gives: boxes of raw voxels of one scale, on demand.

    ``read`` gets boxes inside the volume and raises only errors of the ``VolumeError`` branch.
    ``chunks`` is the shape (z, y, x) that is read at one go anyway, or None where any box is cheap.
    ``concurrent`` says that reads from several threads overlap (network sources).
    """

    shape: Shape
    dtype: np.dtype[Any]
    chunks: Shape | None
    concurrent: bool

    def read(self, box: Box) -> NDArray[Any]:
        """Return the raw voxels of a box that lies inside the volume."""
        ...


def box_shape(box: Box) -> Shape:
    """Return the (z, y, x) shape of a box."""
    return box[1] - box[0], box[3] - box[2], box[5] - box[4]


def box_slices(box: Box) -> tuple[slice, slice, slice]:
    """Return the three slices of a box."""
    return slice(box[0], box[1]), slice(box[2], box[3]), slice(box[4], box[5])


def clip_box(box: Box, shape: Shape) -> Box:
    """Return the part of a box that lies inside ``shape``; possibly empty, never inverted."""
    z0, y0, x0 = (min(max(box[2 * i], 0), shape[i]) for i in range(3))
    z1, y1, x1 = (max(min(box[2 * i + 1], shape[i]), low) for i, low in enumerate((z0, y0, x0)))
    return z0, z1, y0, y1, x0, x1


def check_array(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> Shape:
    """Refuse arrays that are no volume; return the shape as three ints.

    Raises
    ------
    VolumeFormatError
        Not three axes, an empty axis, or a dtype that is not boolean, integer or float.
    """
    if len(shape) != 3:
        remedy = (
            "stack the sections into one (z, y, x) array"
            if len(shape) < 3
            else "extract one channel and time point as a (z, y, x) array"
        )
        raise VolumeFormatError(
            f"{where} has shape {tuple(shape)}, a volume has three axes (z, y, x): {remedy}"
        )
    if min(shape) < 1:
        raise VolumeFormatError(f"{where} has shape {tuple(shape)}: it holds no voxels")
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise VolumeFormatError(
            f"{where} has values of type {dtype}: only booleans, integers and floats can be shown"
        )
    return int(shape[0]), int(shape[1]), int(shape[2])
