"""Tabs, items, toggles, side pictures and hints, in every variant and any random one."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import UsageError
from bcannot_core.screen import (
    VARIANTS,
    ButtonSpec,
    Content,
    Rect,
    Screen,
    build_layout,
    get_variant,
    random_variant,
)
from bcannot_core.screen.font import text_mask
from bcannot_core.screen.packing import _Grid
from bcannot_core.screen.sprites import fitted
from bcannot_core.screen.themes import axes_of

WINDOW = Rect(0, 0, 426, 436)
PICTURE = np.full((256, 256), 90, np.uint8)
TEMPLATE = np.full((72, 72), 200, np.uint8)


def make_specs(buttons=5, toggles=0, tabs=0, items=0):
    """Specs as tasks have them: two to navigate, the rest to edit, Done last."""
    edits = ("Undo", "Remove", "Close", "Clear", "Connect")[: max(0, buttons - 3)]
    named = ("+z", "−z")[: max(0, buttons - 1)]
    return (
        *(ButtonSpec(f"tab{i}", f"Tab {i}", kind="tab") for i in range(tabs)),
        *(ButtonSpec(f"band{i}", f"{400 + 50 * i}", kind="toggle") for i in range(toggles)),
        *(ButtonSpec(f"go{i}", label, group="navigation") for i, label in enumerate(named)),
        *(ButtonSpec(label.lower(), label) for label in edits),
        ButtonSpec("done", "Done", "✓"),
        *(
            ButtonSpec(f"item{i}", f"Cell {i + 1}", kind="item", swatch=(250, 40 + 10 * i, 60))
            for i in range(items)
        ),
    )


def make_screen(variant="original", panel_hw=None, hint=False, **counts):
    return Screen(build_layout(make_specs(**counts), variant, panel_hw=panel_hw, hint=hint))


random_variants = st.integers(0, 2**32).map(
    lambda seed: random_variant(np.random.default_rng(seed))
)
any_variant = st.one_of(st.sampled_from(list(VARIANTS.values())), random_variants)
needs = st.one_of(
    st.fixed_dictionaries({"buttons": st.integers(1, 7), "items": st.integers(0, 16)}),
    st.fixed_dictionaries({"buttons": st.integers(1, 7), "tabs": st.integers(0, 8)}),
    st.fixed_dictionaries({"buttons": st.integers(1, 6), "toggles": st.integers(0, 12)}),
    st.fixed_dictionaries(
        {
            "buttons": st.integers(1, 5),
            "tabs": st.integers(0, 5),
            "items": st.integers(0, 10),
            "hint": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {
            "buttons": st.integers(1, 5),
            "items": st.integers(0, 4),
            "hint": st.booleans(),
            "panel_hw": st.sampled_from([(64, 64), (96, 96), (112, 112), (40, 100)]),
        }
    ),
)


def parts_of(layout):
    optional = [rect for rect in (layout.panel, layout.caption, layout.hint) if rect is not None]
    return [layout.canvas, layout.status, layout.progress, *optional, *layout.buttons.values()]


@settings(deadline=None, max_examples=250)
@given(any_variant, needs)
def test_everything_lies_apart_inside_the_window_and_is_clickable(variant, need):
    screen = make_screen(variant, **need)
    layout = screen.layout
    covered = np.zeros((436, 426), dtype=int)
    for rect in parts_of(layout):
        assert WINDOW.covers(rect)
        assert min(rect.w, rect.h) > 0
        covered[rect.slices] += 1
    assert covered.max() == 1
    assert list(layout.buttons) == [spec.id for spec in layout.specs]
    for name, rect in layout.buttons.items():
        assert min(rect.w, rect.h) >= 17
        for xy in (rect.centre, (rect.x, rect.y), (rect.right - 1, rect.bottom - 1)):
            assert screen.hit(*xy) == ("button", name, None)


def test_a_glow_is_cut_off_at_the_edge_of_the_window():
    screen = make_screen("top:light:pill:medium:glow:top", buttons=1, toggles=12)
    assert WINDOW.bottom - screen.layout.canvas.bottom < 6
    assert screen.draw(Content(PICTURE)).shape == (436, 426, 3)


@pytest.mark.parametrize(("buttons", "columns"), [(6, 2), (7, 2), (5, 2), (4, 3)])
def test_a_last_button_alone_in_its_row_fills_the_row(buttons, columns):
    specs = make_specs(buttons=buttons)
    rects = list(_Grid(columns, 20, 4).place_buttons(specs, Rect(10, 20, 122, 0)).values())
    lone = buttons % columns == 1
    assert (rects[-1].x, rects[-1].w) == (10, 122) if lone else rects[-1].w < 122
    assert rects[-1].right <= 132
    assert len({rect.w for rect in rects[:-1]}) == 1


@settings(deadline=None, max_examples=150)
@given(any_variant, needs)
def test_short_labels_stand_whole_on_their_buttons(variant, need):
    layout = make_screen(variant, **need).layout
    for spec in layout.specs:
        beside = 17 if spec.swatch else 0
        text, size = fitted(spec.label, 16, layout.buttons[spec.id].w - beside - 6)
        assert text == spec.label
        assert text_mask(text, size).shape[1] <= layout.buttons[spec.id].w - beside


@pytest.mark.parametrize("variant", VARIANTS)
def test_tabs_stand_above_the_canvas_and_items_below_one_another(variant):
    layout = make_screen(variant, tabs=4, items=6).layout
    for i in range(4):
        assert layout.buttons[f"tab{i}"].bottom < layout.canvas.y
        assert layout.canvas.x <= layout.buttons[f"tab{i}"].x < layout.canvas.right
    items = [layout.buttons[f"item{i}"] for i in range(6)]
    assert len({rect.x for rect in items}) == 1
    assert [rect.y for rect in items] == sorted({rect.y for rect in items})
    assert all(rect.right < layout.canvas.x or rect.x > layout.canvas.right for rect in items)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", ["button", "toggle", "tab", "item"])
def test_states_of_every_kind_look_different(variant, kind):
    specs = (ButtonSpec("a", "Name", "", kind=kind, swatch=(90, 30, 200)), ButtonSpec("b", "B"))
    screen = Screen(build_layout(specs, variant))
    on, off = frozenset({"a"}), frozenset()
    looks = {
        screen.draw(Content(PICTURE, disabled=disabled, pressed=pressed, ticked=ticked))[
            screen.layout.buttons["a"].slices
        ].tobytes()
        for disabled, pressed in ((off, off), (on, off), (off, on))
        for ticked in (off, on)
    }
    assert len(looks) == 6
    rect = screen.layout.buttons["a"]
    fresh = screen.draw(Content(PICTURE))[rect.slices]
    assert (fresh == (90, 30, 200)).all(-1).sum() >= 36


def test_a_caption_and_a_picture_stand_beside_the_canvas():
    screen = make_screen(panel_hw=(72, 72))
    layout = screen.layout
    shown = screen.draw(Content(PICTURE, panel=TEMPLATE, caption="MATCH THIS")).copy()
    assert (shown[layout.panel.slices] == 200).all()
    assert (shown[layout.caption.slices] != screen.theme.background).any()
    assert layout.caption.bottom <= layout.panel.y
    assert (screen.draw(Content(PICTURE))[layout.panel.slices] == screen.theme.track).all()
    coloured = np.dstack([TEMPLATE, TEMPLATE // 2, TEMPLATE // 4])
    shown = screen.draw(Content(PICTURE, panel=coloured))
    assert (shown[layout.panel.slices] == coloured).all()
    assert (shown[layout.caption.slices] == screen.theme.background).all()


def test_a_picture_of_another_size_than_the_room_is_refused():
    with pytest.raises(UsageError, match=r"side panel has \(10, 10\).*room for \(72, 72\)"):
        make_screen(panel_hw=(72, 72)).draw(Content(PICTURE, panel=np.zeros((10, 10), np.uint8)))


def test_panel_and_hint_are_shown_only_where_there_is_room_for_them():
    plain = make_screen()
    content = Content(PICTURE, panel=TEMPLATE, caption="A", hint="Click")
    assert plain.layout.panel is plain.layout.caption is plain.layout.hint is None
    assert (plain.draw(content) == make_screen().draw(Content(PICTURE))).all()
    hinted = make_screen(hint=True)
    assert (hinted.draw(content)[hinted.layout.hint.slices] != hinted.theme.background).any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_hint_stands_at_the_other_end_than_the_status(variant):
    layout = make_screen(variant, hint=True).layout
    above = layout.hint.y < layout.canvas.y
    assert above == (layout.status.y > layout.canvas.y)


names = st.frozensets(st.sampled_from([spec.id for spec in make_specs(5, 2, 2, 3)]))
contents = st.builds(
    Content,
    st.just(PICTURE),
    disabled=names,
    pressed=names,
    ticked=names,
    panel=st.sampled_from([None, TEMPLATE, TEMPLATE // 2]),
    caption=st.sampled_from(["", "MATCH THIS"]),
    hint=st.sampled_from(["", "Click", "Click the next one in the row of colours, then the other"]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(contents, min_size=1, max_size=5), any_variant)
def test_redrawing_what_changed_equals_drawing_afresh(shown, variant):
    options = {"toggles": 2, "tabs": 2, "items": 3, "panel_hw": (72, 72), "hint": True}
    screen = make_screen(variant, **options)
    for content in shown:
        frame = screen.draw(content)
    assert (frame == make_screen(variant, **options).draw(shown[-1])).all()


@given(st.text(alphabet="aWi .1", max_size=40), st.integers(20, 200))
def test_texts_are_made_smaller_then_shortened_until_they_fit(text, width):
    short, size = fitted(text, 18, width)
    assert text_mask(short, size).shape[1] <= width + 2 or len(short) <= 1
    if short != text:
        assert size == 12
        assert short.endswith("…")
        assert text.startswith(short[:-1])


def test_a_list_that_is_far_too_long_is_refused():
    with pytest.raises(UsageError, match="too small"):
        make_screen(items=80)


@given(random_variants)
def test_a_random_variant_is_found_again_by_its_name(variant):
    assert get_variant(variant.name) == variant
    assert not variant.held_out


def test_random_variants_take_every_value_of_every_axis_and_none_held_out():
    rng = np.random.default_rng(0)
    drawn = [axes_of(random_variant(rng)) for _ in range(3000)]
    assert [len(set(values)) for values in zip(*drawn, strict=True)] == [5, 3, 3, 4, 4, 2]
    held_out = {axes_of(variant) for variant in VARIANTS.values() if variant.held_out}
    assert len(held_out) == 3
    assert not held_out & set(drawn)
    assert len(set(drawn)) > 1000


def test_a_spelled_variant_has_its_axes():
    variant = get_variant("left:light:pill:icon:glow:top")
    assert axes_of(variant) == ("left", "light", "pill", "icon", "glow", "top")
    held_out = ":".join(axes_of(VARIANTS["ood_retro_top"]))
    assert get_variant(held_out).held_out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("left:light", "2 parts"),
        ("left:light:pill:icon:glow:middle", "status is 'middle', choose one of top, bottom"),
        ("left:neon:pill:icon:glow:top", "theme is 'neon', choose one of dark, light, retro"),
    ],
)
def test_a_misspelled_variant_is_refused(name, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        get_variant(name)
