"""Grounds that plumes drift over: a highway, buildings with parking lots, fields.

A ground is a map of materials. It is laid out at right angles and then turned by any angle.
"""

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.land import Rotation, cuts, field_map
from bcannot_core.tasks.worlds.spectral_materials import MATERIALS

MaterialMap = NDArray[np.uint8]
_SIDE = 384
_CARS = tuple(MATERIALS[f"car_{c}"] for c in ("white", "white", "dark", "dark", "red", "blue"))
_ROOFS = tuple(MATERIALS[f"roof_{c}"] for c in ("tile", "white", "grey", "dark", "grey"))
_CROPS = [
    (MATERIALS["crop"], MATERIALS["crop2"]),
    (MATERIALS["straw"], MATERIALS["straw2"]),
    (MATERIALS["soil"], MATERIALS["soil2"]),
    (MATERIALS["grass"], MATERIALS["grass2"]),
]


def draw_ground(rng: np.random.Generator, background: str) -> MaterialMap:
    """Return a random ground, uint8 (256, 256) numbers of materials.

    Parameters
    ----------
    background : str
        One of ``BACKGROUNDS``.
    """
    ground = BACKGROUNDS[background](rng)
    return Rotation.by(float(rng.uniform(0, 2 * math.pi))).take(ground)


def _highway(rng: np.random.Generator) -> MaterialMap:
    """Two carriageways with traffic through fields, sometimes with a road that crosses them."""
    ground = field_map(rng, _CROPS, border=MATERIALS["grass"])
    _trees(rng, ground, 30)
    asphalt, paint, grass = MATERIALS["asphalt"], MATERIALS["paint"], MATERIALS["grass"]
    top = int(rng.integers(130, 215))
    ground[top - 6 : top + 48] = grass
    for left in (top, top + 24):
        ground[left : left + 18] = asphalt
        ground[left + 1], ground[left + 16] = paint, paint
        for lane in (left + 6, left + 11):
            for phase in (0, 1, 2):
                ground[lane, phase::9] = paint
        for lane in (left + 3, left + 8, left + 13):
            _traffic(rng, ground, lane)
    if rng.random() < 0.6:
        x = int(rng.integers(120, 250))
        ground[top - 4 : top + 46, x - 2 : x + 14] = MATERIALS["shadow"]
        ground[:, x : x + 11] = asphalt
        ground[top - 6 : top + 48, x - 1 : x + 12] = MATERIALS["concrete"]
        ground[:, x + 5] = paint
    return ground


def _traffic(rng: np.random.Generator, ground: MaterialMap, lane: int) -> None:
    at = 0
    for gap, kind in zip(rng.integers(14, 75, 10).tolist(), rng.integers(0, 7, 10).tolist(),
                         strict=True):  # fmt: skip
        at += gap
        long = 12 if kind == 6 else 5
        ground[lane + 2, at + 1 : at + long + 1] = MATERIALS["shadow"]
        ground[lane - 1 : lane + 2, at : at + long] = _CARS[kind % 6]
        at += long


def _buildings(rng: np.random.Generator) -> MaterialMap:
    """Blocks of an industrial park: halls, parking lots, lawns, between streets."""
    ground = np.full((_SIDE, _SIDE), MATERIALS["asphalt"], dtype=np.uint8)
    xs, ys = cuts(rng, 62, 110), cuts(rng, 58, 100)
    for left, right in pairwise(xs):
        ground[:, left + 4 : left + 5] = MATERIALS["paint"]
        for top, bottom in pairwise(ys):
            if right - left < 26 or bottom - top < 26:
                continue
            block = ground[top + 9 : bottom, left + 9 : right]
            block[:] = MATERIALS["concrete"]
            draw = rng.random()
            if draw < 0.45:
                _hall(rng, block)
            elif draw < 0.85:
                _parking(rng, block)
            else:
                block[2:-2, 2:-2] = MATERIALS["grass"]
                _trees(rng, block, 7)
    return ground


def _hall(rng: np.random.Generator, block: MaterialMap) -> None:
    """Draw one large roof or two, with lights and air conditioning on it."""
    height, width = block.shape
    parts = [(3, width - 5)] if rng.random() < 0.5 else [(3, width // 2 - 2), (width // 2 + 3,
                                                                            width - 5)]  # fmt: skip
    for left, right in parts:
        if right - left < 12:
            continue
        roof = int(rng.integers(len(_ROOFS)))
        block[6 : height - 2, left + 3 : right + 3] = MATERIALS["shadow"]
        block[3 : height - 5, left:right] = _ROOFS[roof]
        middle = (left + right) // 2
        block[3 : height - 5, middle] = _ROOFS[(roof + 2) % len(_ROOFS)]
        for _ in range(int(rng.integers(2, 6))):
            y, x = int(rng.integers(6, height - 9)), int(rng.integers(left + 2, right - 4))
            block[y + 1 : y + 4, x + 1 : x + 5] = MATERIALS["shadow"]
            block[y : y + 3, x : x + 4] = MATERIALS["roof_white"]


def _parking(rng: np.random.Generator, block: MaterialMap) -> None:
    """Draw rows of parking bays, most of them taken."""
    height, width = block.shape
    lot = block[2:-2, 2:-2]
    lot[:] = MATERIALS["asphalt"]
    for top in range(2, height - 14, 19):
        lot[top : top + 8, 2 : width - 6 : 5] = MATERIALS["paint"]
        bays = range(3, width - 10, 5)
        draws = rng.integers(0, 9, len(bays)).tolist()
        for x, kind in zip(bays, draws, strict=True):
            if kind < 6:
                lot[top + 1 : top + 7, x + 1 : x + 4] = _CARS[kind]
                lot[top + 7, x + 1 : x + 4] = MATERIALS["shadow"]


def _fields(rng: np.random.Generator) -> MaterialMap:
    """Fields with hedges, a track and a farm."""
    ground = field_map(rng, _CROPS, border=MATERIALS["tree"] if rng.random() < 0.5 else
                       MATERIALS["soil2"])  # fmt: skip
    y, x = (int(v) for v in rng.integers(90, 290, 2))
    ground[y : y + 4] = MATERIALS["soil"]
    ground[y + 8 : y + 40, x : x + 46] = MATERIALS["concrete"]
    _hall(rng, ground[y + 9 : y + 34, x + 2 : x + 44])
    _trees(rng, ground, 60)
    return ground


@cache
def _crown(radius: int) -> NDArray[np.bool_]:
    at = np.arange(-radius, radius + 1)
    return np.asarray(at[:, None] ** 2 + at[None] ** 2 <= radius * radius + 1)


def _trees(rng: np.random.Generator, ground: MaterialMap, count: int) -> None:
    """Scatter trees with their shadows."""
    height, width = ground.shape
    if min(height, width) < 24:
        return
    ys, xs = rng.integers(0, height - 14, count).tolist(), rng.integers(0, width - 14, count)
    for y, x, radius in zip(ys, xs.tolist(), rng.integers(2, 6, count).tolist(), strict=True):
        crown = _crown(radius)
        side = crown.shape[0]
        ground[y + 2 : y + 2 + side, x + 2 : x + 2 + side][crown] = MATERIALS["shadow"]
        ground[y : y + side, x : x + side][crown] = MATERIALS["tree"]


BACKGROUNDS: dict[str, Callable[[np.random.Generator], MaterialMap]] = {
    "highway": _highway,
    "buildings": _buildings,
    "fields": _fields,
}
"""Grounds by name."""
