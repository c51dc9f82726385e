"""HDF5, read lazily with h5py."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import VolumeFormatError
from bcannot_core.volumes.base import Box, Shape, VoxelNm, box_slices, check_array
from bcannot_core.volumes.extra_axes import At, axis_names, fix_axes
from bcannot_core.volumes.formats.common import (
    Opened,
    choose_array,
    likely_arrays,
    one_line,
    single,
)
from bcannot_core.volumes.formats.units import usable_voxel

_READ_ERRORS = (
    OSError,
    RuntimeError,
    LookupError,
    ArithmeticError,
    ValueError,
    TypeError,
    AttributeError,
    MemoryError,
)
_MAX_OBJECTS = 10_000


class Hdf5Source:
    """A dataset of an open file; h5py serialises the reads of threads."""

    def __init__(self, dataset: Any, where: str, at: At = ()) -> None:
        self.dtype: np.dtype[Any] = dataset.dtype
        count = len(dataset.shape)
        self._index: tuple[int | slice, ...] = ()
        if count > 3 or (at and count == 3):
            self._index = fix_axes(axis_names(count), dataset.shape, at, where)[:-3]
        shape = dataset.shape[len(self._index) :]
        self.shape: Shape = check_array(shape, self.dtype, where)
        self.chunks: Shape | None = dataset.chunks and dataset.chunks[len(self._index) :]
        self.concurrent: bool = False
        self._dataset, self._where = dataset, where

    def read(self, box: Box) -> NDArray[Any]:
        """Return the raw voxels of a box that lies inside the volume."""
        try:
            return np.asarray(self._dataset[(*self._index, *box_slices(box))])
        except _READ_ERRORS as error:
            raise VolumeFormatError(
                f"{self._where} cannot be read at {box}: {one_line(error)}"
            ) from error


def open_hdf5(path: Path, key: str | None, labels: bool, at: At = ()) -> Opened:
    """Open a dataset; its voxel size is its ``resolution`` (nm) or ``element_size_um``, z first.

    Raises
    ------
    VolumeFormatError
        The file is damaged, has no such dataset, or it is not three-dimensional.
    """
    try:
        return _open(h5py.File(path, "r"), path, (key, at), labels)
    except _READ_ERRORS as error:
        raise VolumeFormatError(f"{path} is not a readable HDF5 file: {one_line(error)}") from error


def _open(file: Any, path: Path, wanted: tuple[str | None, At], labels: bool) -> Opened:
    key, at = wanted
    datasets = _datasets(file)
    names = list(datasets) if key is not None else likely_arrays(datasets, len(at))
    if not names:
        listed = ", ".join(f"{n} {s}" for n, s in list(datasets.items())[:20]) or "nothing"
        raise VolumeFormatError(
            f"{path} has no three-dimensional (z, y, x) dataset, only {listed}: "
            "stack the sections into one"
        )
    name = choose_array(names, key, labels, str(path))
    dataset = file[name]
    _check_files(dataset, path)
    source = Hdf5Source(dataset, f"{path}::{name}", at)
    return single(source, name, _voxel_nm(dataset.attrs) or _voxel_nm(file.attrs))


def _check_files(dataset: Any, path: Path) -> None:
    """Refuse a dataset whose voxels lie elsewhere than in files of its own folder."""
    folder = path.resolve().parent
    virtual = dataset.virtual_sources() if dataset.is_virtual else ()
    names = {source.file_name for source in virtual} - {"."}
    # HDF5 looks for raw bytes from where the process is, for virtual parts there only at last.
    raw = [Path(name) for name, *_ in dataset.external or ()]
    for part in (*raw, *(folder / name for name in names)):
        if not part.resolve().is_relative_to(folder):
            raise VolumeFormatError(f"{path} leads outside its folder, to {str(part)!r}")
        if not part.is_file():
            raise VolumeFormatError(f"{path} lies in part in {part}, which is not there")


def _datasets(file: Any) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    seen = 0

    def visit(name: str, item: Any) -> bool | None:
        nonlocal seen
        seen += 1
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            found[name] = item.shape
        return True if seen >= _MAX_OBJECTS else None

    file.visititems(visit)
    return found


def _voxel_nm(attributes: Any) -> VoxelNm | None:
    for name, factor in (("resolution", 1.0), ("voxel_size", 1.0), ("element_size_um", 1e3)):
        value = np.asarray(attributes.get(name, ()))
        if value.shape == (3,) and value.dtype.kind in "iuf":
            return usable_voxel([float(v) * factor for v in value])
    return None
