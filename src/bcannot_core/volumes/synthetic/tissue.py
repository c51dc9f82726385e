"""Tissue: the centrelines compete for space, so that neurites fill the volume and touch.

A voxel belongs to the fibre to which its distance, measured in radii of that fibre, is smallest.
The distance is taken in a warped space and is noisy in a way of its own for every neurite, which
makes cross-sections irregular. The margin by which a fibre wins is kept: from it the boundary is
found again at any finer spacing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from bcannot_core.volumes.synthetic.neurites import Fibre, Sprout, branch, sow, walk
from bcannot_core.volumes.synthetic.noise import Floats, lattice_noise

if TYPE_CHECKING:
    from bcannot_core.volumes.synthetic.recipe import EmRecipe

Labels = NDArray[np.uint16]
_FAR = np.float32(9.0)


@dataclass
class Tissue:
    """Labels (z, y, x) of the work grid, their margin, and the depth below the membrane in nm."""

    labels: Labels
    margin: Floats
    depth_nm: Floats
    fibres: list[Fibre]


def grow(recipe: EmRecipe, rng: np.random.Generator) -> Tissue:
    """Grow tissue: thick neurites first, thinner ones in what they leave free, then branches."""
    field = _Competition(recipe, rng)
    seeds = sow(recipe, rng)
    fibres: list[Fibre] = []
    bounds = np.searchsorted(
        -seeds.radius, -np.array([10.0, 6.0, 3.5, 2.2, 0.0], np.float32), side="right"
    )
    order = np.arange(len(seeds.radius))
    first = 0
    for last in bounds:
        chosen = order[first:last]
        first = int(max(first, last))
        if len(chosen) == 0:
            continue
        tier = field.free(seeds.take(chosen), rng)
        new = walk(recipe, tier, field.push(), rng, both_ways=True)
        field.claim(new)
        fibres += new
    side = branch(recipe, fibres, rng)
    if side is not None:
        new = walk(recipe, side, field.push(), rng, both_ways=False)
        field.claim(new)
        fibres += new
    labels, margin = field.settle()
    return Tissue(labels, margin, _depth(labels, recipe.work_nm), fibres)


class _Competition:
    """The best and second best distance so far, in radii, and whose the best one is."""

    def __init__(self, recipe: EmRecipe, rng: np.random.Generator) -> None:
        self.shape = recipe.work_shape()
        self.first = np.full(self.shape, _FAR, np.float32)
        self.second = np.full(self.shape, _FAR, np.float32)
        self.owner = np.zeros(self.shape, np.uint16)
        amount = np.float32(recipe.irregularity)
        self.warp = [
            lattice_noise(rng, self.shape, 22.0) * (np.float32(4.0) * amount)
            + lattice_noise(rng, self.shape, 8.0) * (np.float32(1.3) * amount)
            for _ in range(3)
        ]
        for axis, warp in enumerate(self.warp):
            along = [1, 1, 1]
            along[axis] = -1
            warp += np.arange(self.shape[axis], dtype=np.float32).reshape(along)
        roomy = tuple(n + 24 for n in self.shape)
        self.noise = lattice_noise(rng, roomy, 13.0) * (np.float32(0.32) * amount)
        self.noise += lattice_noise(rng, roomy, 5.0) * (np.float32(0.14) * amount)
        self.noise += np.float32(1.0)
        np.clip(self.noise, np.float32(0.4), np.float32(2.0), out=self.noise)

    def free(self, sprout: Sprout, rng: np.random.Generator) -> Sprout:
        """Move beginnings out of thick neurites: each takes the freest of a few random places."""
        at = sprout.at
        best = self._at(at)
        top = np.array(self.shape, np.float32)
        for _ in range(4):
            other = rng.random(at.shape, np.float32) * top
            value = self._at(other)
            better = (best < np.float32(1.0)) & (value > best)
            at = np.where(better[:, None], other, at)
            best = np.where(better, value, best)
        return Sprout(
            at.astype(np.float32), sprout.direction, sprout.radius, sprout.label, sprout.flat
        )

    def _at(self, places: Floats) -> Floats:
        cell = np.clip(places, 0, np.array(self.shape, np.float32) - 1).astype(np.intp)
        return self.first[cell[:, 0], cell[:, 1], cell[:, 2]]

    def push(self) -> Floats:
        """Away from the fibres so far, the stronger the deeper inside one."""
        coarse = np.minimum(self.first, np.float32(1.6))[::2, ::2, ::2]
        slope = np.stack(list(np.gradient(coarse)))
        strength = np.float32(3.0) * np.maximum(np.float32(1.5) - coarse, np.float32(0.0))
        force = np.clip(slope * strength, np.float32(-0.5), np.float32(0.5))
        for axis, n in enumerate(self.shape):
            force = np.take(force, np.arange(n) // 2, axis=axis + 1)
        return force.astype(np.float32)

    def claim(self, fibres: list[Fibre]) -> None:
        """Let fibres compete for their surroundings, a few points at a time."""
        for fibre in fibres:
            stride = max(1, int(float(fibre.radius.max()) / 4.0))
            keep = np.arange(0, len(fibre.points), stride)
            for start in range(0, len(keep), 8):
                self._claim_part(fibre, keep[start : start + 9])

    def _claim_part(self, fibre: Fibre, part: NDArray[np.intp]) -> None:
        points, radius = fibre.points[part], fibre.radius[part]
        thickest = float(radius.max())
        reach = thickest * (1.35 if thickest > 8 else 1.7) + 5.0
        low = np.maximum(np.floor(points.min(0) - reach), 0).astype(int)
        high = np.minimum(np.ceil(points.max(0) + reach) + 1, self.shape).astype(int)
        if (high <= low).any():
            return
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        z, y, x = (warp[box] for warp in self.warp)
        squeeze = np.float32(fibre.flat * fibre.flat - 1.0)
        best: Floats | None = None
        for p, r, n in zip(points, radius, fibre.normal[part], strict=True):
            dz, dy, dx = z - p[0], y - p[1], x - p[2]
            across = dz * n[0]
            across += dy * n[1]
            across += dx * n[2]
            across *= across
            across *= squeeze
            for d in (dz, dy, dx):
                d *= d
                across += d
            across *= np.float32(1.0) / (r * r)
            best = across if best is None else np.minimum(best, across, out=best)
        assert best is not None
        np.sqrt(best, out=best)
        shift = [(fibre.label * k) % 24 for k in (7, 11, 17)]
        best *= self.noise[
            tuple(slice(s.start + d, s.stop + d) for s, d in zip(box, shift, strict=True))
        ]
        self._compete(fibre.label, box, best)

    def _compete(self, label: int, box: tuple[slice, ...], distance: Floats) -> None:
        first, second, owner = self.first[box], self.second[box], self.owner[box]
        better = distance < first
        np.minimum(second, np.where(better, first, distance), out=second, where=owner != label)
        np.minimum(first, distance, out=first)
        np.copyto(owner, np.uint16(label), where=better)

    def settle(self) -> tuple[Labels, Floats]:
        """Fill what nobody claimed, keep every neurite in one piece."""
        margin = np.minimum(self.second - self.first, np.float32(1.0))
        _fill(self.owner, margin, self.owner == 0)
        pieces = measure.label(self.owner, background=0, connectivity=1)  # type: ignore[no-untyped-call]
        size = np.bincount(pieces.ravel())
        lost = size < 60
        lost[0] = False
        _fill(self.owner, margin, lost[pieces])
        return self.owner, margin


def _fill(labels: Labels, margin: Floats, gap: NDArray[np.bool_]) -> None:
    """Give the voxels of a gap to the nearest label outside it."""
    if not gap.any() or gap.all():
        return
    nearest = ndimage.distance_transform_edt(gap, return_distances=False, return_indices=True)
    labels[gap] = labels[tuple(index[gap] for index in nearest)]
    margin[gap] = np.float32(0.05)


def _depth(labels: Labels, work_nm: float) -> Floats:
    inner = np.ones(labels.shape, bool)
    for axis in range(3):
        a = [slice(None)] * 3
        b = [slice(None)] * 3
        a[axis], b[axis] = slice(1, None), slice(None, -1)
        differ = labels[tuple(a)] != labels[tuple(b)]
        inner[tuple(a)] &= ~differ
        inner[tuple(b)] &= ~differ
    if inner.all():
        return np.full(labels.shape, 1e4, np.float32)
    depth: Floats = ndimage.distance_transform_edt(inner).astype(np.float32)
    depth += np.float32(0.5)
    depth *= np.float32(work_nm)
    return depth
