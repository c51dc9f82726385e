"""Reads volumes, skeletons and datasets of sessions into layers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bcannot_core.errors import UsageError

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str], list[LayerData]]

VOLUME_SUFFIXES = (".tif", ".tiff", ".npz", ".npy", ".h5", ".hdf5", ".zarr")
SCHEMES = ("precomputed://", "zarr://", "synthetic://", "gs://", "s3://", "http://", "https://")
VOLUME_FILES = ("info", ".zarray", ".zattrs", ".zgroup", "zarr.json")
"""What lies in a folder that is a precomputed or zarr volume."""
SKELETON_SUFFIXES = (".swc", ".nml", ".csv", ".precomputed")
_IDS = "#ids="


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
        return _read_with(path, read_skeletons if _IDS in path else read_volume)
    place = Path(path)
    if place.is_dir():
        read = _folder_reader(place)
        return None if read is None else _read_with(path, read)
    if lower.endswith(SKELETON_SUFFIXES):
        return _read_with(path, read_skeletons) if _is_ours(place) else None
    return _read_with(path, read_volume) if lower.endswith(VOLUME_SUFFIXES) else None


def _is_ours(path: Path) -> bool:
    """Whether a file is one of skeletons: a table is, if its columns are named so."""
    if path.suffix.lower() != ".csv":
        return True
    from bcannot_core.skeletons.table import sniff_table

    return sniff_table(path)


def _folder_reader(folder: Path) -> Reader | None:
    if any(folder.glob("*.parquet")):
        return read_dataset
    if any((folder / name).is_file() for name in VOLUME_FILES):
        from bcannot_core.skeletons.precomputed import is_skeleton_folder

        return read_skeletons if is_skeleton_folder(folder) else read_volume
    if folder.suffix.lower() == ".zarr":
        return read_volume
    return read_skeletons if any(folder.glob("*.swc")) else None


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


def read_skeletons(path: str) -> list[LayerData]:
    """Read skeletons (SWC, NML, CSV, precomputed) as a points layer of nodes and a vectors layer.

    An address of precomputed skeletons on a server ends in ``#ids=1,2,3``, the segments to read.

    Raises
    ------
    UsageError
        It lacks a voxel size, or the ids are no numbers.
    VolumeError
        It cannot be read.
    """
    from bcannot_core.skeletons import convert
    from napari_bcannot import notices
    from napari_bcannot.geometry import READ_TIMEOUT_S
    from napari_bcannot.skeleton_layers import set_layers

    place, mark, ids = path.partition(_IDS)
    if mark and not all(word.isdecimal() for word in ids.split(",")):
        raise UsageError(f"{path} should end in ids like {_IDS}1,2,3")
    numbers = [int(word) for word in ids.split(",")] if mark else None
    found = convert.read_skeletons(place, None, convert.Reading(None, numbers, READ_TIMEOUT_S))
    for remark in found.remarks:
        notices.show_info(f"{path}: {remark}.")
    return set_layers(found, Path(place).stem)


def read_dataset(path: str) -> list[LayerData]:
    """Read the traces of a dataset of sessions, one points and one vectors layer a volume.

    Raises
    ------
    DatasetError, VolumeError
        The dataset or a volume that it names cannot be read.
    """
    from napari_bcannot.session_layers import dataset_layers

    return dataset_layers(path)
