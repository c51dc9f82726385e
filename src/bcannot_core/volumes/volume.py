"""Volume: one scale of a (z, y, x) volume, read lazily."""

import hashlib
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError, VolumeFormatError
from bcannot_core.volumes.base import (
    DEFAULT_VOXEL_NM,
    ScaleInfo,
    Shape,
    Source,
    VoxelNm,
    clip_box,
)
from bcannot_core.volumes.cache import CachedSource
from bcannot_core.volumes.contrast import (
    Contrast,
    default_contrast,
    estimate_contrast,
    sample_boxes,
    to_grey,
)
from bcannot_core.volumes.lazy import ArraySource, LazyArray, make_source
from bcannot_core.volumes.region_map import Axes

GREY_COPY_BYTES = 128 * 2**20
ORIENTED_COPY_VOXELS = 64 * 2**20


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """What is known of a volume besides its voxels.

    Attributes
    ----------
    address : str
        Opens this volume again with ``open_volume``.
    voxel_nm : tuple of float
        Voxel size (z, y, x) in nm.
    scales : tuple of ScaleInfo
        All resolution levels.
    scale : int
        Index of the level at hand.
    is_labels : bool
        Whether the voxels are ids instead of grey values.
    voxel_known : bool
        False where neither metadata nor the caller gave a voxel size.
    """

    address: str
    voxel_nm: VoxelNm
    scales: tuple[ScaleInfo, ...]
    scale: int = 0
    is_labels: bool = False
    voxel_known: bool = True


def check_voxel_nm(voxel_nm: Sequence[float]) -> VoxelNm:
    """Return a voxel size as three floats.

    Raises
    ------
    UsageError
        Not three positive finite numbers.
    """
    values = tuple(float(v) for v in voxel_nm)
    if len(values) != 3 or not all(math.isfinite(v) and v > 0 for v in values):
        raise UsageError(
            f"voxel size {tuple(voxel_nm)} is not usable: give three positive numbers z,y,x in nm"
        )
    return values[0], values[1], values[2]


class Volume:
    """One scale of a (z, y, x) volume.

    Made by ``open_volume`` or ``Volume.from_array``; reading is lazy and thread-safe.

    Parameters
    ----------
    source : Source
        Raw voxels.
    info : VolumeInfo
        Address, voxel size, scales.
    contrast : Contrast, optional
        Estimated from a fixed small sample at first use by default.
    reopen : callable, optional
        Opens another scale by index.
    """

    def __init__(
        self,
        source: Source,
        info: VolumeInfo,
        contrast: Contrast | None = None,
        reopen: "Callable[[int], Volume] | None" = None,
    ) -> None:
        if info.is_labels and source.dtype.kind not in "bui":
            raise VolumeFormatError(
                f"{info.address} has values of type {source.dtype}: labels must be integer ids"
            )
        self._raw = source
        self.source: Source = source if isinstance(source, ArraySource) else CachedSource(source)
        self.info = info
        self._contrast = contrast
        self._reopen = reopen
        self._lock = threading.RLock()
        self._fingerprint: str | None = None
        self._stacks: dict[Axes, NDArray[np.uint8]] = {}
        self._stack: NDArray[np.uint8] | None = None
        self.shape: Shape = source.shape
        self.dtype: np.dtype[Any] = source.dtype

    @classmethod
    def from_array(
        cls,
        array: Any,
        *,
        voxel_nm: Sequence[float] | None = None,
        address: str = "memory",
        labels: bool = False,
        contrast: Contrast | None = None,
    ) -> "Volume":
        """Make a volume of any array with shape, dtype and slicing, without reading it whole.

        Parameters
        ----------
        array : array-like
            (z, y, x): numpy stays in place; dask, zarr, h5py or a generator is read by blocks.
        voxel_nm : sequence of float, optional
            (z, y, x); 10 nm each by default (``voxel_known`` is then False).
        address : str
            What stands in messages and episodes; should open the same data again.
        labels : bool
            Whether the voxels are ids.
        contrast : Contrast, optional
            Estimated by default.

        Raises
        ------
        UsageError
            No array, or a wrong voxel size.
        VolumeFormatError
            Not three axes, or values that are no numbers (for labels: no integers).
        """
        source = make_source(array, address)
        voxel = DEFAULT_VOXEL_NM if voxel_nm is None else check_voxel_nm(voxel_nm)
        scales = (ScaleInfo(0, "0", source.shape, voxel),)
        info = VolumeInfo(address, voxel, scales, 0, labels, voxel_nm is not None)
        return cls(source, info, contrast)

    def __repr__(self) -> str:
        """Return address, shape, dtype and voxel size."""
        kind = type(self).__name__
        return f"<{kind} {self.address} {self.shape} {self.dtype} {self.voxel_nm} nm>"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Volume":
        """Return this volume: it is read-only, and napari copies what layers carry."""
        return self

    @property
    def address(self) -> str:
        """A string that opens this volume again with ``open_volume``."""
        return self.info.address

    @property
    def voxel_nm(self) -> VoxelNm:
        """Voxel size (z, y, x) in nm."""
        return self.info.voxel_nm

    @property
    def voxel_known(self) -> bool:
        """False where neither metadata nor the caller gave a voxel size."""
        return self.info.voxel_known

    @property
    def scales(self) -> tuple[ScaleInfo, ...]:
        """All resolution levels, as stored, finest first."""
        return self.info.scales

    @property
    def scale(self) -> int:
        """Index of this level in ``scales``."""
        return self.info.scale

    @property
    def is_labels(self) -> bool:
        """Whether the voxels are ids instead of grey values."""
        return self.info.is_labels

    @property
    def in_memory(self) -> bool:
        """Whether the voxels lie in the address space (an array or a memory map)."""
        return isinstance(self.source, ArraySource)

    @property
    def array(self) -> Any:
        """The voxels as a read-only array: numpy in memory, else a ``LazyArray``."""
        if isinstance(self._raw, ArraySource):
            return self._raw.array
        return LazyArray(self._raw)

    @property
    def contrast(self) -> Contrast:
        """The grey range, estimated from a fixed small sample at first use.

        Raises
        ------
        UsageError
            Labels have no contrast.
        VolumeError
            The sample cannot be read.
        """
        if self._contrast is None:
            if self.is_labels:
                raise UsageError(f"{self.address} holds labels: they have no contrast")
            with self._lock:
                self._contrast = self._contrast or self._estimate()
        return self._contrast

    @property
    def contrast_known(self) -> bool:
        """Whether the contrast was given or estimated, so that asking for it reads nothing."""
        return self._contrast is not None

    def with_contrast(self, contrast: Contrast) -> "Volume":
        """Return this volume under another contrast; voxels, cache and address are shared."""
        other = copy(self)
        other._contrast, other._lock = contrast, threading.RLock()
        other._stacks, other._stack = {}, None
        reopen = self._reopen
        if reopen is not None:
            other._reopen = lambda index: reopen(index).with_contrast(contrast)
        return other

    def at_scale(self, index: int) -> "Volume":
        """Return the volume at another level of ``scales``.

        Raises
        ------
        UsageError
            There is no such level.
        VolumeError
            The level cannot be opened.
        """
        if not 0 <= index < len(self.scales):
            raise UsageError(
                f"scale {index} of {self.address} does not exist: it has 0…{len(self.scales) - 1}"
            )
        return self if index == self.scale or self._reopen is None else self._reopen(index)

    def read(self, z0: int, z1: int, y0: int, y1: int, x0: int, x1: int) -> NDArray[Any]:
        """Return raw voxels of a half-open box, clipped to the volume, never padded.

        Returns
        -------
        ndarray
            Possibly smaller than asked for, or empty; possibly a read-only view: copy before
            writing.

        Raises
        ------
        VolumeError
            The voxels cannot be read; the volume stays usable.
        """
        return self.source.read(clip_box((z0, z1, y0, y1, x0, x1), self.shape))

    def section_grey(self, z: int, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.uint8]:
        """Return a rectangle of section ``z`` as grey levels under the contrast.

        Parameters
        ----------
        z, y0, y1, x0, x1 : int
            Section and half-open bounds; clipped to the volume, never padded.

        Returns
        -------
        ndarray of uint8
            (y1 - y0, x1 - x0) less what lies outside; rows are contiguous. Possibly a read-only
            view: copy before writing.

        Raises
        ------
        UsageError
            There is no section ``z``, or the volume holds labels.
        VolumeError
            The voxels cannot be read; the volume stays usable.
        """
        depth, height, width = self.shape
        if not 0 <= z < depth:
            raise UsageError(f"section {z} does not exist: {self.address} has 0…{depth - 1}")
        if not (0 <= y0 <= y1 <= height and 0 <= x0 <= x1 <= width):
            _, _, y0, y1, x0, x1 = clip_box((z, z + 1, y0, y1, x0, x1), self.shape)
        stack = self._stack
        if stack is None:
            stack = self._stack = self.grey_stack((0, 1, 2))
        if stack is None:
            return to_grey(self.source.read((z, z + 1, y0, y1, x0, x1))[0], self.contrast)
        grey = stack[z, y0:y1, x0:x1]
        if grey.strides[1] == 1 and grey.strides[0] > 0:
            return grey
        return grey.copy(order="C")

    def fingerprint(self) -> str:
        """Return a short hash of shape, dtype and a fixed small sample of the voxels.

        Returns
        -------
        str
            16 hexadecimal digits, the same for the same voxels in any format.

        Raises
        ------
        VolumeError
            The sample cannot be read.
        """
        if self._fingerprint is None:
            self._fingerprint = self._digest()
        return self._fingerprint

    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=8)
        digest.update(repr((self.shape, self.dtype.newbyteorder("<").str)).encode())
        for sample in self._samples():
            little = sample.astype(sample.dtype.newbyteorder("<"), order="C", copy=False)
            digest.update(np.ascontiguousarray(little).tobytes())
        return digest.hexdigest()

    def _samples(self) -> list[NDArray[Any]]:
        boxes = sample_boxes(self.shape)
        if not self._raw.concurrent:
            return [self.source.read(box) for box in boxes]
        with ThreadPoolExecutor(len(boxes)) as pool:
            return list(pool.map(self.source.read, boxes))

    def _estimate(self) -> Contrast:
        found = estimate_contrast(self._samples())
        if found is None and self.scale != len(self.scales) - 1 and self._reopen is not None:
            # The places looked at are padding: the coarsest level shows more of the volume.
            return self._reopen(len(self.scales) - 1).contrast
        return found or default_contrast(self.dtype)

    def grey_stack(self, axes: Axes) -> NDArray[np.uint8] | None:
        """Return the grey levels of the whole volume with its axes in this order.

        None unless the voxels lie in memory and are few enough to keep a copy.
        """
        if not isinstance(self.source, ArraySource):
            return None
        if prod(self.shape) * self.dtype.itemsize > GREY_COPY_BYTES:
            return None
        contrast = self.contrast
        with self._lock:
            if axes not in self._stacks:
                raw = self.source.array
                same = raw.dtype == np.uint8 and contrast == Contrast(0.0, 255.0)
                if axes == (0, 1, 2):
                    stack = raw if same else _grey_copy(raw, contrast)
                else:
                    base = self.grey_stack((0, 1, 2))
                    stack = np.asarray(base).transpose(axes)
                    if stack.size <= ORIENTED_COPY_VOXELS:
                        stack = np.ascontiguousarray(stack)
                stack.setflags(write=False)
                self._stacks[axes] = stack
            return self._stacks[axes]


def _grey_copy(raw: NDArray[Any], contrast: Contrast) -> NDArray[np.uint8]:
    """Return the grey levels of a stack, made section by section to save memory."""
    stack = np.empty(raw.shape, np.uint8)
    for z, section in enumerate(raw):
        stack[z] = to_grey(section, contrast)
    return stack
