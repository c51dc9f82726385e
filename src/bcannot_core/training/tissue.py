"""Tissue to train the glance on: labelled volumes, cut into augmented blocks.

A block is a small labelled volume as the canvas would show it, sliced along any axis, turned,
mirrored, zoomed, with other section spacings, contrast, noise and damage. Its cross-sections are
numbered and linked from section to section, so that a neurite's course can be looked up.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as connected

from bcannot_core.policy.retina import OUTSIDE_GREY
from bcannot_core.tasks.neurites import MIN_AREA_PX, well_inside

_SIDE = 320
_DEPTH = 80
_LEAST_DEPTH = 10
_AXES = ((0, 1, 2), (1, 0, 2), (2, 0, 1))
_FAR = -1e4


@dataclass(frozen=True)
class Tissue:
    """A labelled volume to cut blocks from.

    Attributes
    ----------
    grey : uint8 (z, y, x)
        Normalised as the screen shows it.
    labels : int32 (z, y, x)
        Neurite ids, 0 where unknown.
    voxel_nm : tuple of float
        Voxel size (z, y, x).
    weight : float
        How often blocks are cut from it, relative to the others.
    """

    grey: NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.int32] = field(repr=False)
    voxel_nm: tuple[float, float, float]
    weight: float = 1.0

    @property
    def isotropic(self) -> bool:
        """Whether sections may be cut along any axis."""
        return max(self.voxel_nm) < 1.5 * min(self.voxel_nm)


@dataclass(frozen=True)
class Augmentation:
    """How blocks vary.

    Attributes
    ----------
    zooms : tuple of float
        Smallest and largest zoom, relative to ``nm_per_px``.
    nm_per_px : float
        Size of a canvas pixel at zoom 1, nm.
    spacings : tuple of float
        How often isotropic tissue is cut at 1, 2, 3 … voxels between sections.
    disturbed : float
        Share of the blocks whose sections are stretched and shaken, with another look, noise
        and damage; the others are tissue as it is, but for turns, mirrors and zooms.
    """

    zooms: tuple[float, float] = (0.75, 1.45)
    nm_per_px: float = 10.0
    spacings: tuple[float, ...] = (0.40, 0.12, 0.40, 0.08)
    disturbed: float = 1.0


class Block:
    """An augmented block with its cross-sections numbered and linked.

    Parameters
    ----------
    grey : uint8 (z, y, x)
        What is seen.
    labels : int (z, y, x)
        Neurite ids.
    """

    def __init__(self, grey: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
        self.grey = grey
        self.sections = np.zeros(labels.shape, dtype=np.int32)
        names = [np.zeros(1, dtype=np.int64)]
        count = 0
        for z, plane in enumerate(labels):
            numbered = connected(plane, connectivity=2, background=0)  # type: ignore[no-untyped-call]
            most = int(numbered.max())
            named = np.zeros(most + 1, dtype=np.int64)
            named[numbered.ravel()] = plane.ravel()
            self.sections[z] = np.where(numbered > 0, numbered + count, 0)
            names.append(named[1:])
            count += most
        self.label_of = np.concatenate(names)
        self.area_of = np.bincount(self.sections.ravel(), minlength=count + 1)
        self.followers = _links(self.sections, self.label_of)
        self._boxes = [ndimage.find_objects(plane) for plane in self.sections]
        self._candidates: dict[int, tuple[NDArray[np.intp], NDArray[np.intp]]] = {}
        self.starts = self._starts()
        self.endings = self._endings()
        self.neurites = sorted(self.starts)

    def _starts(self) -> dict[int, list[tuple[int, int]]]:
        starts: dict[int, list[tuple[int, int]]] = {}
        for z in range(max(1, len(self.grey) - _LEAST_DEPTH)):
            for section in np.unique(self.sections[z]):
                if section and self.area_of[section] >= MIN_AREA_PX:
                    starts.setdefault(int(self.label_of[section]), []).append((z, int(section)))
        return starts

    def _endings(self) -> list[tuple[int, int]]:
        """Return the cross-sections at which neurites end inside the block."""
        depth, height, width = self.grey.shape
        found = []
        for z in range(_LEAST_DEPTH // 2, depth - 1):
            for i, window in enumerate(self._boxes[z]):
                if window is None or i + 1 in self.followers:
                    continue
                rows, columns = window
                inside = rows.start > 0 and rows.stop < height
                if inside and columns.start > 0 and columns.stop < width:
                    found.append((z, i + 1))
        return found

    def before_ending(self, rng: np.random.Generator) -> tuple[int, int] | None:
        """Return a cross-section some way before an ending drawn at random, where there is one."""
        if not self.endings:
            return None
        z, section = self.endings[rng.integers(len(self.endings))]
        start = None
        for _ in range(int(rng.integers(2, _LEAST_DEPTH + 2))):
            if self.area_of[section] >= MIN_AREA_PX:
                start = z, section
            before = self._largest_before(z, section)
            if before is None:
                break
            z, section = z - 1, before
        return start

    def _largest_before(self, z: int, section: int) -> int | None:
        """Return the cross-section of the same neurite that a cross-section overlaps most."""
        if z == 0:
            return None
        under = self.sections[z - 1][self.pixels(z, section)]
        under = under[self.label_of[under] == self.label_of[section]]
        return int(np.bincount(under).argmax()) if under.size and under.any() else None

    def pixels(self, z: int, section: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return rows and columns of a cross-section."""
        window = self._boxes[z][section - 1]
        ys, xs = np.nonzero(self.sections[z][window] == section)
        return ys + window[0].start, xs + window[1].start

    def reference(self, z: int, section: int, near_yx: tuple[int, int] | None) -> tuple[int, int]:
        """Return the point well inside a cross-section that is nearest to another point."""
        if section not in self._candidates:
            window = self._boxes[z][section - 1]
            ys, xs = np.nonzero(well_inside(self.sections[z][window] == section))
            self._candidates[section] = ys + window[0].start, xs + window[1].start
        ys, xs = self._candidates[section]
        y, x = (ys.mean(), xs.mean()) if near_yx is None else near_yx
        best = int(((ys - y) ** 2 + (xs - x) ** 2).argmin())
        return int(ys[best]), int(xs[best])


def _links(
    sections: NDArray[np.int32], label_of: NDArray[np.int64]
) -> dict[int, list[tuple[int, int]]]:
    """Return for every cross-section those of its label it overlaps in the next section."""
    links: dict[int, list[tuple[int, int]]] = {}
    base = label_of.size
    for this, following in pairwise(sections):
        both = (this > 0) & (following > 0)
        a, b = this[both].astype(np.int64), following[both]
        same = label_of[a] == label_of[b]
        pairs, overlaps = np.unique(a[same] * base + b[same], return_counts=True)
        for pair, overlap in zip(pairs.tolist(), overlaps.tolist(), strict=True):
            links.setdefault(pair // base, []).append((pair % base, overlap))
    return links


def cut_block(tissue: Tissue, rng: np.random.Generator, augmentation: Augmentation) -> Block:
    """Cut an augmented block from a tissue."""
    grey, labels = tissue.grey, tissue.labels
    spacing = 1
    if tissue.isotropic:
        axes = _AXES[rng.integers(3)]
        grey, labels = grey.transpose(axes), labels.transpose(axes)
        shares = np.array(augmentation.spacings) / sum(augmentation.spacings)
        spacing = 1 + int(rng.choice(shares.size, p=shares))
    for axis in range(3):
        if rng.random() < 0.5:
            grey, labels = np.flip(grey, axis), np.flip(labels, axis)
    grey, labels = grey[::spacing], labels[::spacing]
    if len(grey) > _DEPTH:
        first = int(rng.integers(len(grey) - _DEPTH + 1))
        grey, labels = grey[first : first + _DEPTH], labels[first : first + _DEPTH]
    zoom = tissue.voxel_nm[1] / augmentation.nm_per_px
    if rng.random() < 0.75:
        zoom *= float(np.exp(rng.uniform(*np.log(augmentation.zooms))))
    disturbed = augmentation.disturbed >= 1 or rng.random() < augmentation.disturbed
    seen, truth = _resampled(grey, labels, zoom, rng, disturbed=disturbed)
    outside = seen < 0
    shown = np.clip(seen, 0, 255) / np.float32(255)
    if disturbed:
        shown = varied_look(shown, rng)
    picture = np.where(outside, np.float32(OUTSIDE_GREY), np.clip(shown * 255, 0, 255))
    return Block(picture.astype(np.uint8), truth)


def _resampled(
    grey: NDArray[np.uint8],
    labels: NDArray[np.int32],
    zoom: float,
    rng: np.random.Generator,
    *,
    disturbed: bool,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Turn, stretch, zoom and shift the sections; outside the volume grey is negative."""
    depth, height, width = grey.shape
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.75 else np.pi / 2 * rng.integers(4)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn / zoom @ np.diag(np.exp(rng.normal(0, 0.06 if disturbed else 0, 2)))
    size = (int(min(_SIDE, height * zoom)), int(min(_SIDE, width * zoom)))
    centre = np.array([height, width]) * (0.5 + rng.uniform(-0.1, 0.1, 2))
    jitter = rng.choice([0.0, 0.5, 1.5], p=[0.7, 0.2, 0.1]) if disturbed else 0.0
    blur = rng.uniform(0, 0.7) if zoom < 0.9 else 0.0
    seen = np.empty((depth, *size), dtype=np.float32)
    truth = np.empty((depth, *size), dtype=np.int32)
    for z in range(depth):
        offset = centre + rng.normal(0, 1, 2) * jitter - matrix @ (np.array(size) / 2)
        plane = grey[z].astype(np.float32)
        plane = ndimage.gaussian_filter(plane, blur) if blur else plane
        how = {"output_shape": size, "mode": "constant"}
        ndimage.affine_transform(plane, matrix, offset, output=seen[z], order=1, cval=_FAR, **how)
        ndimage.affine_transform(labels[z], matrix, offset, output=truth[z], order=0, cval=0, **how)
    return seen, truth


def varied_look(grey: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Vary blur, contrast, brightness and noise of (z, y, x) grey values in 0…1; damage some."""
    depth = len(grey)
    if rng.random() < 0.3:
        sigma = rng.uniform(0.3, 0.9)
        grey = ndimage.gaussian_filter(grey, (0, sigma, sigma))
    grey = grey ** np.float32(np.exp(rng.normal(0, 0.25)))
    gain = np.full((depth, 1, 1), np.exp(rng.normal(0, 0.2)))
    offset = np.full((depth, 1, 1), 0.5 + rng.normal(0, 0.08))
    if rng.random() < 0.4:
        gain *= np.exp(rng.normal(0, 0.08, (depth, 1, 1)))
        offset += rng.normal(0, 0.04, (depth, 1, 1))
    grey = (grey - np.float32(0.5)) * gain.astype(np.float32) + offset.astype(np.float32)
    if rng.random() < 0.6:
        noise = rng.standard_normal(grey.shape, dtype=np.float32)
        grey += noise * np.float32(rng.uniform(0, 0.08))
    if rng.random() < 0.25:
        for z in np.flatnonzero(rng.random(depth) < 0.03):
            grey[z] = _damaged(grey[z], rng)
    return grey


def _damaged(plane: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Blank, blur or bleach one section."""
    kind = rng.integers(3)
    if kind == 0:
        return np.full_like(plane, rng.uniform(0, 1))
    if kind == 1:
        blurred: NDArray[np.float32] = ndimage.gaussian_filter(plane, rng.uniform(1, 3))
        return blurred
    return (plane - np.float32(0.5)) * np.float32(rng.uniform(0.2, 0.5)) + np.float32(
        rng.uniform(0.2, 0.8)
    )
