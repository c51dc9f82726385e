"""Soft blobs and their outlines."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

from bcannot_core.tasks.worlds.land import noise

EDGE = 0.4
"""Share of a blob's full density at which its outline runs."""

_PAD = 4


@dataclass(frozen=True, eq=False)
class Blob:
    """A soft organic blob.

    Attributes
    ----------
    density : float32 (h, w)
        0 to 1.
    """

    density: NDArray[np.float32]

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """What lies within the outline, bool (h, w): in one piece, without holes."""
        return _main_piece(self.density >= EDGE)

    @cached_property
    def outline_xy(self) -> NDArray[np.float64]:
        """Its outline: a closed curve, float64 (n, 2), (x, y) in pixels of ``density``.

        The first point is not repeated.
        """
        return _outline(self.inside)


def draw_blob(rng: np.random.Generator, size: float, ragged: float) -> Blob:
    """Return a random blob: puffs that spread as they drift along a bent course.

    Parameters
    ----------
    size : float
        Standard deviation of the middle puff, px.
    ragged : float
        0 for a smooth outline, 1 for a very uneven one.
    """
    course = _course(rng, size)
    reach = 2.6 * max(sd for _, _, sd in course)
    low = np.floor([min(p[i] for p in course) - reach for i in (0, 1)])
    high = np.ceil([max(p[i] for p in course) + reach for i in (0, 1)])
    width, height = (int(v) for v in high - low)
    xs = np.arange(width, dtype=np.float32) + np.float32(low[0])
    ys = np.arange(height, dtype=np.float32) + np.float32(low[1])
    middle = np.array(course, dtype=np.float32).T[:, :, None]
    narrow = np.float32(-0.5) / middle[2] ** 2
    puffs_x = np.exp((xs - middle[0]) ** 2 * narrow)
    puffs_y = np.exp((ys - middle[1]) ** 2 * narrow)
    total = np.zeros((height, width), dtype=np.float32)
    for along_x, along_y in zip(puffs_x, puffs_y, strict=True):
        total += along_y[:, None] * along_x
    total *= 1 + np.float32(0.3 * ragged) * noise(rng, "patch", (height, width))
    # Dense in the middle, soft at the rim, nothing at the border of the window.
    density = np.minimum(np.maximum((total - np.float32(0.12)) * np.float32(1.5), 0), 1)
    density *= density * (3 - 2 * density)
    faint = density > 0.02
    rows, columns = np.flatnonzero(faint.any(axis=1)), np.flatnonzero(faint.any(axis=0))
    density = density[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Blob(density)


def _course(rng: np.random.Generator, size: float) -> list[tuple[float, float, float]]:
    """Return (x, y, standard deviation) of puffs drifting with the wind."""
    turn = 2 * math.pi * rng.random()
    bend = 0.9 * (rng.random() - 0.5)
    x = y = 0.0
    puffs = []
    count = int(rng.integers(4, 10))
    for i, (wide, aside, far) in enumerate(rng.random((count, 3)).tolist()):
        sd = size * (0.7 + 0.6 * i / count) * (0.8 + 0.35 * wide)
        side = size * 1.2 * (aside - 0.5)
        puffs.append((x - math.sin(turn) * side, y + math.cos(turn) * side, sd))
        step = size * (0.6 + 0.5 * far)
        x, y, turn = x + math.cos(turn) * step, y + math.sin(turn) * step, turn + bend
    return puffs


def _main_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest piece of a mask, without its holes."""
    pieces, count = ndimage.label(mask)
    if count > 1:
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        mask = pieces == int(sizes.argmax())
    around = np.ones((mask.shape[0] + 2, mask.shape[1] + 2), dtype=bool)
    np.logical_not(mask, out=around[1:-1, 1:-1])
    outside, count = ndimage.label(around)
    if count > 1:
        mask = outside[1:-1, 1:-1] != outside[0, 0]
    return np.asarray(mask)


def _outline(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the outline of a mask in one piece, (x, y)."""
    padded = np.pad(inside, _PAD).astype(np.float64)
    curves = find_contours(padded, 0.5)  # type: ignore[no-untyped-call]
    curve = max(curves, key=len)[:-1]
    return np.asarray(curve[:, ::-1] - _PAD, dtype=np.float64)


def simplify(outline_xy: NDArray[np.float64], vertices: int) -> NDArray[np.float64]:
    """Return a polygon of so many vertices of a closed outline.

    Vertices are left out one after the other, always the one whose triangle with its neighbours
    is smallest (Visvalingam and Whyatt, 1993).
    """
    step = max(1, len(outline_xy) // 40)
    points = [(float(x), float(y)) for x, y in outline_xy[::step]]
    areas = [_triangle(points, i) for i in range(len(points))]
    while len(points) > vertices:
        least = areas.index(min(areas))
        del points[least], areas[least]
        for i in (least - 1, least % len(points)):
            areas[i] = _triangle(points, i)
    return np.array(points)


def _triangle(points: list[tuple[float, float]], i: int) -> float:
    """Return twice the area of a vertex and its neighbours."""
    (ax, ay), (bx, by), (cx, cy) = points[i - 1], points[i], points[(i + 1) % len(points)]
    return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))
