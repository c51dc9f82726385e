"""Every command of the plugin's menu, chosen from the menu of a real viewer."""

import threading
from importlib.resources import files

import numpy as np
import pytest
from npe2 import PluginManifest
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication, QColorDialog, QFileDialog, QInputDialog, QMessageBox

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.skeletons import read_skeletons
from bcannot_core.tracing.doubts import Doubt
from napari_bcannot.compat import main_window
from napari_bcannot.settings import keep_section, read_section

pytestmark = pytest.mark.gui
PREFIX = "napari-bcannot."
TESTED: dict[str, set[str]] = {
    "widgets": {
        "open_volume", "trace_neuron", "trace_many", "review_traces", "sessions", "learn_from_me",
        "play_task",
    },
    "trace": {
        "pick_start", "mode_hand", "mode_assist", "mode_auto", "start", "pause", "step", "stop",
        "accept_proposal", "reject_proposal", "next_section", "previous_section", "undo", "redo",
        "done", "save_trace", "toggle_heatmap",
    },
    "neurites": {
        "new_neurite", "neurites_from_table", "next_neurite", "previous_neurite", "branch_here",
        "split_here", "rename_neurite", "recolour_neurite", "mark_to_check", "delete_neurite",
        "save_all",
    },
    "batch": {
        "batch_from_table", "batch_from_layer", "batch_start", "batch_cancel", "batch_take_over",
        "batch_save",
    },
    "open": {
        "open_address", "take_axes", "go_to_place", "copy_place", "retry_fetching",
        "cancel_fetching",
    },
    "review": {
        "review_look", "review_cancel", "review_accept", "review_correct", "review_split",
        "review_next", "review_previous",
    },
    "sessions": {
        "restore_session", "open_session", "replay_session", "play_replay", "close_replay",
        "export_sessions", "delete_sessions",
    },
    "learn": {"learn_start", "learn_pause", "learn_stop", "learn_refresh"},
    "help": {"choose_policy", "show_first_steps", "show_shortcuts", "forget_settings"},
}  # fmt: skip
"""Command by the test that chooses it: a command that is not here is not tested."""


class Menu:
    """The plugin's menu in a viewer's window; knows what was chosen."""

    def __init__(self, viewer):
        self._bar = main_window(viewer).menuBar()
        self.chosen: set[str] = set()

    def choose(self, name):
        """Choose a command by its id without the plugin's name, as a click on the entry does."""
        (action,) = [a for a in self.entries() if a._command_id == PREFIX + name]
        assert action.isEnabled(), f"{name} is greyed out"
        self.chosen.add(name)
        action.trigger()
        for _ in range(3):
            QApplication.processEvents()

    def entries(self):
        """Return the commands in Layers ▸ Annotate ▸ bcannot, its submenus included."""
        menu = self._bar
        for title in ("Layers", "Annotate", "bcannot"):
            (menu,) = [a.menu() for a in menu.actions() if a.text().replace("&", "") == title]
            menu.aboutToShow.emit()
        return list(self._below(menu))

    def _below(self, menu):
        for action in menu.actions():
            if action.menu() is not None:
                action.menu().aboutToShow.emit()
                yield from self._below(action.menu())
            elif not action.isSeparator():
                yield action


class Answers:
    """What the person answers in dialogs."""

    file = folder = text = ""
    colour = "#ff0000"


@pytest.fixture
def answers(monkeypatch):
    given = Answers()
    for name in ("getSaveFileName", "getOpenFileName"):
        answer = staticmethod(lambda *_, **__: (str(given.file), ""))
        monkeypatch.setattr(QFileDialog, name, answer)
    folder = staticmethod(lambda *_, **__: str(given.folder))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", folder)
    monkeypatch.setattr(QInputDialog, "getText", staticmethod(lambda *_, **__: (given.text, True)))
    colour = staticmethod(lambda *_, **__: QColor(given.colour))
    monkeypatch.setattr(QColorDialog, "getColor", colour)
    yes = staticmethod(lambda *_, **__: QMessageBox.StandardButton.Yes)
    monkeypatch.setattr(QMessageBox, "question", yes)
    return given


def test_every_command_of_the_menu_is_tested_here():
    manifest = PluginManifest.from_file(str(files("napari_bcannot") / "napari.yaml"))
    menus = manifest.contributions.menus.values()
    offered = {item.command for items in menus for item in items if hasattr(item, "command")}
    assert {PREFIX + name for names in TESTED.values() for name in names} == offered


def test_the_menu_shows_all_of_them(make_napari_viewer):
    entries = Menu(make_napari_viewer()).entries()
    shown = {action._command_id.removeprefix(PREFIX) for action in entries}
    assert shown == set().union(*TESTED.values())
    assert all(action.text().endswith("(bcannot)") for action in entries)


def test_widgets(make_napari_viewer):
    from napari_bcannot.widgets.docked import DockedWidget

    viewer = make_napari_viewer()
    menu = Menu(viewer)
    for name in sorted(TESTED["widgets"]):
        before = set(main_window(viewer).findChildren(DockedWidget))
        menu.choose(name)
        (opened,) = set(main_window(viewer).findChildren(DockedWidget)) - before
        assert opened.is_open
    assert menu.chosen == TESTED["widgets"]


def test_trace(make_desk, answers, tmp_path):
    desk = make_desk()
    menu, view = Menu(desk.viewer), desk.widget.view
    desk.viewer.dims.set_point(0, 0)
    menu.choose("pick_start")
    assert view.pick.isChecked()
    desk.click(desk.tube.at(0), 0)
    first = {0: desk.tube.at(0)}
    assert list(desk.snapshot.nodes) == [0]
    menu.choose("next_section")
    assert desk.snapshot.z == 1
    menu.choose("previous_section")
    assert desk.snapshot.z == 0
    menu.choose("undo")
    assert not desk.snapshot.nodes
    menu.choose("redo")
    assert list(desk.snapshot.nodes) == list(first)

    for mode in ("hand", "auto", "assist"):
        menu.choose(f"mode_{mode}")
        assert desk.snapshot.mode == mode
    menu.choose("start")
    desk.until_phase("waiting")
    assert desk.snapshot.ghost_zyx is not None
    menu.choose("accept_proposal")
    desk.until_phase("waiting")
    assert list(desk.snapshot.nodes) == [0, 1]
    menu.choose("reject_proposal")
    assert desk.snapshot.ghost_zyx is None
    assert list(desk.snapshot.nodes) == [0, 1]

    menu.choose("mode_auto")
    menu.choose("step")
    desk.until_phase("paused")
    menu.choose("start")
    assert desk.snapshot.running
    menu.choose("pause")
    assert desk.snapshot.paused
    menu.choose("stop")
    assert desk.snapshot.phase == "manual"
    menu.choose("toggle_heatmap")
    assert view.heatmap.isChecked()
    menu.choose("done")
    assert desk.snapshot.finished
    answers.file = tmp_path / "one.swc"
    menu.choose("save_trace")
    assert read_skeletons(answers.file).nodes == len(desk.snapshot.nodes)
    assert menu.chosen == TESTED["trace"]


def test_neurites(make_desk, answers, tmp_path):
    desk = make_desk()
    menu = Menu(desk.viewer)
    neurites = desk.widget.controller.neurites

    def names():
        return [one.name for one in neurites]

    desk.viewer.dims.set_point(0, 0)
    menu.choose("new_neurite")
    desk.click(desk.tube.at(0), 0)
    answers.file = tmp_path / "starts.csv"
    answers.file.write_text("z,y,x,name\n3,99,89,axon\n5,100,95,spine\n")
    menu.choose("neurites_from_table")
    assert names()[1:] == ["axon", "spine"]
    menu.choose("next_neurite")
    assert neurites.active.name == "axon"
    menu.choose("previous_neurite")
    assert neurites.active.name == names()[0]
    answers.text = "dendrite"
    menu.choose("rename_neurite")
    menu.choose("recolour_neurite")
    assert (neurites.active.name, neurites.active.colour) == ("dendrite", "#ff0000")
    menu.choose("mark_to_check")
    assert neurites.active.status == "to check"

    for z in (1, 2):
        desk.key("Period")
        desk.click(desk.tube.at(z))
    desk.key("Comma")
    menu.choose("branch_here")
    assert neurites.active.parent is not None
    branch = neurites.active.name
    menu.choose("delete_neurite")
    assert branch not in names()
    while neurites.active.name != "dendrite":
        menu.choose("next_neurite")
    desk.widget.controller.go_to(1)
    count = len(names())
    menu.choose("split_here")
    assert len(names()) == count + 1
    answers.file = tmp_path / "all.swc"
    menu.choose("save_all")
    assert read_skeletons(answers.file).nodes == sum(len(one.trace.nodes) for one in neurites)
    assert menu.chosen == TESTED["neurites"]


def test_batch(make_desk, make_tracer, answers, tmp_path, notices):
    from napari_bcannot.widgets.batch_panel import BatchWidget

    desk = make_desk()
    batch = BatchWidget(desk.viewer, lambda name: make_tracer())
    desk.viewer.window.add_dock_widget(batch, name="Trace many")
    menu = Menu(desk.viewer)
    answers.file = tmp_path / "starts.csv"
    answers.file.write_text("0,90,80\n")
    menu.choose("batch_from_table")
    desk.viewer.add_points([(5, *desk.tube.at(5))], scale=desk.tube.voxel_nm, units=("nm",) * 3)
    menu.choose("batch_from_layer")
    assert len(batch.controller.rows) == 2
    menu.choose("batch_start")
    assert batch.controller.running
    menu.choose("batch_cancel")
    assert not batch.controller.running
    assert "Cancelled" in batch.view.status.text()
    menu.choose("batch_start")
    desk.until(lambda: not batch.controller.running)
    assert len(batch.controller.traced) == 2
    menu.choose("batch_take_over")
    neurites = desk.widget.controller.neurites
    assert [len(one.trace.nodes) for one in neurites] == [12, 7]
    assert [one.name for one in neurites] == ["trace 1", "trace 2"]
    shown = [one.name for one in desk.viewer.layers if one.visible]
    assert not any(name.startswith("batch") for name in shown)
    assert np.allclose(
        [(z, *yx) for z, yx in sorted(neurites.active.trace.nodes.items())],
        batch.controller.rows[0].trace.nodes_zyx,
    )
    answers.folder = tmp_path / "traces"
    answers.folder.mkdir()
    menu.choose("batch_save")
    desk.until(lambda: not batch._background.busy)
    assert sorted(path.name for path in answers.folder.iterdir()) == ["trace_1.swc", "trace_2.swc"]
    assert menu.chosen == TESTED["batch"]


def test_open(make_desk, answers, tmp_path, make_tube, qtbot):
    desk = make_desk()
    menu = Menu(desk.viewer)
    np.save(tmp_path / "em.npy", make_tube().array())
    answers.text = str(tmp_path / "em.npy")
    menu.choose("open_address")
    desk.until(lambda: len(desk.viewer.layers) == 2)
    menu.choose("copy_place")
    copied = QApplication.clipboard().text()
    assert len(copied.split(",")) == 3
    QApplication.clipboard().setText("20, 30, 4")
    menu.choose("go_to_place")
    assert desk.viewer.dims.point[0] == 4 * desk.viewer.layers[-1].scale[0]
    menu.choose("retry_fetching")
    menu.choose("cancel_fetching")
    from napari_bcannot.widgets.open_volume import OpenVolumeWidget

    (widget,) = main_window(desk.viewer).findChildren(OpenVolumeWidget)
    assert "Cancelled" in widget.view.status.text()
    many = np.stack([make_tube().array()] * 2)
    desk.viewer.layers.selection.active = desk.viewer.add_image(many, name="movie")
    desk.viewer.dims.set_point(0, 1)
    menu.choose("take_axes")
    assert desk.viewer.layers[-1].ndim == 3
    assert menu.chosen == TESTED["open"]


def test_review(make_desk, monkeypatch, notices):
    from napari_bcannot.review_work import Looked
    from napari_bcannot.widgets import review_queue

    desk = make_desk()
    desk.viewer.dims.set_point(0, 0)
    desk.pick()
    controller = desk.widget.controller
    controller.trace.adopt([(z, *desk.tube.at(z)) for z in range(1, 8)], "policy")
    go_on = threading.Event()

    def look_again(glances, policy, probe, keep_on):
        assert go_on.wait(60)
        for glance in glances:
            neurite = next(one for one in controller.neurites if one.number == glance.number)
            nodes = neurite.trace.nodes
            doubts = [
                Doubt(z, (z, *nodes[z]), z / 10 if z in (2, 4, 7) else 0.0, "low") for z in nodes
            ]
            yield Looked(glance.number, glance.session, len(glance.clicks), doubts)

    monkeypatch.setattr(review_queue, "look_again", look_again)
    review = review_queue.ReviewWidget(desk.viewer, lambda name: (None, None))
    desk.viewer.window.add_dock_widget(review, name="Review traces")
    menu = Menu(desk.viewer)
    menu.choose("review_look")
    assert review.desk.looking
    menu.choose("review_cancel")
    assert not review.desk.looking
    go_on.set()
    menu.choose("review_look")
    desk.until(lambda: not review.desk.looking)
    verdicts = []
    review.desk.decided.connect(lambda _, verdict: verdicts.append(verdict.decision))
    assert controller.trace.z == 7, "the worst place"
    menu.choose("review_accept")
    assert verdicts == ["accept"]
    before = controller.trace.z
    menu.choose("review_next")
    menu.choose("review_previous")
    assert controller.trace.z == before
    menu.choose("review_correct")
    y, x = desk.tube.at(before)
    desk.click((y + 4, x), before)
    assert verdicts[-1] == "correct"
    assert abs(controller.trace.nodes[before][0] - y - 4) <= 1
    splits = []  # what a split does is tested with the widget
    monkeypatch.setattr(review.desk, "split", lambda *said: splits.append(said))
    menu.choose("review_split")
    assert len(splits) == 1
    assert menu.chosen == TESTED["review"]


def test_sessions(make_desk, answers, monkeypatch, tmp_path):
    from napari_bcannot.widgets import session_browser

    monkeypatch.setattr(session_browser, "default_folder", lambda: tmp_path / "journals")
    desk = make_desk()
    desk.viewer.dims.set_point(0, 0)
    desk.pick()
    desk.key("Period")
    folder = desk.widget.controller.recording
    desk.widget.controller.close()
    menu = Menu(desk.viewer)
    menu.choose("sessions")
    (browser,) = main_window(desk.viewer).findChildren(session_browser.SessionBrowser)

    def idle():
        workers = (browser._listing, browser._work, browser._opener)
        desk.until(lambda: not any(worker.busy for worker in workers))
        desk.settle()

    def pick():
        browser.refresh()
        idle()
        browser.view.choose(folder)

    pick()
    menu.choose("replay_session")
    idle()
    assert browser.replay is not None
    menu.choose("play_replay")
    assert browser.view.play.text() == "Hold"
    menu.choose("close_replay")
    assert browser.replay is None
    answers.folder = tmp_path / "dataset"
    menu.choose("export_sessions")
    idle()
    assert len(open_dataset(answers.folder)) == 1
    pick()
    menu.choose("open_session")
    idle()
    assert desk.widget.controller.recording == folder
    desk.widget.controller.close()
    menu.choose("restore_session")
    idle()
    assert "nothing to restore" in browser.view.status.text()
    pick()
    menu.choose("delete_sessions")
    idle()
    assert not folder.exists()
    assert menu.chosen == TESTED["sessions"] | {"sessions"}


class Lesson:
    """Learning that goes on for ever."""

    def __init__(self, request):
        self.request, self.calls = request, []

    def news(self):
        return []

    def pause(self):
        self.calls.append("pause")

    def resume(self):
        self.calls.append("resume")

    def stop(self):
        self.calls.append("stop")

    def close(self):
        self.calls.append("close")


def test_learn(make_napari_viewer, tmp_path, notices, qtbot):
    from napari_bcannot.learning import LearnController
    from napari_bcannot.widgets.learn_panel import LearnWidget

    begun = []

    def begin(request):
        begun.append(Lesson(request))
        return begun[-1]

    viewer = make_napari_viewer()
    widget = LearnWidget(viewer, LearnController(begin), lambda: tmp_path / "none")
    viewer.window.add_dock_widget(widget, name="Learn from me")
    menu = Menu(viewer)
    menu.choose("learn_start")
    assert "Tick a session" in notices[-1][1]
    menu.choose("learn_refresh")
    qtbot.waitUntil(lambda: not widget._background.busy)
    (tmp_path / "sessions").mkdir()
    widget.add_sessions(tmp_path / "sessions")
    widget.tick_all()
    menu.choose("learn_start")
    (lesson,) = begun
    assert lesson.request.paths == (tmp_path / "sessions",)
    menu.choose("learn_pause")
    menu.choose("learn_pause")
    menu.choose("learn_stop")
    assert lesson.calls == ["pause", "resume", "stop"]
    assert menu.chosen == TESTED["learn"]


def test_help(make_desk, answers, tmp_path, notices):
    from napari_bcannot.widgets.hint import FirstRunHint
    from napari_bcannot.widgets.shortcut_list import ShortcutList

    desk = make_desk()
    menu, window = Menu(desk.viewer), main_window(desk.viewer)
    answers.folder = tmp_path / "mine"
    answers.folder.mkdir()
    (answers.folder / "config.json").write_text("{}")
    menu.choose("choose_policy")
    assert desk.widget.view.policy.currentData() == str(answers.folder)

    for _ in range(2):
        menu.choose("show_shortcuts")
    (shortcuts,) = window.findChildren(ShortcutList)
    assert shortcuts.isVisible()
    shortcuts.close()

    menu.choose("show_first_steps")
    (hint,) = desk.widget.findChildren(FirstRunHint)
    hint.put_away.click()
    assert not hint.isVisibleTo(desk.widget)
    menu.choose("show_first_steps")
    assert hint.isVisibleTo(desk.widget)
    hint.sample.click()
    desk.until(lambda: "sample EM" in desk.viewer.layers)

    keep_section("mine", {"sections": 7})
    menu.choose("forget_settings")
    assert read_section("mine") == {}
    assert notices[-1][0] == "info"
    assert menu.chosen == TESTED["help"]
