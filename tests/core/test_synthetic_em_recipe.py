"""Recipes of synthetic EM: what is refused, addresses, variety."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.errors import UsageError
from bcannot_core.volumes.synthetic_em import (
    RECIPES,
    Damage,
    EmRecipe,
    Look,
    generate,
    get_recipe,
    recipe_from_query,
    vary,
)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"shape_zyx": (0, 10, 10)}, "shape"),
        ({"shape_zyx": (10, 10)}, "shape"),
        ({"shape_zyx": (100_000, 10_000, 10_000)}, "too large"),
        ({"shape_zyx": (10, 10, 10), "voxel_nm_zyx": (0.0, 8.0, 8.0)}, "voxel_nm"),
        ({"voxel_nm_zyx": (30.0, float("nan"), 8.0)}, "voxel_nm"),
        ({"voxel_nm_zyx": (30.0, 8.0)}, "voxel_nm"),
        ({"density": 0.0}, "density"),
        ({"calibre_nm": 1e6}, "calibre_nm"),
        ({"sheets": 1.5}, "sheets"),
        ({"damage": Damage(missing=1.2)}, "missing"),
        ({"damage": Damage(jitter_px=-1.0)}, "jitter_px"),
        ({"look": Look(membrane=300.0)}, "membrane"),
    ],
)
def test_impossible_recipes_are_refused(changes: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        EmRecipe(**changes)  # type: ignore[arg-type]


def test_size_is_refused_before_anything_is_allocated() -> None:
    # few voxels, but of 500 nm: the tissue in between would be huge
    with pytest.raises(UsageError, match="too large"):
        EmRecipe(shape_zyx=(4000, 2000, 2), voxel_nm_zyx=(500.0, 20.0, 20.0))


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match="sections30"):
        get_recipe("brain")
    with pytest.raises(UsageError, match="default"):
        generate("brain", 0)


def test_address_settings_reach_the_recipe() -> None:
    found = recipe_from_query(
        "default",
        {
            "seed": "1",
            "shape": "64,256,256",
            "voxel_nm": "30,10,10.5",
            "density": "1.5",
            "damage.missing": "0.1",
            "look.noise": "9",
        },
    )
    expected = dataclasses.replace(
        RECIPES["default"],
        shape_zyx=(64, 256, 256),
        voxel_nm_zyx=(30.0, 10.0, 10.5),
        density=1.5,
        damage=dataclasses.replace(RECIPES["default"].damage, missing=0.1),
        look=dataclasses.replace(RECIPES["default"].look, noise=9.0),
    )
    assert found == expected


def test_an_empty_query_is_the_recipe_itself() -> None:
    assert recipe_from_query("bright", {}) == RECIPES["bright"]
    assert recipe_from_query("bright", {"seed": "12"}) == RECIPES["bright"]


@pytest.mark.parametrize(
    "query",
    [
        {"colour": "red"},
        {"look.colour": "1"},
        {"look": "1"},
        {"shape": "64,256"},
        {"shape": "64,256,25.5"},
        {"shape": ""},
        {"voxel_nm": "a,b,c"},
        {"voxel_nm": "nan,8,8"},
        {"density": "1,2"},
        {"density": "inf"},
        {"damage.missing": "2"},
        {"variety": "0.9"},
        {"variety": "0.1", "seed": "x"},
    ],
)
def test_wrong_settings_of_an_address_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        recipe_from_query("default", query)


@given(
    st.dictionaries(st.sampled_from(["shape", "voxel_nm", "density", "x"]), st.text(max_size=12))
)
def test_any_text_is_either_read_or_refused(query: dict[str, str]) -> None:
    try:
        found = recipe_from_query("default", query)
    except UsageError:
        return
    assert all(n >= 1 for n in found.shape_zyx)


@given(st.sampled_from(sorted(RECIPES)), st.integers(0, 2**32), st.floats(0, 0.5, allow_nan=False))
def test_variety_gives_valid_recipes_of_the_same_size(name: str, seed: int, amount: float) -> None:
    base = RECIPES[name]
    varied = vary(base, seed, amount)
    assert (varied.shape_zyx, varied.voxel_nm_zyx) == (base.shape_zyx, base.voxel_nm_zyx)
    assert varied.damage == base.damage
    assert abs(varied.density / base.density - 1) <= amount + 1e-6
    assert varied == vary(base, seed, amount)


def test_variety_differs_by_seed_and_through_an_address() -> None:
    base = RECIPES["default"]
    assert vary(base, 1) != vary(base, 2)
    assert vary(base, 1, 0.0) == base
    query = {"seed": "7", "variety": "0.3", "shape": "4,5,6"}
    expected = dataclasses.replace(vary(base, 7, 0.3), shape_zyx=(4, 5, 6))
    assert recipe_from_query("default", query) == expected
    with pytest.raises(UsageError, match="variety"):
        vary(base, 1, 0.6)
