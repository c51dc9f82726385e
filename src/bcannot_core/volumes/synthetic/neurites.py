"""Centrelines: smooth random walks in 3-D with a varying radius, out of one another's way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bcannot_core.volumes.synthetic.noise import (
    Floats,
    dot,
    lattice_noise,
    lognormals,
    normalised,
    normals,
    steady,
    unit_vectors,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bcannot_core.volumes.synthetic.recipe import EmRecipe

STEP = 1.5
"""Length of one step of a walk, in work voxels."""


@dataclass(frozen=True)
class Fibre:
    """A piece of neurite: points (n, 3) and radii (n,) in work voxels.

    ``normal`` (n, 3) is the direction in which the cross-section is ``flat`` times thinner.
    """

    label: int
    points: Floats
    radius: Floats
    normal: Floats
    flat: float


@dataclass(frozen=True)
class Sprout:
    """Where fibres begin: positions and directions (n, 3), radii, labels, flatness (n,)."""

    at: Floats
    direction: Floats
    radius: Floats
    label: NDArray[np.int32]
    flat: Floats

    def take(self, chosen: NDArray[np.intp]) -> Sprout:
        """Pick some of the sprouts."""
        return Sprout(
            self.at[chosen],
            self.direction[chosen],
            self.radius[chosen],
            self.label[chosen],
            self.flat[chosen],
        )


def sow(recipe: EmRecipe, rng: np.random.Generator) -> Sprout:
    """Random beginnings all over the work grid, thick ones first."""
    shape = np.array(recipe.work_shape(), np.float32)
    micron = recipe.work_nm / 1000.0
    volume = float(shape[0]) * float(shape[1]) * float(shape[2]) * (micron * micron * micron)
    mean_length = float(round(volume ** (1 / 3), 6)) * 0.75
    count = min(60000, max(6, int(10.5 * recipe.density * volume / mean_length)))
    radius = lognormals(rng, count, recipe.calibre_nm, recipe.calibre_spread) / np.float32(
        recipe.work_nm
    )
    radius = np.sort(np.clip(radius, np.float32(1.4), np.float32(480.0 / recipe.work_nm)))[::-1]
    at = rng.random((count, 3), np.float32) * shape
    direction = unit_vectors(rng, count)
    direction[:, 0] *= np.float32(1.0 + 3.0 * recipe.alignment)
    flat = np.float32(1.0) + rng.random(count, np.float32) * np.float32(1.2)
    sheet = rng.random(count, np.float32) < np.float32(recipe.sheets)
    flat = np.where(sheet, flat * np.float32(2.5), flat).astype(np.float32)
    radius = np.where(sheet, radius * np.float32(1.6), radius).astype(np.float32)
    label = np.arange(1, count + 1, dtype=np.int32)
    return Sprout(at, normalised(direction), radius.astype(np.float32), label, flat)


def walk(
    recipe: EmRecipe, sprout: Sprout, push: Floats, rng: np.random.Generator, *, both_ways: bool
) -> list[Fibre]:
    """Let every sprout grow until it leaves the work grid or comes to its end.

    ``push`` (3, z, y, x) is the force with which the tissue there already keeps others away.
    """
    count = len(sprout.radius)
    halves = 2 if both_ways else 1
    signs = np.repeat(np.array([1.0, -1.0], np.float32)[:halves], count)
    at = np.tile(sprout.at, (halves, 1))
    heading = np.tile(sprout.direction, (halves, 1)) * signs[:, None]
    shape = recipe.work_shape()
    top = np.array(shape, np.float32)
    span = float(max(shape))
    life = lognormals(rng, len(at), (1.6 if both_ways else 0.35) * span, 0.7) / np.float32(STEP)
    wander = np.tile(_wander(recipe, sprout.radius), halves)[:, None]
    steps = int(2.5 * span / STEP)
    track = np.empty((steps + 1, len(at), 3), np.float32)
    track[0] = at
    length = np.full(len(at), steps, np.intp)
    alive = np.ones(len(at), bool)
    bend = np.zeros_like(heading)
    for i in range(1, steps + 1):
        bend = bend * np.float32(0.85) + normals(rng, (len(at), 3)) * wander
        cell = np.clip(at, 0, top - 1).astype(np.intp)
        force = push[:, cell[:, 0], cell[:, 1], cell[:, 2]].T
        heading = normalised(heading + bend + force)
        at = at + heading * np.float32(STEP)
        track[i] = at
        outside = ((at < -6) | (at > top + 6)).any(1) | (i >= life)
        length[alive & outside] = i
        alive &= ~outside
        if not alive.any():
            break
    return [_fibre(track, length, k, count, sprout, rng) for k in range(count)]


def _wander(recipe: EmRecipe, radius: Floats) -> Floats:
    thin = np.float32(1.0) / (np.float32(1.0) + radius / np.float32(6.0))
    return thin * np.float32(0.12 * recipe.tortuosity)


def _fibre(
    track: Floats,
    length: NDArray[np.intp],
    k: int,
    count: int,
    sprout: Sprout,
    rng: np.random.Generator,
) -> Fibre:
    points = track[: length[k] + 1, k]
    if track.shape[1] > count:
        back = track[1 : length[k + count] + 1, k + count]
        points = np.concatenate([back[::-1], points])
    n = len(points)
    swell = lattice_noise(rng, (n,), 14.0) * np.float32(0.22) + lattice_noise(
        rng, (n,), 40.0
    ) * np.float32(0.2)
    radius = sprout.radius[k] * steady(np.exp(swell.astype(np.float64)))
    end = np.arange(n, dtype=np.float32)
    taper = np.minimum(end, end[::-1]) / np.float32(6.0) + np.float32(0.35)
    radius = np.maximum(radius * np.minimum(taper, np.float32(1.0)), np.float32(0.9))
    along = (
        normalised(np.gradient(points, axis=0).astype(np.float32))
        if n > 1
        else sprout.direction[k : k + 1]
    )
    side = np.stack([lattice_noise(rng, (n,), 30.0) for _ in range(3)], axis=1)
    side = side - along * dot(side, along)[:, None]
    return Fibre(
        int(sprout.label[k]),
        points,
        radius.astype(np.float32),
        normalised(side),
        float(sprout.flat[k]),
    )


def branch(recipe: EmRecipe, fibres: list[Fibre], rng: np.random.Generator) -> Sprout | None:
    """Side branches: thinner, they begin on a fibre, bear its label and leave it sideways."""
    at, direction, radius, label = [], [], [], []
    micron = STEP * recipe.work_nm / 1000.0
    for fibre in fibres:
        n = len(fibre.points)
        number = int(n * micron * recipe.branches + float(rng.random()))
        for i in rng.integers(0, n, number):
            away = normalised(normals(rng, (1, 3)) + fibre.normal[i : i + 1])[0]
            at.append(fibre.points[i] + away * fibre.radius[i] * np.float32(0.4))
            direction.append(away)
            share = np.float32(0.25) + np.float32(0.45) * rng.random(dtype=np.float32)
            radius.append(min(max(fibre.radius[i] * share, np.float32(1.5)), np.float32(5.0)))
            label.append(fibre.label)
    if not at:
        return None
    flat = np.float32(1.0) + rng.random(len(at), np.float32)
    return Sprout(
        np.array(at, np.float32),
        np.array(direction, np.float32),
        np.array(radius, np.float32),
        np.array(label, np.int32),
        flat,
    )
