"""Sessions: always recorded, listed, brought back, replayed, exported, deleted."""

import json
from threading import Event

import numpy as np
import pytest
import tifffile

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.sittings import SittingReader, list_sittings
from napari_bcannot.replaying import is_replaying


@pytest.fixture
def make_browser(monkeypatch, tmp_path, qtbot):
    """Return a factory of *Sessions* widgets in the viewer of a desk."""
    from napari_bcannot.widgets import session_browser

    monkeypatch.setattr(session_browser, "default_folder", lambda: tmp_path / "journals")

    def make(viewer):
        browser = session_browser.SessionBrowser(viewer)
        viewer.window.add_dock_widget(browser, name="Sessions", area="right")
        qtbot.waitUntil(lambda: not browser._listing.busy)
        return browser

    return make


def crash(widget):
    """Leave a session as a kill would: nothing more is written, the lock is gone."""
    writer, widget.controller.recorder._writer = widget.controller.recorder._writer, None
    writer.discard()
    return writer.folder


def idle(desk, *workers):
    desk.until(lambda: not any(worker.busy for worker in workers))
    desk.settle()


def trace_a_little(desk):
    """Two neurites, one by the policy; return their nodes by name."""
    desk.pick()
    desk.key("Period")
    desk.click(desk.tube.at(1))
    desk.pick(z=3)
    desk.press("step")
    desk.until(lambda: desk.snapshot.phase in ("paused", "waiting"), timeout=120_000)
    return nodes_of(desk.widget.controller)


def nodes_of(controller):
    return {one.name: dict(one.trace.nodes) for one in controller.neurites}


def choose(browser, folder):
    browser.refresh()
    browser.view.show_sessions(browser.sessions)
    browser.view.choose(folder)


def test_a_session_is_recorded_from_the_first_click_without_being_asked_to(make_desk, tmp_path):
    desk = make_desk()
    desk.pick()
    desk.key("Period")
    (info,) = list_sittings(tmp_path / "journals")
    assert info.state == "recording"
    reader = SittingReader.open(info.folder)
    (neurite,) = reader.neurites
    assert [token.action for token in reader.journal(neurite).clicks] == ["place", "next_section"]
    assert neurite.facts.place["address"] == "tube"
    assert neurite.facts.place["scale"] == list(desk.layer.scale)
    desk.widget.view.record.setChecked(False)
    desk.key("Period")
    assert len(reader.journal(neurite).clicks) == 2


def test_a_session_folder_that_cannot_be_made_is_said(make_desk, tmp_path):
    desk = make_desk()
    desk.pick()
    desk.widget.view.record.setChecked(False)
    (tmp_path / "file").write_text("")
    desk.widget.recorder.folder = tmp_path / "file" / "x"
    desk.widget.view.record.setChecked(True)
    assert desk.shown[-1][0] == "error"
    assert not desk.widget.view.record.isChecked()


def test_after_a_crash_the_session_is_offered_and_comes_back(make_desk, tmp_path, qtbot):
    desk = make_desk()
    nodes = trace_a_little(desk)
    controller = desk.widget.controller
    clicks = {one.name: tuple(one.trace.session.clicks) for one in controller.neurites}
    folder = crash(desk.widget)
    desk.viewer.window.remove_dock_widget(desk.widget)

    again = make_desk()
    restorer = again.widget.restorer
    idle(again, restorer)
    assert restorer.bar.isVisibleTo(again.widget)
    assert "2 neurites" in restorer.bar.says.text()
    restorer.bar.restore.click()
    idle(again, restorer)
    back = again.widget.controller
    assert nodes_of(back) == nodes
    assert {one.name: tuple(one.trace.session.clicks) for one in back.neurites} == clicks
    assert back.recording == folder
    assert not restorer.bar.isVisibleTo(again.widget)
    policy_node = next(info for info in back.neurites["neurite 2"].trace.node_infos())
    assert policy_node.actor in ("person", "policy")
    # it goes on in the same folder, undo included
    again.widget.undo()
    reader = SittingReader.open(folder)
    active = back.neurites.active
    record = next(one for one in reader.neurites if one.facts.name == active.name)
    assert reader.journal(record).clicks == tuple(active.trace.session.clicks)
    assert len(reader.journal(record).clicks) == len(clicks[active.name]) + 1


@pytest.mark.parametrize("early", [True, False])
def test_a_session_that_nobody_waits_for_any_more_is_let_go_of(
    make_desk, make_browser, monkeypatch, early
):
    """The widget is closed while the clicks are made again, or once that is done."""
    from napari_bcannot.widgets import session_opener

    desk = make_desk()
    desk.pick()
    folder = crash(desk.widget)
    browser = make_browser(desk.viewer)
    begun, made, closed = Event(), Event(), Event()
    make_again = session_opener.make_again

    def slow(plan, volume):
        begun.set()
        if early:
            assert closed.wait(60)
        restored = make_again(plan, volume)
        made.set()
        return restored

    monkeypatch.setattr(session_opener, "make_again", slow)
    browser.open_session(folder)
    desk.until(begun.is_set)
    if not early:
        assert made.wait(60)
    browser._opener.close()
    closed.set()
    desk.until(lambda: list_sittings(folder.parent)[0].state == "interrupted")
    assert not desk.widget.controller.recording


def test_a_session_that_no_widget_can_take_up_is_said_and_let_go_of(
    make_desk, make_browser, monkeypatch
):
    from napari_bcannot.widgets import session_browser

    desk = make_desk()
    desk.pick()
    folder = crash(desk.widget)
    browser = make_browser(desk.viewer)
    monkeypatch.setattr(desk.widget, "_closed", True)
    monkeypatch.setattr(session_browser, "run_command", lambda command: None)
    browser.open_session(folder)
    idle(desk, browser._opener)
    assert browser.view.status.text() == ""
    assert "turn to the window" in desk.shown[-1][1]
    assert list_sittings(folder.parent)[0].state == "interrupted"


def test_a_session_in_a_file_opens_in_an_empty_viewer(
    make_napari_viewer, make_tube, make_browser, monkeypatch, tmp_path, qtbot, notices
):
    from napari_bcannot.widgets import record_control
    from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

    monkeypatch.setattr(record_control, "default_folder", lambda: tmp_path / "journals")
    tube = make_tube()
    path = tmp_path / "tube.tif"
    tifffile.imwrite(path, tube.array())

    def docked():
        viewer = make_napari_viewer()
        widget = TraceNeuronWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Trace neuron")
        return viewer, widget

    viewer, widget = docked()
    (layer,) = viewer.open(str(path), plugin="napari-bcannot")
    layer.translate = (5, 7, 9)
    widget.begin((0, *tube.at(0)))
    widget.next_section()
    nodes = nodes_of(widget.controller)
    folder = widget.controller.recording
    viewer.window.remove_dock_widget(widget)

    viewer, widget = docked()
    browser = make_browser(viewer)
    browser.open_session(folder)
    qtbot.waitUntil(lambda: widget.controller.recording is not None, timeout=20_000)
    (back,) = [one for one in viewer.layers if one.name == layer.name]
    assert tuple(back.translate) == (5, 7, 9)
    assert nodes_of(widget.controller) == nodes
    assert widget.controller.trace.section == 2
    assert widget.controller.recording == folder
    assert [entry for entry in notices if entry[0] == "error"] == []


def test_data_that_were_in_no_file_are_asked_for(make_desk, make_browser, qtbot):
    desk = make_desk()
    desk.pick()
    folder = desk.widget.controller.recording
    desk.widget.controller.close()
    browser = make_browser(desk.viewer)
    desk.viewer.layers.remove(desk.layer)
    record = folder / "session.jsonl"
    record.write_text(record.read_text().replace('"address":"tube"', '"address":"memory:em"'))
    browser.open_session(folder)
    idle(desk, browser._opener)
    assert desk.shown[-1][0] == "error"
    assert "as a layer of that name" in desk.shown[-1][1]


def test_other_data_under_the_same_name_are_refused(make_desk, make_browser):
    desk = make_desk()
    desk.pick()
    folder = desk.widget.controller.recording
    desk.widget.controller.close()
    browser = make_browser(desk.viewer)
    volume = desk.layer.metadata["bcannot_volume"]
    other = type(volume).from_array(
        np.zeros(volume.shape, np.uint8), voxel_nm=volume.voxel_nm, address="tube"
    )
    desk.layer.metadata["bcannot_volume"] = other
    browser.open_session(folder)
    idle(desk, browser._opener)
    assert "fingerprint" in desk.shown[-1][1]
    assert desk.widget.controller.recording is None


def test_the_slider_replays_a_session_and_the_live_one_is_left_alone(make_desk, make_browser):
    desk = make_desk()
    nodes = trace_a_little(desk)
    folder = desk.widget.controller.recording
    clicks = {one.name: len(one.trace.session.clicks) for one in desk.widget.controller.neurites}
    browser = make_browser(desk.viewer)
    choose(browser, folder)
    browser.view.replay.click()
    idle(desk, browser._work, browser._opener)
    assert is_replaying(desk.viewer)
    replay = browser.replay
    rows = sorted(map(tuple, replay.points.data.tolist()))
    assert rows == sorted((z, *yx) for each in nodes.values() for z, yx in each.items())
    browser.view.slider.setValue(0)
    assert len(replay.points.data) == 0
    assert browser.view.caption.text() == "Before the first click."
    counts = []
    for at in range(browser.view.slider.maximum() + 1):
        browser.view.slider.setValue(at)
        counts.append(len(replay.points.data))
    assert counts[-1] == len(rows)
    assert browser.view.position.text() == f"{at} / {at}"
    assert "The policy" in browser.view.caption.text() or "neurite 2" in browser.view.caption.text()
    desk.settle()
    live = {one.name: len(one.trace.session.clicks) for one in desk.widget.controller.neurites}
    assert live == clicks, "the replay clicked in the session that is open"
    browser.view.end.click()
    assert not is_replaying(desk.viewer)


def test_a_copy_of_a_replays_layer_is_no_replay(make_desk, make_browser):
    from napari.layers import Layer

    desk = make_desk()
    trace_a_little(desk)
    browser = make_browser(desk.viewer)
    choose(browser, desk.widget.controller.recording)
    browser.view.replay.click()
    idle(desk, browser._work, browser._opener)
    desk.viewer.add_layer(Layer.create(*browser.replay.points.as_layer_data_tuple()))
    browser.view.end.click()
    assert not is_replaying(desk.viewer)
    for z in (3, 5):
        desk.viewer.dims.set_point(0, desk.world((z, 0, 0))[0])
        desk.settle()
        assert desk.snapshot.z == z


def test_a_record_with_nonsense_about_the_viewer_is_shown_all_the_same(make_desk, make_browser):
    desk = make_desk()
    desk.pick()
    folder = desk.widget.controller.recording
    desk.widget.controller.close()
    record = folder / "session.jsonl"
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    first = next(line for line in lines if line.get("event") == "neurite")
    first["colour"] = "no colour"
    first["place"] |= {
        "scale": [0, -1, "x"], "translate": [1e400, 0], "units": [[], 5, "furlong"],
        "voxel_nm": "much", "layer_scale": [None] * 3, "layer": 7, "finest": "x",
    }  # fmt: skip
    record.write_text("".join(json.dumps(line) + "\n" for line in lines))
    browser = make_browser(desk.viewer)
    browser.replay_session(folder)
    idle(desk, browser._work, browser._opener)
    assert len(browser.replay.points.data) == 1
    browser.open_session(folder)
    idle(desk, browser._opener)
    assert len(desk.snapshot.nodes) == 1


def test_a_replay_plays_by_itself_to_its_end(make_desk, make_browser):
    desk = make_desk()
    desk.pick()
    desk.key("Period")
    browser = make_browser(desk.viewer)
    browser.replay_session(desk.widget.controller.recording)
    idle(desk, browser._work, browser._opener)
    browser.view.speed.setCurrentIndex(browser.view.speed.count() - 1)
    browser.view.play.click()
    assert browser.replay.shown == 0
    assert browser.view.play.text() == "Hold"
    desk.until(lambda: browser.view.play.text() == "Play")
    assert browser.replay.shown == len(browser.replay.timeline)


def test_chosen_sessions_are_exported_and_deleted(make_desk, make_browser, monkeypatch, tmp_path):
    from qtpy.QtWidgets import QMessageBox

    desk = make_desk()
    desk.pick()
    folder = desk.widget.controller.recording
    desk.widget.controller.close()
    desk.pick()
    browser = make_browser(desk.viewer)
    assert browser.view.list.topLevelItemCount() == 2
    choose(browser, folder)
    browser.export(browser.view.chosen, tmp_path / "set")
    idle(desk, browser._work)
    assert len(open_dataset(tmp_path / "set")) == 1
    assert "1 traces of 1 sessions" in browser.view.status.text()
    answers = iter((QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: next(answers))
    browser.view.delete.click()
    desk.settle()
    assert folder.exists()
    browser.view.delete.click()
    idle(desk, browser._work, browser._listing)
    assert not folder.exists()
    desk.until(lambda: browser.view.list.topLevelItemCount() == 1)
    # the one that is open cannot be deleted
    browser.delete([desk.widget.controller.recording])
    idle(desk, browser._work)
    assert "is being recorded" in desk.shown[-1][1]


def test_an_empty_or_damaged_place_is_no_trouble(make_desk, make_browser, tmp_path):
    desk = make_desk()
    browser = make_browser(desk.viewer)
    assert "No session yet" in browser.view.status.text()
    bad = tmp_path / "other" / "bad"
    bad.mkdir(parents=True)
    (bad / "session.jsonl").write_text("nonsense\n")
    browser.use_folder(tmp_path / "other")
    idle(desk, browser._listing)
    choose(browser, bad)
    browser.open_chosen()
    idle(desk, browser._opener)
    assert desk.shown[-1][0] == "error"
    assert "no session record" in desk.shown[-1][1]
    browser.replay_chosen()
    idle(desk, browser._work, browser._opener)
    assert browser.replay is None


def test_a_viewer_that_deletes_the_widget_is_no_trouble(make_desk, make_browser, tmp_path):
    """Nobody tells the widget then: what its worker finds comes too late."""
    desk = make_desk()
    desk.pick()
    browser = make_browser(desk.viewer)
    listing = browser._listing
    browser.refresh()
    assert listing.busy
    browser.setParent(None)
    browser._closed, browser.release = True, lambda: None
    browser.deleteLater()
    desk.settle()
    desk.until(lambda: not listing.busy)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_widget_leaves_nothing_behind(make_desk, make_browser):
    import threading

    from qtpy.QtWidgets import QApplication

    desk = make_desk()
    desk.pick()
    folder = desk.widget.controller.recording
    before, layers = threading.active_count(), list(desk.viewer.layers)
    for _ in range(20):
        browser = make_browser(desk.viewer)
        browser.replay_session(folder)
        idle(desk, browser._work, browser._opener)
        desk.viewer.window.remove_dock_widget(browser)
        browser.deleteLater()
        desk.settle()
    assert list(desk.viewer.layers) == layers
    assert threading.active_count() <= before + 1
    left = [w for w in QApplication.allWidgets() if type(w).__name__ == "SessionBrowser"]
    assert len(left) <= 1
