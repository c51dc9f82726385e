"""Ribbons: curves, textures and how they are drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.tasks.worlds.ribbons import (
    LIGHTS,
    Ribbons,
    curve,
    inks,
    left_of,
    oval,
    paint,
    ribbons,
    samples,
    width_profile,
)


def bar(
    start: tuple[float, float],
    end: tuple[float, float],
    half: float = 5.0,
    colour: tuple[int, int, int] = (200, 100, 50),
    alpha: float = 1.0,
) -> Ribbons:
    along, wide = samples(float(np.hypot(end[0] - start[0], end[1] - start[1]))), samples(2 * half)
    rgb = np.ones((along, wide, 1)) * np.array(colour)
    points = np.array([[[start, end]]], dtype=float)
    texture = inks(rgb, alpha, round_=0.0, lit=0.0)
    return ribbons(points, width_profile(((0, half), (1, half)), along, wide), texture)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 99), st.floats(0, 99)), min_size=2, max_size=6),
    st.booleans(),
)
def test_curves_go_through_their_control_points(
    points: list[tuple[float, float]], smooth: bool
) -> None:
    count = len(points)
    along = 12 * (count - 1) + 1
    line, directions = curve(np.array(points), along, smooth)
    np.testing.assert_allclose(line[::12], points, atol=1e-3)
    lengths = np.hypot(directions[..., 0], directions[..., 1])
    assert (lengths < 1.001).all()


def test_left_is_a_quarter_turn() -> None:
    turned = left_of(np.array([[1, 0], [0, 1]], np.float32))
    np.testing.assert_array_equal(turned, [[0, -1], [1, 0]])


@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 9))
def test_a_bar_covers_its_rectangle_without_holes(angle: float) -> None:
    step = 40 * np.array([np.cos(angle), np.sin(angle)])
    picture = np.zeros((100, 100, 3), np.uint8)
    paint(picture, [bar(tuple(50 - step), tuple(50 + step))], 0, None)
    ys, xs = np.mgrid[:100, :100] + 0.5
    u = ((xs - 50) * step[0] + (ys - 50) * step[1]) / 40
    v = ((xs - 50) * step[1] - (ys - 50) * step[0]) / 40
    inside = (np.abs(u) < 39) & (np.abs(v) < 4)
    outside = (np.abs(u) > 41) | (np.abs(v) > 6)
    assert (picture[inside] == (200, 100, 50)).all()
    assert not picture[outside].any()


def test_a_clear_ribbon_shows_what_is_below() -> None:
    picture = np.full((60, 60, 3), 100, np.uint8)
    paint(picture, [bar((10, 30), (50, 30), colour=(200, 0, 100), alpha=0.5)], 0, None)
    assert np.abs(picture[30, 30].astype(int) - (150, 50, 100)).max() <= 2
    assert (picture[5, 5] == 100).all()


def test_later_ribbons_lie_above() -> None:
    picture = np.zeros((60, 60, 3), np.uint8)
    low, high = bar((10, 30), (50, 30)), bar((30, 10), (30, 50), colour=(1, 2, 3))
    paint(picture, [low, high], 0, None)
    assert picture[30, 30].tolist() == [1, 2, 3]
    assert picture[30, 15].tolist() == [200, 100, 50]


def test_shadows_darken_beside_the_ribbon() -> None:
    picture = np.full((60, 60, 3), 200, np.uint8)
    paint(picture, [bar((10, 20), (50, 20))], 0, (0, 20, 0.5))
    assert np.abs(picture[40, 30].astype(int) - 100).max() <= 2
    assert (picture[55, 30] == 200).all()


@pytest.mark.parametrize("shift", [(-150, 0), (90, 150), (-30, -10), (35, 20)])
def test_what_lies_beyond_the_picture_is_cut_off(shift: tuple[int, int]) -> None:
    whole = np.full((400, 400, 3), 90, np.uint8)
    dx, dy = shift
    paint(whole, [bar((160.3 + dx, 170.2 + dy), (200.3 + dx, 171.9 + dy))], 0, (3, 4, 0.3))
    part = np.full((50, 50, 3), 90, np.uint8)
    paint(part, [bar((10.3 + dx, 20.2 + dy), (50.3 + dx, 21.9 + dy))], 0, (3, 4, 0.3))
    differ = (part != whole[150:200, 150:200]).any(axis=-1)
    assert differ.mean() < 0.002, "but for the rounding of single subpixels"
    assert (part != 90).any() == (abs(dx) < 40)


def test_the_side_towards_the_light_is_brighter() -> None:
    texture = inks(np.full((8, 9, 3), 120.0), lit=0.3)
    bytes_ = texture.view(np.uint8).reshape(LIGHTS, 8, 9, 4).astype(int)
    assert (bytes_[-1, :, -1, 0] > bytes_[-1, :, 0, 0]).all()
    assert (bytes_[0, :, -1, 0] < bytes_[0, :, 0, 0]).all()
    assert (bytes_[..., 3] == 255).all()


def test_ovals_are_closed_at_their_ends() -> None:
    shape = oval(31, 9, 7.0)
    assert np.abs(shape[[0, -1]]).max() == 0
    assert shape.max() == pytest.approx(7.0)
    assert shape.min() == pytest.approx(-7.0)
