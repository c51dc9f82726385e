"""What lies inside neurites: mitochondria, synaptic densities, textures and shades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bcannot_core.volumes.synthetic.noise import Floats, lattice_noise, normals

if TYPE_CHECKING:
    from bcannot_core.volumes.synthetic.neurites import Fibre
    from bcannot_core.volumes.synthetic.recipe import EmRecipe
    from bcannot_core.volumes.synthetic.tissue import Tissue


@dataclass
class Contents:
    """Fields on the work grid, and one value per label.

    ``mito_nm`` is the signed distance to the nearest mitochondrion's surface (negative inside),
    ``dense`` the darkness of synaptic densities (0 to 1), ``grain`` and ``dots`` textures of
    variance about 1, ``drift`` a slow change of grey.
    """

    mito_nm: Floats
    dense: Floats
    grain: Floats
    dots: Floats
    drift: Floats
    shade: Floats
    dot_amount: Floats
    grain_amount: Floats
    sheath_nm: Floats


def fill_tissue(recipe: EmRecipe, tissue: Tissue, rng: np.random.Generator) -> Contents:
    """Put organelles into tissue and choose shades."""
    shape = tissue.labels.shape
    count = max([int(tissue.labels.max())] + [fibre.label for fibre in tissue.fibres]) + 1
    look = recipe.look
    shade = look.cytoplasm + normals(rng, count) * np.float32(look.cytoplasm_spread)
    shade = np.clip(shade, np.float32(look.membrane + 22.0), np.float32(250.0))
    pale = np.clip(
        (shade - look.membrane) / np.float32(look.cytoplasm - look.membrane + 1.0), 0.2, 1.5
    )
    grain = lattice_noise(rng, shape, 1.0) * np.float32(0.8) + lattice_noise(
        rng, shape, 3.0
    ) * np.float32(0.6)
    dots = np.maximum(lattice_noise(rng, shape, 1.35) - np.float32(0.35), np.float32(0.0))
    np.minimum(dots, np.float32(1.2), out=dots)
    thick = np.zeros(count, np.float32)
    for fibre in tissue.fibres:
        thick[fibre.label] = max(thick[fibre.label], np.float32(fibre.radius.max()))
    thick *= np.float32(recipe.work_nm)
    wrapped = (thick > 200.0) & (rng.random(count) < recipe.myelin)
    wraps = np.minimum(thick * 0.25, 60.0 + 60.0 * rng.random(count))
    sheath = np.where(wrapped, wraps, 0.0)
    return Contents(
        mito_nm=_mitochondria(recipe, tissue, rng),
        dense=_densities(recipe, tissue, rng),
        grain=grain,
        dots=dots,
        drift=lattice_noise(rng, shape, 40.0) * np.float32(look.drift),
        shade=shade.astype(np.float32),
        dot_amount=(rng.random(count, np.float32) * np.float32(2.0 * look.dots) * pale).astype(
            np.float32
        ),
        grain_amount=(np.float32(0.5) + rng.random(count, np.float32)) * np.float32(look.texture),
        sheath_nm=sheath.astype(np.float32),
    )


def _mitochondria(recipe: EmRecipe, tissue: Tissue, rng: np.random.Generator) -> Floats:
    field = np.full(tissue.labels.shape, 1e4, np.float32)
    nm = recipe.work_nm
    wobble = lattice_noise(rng, field.shape, 5.0) * np.float32(14.0)
    for fibre in tissue.fibres:
        if float(fibre.radius.max()) * nm < 70.0:
            continue
        n = len(fibre.points)
        number = int(n * 1.5 * nm / 1000.0 * 1.05 * recipe.mitochondria + float(rng.random()))
        for start in rng.integers(0, n, number):
            long = int((250.0 + 900.0 * float(rng.random()) ** 2) / (1.5 * nm))
            _mitochondrion(
                field, tissue, fibre, slice(int(start), int(start) + long), nm, wobble, rng
            )
    return field


def _mitochondrion(
    field: Floats,
    tissue: Tissue,
    fibre: Fibre,
    run: slice,
    nm: float,
    wobble: Floats,
    rng: np.random.Generator,
) -> None:
    points = fibre.points[run][::2]
    radius = np.median(fibre.radius[run]) * np.float32(nm)
    radius = np.clip(
        radius * np.float32(0.5 + 0.4 * float(rng.random())), 55.0, 210.0
    ) / np.float32(nm)
    side = fibre.normal[run.start] * (normals(rng, 1)[0] * np.float32(0.25) * radius)
    points = points + side
    low = np.maximum(np.floor(points.min(0) - radius - 4), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0) + radius + 4) + 1, field.shape).astype(int)
    if (high <= low).any():
        return
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    z, y, x = (
        np.arange(s.start, s.stop, dtype=np.float32).reshape(
            [-1 if i == axis else 1 for i in range(3)]
        )
        for axis, s in enumerate(box)
    )
    best = np.full([s.stop - s.start for s in box], 1e8, np.float32)
    for p in points:
        dz, dy, dx = z - p[0], y - p[1], x - p[2]
        np.minimum(best, dz * dz + (dy * dy + dx * dx), out=best)
    signed = (np.sqrt(best) - radius) * np.float32(nm) + wobble[box]
    np.maximum(signed, np.float32(34.0) - tissue.depth_nm[box], out=signed)
    np.minimum(field[box], signed, out=field[box], where=tissue.labels[box] == fibre.label)


def _densities(recipe: EmRecipe, tissue: Tissue, rng: np.random.Generator) -> Floats:
    dense = np.zeros(tissue.labels.shape, np.float32)
    edge = np.flatnonzero(tissue.depth_nm.ravel() < recipe.work_nm)
    micron = recipe.work_nm / 1000.0
    number = int(9.0 * recipe.synapses * dense.size * (micron * micron * micron))
    if len(edge) == 0 or number == 0:
        return dense
    for flat in edge[rng.integers(0, len(edge), number)]:
        centre = np.unravel_index(int(flat), dense.shape)
        radius = (35.0 + 60.0 * float(rng.random()) ** 2) / recipe.work_nm
        reach = int(2.0 * radius) + 1
        box = tuple(slice(max(0, int(c) - reach), int(c) + reach + 1) for c in centre)
        part = dense[box]
        squared = np.zeros(part.shape, np.float32)
        for axis, (c, s) in enumerate(zip(centre, box, strict=True)):
            d = np.arange(s.start, s.start + part.shape[axis], dtype=np.float32) - np.float32(c)
            squared += (d * d).reshape([-1 if i == axis else 1 for i in range(3)])
        bump = np.maximum(
            np.float32(1.0) - squared / np.float32(4.0 * radius * radius), np.float32(0.0)
        )
        np.maximum(part, bump * bump, out=part)
    return dense
