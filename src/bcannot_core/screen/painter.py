"""The painter: keeps a picture with shapes on it, and draws again only what changed."""

from collections.abc import Sequence
from functools import lru_cache

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

    What lies below each shape is kept, so that the last ones can be taken away again.

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
        self._size_wh = (canvas.w, canvas.h)
        self._copies = ColourCopies()
        self._picture: Picture | None = None
        self._marks: tuple[Mark, ...] = ()
        self._below: list[tuple[NDArray[np.intp], NDArray[np.void]]] = []

    def paint(self, picture: Picture, marks: tuple[Mark, ...]) -> None:
        """Bring the canvas up to date.

        Parameters
        ----------
        picture : uint8 (h, w) or (h, w, 3)
            Compared by identity.
        marks : tuple of Shape or Marker
            What is drawn on it, in this order.
        """
        same = 0
        if picture is self._picture:
            same = _common(self._marks, marks)
            for pixels, below in reversed(self._below[same:]):
                self._frame[pixels] = below
        else:
            self._canvas[:] = self._copies.of(picture)
        del self._below[same:]
        for mark in marks[same:]:
            self._draw(ink_of(mark, self._size_wh))
        self._picture, self._marks = picture, marks

    def _draw(self, ink: Ink) -> None:
        pixels = self._at[ink.pixels]
        below = self._frame[pixels]
        self._below.append((pixels, below))
        if ink.keep is None:
            self._frame[pixels] = ink.add
        else:
            mixed = (below.view(np.uint8).reshape(-1, 3) * ink.keep + ink.add) // FULL
            self._frame[pixels] = mixed.astype(np.uint8).view(PIXEL)[:, 0]


@lru_cache(maxsize=16)
def _places(canvas: Rect, frame_w: int) -> NDArray[np.intp]:
    """Return where the pixels of a canvas stand in a frame's flat list of pixels."""
    rows, columns = np.ogrid[canvas.slices]
    return np.asarray(rows * frame_w + columns).reshape(-1)


def _common(one: Sequence[Mark], other: Sequence[Mark]) -> int:
    """Return how many marks two lists share at the beginning."""
    count = 0
    for a, b in zip(one, other, strict=False):
        # Tuples of different kinds may be equal.
        if not (a is b or (a == b and type(a) is type(b))):
            break
        count += 1
    return count
