"""Shapes: what is drawn on the canvas's picture, as sets of pixels.

Whole numbers throughout, so that the same shape has the same pixels everywhere.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen.font import text_mask
from bcannot_core.screen.sprites import ring_offsets
from bcannot_core.screen.themes import Colour

FULL = 256
PIXEL = np.dtype("V3")
"""A pixel as one item: lists of pixels are indexed several times faster so than as (n, 3)."""
_TEXT_SIZE = 14
_RIM: Colour = (0, 0, 0)
_RIM_ALPHA = 190
_CAPITALS_TOP = 2 * _TEXT_SIZE // 32
_CAPITALS_H = 14 * _TEXT_SIZE // 32


class Disc(NamedTuple):
    """A filled circle centred on a canvas pixel."""

    x: int
    y: int
    radius: int
    colour: Colour
    alpha: float = 1.0


class Line(NamedTuple):
    """A straight line between two canvas pixels, both included; ``width`` in pixels."""

    x0: int
    y0: int
    x1: int
    y1: int
    colour: Colour
    alpha: float = 1.0
    width: int = 1


class Cross(NamedTuple):
    """An upright cross one pixel wide, with arms of ``radius`` pixels."""

    x: int
    y: int
    radius: int
    colour: Colour
    alpha: float = 1.0


class Box(NamedTuple):
    """The outline of a rectangle, one pixel wide: left, top, width, height."""

    x: int
    y: int
    w: int
    h: int
    colour: Colour
    alpha: float = 1.0


class Text(NamedTuple):
    """A small line of text with a dark rim, from ``x`` on, its capitals centred on ``y``."""

    x: int
    y: int
    text: str
    colour: Colour


class Marker(NamedTuple):
    """A hollow ring, one pixel wide, centred on a canvas pixel.

    ``alpha`` is kept to 256ths here and in all shapes, so that blending is exact.
    """

    x: int
    y: int
    radius: int
    colour: Colour
    alpha: float = 1.0


Shape = Disc | Line | Cross | Box | Text

Offsets = tuple[NDArray[np.intp], NDArray[np.intp]]
Bounds = tuple[int, int, int, int]
"""Left, top, right and bottom of some pixels, all included."""


class Ink(NamedTuple):
    """The pixels of a shape on a canvas of one size, and how they are blended.

    Attributes
    ----------
    pixels : intp (n,)
        Indices into the canvas's flat list of pixels, each at most once.
    keep : uint16 (n, 3) or None
        What remains of the picture, in 256ths; None for nothing.
    add : uint16 (n, 3) or PIXEL (n,)
        What is added to it, in 256ths with the half that rounds; the colour where nothing remains.
    """

    pixels: NDArray[np.intp]
    keep: NDArray[np.uint16] | None
    add: NDArray[Any]


class _Stamp(NamedTuple):
    """A shape about the origin: offsets of its pixels between bounds, the rest as in `Ink`."""

    dx: NDArray[np.intp]
    dy: NDArray[np.intp]
    keep: NDArray[np.uint16] | None
    add: NDArray[Any]
    box: Bounds


@lru_cache(maxsize=8192, typed=True)
def ink_of(shape: Shape | Marker, size_wh: tuple[int, int]) -> Ink:
    """Return a shape's pixels on a canvas; what lies beyond it is cut off."""
    match shape:
        case Line(x, y, x1, y1, colour, alpha, width):
            stamp = _line_stamp(x1 - x, y1 - y, width, colour, alpha)
        case Text(x, y, text, colour):
            stamp = _text_stamp(text, colour)
        case Box(x, y, w, h, colour, alpha):
            stamp = _box_stamp(w, h, colour, alpha)
        case Disc(x, y, radius, colour, alpha):
            stamp = _disc_stamp(radius, colour, alpha)
        case Cross(x, y, radius, colour, alpha):
            stamp = _cross_stamp(radius, colour, alpha)
        case Marker(x, y, radius, colour, alpha):
            stamp = _ring_stamp(radius, colour, alpha)
    return _placed(stamp, x, y, size_wh)


def _placed(stamp: _Stamp, x: int, y: int, size_wh: tuple[int, int]) -> Ink:
    """Return a stamp's pixels about a canvas pixel."""
    width, height = size_wh
    dx, dy, keep, add, (left, top, right, bottom) = stamp
    if x + left < 0 or y + top < 0 or x + right >= width or y + bottom >= height:
        on = (dx >= -x) & (dx < width - x) & (dy >= -y) & (dy < height - y)
        dx, dy, add = dx[on], dy[on], add[on]
        keep = None if keep is None else keep[on]
    return Ink(dy * width + dx + (y * width + x), keep, add)


def _stamp(offsets: Offsets, box: Bounds, colour: Colour, alpha: float) -> _Stamp:
    """Return a stamp of one colour and alpha."""
    dx, dy = offsets
    part = max(0, min(FULL, int(alpha * FULL + 0.5)))
    if part == FULL:
        plain = np.full((len(dx), 3), colour, dtype=np.uint8)
        return _Stamp(dx, dy, None, plain.view(PIXEL)[:, 0], box)
    over = np.array(colour, dtype=np.uint16) * np.uint16(part) + np.uint16(FULL // 2)
    keep = np.full((len(dx), 3), FULL - part, dtype=np.uint16)
    return _Stamp(dx, dy, keep, np.tile(over, (len(dx), 1)), box)


@lru_cache(maxsize=256)
def _disc_stamp(radius: int, colour: Colour, alpha: float) -> _Stamp:
    """Return the pixels within ``radius`` and a half."""
    at = np.arange(-radius, radius + 1)
    inside = 4 * (at[:, None] ** 2 + at[None, :] ** 2) < (2 * radius + 1) ** 2
    dy, dx = np.nonzero(inside)
    return _stamp((dx - radius, dy - radius), _square(radius), colour, alpha)


@lru_cache(maxsize=256)
def _ring_stamp(radius: int, colour: Colour, alpha: float) -> _Stamp:
    dy, dx = ring_offsets(radius)
    return _stamp((dx, dy), _square(radius), colour, alpha)


@lru_cache(maxsize=256)
def _cross_stamp(radius: int, colour: Colour, alpha: float) -> _Stamp:
    arm = np.arange(-radius, radius + 1)
    other = arm[arm != 0]
    dx = np.concatenate((arm, np.zeros_like(other)))
    dy = np.concatenate((np.zeros_like(arm), other))
    return _stamp((dx, dy), _square(radius), colour, alpha)


def _square(radius: int) -> Bounds:
    return -radius, -radius, radius, radius


@lru_cache(maxsize=1024)
def _line_stamp(dx: int, dy: int, width: int, colour: Colour, alpha: float) -> _Stamp:
    more = max(width, 1) // 2
    less = max(width - 1, 0) // 2
    box = (min(dx, 0) - less, min(dy, 0) - less, max(dx, 0) + more, max(dy, 0) + more)
    return _stamp(_line(dx, dy, width), box, colour, alpha)


@lru_cache(maxsize=64)
def _brush(width: int) -> Offsets:
    """Return the (dx, dy) offsets of a round brush of a width in pixels."""
    at = 2 * np.arange(width) - (width - 1)
    dy, dx = np.nonzero(at[:, None] ** 2 + at[None, :] ** 2 <= width * width)
    return dx - (width - 1) // 2, dy - (width - 1) // 2


def _line(dx: int, dy: int, width: int) -> Offsets:
    """Return the pixels of a line from the origin, (dx, dy)."""
    steps = max(abs(dx), abs(dy), 1)
    at = np.arange(steps + 1 if dx or dy else 1)
    xs = (2 * dx * at + steps) // (2 * steps)
    ys = (2 * dy * at + steps) // (2 * steps)
    if width <= 1:
        return xs, ys
    brush_x, brush_y = _brush(width)
    thick_x = (xs[:, None] + brush_x).ravel()
    thick_y = (ys[:, None] + brush_y).ravel()
    left, top = int(thick_x.min()), int(thick_y.min())
    covered = np.zeros((int(thick_y.max()) - top + 1, int(thick_x.max()) - left + 1), dtype=bool)
    covered[thick_y - top, thick_x - left] = True
    rows, columns = np.nonzero(covered)
    return columns + left, rows + top


@lru_cache(maxsize=256)
def _box_stamp(w: int, h: int, colour: Colour, alpha: float) -> _Stamp:
    across, down = np.arange(w), np.arange(1, max(h - 1, 1))
    rows = (0,) if h <= 1 else (0, h - 1)
    columns = (0,) if w <= 1 else (0, w - 1)
    xs = [across for _ in rows] + [np.full(len(down), c) for c in columns]
    ys = [np.full(len(across), r) for r in rows] + [down for _ in columns]
    box = (0, 0, max(w - 1, 0), max(h - 1, 0))
    return _stamp((np.concatenate(xs), np.concatenate(ys)), box, colour, alpha)


@lru_cache(maxsize=1024)
def _text_stamp(text: str, colour: Colour) -> _Stamp:
    """Return a text with its rim, from its left end at half the height of its capitals."""
    mask = np.pad(text_mask(text, _TEXT_SIZE), 2).astype(np.int32) * FULL // 255
    height, width = mask.shape
    near = np.zeros((height - 2, width - 2), dtype=np.int32)
    for down in range(3):
        for along in range(3):
            near = np.maximum(near, mask[down : down + height - 2, along : along + width - 2])
    rim = near * _RIM_ALPHA // FULL
    rows, columns = np.nonzero(rim)
    over, under = mask[1:-1, 1:-1][rows, columns][:, None], rim[rows, columns][:, None]
    keep = (FULL - under) * (FULL - over) // FULL
    add = np.array(colour, dtype=np.int32) * over + FULL // 2
    add = add + np.array(_RIM, dtype=np.int32) * (FULL - keep - over)
    top = -_CAPITALS_TOP - _CAPITALS_H // 2 - 2
    box = (-2, top, width - 5, top + height - 3)
    keep = np.repeat(keep, 3, axis=1)
    return _Stamp(columns - 2, rows + top, keep.astype(np.uint16), add.astype(np.uint16), box)
