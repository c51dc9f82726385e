"""Lanes: neurites under way, with what was believed of them."""

import json

import numpy as np
import pytest

from bcannot_core.policy.config import GlanceConfig
from bcannot_core.policy.retina import OUTSIDE_GREY, SETTLE_LOOKS
from bcannot_core.tasks.neuron_tracing import NODE_RADIUS, PREVIOUS_COLOUR
from bcannot_core.training.lanes import Lane
from bcannot_core.training.tissue import Block

SIZE = 32


def make_block(depth=16, forks_at=None, ends=None):
    """A square neurite 1 that may fork, beside a second one; all sections differ in grey."""
    labels = np.zeros((depth, 90, 90), np.int32)
    labels[: depth if ends is None else ends, 30:50, 30:50] = 1
    if forks_at is not None:
        labels[forks_at:, 38:42, 30:50] = 0
    labels[:, 30:50, 54:74] = 2
    grey = np.random.default_rng(0).integers(0, 256, labels.shape, dtype=np.uint8)
    return Block(grey, labels)


def make_lane(block=None, seed=0, lags=(1, 2, 3), label=None):
    """A lane at the start of a neurite, in section 0 where a label is named."""
    block = make_block() if block is None else block
    lane = Lane(GlanceConfig(size=SIZE, lags=lags), np.random.default_rng(seed))
    lane.start(block, 4)
    if label is not None:
        lane.z, lane.section = block.starts[label][0]
        assert lane.z == 0
        lane.tracked = {lane.section}
        lane.focus = block.reference(0, lane.section, None)
    lane.lasts = 99
    return lane


def see(lane):
    out = np.zeros((lane.config.inputs, SIZE, SIZE), np.float32)
    lane.inputs(out)
    return out


def on(lane, belief=None, click=None, guided=0.0):
    """Let the lane take in an answer, by default a perfect one."""
    target = lane.target()
    belief = target.mask.astype(np.float32) if belief is None else belief
    return lane.advance(belief, click or target.click_yx or (16, 16), target, guided)


def settle(lane, **answer):
    for _ in range(SETTLE_LOOKS - 1):
        assert on(lane, **answer)
    assert lane.z == 0


def test_it_begins_in_the_neurite():
    block = make_block()
    for seed in range(20):
        lane = make_lane(block, seed)
        assert block.sections[(lane.z, *lane.focus)] == lane.section
        assert not see(lane)[1:].any()
    assert {make_lane(block, seed).focus for seed in range(20)} != {(39, 39)}


def test_it_looks_at_the_first_section_several_times():
    lane = make_lane(label=1)
    focus = lane.focus
    for look in range(SETTLE_LOOKS - 1):
        assert on(lane)
        assert (lane.z, lane.focus, len(lane.past)) == (0, focus, 1), look
    assert on(lane)
    assert lane.z == 1


@pytest.mark.parametrize("lags", [(1, 2, 3), (1, 2, 4)])
def test_inputs_are_views_in_register_and_what_was_believed(lags):
    lane = make_lane(label=1, lags=lags)
    lane.marks = False
    settle(lane)
    beliefs, corners = [], []
    for _ in range(5):
        y, x = lane.focus
        belief = lane.target().mask * np.float32(0.5 + 0.1 * lane.z)
        beliefs.insert(0, belief)
        corners.insert(0, (y - 16, x - 16))
        assert on(lane, belief=belief)
        lane.focus = (lane.focus[0] + 1, lane.focus[1] - 2)  # drifts
    seen = see(lane)
    y0, x0 = lane.focus[0] - 16, lane.focus[1] - 16
    window = np.s_[y0 : y0 + SIZE, x0 : x0 + SIZE]
    for i, lag in enumerate((0, *lags)):
        expected = (lane.block.grey[lane.z - lag][window].astype(float) - 128) / 64
        assert seen[i] == pytest.approx(expected)
    for i, lag in enumerate(lags):
        whole = np.zeros((90, 90), np.float32)
        y, x = corners[lag - 1]
        whole[y : y + SIZE, x : x + SIZE] = beliefs[lag - 1]
        assert (seen[4 + i] == whole[window]).all()


def test_the_node_of_the_section_before_is_seen_as_the_screen_draws_it():
    lane = make_lane(label=1)
    lane.marks = True
    settle(lane)
    plain = see(lane)
    assert plain[0, 16, 16 - NODE_RADIUS] == see_grey(lane, 16, 16 - NODE_RADIUS)
    on(lane)
    lane.focus = (lane.focus[0] + 3, lane.focus[1])
    on(lane)
    seen, focus = see(lane), lane.focus
    before = focus[0] - lane.past[0].corner_yx[0], focus[1] - lane.past[0].corner_yx[1]
    for channel, (y, x), z in [(0, (16, 16), lane.z), (1, before, lane.z - 1)]:
        rows, columns = 16 + (16 - y), 16 + (16 - x)
        blended = 0.65 * grey_at(lane, z, rows, columns - NODE_RADIUS) + 0.35 * PREVIOUS_COLOUR[1]
        assert seen[channel, rows, columns - NODE_RADIUS] == pytest.approx((blended - 128) / 64)
    assert lane.past[0].marked
    assert not lane.past[1].marked


def grey_at(lane, z, row, column):
    """The grey of a section under a pixel of the present glance."""
    return float(lane.block.grey[z, lane.focus[0] - 16 + row, lane.focus[1] - 16 + column])


def see_grey(lane, row, column):
    return (grey_at(lane, lane.z, row, column) - 128) / 64


def test_beyond_the_block_it_sees_the_outside():
    lane = make_lane(label=1)
    lane.focus = (2, 40)
    assert see(lane)[0, :14] == pytest.approx((OUTSIDE_GREY - 128) / 64)


# -- targets -------------------------------------------------------------------------------------


def test_the_target_is_the_neurite_under_the_glance():
    lane = make_lane(label=1)
    target = lane.target()
    y0, x0 = lane.focus[0] - 16, lane.focus[1] - 16
    labels = lane.block.label_of[lane.block.sections[0, y0 : y0 + SIZE, x0 : x0 + SIZE]]
    assert (target.mask == (labels == 1)).all()
    assert target.weight.all()
    assert target.present
    assert target.mask[target.click_yx]


def test_a_part_that_was_never_connected_does_not_count():
    labels = np.zeros((12, 60, 60), np.int32)
    labels[:, 20:30, 20:30] = labels[:, 20:30, 34:40] = 1
    lane = make_lane(Block(np.zeros(labels.shape, np.uint8), labels), label=1)
    lane.section = int(lane.block.sections[0, 25, 25])
    lane.tracked = {lane.section}
    lane.focus = (25, 30)
    target = lane.target()
    assert target.mask.sum() == 100
    assert (~target.weight).sum() == 60
    assert not (target.mask & ~target.weight).any()


def test_both_branches_of_a_fork_are_followed():
    lane = make_lane(make_block(forks_at=2), label=1)
    settle(lane)
    on(lane)
    assert len(lane.tracked) == 1
    on(lane)
    assert lane.z == 2
    assert len(lane.tracked) == 2
    assert lane.target().mask.sum() == 2 * 8 * 20


def test_where_the_neurite_ends_nothing_is_present_and_the_lane_ends_soon():
    lane = make_lane(make_block(ends=3), label=1)
    settle(lane)
    for _ in range(3):
        assert on(lane)
    target = lane.target()
    assert not target.present
    assert not target.mask.any()
    assert target.weight.all()
    assert target.click_yx is None
    assert [on(lane) for _ in range(3)] == [True, True, False]
    assert not lane.target().present


def test_a_drifted_glance_has_its_target_where_the_neurite_is():
    lane = make_lane(label=1)
    lane.focus = (40, 28)
    target = lane.target()
    assert target.mask[:, :18].sum() == 0
    assert target.mask[target.click_yx]
    lane.focus = (80, 80)
    assert lane.target().click_yx is None
    assert lane.target().present


# -- steps ---------------------------------------------------------------------------------------


def test_it_ends_with_the_block_its_length_or_after_misses():
    lane = make_lane(label=1)
    settle(lane)
    steps = 0
    while on(lane):
        steps += 1
    assert lane.z == steps == 15

    lane = make_lane(label=1)
    lane.lasts = 4
    settle(lane)
    assert [on(lane) for _ in range(4)] == [True, True, True, False]

    lane = make_lane(label=1, seed=2)
    settle(lane)
    lane.rng = Stubborn()
    kept = [on(lane, click=(0, 0)) for _ in range(3)]
    assert kept == [True, True, False]
    assert lane.missed == 3


class Stubborn:
    """A generator that never helps and is never careless."""

    def random(self):
        return 0.999


class Helpful(Stubborn):
    def random(self):
        return 0.3


def test_a_mistake_stands_and_is_seen_next():
    lane = make_lane(label=1)
    settle(lane)
    lane.rng = Stubborn()
    wrong = np.zeros((SIZE, SIZE), np.float32)
    wrong[3, 4] = 0.75
    y, x = lane.focus[0] - 16, lane.focus[1] - 16
    assert on(lane, belief=wrong, click=(5, 7))
    assert lane.focus == (y + 5, x + 7)
    assert lane.past[0].belief is wrong
    assert lane.section in lane.tracked, "the neurite that it began with stays the target"


@pytest.mark.parametrize(("good", "corrected"), [(False, True), (True, False)])
def test_mistakes_are_corrected_now_and_then_and_nothing_else(good, corrected):
    lane = make_lane(label=1)
    settle(lane)
    lane.rng = Helpful()
    truth = lane.target()
    belief = truth.mask * np.float32(0.9) if good else np.zeros((SIZE, SIZE), np.float32)
    on(lane, belief=belief, click=truth.click_yx)
    expected = truth.mask.astype(np.float32) if corrected else belief
    assert (lane.past[0].belief == expected).all()


def test_the_first_updates_are_guided():
    lane = make_lane(label=1)
    settle(lane)
    lane.rng = Helpful()
    truth = lane.target()
    on(lane, belief=truth.mask * np.float32(0.9), guided=1.0)
    assert (lane.past[0].belief == truth.mask).all()


# -- state ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("advances", [0, 1, SETTLE_LOOKS, SETTLE_LOOKS + 3])
def test_a_restored_lane_goes_on_as_the_first(advances):
    block = make_block(forks_at=5)
    lane = make_lane(block, label=1)
    for _ in range(advances):
        on(lane)
    values, arrays = lane.state()
    values = json.loads(json.dumps(values))
    arrays = {name: array.copy() for name, array in arrays.items()}
    other = Lane(lane.config, np.random.default_rng(77))
    other.restore(values, arrays, block)
    noise = np.random.default_rng(5)
    while True:
        assert (see(lane) == see(other)).all()
        assert lane.target().click_yx == other.target().click_yx
        assert (lane.target().mask == other.target().mask).all()
        belief = noise.random((SIZE, SIZE), dtype=np.float32)
        click = tuple(int(c) for c in noise.integers(0, SIZE, 2))
        kept = on(lane, belief=belief, click=click)
        assert on(other, belief=belief, click=click) == kept
        if not kept:
            break
    assert lane.state()[0] == other.state()[0]
    lane.start(block, 1)
    other.start(block, 1)
    assert lane.state()[0] == other.state()[0]
