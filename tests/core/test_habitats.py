"""Habitats and the camera that films them."""

import numpy as np
import pytest

from bcannot_core.tasks.worlds.camera import Camera
from bcannot_core.tasks.worlds.habitats import HABITATS, clouds, smooth_noise


@pytest.mark.parametrize("name", HABITATS)
def test_habitats_are_pictures_that_vary_and_repeat(name: str) -> None:
    make = HABITATS[name]
    pictures = [make(np.random.default_rng(seed), (120, 120)) for seed in (0, 0, 1)]
    assert pictures[0].shape == (120, 120, 3)
    assert pictures[0].dtype == np.uint8
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] != pictures[2]).any()
    assert pictures[0].std() > 2
    assert 20 < pictures[0].mean() < 235


@pytest.mark.parametrize("name", HABITATS)
def test_habitats_need_not_be_square(name: str) -> None:
    assert HABITATS[name](np.random.default_rng(3), (90, 140)).shape == (90, 140, 3)


def test_noise_is_smooth_between_its_cells() -> None:
    noise = smooth_noise(np.random.default_rng(0), (200, 200), (5, 5))
    assert np.abs(np.diff(noise, axis=0)).max() < 0.1
    assert noise.std() > 0.1
    rough = clouds(np.random.default_rng(0), (200, 200), 5, 5)
    assert np.abs(np.diff(rough, axis=0)).max() > np.abs(np.diff(noise, axis=0)).max()


def filmed(noise: float, contrast: float = 1.0) -> tuple[np.ndarray, Camera]:
    ground = np.random.default_rng(5).integers(0, 256, (300, 310, 3), dtype=np.uint8)
    corners = np.array([[0, 0], [54, 44], [3, 7]])
    return ground, Camera(np.random.default_rng(0), ground, corners, noise, contrast)


def test_a_camera_shows_its_window_of_the_ground() -> None:
    ground, camera = filmed(0.0)
    for frame, (x, y) in enumerate([(0, 0), (54, 44), (3, 7)]):
        window = ground[y : y + 256, x : x + 256]
        shown = camera.develop(frame, camera.background(frame))
        np.testing.assert_array_equal(shown, window)
        assert not shown.flags.writeable
    camera.background(0)[:] = 0
    np.testing.assert_array_equal(camera.background(0), ground[:256, :256])


def test_noise_has_the_strength_asked_for_and_differs_between_frames() -> None:
    _, camera = filmed(8.0)
    grey = np.full((256, 256, 3), 128, np.uint8)
    one, other = (camera.develop(frame, grey).astype(int) for frame in (0, 1))
    assert (one - 128).std() == pytest.approx(8.0, rel=0.05)
    assert (one != other).any()


def test_contrast_pulls_towards_grey() -> None:
    ground, camera = filmed(0.0, 0.5)
    shown = camera.develop(0, camera.background(0))
    assert np.abs(shown - (ground[:256, :256] * 0.5 + 64)).max() <= 1
