"""Shapes on the canvas: which pixels they have, and that drawing what changed is enough."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.screen import (
    Box,
    ButtonSpec,
    Content,
    Cross,
    Disc,
    Line,
    Marker,
    Rect,
    Screen,
    Text,
    build_layout,
)
from bcannot_core.screen.painter import ColourCopies, Painter

LAYOUT = build_layout((ButtonSpec("done", "Done"),))
RED, GREEN = (255, 0, 0), (0, 255, 0)
GREY = np.full((64, 80), 90, np.uint8)
COLOURED = np.random.default_rng(0).integers(0, 255, (64, 80, 3)).astype(np.uint8)
FLIPPED = COLOURED[::-1]


def painted(*shapes, picture=GREY):
    frame = np.zeros((64, 80, 3), np.uint8)
    Painter(frame, Rect(0, 0, 80, 64)).paint(picture, shapes)
    return frame


def pixels_of(*shapes):
    ys, xs = np.nonzero((painted(*shapes) != 90).any(-1))
    return set(zip(xs.tolist(), ys.tolist(), strict=True))


def test_a_disc_has_the_pixels_nearest_to_its_centre():
    expected = {
        (x, y) for x in range(80) for y in range(64) if (x - 30) ** 2 + (y - 20) ** 2 < 4.5**2
    }
    assert pixels_of(Disc(30, 20, 4, RED)) == expected
    assert pixels_of(Disc(30, 20, 0, RED)) == {(30, 20)}


@pytest.mark.parametrize("end", [(30, 20), (50, 20), (30, 9), (37, 60), (3, 1), (29, 21)])
def test_a_line_joins_its_ends_without_a_gap(end):
    found = pixels_of(Line(30, 20, *end, RED))
    steps = max(abs(end[0] - 30), abs(end[1] - 20))
    assert {(30, 20), end} <= found
    assert len(found) == steps + 1
    for x, y in found - {end}:
        near = {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)}
        assert len(near & found) >= 2
    assert pixels_of(Line(*end, 30, 20, RED)).issuperset({(30, 20), end})


def test_a_wide_line_is_as_wide_as_asked_for():
    found = pixels_of(Line(20, 30, 60, 30, RED, width=5))
    assert {y for x, y in found if x == 40} == set(range(28, 33))
    assert pixels_of(Line(20, 30, 60, 30, RED)) < found


def test_a_cross_and_a_box_are_one_pixel_wide():
    cross = pixels_of(Cross(20, 20, 3, RED))
    assert cross == {(x, 20) for x in range(17, 24)} | {(20, y) for y in range(17, 24)}
    box = pixels_of(Box(10, 12, 6, 4, RED))
    inside = {(x, y) for x in range(11, 15) for y in range(13, 15)}
    assert box == {(x, y) for x in range(10, 16) for y in range(12, 16)} - inside


@pytest.mark.parametrize("wh", [(1, 1), (1, 5), (5, 1), (2, 2)])
def test_thin_boxes_are_filled(wh):
    assert len(pixels_of(Box(10, 12, *wh, RED))) == wh[0] * wh[1]


@pytest.mark.parametrize("picture", [GREY, 255 - GREY, np.full_like(GREY, 255)])
def test_text_begins_at_x_has_a_dark_rim_and_is_centred_on_y(picture):
    drawn = painted(Text(20, 30, "H", (255, 255, 255)), picture=picture).astype(int)
    letter = np.argwhere((drawn.min(-1) > 245) & (picture < 250)) if picture.max() < 250 else None
    dark = np.argwhere(drawn.max(-1) < 90)
    assert len(dark) > 10
    assert dark[:, 1].min() >= 17
    if letter is not None:
        assert 20 <= letter[:, 1].min() <= 21
        assert abs(letter[:, 0].mean() - 30) <= 0.6


@pytest.mark.parametrize(
    "shape",
    [
        Disc(30, 20, 6, GREEN, 0.35),
        Line(5, 5, 60, 40, GREEN, 0.35, 4),
        Cross(20, 20, 5, GREEN, 0.35),
        Box(3, 3, 30, 20, GREEN, 0.35),
    ],
)
def test_a_translucent_shape_blends_each_pixel_once(shape):
    drawn = painted(shape, picture=COLOURED)
    changed = painted(shape._replace(alpha=1.0), picture=np.zeros_like(GREY))[..., 1] == 255
    alpha = round(0.35 * 256)
    blended = (COLOURED.astype(int) * (256 - alpha) + np.array(GREEN) * alpha + 128) // 256
    assert (drawn == np.where(changed[..., None], blended, COLOURED)).all()


def test_later_shapes_lie_above_earlier_ones():
    drawn = painted(Disc(30, 20, 5, RED), Disc(32, 20, 5, GREEN))
    assert drawn[20, 32].tolist() == [0, 255, 0]
    assert drawn[20, 26].tolist() == [255, 0, 0]
    drawn = painted(Disc(32, 20, 5, GREEN, 0.5), Disc(30, 20, 5, RED))
    assert drawn[20, 32].tolist() == [255, 0, 0]


def test_only_what_changed_is_painted():
    frame = np.zeros((64, 80, 3), np.uint8)
    painter = Painter(frame, Rect(0, 0, 80, 64))
    text = Text(50, 20, "A", GREEN)
    painter.paint(GREY, (text, Disc(30, 20, 5, RED)))
    frame[:] = 7
    painter.paint(GREY, (text, Disc(30, 20, 5, RED)))
    assert (frame == 7).all()
    painter.paint(GREY, (text, Disc(10, 20, 2, RED)))
    gone, drawn = (painted(disc) != 90 for disc in (Disc(30, 20, 5, RED), Disc(10, 20, 2, RED)))
    assert (frame[gone.any(-1)] == 90).all()
    assert (frame[drawn.any(-1)] == RED).all()
    assert (frame[~(gone | drawn).any(-1)] == 7).all()


def test_a_shape_gives_way_to_one_of_another_kind_with_equal_fields():
    frame = np.zeros((64, 80, 3), np.uint8)
    painter = Painter(frame, Rect(0, 0, 80, 64))
    painter.paint(GREY, (Disc(30, 20, 5, RED),))
    painter.paint(GREY, (Cross(30, 20, 5, RED),))
    assert (frame == painted(Cross(30, 20, 5, RED))).all()
    assert (frame != painted(Disc(30, 20, 5, RED))).any()


def test_grey_pictures_that_come_again_are_copied_once():
    copies = ColourCopies(most=2)
    first = copies.of(GREY)
    assert (first == GREY[..., None]).all()
    assert first.shape == (64, 80, 3)
    assert copies.of(GREY) is first
    assert copies.of(COLOURED) is COLOURED
    for _ in range(3):
        other = GREY.copy()
        assert copies.of(other) is copies.of(other)
    assert copies.of(GREY) is not first


def test_turning_back_to_grey_pictures_draws_them():
    screen = Screen(LAYOUT)
    pictures = [np.full((256, 256), 6 * i, np.uint8) for i in range(40)]
    for i in (0, 1, 0, 1, 2, 0, *range(40), 0, 1, 39, 39):
        frame = screen.draw(Content(pictures[i], shapes=(Disc(5, 5, 2, RED),) * (i % 2)))
        assert (frame[LAYOUT.canvas.slices][20:] == 6 * i).all()
        assert tuple(frame[LAYOUT.canvas.y + 5, LAYOUT.canvas.x + 5]) == (
            RED if i % 2 else (6 * i,) * 3
        )


far = st.integers(-30, 110)
colours = st.sampled_from([RED, GREEN, (255, 210, 0)])
alphas = st.sampled_from([1.0, 0.5, 0.3])
shapes = st.one_of(
    st.builds(Disc, far, far, st.integers(0, 9), colours, alphas),
    st.builds(Line, far, far, far, far, colours, alphas, st.integers(1, 5)),
    st.builds(Cross, far, far, st.integers(0, 6), colours, alphas),
    st.builds(Box, far, far, st.integers(1, 30), st.integers(1, 30), colours, alphas),
    st.builds(Text, far, far, st.sampled_from(["A", "node 12", "", "?"]), colours),
)


@st.composite
def histories(draw):
    """Lists of shapes that follow on one another: some gone, some new, some replaced."""
    now = draw(st.lists(shapes, max_size=6))
    out = [(draw(st.sampled_from([0, 1, 2])), tuple(now))]
    for _ in range(draw(st.integers(1, 4))):
        if now and draw(st.booleans()):
            now.pop(draw(st.integers(0, len(now) - 1)))
        if draw(st.booleans()):
            now.insert(draw(st.integers(0, len(now))), draw(shapes))
        out.append((draw(st.sampled_from([0, 0, 0, 1, 2])), tuple(now)))
    return out


@settings(deadline=None, max_examples=150)
@given(histories())
def test_painting_what_changed_equals_painting_afresh(history):
    frame = np.zeros((64, 80, 3), np.uint8)
    painter = Painter(frame, Rect(0, 0, 80, 64))
    pictures = [GREY, COLOURED, FLIPPED]
    for picture, some in history:
        painter.paint(pictures[picture], some)
        assert (frame == painted(*some, picture=pictures[picture])).all()


PICTURES = [np.full((256, 256), 90, np.uint8), np.full((256, 256, 3), 40, np.uint8)]
contents = st.builds(
    Content,
    st.sampled_from(PICTURES),
    st.lists(st.builds(Marker, far, far, st.integers(1, 7), colours, alphas), max_size=2).map(
        tuple
    ),
    shapes=st.lists(shapes, max_size=3).map(tuple),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(contents, min_size=2, max_size=5))
def test_markers_lie_above_shapes_and_nothing_leaves_the_canvas(shown):
    screen = Screen(LAYOUT)
    clean = screen.draw(Content(PICTURES[0])).copy()
    for content in shown:
        frame = screen.draw(content).copy()
        assert (frame == Screen(LAYOUT).draw(content)).all()
        frame[LAYOUT.canvas.slices] = 90
        assert (frame == clean).all()
