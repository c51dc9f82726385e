"""What *Play a task* does, without a window."""

from collections.abc import Iterator

import pytest

from bcannot_core.annotators import make_annotator
from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.player import Player
from bcannot_core.episodes.replay import episode_from_journal, episode_hash
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.errors import BcannotError, DatasetError, JournalError
from bcannot_core.session.journal import read_journal
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import make_task
from napari_bcannot import play_recording
from napari_bcannot.play import LONGEST_WAIT_MS, PlayController
from napari_bcannot.play_setup import PlaySetup
from napari_bcannot.play_snapshot import task_title

TASK = "neuron_tracing"


class Clock:
    """A clock that moves by a quarter of a second at every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


@pytest.fixture
def controller() -> Iterator[PlayController]:
    made = PlayController(Clock())
    made.warnings, made.shown = [], []
    made.warned.connect(made.warnings.append)
    made.changed.connect(made.shown.append)
    assert made.begin(PlaySetup(TASK, 0))
    yield made
    made.close()


def canvas(controller: PlayController, x: int = 128, y: int = 128) -> tuple[int, int]:
    return controller.player.session.click_for((x, y))


def actions(controller: PlayController) -> list[tuple[str, str]]:
    return [(c.actor, c.action) for c in controller.player.session.clicks]


def finish(controller: PlayController) -> None:
    controller.play()
    while controller.snapshot().playing:
        controller.tick()


def test_clicks_and_keys_are_the_persons(controller):
    controller.click(canvas(controller))
    assert controller.key(".")
    assert controller.key("Ctrl+Z")
    assert not controller.key("F12")
    assert actions(controller) == [
        ("person", "place"),
        ("person", "next_section"),
        ("person", "undo"),
    ]
    assert [c.ms for c in controller.player.session.clicks] == [250, 250, 250]
    assert controller.shown[-1] == controller.snapshot()
    assert controller.snapshot().text == "Undo."


def test_redo_and_what_cannot_be_undone(controller):
    assert controller.key("Ctrl+Shift+Z")
    assert "nothing to redo" in controller.snapshot().text
    controller.click(canvas(controller))
    controller.key("Ctrl+Z")
    controller.key("Ctrl+Shift+Z")
    assert [action for _, action in actions(controller)] == ["place", "undo", "place"]


def test_a_click_without_effect_is_said(controller):
    controller.click((0, 0))
    assert controller.snapshot().text == "That click did nothing."


def test_the_annotator_goes_on_and_the_person_takes_over(controller):
    controller.play()
    snapshot = controller.snapshot()
    assert snapshot.playing
    assert snapshot.caption.startswith("annotator · place")
    assert snapshot.steps == 0, "the click is shown before it is made"
    controller.tick()
    controller.tick()
    assert {actor for actor, _ in actions(controller)} == {"annotator"}
    controller.click(canvas(controller, 60, 60))
    assert not controller.snapshot().playing
    assert controller.snapshot().caption == ""
    assert actions(controller)[-1][0] == "person"
    finish(controller)
    assert controller.snapshot().score["success"] is True
    assert not controller.snapshot().can_advance


def test_pausing_hides_what_comes_next_and_stepping_shows_it(controller):
    controller.play()
    controller.pause()
    assert controller.snapshot().caption == ""
    assert controller.snapshot().can_click
    controller.step()
    assert controller.snapshot().steps == 1
    assert controller.snapshot().caption
    assert not controller.snapshot().playing


def test_looking_back_is_no_playing(controller):
    for _ in range(4):
        controller.step()
    controller.back()
    snapshot = controller.snapshot()
    assert (snapshot.position, snapshot.steps, snapshot.can_click) == (3, 4, False)
    assert snapshot.caption
    controller.click(canvas(controller))
    assert controller.snapshot().steps == 4
    assert "earlier step" in controller.snapshot().text
    controller.seek(0)
    controller.play()
    while controller.snapshot().position < 4:
        controller.tick()
    assert controller.snapshot().steps == 4, "what was clicked is shown first"
    controller.tick()
    assert controller.snapshot().steps == 5


def test_after_done_clicks_are_refused_and_the_score_stands(controller):
    controller.press("done")
    snapshot = controller.snapshot()
    assert snapshot.text == "Done."
    assert snapshot.score["success"] is False
    controller.click(canvas(controller))
    assert controller.snapshot().steps == 1
    assert "New seed" in controller.snapshot().text
    controller.back()
    assert controller.snapshot().score is None


def test_a_recording_plays_to_its_end_and_again(controller):
    session = Session(make_task(TASK, 1, sections=4))
    make_annotator(session, 1).run()
    controller.show(Player.replay(episode_of(session, seed=1)), "recorded")
    snapshot = controller.snapshot()
    assert (snapshot.position, snapshot.recorded, snapshot.can_click) == (0, True, False)
    finish(controller)
    snapshot = controller.snapshot()
    assert snapshot.position == snapshot.steps == len(session.clicks)
    assert snapshot.score == session.task.score(session.state)
    controller.click(canvas(controller))
    assert "recording" in controller.snapshot().text.lower()
    controller.play()
    assert controller.snapshot().position == 0
    assert controller.snapshot().playing


def test_the_pace_is_the_speed_or_the_recordings_own(controller):
    assert controller.wait_ms(10.0) == 100
    controller.play()
    click = controller.player.upcoming(think=True)
    assert controller.wait_ms(None) == min(LONGEST_WAIT_MS, max(20, click.ms))


def test_what_cannot_be_made_is_said_and_the_session_stays(controller):
    before = controller.player
    assert not controller.begin(PlaySetup("neuron_tracking_", 0))
    assert not controller.begin(PlaySetup(TASK, 0, "no such screen"))
    assert controller.player is before
    assert len(controller.warnings) == 2


def test_without_an_annotator_the_person_is_told(controller, monkeypatch):
    def none(*_args, **_options):
        raise BcannotError("there is no scripted annotator for the task")

    monkeypatch.setattr("bcannot_core.episodes.player.make_annotator", none)
    controller.play()
    assert controller.warnings == ["there is no scripted annotator for the task"]
    assert not controller.snapshot().playing
    controller.step()
    assert len(controller.warnings) == 2
    controller.click(canvas(controller))
    assert actions(controller) == [("person", "place")]


# --------------------------------------------------------------------------------- recording
def journals(folder) -> list:
    return sorted(folder.glob("*.jsonl"))


def test_every_click_is_in_the_journal_and_the_session_in_the_dataset(controller, tmp_path):
    controller.click(canvas(controller))
    controller.record(tmp_path)
    controller.press("next_section")
    (journal,) = journals(tmp_path)
    assert controller.snapshot().recording == journal
    assert read_journal(journal).clicks == tuple(controller.player.session.clicks)
    finish(controller)
    assert journals(tmp_path) == []
    (episode,) = open_dataset(tmp_path)
    assert episode.clicks == tuple(controller.player.session.clicks)
    assert (episode.task, episode.seed) == (TASK, 0)
    assert episode.meta == {"recorded_with": "napari-bcannot", "success": True}
    assert len(episode_hash(episode)) == 32
    assert str(tmp_path) in controller.snapshot().text
    assert controller.snapshot().recording is None
    controller.begin(PlaySetup(TASK, 1))
    assert len(journals(tmp_path)) == 1, "the next session is recorded, too"


def test_a_session_without_done_stays_a_journal_and_an_untouched_one_nothing(controller, tmp_path):
    controller.record(tmp_path)
    controller.click(canvas(controller))
    controller.begin(PlaySetup(TASK, 1))
    controller.close()
    (journal,) = journals(tmp_path)
    episode = episode_from_journal(journal)
    assert [c.action for c in episode.clicks] == ["place"]
    assert Player.replay(episode).steps == 1
    assert not list(tmp_path.glob("*.parquet"))


def test_a_dataset_that_cannot_be_written_leaves_the_journal(controller, tmp_path, monkeypatch):
    class Full:
        def __init__(self, *_args):
            raise DatasetError("cannot write dataset: No space left on device")

    controller.record(tmp_path)
    controller.click(canvas(controller))
    monkeypatch.setattr(play_recording, "EpisodeWriter", Full)
    controller.press("done")
    (journal,) = journals(tmp_path)
    assert len(read_journal(journal).clicks) == 2
    assert len(controller.warnings) == 1
    assert "No space left" in controller.warnings[0]
    assert str(journal) in controller.warnings[0]


def test_a_folder_that_cannot_be_made_is_an_error_and_nothing_is_recorded(controller, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalError):
        controller.record(tmp_path / "file" / "below")
    assert controller.recording is None
    controller.click(canvas(controller))
    assert controller.snapshot().steps == 1


@pytest.mark.parametrize(
    ("task_id", "title"),
    [("exploration_3d", "Exploration in 3D"), ("colored_dot_tracking", "Colored dot tracking")],
)
def test_titles(task_id, title):
    assert task_title(task_id) == title
