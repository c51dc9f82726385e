"""Land seen from above: noise, fields, strips and boxes, from which aerial scenes are put together.

Everything works on float32 planes or small windows of them. Noise comes from one bank that is made
once in a process from a fixed seed with whole numbers only; a scene takes a random piece of it.
"""

import math
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
_BANK = 640
_SIDE = 384  # of unrotated maps: a rotated 256 × 256 picture fits in it
_REACH = {"white": 0, "grain": 1, "patch": 5, "broad": 20}


@cache
def _bank(scale: str) -> Plane:
    """Return a square of noise of zero mean and unit variance, smooth to the scale; read-only."""
    rng = np.random.default_rng(20_240_607 + len(scale) * 7 + _REACH[scale])
    values = rng.integers(-128, 128, (4, _BANK, _BANK), dtype=np.int64).sum(axis=0)
    reach = _REACH[scale]
    for _ in range(3 if reach else 0):
        for axis in (0, 1):
            values = _box_sum(values, reach, axis)
    values -= values.sum() // values.size
    scaled = values / math.sqrt(int((values * values // 64).sum()) * 64 / values.size)
    bank: Plane = scaled.astype(np.float32)
    bank.flags.writeable = False
    return bank


@lru_cache(maxsize=8)
def _whole_bank(sd: float) -> NDArray[np.int16]:
    bank = np.rint(_bank("white") * 16).astype(np.int16)
    bank = (bank * np.int16(round(sd * 16)) + np.int16(128)) >> 8
    bank.flags.writeable = False
    return bank


def _box_sum(values: NDArray[np.int64], reach: int, axis: int) -> NDArray[np.int64]:
    """Return sums over 2 × reach + 1 neighbours, wrapped around."""
    total = sum(np.roll(values, shift, axis) for shift in range(-reach, reach + 1))
    return np.asarray(total) // math.isqrt(2 * reach + 1)  # keeps squares far from overflow


def noise(rng: np.random.Generator, scale: str, hw: tuple[int, int] = (256, 256)) -> Plane:
    """Return a random piece of noise of zero mean and unit variance, read-only.

    Parameters
    ----------
    scale : str
        ``"white"``, ``"grain"``, ``"patch"`` or ``"broad"``: smooth over about 1, 2, 9, 40 px.
    """
    return _piece(rng, _bank(scale), hw)


def whole_noise(
    rng: np.random.Generator, sd: float, hw: tuple[int, int] = (256, 256)
) -> NDArray[np.int16]:
    """Return a random piece of white noise of zero mean and a standard deviation, read-only."""
    return _piece(rng, _whole_bank(sd), hw)


def _piece(rng: np.random.Generator, bank: NDArray[Any], hw: tuple[int, int]) -> NDArray[Any]:
    """Return a random piece of a bank, mirrored or not."""
    height, width = hw
    draw, turn = divmod(int(rng.integers(1 << 30)), 4)
    row, column = divmod(draw, _BANK - width)
    y, x = row % (_BANK - height), column
    return bank[y : y + height, x : x + width][:: 1 - 2 * (turn & 1), :: 1 - (turn & 2)]


class Rotation(NamedTuple):
    """Where each picture pixel lies in an unrotated square map: flat indices, intp (256, 256)."""

    at: NDArray[np.intp]

    @classmethod
    def by(cls, angle: float, hw: tuple[int, int] = (256, 256)) -> "Rotation":
        """Return the rotation by an angle, radians, about the centres."""
        height, width = hw
        cos, sin = math.cos(angle), math.sin(angle)
        x = np.arange(width, dtype=np.float32) - np.float32(width / 2)
        y = np.arange(height, dtype=np.float32) - np.float32(height / 2)
        half = np.float32(_SIDE / 2)
        u = (x * np.float32(cos))[None] + (y * np.float32(sin) + half)[:, None]
        v = (x * np.float32(-sin))[None] + (y * np.float32(cos) + half)[:, None]
        return cls(v.astype(np.intp) * _SIDE + u.astype(np.intp))

    def take(self, flat_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a map of (side, side), turned."""
        return flat_map.reshape(-1)[self.at]


def cuts(rng: np.random.Generator, low: int, high: int, side: int = _SIDE) -> list[int]:
    """Return the borders of pieces between ``low`` and ``high`` long, from 0 to ``side``."""
    at = [0]
    while at[-1] < side:
        at.append(min(side, at[-1] + int(rng.integers(low, high + 1))))
    return at


def field_map(
    rng: np.random.Generator, kinds: list[tuple[int, int]], border: int | None = None
) -> NDArray[np.uint8]:
    """Return an unrotated map of fields in columns, each with furrows of two materials.

    Parameters
    ----------
    kinds : list of tuple of int
        Pairs of materials: the field and its furrows.
    border : int, optional
        Material of the tracks and hedges between fields.
    """
    out = np.empty((_SIDE, _SIDE), dtype=np.uint8)
    columns = cuts(rng, 60, 120)
    for left, right in pairwise(columns):
        rows = cuts(rng, 50, 130)
        for top, bottom in pairwise(rows):
            ground, furrow = kinds[int(rng.integers(len(kinds)))]
            part = out[top:bottom, left:right]
            part[:] = ground
            step = int(rng.integers(4, 8))
            if rng.random() < 0.5:
                part[::step] = furrow
            else:
                part[:, ::step] = furrow
            if border is not None:
                part[:2], part[:, :2] = border, border
    return out


class Window(NamedTuple):
    """A part of a plane, with the offsets of its pixels from a point."""

    rows: slice
    columns: slice
    dy: Plane
    dx: Plane

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index a plane."""
        return self.rows, self.columns


_AXIS = np.arange(4096, dtype=np.float32)


def window(
    x: float, y: float, box: tuple[float, float, float, float], hw: tuple[int, int] = (256, 256)
) -> Window | None:
    """Return the part of a plane in a box (left, top, right, bottom), None outside of it.

    Parameters
    ----------
    x, y : float
        What offsets are measured from.
    """
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(hw[1], int(box[2]) + 1), min(hw[0], int(box[3]) + 1)
    if left >= right or top >= bottom:
        return None
    dy = (_AXIS[top:bottom] - np.float32(y))[:, None]
    dx = (_AXIS[left:right] - np.float32(x))[None]
    return Window(slice(top, bottom), slice(left, right), dy, dx)


class Strip(NamedTuple):
    """A straight or gently bowed strip of land between two points: a road, a river.

    Attributes
    ----------
    start_xy, end_xy : tuple of float
        Its ends.
    bow : float
        How far the middle lies off the chord, to its right.
    """

    start_xy: tuple[float, float]
    end_xy: tuple[float, float]
    bow: float = 0.0

    @property
    def length(self) -> float:
        """Length of the chord."""
        (x0, y0), (x1, y1) = self.start_xy, self.end_xy
        return math.hypot(x1 - x0, y1 - y0)

    def at(self, share: float) -> tuple[float, float, float, float]:
        """Return the point (x, y) and the unit direction (x, y) at a share of its course."""
        (x0, y0), (x1, y1) = self.start_xy, self.end_xy
        length = max(self.length, 1e-6)
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        off = 4 * self.bow * share * (1 - share)
        slope = 4 * self.bow * (1 - 2 * share) / length
        norm = math.hypot(1.0, slope)
        x = x0 + ux * length * share - uy * off
        y = y0 + uy * length * share + ux * off
        return x, y, (ux - uy * slope) / norm, (uy + ux * slope) / norm

    def distances(
        self, margin: float, hw: tuple[int, int] = (256, 256)
    ) -> tuple[Window, Plane, Plane, Plane] | None:
        """Return window, distance, way along and signed offset of the pixels near it.

        ``margin`` says how far from the chord the window reaches.
        """
        (x0, y0), (x1, y1) = self.start_xy, self.end_xy
        reach = margin + abs(self.bow)
        box = (min(x0, x1) - reach, min(y0, y1) - reach, max(x0, x1) + reach, max(y0, y1) + reach)
        found = window(x0, y0, box, hw)
        if found is None:
            return None
        length = max(self.length, 1e-6)
        ux, uy = np.float32((x1 - x0) / length), np.float32((y1 - y0) / length)
        along = found.dx * ux + found.dy * uy
        offset = found.dy * ux - found.dx * uy
        inside = np.minimum(np.maximum(along, np.float32(0)), np.float32(length))
        if self.bow:
            share = inside * np.float32(1 / length)
            offset -= share * (1 - share) * np.float32(4 * self.bow)
        beyond = along - inside
        distance = np.sqrt(beyond * beyond + offset * offset)
        return found, distance, along, offset


def box_mask(
    x: float, y: float, half_wh: tuple[float, float], angle: float
) -> tuple[Window, NDArray[np.bool_], Plane] | None:
    """Return the window of a turned rectangle, its pixels, and their offset across it.

    Parameters
    ----------
    half_wh : tuple of float
        Half its length and half its width.
    angle : float
        Of its length, radians.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    a, b = half_wh
    reach_x, reach_y = abs(a * cos) + abs(b * sin), abs(a * sin) + abs(b * cos)
    found = window(x, y, (x - reach_x, y - reach_y, x + reach_x + 1, y + reach_y + 1))
    if found is None:
        return None
    along = found.dx * np.float32(cos) + found.dy * np.float32(sin)
    across = found.dy * np.float32(cos) - found.dx * np.float32(sin)
    inside = (np.abs(along) <= a) & (np.abs(across) <= b)
    return found, inside, across
