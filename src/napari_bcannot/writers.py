"""Writes points layers as skeletons: SWC, NML, CSV, Neuroglancer-precomputed."""

from typing import TYPE_CHECKING

from bcannot_core.skeletons import write_skeletons
from napari_bcannot import notices
from napari_bcannot.skeleton_layers import skeletons_of, unsized

if TYPE_CHECKING:
    from bcannot_core.skeletons.convert import Format
    from napari_bcannot.layers import LayerData


def write_swc(path: str, layers: "list[LayerData]") -> list[str]:
    """Write points layers as one SWC file, in nm.

    Parameters
    ----------
    path : str
        The file.
    layers : list of LayerData
        Points layers; others are passed over.

    Raises
    ------
    UsageError
        There are no points, or a layer is not three-dimensional or rotated.
    VolumeError
        The file cannot be written.
    """
    return _write(path, layers, "swc")


def write_nml(path: str, layers: "list[LayerData]") -> list[str]:
    """Write points layers as an annotation for WEBKNOSSOS; errors as for `write_swc`."""
    return _write(path, layers, "nml")


def write_csv(path: str, layers: "list[LayerData]") -> list[str]:
    """Write points layers as a table, all features included; errors as for `write_swc`."""
    return _write(path, layers, "csv")


def write_precomputed(path: str, layers: "list[LayerData]") -> list[str]:
    """Write points layers as a folder for Neuroglancer; errors as for `write_swc`."""
    return _write(path, layers, "precomputed")


def _write(path: str, layers: "list[LayerData]", form: "Format") -> list[str]:
    for remark in write_skeletons(path, skeletons_of(layers), form):
        notices.show_info(f"{path}: {remark}.")
    for name in unsized(layers):
        notices.show_warning(
            f"{path}: layer {name} states no voxel size, so a voxel was written as 1 nm. Set the "
            "layer's scale and units, and save it again; Trace neuron saves its own traces in nm."
        )
    return [path]
