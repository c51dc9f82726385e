"""Fluorescence microscopy: what the worlds of cells and neurons share.

Only operations whose results are exact by IEEE 754 act on whole pictures, and what comes from the
mathematical library is rounded first, so that a picture has the same bytes everywhere.
"""

import math
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Picture = NDArray[np.uint8]
Photons = NDArray[np.float32]

SIDE = 256
_EIGHTHS, _QUARTERS = 8, 4
_STEPS = 4096
_POOL = 1024
_ROOT = 16
_HALO_SIGMA = 2.6  # times that of the spot


def quantised(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Round to 16ths, which later arithmetic keeps exact."""
    rounded: NDArray[np.float64] = np.round(np.asarray(values, dtype=np.float64) * 16.0) / 16.0
    return rounded


@lru_cache(maxsize=1024)
def spot(sigma_eighths: int, fraction_y: int, fraction_x: int, halo: float = 0.0) -> Photons:
    """Return a Gaussian spot of height 1 on a square of odd side, read-only.

    Parameters
    ----------
    sigma_eighths : int
        Standard deviation in eighths of a pixel.
    fraction_y, fraction_x : int
        Where in the middle pixel its centre lies, quarters of a pixel, -2 to 2.
    halo : float
        Height of a wider spot about it.
    """
    sigma = sigma_eighths / _EIGHTHS
    reach = int((2.8 * _HALO_SIGMA if halo else 3.2) * sigma) + 2
    at = np.arange(-reach, reach + 1, dtype=np.float64)
    y, x = at - fraction_y / _QUARTERS, at - fraction_x / _QUARTERS
    squared = (y * y)[:, None] + x * x
    stamp = np.exp(squared / (-2 * sigma**2))
    if halo:
        stamp += halo * np.exp(squared / (-2 * (_HALO_SIGMA * sigma) ** 2))
    rounded: Photons = (np.round(stamp * _STEPS) / _STEPS).astype(np.float32)
    rounded.flags.writeable = False
    return rounded


def add_spot(
    photons: Photons, yx: tuple[float, float], sigma: float, height: float, halo: float = 0.0
) -> None:
    """Add a Gaussian spot, cut off at the border.

    Its centre is kept to quarters of a pixel. A ``halo`` is 2.6 times as wide and has a share of
    its height.
    """
    ys, xs = (round(c * _QUARTERS) for c in yx)
    row, column = (ys + 2) // _QUARTERS, (xs + 2) // _QUARTERS
    size = max(1, round(sigma * _EIGHTHS))
    stamp = spot(size, ys - row * _QUARTERS, xs - column * _QUARTERS, halo)
    add_patch(photons, stamp * np.float32(height), row, column)


def add_patch(photons: Photons, patch: Photons, row: int, column: int) -> None:
    """Add a square patch of odd side about a pixel, cut off at the border."""
    reach = patch.shape[0] // 2
    top, left = row - reach, column - reach
    y0, x0 = max(0, -top), max(0, -left)
    y1 = min(patch.shape[0], photons.shape[0] - top)
    x1 = min(patch.shape[1], photons.shape[1] - left)
    if y0 < y1 and x0 < x1:
        photons[top + y0 : top + y1, left + x0 : left + x1] += patch[y0:y1, x0:x1]


@lru_cache(maxsize=4)
def mottle(seed: int, sigma: float) -> NDArray[np.float32]:
    """Return a smooth random field of mean 0 and about 1 at its extremes; wraps, read-only."""
    noise = np.random.default_rng(seed).standard_normal((SIDE, SIDE))
    smooth: NDArray[np.float64] = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    smooth /= 2.5 * smooth.std()
    field: NDArray[np.float32] = (np.round(np.clip(smooth, -1, 1) * 128) / 128).astype(np.float32)
    field.flags.writeable = False
    return field


@lru_cache(maxsize=32)
def lit_background(level: float, fall_off: float) -> Photons:
    """Return an unevenly lit background, ``level`` in the middle, read-only."""
    at = np.arange(SIDE, dtype=np.float64) - (SIDE - 1) / 2
    field = (level * illumination(at[:, None], at[None, :], fall_off)).astype(np.float32)
    field.flags.writeable = False
    return field


@overload
def illumination(dy: float, dx: float, fall_off: float) -> float: ...
@overload
def illumination(
    dy: NDArray[np.float64], dx: NDArray[np.float64], fall_off: float
) -> NDArray[np.float64]: ...
def illumination(dy: Any, dx: Any, fall_off: float) -> Any:
    """Return the share of light so far from the middle; 1 - ``fall_off`` in the corners."""
    return 1.0 - fall_off * 2.0 * (dy * dy + dx * dx) / SIDE**2


@lru_cache(maxsize=8)
def _noise_pool(spread: float) -> NDArray[np.int16]:
    """Return whole normal numbers with a standard deviation, drawn once for all pictures."""
    pool = np.random.default_rng(2026).standard_normal((_POOL, _POOL), dtype=np.float32)
    pool *= np.float32(spread)
    whole: NDArray[np.int16] = np.rint(pool, out=pool).astype(np.int16)
    whole.flags.writeable = False
    return whole


def expose(photons: Photons, at: int, noise: float, gain: float, offset: float) -> Picture:
    """Return photons as a camera counts them and shows them as grey values.

    The square root of a Poisson count has a standard deviation near 1/2 whatever its mean
    (Anscombe, 1948). The noise is cut from a large field that was drawn once, and what follows
    the square root is done in whole numbers: both are much faster than the plain way.

    Parameters
    ----------
    photons : float32 (256, 256)
        How many are expected, at most 8,000; changed.
    at : int
        Says where the noise is cut from.
    noise : float
        Factor on it, 1 for what physics asks.
    gain, offset : float
        Grey values for each photon, and for none.

    Returns
    -------
    uint8 (256, 256)
        Read-only.
    """
    unit = _ROOT * gain**0.5  # the roots of grey values, in 16ths
    photons += np.float32(0.375)
    np.sqrt(photons, out=photons)
    photons *= np.float32(unit)
    roots = photons.astype(np.int16)
    places = _POOL - SIDE
    top, left = at % places, at // places % places
    roots += _noise_pool(round(0.5 * unit * noise, 3))[top : top + SIDE, left : left + SIDE]
    dark = round(_ROOT**2 * (gain * (0.375 + 0.25 * noise * noise) - offset - 0.5))
    white = _ROOT**2 * 256 - 1
    np.clip(roots, math.isqrt(max(dark, 0)) + (dark > 0), math.isqrt(white + dark), out=roots)
    greys = roots.view(np.uint16)
    greys *= greys  # may pass 65535; with the darkness taken away it is right again
    greys -= np.uint16(dark % 65536)
    greys >>= np.uint16(8)
    picture: Picture = greys.astype(np.uint8)
    picture.flags.writeable = False
    return picture


class Recording(ABC):
    """Pictures at several times, each drawn when it is first looked at.

    Parameters
    ----------
    length : int
        How many there are.
    """

    def __init__(self, length: int) -> None:
        self._pictures: list[Picture | None] = [None] * length

    def grey(self, index: int) -> Picture:
        """Return a picture, uint8 (256, 256), read-only; always the same object."""
        picture = self._pictures[index]
        if picture is None:
            picture = self._pictures[index] = self._draw(index)
        return picture

    def all(self) -> Picture:
        """Return all pictures, uint8 (n, 256, 256)."""
        return np.stack([self.grey(index) for index in range(len(self._pictures))])

    @abstractmethod
    def _draw(self, index: int) -> Picture:
        """Draw a picture."""
