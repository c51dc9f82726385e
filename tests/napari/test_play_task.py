"""The dock widget *Play a task* in a real viewer, with mouse and keys."""

import json

import numpy as np
import pytest

from bcannot_core.annotators import make_annotator
from bcannot_core.episodes.dataset import EpisodeWriter, open_dataset
from bcannot_core.episodes.replay import episode_from_journal
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import list_tasks, make_task

pytestmark = pytest.mark.gui

TASK = "neuron_tracing"


def test_the_screen_shows_the_frame_pixel_by_pixel(make_table):
    table = make_table()
    canvas = table.view.canvas
    canvas.setFixedSize(450, 450)
    table.settle()
    picture = table.picture()
    fit = canvas.fit
    assert fit.crisp
    frame = table.player.session.frame()
    left, top = (round(corner * fit.ratio) for corner in fit.origin)
    size = round(fit.scale)
    shown = picture[top : top + size * frame.shape[0], left : left + size * frame.shape[1]]
    np.testing.assert_array_equal(shown, frame.repeat(size, 0).repeat(size, 1))


def test_a_click_lands_on_the_pixel_under_the_mouse_at_any_size(make_table):
    table = make_table()
    for side in (300, 440, 700):
        table.view.canvas.setFixedSize(side, side)
        table.settle()
        for x, y in ((128, 128), (140, 120), (150, 150)):
            table.click_canvas(x, y)
            token = table.player.session.clicks[-1]
            wanted = table.player.session.click_for((x, y))
            slack = 1 if side < 436 else 0
            assert abs(token.x - wanted[0]) <= slack
            assert abs(token.y - wanted[1]) <= slack
            assert token.action == "place"


def test_only_the_left_button_inside_the_frame_clicks(make_table):
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    table = make_table()
    canvas = table.view.canvas
    canvas.setFixedSize(600, 450)
    table.settle()
    middle = canvas.fit.to_widget(*table.player.session.click_for((128, 128)))
    at = QPoint(*(int(c) for c in middle))
    QTest.mouseClick(canvas, Qt.RightButton, Qt.NoModifier, at)
    QTest.mouseClick(canvas, Qt.LeftButton, Qt.NoModifier, QPoint(2, 2))
    table.settle()
    assert table.actions == []
    QTest.mouseClick(canvas, Qt.LeftButton, Qt.NoModifier, at)
    assert table.actions == [("person", "place")]


def test_a_person_plays_with_mouse_and_keys_to_the_score(make_table):
    table = make_table()
    table.click_canvas(128, 128)
    table.key(".")
    table.key(",")
    table.click_button("next_section")
    table.key("Z", "Control")
    table.key("Z", "Control Shift")
    assert [action for _, action in table.actions[:5]] == [
        "place", "next_section", "previous_section", "next_section", "undo",
    ]  # fmt: skip
    assert table.actions[-1] == ("person", "place")
    assert table.view.slider.maximum() == len(table.actions)
    table.key("D", "Shift")
    assert table.actions[-1] == ("person", "done")
    assert table.view.score.isVisibleTo(table.widget)
    assert "no success" in table.view.score.text()
    assert "coverage" in table.view.score.text()
    assert not table.view.step.isEnabled()
    assert not table.view.play.isEnabled()


def test_the_screens_keys_do_not_reach_the_menus(make_table):
    from qtpy.QtCore import QEvent, Qt
    from qtpy.QtGui import QKeyEvent
    from qtpy.QtWidgets import QApplication

    table = make_table()

    def asks(key, text, modifier):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, modifier, text)
        event.ignore()
        QApplication.sendEvent(table.view.canvas, event)
        return event.isAccepted()

    assert asks(Qt.Key_Z, "\x1a", Qt.ControlModifier)
    assert asks(Qt.Key_Period, ".", Qt.NoModifier)
    assert not asks(Qt.Key_O, "\x0f", Qt.ControlModifier)
    table.key("X")
    table.key("F")
    assert table.actions == [], "other keys are left to the viewer"


def test_watching_pausing_and_taking_over(make_table):
    table = make_table()
    table.fast()
    table.press("play")
    assert table.view.play.text() == "Pause"
    assert table.view.caption.text().startswith("Next: annotator · place")
    table.until(lambda: len(table.actions) >= 5)
    table.press("play")
    paused = len(table.actions)
    assert table.view.play.text() == "Watch"
    assert {actor for actor, _ in table.actions} == {"annotator"}
    table.qtbot.wait(150)
    assert len(table.actions) == paused
    table.choose("speed", 1.0)
    table.press("play")
    table.click_canvas(150, 150)
    assert table.actions[-1] == ("person", "place"), "a click while it plays takes over at once"
    assert len(table.actions) == paused + 1
    assert table.view.play.text() == "Watch"
    table.fast()
    table.press("play")
    table.until(lambda: table.player.session.terminated)
    assert "success" in table.view.score.text()
    assert "no success" not in table.view.score.text()


def test_the_click_to_come_is_marked_on_the_screen_which_stays_where_it_is(make_table):
    table = make_table(show=True)
    plain = table.picture()
    table.press("step")
    table.press("step")
    click = table.player.upcoming()
    assert click is None, "at the end only the annotator knows"
    click = table.player.upcoming(think=True)
    x, y = (int(c) for c in table.view.canvas.fit.to_widget(click.x, click.y))
    marked = table.picture()
    table.press("play")
    table.press("play")
    unmarked = table.picture()
    around = np.s_[max(0, y - 12) : y + 12, max(0, x - 12) : x + 12]
    assert not np.array_equal(marked[around], unmarked[around])
    assert plain.shape == marked.shape


def test_the_slider_looks_back_without_changing_anything(make_table):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    table = make_table()
    for _ in range(4):
        table.press("step")
    clicks = list(table.player.session.clicks)
    table.view.slider.setFocus()
    QTest.keyClick(table.view.slider, Qt.Key_Home)
    table.settle()
    assert table.snapshot.position == 0
    assert table.view.position.text() == "0 / 4"
    assert table.view.caption.text().startswith("Next: annotator · ")
    table.click_canvas(150, 150)
    assert table.player.session.clicks == clicks
    assert "earlier step" in table.view.status.text()
    QTest.keyClick(table.view.slider, Qt.Key_End)
    table.settle()
    table.press("back")
    assert table.view.position.text() == "3 / 4"
    table.press("step")
    assert table.view.position.text() == "4 / 4"
    table.click_canvas(150, 150)
    assert table.actions[-1] == ("person", "place")


def test_another_seed_screen_or_task_is_another_world(make_table):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    table = make_table()
    before = table.player
    table.view.seed.lineEdit().selectAll()
    QTest.keyClicks(table.view.seed, "7")
    QTest.keyClick(table.view.seed, Qt.Key_Return)
    table.ready()
    assert table.player is not before
    assert table.player.seed == 7
    assert "seed 7" in table.snapshot.title
    same = table.player
    table.view.seed.editingFinished.emit()
    assert table.player is same, "leaving the field without a change keeps the session"
    table.press("new")
    drawn = table.player.seed
    assert drawn == table.view.seed.value() != 7
    table.press("again")
    assert table.player.seed == drawn
    table.choose("variant", "light_right")
    assert table.player.task.variant.name == "light_right"


def test_layers_are_opened_on_request_and_replaced_by_the_next(make_table):
    table = make_table("colored_dot_tracking")
    table.press("layers")
    names = [layer.name for layer in table.viewer.layers]
    assert len(names) >= 2
    table.press("step")
    table.press("layers")
    assert len(table.viewer.layers) >= len(names)
    assert len({layer.name for layer in table.viewer.layers}) == len(table.viewer.layers)
    shown = len(table.viewer.layers)
    table.view.seed.setValue(1)
    table.press("again")
    table.press("layers")
    assert len(table.viewer.layers) > shown, "another world's layers stay"


def test_a_session_is_recorded_click_by_click_and_stored_after_done(make_table, tmp_path):
    table = make_table()
    table.press("record")
    table.click_canvas(128, 128)
    (journal,) = (tmp_path / "sessions").glob("*.jsonl")
    lines = journal.read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["action"] == "place"
    assert table.view.record.text() == "Recording"
    table.click_button("done")
    (episode,) = open_dataset(tmp_path / "sessions")
    assert [c.action for c in episode.clicks] == ["place", "done"]
    assert not journal.exists()
    assert str(tmp_path / "sessions") in table.view.status.text()


def test_closing_the_dock_keeps_what_was_recorded(make_table, tmp_path):
    table = make_table()
    table.press("record")
    table.click_canvas(128, 128)
    table.fast()
    table.press("play")
    table.viewer.window.remove_dock_widget(table.widget)
    table.settle()
    table.qtbot.wait(100)
    (journal,) = (tmp_path / "sessions").glob("*.jsonl")
    assert episode_from_journal(journal).clicks[0].action == "place"
    assert table.player is None
    with journal.open("ab"):
        pass


def test_a_folder_that_cannot_be_written_is_said(make_table, tmp_path):
    (tmp_path / "sessions").touch()
    table = make_table()
    table.press("record")
    assert not table.view.record.isChecked()
    assert [kind for kind, _ in table.shown] == ["error"]
    table.click_canvas(128, 128)
    assert table.actions == [("person", "place")]


def episodes(folder):
    found = []
    for seed in (0, 1):
        session = Session(make_task(TASK, seed, sections=4))
        make_annotator(session, seed).run()
        found.append(episode_of(session, seed=seed))
    with EpisodeWriter(folder) as writer:
        writer.extend(found)
    return found


def test_a_recorded_episode_is_looked_at_step_by_step(make_table, tmp_path):
    found = episodes(tmp_path / "data")
    table = make_table()
    table.widget.open_recording(tmp_path / "data")
    table.until(lambda: table.snapshot.recorded)
    assert table.view.episode.isVisibleTo(table.widget)
    assert table.view.episode_name.text() == "of 2 · episode 0"
    assert table.view.position.text() == f"0 / {len(found[0])}"
    assert table.view.caption.text().startswith("Next: annotator · place")
    table.click_canvas(128, 128)
    assert "recording" in table.view.status.text()
    assert list(table.player.session.clicks) == list(found[0].clicks)
    table.fast()
    table.press("play")
    table.until(lambda: not table.snapshot.playing)
    assert table.snapshot.position == len(found[0])
    assert "coverage" in table.view.score.text()
    table.view.episode.setValue(1)
    table.until(lambda: list(table.player.session.clicks) == list(found[1].clicks))
    assert table.snapshot.position == 0
    table.press("again")
    assert not table.snapshot.recorded
    assert not table.view.episode.isVisibleTo(table.widget)
    table.click_canvas(128, 128)
    assert table.actions == [("person", "place")]


def test_a_recording_that_comes_too_late_is_dropped(make_table, tmp_path):
    episodes(tmp_path / "data")
    table = make_table()
    table.widget.open_recording(tmp_path / "data")
    table.press("again")
    table.qtbot.wait(300)
    assert not table.snapshot.recorded


def test_what_cannot_be_opened_is_said(make_table, tmp_path):
    table = make_table()
    table.widget.open_recording(tmp_path / "nothing")
    assert [kind for kind, _ in table.shown] == ["error"]
    (episode, _) = episodes(tmp_path / "data")
    from bcannot_core.session.journal import Journal

    header = episode.header()
    header = type(header)(header.task, header.config, None, "no such screen", 0, {})
    (tmp_path / "odd").mkdir()
    Journal.create(tmp_path / "odd" / "odd.jsonl", header).close()
    table.widget.open_recording(tmp_path / "odd")
    table.until(lambda: len(table.shown) == 2)
    assert "no such screen" in table.shown[1][1]
    assert not table.snapshot.recorded


@pytest.mark.slow
def test_every_task_is_played_watched_and_shown_as_layers(make_table):
    table = make_table()
    for task_id in list_tasks():
        table.viewer.layers.clear()
        table.choose("task", task_id)
        assert table.player.task.id == task_id
        for x, y in ((40, 60), (128, 128), (200, 180)):
            table.click_canvas(x, y)
        for spec in table.player.session.screen.layout.specs:
            if spec.id != "done":
                table.click_button(spec.id)
        assert {actor for actor, _ in table.actions} == {"person"}
        while table.player.advance():
            pass
        table.widget.controller.seek(0)
        table.widget.controller.seek(table.player.steps)
        assert table.snapshot.score["success"] is True, task_id
        table.press("layers")
        assert len(table.viewer.layers) >= 2
    assert table.shown == []
