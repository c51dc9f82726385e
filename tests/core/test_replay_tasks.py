"""Every task: episodes replay to the same frames in other processes and as pictures."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bcannot_core.annotators import make_annotator
from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.export import export_episode
from bcannot_core.episodes.generate import generate_episodes
from bcannot_core.episodes.replay import Replay, episode_hash, replay
from bcannot_core.episodes.specification import GenerateSpec, episode_seed, generate_episode
from bcannot_core.episodes.worlds import build_task, episode_of
from bcannot_core.session import Session
from bcannot_core.tasks.registry import list_tasks, make_task

TASKS = list_tasks()
EPISODES = 50

HASHES = """
    import multiprocessing, sys
    from bcannot_core.episodes.dataset import open_dataset
    from bcannot_core.episodes.replay import episode_hash
    if __name__ == "__main__":
        episodes = list(open_dataset(sys.argv[1]))
        with multiprocessing.get_context(sys.argv[2]).Pool(1) as pool:
            print(*pool.map(episode_hash, episodes))
            pool.close()
            pool.join()
"""


def varied(task: str) -> GenerateSpec:
    return GenerateSpec(task, variants=("original", "random"))


@pytest.mark.parametrize("task", TASKS)
def test_a_replay_shows_what_the_annotator_saw(task: str) -> None:
    session = Session(make_task(task, 4, variant="light_right"))
    annotator = make_annotator(session, 4)
    seen = []
    while not session.terminated and len(seen) < 40:
        seen.append(session.frame().copy())
        annotator.step()
    episode = episode_of(session, seed=4)
    for step, frame in zip(replay(episode), seen, strict=True):
        np.testing.assert_array_equal(step.frame, frame)


@pytest.mark.parametrize("task", TASKS)
def test_the_score_comes_back_with_the_world(task: str) -> None:
    episode = generate_episode(varied(task), episode_seed(1, 2))
    run = Replay(episode, task=build_task(episode, labels=True), copy=False)
    for _ in run:
        pass
    assert run.session.terminated
    assert run.session.task.score(run.session.state)["success"] == episode.meta["success"]


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_hashes_are_equal_in_other_processes_after_a_round_trip(task: str, tmp_path: Path) -> None:
    seeds = [episode_seed(6, number) for number in range(EPISODES)]
    made = [generate_episode(varied(task), seed) for seed in seeds]
    generate_episodes(varied(task), EPISODES, 6, tmp_path / "data")
    assert list(open_dataset(tmp_path / "data")) == made
    script = tmp_path / "hashes.py"
    script.write_text(textwrap.dedent(HASHES))
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / "data"), method],
            stdout=subprocess.PIPE,
            text=True,
        )
        for method in ("spawn", "forkserver")
    ]
    found = [process.communicate()[0].split() for process in processes]
    here = [episode_hash(episode) for episode in made]
    assert found == [here, here]
    assert len(set(here)) == EPISODES


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_pictures_of_every_task(task: str, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    session = Session(make_task(task, 2))
    annotator = make_annotator(session, 2)
    while not session.terminated and len(session.clicks) < 12:
        annotator.step()
    episode = episode_of(session, seed=2)
    with Image.open(export_episode(episode, tmp_path / "a.gif", fps=10)) as gif:
        assert gif.size == (426, 436)
    assert b"ftyp" in export_episode(episode, tmp_path / "a.mp4").read_bytes()[:16]
    folder = export_episode(episode, tmp_path / "frames", marks=False)
    assert len(list(folder.iterdir())) == len(episode) + 1
    first = next(replay(episode)).frame
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "00000.png")), first)
