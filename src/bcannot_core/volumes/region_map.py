"""Oriented, subsampled views: the index arithmetic."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.volumes.base import Box, Shape, Source, VoxelNm

Axes = tuple[int, int, int]
Flips = tuple[bool, bool, bool]


@dataclass(frozen=True, slots=True)
class RegionMap:
    """How the axes of a region run through the volume below it.

    Region index ``i`` on axis ``k`` is index ``starts[k] + strides[k] * i`` on axis ``axes[k]`` of
    the volume below.
    """

    axes: Axes
    starts: Shape
    strides: Shape
    shape: Shape

    @property
    def box(self) -> Box:
        """The tight box (z0, z1, y0, y1, x0, x1) in the volume below."""
        bounds = [0] * 6
        for axis, start, stride, size in zip(
            self.axes, self.starts, self.strides, self.shape, strict=True
        ):
            last = start + stride * (size - 1)
            bounds[2 * axis], bounds[2 * axis + 1] = min(start, last), max(start, last) + 1
        z0, z1, y0, y1, x0, x1 = bounds
        return z0, z1, y0, y1, x0, x1

    @property
    def flips(self) -> Flips:
        """Which axes of the region run backwards."""
        return self.strides[0] < 0, self.strides[1] < 0, self.strides[2] < 0

    @property
    def step(self) -> Shape:
        """Voxels of the volume below per voxel of the region, by region axis."""
        return abs(self.strides[0]), abs(self.strides[1]), abs(self.strides[2])

    def voxel_nm(self, below: VoxelNm) -> VoxelNm:
        """Return the voxel size of the region from that of the volume below."""
        sizes = [
            below[axis] * abs(stride) for axis, stride in zip(self.axes, self.strides, strict=True)
        ]
        return sizes[0], sizes[1], sizes[2]

    def to_below(self, zyx: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return the position in the volume below of a position in the region."""
        out = [0.0] * 3
        for axis, start, stride, value in zip(
            self.axes, self.starts, self.strides, zyx, strict=True
        ):
            out[axis] = start + stride * value
        return out[0], out[1], out[2]

    def from_below(self, zyx: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return the position in the region of a position in the volume below."""
        out = [
            (zyx[axis] - start) / stride
            for axis, start, stride in zip(self.axes, self.starts, self.strides, strict=True)
        ]
        return out[0], out[1], out[2]

    def compose(self, outer: "RegionMap") -> "RegionMap":
        """Return the map of a region of this region, onto the volume below this one."""
        axes = [self.axes[k] for k in outer.axes]
        starts = [
            self.starts[k] + self.strides[k] * s
            for k, s in zip(outer.axes, outer.starts, strict=True)
        ]
        strides = [self.strides[k] * s for k, s in zip(outer.axes, outer.strides, strict=True)]
        return RegionMap(
            (axes[0], axes[1], axes[2]),
            (starts[0], starts[1], starts[2]),
            (strides[0], strides[1], strides[2]),
            outer.shape,
        )

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the region of an array of the volume below, as a numpy view."""
        return self.view_of_transposed(array.transpose(self.axes))

    def view_of_transposed(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the region of an array whose axes are already in the region's order."""
        keys = []
        for start, stride, size in zip(self.starts, self.strides, self.shape, strict=True):
            stop = start + stride * size
            keys.append(slice(start, stop if stop >= 0 else None, stride))
        return array[tuple(keys)]


def make_map(
    shape: Shape,
    box: Box | None = None,
    axes: Axes = (0, 1, 2),
    flips: Flips = (False, False, False),
    step: Shape = (1, 1, 1),
) -> RegionMap:
    """Make the map of ``volume[box].transpose(axes)``, flipped, then every ``step``-th voxel.

    Parameters
    ----------
    shape : tuple of int
        Shape (z, y, x) of the volume below.
    box : tuple of int, optional
        (z0, z1, y0, y1, x0, x1) in that volume; the whole of it by default.
    axes : tuple of int
        Region axis ``k`` runs along axis ``axes[k]`` of the volume.
    flips : tuple of bool
        Region axes that run backwards.
    step : tuple of int
        By region axis; counted from the first voxel after flipping.

    Raises
    ------
    UsageError
        The box is empty or leaves the volume, ``axes`` is no permutation, a step is below 1.
    """
    bounds = box if box is not None else (0, shape[0], 0, shape[1], 0, shape[2])
    if len(bounds) != 6 or sorted(axes) != [0, 1, 2] or len(flips) != 3 or len(step) != 3:
        raise UsageError(
            f"region box={bounds} axes={axes} flips={flips} step={step}: needs six bounds, a "
            "permutation of 0,1,2, three flips and three steps"
        )
    for axis, name in enumerate("zyx"):
        if not 0 <= bounds[2 * axis] < bounds[2 * axis + 1] <= shape[axis]:
            raise UsageError(
                f"region box {bounds[2 * axis]}:{bounds[2 * axis + 1]} along {name} is empty or "
                f"leaves the volume, which has {shape[axis]} voxels there"
            )
    if min(step) < 1:
        raise UsageError(f"region step {step}: every step must be at least 1")
    starts, strides, sizes = [], [], []
    for axis, flip, every in zip(axes, flips, step, strict=True):
        low, high = bounds[2 * axis], bounds[2 * axis + 1]
        starts.append(high - 1 if flip else low)
        strides.append(-every if flip else every)
        sizes.append(-(-(high - low) // every))
    return RegionMap(
        (axes[0], axes[1], axes[2]),
        (starts[0], starts[1], starts[2]),
        (strides[0], strides[1], strides[2]),
        (sizes[0], sizes[1], sizes[2]),
    )


class RegionSource:
    """A source that reads a region through the source below it."""

    def __init__(self, below: Source, region: RegionMap) -> None:
        self.shape, self.dtype = region.shape, below.dtype
        self.chunks: Shape | None = None
        self.concurrent = below.concurrent
        self._below, self._map = below, region

    def read(self, box: Box) -> NDArray[Any]:
        """Return the raw voxels of a box that lies inside the region."""
        sizes = (box[1] - box[0], box[3] - box[2], box[5] - box[4])
        if min(sizes) == 0:
            return np.empty(sizes, self.dtype)
        part = self._map.compose(RegionMap((0, 1, 2), (box[0], box[2], box[4]), (1, 1, 1), sizes))
        outer = part.box
        origin = (outer[0], outer[2], outer[4])
        starts = [s - origin[axis] for axis, s in zip(part.axes, part.starts, strict=True)]
        local = RegionMap(part.axes, (starts[0], starts[1], starts[2]), part.strides, part.shape)
        return local.view(self._below.read(outer))
