"""Shapes: what is drawn on the canvas's picture, as sets of pixels.

Whole numbers throughout, so that the same shape has the same pixels everywhere.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen.font import text_mask
from bcannot_core.screen.themes import Colour

FULL = 256
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


Shape = Disc | Line | Cross | Box | Text


class Ink(NamedTuple):
    """The pixels of a shape on a canvas of one size, and how they are blended.

    Attributes
    ----------
    pixels : intp (n,)
        Indices into the canvas's flat list of pixels, each at most once.
    keep : int32 (n, 1) or None
        What remains of the picture, in 256ths; None for nothing.
    add : int32 (n, 3) or uint8 (n, 3)
        What is added to it, in 256ths with the half that rounds; the colour where nothing remains.
    box : tuple of int
        Left, top, right and bottom of the shape, all included.
    """

    pixels: NDArray[np.intp]
    keep: NDArray[np.int32] | None
    add: NDArray[np.int32] | NDArray[np.uint8]
    box: tuple[int, int, int, int]


@lru_cache(maxsize=4096)
def ink_of(shape: Shape, size_wh: tuple[int, int]) -> Ink:
    """Return a shape's pixels on a canvas; what lies beyond it is cut off."""
    if isinstance(shape, Text):
        return _text_ink(shape, size_wh)
    if isinstance(shape, Disc):
        dx, dy = _disc(shape.radius)
        xs, ys = dx + shape.x, dy + shape.y
    elif isinstance(shape, Line):
        xs, ys = _line(shape)
    elif isinstance(shape, Cross):
        arm = np.arange(-shape.radius, shape.radius + 1)
        other = arm[arm != 0]
        xs = np.concatenate((arm, np.zeros_like(other))) + shape.x
        ys = np.concatenate((np.zeros_like(arm), other)) + shape.y
    else:
        xs, ys = _outline(shape)
    pixels, _, box = _clip(xs, ys, size_wh)
    return _flat_ink(pixels, shape.colour, int(shape.alpha * FULL + 0.5), box)


def _flat_ink(
    pixels: NDArray[np.intp], colour: Colour, alpha: int, box: tuple[int, int, int, int]
) -> Ink:
    """Return an ink of one colour and alpha, in 256ths."""
    count = len(pixels)
    if alpha >= FULL:
        return Ink(pixels, None, np.full((count, 3), colour, dtype=np.uint8), box)
    keep = np.full((count, 1), FULL - max(alpha, 0), dtype=np.int32)
    over = np.array(colour, dtype=np.int32) * max(alpha, 0) + FULL // 2
    return Ink(pixels, keep, np.broadcast_to(over, (count, 3)), box)


def _clip(
    xs: NDArray[np.intp], ys: NDArray[np.intp], size_wh: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.bool_], tuple[int, int, int, int]]:
    """Return the pixels that lie on the canvas, which of all they are, and their bounds."""
    width, height = size_wh
    on = (xs >= 0) & (xs < width) & (ys >= 0) & (ys < height)
    xs, ys = xs[on], ys[on]
    if not len(xs):
        return np.empty(0, dtype=np.intp), on, (0, 0, -1, -1)
    box = (int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max()))
    return (ys * width + xs).astype(np.intp), on, box


@lru_cache(maxsize=64)
def _disc(radius: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the (dx, dy) offsets within ``radius`` and a half."""
    at = np.arange(-radius, radius + 1)
    inside = 4 * (at[:, None] ** 2 + at[None, :] ** 2) < (2 * radius + 1) ** 2
    dy, dx = np.nonzero(inside)
    return dx - radius, dy - radius


@lru_cache(maxsize=16)
def _brush(width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the (dx, dy) offsets of a round brush of a width in pixels."""
    at = 2 * np.arange(width) - (width - 1)
    dy, dx = np.nonzero(at[:, None] ** 2 + at[None, :] ** 2 <= width * width)
    return dx - (width - 1) // 2, dy - (width - 1) // 2


def _line(line: Line) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    dx, dy = line.x1 - line.x0, line.y1 - line.y0
    steps = max(abs(dx), abs(dy), 1)
    at = np.arange(steps + 1 if dx or dy else 1)
    xs = line.x0 + (2 * dx * at + steps) // (2 * steps)
    ys = line.y0 + (2 * dy * at + steps) // (2 * steps)
    if line.width <= 1:
        return xs, ys
    brush_x, brush_y = _brush(line.width)
    thick_x = (xs[:, None] + brush_x).ravel()
    thick_y = (ys[:, None] + brush_y).ravel()
    left, top = int(thick_x.min()), int(thick_y.min())
    pitch = int(thick_x.max()) - left + 1
    once = np.unique((thick_y - top) * pitch + (thick_x - left))
    return once % pitch + left, once // pitch + top


def _outline(box: Box) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    across, down = np.arange(box.w), np.arange(1, max(box.h - 1, 1))
    rows = (0,) if box.h <= 1 else (0, box.h - 1)
    columns = (0,) if box.w <= 1 else (0, box.w - 1)
    xs = [across for _ in rows] + [np.full(len(down), c) for c in columns]
    ys = [np.full(len(across), r) for r in rows] + [down for _ in columns]
    return np.concatenate(xs) + box.x, np.concatenate(ys) + box.y


@lru_cache(maxsize=1024)
def _rimmed(text: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the coverage of a text and of its rim in 256ths, one pixel larger on every side."""
    mask = np.pad(text_mask(text, _TEXT_SIZE), 2).astype(np.int32) * FULL // 255
    height, width = mask.shape
    near = np.zeros((height - 2, width - 2), dtype=np.int32)
    for dy in range(3):
        for dx in range(3):
            near = np.maximum(near, mask[dy : dy + height - 2, dx : dx + width - 2])
    return mask[1:-1, 1:-1], near * _RIM_ALPHA // FULL


def _text_ink(shape: Text, size_wh: tuple[int, int]) -> Ink:
    letters, rim = _rimmed(shape.text)
    rows, columns = np.nonzero(rim)
    top = shape.y - _CAPITALS_TOP - _CAPITALS_H // 2 - 2
    pixels, on, box = _clip(columns + (shape.x - 2), rows + top, size_wh)
    over, under = letters[rows, columns][on][:, None], rim[rows, columns][on][:, None]
    keep = (FULL - under) * (FULL - over) // FULL
    add = np.array(shape.colour, dtype=np.int32) * over + FULL // 2
    add = add + np.array(_RIM, dtype=np.int32) * (FULL - keep - over)
    return Ink(pixels, keep.astype(np.int32), add.astype(np.int32), box)
