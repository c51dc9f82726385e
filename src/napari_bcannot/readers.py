"""Reads volumes, SWC traces and datasets of sessions into layers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str], list[LayerData]]

VOLUME_SUFFIXES = (".tif", ".tiff", ".npz", ".npy", ".h5", ".hdf5", ".zarr")
SCHEMES = ("precomputed://", "zarr://", "synthetic://", "gs://", "s3://", "http://", "https://")
VOLUME_FILES = ("info", ".zarray", ".zattrs", ".zgroup", "zarr.json")
"""What lies in a folder that is a precomputed or zarr volume."""


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return a function that reads this path into layers, or None where there is none.

    Nothing is opened before the function is called.

    Parameters
    ----------
    path : str or list of str
        A file, a folder or an address of a volume.
    """
    if not isinstance(path, str):
        return get_reader(path[0]) if len(path) == 1 and isinstance(path[0], str) else None
    lower = path.lower()
    if lower.startswith(SCHEMES):
        return _read_with(path, read_volume)
    place = Path(path)
    if lower.endswith(".swc"):
        return _read_with(path, read_trace)
    if place.is_dir() and _is_dataset(place):
        return _read_with(path, read_dataset)
    is_volume_folder = place.is_dir() and any((place / name).is_file() for name in VOLUME_FILES)
    if is_volume_folder or (lower.endswith(VOLUME_SUFFIXES)):
        return _read_with(path, read_volume)
    return None


def _read_with(path: str, read: Reader) -> Reader:
    def reader(asked: str) -> list[LayerData]:
        return read(path)

    return reader


def read_volume(path: str) -> list[LayerData]:
    """Open a volume as a lazy image layer in nanometres.

    Raises
    ------
    VolumeError
        It cannot be opened.
    """
    from bcannot_core.volumes import open_volume
    from napari_bcannot.geometry import READ_TIMEOUT_S
    from napari_bcannot.remote_layers import volume_layer

    return [volume_layer(open_volume(path, timeout_s=READ_TIMEOUT_S))]


def read_trace(path: str) -> list[LayerData]:
    """Read an SWC file as a points layer with its nodes and a vectors layer with its edges.

    Raises
    ------
    VolumeError
        It cannot be read.
    """
    from bcannot_core.volumes.swc import read_swc
    from napari_bcannot.layers import skeleton_layers

    return skeleton_layers(read_swc(path), Path(path).stem)


def read_dataset(path: str) -> list[LayerData]:
    """Read the traces of a dataset of sessions, one points and one vectors layer a volume.

    Raises
    ------
    DatasetError, VolumeError
        The dataset or a volume that it names cannot be read.
    """
    from napari_bcannot.session_layers import dataset_layers

    return dataset_layers(path)


def _is_dataset(folder: Path) -> bool:
    return any(folder.glob("*.parquet"))
