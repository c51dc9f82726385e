"""The rules of neuron tracing: what clicks mean, what is shown, how it is scored."""

from functools import cache

import numpy as np
import pytest

from bcannot_core.errors import TaskError, UsageError, VolumeUnreachableError
from bcannot_core.screen import Marker
from bcannot_core.session import Action, Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.trace_state import Nodes
from bcannot_core.volumes import Contrast, Volume

OUTSIDE = [24, 24, 30]


@cache
def make_grey(shape=(8, 600, 700), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@cache
def make_labels(shape=(8, 600, 700), ends_at=8):
    """One neurite, a disc of radius 20 that drifts by 3 voxels a section, and a neighbour."""
    labels = np.zeros(shape, np.uint32)
    ys, xs = np.indices(shape[1:])
    for z in range(shape[0]):
        labels[z][np.hypot(ys - 300, xs - 420) < 30] = 9
        if z < ends_at:
            labels[z][np.hypot(ys - 300, xs - 350 - 3 * z) < 20] = 7
    return labels


def make_task(grey=None, start=(0, 300, 350), labels=None, voxel_nm=(30, 10, 10), **config):
    volume = Volume.from_array(
        make_grey() if grey is None else grey, voxel_nm=voxel_nm, contrast=Contrast(0, 255)
    )
    if labels is not None:
        labels = Volume.from_array(labels, labels=True, voxel_nm=voxel_nm)
    return NeuronTracing(TracingWorld(volume, start, labels), TracingConfig(**config))


def make_session(*args, **kwargs):
    return Session(make_task(*args, **kwargs))


def click(session, aim):
    return session.apply(session.click_for(aim))


def canvas_of(session):
    return session.frame()[session.screen.layout.canvas.slices]


def test_the_canvas_is_an_exact_copy_around_the_centre():
    grey = make_grey()
    session = make_session(grey)
    expected = np.repeat(grey[0, 172:428, 222:478, None], 3, axis=-1)
    assert (canvas_of(session) == expected).all()


def test_a_start_point_between_voxels_is_rounded():
    grey = make_grey()
    session = make_session(grey, start=(0.4, 299.5, 350.49))
    assert session.task.world.start_zyx == (0, 300, 350)
    assert (canvas_of(session)[..., 0] == grey[0, 172:428, 222:478]).all()


def test_outside_the_volume_the_canvas_has_its_own_colour_and_is_dead():
    grey = make_grey()
    session = make_session(grey, start=(0, 5, 690))
    canvas = canvas_of(session)
    assert (canvas[:123] == OUTSIDE).all()
    assert (canvas[:, 138:] == OUTSIDE).all()
    assert (canvas[123:, :138, 0] == grey[0, :133, 562:]).all()
    before = session.state
    for xy in ((128, 122), (138, 128), (128, 3), (255, 255)):
        assert click(session, xy).action == "none"
    assert session.state is before
    assert click(session, (137, 123)).action == "place"
    assert session.task.nodes_zyx(session.state) == [(0, 0.0, 699.0)]


@pytest.mark.parametrize(
    ("edge", "action"), [(15, "pan"), (16, "place"), (239, "place"), (240, "pan")]
)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_click_near_the_border_pans(edge, action, axis):
    session = make_session()
    xy = (edge, 130) if axis == 0 else (130, edge)
    assert click(session, xy).action == action
    if action == "pan":
        assert session.state.view == (xy[1] - 128, xy[0] - 128)
        assert session.state.nodes.count == 0
        assert session.state.section == 0


@pytest.mark.parametrize(("edge", "moves"), [(63, True), (64, False), (191, False), (192, True)])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_node_near_the_border_becomes_the_centre(edge, moves, axis):
    grey = make_grey()
    session = make_session(grey)
    xy = (edge, 130) if axis == 0 else (130, edge)
    click(session, xy)
    assert session.state.view == ((xy[1] - 128, xy[0] - 128) if moves else (0, 0))
    y, x = session.state.view[0] + 300, session.state.view[1] + 350
    shown = canvas_of(session)[20:100, 20:100, 0]
    assert (shown == grey[0, y - 108 : y - 28, x - 108 : x - 28]).all()


def test_sections_change_one_by_one_up_to_the_ends():
    session = make_session(sections=3)
    assert click(session, "previous_section").action == "none"
    actions = [click(session, "next_section").action for _ in range(3)]
    assert actions == ["next_section", "next_section", "none"]
    assert session.state.section == 2
    assert click(session, "previous_section").action == "previous_section"
    assert session.task.z_of(session.state.section) == 1


@pytest.mark.parametrize(
    ("start_z", "direction", "sections"), [(0, 1, 8), (5, 1, 3), (7, 1, 1), (2, -1, 3), (0, -1, 1)]
)
def test_a_trace_ends_at_the_border_of_the_volume(start_z, direction, sections):
    session = make_session(start=(start_z, 300, 350), direction=direction)
    assert session.task.sections == sections
    for _ in range(20):
        click(session, "next_section")
    assert session.task.z_of(session.state.section) == (7 if direction > 0 else 0)
    assert session.task.content(session.state).progress == 1.0


def test_backwards_the_sections_go_down():
    grey = make_grey()
    session = make_session(grey, start=(5, 300, 350), direction=-1)
    click(session, "next_section")
    assert (canvas_of(session)[..., 0] == grey[4, 172:428, 222:478]).all()
    assert session.task.section_of(4) == 1
    assert session.task.section_of(6) is None


def test_a_second_node_moves_the_first():
    session = make_session()
    click(session, (120, 120))
    assert click(session, (130, 125)).detail == {"z": 0, "node_yx": (297.0, 352.0)}
    assert session.task.nodes_zyx(session.state) == [(0, 297.0, 352.0)]
    outcome = click(session, "undo")
    assert outcome.detail == {"z": 0, "node_yx": (292.0, 342.0), "undone": "place"}


def test_undo_returns_to_the_section_and_view_of_the_edit():
    session = make_session()
    click(session, (30, 128))
    assert session.state.view == (0, -98)
    click(session, "next_section")
    click(session, (3, 128))
    outcome = click(session, "undo")
    assert outcome.detail == {"z": 0, "node_yx": None, "undone": "place"}
    assert (session.state.section, session.state.view) == (0, (0, 0))
    assert click(session, "undo").action == "none"


def test_remove_takes_the_node_of_this_section():
    session = make_session()
    assert click(session, "remove").action == "none"
    click(session, (120, 120))
    click(session, "next_section")
    assert click(session, "remove").action == "none"
    click(session, (120, 120))
    assert click(session, "remove").detail == {"z": 1, "node_yx": None}
    assert [z for z, _, _ in session.task.nodes_zyx(session.state)] == [0]
    click(session, "undo")
    assert [z for z, _, _ in session.task.nodes_zyx(session.state)] == [0, 1]
    assert session.state.edits == 3


def test_done_terminates():
    session = make_session()
    assert click(session, "done").action == "done"
    assert session.terminated
    task = session.task
    assert task.apply(session.state, Action("next_section")) is session.state


def test_an_unknown_action_is_refused():
    task = make_task()
    with pytest.raises(TaskError, match="'paint'"):
        task.apply(task.initial_state(), Action("paint"))


def test_markers_show_the_nodes_of_this_and_the_previous_section():
    session = make_session()
    click(session, (120, 110))
    yellow, blue = (255, 210, 0), (90, 200, 255)
    assert session.task.content(session.state).markers == (Marker(120, 110, 5, yellow),)
    click(session, "next_section")
    assert session.task.content(session.state).markers == (Marker(120, 110, 5, blue, 0.35),)
    click(session, (130, 112))
    markers = session.task.content(session.state).markers
    assert markers == (Marker(120, 110, 5, blue, 0.35), Marker(130, 112, 5, yellow))
    click(session, (10, 128))
    assert session.task.content(session.state).markers[1] == Marker(248, 112, 5, yellow)
    click(session, "next_section")
    click(session, "next_section")
    assert session.task.content(session.state).markers == ()


def test_status_progress_and_disabled_buttons():
    session = make_session(sections=4)
    content = session.task.content(session.state)
    assert content.status == ("section 1/4", "0 nodes")
    assert content.progress == 0.25
    assert content.disabled == {"previous_section"}
    click(session, (120, 120))
    click(session, "next_section")
    content = session.task.content(session.state)
    assert content.status == ("section 2/4", "1 node")
    assert content.disabled == frozenset()
    for _ in range(2):
        click(session, "next_section")
    content = session.task.content(session.state)
    assert content.disabled == {"next_section"}
    assert content.progress == 1.0
    assert make_task(sections=1).content(make_task(sections=1).initial_state()).disabled == {
        "next_section",
        "previous_section",
    }


def test_the_scale_decides_how_far_a_click_reaches():
    session = make_session(voxel_nm=(30, 4, 8), nm_per_px=16.0)
    click(session, (130, 131))
    assert session.task.nodes_zyx(session.state) == [(0, 300 + 3 * 4.0, 350 + 2 * 2.0)]
    assert session.task.node_at(session.state, 0) == (312.0, 354.0)
    assert session.task.node_at(session.state, 1) is None


@pytest.mark.parametrize(
    "change",
    [
        {"sections": 0},
        {"nm_per_px": 0.0},
        {"nm_per_px": float("nan")},
        {"nm_per_px": 2e6},
        {"direction": 2},
        {"variant": "neon"},
    ],
)
def test_a_wrong_configuration_is_refused(change):
    with pytest.raises(UsageError, match=str(next(iter(change.values())))):
        TracingConfig(**change)


@pytest.mark.parametrize(
    "start",
    [(8, 300, 350), (-1, 300, 350), (0, 600, 0), (0, 0, 699.6), (0, float("nan"), 0), (1, 2)],
)
def test_a_start_point_outside_the_volume_is_refused(start):
    with pytest.raises(UsageError, match="start point"):
        make_task(start=start)


def test_labels_of_another_shape_are_refused():
    with pytest.raises(UsageError, match="labels have shape"):
        make_task(labels=make_labels((8, 600, 699)))


def trace(session, offsets):
    """Place a node in each section, off the neurite's reference point by (y, x)."""
    points = session.task.path.points_yx
    for z, offset in enumerate(offsets):
        if offset is not None:
            y, x = points[min(z, len(points) - 1)]
            session.apply(session.click_at((y + offset[0], x + offset[1])))
        click(session, "next_section")


def test_a_perfect_trace_scores_full():
    session = make_session(labels=make_labels())
    trace(session, [(0, 0)] * 8)
    assert not session.task.score(session.state)["success"]
    click(session, "done")
    assert session.task.score(session.state) == {
        "sections": 8,
        "nodes": 8,
        "placements": 8,
        "undos": 0,
        "done": True,
        "success": True,
        "path_sections": 8,
        "skeleton_accuracy": 1.0,
        "coverage": 1.0,
        "first_node_accuracy": 1.0,
        "placement_at_5px": 1.0,
        "placement_at_10px": 1.0,
        "mistakes": 0,
    }


def test_faults_are_scored_each_in_its_own_way():
    session = make_session(labels=make_labels())
    trace(session, [(0, 60), (8, 0), (15, 0), (0, 40), None, (0, 0), (0, 0), (0, 0)])
    score = session.task.score(session.state)
    assert score["skeleton_accuracy"] == 5 / 7
    assert score["coverage"] == 7 / 8
    assert score["first_node_accuracy"] == 0.0
    assert score["placement_at_5px"] == 3 / 7
    assert score["placement_at_10px"] == 4 / 7
    assert score["mistakes"] == 2
    assert not score["success"]


def test_an_undone_mistake_counts_as_a_mistake_alone():
    session = make_session(labels=make_labels())
    session.apply(session.click_at((300, 410)))
    click(session, "undo")
    trace(session, [(0, 0)] * 8)
    click(session, "done")
    score = session.task.score(session.state)
    assert (score["mistakes"], score["undos"], score["placements"]) == (1, 1, 9)
    assert score["first_node_accuracy"] == 0.0
    assert score["skeleton_accuracy"] == 1.0
    assert score["success"]


def test_beyond_the_end_of_the_neurite_nodes_are_wrong():
    session = make_session(labels=make_labels(ends_at=5))
    trace(session, [(0, 0)] * 6)
    score = session.task.score(session.state)
    assert score["path_sections"] == 5
    assert score["coverage"] == 1.0
    assert score["skeleton_accuracy"] == 5 / 6
    assert score["placement_at_5px"] == 5 / 6


def test_an_empty_trace_scores_nothing():
    score = make_session(labels=make_labels()).task.score(make_task().initial_state())
    assert score["skeleton_accuracy"] == score["coverage"] == score["placement_at_5px"] == 0.0
    assert not score["success"]


def test_without_labels_only_done_counts():
    session = make_session()
    assert session.task.score(session.state)["success"] is False
    click(session, "done")
    score = session.task.score(session.state)
    assert score["success"] is True
    assert "skeleton_accuracy" not in score
    with pytest.raises(TaskError, match="no labels"):
        session.task.path  # noqa: B018


def test_layers_show_the_world_and_the_nodes():
    grey, labels = make_grey(), make_labels()
    task = make_task(grey, labels=labels)
    image, truth, start = task.layers()
    assert (np.asarray(image[0]) == grey).all()
    assert (image[2], truth[2], start[2]) == ("image", "labels", "points")
    assert truth[1]["visible"] is False
    assert (np.asarray(truth[0]) == labels).all()
    assert start[0].tolist() == [[0, 300, 350]]
    assert {layer[1]["scale"] for layer in (image, truth, start)} == {(30.0, 10.0, 10.0)}
    assert task.layers(task.initial_state())[2][0].shape == (0, 3)
    session = Session(task)
    click(session, (130, 128))
    assert task.layers(session.state)[2][0].tolist() == [[0, 300, 352]]


def test_a_sampled_task_starts_on_a_neurite():
    grey, labels = make_grey(), make_labels()
    volume = Volume.from_array(grey)
    truth = Volume.from_array(labels, labels=True)
    starts = set()
    for seed in range(8):
        task = NeuronTracing.sample(
            np.random.default_rng(seed), volume=volume, labels=truth, sections=6
        )
        z, y, x = task.world.start_zyx
        assert labels[z, y, x] == task.path.label
        assert task.sections == 6
        starts.add(task.path.label)
    assert starts == {7, 9}
    again = NeuronTracing.sample(np.random.default_rng(7), volume=volume, labels=truth, sections=6)
    assert again.world.start_zyx == task.world.start_zyx


def test_a_known_path_is_cut_to_the_sections_asked_for():
    whole = make_task(labels=make_labels()).path
    world = TracingWorld(make_task().world.volume, (0, 300, 350), path=whole)
    short = NeuronTracing(world, TracingConfig(sections=3)).path
    assert (len(whole), len(short)) == (8, 3)
    assert (short.points_yx == whole.points_yx[:3]).all()
    assert NeuronTracing(world).path is whole
    with pytest.raises(TaskError, match="no labels"):
        NeuronTracing(world, TracingConfig(direction=-1)).path  # noqa: B018


def test_a_sampled_task_without_labels_starts_in_the_middle():
    volume = Volume.from_array(make_grey())
    task = NeuronTracing.sample(np.random.default_rng(0), volume=volume, sections=8, direction=-1)
    assert task.world.start_zyx == (7, 300, 350)
    with pytest.raises(UsageError, match="'colour'"):
        NeuronTracing.sample(np.random.default_rng(0), volume=volume, colour=1)


def test_a_volume_that_fails_for_a_while_stops_nothing():
    class Failing:
        shape, voxel_nm, working = (4, 300, 300), (30.0, 10.0, 10.0), True

        def section_grey(self, z, y0, y1, x0, x1):
            if not self.working:
                raise VolumeUnreachableError("the server does not answer")
            return np.full((y1 - y0, x1 - x0), 10 * z, np.uint8)

    volume = Failing()
    session = Session(NeuronTracing(TracingWorld(volume, (0, 150, 150))))
    session.frame()
    click(session, (128, 128))
    volume.working = False
    click(session, "next_section")
    with pytest.raises(VolumeUnreachableError):
        session.frame()
    click(session, (130, 128))
    volume.working = True
    expected = Session(session.task).screen.draw(session.task.content(session.state))
    assert (session.frame() == expected).all()
    assert session.task.nodes_zyx(session.state) == [(0, 150, 150), (1, 150, 152)]


def test_nodes_share_what_did_not_change():
    nodes = Nodes.empty(1000)
    changed = nodes.set(500, (1, 2)).set(3, (4, 5))
    assert list(changed.items()) == [(3, (4, 5)), (500, (1, 2))]
    assert (nodes.count, changed.count) == (0, 2)
    assert sum(a is not b for a, b in zip(nodes.chunks, changed.chunks, strict=True)) == 2
    assert changed.set(3, None).count == 1
    assert changed.get(-1) is None
    assert changed.get(10_000) is None
