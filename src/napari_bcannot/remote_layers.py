"""Volumes that are fetched part by part, as lazy layers of napari.

What napari's slicing reads in the GUI thread is what is known so far, and the rest is fetched in
the background (see `bcannot_core.volumes.fetching`); `napari_bcannot.fetching` then shows it.
Whoever reads on another thread, or more than a section of a fine level, gets exact values and waits
for them.
"""

import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import BcannotError
from bcannot_core.volumes import Volume
from bcannot_core.volumes.base import Box, Shape, VoxelNm, box_shape
from bcannot_core.volumes.contrast import default_contrast
from bcannot_core.volumes.fetching import Fetcher
from bcannot_core.volumes.lazy import LazyArray
from bcannot_core.volumes.multiscale import Pyramid
from napari_bcannot.geometry import FINEST_KEY, VOLUME_KEY

FETCHER_KEY = "bcannot_fetcher"
"""Layer metadata: the `Fetcher` of a layer that is fetched part by part."""
NM = ("nm", "nm", "nm")
AXES = ("z", "y", "x")
TRACED_NM = 10.0
"""Pixel size that a trace reads at unless the person chooses another."""

LayerData = tuple[Any, dict[str, Any], str]


class LookSource:
    """A level of a pyramid as a source: what napari draws is never waited for.

    Parameters
    ----------
    fetcher : Fetcher
        Looks and fetches.
    level : int
        Of its pyramid.
    """

    def __init__(self, fetcher: Fetcher, level: int) -> None:
        self.shape: Shape = fetcher.pyramid.levels[level].shape
        self.dtype: np.dtype[Any] = fetcher.pyramid.dtype
        self.chunks: Shape | None = None
        self.concurrent: bool = True
        self._fetcher, self._level = fetcher, level

    def read(self, box: Box) -> NDArray[Any]:
        """Return the voxels of a box: exactly, or for a drawing what is known of them."""
        if self._is_drawn(box):
            return self._fetcher.look(self._level, box)
        return self._fetcher.read(self._level, box)

    def _is_drawn(self, box: Box) -> bool:
        coarsest = self._level == len(self._fetcher.pyramid.levels) - 1
        flat = 1 in box_shape(box)
        in_gui = threading.current_thread() is threading.main_thread()
        return in_gui and (flat or coarsest)


def volume_layer(
    volume: Volume,
    name: str | None = None,
    *,
    finest: int = 0,
    beside: VoxelNm | None = None,
    wait: bool = True,
) -> LayerData:
    """Return an image layer (labels layer for ids) of a volume, in nanometres.

    A volume in memory is shown as it is, all else level by level as it is fetched. Opens all
    levels: call it off the GUI thread.

    Parameters
    ----------
    volume : Volume
        What to show.
    name : str, optional
        Of the layer; by default the last part of the address.
    finest : int
        Finest level to show.
    beside : tuple of float, optional
        Finest voxel size (z, y, x) of the volume that this one is shown upon: voxels of another
        size cover the same ground.
    wait : bool
        Whether to read what the contrast is estimated from; else bytes are shown from 0 to 255
        where it is not known yet.

    Raises
    ------
    VolumeError
        The volume cannot be read.
    """
    info = volume.scales[finest]
    meta: dict[str, Any] = {
        "name": name or short_name(volume.address),
        "scale": info.voxel_nm,
        "translate": _place(info.offset, info.voxel_nm, beside or info.voxel_nm),
        "units": NM,
        "axis_labels": AXES,
        "metadata": {VOLUME_KEY: volume, FINEST_KEY: finest, "address": volume.address},
    }
    data = _in_memory(volume, finest)
    if data is None:
        fetcher = Fetcher(Pyramid(volume, finest))
        follow(fetcher)
        data = [LazyArray(LookSource(fetcher, i)) for i in range(len(fetcher.pyramid.levels))]
        meta["metadata"][FETCHER_KEY] = fetcher
    meta["multiscale"] = len(data) > 1
    shown = data if len(data) > 1 else data[0]
    if volume.is_labels:
        return shown, meta, "labels"
    later = not wait and volume.dtype == np.uint8 and not volume.contrast_known
    contrast = default_contrast(volume.dtype) if later else volume.contrast
    meta |= {
        "contrast_limits": (contrast.lo, contrast.hi),
        "colormap": "gray",
        "projection_mode": "none",
    }
    return shown, meta, "image"


def warm_up(volume: Volume) -> Volume:
    """Read what beginning a trace needs, so that it does not wait; failures show up then.

    Returns
    -------
    Volume
        The same one; where its contrast could be read, it is known now.
    """
    depth = volume.scales[0].shape[0]
    whole = [info for info in volume.scales if info.shape[0] == depth]
    near = min(whole, key=lambda info: abs(np.log(info.voxel_nm[1] / TRACED_NM)))
    with suppress(BcannotError):
        level = volume.at_scale(near.index)
        if not level.is_labels:
            _ = volume.contrast, level.contrast
        level.fingerprint()
    return volume


def follow(fetcher: Fetcher) -> None:
    """Have the layer of a fetcher drawn anew as its blocks come in."""
    from napari_bcannot.fetching import Refresher  # knows this module

    fetcher.woken = Refresher.shared().wake


def fetcher_of(layer: Any) -> Fetcher | None:
    """Return the fetcher of a layer that is fetched part by part."""
    found = layer.metadata.get(FETCHER_KEY)
    return found if isinstance(found, Fetcher) else None


def fetchers(layers: Iterable[Any]) -> list[Fetcher]:
    """Return the fetchers of layers, each once."""
    found = {id(f): f for f in map(fetcher_of, layers) if f is not None}
    return list(found.values())


def short_name(address: str) -> str:
    """Return the last part of an address."""
    place = address.split("#")[0].rstrip("/")
    return place.rsplit("/", 1)[-1] or address


def _place(offset: Shape, voxel_nm: VoxelNm, beside: VoxelNm) -> VoxelNm:
    """Return where the middle of the first voxel lies, nm; voxel 0 of ``beside`` lies at zero."""
    z, y, x = (o * v + (v - b) / 2 for o, v, b in zip(offset, voxel_nm, beside, strict=True))
    return z, y, x


def _in_memory(volume: Volume, finest: int) -> list[Any] | None:
    """Return the arrays of a volume whose levels all lie in memory, else None."""
    shown: list[Any] = []
    for info in volume.scales[finest:]:
        level = volume.at_scale(info.index)
        if not level.in_memory:
            return None
        if not shown or level.array.size < shown[-1].size:
            shown.append(level.array)
    return shown
