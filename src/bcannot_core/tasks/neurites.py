"""Ground truth of neurite tracing: following one neurite through a labelled volume.

A trace follows the connected cross-section that overlaps most with the last one. Each section has
a reference point, well inside the cross-section and close to the point before; it is not the
maximum of the distance transform, which jumps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import TaskError
from bcannot_core.tasks.cross_sections import CrossSection as CrossSection
from bcannot_core.tasks.cross_sections import KnownSections as KnownSections
from bcannot_core.tasks.cross_sections import LabelSource as LabelSource
from bcannot_core.tasks.cross_sections import grow
from bcannot_core.tasks.cross_sections import well_inside as well_inside

MIN_AREA_PX = 12
_TRIES = 4


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


def follow_neurite(
    labels: LabelSource,
    start_zyx: tuple[float, float, float],
    sections: int,
    *,
    direction: int = 1,
    label: int | None = None,
    known: KnownSections | None = None,
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
    known : KnownSections, optional
        What was found in these labels before; grows.

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
    known = KnownSections() if known is None else known
    first = grow(labels, label, z, CrossSection(z, (y, x), np.ones((1, 1), dtype=bool)))
    if first is None:
        raise TaskError(f"label {label} is not at {start}")
    start_in = known.one_of(label, first), (float(y), float(x))
    return _followed(labels, label, start_in, (sections, direction), known)


def _followed(
    labels: LabelSource,
    label: int,
    start: tuple[CrossSection, tuple[float, float]],
    limits: tuple[int, int],
    known: KnownSections,
) -> NeuritePath:
    """Return the path from a cross-section and a point in it on."""
    (current, yx), (sections, direction) = start, limits
    followed, points = [current], [yx]
    ends = False
    while len(followed) < sections and 0 <= current.z + direction < labels.shape[0]:
        following = known.following(labels, label, current, direction)
        if following is None:
            ends = True
            break
        current = following
        followed.append(current)
        points.append(current.reference_point(points[-1]))
    return NeuritePath(label, direction, np.array(points, dtype=np.float32), tuple(followed), ends)


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
    known: KnownSections | None = None,
) -> Iterator[NeuritePath]:
    """Yield paths of neurites drawn uniformly, for ever.

    The neurites take turns in an order drawn anew for every round, so that none comes twice
    before all others that qualify. For each a section is drawn in which it counts (a
    cross-section of at least 12 voxels), such that it continues for ``min_sections`` sections or
    to the volume's border. Starts that leave room for all ``sections`` in the volume are
    preferred, then those that leave room for ``min_sections``. Give ``candidates``, made by
    :func:`start_candidates`, where they are known: finding them reads the whole volume; and
    ``known`` where the same labels are sampled again and again.

    Raises
    ------
    TaskError
        No neurite of the volume qualifies.
    """
    if candidates is None:
        candidates = start_candidates(labels)
    names = np.array(sorted(candidates), dtype=np.int64)
    limits = (min_sections, sections, direction)
    known = KnownSections() if known is None else known
    while True:
        found = 0
        for label in rng.permutation(names).tolist():
            path = _first_path(labels, known, (label, candidates[label]), rng, limits)
            if path is not None:
                found += 1
                yield path
        if not found:
            raise TaskError(f"no neurite continues for {min_sections} sections: lower the minimum")


def _first_path(
    labels: LabelSource,
    known: KnownSections,
    candidate: tuple[int, NDArray[np.int64]],
    rng: np.random.Generator,
    limits: tuple[int, int, int],
) -> NeuritePath | None:
    """Return the first path of a neurite that qualifies, None where several tries find none."""
    for _ in range(_TRIES):
        path = _path_from(labels, known, candidate, rng, limits)
        if path is not None:
            return path
    return None


def _path_from(
    labels: LabelSource,
    known: KnownSections,
    candidate: tuple[int, NDArray[np.int64]],
    rng: np.random.Generator,
    limits: tuple[int, int, int],
) -> NeuritePath | None:
    min_sections, sections, direction = limits
    label, zs = candidate
    left = labels.shape[0] - zs if direction > 0 else zs + 1
    for wanted in (sections, min_sections):
        if (left >= wanted).any():
            zs = zs[left >= wanted]
            break
    z = int(zs[rng.integers(zs.size)])
    first = known.largest(labels, label, z, MIN_AREA_PX)
    if first is None:
        return None
    start = first, first.reference_point(None)
    path = _followed(labels, label, start, (sections, direction), known)
    at_border = not path.ends and len(path) < sections
    return path if len(path) >= min_sections or at_border else None
