"""Worlds of colored dots: curves, characters from folders, and their pictures."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.io import imsave

from bcannot_core.errors import UsageError
from bcannot_core.tasks.worlds.colored_dot_tracking import ColoredDotConfig, make_world
from bcannot_core.tasks.worlds.curves import CURVES, deform, is_closed, resample
from bcannot_core.tasks.worlds.dot_world import DotPictures, DotWorld
from bcannot_core.tasks.worlds.omniglot import find_characters, read_character

STROKES = """START
10.0,-10.0,0.0
50.0,-10.0,40.0
90.0,-10.0,80.0
BREAK
50.0,-10.0,120.0
50.0,-90.0,160.0
BREAK
"""


def world(seed: int = 0, **options: Any) -> DotWorld:
    return make_world(np.random.default_rng(seed), ColoredDotConfig(**options))


def pictures(made: DotWorld, **options: Any) -> DotPictures:
    config = ColoredDotConfig(**options)
    return DotPictures(made, config.background, config.noise, config.sigma_sections)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 1000),
    st.sampled_from(["any", *CURVES]),
    st.integers(2, 40),
    st.integers(1, 40),
    st.floats(0, 2),
)
def test_every_world_lies_in_the_stack(
    seed: int, curve: str, dots: int, sections: int, deformation: float
) -> None:
    made = world(seed, curve=curve, dots=dots, spread=1, sections=sections, deformation=deformation)
    assert dots - 1 <= len(made.dots) <= dots + 1
    assert made.sections == sections
    for dot in made.dots:
        assert 0 <= dot.z < sections
        assert 20 <= dot.x <= 235
        assert 20 <= dot.y <= 235


def test_colours_run_from_blue_to_red() -> None:
    dots = world(5).dots
    names = [dot.colour_name for dot in dots]
    assert list(dict.fromkeys(names)) == ["blue", "cyan", "green", "yellow", "orange", "red"]
    assert dots[0].colour[2] > 0.9 > dots[0].colour[0]
    assert dots[-1].colour[0] > 0.9 > dots[-1].colour[2]
    assert len({dot.colour for dot in dots}) == len(dots)


def test_dots_that_would_melt_lie_in_different_sections() -> None:
    close = 0
    for seed in range(60):
        dots = world(seed).dots
        for i, one in enumerate(dots):
            for other in dots[:i]:
                near = math.dist((one.x, one.y), (other.x, other.y)) < 12
                close += near and abs(one.z - other.z) <= 2
    assert close <= 3


def test_dots_run_up_and_down_through_most_of_the_stack() -> None:
    for seed in range(20):
        depths = [dot.z for dot in world(seed).dots]
        assert max(depths) - min(depths) >= 10
        assert {np.sign(b - a) for a, b in pairwise(depths)} >= {-1, 1}


def test_the_brightest_place_of_the_stack_is_a_dots_own() -> None:
    made = world(2, noise=0.0)
    shown = pictures(made, noise=0.0)
    stack = np.stack([shown.section(z) for z in range(made.sections)]).astype(int)
    assert np.bincount(stack.ravel()).argmax() == round(255 * 0.17)
    for dot in made.dots:
        y, x = round(dot.y), round(dot.x)
        through = stack[:, y, x].max(axis=-1)
        assert through.argmax() == dot.z
        assert through[dot.z] > 150
        channel = int(np.argmax(dot.colour))
        patch = stack[dot.z, y - 3 : y + 4, x - 3 : x + 4, channel]
        assert patch.max() - patch[3, 3] <= 12


def test_background_and_noise_are_those_asked_for() -> None:
    for background, noise in ((0.17, 0.035), (0.4, 0.1)):
        options = {"background": background, "noise": noise}
        corner = pictures(world(0, **options), **options).section(0)[:15, :15].astype(float) / 255
        assert corner.mean() == pytest.approx(background, abs=0.02)
        assert corner.std() == pytest.approx(noise, rel=0.15)


def test_photon_noise_grows_with_the_light() -> None:
    made = world(0, sigma_px=8.0)
    noisy = pictures(made, noise=0.035)
    still = pictures(made, noise=0.0)
    spread = {"dark": [], "bright": []}
    for z in range(made.sections):
        light = still.section(z).astype(float)
        error = noisy.section(z) - light
        spread["bright"].append(error[(light > 110) & (light < 200)])
        spread["dark"].append(error[light < 45])
    bright, dark = (np.concatenate(spread[name]).std() for name in ("bright", "dark"))
    assert bright > 1.3 * dark


def test_the_projection_is_the_maximum_and_pictures_are_drawn_once() -> None:
    made = world(1)
    shown = pictures(made)
    stack = np.stack([shown.section(z) for z in range(made.sections)])
    assert np.array_equal(shown.projection(), stack.max(axis=0))
    assert shown.projection() is shown.projection()
    assert shown.section(3) is shown.section(3)
    assert not shown.section(3).flags.writeable
    assert not shown.projection().flags.writeable


def test_the_same_seed_gives_the_same_pictures() -> None:
    first, again = pictures(world(9)), pictures(world(9))
    assert np.array_equal(first.section(7), again.section(7))
    assert not np.array_equal(first.section(7), pictures(world(10)).section(7))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dots": 41}, "dots is 41"),
        ({"dots": 3.5}, r"dots is 3\.5: give a whole number"),
        ({"dots": True}, "dots is True"),
        ({"dots": 2, "spread": 2}, "spread is 2"),
        ({"noise": float("nan")}, "noise is nan"),
        ({"sections": 0}, "sections is 0"),
        ({"curve": "circle"}, "curve is 'circle'"),
        ({"variant": "blue"}, "variant 'blue'"),
        ({"folder": "/no/such/folder"}, "/no/such/folder is no folder"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        world(**options)


@pytest.mark.parametrize("kind", CURVES)
def test_curves_have_length_and_fit_roughly(kind: str) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        strokes = CURVES[kind](rng)
        every = np.concatenate(strokes)
        assert np.abs(every).max() < 1.8
        assert np.ptp(every, axis=0).max() > 0.5
        bent = deform(strokes, rng, 0.0)
        assert np.allclose(np.concatenate(bent), every)
    assert is_closed(strokes) == (kind in ("heart", "infinity", "flame", "star"))


def test_points_divide_a_curve_by_its_length_across_strokes() -> None:
    strokes = [np.array([[0.0, 0], [2, 0]]), np.array([[5.0, 5], [5, 7], [5, 8]])]
    points = resample(strokes, np.array([0, 0.2, 0.4, 0.6, 1.0, 1.5]))
    assert points.tolist() == [[0, 0], [1, 0], [5, 5], [5, 6], [5, 8], [5, 8]]


def test_strokes_of_a_folder_become_curves(tmp_path: Path) -> None:
    file = tmp_path / "strokes_background" / "Made" / "character01" / "0001_01.txt"
    file.parent.mkdir(parents=True)
    file.write_text(STROKES)
    strokes = read_character(file)
    assert [stroke.tolist() for stroke in strokes] == [
        [[-1, -1], [0, -1], [1, -1]],
        [[0, -1], [0, 1]],
    ]
    made = world(3, folder=str(tmp_path), deformation=0.0, dots=17, spread=0)
    assert made.kind == "0001_01"
    bar = made.dots[:8]
    assert np.ptp([dot.y for dot in bar]) < 1
    assert np.ptp([dot.x for dot in made.dots[9:]]) < 1


def test_pictures_of_a_folder_are_followed_along_their_lines(tmp_path: Path) -> None:
    page = np.full((105, 105), 255, np.uint8)
    page[20:24, 10:90] = 0
    page[20:90, 86:90] = 0
    imsave(tmp_path / "a.png", page, check_contrast=False)
    imsave(tmp_path / "b.png", 255 - page, check_contrast=False)
    assert [path.name for path in find_characters(str(tmp_path))] == ["a.png", "b.png"]
    for name in ("a.png", "b.png"):
        strokes = read_character(tmp_path / name)
        longest = max(strokes, key=len)
        ends = sorted([longest[0].tolist(), longest[-1].tolist()])
        assert ends[0] == pytest.approx([-1, -0.9], abs=0.15)
        assert ends[1] == pytest.approx([1, 0.9], abs=0.15)
        assert np.hypot(*np.diff(longest, axis=0).T).max() < 0.1
    assert len(world(0, folder=str(tmp_path)).dots) >= 14


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "START\n1,2\nBREAK\n", "line 2: '1,2' is neither"),
        ("a.txt", "START\n1,nan,3\nBREAK\n", "line 2: '1,nan,3' is no point"),
        ("a.txt", "START\nBREAK\n", "holds no stroke"),
        ("a.txt", "START\n5,5,0\n5,5,1\nBREAK\n", "holds no stroke"),
        ("a.png", "no picture", "is no picture"),
        ("a.md", "nothing", "holds neither stroke files"),
    ],
)
def test_folders_that_hold_no_characters(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=message):
        world(0, folder=str(tmp_path))
