"""Goes to places in a viewer, and tells where it looks."""

from typing import Any

import numpy as np

from bcannot_core.errors import UsageError
from bcannot_core.volumes import Volume
from bcannot_core.volumes.places import Place
from napari_bcannot.compat import camera
from napari_bcannot.geometry import (
    VOLUME_KEY,
    Triple,
    layer_to_world,
    voxel_nm_of,
    world_to_layer,
)


def go_to(viewer: Any, layer: Any, place: Place) -> None:
    """Show a place of a volume layer in the middle of the canvas.

    Where it states no zoom, a voxel of the finest level is at least a pixel.

    Raises
    ------
    UsageError
        The place lies outside the volume, or is none.
    """
    zyx = _voxel(layer, place)
    shape = layer.level_shapes[0] if layer.multiscale else layer.data.shape
    if not all(0 <= at < size for at, size in zip(zyx, shape, strict=True)):
        z, y, x = (round(at) for at in zyx)
        depth, height, width = shape
        raise UsageError(
            f"x, y, z = {x}, {y}, {z} lies outside {layer.name}, which has "
            f"{width} × {height} × {depth} voxels"
        )
    look_at(viewer, layer_to_world(layer, zyx))
    view = camera(viewer)
    closest = 1 / float(layer.scale[1])
    view.zoom = _zoom(layer, place.nm_per_px) if place.nm_per_px else max(view.zoom, closest)


def look_at(viewer: Any, world: Triple) -> None:
    """Bring a place (z, y, x) into the middle of the canvas, whichever axes are shown.

    Axes beside z, y, x stay where they are.
    """
    dims = viewer.dims
    lead = dims.ndim - 3
    for axis, at in enumerate(world):
        dims.set_point(lead + axis, at)
    everywhere = (*dims.point[:lead], *world)
    shown = [everywhere[axis] for axis in dims.displayed]
    camera(viewer).center = (*[0.0] * (3 - len(shown)), *shown)


def where(viewer: Any, layer: Any) -> str:
    """Return the middle of the canvas as ``x, y, z`` in voxels, as other tools take it."""
    centre = [float(at) for at in camera(viewer).center]
    world = list(viewer.dims.point[-3:])
    for at, axis in zip(centre[-viewer.dims.ndisplay :], viewer.dims.displayed, strict=True):
        world[axis - (viewer.dims.ndim - 3)] = at
    zyx = np.asarray(world_to_layer(layer, tuple(world)))
    volume = layer.metadata.get(VOLUME_KEY)
    if isinstance(volume, Volume):
        first = volume.scales[0]
        zyx = (zyx + 0.5) * layer.scale / first.voxel_nm - 0.5 + first.offset
    z, y, x = (round(float(at)) for at in zyx)
    return f"{x}, {y}, {z}"


def _zoom(layer: Any, nm_per_px: float) -> float:
    """Return the zoom (pixels of the canvas per unit of the world) at which a pixel is so wide."""
    nm_per_unit = voxel_nm_of(layer)[0][2] / abs(float(layer.scale[2]))
    return nm_per_unit / nm_per_px


def _voxel(layer: Any, place: Place) -> Triple:
    """Return the voxel of the layer's finest level at a place."""
    volume = layer.metadata.get(VOLUME_KEY)
    if isinstance(volume, Volume):
        voxel_nm = volume.scales[0].voxel_nm
    else:
        voxel_nm, known = voxel_nm_of(layer)
        if not known and place.unit_nm is not None:
            raise UsageError(
                f"{layer.name} states no voxel size: give the place as x, y, z in voxels"
            )
    at = np.asarray(place.voxel(voxel_nm), dtype=float)
    if isinstance(volume, Volume):
        first = volume.scales[0]
        at = (at - first.offset + 0.5) * first.voxel_nm / layer.scale - 0.5
    z, y, x = (float(v) for v in at)
    return z, y, x
