"""Several neurites, their branches, and Undo across all of them: no Qt here."""

import numpy as np
import pytest

from bcannot_core.annotators.labels import Flag
from bcannot_core.errors import UsageError
from bcannot_core.sittings import SittingReader
from napari_bcannot.neurites import COLOURS, NeuriteList, Status
from napari_bcannot.nodes import Place, Remove


def names(controller):
    return [one.name for one in controller.neurites]


def put(controller, *zyx):
    controller.edit([Place(one) for one in zyx])


@pytest.fixture
def controller(make_controller, make_trace):
    """A controller with two neurites of three nodes each, the second one active."""
    made = make_controller()
    put(made, (1, 95.0, 85.0))
    put(made, (2, 97.0, 88.0))
    made.begin(make_trace(start=(4, 100, 100)))
    put(made, (5, 101.0, 101.0))
    put(made, (6, 102.0, 102.0))
    return made


def test_neurites_have_names_and_colours_of_their_own(controller):
    first, second = controller.neurites
    assert names(controller) == ["neurite 1", "neurite 2"]
    assert (first.colour, second.colour) == COLOURS[:2]
    assert list(first.trace.nodes) == [0, 1, 2]
    assert list(second.trace.nodes) == [4, 5, 6]
    assert controller.snapshot().neurite == "neurite 2"


def test_undo_goes_back_through_all_neurites_and_redo_forward_again(controller):
    first, second = controller.neurites
    for _ in range(3):
        controller.undo()
    assert names(controller) == ["neurite 1"]
    assert controller.neurites.active is first
    for _ in range(3):
        controller.undo()
    assert first.trace.count == 0
    assert not controller.snapshot().can_undo
    for _ in range(6):
        controller.redo()
    assert not controller.snapshot().can_redo
    assert names(controller) == ["neurite 1", "neurite 2"]
    assert controller.neurites.active is second
    assert list(first.trace.nodes) == [0, 1, 2]
    assert list(second.trace.nodes) == [4, 5, 6]


def test_an_edit_that_was_taken_back_is_a_new_one_after_something_else(controller):
    first = controller.neurites["neurite 1"]
    controller.activate(first)
    controller.edit([Remove(2)])
    controller.undo()
    controller.rename(first, "axon")
    controller.edit([Remove(2)])
    controller.undo()
    assert first.name == "axon"
    assert list(first.trace.nodes) == [0, 1, 2]
    controller.undo()
    assert first.name == "neurite 1"
    controller.redo()
    controller.redo()
    assert first.name == "axon"
    assert list(first.trace.nodes) == [0, 1]


def test_nodes_that_were_deleted_come_back_after_another_start(controller, make_trace):
    second = controller.neurites["neurite 2"]
    controller.edit([Remove(z) for z in (4, 5, 6)])
    controller.begin(make_trace(start=(7, 100, 100)))
    assert names(controller) == ["neurite 1", "neurite 2", "neurite 3"]
    assert len(controller.neurites.skeletons().neurites) == 2
    controller.undo()
    controller.undo()
    assert names(controller) == ["neurite 1", "neurite 2"]
    assert list(second.trace.nodes) == [4, 5, 6]


def test_undo_takes_back_what_was_done_last_in_whichever_neurite(controller):
    first, second = controller.neurites
    controller.activate(first)
    put(controller, (3, 99.0, 91.0))
    controller.activate(second)
    controller.undo()
    assert controller.neurites.active is first
    assert 3 not in first.trace.nodes
    assert second.trace.count == 3


def test_names_colours_and_deletions_are_taken_back(controller):
    first, _ = controller.neurites
    controller.rename(first, "  soma   dendrite ")
    controller.neurites.recolour(first, "#ffffff")
    controller.remove(first)
    assert names(controller) == ["neurite 2"]
    controller.undo()
    assert names(controller) == ["soma dendrite", "neurite 2"]
    controller.undo()
    assert first.colour == COLOURS[0]
    controller.undo()
    assert first.name == "neurite 1"
    for _ in range(3):
        controller.redo()
    assert names(controller) == ["neurite 2"]


def test_names_that_are_taken_or_empty_are_refused(controller):
    first, _ = controller.neurites
    for name in ("neurite 2", " "):
        controller.rename(first, name)
        assert "name" in controller.warnings[-1]
    assert names(controller) == ["neurite 1", "neurite 2"]


def test_deleting_the_active_neurite_leaves_the_one_beside_it(controller):
    controller.remove(controller.neurites.active)
    assert controller.snapshot().neurite == "neurite 1"
    controller.remove(controller.neurites.active)
    assert not controller.snapshot().active
    assert controller.snapshot().can_undo
    controller.undo()
    assert controller.snapshot().neurite == "neurite 1"


def test_a_branch_begins_at_a_node_and_goes_its_own_way(controller):
    parent = controller.neurites.active
    child = controller.branch(-1, 5)
    assert child.parent == ("neurite 2", 5)
    assert list(child.trace.nodes) == [5]
    put(controller, (4, 90.0, 90.0))
    assert parent.trace.count == 3
    controller.rename(parent, "trunk")
    assert child.parent == ("trunk", 5)
    (tree,) = controller.neurites.skeletons(child).neurites
    skeleton = tree.skeleton
    assert tree.name == "trunk"
    assert len(skeleton) == 4
    assert skeleton.parents.tolist() == [-1, 0, 1, 1]
    assert skeleton.zyx_nm[3].tolist() == [4 * 30.0, 900.0, 900.0]
    controller.undo()
    controller.undo()
    controller.undo()
    assert names(controller) == ["neurite 1", "neurite 2"]
    assert controller.neurites.active is parent


def test_branches_where_there_is_no_node_or_no_room_are_refused(controller):
    assert controller.branch(1, 9) is None
    assert "no node" in controller.warnings[-1]
    controller.activate(controller.neurites["neurite 1"])
    assert controller.branch(-1, 0) is None
    assert "volume ends" in controller.warnings[-1]
    assert len(controller.neurites) == 2


def test_each_tree_is_one_skeleton(controller):
    controller.branch(1, 5)
    put(controller, (6, 50.0, 60.0))
    saved = controller.neurites.skeletons(policy="p")
    assert [len(tree) for tree in saved.neurites] == [3, 4]
    assert [(tree.skeleton.parents == -1).sum() for tree in saved.neurites] == [1, 1]
    assert saved.header["policy"] == "p"
    with pytest.raises(UsageError, match="no nodes"):
        NeuriteList().skeletons()


def test_a_moved_branch_keeps_both_nodes(controller):
    child = controller.branch(1, 5)
    put(controller, (5, 140.0, 150.0))
    skeleton = controller.neurites.skeletons(child).neurites[0].skeleton
    assert len(skeleton) == 4
    assert skeleton.parents.tolist() == [-1, 0, 1, 1]
    controller.remove(controller.neurites["neurite 2"])
    assert child.parent is None
    assert [len(tree) for tree in controller.neurites.skeletons().neurites] == [3, 1]
    controller.undo()
    assert child.parent == ("neurite 2", 5)


def test_a_neurite_is_split_in_two_and_put_together_again(controller, pixel_policy):
    whole = controller.neurites["neurite 1"]
    controller.activate(whole)
    rest = controller.split(1)
    assert list(whole.trace.nodes) == [0]
    assert rest.trace.nodes == {1: (95.0, 85.0), 2: (97.0, 88.0)}
    assert rest.status is Status.CHECK
    controller.undo()
    assert list(whole.trace.nodes) == [0, 1, 2]
    assert len(controller.neurites) == 2
    assert controller.split(0) is None
    assert "nothing before it" in controller.warnings[-1]


def test_branches_go_with_the_half_that_has_their_node(controller, tmp_path):
    whole = controller.neurites["neurite 1"]
    controller.activate(whole)
    early = controller.branch(1, 0)
    controller.activate(whole)
    late = controller.branch(1, 2)
    put(controller, (3, 99.0, 92.0))
    controller.record(tmp_path)
    rest = controller.split(1, whole)
    assert (early.parent, late.parent) == (("neurite 1", 0), (rest.name, 2))
    trees = controller.neurites.skeletons().neurites
    assert [len(tree) for tree in trees] == [1, 3, 3]
    records = SittingReader.open(controller.recording).neurites
    number = controller.recorder.number_of(rest)
    assert next(one.facts for one in records if one.facts.name == late.name).parent == (number, 2.0)
    controller.undo()
    assert late.parent == ("neurite 1", 2)
    controller.redo()
    assert late.parent == (rest.name, 2)
    controller.close()


def test_the_list_tells_of_everything_that_happens(make_controller, make_trace):
    told = []
    controller = make_controller()
    neurites = controller.neurites
    for signal in ("added", "removed", "activated", "reopened"):
        getattr(neurites, signal).connect(lambda one, signal=signal: told.append(signal))
    neurites.changed.connect(lambda one, what: told.append(what))
    neurites.clicked.connect(lambda one, token: told.append(f"{one.name}: {token.action}"))
    controller.begin(make_trace(start=(4, 100, 100)))
    assert told == ["added", "activated", "neurite 2: place"]
    told.clear()
    controller.done()
    put(controller, (5, 100.0, 100.0))
    assert told == [
        "neurite 2: done", "status", "reopened", "status",
        "neurite 2: next_section", "neurite 2: place", "neurite 2: previous_section",
    ]  # fmt: skip
    told.clear()
    controller.undo()
    controller.undo()
    assert told == ["neurite 2: undo", "neurite 2: undo", "activated", "removed"]


def test_a_start_point_that_nothing_came_of_is_dropped(make_controller, make_trace):
    controller = make_controller()
    controller.undo()
    controller.begin(make_trace(start=(4, 100, 100)))
    assert len(controller.neurites) == 1
    assert not controller.snapshot().can_redo


def test_another_volume_is_another_sitting(controller, make_trace, make_tube):
    controller.begin(make_trace(tube=make_tube(shape=(5, 100, 120), step_yx=(0, 0))))
    assert names(controller) == ["neurite 3"]
    assert controller.snapshot().sections == 5


def test_nodes_say_who_placed_them(make_controller, make_trace):
    controller = make_controller()
    trace = controller.trace
    xy = trace.session.click_for((128, 128))
    trace.go_to(1)
    trace.click(xy, "policy", 0.4)
    assert trace.node_info(0).actor == "person"
    info = trace.node_info(1)
    assert (info.actor, info.confidence, info.corrects) == ("policy", 0.4, False)
    put(controller, (1, 100.0, 100.0))
    assert trace.node_info(1).corrects
    assert trace.session.clicks[-1].flags == Flag.CORRECTION
    controller.undo()
    assert trace.node_info(1) == info
    controller.redo()
    assert trace.node_info(1).actor == "person"
    controller.undo()
    controller.undo()
    assert trace.node_info(1) is None
    controller.redo()
    assert trace.node_info(1) == info, "a node that is put back is whose it was"
    assert [one.actor for one in trace.node_infos()] == ["person", "policy"]


def test_a_session_is_restored_from_its_clicks(controller, make_trace):
    first, _ = controller.neurites
    controller.activate(first)
    controller.edit([Remove(1)])
    controller.undo()
    copy = make_trace()
    copy.replay(first.trace.session.clicks)
    other = type(controller)()
    other.begin(copy, place_first=False)
    assert copy.nodes == first.trace.nodes
    assert other.snapshot().can_redo
    other.redo()
    assert list(copy.nodes) == [0, 2]
    for _ in range(4):
        other.undo()
    assert copy.count == 0
    assert not other.snapshot().can_undo


@pytest.mark.parametrize("direction", [1, -1])
def test_rows_follow_every_edit(make_trace, direction):
    trace = make_trace(start=(6, 100, 100), direction=direction)
    rng = np.random.default_rng(0)
    expected = {}
    for _ in range(40):
        z = 6 + direction * int(rng.integers(0, trace.sections))
        if z in expected and rng.random() < 0.3:
            trace.remove(z)
            del expected[z]
        else:
            at = (float(rng.integers(40, 160)), float(rng.integers(40, 160)))
            trace.place((z, *at))
            expected[z] = at
        assert trace.nodes == expected
        rows = [(z, *expected[z]) for z in sorted(expected)]
        assert np.allclose(trace.rows, np.reshape(rows, (-1, 3)))
        assert len(trace.node_infos()) == len(expected)
