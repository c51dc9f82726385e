"""The retina: recognising views by their pixels, keeping them in register."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import CheckpointError
from bcannot_core.policy.config import GlanceConfig, PolicyConfig
from bcannot_core.policy.retina import (
    SUMMARY,
    Glimpse,
    Retina,
    View,
    coarse_frame,
    crop,
    glance_inputs,
)
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.volumes import Contrast, Volume

CANVAS = (16, 73, 256, 256)


def make_config(size=32, lags=(1, 2, 3), **values):
    return PolicyConfig(canvas_xywh=CANVAS, glance=GlanceConfig(size=size, lags=lags), **values)


@cache
def make_grey(shape=(6, 700, 700), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


class Looker:
    """A session, and a retina that watches it."""

    def __init__(self, start=(0, 350, 350), grey=None, **config):
        grey = make_grey() if grey is None else grey
        volume = Volume.from_array(grey, voxel_nm=(30, 10, 10), contrast=Contrast(0, 255))
        self.session = Session(NeuronTracing(TracingWorld(volume, start), TracingConfig(**config)))
        self.retina = Retina(make_config())
        self.start = start
        self.arrived = [self.look()]

    def look(self):
        return self.retina.see(self.session.frame())

    def click(self, *aims):
        """Click, look, and return whether the last click brought another view."""
        for aim in aims:
            xy = self.session.click_for(aim)
            self.session.apply(xy)
            self.retina.click(xy)
            self.arrived.append(self.look())
        return self.arrived[-1]

    def register_is_right(self):
        """Whether the register's coordinates are those of the volume, but for the start point."""
        view = self.session.state.view
        return self.retina.offset_xy == (view[1], view[0])


def test_the_canvas_of_these_tests_is_that_of_the_screen():
    rect = Looker().session.screen.layout.canvas
    assert tuple(rect) == CANVAS


def test_the_first_frame_is_an_arrival_and_the_same_frame_again_is_none():
    looker = Looker()
    assert looker.arrived == [True]
    assert looker.look() is False
    assert len(looker.retina.views) == 1


def test_a_node_does_not_make_another_view():
    looker = Looker()
    assert looker.click((120, 130)) is False
    assert looker.click((140, 90)) is False
    assert len(looker.retina.views) == 1
    assert looker.retina.last_click == (140, 90)


def test_every_section_is_a_view_and_going_back_finds_it_again():
    looker = Looker()
    looker.click("next_section", "next_section")
    first_seen = list(looker.retina.views)
    assert looker.arrived == [True, True, True]
    assert looker.click("previous_section") is True
    assert looker.retina.views == [first_seen[1], first_seen[0], first_seen[2]]
    assert looker.click("previous_section") is True
    assert looker.retina.views[0] is first_seen[2]


def test_only_so_many_views_are_remembered():
    looker = Looker(grey=make_grey((12, 300, 300)), start=(0, 150, 150))
    looker.click(*["next_section"] * 11)
    assert len(looker.retina.views) == 9


@pytest.mark.parametrize("aim", [(5, 130), (250, 131), (130, 3), (129, 255), (0, 0)])
def test_a_pan_moves_the_register_and_is_no_arrival(aim):
    looker = Looker()
    assert looker.click(aim) is False
    assert looker.register_is_right()
    assert looker.retina.to_canvas((aim[0], aim[1])) == (128, 128)
    assert looker.retina.focus() == aim


@pytest.mark.parametrize("aim", [(30, 130), (200, 131), (130, 40), (129, 210)])
def test_a_node_that_becomes_the_centre_is_no_arrival_and_undo_neither(aim):
    looker = Looker()
    assert looker.click(aim) is False
    assert looker.register_is_right()
    assert looker.click("undo") is False
    assert looker.register_is_right()
    assert looker.retina.offset_xy == (0, 0)


def test_undo_after_several_moves_goes_back_to_the_view_before_the_node():
    looker = Looker()
    looker.click((30, 130), (250, 140), (130, 5))
    assert looker.register_is_right()
    assert looker.click("undo") is False
    assert looker.register_is_right()
    assert looker.retina.offset_xy == (0, 0)


def test_undo_that_leads_back_to_another_section_and_view_keeps_the_register():
    looker = Looker()
    looker.click((30, 130), "next_section")
    seen = looker.retina.views[1]
    assert looker.click("undo") is True
    assert looker.session.state.section == 0
    assert looker.retina.views[0] is seen
    assert looker.register_is_right()
    assert looker.click((125, 128), "next_section") is True
    assert len(looker.retina.views) == 2
    assert looker.register_is_right()


def test_undo_finds_a_view_that_it_shares_no_pixel_with():
    looker = Looker()
    looker.click((100, 130), (255, 140), (255, 140), (255, 140), "undo")
    assert looker.arrived[1:] == [False] * 5
    assert looker.register_is_right()


def test_a_section_that_was_left_before_a_pan_is_found_again():
    looker = Looker()
    looker.click((128, 128), "next_section", (5, 130))
    first = looker.retina.views[1]
    assert looker.click("previous_section") is True
    assert looker.retina.views[0] is first
    assert looker.register_is_right()


@settings(deadline=None, max_examples=40)
@given(
    aims=st.lists(
        st.one_of(
            st.sampled_from(["next_section", "previous_section", "undo", "remove"]),
            st.tuples(st.integers(0, 255), st.integers(0, 255)),
        ),
        max_size=14,
    )
)
def test_the_register_follows_any_session(aims):
    looker = Looker(sections=4)
    for aim in aims:
        section = looker.session.state.section
        arrived = looker.click(aim)
        assert arrived == (looker.session.state.section != section)
        assert looker.register_is_right()


def test_near_the_border_of_the_volume_too():
    looker = Looker(start=(0, 10, 690))
    assert looker.click((120, 240)) is False  # pans down
    assert looker.register_is_right()
    assert looker.click("next_section") is True
    assert looker.click((110, 20), "undo") is False
    assert looker.register_is_right()


def test_canvases_that_agree_only_outside_the_volume_are_not_the_same():
    config = make_config()
    frame = np.full((436, 426, 3), 24, np.uint8)
    rng = np.random.default_rng(0)
    retina = Retina(config)
    x, y, width, _ = CANVAS
    frame[y : y + 40, x : x + width] = rng.integers(0, 256, (40, width, 1))
    retina.see(frame)
    retina.click((x + 128, y + 20))
    frame[y : y + 40, x : x + width] = rng.integers(0, 256, (40, width, 1))
    assert retina.see(frame) is True
    assert retina.offset_xy == (0, 0)


def test_clicks_beside_the_canvas_are_not_remembered():
    retina = Retina(make_config())
    frame = np.zeros((436, 426, 3), np.uint8)
    retina.click((100, 100))
    retina.see(frame)
    for xy in ((15, 100), (100, 72), (272, 100), (100, 329), (400, 400)):
        retina.click(xy)
    assert retina.last_click is None
    assert retina.focus() == (128, 128)
    retina.click((16, 73))
    assert retina.last_click == retina.views[0].click == (0, 0)


def test_the_focus_is_the_canvas_centre_where_the_last_click_is_out_of_sight():
    looker = Looker()
    looker.click((5, 130))
    looker.click((3, 128), (3, 128))
    looker.retina.last_click = (400, 400)
    x, y = looker.retina.offset_xy
    assert looker.retina.focus() == (x + 128, y + 128)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((436, 427, 3), np.uint8),
        np.zeros((436, 426), np.uint8),
        np.zeros((436, 426, 4), np.uint8),
        np.zeros((436, 426, 3), np.float32),
    ],
)
def test_a_frame_of_another_screen_is_refused_and_changes_nothing(frame):
    looker = Looker()
    views = list(looker.retina.views)
    with pytest.raises(CheckpointError, match="choose a policy for this screen"):
        looker.retina.see(frame)
    assert looker.retina.views == views


# -- what the network sees ---------------------------------------------------------------------


def make_view(seed=0, offset=(0, 0), glimpse=None, click=None):
    grey = np.random.default_rng(seed).integers(0, 256, (256, 256), dtype=np.uint8)
    return View(grey, offset, glimpse, click)


def make_glimpse(origin=(100, 100), size=32, **places):
    """A glimpse without any belief but at some places, named ``x_y``."""
    belief = np.zeros((size, size), np.float32)
    heat = np.full((size, size), -9.0, np.float32)
    for name, value in places.items():
        x, y = (int(part) for part in name.strip("p").split("_"))
        belief[y, x], heat[y, x] = value, np.log(value)
    return Glimpse(origin, belief, heat, 0.8, 0.7)


def test_the_glance_shows_present_and_past_views_in_register():
    glimpse = make_glimpse(origin=(120, 110), p5_6=0.5)
    views = [make_view(0, (10, -20)), make_view(1, (0, 0), glimpse), make_view(2, (30, 5))]
    inputs, origin = glance_inputs(views, (130, 140), make_config())
    assert inputs.shape == (7, 32, 32)
    assert origin == (114, 124)
    for channel, view in enumerate(views):
        x, y = 114 - view.offset_xy[0], 124 - view.offset_xy[1]
        grey = view.grey[y : y + 32, x : x + 32]
        assert inputs[channel] == pytest.approx((grey.astype(float) - 128) / 64)
    assert not inputs[3].any(), "there is no third view before"
    believed = np.zeros((32, 32), np.float32)
    assert (np.argwhere(glimpse.belief) == [[6, 5]]).all()
    # register (125, 116) lies above the glance, which begins at y = 124
    assert (inputs[4] == believed).all()
    glimpse.belief[20, 5] = 0.25
    inputs, _ = glance_inputs(views, (130, 140), make_config())
    believed[110 + 20 - 124, 120 + 5 - 114] = 0.25
    assert (inputs[4] == believed).all()
    assert not inputs[5:].any()


@settings(deadline=None, max_examples=40)
@given(
    corner=st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_crop_fills_what_lies_outside(corner, shape):
    source = np.arange(1, 601, dtype=np.float32).reshape(20, 30)
    out = np.zeros(shape, np.float32)
    crop(source, corner, out, -7)
    padded = np.full((220, 230), -7, np.float32)
    padded[100:120, 100:130] = source
    x, y = corner[0] + 100, corner[1] + 100
    assert (out == padded[y : y + shape[0], x : x + shape[1]]).all()


def test_the_coarse_frame_is_the_mean():
    frame = np.random.default_rng(0).integers(0, 256, (14, 19, 3), dtype=np.uint8)
    expected = frame[:12, :16].reshape(3, 4, 4, 4, 3).astype(float).mean((1, 3))
    assert (coarse_frame(frame, 4) == np.floor(expected)).all()
    assert (coarse_frame(np.full((8, 8, 3), 255, np.uint8), 8) == 255).all()


def test_the_patch_stays_inside_the_frame():
    retina = Retina(make_config())
    frame = np.random.default_rng(0).integers(0, 256, (436, 426, 3), dtype=np.uint8)
    retina.see(frame)
    x, y = CANVAS[0] + 128, CANVAS[1] + 128
    assert (retina.patch(frame) == frame[y - 16 : y + 16, x - 16 : x + 16]).all()
    retina.click((17, 74))
    assert (retina.patch(frame) == frame[74 - 16 : 74 + 16, 1:33]).all()
    retina.offset_xy = (10, 0)
    retina.last_click = (10, 0)
    assert (retina.patch(frame) == frame[73 - 16 : 73 + 16, :32]).all()


def test_a_click_is_disputed_where_nothing_was_believed():
    retina = Retina(make_config())
    glimpse = make_glimpse(p10_10=0.9)
    before = make_view(1, glimpse=glimpse, click=(110, 110))
    retina.views = [make_view(0), before]
    assert not retina.disputed()
    before.click = (111, 110)
    assert retina.disputed()
    before.click = (500, 500)
    assert retina.disputed(), "outside the glance nothing is believed"
    before.click = None
    assert not retina.disputed()
    assert not retina.disputed_here()
    retina.views[0].glimpse, retina.views[0].click = glimpse, (90, 90)
    assert retina.disputed_here()


def test_the_summary_tells_of_the_glimpse_and_the_click():
    retina = Retina(make_config())
    retina.views = [make_view(0)]
    assert not retina.summary(arrived=True).any()
    retina.views[0].glimpse = make_glimpse(p10_10=0.5, p13_14=0.25)
    arrived = retina.summary(arrived=True)
    assert arrived.shape == (SUMMARY,)
    assert arrived.tolist() == pytest.approx(
        [1, 0, 0.5, 0, 0, 0.5, 7.5 / 1024, np.log(4) / 4, np.log(0.7 / 0.3) / 4, 1, 0.5]
    )
    retina.views[0].click = (113, 114)
    clicked = retina.summary(arrived=False)
    assert clicked[:6].tolist() == pytest.approx([0, 1, 0.25, np.log(0.5) / 10, 5 / 16, 0.5])
    retina.views[0].click = (0, 0)
    assert retina.summary(arrived=False)[2:5].tolist() == pytest.approx([0, -1.9306853, 4])
