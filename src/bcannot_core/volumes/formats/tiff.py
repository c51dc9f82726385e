"""TIFF stacks: memory-mapped where the voxels lie in one piece, else by page or by tile."""

import logging
import math
import struct
import threading
import weakref
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from bcannot_core.errors import VolumeFormatError
from bcannot_core.volumes.base import (
    DEFAULT_VOXEL_NM,
    Box,
    ScaleInfo,
    Shape,
    Source,
    VoxelNm,
    box_shape,
    box_slices,
    check_array,
)
from bcannot_core.volumes.extra_axes import At, fix_axes
from bcannot_core.volumes.formats.common import Opened, inside, one_line
from bcannot_core.volumes.formats.units import nm_per_unit, usable_voxel
from bcannot_core.volumes.lazy import ArraySource

PAGE_BYTES = 64 * 2**20
_READ_ERRORS = (
    tifffile.TiffFileError,
    OSError,
    ValueError,
    TypeError,
    RuntimeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
)
_SECTION_AXES = "ZQITR"


class _Damage(logging.Handler):
    """Collects what tifffile only logs: offsets that point behind the end of the file.

    It goes on with fewer pages then, so that a truncated stack would look like a shorter one.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.thread == self._thread and "invalid" in message and "offset" in message:
            self.found.append(" ".join(message.split())[:120])

    def __enter__(self) -> None:
        logging.getLogger("tifffile").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("tifffile").removeHandler(self)


class PagedSource:
    """A stack with one compressed page a section."""

    def __init__(self, tif: tifffile.TiffFile, series: Any, shape: Shape, where: str) -> None:
        self.shape, self.dtype = shape, np.dtype(series.dtype)
        self.chunks: Shape | None = (1, shape[1], shape[2])
        self.concurrent: bool = False
        self._pages, self._where = series.pages, where
        self._lock = threading.Lock()
        weakref.finalize(self, tif.close)

    def read(self, box: Box) -> NDArray[Any]:
        """Return the raw voxels of a box that lies inside the volume."""
        out = np.empty(box_shape(box), self.dtype)
        for i, z in enumerate(range(box[0], box[1])):
            out[i] = self._page(z)[box[2] : box[3], box[4] : box[5]]
        return out

    def _page(self, z: int) -> NDArray[Any]:
        try:
            with self._lock:
                page = self._pages[z]
                if page is None:
                    return np.zeros(self.shape[1:], self.dtype)
                ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
                with _opened(page.parent.filehandle) as file:
                    if max(ends, default=0) > file.size:
                        raise VolumeFormatError(
                            f"{self._where} ends before section {z}: it is truncated"
                        )
                    return np.asarray(page.asarray()).reshape(self.shape[1:])
        except _READ_ERRORS as error:
            raise VolumeFormatError(
                f"section {z} of {self._where} cannot be read: {one_line(error)}"
            ) from error


@contextmanager
def _opened(file: tifffile.FileHandle) -> Iterator[tifffile.FileHandle]:
    """Open a file for a while; of the files of an OME volume tifffile keeps only the first open."""
    was_closed = file.closed
    file.open()
    try:
        yield file
    finally:
        if was_closed:
            file.close()


class TiledSource:
    """A stack of large or oddly stored pages, read by tiles or strips."""

    def __init__(self, tif: tifffile.TiffFile, series: Any, stack: "_Stack", where: str) -> None:
        import zarr

        array = zarr.open_array(series.aszarr(level=0, squeeze=not stack.index), mode="r")
        self.shape, self.dtype = stack.shape, np.dtype(array.dtype)
        sizes = list(array.chunks)
        if stack.index:
            sizes = [c for c, i in zip(sizes, stack.index, strict=True) if i is None]
        self.chunks: Shape | None = (sizes[-3], sizes[-2], sizes[-1]) if len(sizes) > 2 else None
        self._index = stack.index
        self.concurrent: bool = False
        self._array, self._where = array, where
        self._lock = threading.Lock()
        weakref.finalize(self, tif.close)

    def read(self, box: Box) -> NDArray[Any]:
        """Return the raw voxels of a box that lies inside the volume."""
        try:
            with self._lock:
                kept = iter(box_slices(box))
                index = tuple(next(kept) if i is None else i for i in self._index)
                return np.asarray(self._array[index or box_slices(box)]).reshape(box_shape(box))
        except _READ_ERRORS as error:
            raise VolumeFormatError(f"{self._where} cannot be read: {one_line(error)}") from error


def open_tiff(path: Path, key: str | None, labels: bool, at: At = ()) -> Opened:
    """Open the first image series of a TIFF file; voxel size from OME or ImageJ metadata.

    Parameters
    ----------
    path : Path
        The file.
    key : str, optional
        Index of another series.
    labels : bool
        Not needed here.
    at : tuple
        Places of the axes beside z, y, x.

    Raises
    ------
    VolumeFormatError
        The file is damaged or truncated, or holds no (z, y, x) stack.
    """
    del labels
    log = _Damage()
    try:
        with ExitStack() as files:
            with log:
                tif = files.enter_context(tifffile.TiffFile(path))
                opened = _open(tif, path, key, at)
            if log.found:
                raise VolumeFormatError(f"{path} is truncated or damaged: {log.found[0]}")
            files.pop_all()  # the sources close the file, or _open has
    except _READ_ERRORS as error:
        raise VolumeFormatError(f"{path} is not a readable TIFF file: {one_line(error)}") from error
    return opened


def _open(tif: tifffile.TiffFile, path: Path, key: str | None, at: At) -> Opened:
    ome = _ome(tif)
    for element in ome.get("UUID", []):
        inside(element.get("FileName") or path.name, str(path))
    index = 0 if key is None else int(key) if key.isdigit() else -1
    if not 0 <= index < len(tif.series):
        raise VolumeFormatError(f"{path} has no series {key or 0}: it has 0…{len(tif.series) - 1}")
    levels = [level for level in tif.series[index].levels if len(level.pages)]
    voxel = _voxel_nm(tif, ome)
    sources: list[Source] = []
    scales: list[ScaleInfo] = []
    for i, level in enumerate(levels):
        where = f"{path}" if i == 0 else f"{path} level {i}"
        sources.append(_source(tif, level, path, _stack(level, at, where), where))
        full, size = sources[0].shape, sources[-1].shape
        base = voxel or DEFAULT_VOXEL_NM
        z, y, x = (b * f / s for b, f, s in zip(base, full, size, strict=True))
        scales.append(ScaleInfo(i, str(i), size, (z, y, x)))
    if all(isinstance(source, ArraySource) for source in sources):
        tif.close()
    return Opened(tuple(scales), sources.__getitem__, voxel is not None)


@dataclass(frozen=True)
class _Stack:
    """Which part of a series is the volume.

    Attributes
    ----------
    shape : tuple of int
        (z, y, x).
    index : tuple
        For each axis of the series a place, or None for those of space; empty where the series
        has but axes of length one beside them.
    """

    shape: Shape
    index: tuple[int | None, ...] = ()


def _source(tif: tifffile.TiffFile, series: Any, path: Path, stack: _Stack, where: str) -> Source:
    shape, dtype = stack.shape, np.dtype(series.dtype)
    check_array(shape, dtype, where)
    if series.dataoffset is not None:
        whole = series.get_shape(squeeze=False) if stack.index else shape
        end = series.dataoffset + math.prod(whole) * dtype.itemsize
        if end > tif.filehandle.size:
            raise VolumeFormatError(
                f"{where} has {tif.filehandle.size} of the {end} bytes it declares: it is truncated"
            )
        stored = dtype.newbyteorder(tif.byteorder)
        mapped = np.memmap(path, stored, "r", series.dataoffset, tuple(whole))
        index = tuple(slice(None) if i is None else i for i in stack.index)
        return ArraySource(mapped[index] if index else mapped)
    page_bytes = shape[1] * shape[2] * dtype.itemsize
    if not stack.index and len(series.pages) == shape[0] and page_bytes <= PAGE_BYTES:
        return PagedSource(tif, series, shape, where)
    return TiledSource(tif, series, stack, where)


def _stack(series: Any, at: At, where: str) -> _Stack:
    """Return the volume of a series; axes of length one need no place."""
    axes = str(series.get_axes(squeeze=False))
    shape = [int(n) for n in series.get_shape(squeeze=False)]
    taken = {name for name, _ in at}
    kept = [(a, n) for a, n in zip(axes, shape, strict=True) if n > 1 or a in "YX"]
    if len(kept) == 2 and [a for a, _ in kept] == ["Y", "X"] and any(a == "Z" for a in axes):
        kept = [("Z", 1), *kept]
    names = "".join(a for a, _ in kept)
    if not at and len(kept) == 3 and names[1:] == "YX" and names[0] in _SECTION_AXES:
        return _Stack((kept[0][1], kept[1][1], kept[2][1]))
    sections = [a for a in names if a in _SECTION_AXES and a.lower() not in taken]
    if len(kept) < 3 or not sections:
        remedy = "stack the sections into one file" if len(kept) < 3 else "there are no sections"
        raise VolumeFormatError(
            f"{where} has axes {names} and shape {tuple(n for _, n in kept)}, a volume has three "
            f"axes (z, y, x): {remedy}"
        )
    section = "Z" if "Z" in sections else sections[0]
    space = (section.lower(), "y", "x")
    index = fix_axes([a.lower() for a in axes], shape, at, where, space)
    z, y, x = (shape[i] for i, place in enumerate(index) if isinstance(place, slice))
    return _Stack((z, y, x), tuple(None if isinstance(i, slice) else i for i in index))


def _ome(tif: tifffile.TiffFile) -> dict[str, list[ElementTree.Element]]:
    """Return the elements of the OME metadata by their names, where there are any."""
    found: dict[str, list[ElementTree.Element]] = {}
    try:
        root = ElementTree.fromstring(tif.ome_metadata or "")
    except ElementTree.ParseError:
        return found
    for element in root.iter():
        found.setdefault(element.tag.rsplit("}", 1)[-1], []).append(element)
    return found


def _voxel_nm(tif: tifffile.TiffFile, ome: dict[str, list[ElementTree.Element]]) -> VoxelNm | None:
    if tif.ome_metadata:
        return _ome_voxel(ome["Pixels"][0]) if "Pixels" in ome else None
    if tif.imagej_metadata is not None:
        return _imagej_voxel(tif)
    return None


def _ome_voxel(pixels: ElementTree.Element) -> VoxelNm | None:
    sizes = []
    for axis in "ZYX":
        size = pixels.get(f"PhysicalSize{axis}")
        factor = nm_per_unit(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        sizes.append(None if size is None or factor is None else _times(size, factor))
    return usable_voxel(sizes)


def _times(size: str, factor: float) -> float | None:
    try:
        return float(size) * factor
    except ValueError:
        return None


def _imagej_voxel(tif: tifffile.TiffFile) -> VoxelNm | None:
    metadata = tif.imagej_metadata or {}
    factor = nm_per_unit(str(metadata.get("unit", "")))
    tags = tif.pages.first.tags
    if factor is None:
        return None
    sizes: list[object] = [_times(str(metadata.get("spacing", "")), factor)]
    for name in ("YResolution", "XResolution"):
        value = tags[name].value if name in tags else (0, 1)
        pixels, units = value if isinstance(value, tuple) else (value, 1)
        sizes.append(units / pixels * factor if pixels else None)
    return usable_voxel(sizes)
