"""Random numbers, smooth noise and blurs that are the same bits on every machine.

Only operations that IEEE 754 rounds exactly are used on arrays (``+ - * /`` and ``sqrt``, each as
its own pass, so that no compiler can fuse two of them), and no sum whose order depends on the
processor. The few exponentials are rounded to a coarse grid by `steady`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SPLINE_POWER = 0.479365  # mean of the squared weights of a cubic B-spline


def steady(values: NDArray[np.float64] | float) -> Floats:
    """Round to multiples of 1/4096, to hide the last bits in which maths libraries differ."""
    return (np.round(np.asarray(values, np.float64) * 4096.0) / 4096.0).astype(np.float32)


def normals(rng: np.random.Generator, shape: int | tuple[int, ...]) -> Floats:
    """Draw nearly normal numbers of mean 0, variance 1: sums of four uniform integers."""
    size = (shape,) if isinstance(shape, int) else shape
    total = rng.integers(0, 65536, size, np.uint16).astype(np.int32)
    for _ in range(3):
        total += rng.integers(0, 65536, size, np.uint16)
    return (total - 131070).astype(np.float32) / np.float32(37836.7)


def lognormals(rng: np.random.Generator, count: int, median: float, spread: float) -> Floats:
    """Nearly log-normal numbers; ``spread`` is the standard deviation of the logarithm."""
    return steady(median * np.exp(spread * normals(rng, count).astype(np.float64)))


def unit_vectors(rng: np.random.Generator, count: int) -> Floats:
    """Random directions, (count, 3)."""
    return normalised(normals(rng, (count, 3)))


def normalised(vectors: Floats) -> Floats:
    """Scale vectors (n, 3) to length 1."""
    length = np.sqrt(dot(vectors, vectors)) + np.float32(1e-6)
    return vectors / length[:, None]


def dot(a: Floats, b: Floats) -> Floats:
    """Multiply two (n, 3) arrays to n scalar products, added up in a fixed order."""
    out: Floats = a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]
    return out


def lattice_noise(rng: np.random.Generator, shape: tuple[int, ...], spacing: float) -> Floats:
    """Smooth noise of mean 0 and variance about 1: random lattice values under a cubic B-spline."""
    counts = tuple(int(n / spacing) + 4 for n in shape)
    out = normals(rng, counts)
    for axis, n in enumerate(shape):
        at = np.arange(n, dtype=np.float64) / spacing
        out = _spline_axis(out, axis, at)
    return out / np.float32(_SPLINE_POWER ** (len(shape) / 2))


def _spline_axis(values: Floats, axis: int, at: NDArray[np.float64]) -> Floats:
    base = np.floor(at).astype(np.intp)
    t = at - base
    weights = (
        (1 - t) * (1 - t) * (1 - t) / 6,
        (3 * t * t * t - 6 * t * t + 4) / 6,
        (-3 * t * t * t + 3 * t * t + 3 * t + 1) / 6,
        t * t * t / 6,
    )
    along = [1] * values.ndim
    along[axis] = -1
    out: Floats | None = None
    for step, weight in enumerate(weights):
        part = np.take(values, base + step, axis=axis)
        part *= weight.astype(np.float32).reshape(along)
        out = part if out is None else np.add(out, part, out=out)
    assert out is not None
    return out


def blur(picture: Floats, sigma: float) -> Floats:
    """Blur the last two axes by a Gaussian, edges repeated; ``sigma`` in pixels."""
    if sigma < 0.2:
        return picture
    reach = max(1, int(2.5 * sigma + 0.5))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = steady(taps / float(np.round(taps.sum(), 6)))
    for axis in (-2, -1):
        pad = [(0, 0)] * picture.ndim
        pad[axis] = (reach, reach)
        wide = np.pad(picture, pad, mode="edge")
        n = picture.shape[axis]
        out = np.zeros_like(picture)
        for i, weight in enumerate(weights):
            window = wide[..., i : i + n, :] if axis == -2 else wide[..., i : i + n]
            out += window * weight
        picture = out
    return picture
