"""Moves as clicks: every point of a volume can be reached, and every view returned to."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.tracing_moves import (
    click_all,
    clicks_to_place,
    clicks_to_remove,
    clicks_to_section,
    clicks_to_view,
)


class Blank:
    """A volume of any size that costs nothing."""

    def __init__(self, shape, voxel_nm=(30.0, 10.0, 10.0)):
        self.shape = shape
        self.voxel_nm = voxel_nm

    def section_grey(self, z, y0, y1, x0, x1):
        return np.full((y1 - y0, x1 - x0), 60, np.uint8)


def make_session(shape=(9, 900, 900), start=(2, 450, 450), voxel_nm=(30.0, 10.0, 10.0), **config):
    world = TracingWorld(Blank(shape, voxel_nm), start)
    return Session(NeuronTracing(world, TracingConfig(**config)))


sizes = st.integers(1, 1500)
shares = st.floats(0, 1)


@settings(deadline=None, max_examples=150)
@given(
    height=sizes,
    width=sizes,
    start=st.tuples(shares, shares),
    target=st.tuples(shares, shares),
    scale=st.sampled_from(
        [(10.0, 10.0, 10.0), (10.0, 7.0, 13.0), (20.0, 10.0, 10.0), (4.0, 8.0, 8.0)]
    ),
    wander=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=6),
)
def test_every_point_can_be_placed(height, width, start, target, scale, wander):
    nm_per_px, *voxel_yx = scale
    session = make_session(
        (9, height, width),
        (2, *(int(share * (n - 1)) for share, n in zip(start, (height, width), strict=True))),
        (30.0, *voxel_yx),
        nm_per_px=nm_per_px,
    )
    for xy in wander:
        session.apply(session.click_for(xy))
    z, y, x = 6, target[0] * (height - 1), target[1] * (width - 1)
    outcomes = click_all(session, clicks_to_place(session, (z, y, x)), actor="annotator")
    assert {outcome.action for outcome in outcomes[:-1]} <= {"next_section", "pan"}
    assert outcomes[-1].action == "place"
    placed_y, placed_x = session.task.node_at(session.state, z)
    # Where a pixel is larger than a voxel, the nearest one may lie beyond the border.
    steps = [nm_per_px / size for size in voxel_yx]
    at_border = [
        min(c, n - 1 - c) < step for c, n, step in zip((y, x), (height, width), steps, strict=True)
    ]
    slack = [step * (1.0 if near else 0.5) for step, near in zip(steps, at_border, strict=True)]
    assert abs(placed_y - y) <= slack[0] + 1e-6
    assert abs(placed_x - x) <= slack[1] + 1e-6


@settings(deadline=None, max_examples=150)
@given(
    wander=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=8),
    sections=st.integers(0, 6),
    edit=st.tuples(st.integers(16, 239), st.integers(16, 239)),
)
def test_redo_returns_exactly_in_a_large_volume(wander, sections, edit):
    session = make_session((9, 6000, 6000), (2, 3000, 3000))
    place = session.apply(session.click_for(edit))
    placed = session.state
    session.undo()
    for xy in wander:
        panned = (min(xy[0], 15), xy[1])  # left of the pan margin: never an edit
        session.apply(session.click_for(panned))
    click_all(session, clicks_to_section(session, 2 + sections))
    outcomes = session.redo()
    assert outcomes[-1].detail == place.detail
    assert (session.state.section, session.state.view) == (placed.section, placed.view)
    assert session.state.nodes == placed.nodes
    assert len(outcomes) <= sections + len(wander) + 4


def test_moves_change_nothing_until_they_are_clicked():
    session = make_session()
    before = session.state
    clicks = clicks_to_place(session, (5, 20, 880))
    assert session.state is before
    assert session.clicks == []
    assert clicks[:3] == [session.click_for("next_section")] * 3


def test_a_section_is_reached_by_the_fewest_clicks():
    session = make_session()
    click_all(session, clicks_to_section(session, 6.4))
    assert session.task.z_of(session.state.section) == 6
    assert clicks_to_section(session, 6) == []
    assert clicks_to_section(session, 3) == [session.click_for("previous_section")] * 3


def test_a_point_in_view_needs_no_pan():
    session = make_session()
    assert clicks_to_view(session, (450, 561)) == []
    assert len(clicks_to_view(session, (450, 562))) == 1
    click_all(session, clicks_to_view(session, (100, 100)))
    click = session.click_at((100, 100))
    assert session.apply(click).action == "place"


def test_a_node_is_removed_in_its_own_section():
    session = make_session()
    click_all(session, clicks_to_place(session, (4, 450, 450)))
    click_all(session, clicks_to_section(session, 8))
    with pytest.raises(UsageError, match="no node in section z = 8"):
        clicks_to_remove(session, 8)
    outcomes = click_all(session, clicks_to_remove(session, 4), actor="person", flags=3, ms=50)
    assert outcomes[-1].action == "remove"
    assert session.state.nodes.count == 0
    assert [token.ms for token in session.clicks[-5:]] == [50, 0, 0, 0, 0]
    assert {token.flags for token in session.clicks[-5:]} == {3}


@pytest.mark.parametrize(
    ("zyx", "message"),
    [
        ((1, 450, 450), "z = 1 is not among the sections 2 to 8"),
        ((9, 450, 450), "z = 9"),
        ((3, 905, 450), "outside the volume"),
        ((3, 450, -3), "outside the volume"),
    ],
)
def test_what_cannot_be_reached_is_refused(zyx, message):
    session = make_session()
    with pytest.raises(UsageError, match=message):
        clicks_to_place(session, zyx)


def test_backwards_traces_name_their_sections_in_order():
    session = make_session(direction=-1, sections=50)
    with pytest.raises(UsageError, match="sections 0 to 2"):
        clicks_to_section(session, 3)
    click_all(session, clicks_to_section(session, 0))
    assert session.state.section == 2


def test_only_traces_have_these_moves():
    session = make_session()
    session.task = type("Other", (), {"id": "other"})()
    with pytest.raises(TaskError, match="other is no neuron tracing"):
        clicks_to_section(session, 3)


def test_a_volume_smaller_than_a_pixel_still_has_a_place():
    session = make_session((9, 1, 1), (0, 0, 0), nm_per_px=40.0)
    click_all(session, clicks_to_place(session, (0, 0.4, -0.4)))
    y, x = session.task.node_at(session.state, 0)
    assert math.isclose(y, 0)
    assert math.isclose(x, 0)
