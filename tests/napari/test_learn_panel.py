"""The widget *Learn from me*, with a job that tells what the test wants told."""

from pathlib import Path

import pytest
from psygnal import SignalInstance
from qtpy.QtCore import Qt

from bcannot_core.sittings import SittingInfo
from napari_bcannot import learning, policies
from napari_bcannot.learning import LearnController, SessionEntry, free_name, name_problem
from napari_bcannot.widgets import learn_panel
from napari_bcannot.widgets.learn_panel import LearnWidget


class Job:
    def __init__(self, request):
        self.request = request
        self.asked = []
        self.told = []

    def news(self):
        told, self.told = self.told, []
        return told

    def pause(self):
        self.asked.append("pause")

    def resume(self):
        self.asked.append("resume")

    def stop(self):
        self.asked.append("stop")

    def close(self):
        self.asked.append("close")


@pytest.fixture
def jobs():
    return []


@pytest.fixture
def warned(monkeypatch):
    said = []
    for kind in ("show_warning", "show_error"):
        monkeypatch.setattr(learn_panel.notices, kind, said.append)
    return said


@pytest.fixture
def own(monkeypatch, tmp_path):
    """The person's own policies."""
    monkeypatch.setattr(policies, "own_folder", lambda: tmp_path / "policies")
    monkeypatch.setattr(policies, "changed", SignalInstance((str,)))

    def make(name):
        folder = tmp_path / "policies" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "README.md").write_text(f"# {name}\n\nLearned from 4 sessions.\n")

    return make


@pytest.fixture
def make_widget(make_napari_viewer, jobs, warned, own, tmp_path):
    made = []

    def make():
        viewer = make_napari_viewer()

        def begin(request):
            jobs.append(Job(request))
            return jobs[-1]

        widget = LearnWidget(viewer, LearnController(begin), lambda: tmp_path / "sessions")
        viewer.window.add_dock_widget(widget)
        made.append(widget)
        return widget

    yield make
    for widget in made:
        widget.shut_down()


def entries(count=3):
    return [SessionEntry(Path(f"/s/{i}"), f"session {i}") for i in range(count)]


def loss(done, **values):
    return {"stage": "learning", "done": done, "update": 7, "lessons": 2.0, "rehearsal": 1.0,
            "right": 0.9} | values  # fmt: skip


RESULT = {"stage": "result", "sessions": 4, "corrections": 9, "problems": []}


@pytest.mark.gui
def test_the_ticked_sessions_are_learned_from(make_widget, jobs):
    widget = make_widget()
    widget._take_sessions(entries())
    widget.view.sessions.item(1).setCheckState(Qt.CheckState.Unchecked)
    widget.view.minutes.setValue(3.0)
    widget.view.start.click()
    [job] = jobs
    assert job.request.paths == (Path("/s/0"), Path("/s/2"))
    assert (job.request.name, job.request.start_from) == ("my-tissue", "default")
    assert job.request.minutes == 3.0
    assert not widget.view.start.isEnabled()
    assert not widget.view.name.isEnabled()
    widget.start()
    assert len(jobs) == 1


@pytest.mark.gui
def test_progress_losses_and_scores_are_shown(make_widget, jobs, own):
    widget = make_widget()
    widget._take_sessions(entries())
    widget.start()
    jobs[0].told = [
        {"stage": "before", "done": 1.0, "score": {"right": 0.8, "corrections_per_100": 20.0}},
        *(loss(i / 10, lessons=3.0 - i / 10) for i in range(1, 6)),
    ]
    widget.controller.poll()
    view = widget.view
    assert view.progress.value() == 500
    assert "update 7" in view.status.text()
    assert "80%" in view.scores.text()
    shown = view.plot._losses
    assert [at for at, *_ in shown] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert shown[0][1] > shown[-1][1] > 2.5
    own("my-tissue")
    jobs[0].told = [
        {"stage": "after", "done": 1.0, "score": {"right": 0.95, "corrections_per_100": 5.0}},
        RESULT,
    ]
    widget.controller.poll()
    assert "95%" in view.scores.text()
    assert "9 corrections" in view.status.text()
    assert view.policy.findData("my-tissue") >= 0
    assert view.own.currentData() == "my-tissue"
    assert view.name.text() == "my-tissue-2"
    assert view.start.isEnabled()
    view.card.setChecked(True)
    assert "Learned from 4 sessions" in view.card_text.toPlainText()
    assert not view.grab().isNull()


@pytest.mark.gui
def test_pausing_stopping_and_failing(make_widget, jobs, warned):
    widget = make_widget()
    widget._take_sessions(entries())
    widget.start()
    widget.view.pause.click()
    assert widget.view.pause.text() == "Go on"
    widget.view.pause.click()
    widget.view.stop.click()
    assert jobs[0].asked == ["pause", "resume", "stop"]
    jobs[0].told = [{"stage": "stopped"}]
    widget.controller.poll()
    assert "go on from here" in widget.view.status.text()
    widget.start()
    jobs[1].told = [{"stage": "failed", "message": "no session"}]
    widget.controller.poll()
    assert warned == ["no session"]
    assert widget.view.start.isEnabled()


@pytest.mark.gui
def test_nothing_is_begun_without_sessions_or_a_name(make_widget, jobs, warned):
    widget = make_widget()
    widget.start()
    widget._take_sessions(entries())
    widget.view.name.setText("default")
    widget.start()
    assert not jobs
    assert "Tick a session" in warned[0]
    assert "already" in warned[1]


@pytest.mark.gui
def test_sessions_stay_unticked_when_listed_again(make_widget):
    widget = make_widget()
    widget._take_sessions([*entries(2), SessionEntry(Path("/s/bad"), "bad", "why", False)])
    assert len(widget.view.chosen()) == 2
    widget.tick_none()
    assert widget.view.chosen() == []
    widget._take_sessions(entries(3))
    assert widget.view.chosen() == [str(Path("/s/2"))]
    widget.add_sessions(Path("/s/added"))
    widget.tick_all()
    assert str(Path("/s/added")) in widget.view.chosen()


@pytest.mark.gui
def test_opened_and_closed_again_and_again_nothing_stays(make_widget, jobs):
    widget = make_widget()
    viewer = widget.viewer
    widget._take_sessions(entries())
    widget.start()
    widget.shut_down()
    assert jobs[0].asked == ["close"]
    before = len(policies.changed)
    for _ in range(20):
        other = LearnWidget(viewer, LearnController(Job), lambda: Path("/none"))
        other._take_sessions(entries())
        other.start()
        other.shut_down()
        other.close()
        other.deleteLater()
    assert len(policies.changed) == before
    assert not widget._timer.isActive()


# -- without widgets -----------------------------------------------------------------------------


def test_recorded_sessions_are_described(monkeypatch):
    infos = [
        SittingInfo(Path("/s/a"), "closed", begun_ms=1_700_000_000_000, neurites=("1", "2"),
                    clicks=50, by_person=7, volumes=("em.tif",)),
        SittingInfo(Path("/s/b"), "closed"),
        SittingInfo(Path("/s/c"), "damaged", problem="torn"),
    ]  # fmt: skip
    monkeypatch.setattr(learning, "list_sittings", lambda _root: infos)
    good, bad = learning.usable_sessions(Path("/s"))
    assert "2 neurites, 7 of 50 clicks by you" in good.label
    assert (bad.path, bad.useful) == (Path("/s/c"), False)


def test_names():
    assert free_name("a", []) == "a"
    assert free_name("a", ["a", "a-2"]) == "a-3"
    assert name_problem("my tissue-2", []) == ""
    for wrong in ("", "a/b", "..", " x"):
        assert name_problem(wrong, []) != ""


def test_a_card_in_another_encoding_is_shown_all_the_same(tmp_path, monkeypatch):
    from napari_bcannot import learning

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_bytes("# für mich".encode("latin-1"))
    monkeypatch.setattr(learning.policies, "own_folder", lambda: tmp_path)
    assert learning.policy_card("mine").endswith("r mich")
