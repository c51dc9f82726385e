"""Worlds of behavioural tracking: how animals move, and their video."""

import numpy as np
import pytest

from bcannot_core.errors import UsageError
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.worlds.animal_behavior_tracking import (
    BehaviorConfig,
    BehaviorWorld,
    sample_world,
)
from bcannot_core.tasks.worlds.behavior_animals import GROUNDS, HABITS, KINDS
from bcannot_core.tasks.worlds.behavior_motion import wander

EACH_KIND = pytest.mark.parametrize("kind", KINDS)


def film(kind: str, seed: int = 0, **options: float | int | str) -> BehaviorWorld:
    return sample_world(np.random.default_rng(seed), BehaviorConfig(kind=kind, **options))


@EACH_KIND
def test_animals_stay_on_the_canvas_and_have_their_length(kind: str) -> None:
    for seed in range(8):
        world = film(kind, seed)
        ends = world.ends_xy
        assert ends.shape == (10, world.animals, 2, 2)
        assert 4 <= world.animals <= 8
        assert ends.min() > 1
        assert ends.max() < 254
        lengths = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
        assert lengths.max() < 1.15 * HABITS[kind].length[1]
        assert lengths.min() > 0.4 * HABITS[kind].length[0]
        assert world.habitat in GROUNDS[kind]


@EACH_KIND
def test_animals_go_forward(kind: str) -> None:
    """The front leads: on the whole animals move the way they face."""
    ends = film(kind, 2, animals=8).ends_xy
    facing = ends[:-1, :, 0] - ends[:-1, :, 1]
    moved = np.diff(ends.mean(axis=2), axis=0)
    assert ((facing * moved).sum(axis=-1) > 0).mean() > 0.85
    steps = np.linalg.norm(moved, axis=-1)
    assert 2 < steps.mean() < 14
    assert steps.max() < 25


@EACH_KIND
def test_numbers_run_from_left_to_right_in_the_first_frame(kind: str) -> None:
    for seed in range(5):
        fronts = film(kind, seed).ends_xy[0, :, 0, 0]
        assert (np.diff(fronts) > -6).all()


def test_ends_of_different_animals_keep_apart() -> None:
    close = 0
    for seed in range(20):
        ends = film("fish", seed, animals=8).ends_xy.reshape(10, 16, 2)
        gaps = np.linalg.norm(ends[:, :, None] - ends[:, None], axis=-1)
        own = np.arange(16) // 2
        close += int((gaps[:, own[:, None] != own[None]] < 5).sum())
    assert close / (20 * 10 * 16) < 0.02


def test_crowding_brings_animals_together() -> None:
    spread = [
        np.mean([film("insect", s, animals=6, crowding=c).ends_xy.std(axis=1).mean()
                 for s in range(6)])
        for c in (0.0, 1.0)
    ]  # fmt: skip
    assert spread[1] < 0.9 * spread[0]


@EACH_KIND
def test_ends_lie_on_the_animals(kind: str) -> None:
    world = film(kind, 3, noise=0.0)
    for frame in (0, 9):
        empty = world.camera.background(frame).astype(int)
        differs = np.abs(world.picture(frame).astype(int) - empty).max(axis=-1) > 10
        for x, y in np.rint(world.ends_xy[frame].reshape(-1, 2)).astype(int):
            assert differs[y - 3 : y + 4, x - 3 : x + 4].any()
        assert 0.01 < differs.mean() < 0.35


@EACH_KIND
def test_pictures_are_drawn_once_and_kept(kind: str) -> None:
    world = film(kind, 1)
    picture = world.picture(2)
    assert world.picture(2) is picture
    assert (picture.shape, picture.dtype) == ((256, 256, 3), np.uint8)
    assert not picture.flags.writeable
    assert (film(kind, 1).picture(2) == picture).all()
    assert (world.picture(3) != picture).any()


def test_bodies_follow_their_heads() -> None:
    axes = wander(np.random.default_rng(0), 5, 12, 50.0, 6.0, 100.0)
    assert axes.shape == (12, 5, 9, 2)
    pieces = np.linalg.norm(np.diff(axes, axis=2), axis=-1)
    np.testing.assert_allclose(pieces, 50 / 8, rtol=0.1)
    heads = np.concatenate([axes[0, :, ::-1], axes[1:, :, 0].transpose(1, 0, 2)], axis=1)
    for animal in range(5):
        gaps = np.linalg.norm(axes[-1, animal][:, None] - heads[animal][None], axis=-1)
        assert gaps.min(axis=1).max() < 5


def test_any_kind_and_number_come_up() -> None:
    worlds = [sample_world(np.random.default_rng(seed), BehaviorConfig()) for seed in range(30)]
    assert {world.kind for world in worlds} == set(KINDS)
    assert {world.animals for world in worlds} == {4, 5, 6, 7, 8}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"kind": "cat"}, "kind is 'cat'"),
        ({"animals": 3}, "animals"),
        ({"animals": 9}, "animals"),
        ({"frames": 0}, "frames"),
        ({"noise": -1.0}, "noise"),
        ({"crowding": 1.5}, "crowding"),
        ({"contrast": 3.0}, "contrast"),
        ({"deformation": -0.1}, "deformation"),
        ({"variant": "no such"}, "no such"),
        ({"colour": 1}, "colour"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        make_task("animal_behavior_tracking", 0, **options)
