"""Labelled tissue dressed in the look of a person's tissue, so that labels tell of that look too.

Around the nodes that the person let stand, membranes are thin lines, dark or bright; where it is
the other way round than in the labelled tissue, that is turned into its negative. Then its grey
values are spread as the person's are, and grained as much.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bcannot_core.policy.retina import OUTSIDE_GREY
from bcannot_core.training.lessons import Lesson
from bcannot_core.training.tissue import Block

_STRIDE = 3
_AROUND_PX = 40
_LINE_PX = 5
_PLACES, _PLANES = 60, 4
_LEAST = 0.6

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Dressing:
    """The look of some lessons.

    Attributes
    ----------
    levels : float64 (256,)
        Share of the pixels that are at most so bright.
    lines : float
        How much brighter than their surroundings thin lines are around nodes; below 0, darker.
    grain : float
        How much pixels differ from their neighbours, grey levels.
    """

    levels: NDArray[np.float64]
    lines: float
    grain: float

    def dressed(self, block: Block, rng: np.random.Generator) -> Block:
        """Return a block with the same labels and this look, more or less of it."""
        outside = (block.grey == OUTSIDE_GREY).all(0)
        negative = (_borders(block) > 0) != (self.lines > 0)
        grey = 255 - block.grey if negative else block.grey
        share = rng.uniform(_LEAST, 1.0)
        table = share * _matched(_levels([grey], outside), self.levels)
        table += (1 - share) * np.arange(256)
        picture = table[grey].astype(np.float32)
        missing = self.grain**2 - _grain([picture]) ** 2
        if missing > 0:
            noise = rng.standard_normal(picture.shape, dtype=np.float32)
            picture += noise * np.float32(share * missing**0.5)
        picture[:, outside] = OUTSIDE_GREY
        other = copy(block)
        other.grey = np.clip(picture, 0, 255).astype(np.uint8)
        return other


def dressing_of(lessons: Sequence[Lesson]) -> Dressing:
    """Return the look of lessons."""
    pictures = [lesson.grey for lesson in lessons]
    around = []
    for lesson in lessons:
        for plane, mark in zip(lesson.grey, lesson.marks, strict=True):
            if mark.node is not None:
                y, x = (max(0, c - _AROUND_PX) for c in mark.node)
                around.append(plane[y : y + 2 * _AROUND_PX, x : x + 2 * _AROUND_PX])
    some = around[:: max(1, len(around) // _PLACES)]
    return Dressing(_levels(pictures, None), _lines(some), _grain(pictures))


def _lines(planes: Sequence[Grey]) -> float:
    """Return how much brighter than their surroundings thin lines are; below 0, darker."""
    found = []
    for plane in planes:
        smooth = ndimage.gaussian_filter(plane.astype(np.float32), 1.2)
        bright = smooth - ndimage.grey_opening(smooth, _LINE_PX)
        dark = ndimage.grey_closing(smooth, _LINE_PX) - smooth
        seen = plane != OUTSIDE_GREY
        found.append(float((bright - dark)[seen].mean()) if seen.any() else 0.0)
    return float(np.mean(found)) if found else 0.0


def _borders(block: Block) -> float:
    """Return how much brighter the borders of neurites are than the rest; below 0, darker."""
    every = max(1, len(block.grey) // _PLANES)
    grey, ids = block.grey[::every].astype(np.float32), block.sections[::every]
    border = np.zeros(ids.shape, dtype=np.bool_)
    border[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    border[:, :, 1:] |= ids[:, :, 1:] != ids[:, :, :-1]
    if not border.any() or border.all():
        return 0.0
    return float(grey[border].mean() - grey[~border].mean())


def _levels(pictures: Sequence[Grey], outside: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Return which share of the pixels is at most so bright, half of those that are equal."""
    counts = np.zeros(256)
    for grey in pictures:
        hidden = (grey == OUTSIDE_GREY).all(0) if outside is None else outside
        counts += np.bincount(grey[:, ~hidden][:, ::_STRIDE].ravel(), minlength=256)
    total = max(1.0, float(counts.sum()))
    shares: NDArray[np.float64] = (np.cumsum(counts) - counts / 2) / total
    return shares


def _matched(levels: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for every grey value the one that stands at the same place among others."""
    rising = np.maximum.accumulate(wanted + np.arange(256) * 1e-9)
    table: NDArray[np.float64] = np.interp(levels, rising, np.arange(256))
    return table


def _grain(pictures: Sequence[NDArray[np.uint8] | NDArray[np.float32]]) -> float:
    """Return the spread of pixels about the mean of their neighbours, robustly."""
    spreads = []
    for picture in pictures:
        plane = picture[len(picture) // 2].astype(np.float32)
        inside = plane != OUTSIDE_GREY
        differ = np.abs(plane - ndimage.uniform_filter(plane, 3))[inside]
        if differ.size:
            spreads.append(float(np.median(differ)) / 0.64)
    return float(np.median(spreads)) if spreads else 0.0
