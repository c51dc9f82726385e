"""Cross-sections of neurites: connected pieces of a label in a section, and where they go on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

EIGHT = np.ones((3, 3), dtype=bool)
_MARGIN = 16
_INSIDE = 0.5
_MOST_KEPT = 8192


class LabelSource(Protocol):
    """What is read of a label volume: its shape, and boxes clipped to it."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size in voxels, (z, y, x)."""
        ...

    def read(self, z0: int, z1: int, y0: int, y1: int, x0: int, x1: int) -> NDArray[Any]:
        """Return a box of labels, clipped to the volume."""
        ...


@dataclass(frozen=True)
class CrossSection:
    """One connected cross-section: a mask and where it lies."""

    z: int
    origin_yx: tuple[int, int]
    mask: NDArray[np.bool_]

    def contains(self, yx: tuple[float, float]) -> bool:
        """Whether the voxel nearest to the point belongs to the cross-section."""
        y, x = round(yx[0]) - self.origin_yx[0], round(yx[1]) - self.origin_yx[1]
        height, width = self.mask.shape
        return 0 <= y < height and 0 <= x < width and bool(self.mask[y, x])

    @cached_property
    def _inside(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Points (y, x) well inside, (2, n), and their squared distances from the border."""
        padded = _padded(self.mask)
        nearest = ndimage.distance_transform_edt(
            padded, return_distances=False, return_indices=True
        )
        ys, xs = np.nonzero(padded)
        squared = (nearest[0, ys, xs] - ys) ** 2 + (nearest[1, ys, xs] - xs) ** 2
        deep = np.flatnonzero(squared >= _INSIDE**2 * squared.max())
        return np.array([ys[deep] - 1, xs[deep] - 1], dtype=np.float64), squared[deep]

    def reference_point(self, previous_yx: tuple[float, float] | None) -> tuple[float, float]:
        """Return the point (y, x) of the volume's plane that is well inside and nearest to another.

        Well inside means at least half as far from the border as the deepest point is. Without
        another point the candidate nearest to the centroid of all candidates is taken.
        """
        (ys, xs), squared_depth = self._inside
        top, left = self.origin_yx
        if previous_yx is None:
            y, x = float(ys.mean()), float(xs.mean())
        else:
            y, x = previous_yx[0] - top, previous_yx[1] - left
        squared = (ys - y) ** 2 + (xs - x) ** 2
        # Among equally near candidates the deepest wins, so that the choice hangs on no order.
        nearest = np.flatnonzero(squared == squared.min())
        best = nearest[squared_depth[nearest].argmax()]
        return float(ys[best]) + top, float(xs[best]) + left


def _padded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), dtype=bool)  # np.pad is slow
    padded[1:-1, 1:-1] = mask
    return padded


def well_inside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the part of a mask at least half as far from its border as the deepest point."""
    depth = ndimage.distance_transform_edt(_padded(mask))[1:-1, 1:-1]
    inside: NDArray[np.bool_] = depth >= _INSIDE * depth.max()
    return inside


def grow(labels: LabelSource, label: int, z: int, seed: CrossSection) -> CrossSection | None:
    """Find the component at ``z`` that overlaps a seed most, in a window that grows with it."""
    y_seed, x_seed = seed.origin_yx
    box = (y_seed, y_seed + seed.mask.shape[0], x_seed, x_seed + seed.mask.shape[1])
    height, width = labels.shape[1:]
    margin = _MARGIN
    while True:
        y0, x0 = max(0, box[0] - margin), max(0, box[2] - margin)
        y1, x1 = min(height, box[1] + margin), min(width, box[3] + margin)
        plane = labels.read(z, z + 1, y0, y1, x0, x1)[0] == label
        components, count = ndimage.label(plane, structure=EIGHT)
        under = components[y_seed - y0 :, x_seed - x0 :][: seed.mask.shape[0], : seed.mask.shape[1]]
        votes = np.bincount(under[seed.mask], minlength=count + 1)
        votes[0] = 0
        if not votes.any():
            return None
        mask = components == int(votes.argmax())
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        open_side = (
            (rows[0] == 0 and y0 > 0)
            or (rows[-1] == mask.shape[0] - 1 and y1 < height)
            or (columns[0] == 0 and x0 > 0)
            or (columns[-1] == mask.shape[1] - 1 and x1 < width)
        )
        if not open_side:
            cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
            return CrossSection(z, (y0 + int(rows[0]), x0 + int(columns[0])), cut)
        margin *= 3


class KnownSections:
    """Cross-sections found before in a label volume, and which of them follow each other.

    A volume is traced again and again from other starts: what was found once is not looked for
    again. At most 8192 steps are kept.
    """

    def __init__(self) -> None:
        self._own: dict[tuple[int, int, int, int], CrossSection] = {}
        self._next: dict[tuple[int, int, int, int, int], CrossSection | None] = {}
        self._largest: dict[tuple[int, int], CrossSection | None] = {}

    def one_of(self, label: int, found: CrossSection) -> CrossSection:
        """Return the same object for the same cross-section."""
        return self._own.setdefault(_key(label, found), found)

    def following(
        self, labels: LabelSource, label: int, current: CrossSection, direction: int
    ) -> CrossSection | None:
        """Return where a neurite goes on in the next section, None where it ends."""
        key = (*_key(label, current), direction)
        if key not in self._next:
            if len(self._next) >= _MOST_KEPT:
                self._own.clear()
                self._next.clear()
            found = grow(labels, label, current.z + direction, current)
            self._next[key] = None if found is None else self.one_of(label, found)
        return self._next[key]

    def largest(self, labels: LabelSource, label: int, z: int, least: int) -> CrossSection | None:
        """Return the largest cross-section in a section; None below ``least`` voxels."""
        if (label, z) not in self._largest:
            found = _largest(labels, label, z, least)
            self._largest[label, z] = None if found is None else self.one_of(label, found)
        return self._largest[label, z]


def _key(label: int, section: CrossSection) -> tuple[int, int, int, int]:
    """Return the label and the first voxel of a cross-section, which no other one has."""
    y, x = section.origin_yx
    return label, section.z, y, x + int(section.mask[0].argmax())


def _largest(labels: LabelSource, label: int, z: int, least: int) -> CrossSection | None:
    _, height, width = labels.shape
    plane = labels.read(z, z + 1, 0, height, 0, width)[0] == label
    rows, columns = np.flatnonzero(plane.any(1)), np.flatnonzero(plane.any(0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    components, count = ndimage.label(
        plane[top : rows[-1] + 1, left : columns[-1] + 1], structure=EIGHT
    )
    areas = np.bincount(components.ravel(), minlength=count + 1)
    areas[0] = 0
    if areas.max() < least:
        return None
    mask = components == int(areas.argmax())
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return CrossSection(z, (top + int(rows[0]), left + int(columns[0])), cut)
