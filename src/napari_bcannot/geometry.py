"""From a volume layer to the volume that a trace reads, and where it lies in the world.

No Qt and no napari here: layers are told by their attributes.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bcannot_core.errors import BcannotError, UsageError
from bcannot_core.volumes import Volume, open_volume

if TYPE_CHECKING:
    from bcannot_core.coords import CanvasView

VOLUME_KEY = "bcannot_volume"
"""Layer metadata: the `Volume` that the plugin's reader made the layer of."""
FINEST_KEY = "bcannot_finest"
"""Layer metadata: which level of its volume a layer shows as its finest, by default the first."""
OVERLAY_KEY = "bcannot_overlay"
"""Layer metadata: the plugin shows something over a volume here, it is none itself."""
READ_TIMEOUT_S = 8.0
"""Longest wait for a server; napari reads what it shows in the GUI thread."""
NM_PER = {"angstrom": 0.1, "nanometer": 1.0, "micrometer": 1e3, "millimeter": 1e6, "meter": 1e9}

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Placement:
    """Where a volume's voxels lie in a viewer's world: what the trace layers are made with.

    Attributes
    ----------
    scale, translate : tuple of float
        World units per voxel and the world position of voxel (0, 0, 0), both (z, y, x).
    units : tuple
        Units of the world axes, as napari knows them.
    """

    scale: Triple
    translate: Triple
    units: tuple[Any, ...]

    def to_world(self, zyx: Triple) -> Triple:
        """Return the world position of a voxel position."""
        z, y, x = (at * s + t for at, s, t in zip(zyx, self.scale, self.translate, strict=True))
        return z, y, x

    def to_voxels(self, world: Triple) -> Triple:
        """Return the voxel position of a world position."""
        z, y, x = ((at - t) / s for at, s, t in zip(world, self.scale, self.translate, strict=True))
        return z, y, x

    def of_canvas(self, view: "CanvasView", z: int) -> "Placement":
        """Return where the pixels of a canvas lie, as a volume of one section."""
        step_y, step_x = view.step_yx
        scale = (self.scale[0], self.scale[1] * step_y, self.scale[2] * step_x)
        return Placement(scale, self.to_world((z, *view.to_volume((0.0, 0.0)))), self.units)


def is_volume_layer(layer: Any) -> bool:
    """Whether a layer is a grey 3-D image that can be traced in."""
    image = type(layer).__name__ == "Image" and layer.ndim == 3 and not layer.rgb
    return image and OVERLAY_KEY not in layer.metadata


def is_labels_layer(layer: Any) -> bool:
    """Whether a layer has the ids of a volume."""
    return type(layer).__name__ == "Labels" and layer.ndim == 3


def finest_of(layer: Any) -> int:
    """Return which level of its volume is a layer's finest one."""
    return int(layer.metadata.get(FINEST_KEY, 0))


def voxel_nm_of(layer: Any) -> tuple[Triple, bool]:
    """Return a layer's voxel size (z, y, x) in nm, and whether the layer states one.

    Without units the scale is taken for nanometres; a scale of one pixel states nothing.
    """
    volume = layer.metadata.get(VOLUME_KEY)
    if isinstance(volume, Volume):
        return volume.scales[finest_of(layer)].voxel_nm, volume.voxel_known
    names = [str(unit) for unit in layer.units]
    factors = [NM_PER.get(name, 1.0) for name in names]
    z, y, x = (abs(float(s)) * f for s, f in zip(layer.scale, factors, strict=True))
    if (z, y, x) == (1.0, 1.0, 1.0) and not any(name in NM_PER for name in names):
        return (10.0, 10.0, 10.0), False
    return (z, y, x), True


def layer_to_world(layer: Any, zyx: Triple) -> Triple:
    """Return the world position of a voxel of a layer's finest level."""
    return _triple(np.asarray(zyx) * layer.scale + layer.translate)


def world_to_layer(layer: Any, world: tuple[float, ...]) -> Triple:
    """Return the voxel of a layer's finest level at a world position (its last three axes)."""
    return _triple((np.asarray(world[-3:]) - layer.translate) / layer.scale)


def in_layer(layer: Any, placement: Placement) -> Placement:
    """Return where a volume's voxels lie among those of its layer's finest level."""
    first = world_to_layer(layer, placement.translate)
    scale = np.divide(placement.scale, layer.scale)
    return Placement(_triple(scale), first, ("pixel",) * 3)


def open_layer(layer: Any, voxel_nm: Triple, nm_per_px: float) -> tuple[Volume, Placement]:
    """Return the volume that a trace in this layer reads, and its place in the world.

    Of a volume with several resolutions it is the one closest to the pixels that the policy sees,
    among those that have every section.

    Parameters
    ----------
    layer : napari.layers.Image
        A volume layer.
    voxel_nm : tuple of float
        Voxel size of its finest level; overrides what the volume states.
    nm_per_px : float
        Size of a pixel that the policy sees.

    Raises
    ------
    UsageError
        The layer is rotated or sheared.
    VolumeError
        The volume cannot be opened.
    """
    refuse_rotation(layer)
    base = volume_of(layer, voxel_nm)
    volume = base.at_scale(_level_for(base, nm_per_px))
    finest = base.scales[finest_of(layer)].voxel_nm
    ratio = np.divide(volume.voxel_nm, finest)
    if not np.allclose(finest, voxel_nm, rtol=1e-6):
        stated = (np.asarray(voxel_nm) * ratio).tolist()
        volume = open_volume(volume.address, voxel_nm=stated, timeout_s=READ_TIMEOUT_S)
    scale = np.asarray(layer.scale, dtype=float) * ratio
    # the first voxel of a coarser level is centred among the finer ones that it covers
    translate = np.asarray(layer.translate, dtype=float) + (ratio - 1) / 2 * layer.scale
    return volume, Placement(_triple(scale), _triple(translate), tuple(layer.units))


def volume_of(layer: Any, voxel_nm: Triple, *, labels: bool = False) -> Volume:
    """Return the volume of a layer: the one it was read from, or its data as they are.

    A file that another reader opened is looked up by its path, so that what is recorded can be
    replayed later; unless the layer holds other voxels by now.

    Raises
    ------
    VolumeError
        The layer's data are nothing that can be read.
    """
    known = layer.metadata.get(VOLUME_KEY)
    if isinstance(known, Volume) and known.is_labels == labels:
        return known
    data = layer.data[0] if layer.multiscale else layer.data
    address, path = f"memory:{layer.name}", layer.source.path
    shown = Volume.from_array(data, voxel_nm=voxel_nm, labels=labels, address=address)
    if path:
        with suppress(BcannotError):  # of a format that napari alone knows: its data are at hand
            volume = open_volume(path, voxel_nm=voxel_nm, labels=labels, timeout_s=READ_TIMEOUT_S)
            if len(volume.scales) == 1 and volume.fingerprint() == shown.fingerprint():
                return volume
    return shown


def _level_for(volume: Volume, nm_per_px: float) -> int:
    depth = volume.scales[0].shape[0]
    whole = [info for info in volume.scales if info.shape[0] == depth]
    return min(whole, key=lambda info: abs(np.log(info.voxel_nm[1] / nm_per_px))).index


def refuse_rotation(layer: Any) -> None:
    """See that the axes of a layer are those of the world.

    Raises
    ------
    UsageError
        The layer is rotated, sheared or mirrored.
    """
    plain = (
        np.allclose(layer.rotate, np.eye(layer.ndim))
        and np.allclose(layer.shear, 0)
        and np.allclose(layer.affine.affine_matrix, np.eye(layer.ndim + 1))
        and np.all(np.asarray(layer.scale) > 0)
    )
    if not plain:
        raise UsageError(
            f"layer {layer.name!r} is rotated, sheared or mirrored: reset its transform"
        )


def _triple(values: Any) -> Triple:
    z, y, x = (float(value) for value in values)
    return z, y, x
