"""A policy traces in a real viewer, off the GUI thread, with a person in between."""

import threading
import time

import numpy as np
import pytest

from bcannot_core.errors import CheckpointError, VolumeUnreachableError
from napari_bcannot.compat import camera

pytestmark = pytest.mark.gui


def full_path(desk, sections):
    return {z: desk.tube.at(z) for z in range(sections)}


def test_start_traces_to_done_and_the_viewer_follows(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=6, show=True)
    desk.pick()
    desk.press("start")
    desk.until_phase("finished")
    assert desk.snapshot.nodes == full_path(desk, 6)
    assert desk.viewer.dims.current_step[0] == 5
    desk.check_layers()
    assert "Done by the policy" in desk.widget.view.status.text()
    assert "confidence 0.75" in desk.widget.view.status.text()
    current = (desk.points.data[:, 0] == 5).argmax()
    colours = desk.points.border_color
    assert not np.allclose(colours[current], colours[0]), "the current node is not highlighted"


def test_the_policy_works_on_another_thread_and_the_window_keeps_painting(make_desk, pixel_policy):
    threads = set()
    propose = pixel_policy.propose

    def slow(frame):
        threads.add(threading.current_thread() is threading.main_thread())
        time.sleep(0.05)
        return propose(frame)

    pixel_policy.propose = slow
    desk = make_desk(policy=pixel_policy, sections=6)
    desk.pick()
    beats = []
    from qtpy.QtCore import QTimer

    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(desk.snapshot.section))
    timer.start(10)
    desk.press("start")
    desk.until_phase("finished")
    timer.stop()
    assert threads == {False}
    assert len(set(beats)) >= 5, "the window saw hardly any of the sections go by"


def test_pause_step_and_stop(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=8)
    desk.pick()
    desk.key("J")
    desk.until_phase("paused")
    assert desk.actions[1:] == [("policy", "next_section")]
    desk.key("K")
    desk.until(lambda: len(desk.actions) > 4)
    desk.key("K")
    assert desk.snapshot.phase == "paused"
    count = len(desk.actions)
    desk.qtbot.wait(150)
    assert len(desk.actions) == count, "the policy went on while paused"
    desk.press("stop")
    assert desk.snapshot.phase == "manual"
    desk.press("start")
    desk.until_phase("finished")
    assert desk.snapshot.nodes == full_path(desk, 8)


def test_a_person_corrects_while_the_policy_runs_and_it_goes_on_from_there(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=8)
    desk.pick()
    acted = threading.Event()
    propose, made = pixel_policy.propose, []

    def gated(frame):
        made.append(len(made))
        if len(made) > 4:
            acted.wait(20)  # it is at work, however quick it is
        return propose(frame)

    pixel_policy.propose = gated
    desk.press("start")
    desk.until(lambda: len(made) > 4 and desk.viewer.dims.current_step[0] == desk.snapshot.z >= 2)
    desk.click((150, 150))
    assert ("person", "place") in desk.actions[1:]
    acted.set()
    desk.until_phase("finished")
    trusted = [click for what, click in pixel_policy.log if what == "trust"]
    assert len(trusted) >= 2, "the policy was not told what the person did"
    assert desk.snapshot.nodes == full_path(desk, 8)
    desk.check_layers()


def test_nothing_is_changed_under_a_node_that_is_being_dragged(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=4)
    desk.pick()
    desk.points.mode = "select"
    pause = threading.Event()
    propose = pixel_policy.propose

    def gated(frame):
        pause.wait(10)
        return propose(frame)

    pixel_policy.propose = gated
    desk.press("start")
    counts = []

    def while_dragging():
        pause.set()
        desk.qtbot.wait(200)
        counts.append(len(desk.actions))

    y, x = desk.tube.at(0)
    desk.drag((y, x), (y + 40, x + 40), before_release=while_dragging)
    assert counts == [1], "the policy's click was made in the middle of a drag"
    desk.until_phase("finished")
    assert desk.actions[1] == ("person", "place")
    assert desk.snapshot.nodes == full_path(desk, 4)
    desk.check_layers()


def test_a_person_who_moves_on_pauses_the_policy(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=6)
    desk.pick()
    desk.press("start")
    desk.until(lambda: desk.snapshot.z >= 2)
    desk.viewer.dims.set_current_step(0, 1)
    assert desk.snapshot.phase == "paused"
    assert desk.snapshot.z == 1
    desk.press("start")
    desk.until_phase("finished")
    assert desk.snapshot.nodes == full_path(desk, 6)


def test_undo_takes_back_the_policys_clicks_too(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=5)
    desk.pick()
    desk.press("start")
    desk.until_phase("finished")
    for _ in range(5):
        desk.key("Z", "Control")
    assert desk.snapshot.nodes == {}
    for _ in range(5):
        desk.key("Z", "Control Shift")
    assert desk.snapshot.nodes == full_path(desk, 5)
    desk.check_layers()


def test_the_heatmap_lies_over_what_the_policy_considered(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=6)
    desk.pick()
    desk.click((110, 100))  # off the neurite: the policy will put it right
    heat = desk.widget.binding.heat
    before = desk.viewer.dims.range[2]
    assert not heat.visible
    desk.widget.view.heatmap.setChecked(True)
    desk.press("step")
    desk.until_phase("paused")
    assert heat.visible
    hot = np.argwhere(np.asarray(heat.data) == 1.0)[0]
    world = heat.data_to_world(hot)
    assert np.allclose(world, desk.world((0, *desk.tube.at(0))), atol=5.0)
    assert [str(unit) for unit in heat.units] == [str(unit) for unit in desk.layer.units]
    assert desk.viewer.dims.range[2] == before, "the overlay makes the viewer's world larger"
    desk.press("start")
    desk.until_phase("finished")
    assert desk.snapshot.nodes == full_path(desk, 6)
    assert ("person", "previous_section") not in desk.actions
    desk.widget.view.heatmap.setChecked(False)
    assert not heat.visible
    assert desk.viewer.layers.selection.active == desk.points


def test_the_view_follows_a_trace_that_leaves_it(make_desk, make_tube, pixel_policy):
    tube = make_tube(shape=(6, 300, 700), step_yx=(0, 60), first_yx=(150, 130))
    desk = make_desk(tube, policy=pixel_policy)
    desk.pick()
    camera(desk.viewer).center = (0.0, *desk.world((0, *tube.at(0)))[1:])
    desk.press("start")
    desk.until_phase("finished")
    assert desk.snapshot.nodes == full_path(desk, 6)
    centre_x = camera(desk.viewer).center[-1] / desk.layer.scale[2]
    assert abs(centre_x - tube.at(5)[1]) <= 128


def test_removing_the_points_layer_pauses_and_start_brings_it_back(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=8)
    desk.pick()
    desk.press("start")
    desk.until(lambda: len(desk.snapshot.nodes) >= 2)
    desk.viewer.layers.remove(desk.points)
    desk.settle()
    assert desk.snapshot.phase == "paused"
    assert desk.widget.binding is None
    assert "removed" in desk.shown[-1][1]
    desk.press("start")
    desk.until_phase("finished")
    assert desk.snapshot.nodes == full_path(desk, 8)
    desk.check_layers()


def test_removing_the_volume_ends_the_trace_and_leaves_its_nodes(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=12)
    desk.pick()
    desk.press("start")
    desk.until(lambda: len(desk.snapshot.nodes) >= 2)
    points = desk.points
    desk.viewer.layers.remove(desk.layer)
    desk.settle()
    assert desk.snapshot.phase == "idle"
    assert points in desk.viewer.layers
    count = len(points.data)
    desk.qtbot.wait(200)
    assert len(points.data) == count >= 2
    assert "em was removed" in desk.widget.view.status.text()


@pytest.mark.parametrize("how", ["window", "dock", "viewer"])
def test_closing_while_the_policy_runs_is_clean(make_desk, pixel_policy, how):
    from napari.qt.threading import WorkerBase
    from qtpy.QtGui import QCloseEvent
    from qtpy.QtWidgets import QApplication

    from napari_bcannot.compat import main_window

    desk = make_desk(policy=pixel_policy, sections=12, show=how != "dock")
    desk.pick()
    desk.widget.view.record.setChecked(True)
    desk.press("start")
    desk.until(lambda: len(desk.snapshot.nodes) >= 2)
    controller, viewer = desk.widget.controller, desk.viewer
    if how == "window":
        QApplication.sendEvent(main_window(viewer), QCloseEvent())
    elif how == "dock":
        viewer.window.remove_dock_widget(desk.widget)
    else:
        viewer.close()
    desk.until(lambda: not WorkerBase._worker_set)
    desk.settle()
    assert controller.snapshot().phase == "idle"
    assert controller.recording is None
    keys = {str(key) for key in viewer.keymap}
    assert not keys & {"K", "J", ".", ","}, "keys of a closed widget are still bound"
    assert [entry for entry in desk.shown if entry[0] == "error"] == []


def test_a_server_that_stops_answering_is_said_and_the_trace_goes_on_later(
    make_desk, pixel_policy, monkeypatch
):
    desk = make_desk(policy=pixel_policy, sections=6)
    desk.pick()
    volume = desk.widget.controller.trace.volume
    read = volume.section_grey

    def unreachable(z, *bounds):
        if z >= 3:
            raise VolumeUnreachableError("127.0.0.1 does not answer: try again later")
        return read(z, *bounds)

    monkeypatch.setattr(volume, "section_grey", unreachable)
    desk.press("start")
    desk.until_phase("failed")
    assert desk.shown[-1] == ("warning", "127.0.0.1 does not answer: try again later")
    assert len(desk.snapshot.nodes) == 3
    monkeypatch.setattr(volume, "section_grey", read)
    desk.press("start")
    desk.until_phase("finished")
    assert desk.snapshot.nodes == full_path(desk, 6)


@pytest.mark.parametrize(
    "error", [CheckpointError("version 9 is too new"), RuntimeError("out of memory"), KeyError("x")]
)
def test_a_policy_that_fails_is_said_in_one_line(make_desk, pixel_policy, error):
    def propose(frame):
        raise error

    pixel_policy.propose = propose
    desk = make_desk(policy=pixel_policy, sections=6)
    desk.pick()
    desk.press("start")
    desk.until_phase("failed")
    assert str(error.args[0]) in desk.shown[-1][1]
    assert "\n" not in desk.shown[-1][1]
    assert len(desk.snapshot.nodes) == 1


def test_start_without_a_start_point_says_what_to_do(make_desk):
    desk = make_desk()
    desk.press("start")
    assert desk.snapshot.phase == "idle"
    assert "start point" in desk.shown[-1][1]


def test_a_folder_without_a_policy_is_refused(make_desk, tmp_path):
    desk = make_desk(show=False)
    desk.widget.use_policy(str(tmp_path))
    assert desk.shown[-1][0] == "error"
    assert desk.widget.view.policy.count() == 1
    (tmp_path / "config.json").write_text("{}")
    desk.widget.use_policy(str(tmp_path))
    assert desk.widget.view.policy.currentData() == str(tmp_path)


def test_the_widget_opens_from_the_plugin_menu(make_napari_viewer):
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-bcannot", "Trace neuron")
    assert type(widget).__name__ == "TraceNeuronWidget"
    viewer.open_sample("napari-bcannot", "sample_em")
    assert widget.view.volume.currentText() == "sample EM"
    assert widget.view.voxel_nm() == (30.0, 10.0, 10.0)
    widget.begin((28, 120, 120))
    assert widget.controller.snapshot().nodes == {28: (120.0, 120.0)}


def test_the_persons_own_policies_are_offered(tmp_path, monkeypatch):
    from napari_bcannot import policies

    monkeypatch.setattr(policies.platformdirs, "user_data_path", lambda name: tmp_path)
    assert policies.own_policies() == []
    for name in ("b", "a", "unfinished"):
        (tmp_path / "policies" / name).mkdir(parents=True)
        if name != "unfinished":
            (tmp_path / "policies" / name / "config.json").write_text("{}")
    assert policies.own_policies() == ["a", "b"]
