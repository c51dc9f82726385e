"""Worlds of dividing cells: families, movement and pictures."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import UsageError
from bcannot_core.tasks.worlds.cell_lineage import CellLineageConfig, LineageWorld, sample_world
from bcannot_core.tasks.worlds.cell_lineage_picture import LineagePictures
from bcannot_core.tasks.worlds.fluorescence import add_spot, expose, lit_background


def a_world(seed: int = 0, **options: Any) -> LineageWorld:
    return sample_world(np.random.default_rng(seed), CellLineageConfig(**options))


def nearest_px(world: LineageWorld, frame: int) -> float:
    at = world.yx[frame, world.alive(frame)]
    apart = np.sqrt(((at[:, None] - at[None]) ** 2).sum(-1))
    np.fill_diagonal(apart, np.inf)
    return float(apart.min())


@given(
    seed=st.integers(0, 10_000),
    cells=st.integers(2, 16),
    frames=st.integers(10, 24),
    crowding=st.floats(0, 1),
)
@settings(deadline=None, max_examples=60)
def test_a_clone_grows_from_one_cell_to_all(
    seed: int, cells: int, frames: int, crowding: float
) -> None:
    world = a_world(seed, cells=cells, frames=frames, crowding=crowding)
    assert len(world.cells) == 2 * cells - 1
    assert world.alive(0) == [0]
    assert len(world.alive(frames - 1)) == len(world.alive(frames - 2)) == cells
    assert len(world.divisions) == cells - 1
    for cell in world.cells:
        assert 0 <= cell.birth <= cell.last < frames
        if cell.daughters:
            assert cell.last - cell.birth >= 1
            for d in cell.daughters:
                assert world.cells[d].parent == cell.index
                assert world.cells[d].birth == cell.last + 1
                assert world.cells[d].generation == cell.generation + 1
        else:
            assert cell.last == frames - 1


@given(seed=st.integers(0, 10_000), crowding=st.floats(0, 1), motion=st.floats(0, 3))
@settings(deadline=None, max_examples=40)
def test_cells_exist_where_they_live_and_stay_apart(
    seed: int, crowding: float, motion: float
) -> None:
    world = a_world(seed, crowding=crowding, motion=motion)
    for cell in world.cells:
        there = ~np.isnan(world.yx[:, cell.index, 0])
        assert np.flatnonzero(there).tolist() == list(range(cell.birth, cell.last + 1))
    seen = world.yx[~np.isnan(world.yx)]
    assert seen.min() >= 12
    assert seen.max() <= 244
    assert min(nearest_px(world, t) for t in range(1, world.frames)) > 10.1


def test_sisters_are_born_side_by_side_and_move_apart() -> None:
    world = a_world(3)
    for cell in world.divisions:
        a, b = cell.daughters
        birth = cell.last + 1
        apart = np.linalg.norm(world.yx[birth, a] - world.yx[birth, b])
        assert apart == pytest.approx(14.0, abs=0.7)
        middle = (world.yx[birth, a] + world.yx[birth, b]) / 2
        assert np.allclose(middle, world.yx[cell.last, cell.index], atol=3.0)
    a, b = world.cells[0].daughters
    later = min(world.cells[a].last, world.cells[b].last)
    assert np.linalg.norm(world.yx[later, a] - world.yx[later, b]) > 20


def test_debris_keeps_away_from_cells() -> None:
    world = a_world(1, debris=6)
    assert world.debris_yx.shape == (6, 2)
    seen = world.yx[~np.isnan(world.yx[..., 0])]
    apart = np.sqrt(((world.debris_yx[:, None] - seen) ** 2).sum(-1))
    assert apart.min() > 18


def test_nuclei_are_bright_where_the_truth_says() -> None:
    config = CellLineageConfig()
    world = sample_world(np.random.default_rng(5), config)
    pictures = LineagePictures(world, config)
    for frame in (0, 7, 15):
        picture = pictures.grey(frame)
        background = float(np.median(picture))
        for cell in world.alive(frame):
            y, x = (round(c) for c in world.yx[frame, cell])
            assert picture[y - 1 : y + 2, x - 1 : x + 2].mean() > background + 50


def test_a_cell_shines_when_it_divides() -> None:
    config = CellLineageConfig(noise=0.0)
    world = sample_world(np.random.default_rng(5), config)
    pictures = LineagePictures(world, config)
    last = world.cells[0].last
    y, x = (round(c) for c in world.yx[last, 0])
    around = (slice(y - 3, y + 4), slice(x - 3, x + 4))
    assert pictures.grey(last)[around].mean() > 1.25 * pictures.grey(last - 2)[around].mean()


def test_pictures_are_made_once_and_cannot_be_written() -> None:
    config = CellLineageConfig()
    world = sample_world(np.random.default_rng(2), config)
    one, other = LineagePictures(world, config), LineagePictures(world, config)
    late_first = other.grey(9)
    assert (one.all()[9] == late_first).all()
    assert one.grey(3) is one.grey(3)
    with pytest.raises(ValueError, match="read-only"):
        one.grey(3)[0, 0] = 1
    assert (one.grey(3) != one.grey(4)).any()


def test_contrast_and_noise_do_what_they_say() -> None:
    def picture(**options: Any) -> np.ndarray:
        config = CellLineageConfig(**options)
        return LineagePictures(sample_world(np.random.default_rng(4), config), config).grey(6)

    corner = (slice(0, 30), slice(0, 30))
    assert picture(noise=0.0)[corner].std() < 1.0 < picture(noise=1.0)[corner].std()
    assert picture(noise=3.0)[corner].std() > 2 * picture(noise=1.0)[corner].std()
    assert picture(contrast=0.5, noise=0.0).max() < picture(noise=0.0).max()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"cells": 1}, "cells"),
        ({"cells": 2.5}, "cells"),
        ({"frames": 41}, "frames"),
        ({"cells": 16, "frames": 9}, "frames"),
        ({"noise": -0.1}, "noise"),
        ({"contrast": float("nan")}, "contrast"),
        ({"crowding": 1.1}, "crowding"),
        ({"motion": 5.0}, "motion"),
        ({"debris": True}, "debris"),
        ({"variant": "nowhere"}, "nowhere"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        CellLineageConfig(**options)


def test_whole_numbers_may_be_written_with_a_point() -> None:
    one, other = a_world(2, cells=5.0, frames=9.0), a_world(2, cells=5, frames=9)
    assert np.array_equal(one.yx, other.yx, equal_nan=True)


def test_counted_photons_have_the_spread_of_counts() -> None:
    def counts(mean: float, at: int = 1) -> np.ndarray:
        return expose(np.full((256, 256), mean, dtype=np.float32), at, 1.0, 1.0, 0.0)

    for mean in (20.0, 90.0):
        counted = counts(mean)
        assert counted.mean() == pytest.approx(mean, rel=0.02)
        assert counted.var() == pytest.approx(mean, rel=0.1)
    again, other = counts(90.0), counts(90.0, at=123_457)
    assert (counted == again).all()
    assert (counted != other).mean() > 0.9


@pytest.mark.parametrize(("gain", "offset"), [(1.95, 0.0), (2.9, -6.0), (1.0, 40.0)])
def test_photons_become_grey_values_between_black_and_white(gain: float, offset: float) -> None:
    photons = np.linspace(0, 400, 256 * 256, dtype=np.float32).reshape(256, 256)
    right = np.clip(gain * photons + offset, 0, 255)
    picture = expose(photons, 0, 0.0, gain, offset)
    assert np.abs(picture - right).max() < 2.6
    assert abs(float((picture - right).mean())) < 0.8
    assert (picture.min(), picture.max()) == (round(max(offset, 0)), 255)


@pytest.mark.parametrize("yx", [(0.0, 0.0), (255.4, 128.0), (-40.0, 300.0), (100.3, 60.7)])
def test_spots_lie_where_they_belong_and_are_cut_off(yx: tuple[float, float]) -> None:
    photons = np.zeros((256, 256), dtype=np.float32)
    add_spot(photons, yx, 3.0, 10.0)
    if not (0 <= yx[0] < 256 and 0 <= yx[1] < 256):
        assert not photons.any()
        return
    peak = np.unravel_index(int(photons.argmax()), photons.shape)
    assert peak == (round(yx[0]), round(yx[1]))
    assert photons.max() == pytest.approx(10.0, rel=0.05)


def test_light_falls_off_towards_the_corners() -> None:
    light = lit_background(100.0, 0.4)
    assert light[128, 128] == pytest.approx(100.0, rel=0.01)
    assert light[0, 0] == pytest.approx(60.0, rel=0.02)
