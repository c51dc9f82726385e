"""Screens: layouts, hit testing, drawing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import ClickError, UsageError
from bcannot_core.screen import (
    THEMES,
    VARIANTS,
    ButtonSpec,
    Content,
    Marker,
    Rect,
    Screen,
    Variant,
    build_layout,
    get_variant,
)

BUTTONS = (
    ButtonSpec("next_section", "+z", "+z", "navigation"),
    ButtonSpec("previous_section", "−z", "−z", "navigation"),
    ButtonSpec("undo", "Undo", "↶"),
    ButtonSpec("remove", "Remove", "✕"),
    ButtonSpec("done", "Done", "✓"),
)
PICTURES = [
    np.full((256, 256), 90, np.uint8),
    np.add.outer(np.arange(256), np.arange(256)).astype(np.uint8),
    np.stack([np.full((256, 256), c, np.uint8) for c in (10, 120, 240)], axis=-1),
]


def make_screen(variant="original", buttons=BUTTONS):
    return Screen(build_layout(buttons, variant))


def make_content(picture=0, **changes):
    return Content(PICTURES[picture], **changes)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_rectangles_lie_apart_inside_the_window(variant, count):
    buttons = tuple(ButtonSpec(f"b{i}", f"B{i}", "", "navigation") for i in range(count // 2))
    buttons += tuple(ButtonSpec(f"c{i}", f"C{i}") for i in range(count - count // 2))
    layout = build_layout(buttons, variant)
    rects = [layout.canvas, layout.status, layout.progress, *layout.buttons.values()]
    covered = np.zeros((436, 426), dtype=int)
    for rect in rects:
        assert rect.w > 0
        assert rect.h > 0
        assert Rect(0, 0, 426, 436).covers(rect)
        covered[rect.slices] += 1
    assert covered.max() == 1
    assert list(layout.buttons) == [spec.id for spec in buttons]


@pytest.mark.parametrize("variant", VARIANTS)
@settings(deadline=None, max_examples=30)
@given(x=st.integers(0, 425), y=st.integers(0, 435))
def test_hit_names_what_lies_under_a_click(variant, x, y):
    layout = build_layout(BUTTONS, variant)
    hit = make_screen(variant).hit(x, y)
    under = [name for name, rect in layout.buttons.items() if rect.contains(x, y)]
    if hit.kind == "button":
        assert under == [hit.target]
    elif hit.kind == "canvas":
        assert hit.canvas_xy == (x - layout.canvas.x, y - layout.canvas.y)
        assert layout.canvas.contains(x, y)
    else:
        assert not under
        assert not layout.canvas.contains(x, y)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_button_is_hit_up_to_its_edges(variant):
    screen = make_screen(variant)
    for name, rect in screen.layout.buttons.items():
        for xy in (rect.centre, (rect.x, rect.y), (rect.right - 1, rect.bottom - 1)):
            assert screen.hit(*xy).target == name
        assert screen.hit(rect.x, rect.bottom).target != name


@pytest.mark.parametrize("xy", [(-1, 0), (0, -1), (426, 0), (0, 436)])
def test_a_click_outside_the_frame_is_refused(xy):
    with pytest.raises(ClickError, match="outside the frame of 426×436"):
        make_screen().hit(*xy)


def test_variants_differ_along_six_axes():
    axes = ("panel", "theme", "button_style", "button_size", "border", "status")
    for axis in axes:
        assert len({getattr(variant, axis) for variant in VARIANTS.values()}) > 1
    assert next(iter(VARIANTS)) == "original"
    held_out = {name for name, variant in VARIANTS.items() if variant.held_out}
    assert held_out == {"ood_light_left", "ood_retro_top", "ood_light_split"}


def test_any_combination_of_the_axes_can_be_drawn():
    for panel in ("right", "left", "top", "bottom", "split"):
        for size in ("small", "medium", "large", "icon"):
            for status in ("top", "bottom"):
                variant = Variant("mixed", panel, "light", "pill", size, "glow", status)
                frame = make_screen(variant).draw(make_content())
                assert frame.shape == (436, 426, 3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_variant_draws_around_the_canvas(variant):
    chosen = VARIANTS[variant]
    theme = THEMES[chosen.theme]
    screen = make_screen(variant)
    frame = screen.draw(make_content())
    canvas = screen.layout.canvas
    beside = tuple(int(c) for c in frame[canvas.y + 100, canvas.x - 1])
    assert beside == (theme.background if chosen.border == "none" else theme.border)
    assert tuple(frame[0, 0]) == theme.background
    assert (frame[canvas.slices] == 90).all()


def test_a_window_that_is_too_small_is_refused():
    with pytest.raises(UsageError, match="too small"):
        build_layout(BUTTONS, "original", window_wh=(300, 436))
    with pytest.raises(UsageError, match="too small"):
        build_layout(BUTTONS, "split", canvas_hw=(400, 256))


def test_button_ids_must_be_unique():
    with pytest.raises(UsageError, match="not unique"):
        build_layout((*BUTTONS, BUTTONS[0]))


def test_an_unknown_variant_names_the_known_ones():
    with pytest.raises(UsageError, match=r"'neon'.*original"):
        get_variant("neon")


def test_the_same_layout_is_built_once():
    assert build_layout(BUTTONS, "split") is build_layout(list(BUTTONS), VARIANTS["split"])


def test_frames_cannot_be_written_to():
    frame = make_screen().draw(make_content())
    with pytest.raises(ValueError, match="read-only"):
        frame[0, 0] = 0


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(UsageError, match="canvas"):
        make_screen().draw(Content(np.zeros((10, 10), np.uint8)))


def canvas_of(screen, content):
    return screen.draw(content)[screen.layout.canvas.slices].copy()


def test_a_ring_is_one_pixel_wide_and_of_its_colour():
    canvas = canvas_of(make_screen(), make_content(markers=(Marker(100, 60, 5, (255, 210, 0)),)))
    ys, xs = np.nonzero((canvas != 90).any(-1))
    assert (canvas[ys, xs] == (255, 210, 0)).all()
    distance = np.hypot(ys - 60, xs - 100)
    assert ((distance >= 4.5) & (distance < 5.5)).all()
    everywhere = np.hypot(*np.indices((256, 256)) - np.array([60, 100])[:, None, None])
    assert ys.size == ((everywhere >= 4.5) & (everywhere < 5.5)).sum()


def test_blending_is_exact():
    marker = Marker(100, 60, 5, (90, 200, 255), 0.35)
    canvas = canvas_of(make_screen(), make_content(markers=(marker,)))
    alpha = round(0.35 * 256)
    expected = [(90 * (256 - alpha) + c * alpha + 128) // 256 for c in (90, 200, 255)]
    assert canvas[60, 105].tolist() == expected
    assert canvas[60, 100].tolist() == [90, 90, 90]


@settings(deadline=None, max_examples=30)
@given(x=st.integers(-20, 280), y=st.integers(-20, 280))
def test_a_marker_never_leaves_the_canvas(x, y):
    screen = make_screen()
    clean = screen.draw(make_content()).copy()
    frame = screen.draw(make_content(markers=(Marker(x, y, 5, (255, 0, 0)),))).copy()
    outside = np.ones(frame.shape[:2], bool)
    outside[screen.layout.canvas.slices] = False
    assert (frame[outside] == clean[outside]).all()
    assert (screen.draw(make_content()) == clean).all()


def test_buttons_look_disabled_and_pressed():
    screen = make_screen()
    rect = screen.layout.buttons["undo"]
    looks = [
        screen.draw(make_content(disabled=disabled, pressed=pressed))[rect.slices].tobytes()
        for disabled in (frozenset(), frozenset({"undo"}))
        for pressed in (frozenset(), frozenset({"undo"}))
    ]
    assert len(set(looks)) == 3
    assert looks[2] == looks[3]
    assert screen.draw(make_content())[rect.slices].tobytes() == looks[0]


@pytest.mark.parametrize(("fraction", "filled"), [(-1, 0), (0, 0), (0.5, 24), (1, 48), (2, 48)])
def test_the_progress_bar_fills(fraction, filled):
    screen = make_screen()
    frame = screen.draw(make_content(progress=fraction))
    row = frame[screen.layout.progress.slices][4].astype(int)
    full, empty = (np.abs(row - c).sum(-1) for c in (screen.theme.accent, screen.theme.track))
    assert np.flatnonzero(full < empty).tolist() == list(range(filled))


def test_status_parts_stand_apart():
    screen = make_screen()
    rect = screen.layout.status
    both = screen.draw(make_content(status=("section 1/5", "3 nodes")))[rect.slices].copy()
    left = screen.draw(make_content(status=("section 1/5", "")))[rect.slices].copy()
    right = screen.draw(make_content(status=("", "3 nodes")))[rect.slices].copy()
    assert (both[:, :110] == left[:, :110]).all()
    assert (both[:, 120:] == right[:, 120:]).all()
    assert (left != right).any()


def test_a_long_status_is_made_smaller_until_it_fits():
    screen = make_screen()
    slot = screen.layout.status._replace(w=120)
    shown = [
        screen.draw(make_content(status=(text, "")))[slot.slices].copy()
        for text in ("section 1234/5678", "section 1234/5679")
    ]
    assert (shown[0] != shown[1]).any()
    assert (shown[0][:, -4:] == screen.theme.background).all()


names = st.frozensets(st.sampled_from([spec.id for spec in BUTTONS]))
markers = st.lists(
    st.builds(
        Marker,
        st.integers(-8, 263),
        st.integers(-8, 263),
        st.integers(1, 7),
        st.sampled_from([(255, 210, 0), (90, 200, 255)]),
        st.sampled_from([0.35, 1.0]),
    ),
    max_size=3,
).map(tuple)
contents = st.builds(
    Content,
    st.sampled_from(PICTURES),
    markers,
    st.sampled_from([(), ("one",), ("section 12/50", "11 nodes"), ("a much longer text", "b")]),
    st.floats(0, 1),
    names,
    names,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(contents, min_size=1, max_size=6), st.sampled_from(sorted(VARIANTS)))
def test_redrawing_what_changed_equals_drawing_afresh(shown, variant):
    screen = make_screen(variant)
    for content in shown:
        frame = screen.draw(content)
    assert (frame == make_screen(variant).draw(shown[-1])).all()
