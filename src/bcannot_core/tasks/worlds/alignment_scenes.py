"""Scenes of an alignment: Voronoi cells, Perlin noise and photographs, each as two channels.

A scene is a little larger than the canvas, so that the warped channel has no empty border. Its
*corners* are the points that a person would choose as landmarks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.spatial import Voronoi

from bcannot_core.tasks.worlds.alignment_warp import SIDE

MARGIN = 40
SCENE = SIDE + 2 * MARGIN
_CELL_SIZES = (28, 42, 48)
_AROUND = tuple((row, column) for row in (0, 1, 2) for column in (0, 1, 2))
_OCTAVES = ((56, 16), (28, 9), (12, 4))  # pixels between the lattice's lines, share
_TILE, _SEED = 2 * SCENE, 59
_WEIGHT, _LATTICE = 128, 8  # whole numbers below 2**24 all the way, exact in float32
_MIDDLE, _HEIGHT = 118, 128  # of clouds: their mean grey level, and their highest peak above it


@dataclass(frozen=True, eq=False)
class Scene:
    """One scene in two channels.

    Attributes
    ----------
    first, second : uint8 (336, 336)
        The channels, in register.
    corners : float64 (n, 2)
        Salient points (x, y) in scene pixels, the most salient first.
    """

    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    corners: NDArray[np.float64]


def voronoi_scene(rng: np.random.Generator) -> Scene:
    """Draw a sheet of cells: membranes in one channel, nuclei and cytoplasm in the other."""
    size = _CELL_SIZES[int(rng.integers(len(_CELL_SIZES)))]
    n = SCENE // size
    drawn = 0.5 + 0.38 * (2 * rng.random((2, n + 2, n + 2)) - 1)
    place = (np.floor(drawn * 64) / 64).astype(np.float32)
    glow = rng.random((n + 2, n + 2)).astype(np.float32)
    best, second, brightness = _two_nearest(place, glow, size, n)
    gap = np.sqrt(second) - np.sqrt(best)
    gap *= np.float32(1 / 2.4)
    wall = _falling(gap * gap)
    first = 18 + 190 * wall + 26 * brightness
    core = best * np.float32(1 / (0.2 * size) ** 2)
    nucleus = _falling(core * core * core)
    other = 22 + 82 * brightness + (60 + 70 * brightness) * nucleus
    other *= 1 - np.float32(0.8) * wall
    rows, columns = np.mgrid[0 : n + 2, 0 : n + 2]
    sites = np.stack([columns - 1 + place[1], rows - 1 + place[0]], axis=-1).reshape(-1, 2) * size
    corners = Voronoi(sites.astype(np.float64)).vertices
    inner = ((corners > 0) & (corners < SCENE)).all(axis=1)
    corners = corners[inner]
    return Scene(_grey(first), _grey(other), corners[rng.permutation(len(corners))])


def _falling(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn values from 0 on into 1 / (1 + value), in place."""
    values += 1
    return np.reciprocal(values, out=values)


def _two_nearest(
    place: NDArray[np.float32], glow: NDArray[np.float32], size: int, n: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return squared distances to the two nearest sites and the nearest one's glow.

    Sites lie one in each square of a lattice; a pixel looks at its square and the eight around.
    Distances are whole 64ths of a squared pixel, with the glow in the lowest byte: the least of
    two then carries the glow of the nearer site along.
    """
    at = 8 * np.arange(size, dtype=np.int32) + 4
    best = np.empty((n, n, size, size), dtype=np.int32)
    second, distance, larger = (np.empty_like(best) for _ in range(3))
    second.fill(np.iinfo(np.int32).max)
    tone = (255 * glow).astype(np.int32)
    for row, column in _AROUND:
        part = slice(row, row + n), slice(column, column + n)
        up = np.rint((place[0][part] + (row - 1)) * (8 * size)).astype(np.int32)
        over = np.rint((place[1][part] + (column - 1)) * (8 * size)).astype(np.int32)
        down, across = (up[..., None] - at) ** 2 << 8, (over[..., None] - at) ** 2 << 8
        down += tone[part][..., None]
        if (row, column) == _AROUND[0]:
            np.add(down[..., None], across[..., None, :], out=best)
            continue
        np.add(down[..., None], across[..., None, :], out=distance)
        np.maximum(best, distance, out=larger)
        np.minimum(second, larger, out=second)
        np.minimum(best, distance, out=best)
    best, second = _whole(best), _whole(second)
    share = np.float32(1 / 64)
    near, far = (best >> 8).astype(np.float32), (second >> 8).astype(np.float32)
    return near * share, far * share, (best & 255).astype(np.float32) * np.float32(1 / 255)


def _whole(squares: NDArray[np.int32]) -> NDArray[np.int32]:
    """Put squares (rows, columns, h, w) together to one plane."""
    return squares.swapaxes(1, 2).reshape(SCENE, SCENE)


def perlin_scene(rng: np.random.Generator) -> Scene:
    """Draw clouds of Perlin noise: density in one channel, its ridges in the other.

    Each octave is cut from a large tile of its own, and may be mirrored.
    """
    large, middle, small = (_cut(tile, rng) for tile in _tiles())
    smooth = large[::4, ::4] + middle[::4, ::4]
    scale = np.float32(_HEIGHT) / np.abs(smooth).max()
    field = large + middle
    field += small
    field *= scale
    field += np.float32(_MIDDLE + 0.5)
    density = np.clip(field, 0, 255, out=field).astype(np.uint8)
    return Scene(density, _ridges().take(density), 4.0 * _peaks(np.abs(smooth), 5))


def _cut(tile: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a random part of a tile, the size of a scene, one of the eight ways round."""
    top, left, ways = rng.integers((_TILE - SCENE + 1, _TILE - SCENE + 1, 8)).tolist()
    part = tile[top : top + SCENE, left : left + SCENE]
    part = part.T if ways & 1 else part
    return part[:: -1 if ways & 2 else 1, :: -1 if ways & 4 else 1]


@lru_cache(maxsize=1)
def _tiles() -> tuple[NDArray[np.float32], ...]:
    """Return Perlin noise of each octave, weighted, float32 (672, 672).

    K. Perlin, "Improving Noise", SIGGRAPH 2002.
    """
    rng = np.random.default_rng(_SEED)
    tiles = []
    for spacing, share in _OCTAVES:
        lines = _TILE // spacing + 1
        steps = np.rint((2 * rng.random((2, lines, lines)) - 1) * _LATTICE).astype(np.float32)
        value, slope = _gradients(spacing, lines)
        tile = value @ steps[0] @ slope.T + slope @ steps[1] @ value.T
        tiles.append(np.float32(share) * tile)
    return tuple(tiles)


@lru_cache(maxsize=1)
def _ridges() -> NDArray[np.uint8]:
    """Return the gradation that makes ridges of middle densities, uint8 (256,)."""
    level = (np.arange(256) - _MIDDLE) / _HEIGHT
    return _grey(214 - 300 * np.abs(level) + 26 * level)


def _peaks(height: NDArray[np.floating], window: int) -> NDArray[np.float64]:
    """Return local maxima (x, y) of an array, the highest first."""
    top = (height == maximum_filter(height, window)) & (height > 0)
    y, x = np.nonzero(top)
    order = np.argsort(-height[y, x], kind="stable")
    return np.stack([x[order], y[order]], axis=1).astype(np.float64)


def _gradients(spacing: int, lines: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the fades and sloping fades of each lattice line, in 128ths, (672, lines).

    They are whole numbers: their products are exact.
    """
    at = (np.arange(_TILE) + 0.5) / spacing
    offset = at[:, None] - np.arange(lines)
    t = np.clip(1 - np.abs(offset), 0.0, 1.0)
    fade = t * t * t * (t * (t * 6 - 15) + 10)
    value, slope = np.rint(fade * _WEIGHT), np.rint(fade * offset * _WEIGHT)
    return value.astype(np.float32), slope.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture that scenes are cut from.

    Attributes
    ----------
    name : str
        Where it is from.
    channels : tuple of uint8 (h, w)
        One, two or three; all sides at least 336 px.
    corners : float64 (n, 2)
        Salient points (x, y), the most salient first.
    """

    name: str
    channels: tuple[NDArray[np.uint8], ...]
    corners: NDArray[np.float64]


def photo_scene(rng: np.random.Generator, photo: Photograph) -> Scene:
    """Cut a scene from a photograph.

    Two channels are taken as they are. A grey picture's second channel is its negative with
    another gradation; a coloured one's is the negative of another colour.
    """
    height, width = photo.channels[0].shape
    top = int(rng.integers(height - SCENE + 1))
    left = int(rng.integers(width - SCENE + 1))
    curve = _negative(int(rng.integers(3)))
    part = slice(top, top + SCENE), slice(left, left + SCENE)
    count = len(photo.channels)
    first = photo.channels[1 if count == 3 else 0][part]
    second = photo.channels[{1: 0, 2: 1, 3: 0}[count]][part]
    corners = photo.corners - (left, top)
    inside = ((corners >= 0) & (corners < SCENE)).all(axis=1)
    other = second if count == 2 else curve.take(second)
    return Scene(first, other, corners[inside])


@lru_cache(maxsize=3)
def _negative(kind: int) -> NDArray[np.uint8]:
    """Return a falling gradation curve, uint8 (256,)."""
    x = 1 - np.arange(256) / 255
    curve = (x, x * x, np.sqrt(x))[kind]
    negative: NDArray[np.uint8] = np.rint(20 + 220 * curve).astype(np.uint8)
    return negative


def _grey(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    grey: NDArray[np.uint8] = np.clip(values + np.float32(0.5), 0, 255).astype(np.uint8)
    return grey


PAINTED: Mapping[str, Callable[[np.random.Generator], Scene]] = {
    "voronoi": voronoi_scene,
    "perlin": perlin_scene,
}
"""Scenes that need no pictures, by the name of their source."""
