"""Habitats: what animals are filmed on; ground, water, sky and dishes, made from noise."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.ribbons import inks, paint, ribbons, samples

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
Rng = np.random.Generator


@lru_cache(maxsize=128)
def _stretch(size: int, cells: int) -> Floats:
    """Return the matrix that interpolates ``cells`` values smoothly over ``size`` pixels."""
    t = np.linspace(0, cells - 1.001, size)
    k = t.astype(np.int64)
    f = t - k
    f = f * f * (3 - 2 * f)
    matrix = np.zeros((size, cells), dtype=np.float32)
    matrix[np.arange(size), k] = 1 - f
    matrix[np.arange(size), k + 1] += f
    return matrix


def smooth_noise(rng: Rng, size_hw: tuple[int, int], cells_hw: tuple[int, int]) -> Floats:
    """Return noise that is smooth between a few random values, about -1 to 1."""
    grid = rng.standard_normal(cells_hw).astype(np.float32) * np.float32(0.5)
    rows, columns = _stretch(size_hw[0], cells_hw[0]), _stretch(size_hw[1], cells_hw[1])
    return np.asarray(rows @ grid @ columns.T, dtype=np.float32)


def clouds(rng: Rng, size_hw: tuple[int, int], coarse: int = 5, octaves: int = 4) -> Floats:
    """Return noise on several scales, each twice as fine and half as strong."""
    total = np.zeros(size_hw, dtype=np.float32)
    for octave in range(octaves):
        cells = coarse * 2**octave
        total += smooth_noise(rng, size_hw, (cells, cells)) * np.float32(0.6**octave)
    return total


def grain(rng: Rng, size_hw: tuple[int, int]) -> Floats:
    """Return noise of single pixels, tiled from a smaller field at random places."""
    field = rng.standard_normal((96, 96)).astype(np.float32)
    down, right = -(-size_hw[0] // 96), -(-size_hw[1] // 96)
    return np.tile(field, (down, right))[: size_hw[0], : size_hw[1]]


def _colour(rng: Rng, base: tuple[int, int, int], spread: float = 12.0) -> Floats:
    """Return a colour varied in brightness, and a little in hue."""
    varied = np.array(base) + rng.normal(0, spread) + rng.normal(0, spread / 4, 3)
    return np.clip(varied, 0, 255).astype(np.float32)


def _tinted(level: Floats, colour: Floats | Sequence[Floats]) -> Picture:
    """Return a picture whose brightness follows ``level`` about 1."""
    picture = np.empty((*level.shape, 3), dtype=np.uint8)
    for channel in range(3):  # much faster than all at once, because of the broadcasting
        bright = level * colour[channel]
        picture[..., channel] = np.clip(bright, 0, 255, out=bright)
    return picture


def _mixed(share: Floats, one: Floats, other: Floats) -> Floats:
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(one + (other - one) * share, dtype=np.float32)


def _strewn(
    picture: Picture, rng: Rng, count: int, length: float, half: float, colours: Floats
) -> None:
    """Strew blades, leaves or pebbles: ribbons of one size in several colours."""
    height, width = picture.shape[:2]
    along, wide = samples(length) * 5 // 6, max(3, samples(2 * half) * 5 // 6)
    middle = rng.random((count, 1, 2)) * (width, height)
    angle = rng.uniform(0, 2 * np.pi, count)
    bend = rng.normal(0, 0.15, count)
    step = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    side = np.stack([-step[:, 1], step[:, 0]], axis=-1)
    size = length * rng.uniform(0.6, 1.0, count)[:, None]
    points = np.concatenate(
        [
            middle - (step * size / 2)[:, None],
            middle + (side * bend[:, None] * size)[:, None],
            middle + (step * size / 2)[:, None],
        ],
        axis=1,
    )
    u = np.linspace(-1, 1, along)
    offsets = half * (1 - np.abs(u) ** 2.2)[:, None] * np.linspace(-1, 1, wide)
    vein = 1 - 0.25 * (np.abs(np.linspace(-1, 1, wide)) < 0.2)
    rgb = colours[:, None, None, :] * vein[None, None, :, None] * np.ones((1, along, 1, 1))
    kinds = np.stack([inks(one, round_=0.25, lit=0.35) for one in rgb])
    chosen = kinds[rng.integers(0, len(kinds), count)]
    paint(picture, [ribbons(points[None], offsets, chosen)], 0, (1, 2, 0.4))


def _palette(rng: Rng, base: tuple[int, int, int], count: int = 5, spread: float = 16.0) -> Floats:
    """Return shades of one colour, varied mostly in brightness."""
    shades = np.array(base) * rng.uniform(0.7, 1.15, (count, 1)) + rng.normal(
        0, spread / 4, (count, 3)
    )
    return np.clip(shades, 0, 255).astype(np.float32)


def _axes(size_hw: tuple[int, int], turn: float, along: float = 0.0) -> tuple[Floats, Floats]:
    """Return how far each pixel is along and across a direction, from a middle or the corner.

    Parameters
    ----------
    size_hw : tuple of int
        Of the picture.
    turn : float
        The direction, radians.
    along : float
        Where both are 0: 0 at the corner, 0.5 in the middle.
    """
    height, width = size_hw
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(along * height)
    x = np.arange(width, dtype=np.float32) - np.float32(along * width)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return x * cos + y * sin, y * cos - x * sin


def sand(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make sand or dry soil with ripples and some pebbles."""
    base = _colour(rng, (196, 170, 130))
    turn, wave = rng.uniform(0, np.pi), rng.uniform(14, 24)
    drift = smooth_noise(rng, size_hw, (5, 5)) * 9
    ripple = np.sin((_axes(size_hw, turn)[0] + drift) * np.float32(2 * np.pi / wave))
    level = 0.92 + 0.035 * ripple + 0.09 * clouds(rng, size_hw) + 0.05 * grain(rng, size_hw)
    picture = _tinted(level.astype(np.float32, copy=False), base)
    _strewn(picture, rng, 40, 6.0, 2.2, _palette(rng, (150, 130, 105)))
    return picture


def litter(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make the floor of a wood: soil under fallen leaves."""
    level = 0.8 + 0.25 * clouds(rng, size_hw, 8) + 0.1 * grain(rng, size_hw)
    picture = _tinted(level.astype(np.float32, copy=False), _colour(rng, (88, 68, 48)))
    _strewn(picture, rng, 90, 30.0, 8.0, _palette(rng, (128, 92, 56)))
    _strewn(picture, rng, 50, 22.0, 6.0, _palette(rng, (150, 116, 70)))
    return picture


def grass(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make a meadow from above."""
    level = 0.75 + 0.2 * clouds(rng, size_hw, 8) + 0.1 * grain(rng, size_hw)
    picture = _tinted(level.astype(np.float32, copy=False), _colour(rng, (74, 98, 46)))
    _strewn(picture, rng, 420, 26.0, 1.3, _palette(rng, (96, 132, 58)))
    _strewn(picture, rng, 160, 20.0, 1.1, _palette(rng, (132, 158, 82)))
    return picture


def bark(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make bark or weathered wood, grained in one direction."""
    height, width = size_hw
    fine = smooth_noise(rng, size_hw, (height // 2, width // 16))
    fine += smooth_noise(rng, size_hw, (height // 6, width // 40))
    crack = np.abs(smooth_noise(rng, size_hw, (height // 9, 7)))
    level = 0.9 + 0.13 * fine + 0.12 * clouds(rng, size_hw) - 0.3 * (crack < 0.05)
    if rng.random() < 0.5:
        level = level.T if height == width else level
    return _tinted(level.astype(np.float32, copy=False), _colour(rng, (138, 116, 94), 16))


def stone(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make rock with lichen."""
    level = 0.9 + 0.14 * clouds(rng, size_hw, 6, 5) + 0.07 * grain(rng, size_hw)
    patches = (clouds(rng, size_hw, 6) - rng.uniform(0.35, 0.6)) * 5
    colour = _mixed(patches, _colour(rng, (146, 142, 136)), _colour(rng, (158, 164, 110)))
    return np.asarray(np.clip(colour * level[..., None], 0, 255), dtype=np.uint8)


def leaf(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make a large leaf seen near, with its veins."""
    u, v = _axes(size_hw, rng.uniform(0, 2 * np.pi), 0.5)
    u += smooth_noise(rng, size_hw, (6, 6)) * 6
    pitch = float(rng.uniform(26, 38))
    side = np.abs((u - 0.9 * np.abs(v)) / pitch % 1 - 0.5) * pitch
    veins = np.exp(-((side / 1.1) ** 2)) * 0.16 + np.exp(-((v / 2.0) ** 2)) * 0.3
    level = 0.86 + 0.08 * clouds(rng, size_hw, 10) + veins + 0.025 * grain(rng, size_hw)
    level += 0.05 * np.cos(side / pitch * 2 * np.pi)
    return _tinted(level.astype(np.float32, copy=False), _colour(rng, (92, 134, 62)))


def sky(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make a sky with clouds."""
    cover = clouds(rng, size_hw, 3, 5) * 1.3 + rng.uniform(-0.25, 0.35)
    fall = np.linspace(0.9, 1.08, size_hw[0], dtype=np.float32)[:, None, None]
    blue = _colour(rng, (112, 160, 212), 8) * fall
    white = _colour(rng, (228, 232, 238), 4) * np.ones_like(fall)
    return _over(cover, blue, white, 0.012 * grain(rng, size_hw))


def fields(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make farmland from the air: plots with rows."""
    u, v = _axes(size_hw, rng.uniform(0, np.pi))
    u += smooth_noise(rng, size_hw, (4, 4)) * 10
    v += smooth_noise(rng, size_hw, (4, 4)) * 10
    long, short = u / 85, v / 60
    row, column = np.floor(long), np.floor(short)
    kinds = np.stack([_colour(rng, c) for c in _CROPS])
    plots = rng.integers(0, len(kinds), 64 * 64)
    plot = plots.take(((row * 64 + column) % 4096).astype(np.intp))
    rows = np.sin(np.where(plot % 2, u * np.float32(1.3), v * np.float32(1.1)))
    edge = (np.abs(long - row - 0.5) > 0.478) | (np.abs(short - column - 0.5) > 0.47)
    level = 0.92 + 0.05 * rows + 0.1 * clouds(rng, size_hw, 8) + 0.03 * grain(rng, size_hw)
    level *= np.where(edge, np.float32(0.72), np.float32(1.0))
    return _tinted(level, [kinds[:, channel].take(plot) for channel in range(3)])


_CROPS = ((126, 142, 78), (164, 150, 92), (96, 124, 66), (142, 118, 84), (178, 172, 110))


def water(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make shallow water over a pale bottom, with the net of light that waves throw."""
    net = 1 - np.abs(clouds(rng, size_hw, 9, 2)) * 2.4
    level = 0.9 + 0.12 * np.clip(net, 0, 1) ** 3 + 0.08 * clouds(rng, size_hw, 4)
    level += 0.02 * grain(rng, size_hw)
    return _tinted(level.astype(np.float32, copy=False), _colour(rng, (126, 158, 160), 10))


def sea(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make open water from the air."""
    waves = smooth_noise(rng, size_hw, (70, 26)) + smooth_noise(rng, size_hw, (34, 12))
    level = 0.95 + 0.09 * waves + 0.08 * clouds(rng, size_hw, 4)
    picture = _tinted(level.astype(np.float32, copy=False), _colour(rng, (52, 92, 122), 10))
    foam = np.clip((waves - 1.25) * 2.0, 0, 0.8)[..., None]
    return np.asarray(picture * (1 - foam) + 225 * foam, dtype=np.uint8)


def dish(rng: Rng, size_hw: tuple[int, int]) -> Picture:
    """Make an arena in the laboratory: a pale floor, evenly lit, a little dusty."""
    fall = _vignette(size_hw)
    level = 0.98 * fall + 0.02 * clouds(rng, size_hw, 4) + 0.012 * grain(rng, size_hw)
    picture = _tinted(level.astype(np.float32, copy=False), _colour(rng, (204, 202, 196), 10))
    _strewn(picture, rng, 24, 3.0, 0.8, _palette(rng, (160, 156, 150)))
    return picture


@lru_cache(maxsize=8)
def _vignette(size_hw: tuple[int, int]) -> Floats:
    ys, xs = (np.linspace(-1, 1, n, dtype=np.float32) for n in size_hw)
    return np.asarray(1.03 - 0.14 * (ys[:, None] ** 2 + xs**2) / 2, dtype=np.float32)


def _over(cover: Floats, low: Floats, high: Floats, noise: Floats) -> Picture:
    share = np.clip(cover, 0, 1)[..., None]
    return np.clip((low + (high - low) * share) * (1 + noise[..., None]), 0, 255).astype(np.uint8)


HABITATS: dict[str, Callable[[Rng, tuple[int, int]], Picture]] = {
    "sand": sand, "litter": litter, "grass": grass, "bark": bark, "stone": stone, "leaf": leaf,
    "sky": sky, "fields": fields, "water": water, "sea": sea, "dish": dish,
}  # fmt: skip
"""Habitats by name, each made from a generator and a size."""
