"""Synthetic electron microscopy: grown tissue, imaged in sections, with exact labels.

`generate` makes a volume from a recipe and a seed. Neurites of heavy-tailed calibre branch, touch
and fill space; they hold mitochondria, granular cytoplasm and synaptic densities, some a myelin
sheath. Sections shift, change contrast, go missing and get dirty as the recipe says, and the
labels are those of the very pixels shown.

The same recipe and seed give the same bytes in any process on any machine with IEEE 754
arithmetic: no Fourier transform, no matrix product, no sum in an order of the processor's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from skimage import measure

from bcannot_core.volumes.synthetic.address import recipe_from_query
from bcannot_core.volumes.synthetic.damage import develop, draw_accidents
from bcannot_core.volumes.synthetic.organelles import fill_tissue
from bcannot_core.volumes.synthetic.recipe import (
    RECIPES,
    Damage,
    EmRecipe,
    Look,
    get_recipe,
)
from bcannot_core.volumes.synthetic.sections import Microscope
from bcannot_core.volumes.synthetic.tissue import grow
from bcannot_core.volumes.synthetic.variety import vary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "RECIPES",
    "Damage",
    "EmRecipe",
    "Look",
    "SyntheticVolume",
    "generate",
    "get_recipe",
    "recipe_from_query",
    "vary",
]

_SPECK = 24
"""Connected pieces of fewer voxels are no neurite."""

_FACES = ((0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0))


@dataclass(frozen=True)
class SyntheticVolume:
    """A generated volume; it also unpacks as ``em, seg``.

    Parameters
    ----------
    em
        Grey values, uint8 (z, y, x). A missing section is all 0.
    seg
        Labels, uint32 (z, y, x), 1 to n without a gap; 0 does not occur. Every label is one
        connected component (26 neighbours), under missing sections too.
    voxel_nm
        Voxel size (z, y, x) in nm.
    """

    em: NDArray[np.uint8]
    seg: NDArray[np.uint32]
    voxel_nm: tuple[float, float, float]

    def __iter__(self) -> Iterator[NDArray[np.uint8] | NDArray[np.uint32]]:
        """``em``, then ``seg``."""
        yield self.em
        yield self.seg


def generate(recipe: EmRecipe | str, seed: int) -> SyntheticVolume:
    """Generate a volume of synthetic tissue.

    Parameters
    ----------
    recipe
        A recipe, or the name of one in `RECIPES`.
    seed
        Any whole number from 0; another seed gives other tissue.

    Raises
    ------
    UsageError
        There is no recipe of that name.
    """
    chosen = get_recipe(recipe) if isinstance(recipe, str) else recipe
    growth, filling, mishaps, detector = np.random.default_rng(seed).spawn(4)
    tissue = grow(chosen, growth)
    scope = Microscope(chosen, tissue, fill_tissue(chosen, tissue, filling))
    accidents = draw_accidents(chosen, mishaps)
    em = np.empty(chosen.shape_zyx, np.uint8)
    raw = np.empty(chosen.shape_zyx, np.uint16)
    for i in range(chosen.shape_zyx[0]):
        shift = (float(accidents.shift_yx[i, 0]), float(accidents.shift_yx[i, 1]))
        grey, raw[i] = scope.section(i, shift)
        grey = develop(grey, chosen, accidents, i, detector)
        em[i] = np.clip(np.round(grey), 0, 255).astype(np.uint8)
    return SyntheticVolume(em, _one_piece_each(raw), chosen.voxel_nm_zyx)


def _one_piece_each(raw: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """Give every connected piece its label; specks go to a neighbour they touch."""
    pieces: NDArray[np.int32] = measure.label(  # type: ignore[no-untyped-call]
        raw, background=-1, connectivity=3
    ).astype(np.int32)
    small = np.bincount(pieces.ravel()) < _SPECK
    if not small[1:].all():
        _hand_over(pieces, small[pieces])
    used = np.bincount(pieces.ravel()) > 0
    dense = np.cumsum(used, dtype=np.uint32)
    return np.asarray(dense[pieces], np.uint32)


def _hand_over(pieces: NDArray[np.int32], specks: NDArray[np.bool_]) -> None:
    """Let the pieces around specks grow into them, a layer of voxels at a time."""
    pieces[specks] = 0
    z, y, x = np.nonzero(specks)
    while len(z):
        found = np.zeros(len(z), np.int32)
        for dz, dy, dx in _FACES:
            at = [
                np.clip(a + d, 0, n - 1)
                for a, d, n in zip((z, y, x), (dz, dy, dx), pieces.shape, strict=True)
            ]
            found = np.where(found == 0, pieces[at[0], at[1], at[2]], found)
        pieces[z, y, x] = found
        rest = found == 0
        z, y, x = z[rest], y[rest], x[rest]
