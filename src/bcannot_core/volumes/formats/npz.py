"""numpy files: ``.npy`` by memory map, ``.npz`` loaded; never with pickle."""

import io
import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import VolumeFormatError
from bcannot_core.volumes.base import VoxelNm, check_array
from bcannot_core.volumes.extra_axes import At, axis_names, fix_axes
from bcannot_core.volumes.formats.common import (
    Opened,
    check_memory,
    choose_array,
    likely_arrays,
    one_line,
    single,
)
from bcannot_core.volumes.lazy import ArraySource

# The format cannot shrink data further than this (deflate; the others are not written by numpy).
_DEFLATE_RATIO = 1040
_MAX_HEADER_BYTES = 10_000  # as numpy
READ_ERRORS = (
    ValueError,
    TypeError,
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,  # from the header of an array
    zipfile.BadZipFile,
    zlib.error,
)


def open_npy(path: Path, key: str | None, labels: bool, at: At = ()) -> Opened:
    """Open a ``.npy`` file as a memory map.

    Raises
    ------
    VolumeFormatError
        The file is truncated, no array file, pickled, or not three-dimensional.
    """
    if key is not None:
        raise VolumeFormatError(f"{path} holds one array without a name: leave the key {key} out")
    del labels
    try:
        with path.open("rb") as file:
            if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
                file.seek(0)
                _header_alone(file)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except READ_ERRORS as error:
        raise VolumeFormatError(f"{path} is not a readable .npy file: {one_line(error)}") from error
    if not isinstance(array, np.ndarray):
        raise VolumeFormatError(f"{path} is an archive, no array: rename it to .npz")
    array = array[_index(array.shape, at, str(path))]
    check_array(array.shape, array.dtype, str(path))
    return single(ArraySource(array), path.name, None)


def open_npz(path: Path, key: str | None, labels: bool, at: At = ()) -> Opened:
    """Open an array of an ``.npz`` file; the voxel size comes from its array ``voxel_nm``.

    Raises
    ------
    VolumeFormatError
        The file is truncated, no archive of arrays, has no such array, or it does not fit into
        memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            headers = _headers(archive, path)
            shapes = {name: header[0] for name, header in headers.items()}
            names = list(shapes) if key is not None else likely_arrays(shapes, len(at))
            if not names:
                listed = ", ".join(f"{n} {shape}" for n, shape in shapes.items()) or "nothing"
                raise VolumeFormatError(
                    f"{path} has no three-dimensional (z, y, x) array, only {listed}: "
                    "stack the sections into one array"
                )
            name = choose_array(names, key, labels, str(path))
            index = _index(shapes[name], at, f"{path}::{name}")  # asks before anything is loaded
            array = _load(archive, name, headers[name], path)[index]
            voxel = _voxel_nm(archive, headers, path)
    except READ_ERRORS as error:
        raise VolumeFormatError(f"{path} is not a readable .npz file: {one_line(error)}") from error
    return single(ArraySource(array), name, voxel)


def _index(shape: tuple[int, ...], at: At, where: str) -> tuple[int | slice, ...]:
    """Return the index of the chosen volume in an array; arrays that hold none are left whole."""
    if len(shape) <= 3 and not at:
        return ()
    if len(shape) < 3:
        raise VolumeFormatError(f"{where} has {len(shape)} axes: there is no volume in it")
    return fix_axes(axis_names(len(shape)), shape, at, where)


_Header = tuple[tuple[int, ...], np.dtype[Any]]


def _header_alone(member: IO[bytes]) -> tuple[tuple[int, int], IO[bytes]]:
    """Return version and header of an array; numpy reads a header whole before it minds its size.

    Raises
    ------
    ValueError
        The header is too long, or there is none.
    """
    version = np.lib.format.read_magic(member)
    length = member.read(2 if version == (1, 0) else 4)
    size = int.from_bytes(length, "little")
    if size > _MAX_HEADER_BYTES:
        raise ValueError(
            f"the header of an array has {size} bytes, more than {_MAX_HEADER_BYTES}: "
            "it is damaged, or has to be saved as an array of plain numbers"
        )
    return version, io.BytesIO(length + member.read(size))


def _read_header(member: IO[bytes]) -> _Header:
    version, header = _header_alone(member)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(header)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(header)
    return shape, dtype


def _headers(archive: zipfile.ZipFile, path: Path) -> dict[str, _Header]:
    """Read shape and dtype of every array, without its data."""
    headers = {}
    for entry in archive.infolist():
        if entry.filename.endswith(".npy"):
            with archive.open(entry) as member:
                headers[entry.filename.removesuffix(".npy")] = _read_header(member)
    if not headers:
        raise VolumeFormatError(f"{path} is an archive without arrays: save it with numpy.savez")
    return headers


def _load(archive: zipfile.ZipFile, name: str, header: _Header, path: Path) -> NDArray[Any]:
    """Load an array, after comparing what its header promises with what the file can hold."""
    shape, dtype = header
    where = f"{path}::{name}"
    check_array(shape[-3:], dtype, where)
    entry = archive.getinfo(f"{name}.npy")
    declared = math.prod(shape) * dtype.itemsize
    if declared > entry.file_size or entry.file_size > entry.compress_size * _DEFLATE_RATIO + 64:
        raise VolumeFormatError(
            f"{where} declares {declared} bytes of voxels, the file holds fewer: it is damaged"
        )
    if entry.compress_size > path.stat().st_size:
        raise VolumeFormatError(f"{where} is larger than its file: it is truncated")
    check_memory(declared, where)
    with archive.open(entry) as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


def _voxel_nm(archive: zipfile.ZipFile, headers: dict[str, _Header], path: Path) -> VoxelNm | None:
    shape, dtype = headers.get("voxel_nm", ((), np.dtype(object)))
    if shape != (3,) or dtype.kind not in "iuf":
        return None
    with archive.open("voxel_nm.npy") as member:
        z, y, x = (float(v) for v in np.lib.format.read_array(member, allow_pickle=False))
    if not all(math.isfinite(v) and v > 0 for v in (z, y, x)):
        raise VolumeFormatError(
            f"{path}::voxel_nm is {(z, y, x)}: three positive numbers (z, y, x) in nm are needed"
        )
    return z, y, x
