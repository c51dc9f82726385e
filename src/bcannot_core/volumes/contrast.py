"""Contrast: which raw values are black and white, and the one function that applies it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.volumes.base import Box, Shape

LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.5
SAMPLE_BOXES = 16
SAMPLE_SIDE = 128
MIN_SAMPLES = 64
_R3 = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)


@dataclass(frozen=True, slots=True)
class Contrast:
    """Raw values shown black (``lo``) and white (``hi``).

    Raises
    ------
    UsageError
        ``lo`` or ``hi`` is not finite, or ``hi`` is not above ``lo``.
    """

    lo: float
    hi: float

    def __post_init__(self) -> None:
        """Refuse a contrast that no value could be mapped with."""
        if not (np.isfinite(self.lo) and np.isfinite(self.hi) and self.hi > self.lo):
            raise UsageError(
                f"contrast limits ({self.lo}, {self.hi}) are not usable: "
                "give two finite numbers, the second above the first"
            )


def _scaled(values: NDArray[Any], contrast: Contrast) -> NDArray[np.uint8]:
    span = contrast.hi - contrast.lo
    grey = (values.astype(np.float64) - contrast.lo) * (255.0 / span) + 0.5
    grey = np.nan_to_num(grey, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    return np.clip(grey, 0.0, 255.0, out=grey).astype(np.uint8)


@lru_cache(maxsize=64)
def _table(kind: str, contrast: Contrast) -> NDArray[np.uint8]:
    info = np.iinfo(np.dtype(kind))
    # Indexed by the unsigned bit pattern, so that signed values need no offset.
    values = np.arange(2**info.bits, dtype=f"u{info.bits // 8}").view(f"{kind[0]}{info.bits // 8}")
    table = _scaled(values, contrast)
    table.setflags(write=False)
    return table


def to_grey(raw: NDArray[Any], contrast: Contrast) -> NDArray[np.uint8]:
    """Map raw values to grey levels; the same for every caller, dtype and platform.

    ``floor((raw - lo) * 255 / (hi - lo) + 0.5)``, clipped to 0…255; NaN is black.

    Parameters
    ----------
    raw : ndarray
        Any boolean, integer or float type, any shape.
    contrast : Contrast
        Limits in raw units.

    Returns
    -------
    ndarray of uint8
        A new array of the same shape.
    """
    if raw.dtype == np.bool_:
        raw = raw.view(np.uint8)
    if raw.dtype.kind in "iu" and raw.dtype.itemsize <= 2:
        if not raw.dtype.isnative:
            raw = raw.astype(raw.dtype.newbyteorder("="))
        kind = f"{raw.dtype.kind}{raw.dtype.itemsize}"
        return _table(kind, contrast).take(raw.view(f"u{raw.dtype.itemsize}"))
    return _scaled(raw, contrast)


def sample_boxes(shape: Shape) -> list[Box]:
    """Return the fixed places that contrast and fingerprint look at (deterministic, bounded).

    Parameters
    ----------
    shape : tuple of int
        (z, y, x).

    Returns
    -------
    list of tuple
        At most 16 boxes (z0, z1, y0, y1, x0, x1) of one section and 128×128 voxels: the middle
        of the volume first, then a low-discrepancy sequence.
    """
    sides = (1, min(SAMPLE_SIDE, shape[1]), min(SAMPLE_SIDE, shape[2]))
    boxes: dict[Box, None] = {}
    for i in range(SAMPLE_BOXES):
        corner = [
            int((0.5 + i * step) % 1.0 * (size - side + 1))
            for size, side, step in zip(shape, sides, _R3, strict=True)
        ]
        (z0, y0, x0), (dz, dy, dx) = corner, sides
        boxes[z0, z0 + dz, y0, y0 + dy, x0, x0 + dx] = None
    return list(boxes)


def estimate_contrast(samples: Iterable[NDArray[Any]]) -> Contrast | None:
    """Estimate the contrast from samples: the 0.5 and 99.5 percentiles of what is not padding.

    Parameters
    ----------
    samples : iterable of ndarray
        Raw values; zeros (padding) and non-finite values do not count, unless there are zeros and
        one other value alone.

    Returns
    -------
    Contrast or None
        None when fewer than 64 values are left.
    """
    values = np.concatenate([np.asarray(sample).ravel() for sample in samples])
    count = values.size
    values = values[values != 0]
    zeros = values.size < count
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)].astype(np.float64)
    if values.size < MIN_SAMPLES:
        return None
    # "nearest" picks measured values: no rounding that could differ between platforms.
    low, high = np.percentile(values, (LOW_PERCENTILE, HIGH_PERCENTILE), method="nearest")
    lo, hi = float(low), float(high)
    if hi > lo:
        return Contrast(lo, hi)
    if zeros:
        return Contrast(min(lo, 0.0), max(lo, 0.0))
    return Contrast(lo, lo + max(1.0, abs(lo) * 1e-6))


def default_contrast(dtype: np.dtype[Any]) -> Contrast:
    """Return the limits for data that say nothing: the type's range for bytes, else 0…1."""
    return Contrast(0.0, 255.0) if dtype == np.uint8 else Contrast(0.0, 1.0)
