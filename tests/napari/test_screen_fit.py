"""Which frame pixel lies under the mouse, at any size and on any display."""

from hypothesis import given
from hypothesis import strategies as st

from napari_bcannot.screen_fit import Fit

sizes = st.tuples(st.integers(40, 2000), st.integers(40, 2000))
ratios = st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0])
FRAME = (426, 436)


@given(sizes, ratios, st.integers(0, FRAME[0] - 1), st.integers(0, FRAME[1] - 1))
def test_the_middle_of_every_frame_pixel_is_that_pixel(widget, ratio, x, y):
    fit = Fit(FRAME, widget, ratio)
    assert fit.to_frame(*fit.to_widget(x, y)) == (x, y)


@given(sizes, ratios)
def test_the_frame_lies_inside_the_widget_centred_and_in_proportion(widget, ratio):
    fit = Fit(FRAME, widget, ratio)
    (left, top), (width, height) = fit.origin, fit.size
    slack = 1 / ratio + 1e-6
    assert left >= 0
    assert top >= 0
    assert left + width <= widget[0] + slack
    assert top + height <= widget[1] + slack
    assert abs(width / height - FRAME[0] / FRAME[1]) < 1e-6
    assert abs((widget[0] - width) / 2 - left) <= slack
    assert abs((widget[1] - height) / 2 - top) <= slack


@given(sizes, ratios)
def test_points_beside_the_frame_are_no_pixels(widget, ratio):
    fit = Fit(FRAME, widget, ratio)
    (left, top), (width, height) = fit.origin, fit.size
    assert fit.to_frame(left - 0.01, top + height / 2) is None
    assert fit.to_frame(left + width + 0.01, top + height / 2) is None
    assert fit.to_frame(left + width / 2, top - 0.01) is None
    assert fit.to_frame(left + width / 2, top + height + 0.01) is None


@given(sizes, ratios)
def test_little_is_given_up_for_whole_pixels(widget, ratio):
    fit = Fit(FRAME, widget, ratio)
    room = min(widget[0] / FRAME[0], widget[1] / FRAME[1]) * ratio
    assert 0.88 * room <= fit.scale <= room + 1e-9
    left, top = fit.origin
    assert abs(left * ratio - round(left * ratio)) < 1e-6, "on a device pixel"
    assert abs(top * ratio - round(top * ratio)) < 1e-6


def test_nearly_the_frames_size_is_shown_pixel_by_pixel():
    assert Fit(FRAME, (450, 460)).scale == 1.0
    assert Fit(FRAME, (450, 460), 2.0).scale == 2.0
    assert Fit(FRAME, (600, 600)).scale == 600 / 436
    assert not Fit(FRAME, (600, 600)).crisp
    assert Fit(FRAME, (300, 300)).scale < 1
