"""Fluorescence microscopy: what the worlds of cells and neurons share.

Only operations whose results are exact by IEEE 754 act on whole pictures, and what comes from the
mathematical library is rounded first, so that a picture has the same bytes everywhere.
"""

from functools import lru_cache
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Picture = NDArray[np.uint8]
Photons = NDArray[np.float32]

SIDE = 256
_EIGHTHS = 8
_STEPS = 4096
_POOL = 1024
_WIDE = 8.0


def quantised(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Round to 16ths, which later arithmetic keeps exact."""
    rounded: NDArray[np.float64] = np.round(np.asarray(values, dtype=np.float64) * 16.0) / 16.0
    return rounded


@lru_cache(maxsize=1024)
def spot(sigma_eighths: int, fraction_y: int, fraction_x: int) -> Photons:
    """Return a Gaussian spot of height 1 on a square of odd side, read-only.

    Parameters
    ----------
    sigma_eighths : int
        Standard deviation in eighths of a pixel.
    fraction_y, fraction_x : int
        Where in the middle pixel its centre lies, eighths of a pixel, -4 to 4.
    """
    sigma = sigma_eighths / _EIGHTHS
    reach = int(3.2 * sigma) + 2
    at = np.arange(-reach, reach + 1, dtype=np.float64)
    rows = np.exp(-((at - fraction_y / _EIGHTHS) ** 2) / (2 * sigma**2))
    columns = np.exp(-((at - fraction_x / _EIGHTHS) ** 2) / (2 * sigma**2))
    stamp = (np.round(np.outer(rows, columns) * _STEPS) / _STEPS).astype(np.float32)
    stamp.flags.writeable = False
    return stamp


def add_spot(photons: Photons, yx: tuple[float, float], sigma: float, height: float) -> None:
    """Add a Gaussian spot, cut off at the border.

    Its centre is kept to eighths of a pixel, that of a wide one to whole pixels.
    """
    fine = _EIGHTHS if sigma < _WIDE else 1
    ys, xs = (round(c * fine) * _EIGHTHS // fine for c in yx)
    row, column = (ys + 4) // _EIGHTHS, (xs + 4) // _EIGHTHS
    size = max(1, round(sigma * _EIGHTHS))
    stamp = spot(size, ys - row * _EIGHTHS, xs - column * _EIGHTHS)
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


@lru_cache(maxsize=1)
def _noise_pool() -> NDArray[np.float32]:
    """Return normal noise with a standard deviation of 1/2, drawn once for all pictures."""
    pool = np.random.default_rng(2026).standard_normal((_POOL, _POOL), dtype=np.float32)
    pool *= np.float32(0.5)
    pool.flags.writeable = False
    return pool


def expose(photons: Photons, rng: np.random.Generator, noise: float) -> Photons:
    """Return photons as counted: Poisson noise in its variance-stabilised form.

    The square root of a Poisson count has a standard deviation near 1/2 whatever its mean
    (Anscombe, 1948); ``noise`` is a factor on it, 1 for what physics asks. The noise is cut from
    a large field at random, in one of four orientations, which is much faster than drawing it.
    ``photons`` itself is changed.
    """
    side = photons.shape[0]
    top, left, turn = rng.integers(0, (_POOL - side, _POOL - side, 4)).tolist()
    cut = _noise_pool()[top : top + side, left : left + side]
    cut = cut[:: 1 - 2 * (turn & 1), :: 1 - (turn & 2)]
    photons += np.float32(0.375)
    np.sqrt(photons, out=photons)
    photons += cut if noise == 1 else cut * np.float32(noise)
    np.maximum(photons, 0, out=photons)
    photons *= photons
    photons -= np.float32(0.375 + 0.25 * noise * noise)  # so that the mean is kept
    return photons


def grey(photons: Photons, gain: float, offset: float) -> Picture:
    """Return photons as grey values, read-only; ``photons`` itself is changed."""
    photons *= np.float32(gain)
    photons += np.float32(offset + 0.5)
    picture = np.clip(photons, 0, 255, out=photons).astype(np.uint8)
    picture.flags.writeable = False
    return picture
