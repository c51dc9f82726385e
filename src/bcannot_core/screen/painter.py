"""The painter: keeps a picture with shapes on it, and draws again only what changed."""

from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen.shapes import FULL, Ink, Shape, ink_of

Picture = NDArray[np.uint8]
Bounds = tuple[int, int, int, int]
"""Left, top, right and bottom of some pixels, all included."""


def paste(canvas: Picture, picture: Picture) -> None:
    """Copy a grey or coloured picture onto a canvas of its size."""
    if picture.ndim == 3:
        canvas[:] = picture
        return
    for channel in range(3):  # a quarter of the time of one broadcast assignment
        canvas[..., channel] = picture


class ColourCopies:
    """Coloured copies of the grey pictures that come again: copying those is several times faster.

    Parameters
    ----------
    most : int
        How many pictures are remembered, the latest ones.
    """

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._seen: dict[int, tuple[Picture, Picture | None]] = {}

    def of(self, picture: Picture) -> Picture:
        """Return the picture, or its coloured copy from the second time on."""
        if picture.ndim == 3:
            return picture
        known, copy = self._seen.get(id(picture), (None, None))
        if known is None:
            if len(self._seen) >= self._most:
                del self._seen[next(iter(self._seen))]
            self._seen[id(picture)] = (picture, None)  # the reference keeps the id from others
            return picture
        if copy is None:
            copy = np.empty((*picture.shape, 3), dtype=np.uint8)
            paste(copy, picture)
            self._seen[id(picture)] = (picture, copy)
        return copy


class Painter:
    """A picture with shapes on it.

    Parameters
    ----------
    size_wh : tuple of int
        Of the canvas.

    Attributes
    ----------
    result : uint8 (h, w, 3)
        What :meth:`paint` has drawn last.
    """

    def __init__(self, size_wh: tuple[int, int]) -> None:
        width, height = size_wh
        self.result = np.zeros((height, width, 3), dtype=np.uint8)
        self._size_wh = size_wh
        self._pixels = self.result.reshape(-1, 3)
        self._touched = np.zeros(width * height, dtype=np.bool_)
        self._picture: Picture | None = None
        self._shapes: tuple[Shape, ...] = ()
        self._inks: list[Ink] = []
        self._runs: list[Ink] | None = None

    def paint(self, picture: Picture, shapes: tuple[Shape, ...]) -> Bounds | None:
        """Bring the result up to date; return the bounds of what changed, None for nothing."""
        changed: Bounds | None = None
        if picture is not self._picture:
            paste(self.result, picture)
            if self._runs is None or shapes != self._shapes:
                self._inks = self._inks_of(shapes)
                self._runs = _joined(self._inks)
            self._draw(self._runs)
            changed = (0, 0, self._size_wh[0] - 1, self._size_wh[1] - 1)
        elif shapes != self._shapes:
            changed = self._replace(picture, shapes)
            self._runs = None
        self._picture, self._shapes = picture, shapes
        return changed

    def _inks_of(self, shapes: Iterable[Shape]) -> list[Ink]:
        return list(map(ink_of, shapes, repeat(self._size_wh)))

    def _draw(self, inks: Iterable[Ink]) -> None:
        pixels = self._pixels
        for ink in inks:
            if ink.keep is None:
                pixels[ink.pixels] = ink.add
            else:
                pixels[ink.pixels] = (pixels[ink.pixels] * ink.keep + ink.add) // FULL

    def _replace(self, picture: Picture, shapes: tuple[Shape, ...]) -> Bounds | None:
        """Take away the shapes that are gone and draw the new ones, in their order."""
        first, last = _common(self._shapes, shapes)
        kept = len(self._inks) - last
        added = self._inks_of(shapes[first : len(shapes) - last])
        removed = self._inks[first:kept]
        self._inks = [*self._inks[:first], *added, *self._inks[kept:]]
        changed = [ink for ink in (*removed, *added) if len(ink.pixels)]
        if not changed:
            return None
        bounds = _bounds_of(changed)
        if not removed and not last:
            self._draw(added)
            return bounds
        dirty = np.concatenate([ink.pixels for ink in changed])
        flat = picture.reshape(len(self._pixels), -1)
        self._pixels[dirty] = flat[dirty]
        self._touched[dirty] = True
        left, top, right, bottom = bounds
        for ink in self._inks:
            x0, y0, x1, y1 = ink.box
            if x0 <= right and x1 >= left and y0 <= bottom and y1 >= top:
                self._draw((self._cut(ink),))
        self._touched[dirty] = False
        return bounds

    def _cut(self, ink: Ink) -> Ink:
        on = self._touched[ink.pixels]
        keep = None if ink.keep is None else ink.keep[on]
        return Ink(ink.pixels[on], keep, ink.add[on], ink.box)


def _bounds_of(inks: Sequence[Ink]) -> Bounds:
    left, top, right, bottom = zip(*(ink.box for ink in inks), strict=True)
    return min(left), min(top), max(right), max(bottom)


def _common(one: Sequence[Shape], other: Sequence[Shape]) -> tuple[int, int]:
    """Return how many shapes two lists share at the beginning, and of the rest at the end."""
    least = min(len(one), len(other))
    first = 0
    while first < least and one[first] == other[first]:
        first += 1
    last = 0
    while last < least - first and one[-1 - last] == other[-1 - last]:
        last += 1
    return first, last


def _joined(inks: Sequence[Ink]) -> list[Ink]:
    """Join neighbours that hide what lies below them: of equal pixels the last one counts."""
    runs: list[Ink] = []
    opaque: list[Ink] = []
    for ink in (*inks, None):
        if ink is not None and ink.keep is None:
            opaque.append(ink)
            continue
        if opaque:
            pixels = np.concatenate([part.pixels for part in opaque])
            add = np.concatenate([part.add for part in opaque])
            runs.append(Ink(pixels, None, add, opaque[0].box))
            opaque = []
        if ink is not None:
            runs.append(ink)
    return runs
