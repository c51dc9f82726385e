"""The player without a window: playing, watching, looking back, and recordings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.annotators import Behaviour, make_annotator
from bcannot_core.annotators.labels import Flag, Phase, pack_flags
from bcannot_core.episodes.captions import describe_click
from bcannot_core.episodes.dataset import EpisodeWriter
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.export import mark_click
from bcannot_core.episodes.player import Habits, Player
from bcannot_core.episodes.replay import replay
from bcannot_core.episodes.shelf import EpisodeShelf
from bcannot_core.episodes.worlds import build_task, episode_of
from bcannot_core.errors import ClickError, DatasetError, TaskError
from bcannot_core.session import ClickToken
from bcannot_core.session.journal import Journal
from bcannot_core.session.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.registry import make_task
from bcannot_core.volumes import Volume

CARELESS = Behaviour(near_miss=0.2, far_miss=0.1, wrong_object=0.1, verify=0.1)


def task(seed: int = 0, sections: int = 6) -> NeuronTracing:
    return make_task("neuron_tracing", seed, sections=sections)


def recorded(seed: int = 0, sections: int = 6) -> Episode:
    session = Session(task(seed, sections))
    make_annotator(session, seed, CARELESS).run()
    return episode_of(session, {"success": True}, seed=seed)


@pytest.fixture(scope="module")
def episode() -> Episode:
    return recorded()


def unlabelled() -> NeuronTracing:
    volume = Volume.from_array(np.full((3, 40, 40), 90, np.uint8), address="grey")
    return NeuronTracing(TracingWorld(volume, (0, 20, 20)), TracingConfig(sections=3))


def canvas(player: Player, x: int, y: int) -> tuple[int, int]:
    return player.session.click_for((x, y))


def test_a_recording_shows_the_frames_of_its_replay_with_the_click_marked(episode: Episode) -> None:
    player = Player.replay(episode)
    assert (player.position, player.steps, player.recorded) == (0, len(episode), True)
    for position, step in enumerate(replay(episode)):
        player.seek(position)
        assert player.upcoming() == step.click
        np.testing.assert_array_equal(player.frame(mark=False), step.frame)
        mark_click(step.frame, step.click)
        np.testing.assert_array_equal(player.frame(), step.frame)
    player.seek(player.steps)
    assert player.upcoming() is None
    np.testing.assert_array_equal(player.frame(), player.session.frame())


@given(positions=st.lists(st.integers(-5, 60), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_any_order_of_positions_shows_the_same_frames(positions: list[int]) -> None:
    episode = _cached()
    player, frames = Player.replay(episode), _frames()
    for position in positions:
        player.seek(position)
        assert player.position == min(max(position, 0), len(episode))
        np.testing.assert_array_equal(player.frame(mark=False), frames[player.position])


def test_going_on_leads_through_the_recording_and_stops_after_it(episode: Episode) -> None:
    player = Player.replay(episode)
    steps = 0
    while player.advance():
        steps += 1
        assert player.position == steps
    assert steps == len(episode)
    assert not player.can_advance
    assert list(player.session.clicks) == list(episode.clicks), "looking changes nothing"


def test_nobody_clicks_in_a_recording(episode: Episode) -> None:
    player = Player.replay(episode)
    player.seek(player.steps)
    with pytest.raises(TaskError, match="recording"):
        player.click((5, 5))
    assert player.steps == len(episode)


def test_a_person_plays_and_looks_back() -> None:
    player = Player.play(task())
    outcome = player.click(canvas(player, 128, 128), ms=40)
    assert outcome.action == "place"
    player.click(player.session.click_for("next_section"))
    assert (player.position, player.steps) == (2, 2)
    assert [(c.actor, c.action) for c in player.session.clicks] == [
        ("person", "place"),
        ("person", "next_section"),
    ]
    assert player.session.clicks[0].ms == 40
    live = player.frame()
    player.seek(1)
    assert not np.array_equal(player.frame(mark=False), live)
    with pytest.raises(TaskError, match="earlier"):
        player.click(canvas(player, 90, 90))
    player.seek(2)
    np.testing.assert_array_equal(player.frame(), live)
    with pytest.raises(ClickError):
        player.click((10_000, 0))
    assert player.steps == 2


def test_the_annotators_click_is_announced_before_it_is_made() -> None:
    player = Player.play(task(), seed=3)
    assert player.upcoming() is None, "at the end nobody knows, unless the annotator is asked"
    while not player.session.terminated:
        click = player.upcoming(think=True)
        assert click is not None
        assert player.upcoming(think=True) == click, "asking twice changes nothing"
        shown = player.frame(think=True)
        assert not np.array_equal(shown, player.frame())
        assert player.advance()
        assert player.session.clicks[-1] == click
    assert not player.advance()
    score = player.score()
    assert score is not None
    assert score["success"] is True
    player.seek(player.steps - 1)
    assert player.score() is None


def test_the_annotator_goes_on_from_what_a_person_did() -> None:
    player = Player.play(task(), habits=Habits(1, "flawless"))
    assert player.upcoming(think=True) is not None
    player.click(canvas(player, 60, 60))
    while player.advance():
        pass
    assert player.session.terminated
    score = player.score()
    assert score is not None
    assert score["success"] is True
    assert {click.actor for click in player.session.clicks} == {"person", "annotator"}


def test_the_same_seeds_give_the_same_session() -> None:
    runs = []
    for _ in range(2):
        player = Player.play(task(4), 4, Habits(7, CARELESS))
        while player.advance():
            pass
        runs.append(list(player.session.clicks))
    assert runs[0] == runs[1]


def test_without_ground_truth_there_is_no_annotator_and_the_person_goes_on() -> None:
    player = Player.play(unlabelled())
    with pytest.raises(TaskError):
        player.advance()
    assert player.steps == 0
    assert player.click(canvas(player, 128, 128)).action == "place"


def test_a_recording_that_does_not_fit_is_refused(episode: Episode) -> None:
    odd = Episode(
        episode.task, episode.config, episode.data, episode.variant, episode.seed,
        (ClickToken(1, 1, action="place"),),
    )  # fmt: skip
    with pytest.raises(DatasetError, match="click 0"):
        Player.replay(odd)


def test_a_recording_has_its_score_also_where_the_truth_has_gone(episode: Episode) -> None:
    player = Player.replay(episode)
    assert player.score() is None
    player.seek(player.steps)
    assert player.score()["success"] is True
    assert episode.data is not None
    gone = replace(episode, data=replace(episode.data, labels="/nowhere/labels.npz"))
    player = Player.replay(gone)
    player.seek(player.steps)
    score = player.score()
    assert score is not None
    assert "coverage" not in score


def test_captions_say_what_a_click_is(episode: Episode) -> None:
    session = Session(build_task(episode))
    x, y = session.click_for((128, 130))
    flags = pack_flags(Flag.MISTAKE | Flag.CORRECTION, Phase.PLACE, 4)
    place = describe_click(session, ClickToken(x, y, "annotator", flags, 1250, "place"))
    assert place.where == "at (128, 130)"
    assert place.events == ("mistake", "correction")
    assert (place.phase, place.item) == ("place", 4)
    assert place.text == (
        "annotator · place at (128, 130) · phase place · item 5 · MISTAKE · CORRECTION · 1.2 s"
    )
    x, y = session.click_for("next_section")
    forth = describe_click(session, ClickToken(x, y, action="next_section"))
    assert forth.text == "person · next section ‘+z’"
    assert describe_click(session, ClickToken(0, 0)).where == "beside everything"
    player = Player.replay(episode)
    captions = [describe_click(player.session, click) for click in episode.clicks]
    assert any("mistake" in caption.events for caption in captions)
    view = player.view()
    assert view.caption == captions[0]
    assert (view.position, view.steps) == (0, len(episode))


def test_a_shelf_has_a_folders_episodes_and_journals(tmp_path: Path, episode: Episode) -> None:
    other = recorded(seed=5, sections=4)
    with EpisodeWriter(tmp_path) as writer:
        writer.extend([episode, other])
    with Journal.create(tmp_path / "left.jsonl", other.header()) as journal:
        for click in other.clicks[:3]:
            journal.append(click)
    shelf = EpisodeShelf(tmp_path)
    assert len(shelf) == 3
    assert [shelf.name(i) for i in range(3)] == ["episode 0", "episode 1", "left.jsonl"]
    assert shelf[1].clicks == other.clicks
    assert shelf[-1].clicks == other.clicks[:3]
    assert [len(e) for e in shelf[:2]] == [len(episode), len(other)]
    with pytest.raises(IndexError):
        shelf[3]
    assert EpisodeShelf(tmp_path / "left.jsonl")[0].clicks == other.clicks[:3]


def test_a_shelf_of_journals_alone(tmp_path: Path, episode: Episode) -> None:
    Journal.create(tmp_path / "a.jsonl", episode.header()).close()
    (tmp_path / "empty.jsonl").touch()
    shelf = EpisodeShelf(tmp_path)
    assert [shelf.name(i) for i in range(len(shelf))] == ["a.jsonl"]
    assert len(shelf[0]) == 0


@pytest.mark.parametrize("name", ["nothing", "nothing.jsonl", "."])
def test_a_shelf_without_anything_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError):
        EpisodeShelf(tmp_path / name)


_CACHE: dict[str, Episode] = {}
_FRAMES: list[np.ndarray] = []


def _cached() -> Episode:
    if "episode" not in _CACHE:
        _CACHE["episode"] = recorded(2)
    return _CACHE["episode"]


def _frames() -> list[np.ndarray]:
    if not _FRAMES:
        session = Session(build_task(_cached()))
        for click in _cached().clicks:
            _FRAMES.append(session.frame().copy())
            session.apply((click.x, click.y), click.actor)
        _FRAMES.append(session.frame().copy())
    return _FRAMES
