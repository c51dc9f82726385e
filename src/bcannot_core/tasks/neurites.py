"""Ground truth of neurite tracing: following one neurite through a labelled volume.

A trace follows the connected cross-section that overlaps most with the last one. Each section has
a reference point, well inside the cross-section and close to the point before; it is not the
maximum of the distance transform, which jumps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bcannot_core.errors import TaskError

MIN_AREA_PX = 12
_EIGHT = np.ones((3, 3), dtype=bool)
_MARGIN = 16
_INSIDE = 0.5
_TRIES = 4


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


@dataclass(frozen=True)
class NeuritePath:
    """The course of one neurite, a cross-section and a reference point for each section.

    Attributes
    ----------
    label : int
        Its id in the label volume.
    direction : int
        +1 or -1, the direction of the sections.
    points_yx : float32 (n, 2)
        Reference points; section ``i`` lies at ``z0 + i * direction``.
    sections : tuple of CrossSection
        The cross-sections that are followed.
    ends : bool
        Whether the neurite ended before the sections asked for or the volume did.
    """

    label: int
    direction: int
    points_yx: NDArray[np.float32]
    sections: tuple[CrossSection, ...] = field(repr=False)
    ends: bool

    @property
    def z0(self) -> int:
        """The section of the start point."""
        return self.sections[0].z

    def __len__(self) -> int:
        return len(self.sections)

    def index(self, z: int) -> int | None:
        """Return the place of section ``z`` on the path, None where there is none."""
        i = (z - self.z0) * self.direction
        return i if 0 <= i < len(self.sections) else None


def well_inside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the part of a mask at least half as far from its border as the deepest point."""
    depth = _depth(mask)
    inside: NDArray[np.bool_] = depth >= _INSIDE * depth.max()
    return inside


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), dtype=bool)  # np.pad is slow
    padded[1:-1, 1:-1] = mask
    depth: NDArray[np.float64] = ndimage.distance_transform_edt(padded)
    return depth[1:-1, 1:-1]


def reference_point(
    mask: NDArray[np.bool_], previous_yx: tuple[float, float] | None
) -> tuple[int, int]:
    """Return the point of a mask that is well inside and nearest to the previous one.

    Well inside means at least half as far from the border as the deepest point is. Without a
    previous point the candidate nearest to the centroid of all candidates is taken.
    """
    depth = _depth(mask)
    ys, xs = np.nonzero(depth >= _INSIDE * depth.max())
    if previous_yx is None:
        previous_yx = (float(ys.mean()), float(xs.mean()))
    squared = (ys - previous_yx[0]) ** 2 + (xs - previous_yx[1]) ** 2
    # Among equally near candidates the deepest wins, so that the choice does not hang on order.
    best = int(np.lexsort((-depth[ys, xs], squared))[0])
    return int(ys[best]), int(xs[best])


def follow_neurite(
    labels: LabelSource,
    start_zyx: tuple[float, float, float],
    sections: int,
    *,
    direction: int = 1,
    label: int | None = None,
) -> NeuritePath:
    """Follow the neurite at a start point for at most ``sections`` sections.

    Parameters
    ----------
    labels : LabelSource
        Label volume; 0 is background.
    start_zyx : tuple of float
        A point inside the neurite.
    sections : int
        How many sections to follow, the first included.
    direction : int
        +1 for growing z, -1 for shrinking z.
    label : int, optional
        The neurite's id, where it is known; the id at the start point otherwise.

    Raises
    ------
    TaskError
        The start point lies outside the volume or on background.
    """
    start = tuple(round(c) for c in start_zyx)
    if not all(0 <= c < n for c, n in zip(start, labels.shape, strict=True)):
        raise TaskError(f"start point {start} lies outside the label volume {labels.shape}")
    z, y, x = start
    here = int(labels.read(z, z + 1, y, y + 1, x, x + 1)[0, 0, 0])
    label = here if label is None else label
    if here != label or label == 0:
        raise TaskError(
            f"the label at the start point {start} is {here}: choose a point inside a neurite"
        )
    current = _component_at(labels, label, z, (y, x))
    followed = [current]
    points = [(float(y), float(x))]
    ends = False
    while len(followed) < sections and 0 <= current.z + direction < labels.shape[0]:
        following = _grow(labels, label, current.z + direction, current)
        if following is None:
            ends = True
            break
        current = following
        previous = (points[-1][0] - current.origin_yx[0], points[-1][1] - current.origin_yx[1])
        py, px = reference_point(current.mask, previous)
        followed.append(current)
        points.append((float(py + current.origin_yx[0]), float(px + current.origin_yx[1])))
    return NeuritePath(label, direction, np.array(points, dtype=np.float32), tuple(followed), ends)


def _component_at(labels: LabelSource, label: int, z: int, yx: tuple[int, int]) -> CrossSection:
    """Return the connected cross-section around a point, reading only as far as it extends."""
    found = _grow(labels, label, z, CrossSection(z, yx, np.ones((1, 1), dtype=bool)))
    if found is None:
        raise TaskError(f"label {label} is not at {(z, *yx)}")
    return found


def _grow(labels: LabelSource, label: int, z: int, seed: CrossSection) -> CrossSection | None:
    """Find the component at ``z`` that overlaps a seed most, in a window that grows with it."""
    y_seed, x_seed = seed.origin_yx
    box = (y_seed, y_seed + seed.mask.shape[0], x_seed, x_seed + seed.mask.shape[1])
    height, width = labels.shape[1:]
    margin = _MARGIN
    while True:
        y0, x0 = max(0, box[0] - margin), max(0, box[2] - margin)
        y1, x1 = min(height, box[1] + margin), min(width, box[3] + margin)
        plane = labels.read(z, z + 1, y0, y1, x0, x1)[0] == label
        components, count = ndimage.label(plane, structure=_EIGHT)
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


def start_candidates(labels: LabelSource) -> dict[int, NDArray[np.int64]]:
    """Return for every label the sections in which it has at least ``MIN_AREA_PX`` voxels."""
    depth, height, width = labels.shape
    found: dict[int, list[int]] = {}
    for z in range(depth):
        ids, counts = np.unique(labels.read(z, z + 1, 0, height, 0, width), return_counts=True)
        for label in ids[(counts >= MIN_AREA_PX) & (ids != 0)]:
            found.setdefault(int(label), []).append(z)
    return {label: np.array(zs, dtype=np.int64) for label, zs in sorted(found.items())}


def sample_neurites(
    labels: LabelSource,
    rng: np.random.Generator,
    *,
    min_sections: int = 20,
    sections: int = 50,
    direction: int = 1,
    candidates: Mapping[int, NDArray[np.int64]] | None = None,
) -> Iterator[NeuritePath]:
    """Yield paths of neurites drawn uniformly, for ever.

    The neurites take turns in an order drawn anew for every round, so that none comes twice
    before all others that qualify. For each a section is drawn in which it counts (a
    cross-section of at least 12 voxels), such that it continues for ``min_sections`` sections or
    to the volume's border. Starts that leave room for all ``sections`` in the volume are
    preferred, then those that leave room for ``min_sections``. Give ``candidates``, made by
    :func:`start_candidates`, where they are known: finding them reads the whole volume.

    Raises
    ------
    TaskError
        No neurite of the volume qualifies.
    """
    if candidates is None:
        candidates = start_candidates(labels)
    names = np.array(sorted(candidates), dtype=np.int64)
    limits = (min_sections, sections, direction)
    while True:
        found = 0
        for label in rng.permutation(names).tolist():
            path = _first_path(labels, label, candidates[label], rng, limits)
            if path is not None:
                found += 1
                yield path
        if not found:
            raise TaskError(f"no neurite continues for {min_sections} sections: lower the minimum")


def _first_path(
    labels: LabelSource,
    label: int,
    zs: NDArray[np.int64],
    rng: np.random.Generator,
    limits: tuple[int, int, int],
) -> NeuritePath | None:
    """Return the first path of a neurite that qualifies, None where several tries find none."""
    for _ in range(_TRIES):
        path = _path_from(labels, label, zs, rng, limits)
        if path is not None:
            return path
    return None


def _path_from(
    labels: LabelSource,
    label: int,
    zs: NDArray[np.int64],
    rng: np.random.Generator,
    limits: tuple[int, int, int],
) -> NeuritePath | None:
    min_sections, sections, direction = limits
    depth, height, width = labels.shape
    left = depth - zs if direction > 0 else zs + 1
    for wanted in (sections, min_sections):
        if (left >= wanted).any():
            zs = zs[left >= wanted]
            break
    z = int(zs[rng.integers(zs.size)])
    plane = labels.read(z, z + 1, 0, height, 0, width)[0] == label
    components, count = ndimage.label(plane, structure=_EIGHT)
    areas = np.bincount(components.ravel(), minlength=count + 1)
    areas[0] = 0
    if areas.max() < MIN_AREA_PX:
        return None
    rows, columns = np.nonzero(components == int(areas.argmax()))
    mask = np.zeros((np.ptp(rows) + 1, np.ptp(columns) + 1), dtype=bool)
    mask[rows - rows.min(), columns - columns.min()] = True
    y, x = reference_point(mask, None)
    start = (z, y + int(rows.min()), x + int(columns.min()))
    path = follow_neurite(labels, start, sections, direction=direction, label=label)
    at_border = not path.ends and len(path) < sections
    return path if len(path) >= min_sections or at_border else None
