"""Recipes as they stand in an address: ``synthetic://default?seed=1&shape=64,256,256``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from bcannot_core.errors import UsageError
from bcannot_core.volumes.synthetic.recipe import LIMITS, Damage, EmRecipe, Look, get_recipe
from bcannot_core.volumes.synthetic.variety import vary

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBERS = tuple(name for name, _, _ in LIMITS)
_LOOK = tuple(f"look.{item.name}" for item in dataclasses.fields(Look))
_DAMAGE = tuple(f"damage.{item.name}" for item in dataclasses.fields(Damage))


def recipe_from_query(name: str, query: Mapping[str, str]) -> EmRecipe:
    """Change a recipe as an address says: ``?shape=64,256,256&voxel_nm=30,10,10``.

    Parameters
    ----------
    name
        A key of `RECIPES`.
    query
        ``shape`` and ``voxel_nm`` (three numbers, z,y,x), any number of `EmRecipe` by its name,
        ``look.NAME`` or ``damage.NAME``. ``variety`` (0 to 0.5) applies `vary` with the seed that
        stands beside it, before the other settings. ``seed`` alone changes no recipe.

    Raises
    ------
    UsageError
        An unknown recipe or key, or a value that is no number or out of range.
    """
    recipe = get_recipe(name)
    if "variety" in query:
        seed = int(_numbers("seed", query.get("seed", "0"), 1, whole=True)[0])
        recipe = vary(recipe, seed, _numbers("variety", query["variety"], 1)[0])
    plain: dict[str, float] = {}
    look: dict[str, float] = {}
    damage: dict[str, float] = {}
    shape, voxel_nm = recipe.shape_zyx, recipe.voxel_nm_zyx
    for key, text in query.items():
        if key in {"seed", "variety"}:
            continue
        if key == "shape":
            z, y, x = (int(v) for v in _numbers(key, text, 3, whole=True))
            shape = (z, y, x)
        elif key == "voxel_nm":
            voxel_z, voxel_y, voxel_x = _numbers(key, text, 3)
            voxel_nm = (voxel_z, voxel_y, voxel_x)
        elif key in _NUMBERS:
            plain[key] = _numbers(key, text, 1)[0]
        elif key in _LOOK:
            look[key.partition(".")[2]] = _numbers(key, text, 1)[0]
        elif key in _DAMAGE:
            damage[key.partition(".")[2]] = _numbers(key, text, 1)[0]
        else:
            raise UsageError(
                f"unknown setting {key!r} of a synthetic volume; known are seed, shape, voxel_nm, "
                f"variety, {', '.join(_NUMBERS)}, look.NAME and damage.NAME"
            )
    return dataclasses.replace(
        recipe.with_numbers(plain),
        shape_zyx=shape,
        voxel_nm_zyx=voxel_nm,
        look=dataclasses.replace(recipe.look, **look),
        damage=dataclasses.replace(recipe.damage, **damage),
    )


def _numbers(key: str, text: str, count: int, *, whole: bool = False) -> list[float]:
    words = text.split(",")
    try:
        values = [float(int(word)) if whole else float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != count:
        kind = "whole number" if whole else "number"
        raise UsageError(f"{key}={text}: give {count} {kind}{'s' if count > 1 else ''}")
    return values
