"""Worlds of limb tracking: animals, their keypoints and their video."""

import numpy as np
import pytest

from bcannot_core.errors import UsageError
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.worlds.animal_limb_tracking import LimbConfig, LimbWorld, sample_world
from bcannot_core.tasks.worlds.limb_anatomy import FRAMES, SPECIES
from bcannot_core.tasks.worlds.limb_animals import GROUNDS

EACH_SPECIES = pytest.mark.parametrize("species", SPECIES)


def film(species: str, seed: int = 0, **options: float | int | str) -> LimbWorld:
    return sample_world(np.random.default_rng(seed), LimbConfig(species=species, **options))


@EACH_SPECIES
def test_keypoints_stay_on_the_canvas(species: str) -> None:
    for seed in range(12):
        world = film(species, seed)
        points = world.animal.points_xy
        assert points.shape == (FRAMES[species], world.animal.anatomy.count, 2)
        assert points.min() > 2
        assert points.max() < 253
        assert world.habitat in GROUNDS[species]


@EACH_SPECIES
def test_animals_move_smoothly(species: str) -> None:
    for seed in range(6):
        steps = np.linalg.norm(np.diff(film(species, seed).animal.points_xy, axis=0), axis=-1)
        assert steps.mean() > 0.4
        assert steps.max() < 60


@EACH_SPECIES
def test_keypoints_lie_on_the_animal(species: str) -> None:
    """Around most of them the picture differs from the habitat alone."""
    world = film(species, 3, noise=0.0)
    for frame in (0, world.frames - 1):
        empty = world.camera.background(frame).astype(int)
        differs = np.abs(world.picture(frame).astype(int) - empty).max(axis=-1) > 12
        on = 0
        for x, y in np.rint(world.animal.points_xy[frame]).astype(int):
            on += bool(differs[y - 2 : y + 3, x - 2 : x + 3].any())
        assert on >= 0.9 * world.animal.anatomy.count
        assert 0.005 < differs.mean() < 0.4


@EACH_SPECIES
def test_pictures_are_drawn_once_and_kept(species: str) -> None:
    world = film(species, 1)
    picture = world.picture(2)
    assert world.picture(2) is picture
    assert (picture.shape, picture.dtype, picture.flags.writeable) == (
        (256, 256, 3),
        np.uint8,
        False,
    )
    assert (world.picture(3) != picture).any()
    assert (film(species, 1).picture(2) == picture).all()


@EACH_SPECIES
def test_size_and_vigour_do_what_they_say(species: str) -> None:
    small, large = (film(species, 2, size=size).animal.points_xy[0] for size in (0.5, 1.0))
    assert np.ptp(small, axis=0).max() < 0.7 * np.ptp(large, axis=0).max()
    calm, lively = (film(species, 2, deformation=v).animal.points_xy for v in (0.2, 1.0))

    def articulation(points: np.ndarray) -> float:
        gaps = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
        return float(gaps.std(axis=0).mean())

    assert articulation(calm) < articulation(lively)


def test_limbs_of_a_spider_keep_their_feet_on_the_ground_in_turns() -> None:
    world = film("spider", 4)
    anatomy = world.animal.anatomy
    feet = [k for k, name in enumerate(anatomy.names) if name.endswith("foot")]
    assert len(feet) == 8
    moved = np.linalg.norm(np.diff(world.animal.points_xy[:, feet], axis=0), axis=-1)
    standing = moved < 0.2
    assert 0.4 < standing.mean() < 0.7
    assert standing.any(axis=1).all()


def test_a_snake_follows_its_own_path() -> None:
    world = film("snake", 5)
    points = world.animal.points_xy + world.animal.travel_xy[:, None]
    assert np.linalg.norm(points[0, 3:8] - points[0, 2:7], axis=-1).std() < 3
    body = points[0]
    later = points[10, 4:]
    gaps = np.linalg.norm(later[:, None] - body[None], axis=-1).min(axis=1)
    assert gaps.mean() < 12


def test_wings_are_mirrored_when_the_bird_does_not_lean() -> None:
    world = film("bird", 6)
    names = world.animal.anatomy.names
    at = {name: world.animal.points_xy[:, k] for k, name in enumerate(names)}
    spans = [np.linalg.norm(at[f"Wing {s} tip"] - at[f"Wing {s} shoulder"], axis=-1) for s in "LR"]
    assert np.ptp(spans[0]) > 5
    assert np.abs(spans[0].mean() - spans[1].mean()) < 25


def test_any_species_comes_up() -> None:
    kinds = [sample_world(np.random.default_rng(seed), LimbConfig(frames=2)) for seed in range(24)]
    assert {world.animal.anatomy.species for world in kinds} == set(SPECIES)
    assert {world.frames for world in kinds} == {2}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"species": "cat"}, "species is 'cat'"),
        ({"frames": -1}, "frames"),
        ({"frames": 2.5}, "frames"),
        ({"noise": 100.0}, "noise"),
        ({"contrast": 0.0}, "contrast"),
        ({"deformation": 9.0}, "deformation"),
        ({"size": 2.0}, "size"),
        ({"variant": "no such"}, "no such"),
        ({"colour": 1}, "colour"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        make_task("animal_limb_tracking", 0, **options)
