"""The painter: keeps a picture with shapes on it, and draws again only what changed."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen.geometry import Rect
from bcannot_core.screen.shapes import FULL, PIXEL, Ink, Marker, Shape, ink_of

Picture = NDArray[np.uint8]
Mark = Shape | Marker


def paste(canvas: Picture, picture: Picture) -> None:
    """Copy a grey or coloured picture onto a canvas of its size."""
    if picture.ndim == 3:
        canvas[:] = picture
        return
    for channel in range(3):  # a quarter of the time of one broadcast assignment
        canvas[..., channel] = picture


class ColourCopies:
    """Coloured copies of grey pictures: many of them come again, and coloured ones paste faster.

    Parameters
    ----------
    most : int
        How many are kept, the latest ones.
    """

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._kept: dict[int, tuple[Picture, Picture]] = {}

    def of(self, picture: Picture) -> Picture:
        """Return a picture in colour, contiguous: itself, or its copy."""
        if picture.ndim == 3:
            return np.ascontiguousarray(picture)
        if id(picture) not in self._kept:
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            copy = np.empty((*picture.shape, 3), dtype=np.uint8)
            paste(copy, picture)
            self._kept[id(picture)] = (picture, copy)  # the first keeps the id from others
        return self._kept[id(picture)][1]


class Painter:
    """Draws a picture with shapes on it into a part of a frame.

    Parameters
    ----------
    frame : uint8 (h, w, 3)
        The whole frame, contiguous.
    canvas : Rect
        The part that is drawn on; nothing beyond it is changed.
    """

    def __init__(self, frame: Picture, canvas: Rect) -> None:
        self._canvas = frame[canvas.slices]
        self._frame = frame.reshape(-1).view(PIXEL)
        self._at = _places(canvas, frame.shape[1])
        self._touched = np.zeros(canvas.w * canvas.h, dtype=np.bool_)
        self._size_wh = (canvas.w, canvas.h)
        self._copies = ColourCopies()
        self._picture: Picture | None = None
        self._source = self._canvas  # the picture in colour
        self._marks: tuple[Mark, ...] = ()
        self._inks: list[Ink] = []

    def paint(self, picture: Picture, marks: tuple[Mark, ...]) -> None:
        """Bring the canvas up to date.

        Parameters
        ----------
        picture : uint8 (h, w) or (h, w, 3)
            Compared by identity.
        marks : tuple of Shape or Marker
            What is drawn on it, in this order.
        """
        if picture is not self._picture:
            self._source = self._copies.of(picture)
            self._canvas[:] = self._source
            self._inks = self._inks_of(marks)
            self._draw(self._inks)
        elif marks is not self._marks:
            self._replace(marks)
        self._picture, self._marks = picture, marks

    def _inks_of(self, marks: Iterable[Mark]) -> list[Ink]:
        return list(map(ink_of, marks, repeat(self._size_wh)))

    def _draw(self, inks: Iterable[Ink]) -> None:
        frame, at = self._frame, self._at
        for ink in inks:
            pixels = at[ink.pixels]
            if ink.keep is None:
                frame[pixels] = ink.add
            else:
                below = frame[pixels].view(np.uint8).reshape(-1, 3)
                mixed = (below * ink.keep + ink.add) // FULL
                frame[pixels] = mixed.astype(np.uint8).view(PIXEL)[:, 0]

    def _replace(self, marks: tuple[Mark, ...]) -> None:
        """Take away the marks that are gone and draw the new ones, in their order."""
        first, last = _common(self._marks, marks)
        kept = len(self._inks) - last
        removed = self._inks[first:kept]
        added = self._inks_of(marks[first : len(marks) - last])
        common = set(map(id, removed)).intersection(map(id, added))
        below, above = self._inks[:first], self._inks[kept:]
        self._inks = [*below, *added, *above]
        if above or common:
            self._refresh(_changed(removed, added, common), self._inks)
        else:
            self._refresh(removed, below)
            self._draw(added)

    def _refresh(self, changed: Sequence[Ink], inks: Iterable[Ink]) -> None:
        """Draw the pixels of some inks again: the picture with other inks on it."""
        if not changed:
            return
        dirty = np.concatenate([ink.pixels for ink in changed])
        self._restore(dirty)
        self._touched[dirty] = True
        left, top, right, bottom = _bounds_of(changed)
        for ink in inks:
            x0, y0, x1, y1 = ink.box
            if x0 <= right and x1 >= left and y0 <= bottom and y1 >= top:
                self._draw((self._cut(ink),))
        self._touched[dirty] = False

    def _restore(self, dirty: NDArray[np.intp]) -> None:
        """Show the picture alone in some pixels of the canvas."""
        self._frame[self._at[dirty]] = self._source.reshape(-1).view(PIXEL)[dirty]

    def _cut(self, ink: Ink) -> Ink:
        """Return what an ink has within the pixels that are touched."""
        on = self._touched[ink.pixels]
        keep = None if ink.keep is None else ink.keep[on]
        return Ink(ink.pixels[on], keep, ink.add[on], ink.box)


@lru_cache(maxsize=16)
def _places(canvas: Rect, frame_w: int) -> NDArray[np.intp]:
    """Return where the pixels of a canvas stand in a frame's flat list of pixels."""
    rows, columns = np.ogrid[canvas.slices]
    return np.asarray(rows * frame_w + columns).reshape(-1)


def _changed(removed: Sequence[Ink], added: Sequence[Ink], common: set[int]) -> list[Ink]:
    """Return the inks of only one of two lists; of both where the order of the others differs."""
    before, after = ([id(ink) for ink in inks if id(ink) in common] for inks in (removed, added))
    if before != after:
        return [*removed, *added]
    return [ink for ink in (*removed, *added) if id(ink) not in common]


def _bounds_of(inks: Sequence[Ink]) -> tuple[int, int, int, int]:
    left, top, right, bottom = zip(*(ink.box for ink in inks), strict=True)
    return min(left), min(top), max(right), max(bottom)


def _common(one: Sequence[Mark], other: Sequence[Mark]) -> tuple[int, int]:
    """Return how many marks two lists share at the beginning, and of the rest at the end."""
    least = min(len(one), len(other))
    first = 0
    while first < least and (one[first] is other[first] or _same(one[first], other[first])):
        first += 1
    last = -1
    while last >= first - least and (one[last] is other[last] or _same(one[last], other[last])):
        last -= 1
    return first, -1 - last


def _same(one: Mark, other: Mark) -> bool:
    """Whether two marks look the same; tuples of different kinds may be equal."""
    return one == other and type(one) is type(other)
