"""Recipes like a given one: for training sets in which no two volumes are alike."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from bcannot_core.errors import UsageError

if TYPE_CHECKING:
    from bcannot_core.volumes.synthetic.recipe import EmRecipe

_TISSUE = (
    "density",
    "calibre_nm",
    "calibre_spread",
    "branches",
    "tortuosity",
    "irregularity",
    "sheets",
)
_TOP = {
    "calibre_spread": 1.5,
    "branches": 2.0,
    "tortuosity": 1.0,
    "irregularity": 1.0,
    "sheets": 1.0,
}


def vary(recipe: EmRecipe, seed: int, amount: float = 0.25) -> EmRecipe:
    """Make a recipe whose tissue and look differ from ``recipe`` by up to ``amount`` of each value.

    Parameters
    ----------
    recipe
        Where to begin; shape, voxel size and damage rates are kept.
    seed
        Another seed gives another recipe.
    amount
        0 (no change) to 0.5. Greys change by a third of it, so that dark stays darker than bright.

    Raises
    ------
    UsageError
        ``amount`` is out of range.
    """
    if not 0.0 <= amount <= 0.5:
        raise UsageError(f"amount of variety is {amount}; it must lie between 0 and 0.5")
    rng = np.random.default_rng([seed, 0x7A12])

    def near(value: float, share: float, top: float = 1e9) -> float:
        return min(top, round(value * (1.0 + share * (2.0 * float(rng.random()) - 1.0)), 6))

    tissue = {name: near(getattr(recipe, name), amount, _TOP.get(name, 1e9)) for name in _TISSUE}
    greys = ("cytoplasm", "membrane", "mitochondrion")
    shades = {
        item.name: near(
            getattr(recipe.look, item.name),
            amount / 3 if item.name in greys else 1.4 * amount,
            255.0,
        )
        for item in dataclasses.fields(recipe.look)
    }
    look = dataclasses.replace(recipe.look, **shades)
    return dataclasses.replace(recipe.with_numbers(tissue), look=look)
