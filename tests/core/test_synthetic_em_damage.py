"""Damage of synthetic sections: rates mean what they say, and labels stay those of the pixels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bcannot_core.volumes.synthetic.damage import draw_accidents
from bcannot_core.volumes.synthetic_em import RECIPES, Damage, EmRecipe, generate


def recipe(damage: Damage, shape: tuple[int, int, int] = (8, 64, 64)) -> EmRecipe:
    return dataclasses.replace(RECIPES["sections30"], shape_zyx=shape, damage=damage)


def test_missing_sections_are_black_and_keep_their_labels() -> None:
    whole = generate(recipe(Damage()), 1)
    holed = generate(recipe(Damage(missing=0.4)), 1)
    black = (holed.em == 0).all((1, 2))
    assert 0 < black.sum() < 8
    assert not (whole.em == 0).all((1, 2)).any()
    np.testing.assert_array_equal(holed.seg, whole.seg)


def test_share_of_missing_sections_is_the_rate() -> None:
    accidents = draw_accidents(recipe(Damage(missing=0.1), (4000, 8, 8)), np.random.default_rng(0))
    assert accidents.missing.mean() == pytest.approx(0.1, abs=0.02)
    three = accidents.missing[2:] * accidents.missing[1:-1] * accidents.missing[:-2]
    assert not three.any()


def test_everything_can_be_missing() -> None:
    assert not generate(recipe(Damage(missing=1.0)), 1).em.any()


@pytest.mark.parametrize("kind", ["fold", "scratch", "dirt", "defocus"])
def test_damage_changes_the_picture_but_not_the_labels(kind: str) -> None:
    clean = generate(recipe(Damage()), 2)
    hurt = generate(recipe(Damage(**{kind: 1.0})), 2)
    np.testing.assert_array_equal(hurt.seg, clean.seg)
    change = np.abs(hurt.em.astype(int) - clean.em).mean((1, 2))
    assert (change > 0.3).all()


def test_defocus_takes_detail_away() -> None:
    sharp = generate(recipe(Damage()), 2).em.astype(float)
    soft = generate(recipe(Damage(defocus=1.0)), 2).em.astype(float)
    assert np.diff(soft, axis=2).std() < 0.85 * np.diff(sharp, axis=2).std()


def test_folds_are_dark_bands() -> None:
    clean = generate(recipe(Damage()), 2).em.astype(float)
    folded = generate(recipe(Damage(fold=1.0)), 2).em.astype(float)
    assert (folded < 40).mean() > (clean < 40).mean() + 0.01


def test_contrast_changes_from_section_to_section() -> None:
    steady = generate(recipe(Damage()), 2).em.std((1, 2))
    restless = generate(recipe(Damage(contrast=0.5)), 2).em.std((1, 2))
    assert restless.std() > 2 * steady.std()


def test_jitter_moves_picture_and_labels_together() -> None:
    still = generate(recipe(Damage()), 6)
    moved = generate(recipe(Damage(jitter_px=3.0)), 6)
    shifts = draw_accidents(
        recipe(Damage(jitter_px=3.0)), np.random.default_rng(6).spawn(4)[2]
    ).shift_yx
    assert np.abs(shifts).max() > 2
    for z in range(8):
        dy, dx = (int(np.round(v)) for v in shifts[z])
        here = (slice(max(0, -dy), 64 - max(0, dy)), slice(max(0, -dx), 64 - max(0, dx)))
        there = (slice(max(0, dy), 64 + min(0, dy)), slice(max(0, dx), 64 + min(0, dx)))
        a, b = moved.em[z][here].astype(float), still.em[z][there].astype(float)
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.85
        # ids are numbered anew when pieces part, so compare where borders run
        same_moved = moved.seg[z][here][:, 1:] == moved.seg[z][here][:, :-1]
        same_still = still.seg[z][there][:, 1:] == still.seg[z][there][:, :-1]
        assert (same_moved == same_still).mean() > 0.93
