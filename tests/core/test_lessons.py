"""Lessons: what sessions tell without labels, and how neurites are followed in them."""

import numpy as np
import pytest
import torch

from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.errors import DatasetError
from bcannot_core.policy.config import GlanceConfig
from bcannot_core.policy.glance import GlanceNet
from bcannot_core.policy.retina import OUTSIDE_GREY, SETTLE_LOOKS
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.tracing_moves import click_all, clicks_to_place, clicks_to_section
from bcannot_core.training.dressing import dressing_of
from bcannot_core.training.lesson_lanes import Hint, LessonLane, is_near, varied
from bcannot_core.training.lesson_losses import known_pixels, lesson_losses
from bcannot_core.training.lessons import Lesson, Mark, corrected_session, lessons_of
from bcannot_core.training.tissue import Block
from bcannot_core.volumes import open_volume

torch.set_num_threads(1)
SIZE = 32


def make_session(path, start=(0, 24, 24), sections=8):
    volume = open_volume(path)
    task = NeuronTracing(TracingWorld(volume, start), TracingConfig(sections=sections))
    return Session(task)


def place(session, z, y, x, actor="person"):
    click_all(session, clicks_to_place(session, (z, y, x)), actor)


def traced(path, x=24, wrong_at=None, done=False, sections=6, go_past=False):
    """A policy's trace; it errs in one section, and a person puts that right."""
    session = make_session(path, (0, 24, x))
    for z in range(sections):
        if z == wrong_at:
            place(session, z, 24, x + 50 if x < 40 else x - 50, "policy")
            place(session, z, 26, x)
        else:
            place(session, z, 24, x, "policy")
    if go_past:
        click_all(session, clicks_to_section(session, sections), "person")
    if done:
        session.apply(session.click_for("done"), "person")
    return episode_of(session)


def lesson(depth=6, size=120, corrected=(), ended=False):
    """A bright square that moves to the right, in a dark picture."""
    grey = np.random.default_rng(0).integers(30, 60, (depth, size, size), dtype=np.uint8)
    marks = []
    for z in range(depth):
        grey[z, 50:70, 40 + 2 * z : 60 + 2 * z] += 150
        node = None if ended and z == depth - 1 else (60, 50 + 2 * z)
        marks.append(Mark(node, ((20, 20),), ((100, 100),), z in corrected))
    return Lesson(grey, tuple(marks))


def hint(**values):
    return Hint(**{"node": (16, 16), "wrong": (), "others": (), "present": True,
                   "corrected": False} | values)  # fmt: skip


# -- what a session tells ------------------------------------------------------------------------


def test_a_correction_tells_where_the_neurite_is_and_where_not(labelled_npz):
    session = corrected_session(traced(labelled_npz, wrong_at=3))
    assert session.nodes == {z: ((2, 0) if z == 3 else (0, 0)) for z in range(6)}
    assert session.wrong == {3: ((0, 50),)}
    assert session.corrections == {3}
    assert session.ended_at is None


def test_sessions_by_hand_hold_no_corrections_of_a_policy(labelled_npz):
    session = make_session(labelled_npz)
    for z in range(3):
        place(session, z, 24, 24)
    assert corrected_session(episode_of(session)).corrections == frozenset()


@pytest.mark.parametrize(("done", "past", "ended"), [(True, True, 6), (True, False, None),
                                                     (False, True, None)])  # fmt: skip
def test_the_end_is_known_where_it_was_seen_and_done_pressed(labelled_npz, done, past, ended):
    episode = traced(labelled_npz, done=done, go_past=past)
    assert corrected_session(episode).ended_at == ended


def test_other_tasks_are_refused():
    other = Episode("colored_dot_tracking", {}, None, "original", 1, ())
    with pytest.raises(DatasetError, match="traces no neurite"):
        corrected_session(other)


def test_a_lesson_shows_the_volume_around_the_nodes(labelled_npz):
    sessions = [corrected_session(traced(labelled_npz, wrong_at=2, done=True, go_past=True))]
    [found] = lessons_of(sessions)
    assert len(found.marks) == len(found.grey) == 8
    assert [mark.node is None for mark in found.marks] == [False] * 6 + [True] * 2
    volume = open_volume(labelled_npz)
    for z, mark in enumerate(found.marks[:6]):
        y, x = mark.node
        seen = volume.section_grey(z, 24, 27, 24, 25)[:, 0]
        up = 2 if z == 2 else 0
        assert found.grey[z, y - up : y - up + 3, x].tolist() == seen.tolist()
    assert found.marks[2].corrected
    assert found.corrections == 1
    [wrong] = found.marks[2].wrong
    assert wrong == (found.marks[2].node[0] - 2, found.marks[2].node[1] + 50)
    assert (found.grey[:, 0] == OUTSIDE_GREY).all()


def test_nodes_of_other_neurites_are_known_not_to_be_this_one(labelled_npz):
    here, there = (corrected_session(traced(labelled_npz, x=x)) for x in (24, 74))
    again = corrected_session(traced(labelled_npz, x=26))
    first, *_ = lessons_of([here, there, again])
    for mark in first.marks:
        assert mark.others == ((mark.node[0], mark.node[1] + 50),)  # not the one 2 px away


def test_a_gap_divides_a_session(labelled_npz):
    session = make_session(labelled_npz)
    for z in (0, 1, 2, 5, 6):
        place(session, z, 24, 24)
    found = lessons_of([corrected_session(episode_of(session))])
    assert [len(one.marks) for one in found] == [3, 2]


# -- lanes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_nodes_move_with_the_picture(seed):
    seen = varied(lesson(), np.random.default_rng(seed))
    for plane, mark in zip(seen.grey, seen.marks, strict=True):
        y, x = mark.node
        inside = plane[y - 4 : y + 5, x - 4 : x + 5].mean()
        assert inside > np.median(plane) + 20


def test_an_ended_neurite_is_not_run_backwards():
    for seed in range(10):
        assert varied(lesson(ended=True), np.random.default_rng(seed)).marks[-1].node is None


def make_lane(seed=0, **values):
    lane = LessonLane(GlanceConfig(size=SIZE, lags=(1, 2, 4)), np.random.default_rng(seed))
    lane.start(lesson(**values), 1.0)
    lane.lasts = 99
    return lane


def answer(lane, off=0):
    """Let the lane take in a click beside the node."""
    found = lane.hint()
    y, x = found.node or (16, 16)
    belief = np.full((SIZE, SIZE), 0.5, np.float32)
    return lane.advance(belief, (min(y + off, SIZE - 1), x), found)


def test_a_lane_looks_several_times_and_then_follows_the_nodes():
    lane = make_lane()
    first = lane.z
    for _ in range(SETTLE_LOOKS - 1):
        assert answer(lane)
        assert lane.z == first
    while answer(lane):
        node = lane.lesson.marks[lane.z].node
        assert np.hypot(*np.subtract(lane.focus, node)) <= 2
    assert lane.z == len(lane.lesson.marks) - 1


def test_errors_are_mostly_put_right_at_the_node():
    moved = settled = 0
    for seed in range(40):
        lane = make_lane(seed)
        while lane.settling:
            answer(lane)
        z = lane.z
        if not answer(lane, off=12):
            continue
        if lane.z == z:
            settled += 1
            assert lane.focus == lane.lesson.marks[z].node
            assert not lane.past
        else:
            moved += 1
    assert settled > moved > 0


def test_lanes_begin_shortly_before_corrections():
    for seed in range(10):
        assert make_lane(seed, depth=20, corrected=(15,)).z in range(11, 15)


@pytest.mark.parametrize(("click", "near"), [((16, 24), True), ((16, 25), False)])
def test_a_click_near_the_node_is_right(click, near):
    assert is_near(click, hint()) is near
    assert not is_near(click, hint(node=None))


# -- losses --------------------------------------------------------------------------------------


def belief(*boxes):
    found = np.full((SIZE, SIZE), 0.05, np.float32)
    for y0, y1, x0, x1 in boxes:
        found[y0:y1, x0:x1] = 0.9
    return found


def test_the_region_believed_in_around_the_node_is_taken_for_the_neurite():
    mask, weight = known_pixels(hint(), belief((10, 20, 10, 20), (25, 30, 25, 30)), SIZE)
    assert mask.sum() == 100
    assert mask[10:20, 10:20].all()
    assert weight[27, 27] == 0  # another region: nothing is known of it
    assert weight[5, 5] == 1


@pytest.mark.parametrize("known", [{"wrong": ((11, 11),)}, {"others": ((11, 11),)}])
def test_a_region_that_holds_what_is_known_to_be_wrong_is_not(known):
    mask, weight = known_pixels(hint(**known), belief((10, 20, 10, 20)), SIZE)
    assert mask[16, 16] == 1
    assert mask[11, 11] == 0
    assert weight[11, 11] > 1
    assert weight[19, 10] == 0


def test_where_the_neurite_has_ended_it_is_nowhere():
    mask, weight = known_pixels(hint(node=None, present=False), belief((0, 9, 0, 9)), SIZE)
    assert not mask.any()
    assert (weight == 1).all()


def test_the_losses_teach_where_to_click_and_where_not():
    torch.manual_seed(0)
    net = GlanceNet(GlanceConfig(size=SIZE, channels=(8, 8, 8)))
    inputs = torch.randn(2, net.config.inputs, SIZE, SIZE)
    hints = [hint(), hint(node=(8, 24), wrong=((24, 8),), corrected=True)]
    beliefs = np.stack([belief((10, 20, 10, 20)), belief()])
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    totals = []
    for _ in range(60):
        output = net(inputs)
        losses = lesson_losses(output, hints, beliefs, 3.0)
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        totals.append(float(losses["total"].detach()))
    assert totals[-1] < 0.6 * totals[0]
    for i, wanted in enumerate(((16, 16), (8, 24))):
        found = divmod(int(output.heat[i].argmax()), SIZE)
        assert np.hypot(*np.subtract(found, wanted)) <= 4
    assert output.belief[1, 24, 8] < output.belief[1, 8, 24]


# -- dressing ------------------------------------------------------------------------------------


def make_block(dark_borders=True):
    labels = np.ones((4, 60, 60), np.int32)
    labels[:, :, 30:] = 2
    grey = np.full(labels.shape, 160 if dark_borders else 60, np.uint8)
    grey += np.random.default_rng(1).integers(0, 9, labels.shape, dtype=np.uint8)
    grey[:, :, 28:32] = 40 if dark_borders else 220
    return Block(grey, labels)


def lined_lesson(bright):
    """Cells with thin borders around the nodes."""
    grey = np.full((4, 120, 120), 70 if bright else 180, np.uint8)
    grey += np.random.default_rng(2).integers(0, 20, grey.shape, dtype=np.uint8)
    for at in range(4, 120, 16):
        grey[:, at : at + 2] = grey[:, :, at : at + 2] = 230 if bright else 30
    return Lesson(grey, tuple(Mark((60, 60)) for _ in range(4)))


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize("dark_borders", [True, False])
def test_dressed_tissue_has_borders_as_the_persons(bright, dark_borders):
    dressing = dressing_of([lined_lesson(bright)])
    block = make_block(dark_borders)
    before = block.grey.copy()
    dressed = dressing.dressed(block, np.random.default_rng(0))
    border, inside = dressed.grey[:, :, 29:31].mean(), dressed.grey[:, :, 5:25].mean()
    assert (border > inside + 20) if bright else (border < inside - 20)
    assert (block.grey == before).all()
    assert dressed.sections is block.sections
