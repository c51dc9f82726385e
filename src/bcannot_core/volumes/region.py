"""Region: an oriented, subsampled view of a volume, itself a volume."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.volumes.address import add_options
from bcannot_core.volumes.base import Box, ScaleInfo, Shape, Source
from bcannot_core.volumes.contrast import Contrast
from bcannot_core.volumes.lazy import ArraySource
from bcannot_core.volumes.region_map import Axes, Flips, RegionMap, RegionSource, make_map
from bcannot_core.volumes.volume import Volume


class Region(Volume):
    """A lazy, oriented, subsampled view of a volume, itself a volume.

    The same voxels as ``volume[box].transpose(axes)``, the flipped axes reversed, then every
    ``step``-th voxel; the contrast is that of the volume. A region of a region is a region of the
    volume below.

    Parameters
    ----------
    volume : Volume
        What is looked at.
    box : tuple of int, optional
        (z0, z1, y0, y1, x0, x1) in the volume; the whole of it by default.
    axes : tuple of int
        Axis ``k`` of the region runs along axis ``axes[k]`` of the volume.
    flips : tuple of bool
        Axes of the region that run backwards.
    step : tuple of int
        Subsampling by axis of the region, counted from its first voxel.

    Raises
    ------
    UsageError
        The box is empty or leaves the volume, ``axes`` is no permutation, a step is below 1.
    """

    def __init__(
        self,
        volume: Volume,
        box: Box | None = None,
        axes: Axes = (0, 1, 2),
        flips: Flips = (False, False, False),
        step: Shape = (1, 1, 1),
    ) -> None:
        self.map: RegionMap = make_map(volume.shape, box, axes, flips, step)
        self.volume: Volume = volume
        if isinstance(volume, Region):
            self.map, self.volume = volume.map.compose(self.map), volume.volume
        region, volume = self.map, self.volume
        below = volume.source
        source: Source = (
            ArraySource(region.view(below.array))
            if isinstance(below, ArraySource)
            else RegionSource(below, region)
        )
        voxel = region.voxel_nm(volume.voxel_nm)
        info = replace(
            volume.info,
            address=region_address(volume.address, region),
            voxel_nm=voxel,
            scales=(ScaleInfo(0, "region", source.shape, voxel),),
            scale=0,
        )
        super().__init__(source, info)
        self.source = source  # the volume below has the cache

    @property
    def contrast(self) -> Contrast:
        """The contrast of the volume below."""
        return self.volume.contrast

    def with_contrast(self, contrast: Contrast) -> "Region":
        """Return this region under another contrast (the voxels are shared)."""
        return self._of(self.volume.with_contrast(contrast))

    def to_volume(self, zyx: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return the position in the volume below of a position in the region."""
        return self.map.to_below(zyx)

    def from_volume(self, zyx: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return the position in the region of a position in the volume below."""
        return self.map.from_below(zyx)

    def of_labels(self, labels: Volume) -> "Region":
        """Return the same region of the labels that belong to the volume below.

        Raises
        ------
        UsageError
            The labels have another shape.
        """
        if labels.shape != self.volume.shape:
            raise UsageError(
                f"labels {labels.address} have shape {labels.shape}, the volume "
                f"{self.volume.address} has {self.volume.shape}: they must be equal"
            )
        return self._of(labels)

    def _of(self, volume: Volume) -> "Region":
        view = self.map
        return Region(volume, view.box, view.axes, view.flips, view.step)

    def grey_stack(self, axes: Axes) -> NDArray[np.uint8] | None:
        """Return the grey levels of the region, as a view of those of the volume below."""
        stack = self.volume.grey_stack(self.map.axes)
        return None if stack is None else self.map.view_of_transposed(stack)


def region_address(address: str, region: RegionMap) -> str:
    """Return the address of a region, as ``open_volume`` reads it."""
    options = [f"box={','.join(map(str, region.box))}"]
    if region.axes != (0, 1, 2):
        options.append(f"axes={','.join(map(str, region.axes))}")
    if any(region.flips):
        options.append(f"flip={','.join(str(int(flip)) for flip in region.flips)}")
    if region.step != (1, 1, 1):
        options.append(f"step={','.join(map(str, region.step))}")
    return add_options(address, options)
