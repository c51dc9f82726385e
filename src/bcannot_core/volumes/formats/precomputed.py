"""Neuroglancer precomputed volumes: raw, jpeg and compressed segmentation, sharded or not."""

from typing import Any

import tensorstore as ts

from bcannot_core.errors import VolumeFormatError, VolumeNotFoundError
from bcannot_core.volumes.base import ScaleInfo, Shape
from bcannot_core.volumes.extra_axes import SPACE, At, fix_axes
from bcannot_core.volumes.formats.common import Opened, inside
from bcannot_core.volumes.formats.stores import (
    StoreSource,
    is_remote,
    kvstore,
    open_stores,
    read_metadata,
)
from bcannot_core.volumes.formats.units import usable_voxel


def open_precomputed(location: str, timeout_s: float, info: Any = None, at: At = ()) -> Opened:
    """Open a precomputed volume; x, y, z, channel on the disk, z, y, x here.

    Parameters
    ----------
    location : str
        Path or URL of the folder with the ``info`` file.
    timeout_s : float
        Longest wait for one answer.
    info : dict, optional
        The ``info``, where it has been read already.
    at : tuple
        The channel (``c``), where there are several.

    Raises
    ------
    VolumeError
        There is no ``info``, it is no image or segmentation, a channel has to be chosen, or the
        server does not answer.
    """
    if info is None:
        info = read_metadata(location, ["info"], timeout_s).get("info")
    if info is None:
        raise VolumeNotFoundError(f"there is no precomputed volume at {location}: no info file")
    scales = _scales(info, location)
    channel = _channel(info, at, location)

    def open_scale(index: int) -> StoreSource:
        where = f"precomputed://{location} scale {index}"
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": kvstore(location),
            "scale_index": index,
        }
        (store,) = open_stores([spec], [where], timeout_s)
        store = store[ts.d[:].translate_to[0]][..., channel].T
        return StoreSource(store, where, remote=is_remote(location), timeout_s=timeout_s)

    return Opened(scales, open_scale, voxel_known=True)


def _scales(info: dict[str, Any], location: str) -> tuple[ScaleInfo, ...]:
    kind = info.get("@type", "neuroglancer_multiscale_volume")
    entries = info.get("scales")
    if kind != "neuroglancer_multiscale_volume" or not isinstance(entries, list) or not entries:
        raise VolumeFormatError(
            f"{location} is no precomputed image or segmentation (its info is of type {kind} and "
            "has no scales): give the folder of the volume itself"
        )
    return tuple(_scale(i, entry, location) for i, entry in enumerate(entries))


def _channel(info: dict[str, Any], at: At, location: str) -> int:
    count = info.get("num_channels", 1)
    if not isinstance(count, int) or count < 1:
        raise VolumeFormatError(f"the info of {location} states {count} channels")
    chosen = fix_axes(("c", *SPACE), (count, 1, 1, 1), at, location)[0]
    return chosen if isinstance(chosen, int) else 0


def _scale(index: int, entry: Any, location: str) -> ScaleInfo:
    entry = entry if isinstance(entry, dict) else {}
    size, resolution = entry.get("size"), entry.get("resolution")
    voxel = usable_voxel(resolution[::-1]) if isinstance(resolution, list) else None
    if voxel is None or not isinstance(size, list) or len(size) != 3:
        raise VolumeFormatError(
            f"scale {index} in the info of {location} has size {size} and resolution {resolution}: "
            "three positive numbers each are needed"
        )
    if not all(isinstance(n, int) and n > 0 for n in size):
        raise VolumeFormatError(f"scale {index} in the info of {location} has size {size}")
    shape: Shape = (size[2], size[1], size[0])
    key = inside(str(entry.get("key", index)), f"scale {index} in the info of {location}")
    return ScaleInfo(index, key, shape, voxel, _offset(entry))


def _offset(entry: dict[str, Any]) -> Shape:
    """Return where the first voxel lies (z, y, x); what is no offset counts as none."""
    stated = entry.get("voxel_offset")
    if not isinstance(stated, list) or len(stated) != 3:
        return 0, 0, 0
    if not all(isinstance(n, int) and abs(n) < 2**53 for n in stated):
        return 0, 0, 0
    return stated[2], stated[1], stated[0]
