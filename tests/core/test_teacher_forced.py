"""Teacher-forced evaluation: proposals against recorded clicks."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bcannot_core.annotators import Flag, make_annotator
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.evaluation.teacher_forced import evaluate_teacher_forced
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.volumes import open_volume


def scripted(path: Path, behaviour: str = "flawless", seed: int = 0, sections: int = 8) -> Episode:
    volume, labels = open_volume(path), open_volume(path, labels=True)
    world = TracingWorld(volume, (0, 20, 70), labels)
    session = Session(NeuronTracing(world, TracingConfig(sections=sections)))
    make_annotator(session, seed, behaviour).run()
    return episode_of(session)


class Parrot:
    """Proposes the recorded clicks, moved by some pixels."""

    def __init__(self, episode: Episode, moved: tuple[int, int] = (0, 0)) -> None:
        self.clicks = [(click.x + moved[0], click.y + moved[1]) for click in episode.clicks]
        self.seen: list[tuple[int, int]] = []

    def reset(self) -> None:
        self.seen = []

    def propose(self, frame: np.ndarray) -> Any:
        return SimpleNamespace(click_xy=self.clicks[len(self.seen)])

    def observe(self, frame: np.ndarray, click: tuple[int, int]) -> None:
        self.seen.append(click)


def test_the_recorded_clicks_themselves_are_right(labelled_npz: Path) -> None:
    episode = scripted(labelled_npz)
    parrot = Parrot(episode)
    advanced: list[int] = []
    report = evaluate_teacher_forced(parrot, [episode, episode], advanced.append)
    assert report["episodes"] == 2 and advanced == [1, 1]
    assert report["steps"] == 2 * len(episode)
    assert report["action_accuracy"] == report["placement_at_5px"] == 1.0
    assert report["placement_error_px"] == 0.0
    assert set(report["action_accuracy_by_type"]) == {"place", "next_section", "done"}
    assert parrot.seen == [(click.x, click.y) for click in episode.clicks]


def test_distances_are_in_frame_pixels(labelled_npz: Path) -> None:
    episode = scripted(labelled_npz)
    report = evaluate_teacher_forced(Parrot(episode, (6, 0)), [episode])
    assert report["placement_at_5px"] == 0.0 and report["placement_at_10px"] == 1.0
    assert report["placement_error_px"] == 6.0


def test_a_proposal_that_does_not_place_is_a_miss(labelled_npz: Path) -> None:
    episode = scripted(labelled_npz)
    done = episode.clicks[-1]
    parrot = Parrot(episode)
    parrot.clicks = [(done.x, done.y)] * len(episode)
    report = evaluate_teacher_forced(parrot, [episode])
    assert report["action_accuracy_by_type"] == {"done": 1.0, "next_section": 0.0, "place": 0.0}
    assert report["placement_at_10px"] == 0.0 and report["placement_error_px"] is None


def test_flagged_mistakes_are_shown_but_not_asked_for(labelled_npz: Path) -> None:
    episode = next(
        found
        for found in (scripted(labelled_npz, "hasty", seed, 20) for seed in range(20))
        if any(click.flags & Flag.MISTAKE for click in found.clicks)
    )
    mistakes = sum(bool(click.flags & Flag.MISTAKE) for click in episode.clicks)
    parrot = Parrot(episode)
    report = evaluate_teacher_forced(parrot, [episode])
    assert report["steps"] == len(episode) - mistakes
    assert len(parrot.seen) == len(episode)


def test_nothing_gives_no_figures() -> None:
    report = evaluate_teacher_forced(Parrot(Episode("t", {}, None, "original", 0, ())), [])
    assert report["episodes"] == 0 and report["action_accuracy"] is None


@pytest.mark.slow
def test_a_policy_would_do_again_what_it_did(cli: Any, tmp_path: Path, random_policy: Path) -> None:
    argv = ("--neurites", 1, "--sections", 6, "--policy", random_policy, "--device", "cpu")
    assert cli("demo", "--no-viewer", "--out", tmp_path / "d", *argv)[0] == 0
    words = ("eval", random_policy, "--mode", "teacher-forced", "--device", "cpu")
    code, out, err = cli(*words, "--data", tmp_path / "d" / "sessions", "--json", tmp_path / "r")
    assert (code, err) == (0, "") and "action_accuracy" in out
    report = json.loads((tmp_path / "r").read_text())
    assert report["mode"] == "teacher-forced" and report["episodes"] == 1
    assert report["action_accuracy"] == 1.0


@pytest.mark.slow
def test_scripted_sessions_are_made_where_none_are_given(
    cli: Any, tmp_path: Path, labelled_npz: Path, random_policy: Path
) -> None:
    words = ("eval", random_policy, "--mode", "teacher-forced", "--volume", labelled_npz)
    argv = ("--episodes", 2, "--sections", 4, "--device", "cpu", "--json", tmp_path / "r")
    assert cli(*words, *argv)[0] == 0
    report = json.loads((tmp_path / "r").read_text())
    assert report["episodes"] == 2 and report["steps"] >= 14


def test_recorded_sessions_have_no_closed_loop(
    cli: Any, tmp_path: Path, random_policy: Path
) -> None:
    code, _, err = cli("eval", random_policy, "--data", tmp_path)
    assert code == 2 and "teacher-forced" in err
