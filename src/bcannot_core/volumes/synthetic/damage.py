"""What goes wrong between the knife and the detector, drawn at random for every section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bcannot_core.volumes.synthetic.noise import Floats, blur, lattice_noise, normals

if TYPE_CHECKING:
    from bcannot_core.volumes.synthetic.recipe import EmRecipe


@dataclass(frozen=True)
class Accidents:
    """What happens to each section; arrays of length n (sections)."""

    shift_yx: Floats
    missing: Floats
    fold: Floats
    scratch: Floats
    dirt: Floats
    defocus: Floats
    contrast: Floats


def draw_accidents(recipe: EmRecipe, rng: np.random.Generator) -> Accidents:
    """Decide what happens to every section; at most two missing ones follow one another."""
    n = recipe.shape_zyx[0]
    damage = recipe.damage

    def chance(rate: float) -> Floats:
        return (rng.random(n) < rate).astype(np.float32)

    missing = chance(damage.missing)
    if damage.missing < 1:
        for i in range(2, n):
            if missing[i - 1] and missing[i - 2]:
                missing[i] = 0
    shift = normals(rng, (n, 2)) * np.float32(damage.jitter_px)
    jump = (
        (rng.random(n) < 0.04)[:, None] * normals(rng, (n, 2)) * np.float32(2.0 * damage.jitter_px)
    )
    return Accidents(
        np.clip(shift + jump, -8.0 * damage.jitter_px, 8.0 * damage.jitter_px).astype(np.float32),
        missing,
        chance(damage.fold),
        chance(damage.scratch),
        chance(damage.dirt),
        chance(damage.defocus),
        normals(rng, n) * np.float32(damage.contrast),
    )


def develop(
    grey: Floats, recipe: EmRecipe, accidents: Accidents, i: int, rng: np.random.Generator
) -> Floats:
    """From the ideal grey values of section ``i`` to what the detector gives."""
    if accidents.missing[i]:
        return np.zeros_like(grey)
    look = recipe.look
    if accidents.dirt[i]:
        grey = _dirt(grey, rng)
    if accidents.fold[i]:
        grey = _streak(grey, rng, width=float(4 + 8 * rng.random()), depth=-70.0)
    if accidents.scratch[i]:
        for _ in range(int(rng.integers(1, 4))):
            grey = _streak(grey, rng, width=1.5, depth=float(60 * rng.random() - 20))
    grey = blur(grey, look.blur_px + (1.2 + float(rng.random()) if accidents.defocus[i] else 0.0))
    middle = np.float32(look.cytoplasm * 0.88)
    gain = np.float32(1.0) + np.clip(
        accidents.contrast[i], np.float32(-0.55), np.float32(0.55)
    ) * np.float32(0.6)
    offset = np.float32(30.0 * float(np.clip(normals(rng, 1)[0], -2, 2)) * recipe.damage.contrast)
    grey = (grey - middle) * gain + (middle + offset)
    return grey + normals(rng, grey.shape) * np.float32(look.noise)


def _streak(grey: Floats, rng: np.random.Generator, width: float, depth: float) -> Floats:
    """Draw a straight but slightly wavy band: a fold or a knife mark."""
    h, w = grey.shape
    direction = normals(rng, 2)
    direction /= np.sqrt(direction[0] * direction[0] + direction[1] * direction[1]) + np.float32(
        1e-6
    )
    y = (np.arange(h, dtype=np.float32) - np.float32(h * float(rng.random())))[:, None]
    x = np.arange(w, dtype=np.float32) - np.float32(w * float(rng.random()))
    away = (
        y * direction[0]
        + x * direction[1]
        + lattice_noise(rng, grey.shape, 60.0) * np.float32(width)
    )
    band = np.maximum(np.float32(1.0) - np.abs(away) / np.float32(width), np.float32(0.0))
    band = np.minimum(band * np.float32(2.0), np.float32(1.0))
    out: Floats = grey + band * np.float32(depth)
    return out


def _dirt(grey: Floats, rng: np.random.Generator) -> Floats:
    """Draw a few dark specks with ragged edges."""
    h, w = grey.shape
    rag = lattice_noise(rng, grey.shape, 4.0) * np.float32(2.0)
    out = grey
    for _ in range(int(rng.integers(1, 5))):
        y = (np.arange(h, dtype=np.float32) - np.float32(h * float(rng.random())))[:, None]
        x = np.arange(w, dtype=np.float32) - np.float32(w * float(rng.random()))
        radius = np.float32(3.0 + 12.0 * float(rng.random()) ** 2)
        share = np.clip(
            (radius - np.sqrt(y * y + x * x) + rag) / np.float32(2.0),
            np.float32(0.0),
            np.float32(1.0),
        )
        out = out + (np.float32(30.0) - out) * share
    return out
