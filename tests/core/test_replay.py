"""Replay: the same frames, bit for bit, wherever an episode goes; and pictures of it."""

import math
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bcannot_core.annotators import Behaviour, make_annotator
from bcannot_core.episodes.dataset import EpisodeWriter, open_dataset
from bcannot_core.episodes.episode import DataRef, Episode
from bcannot_core.episodes.export import export_episode
from bcannot_core.episodes.replay import Replay, episode_from_journal, episode_hash, replay
from bcannot_core.episodes.worlds import build_task, describe_task, episode_of
from bcannot_core.errors import DatasetError, UsageError, VolumeNotFoundError
from bcannot_core.session.journal import Journal, JournalRecorder
from bcannot_core.session.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.volumes import Contrast, Volume, open_volume

CARELESS = Behaviour(near_miss=0.15, far_miss=0.1, wrong_object=0.1, verify=0.1, overshoot=0.1)


def tissue(seed: int = 0) -> dict[str, np.ndarray]:
    """Grey values and labels of two winding tubes."""
    grey = np.random.default_rng(seed).integers(60, 200, (14, 90, 100), dtype=np.uint8)
    labels = np.zeros(grey.shape, dtype=np.uint32)
    yy, xx = np.mgrid[:90, :100]
    for z in range(14):
        for label, shift in ((1, 0), (2, 18)):
            y, x = 45 + shift + 8 * math.sin(z / 4), 50 + 9 * math.cos(z / 5)
            labels[z][(yy - y) ** 2 + (xx - x) ** 2 <= 25] = label
    return {"em": grey, "seg": labels}


@pytest.fixture
def address(tmp_path: Path) -> str:
    np.savez(tmp_path / "cells.npz", **tissue())
    return f"{tmp_path / 'cells.npz'}#voxel_nm=30,10,10"


def make_session(address: str, **config: Any) -> Session:
    volume, labels = open_volume(address), open_volume(address, labels=True)
    world = TracingWorld(volume, config.pop("start_zyx", (0, 45, 59)), labels)
    return Session(NeuronTracing(world, TracingConfig(**config)))


def make_episode(address: str, seed: int = 0, **config: Any) -> Episode:
    session = make_session(address, **config)
    make_annotator(session, seed, CARELESS).run()
    return episode_of(session, {"success": True}, seed=seed)


def test_frames_clicks_and_outcomes_are_those_of_the_session(address: str) -> None:
    session = make_session(address)
    annotator = make_annotator(session, 3, CARELESS)
    frames, outcomes = [], []
    while not session.terminated:
        frames.append(session.frame().copy())
        outcomes.append(annotator.step())
    last = session.frame().copy()
    episode = episode_of(session)
    steps = list(replay(episode))
    assert [step.click for step in steps] == list(session.clicks)
    assert [step.outcome.detail for step in steps] == [outcome.detail for outcome in outcomes]
    for step, frame in zip(steps, frames, strict=True):
        np.testing.assert_array_equal(step.frame, frame)
    run = Replay(episode, copy=False)
    assert len(list(run)) == len(frames)
    np.testing.assert_array_equal(run.session.frame(), last)
    assert run.session.task.score is not None
    assert run.session.terminated


HASHES = """
    import multiprocessing, sys
    from bcannot_core.episodes.dataset import open_dataset
    from bcannot_core.episodes.replay import episode_hash
    if __name__ == "__main__":
        episodes = list(open_dataset(sys.argv[1]))
        with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
            print(*pool.map(episode_hash, episodes))
            pool.close()
            pool.join()
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_hashes_are_equal_in_other_processes_after_a_round_trip(
    address: str, tmp_path: Path, method: str
) -> None:
    episodes = [
        make_episode(address, 1),
        make_episode(address, 2, variant="light_right", nm_per_px=7.0),
        make_episode(
            f"{address}&box=0,14,0,90,0,100&flip=0,1,0&step=2,1,1", 3, start_zyx=(0, 44, 59)
        ),
    ]
    with EpisodeWriter(tmp_path / "data") as writer:
        writer.extend(episodes)
    script = tmp_path / "hashes.py"
    script.write_text(textwrap.dedent(HASHES))
    command = [sys.executable, str(script), str(tmp_path / "data"), method]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert found == [episode_hash(episode) for episode in episodes]
    assert len(set(found)) == 3


def test_a_hash_says_which_pixels_and_which_clicks(address: str) -> None:
    episode = make_episode(address)
    same = replace(episode, meta={"other": 1})
    assert episode_hash(same) == episode_hash(episode)
    shorter = replace(episode, clicks=episode.clicks[:-1])
    darker = replace(episode, data=replace(episode.data, contrast=(0.0, 250.0)))
    other = replace(episode, variant="retro")
    hashes = {episode_hash(each) for each in (episode, shorter, darker, other)}
    assert len(hashes) == 4


def test_a_recorded_session_replays_from_its_journal(address: str, tmp_path: Path) -> None:
    session = make_session(address)
    with Journal.create(
        tmp_path / "a.jsonl", describe_task(session.task, {"who": "me"})
    ) as journal:
        session.subscribe(JournalRecorder(journal))
        make_annotator(session, 5).run()
    episode = episode_from_journal(tmp_path / "a.jsonl")
    assert episode == episode_of(session, {"who": "me"})
    torn = (tmp_path / "a.jsonl").read_bytes()[:-20]
    (tmp_path / "a.jsonl").write_bytes(torn)
    assert list(replay(episode_from_journal(tmp_path / "a.jsonl")))[-1].click == episode.clicks[-2]


def test_labels_are_opened_for_a_score(address: str) -> None:
    episode = make_episode(address)
    task = build_task(episode, labels=True)
    run = Replay(episode, task=task)
    list(run)
    assert task.score(run.session.state)["success"]


def test_other_voxels_are_refused(address: str, tmp_path: Path) -> None:
    episode = make_episode(address)
    np.savez(tmp_path / "cells2.npz", **tissue(seed=1))
    moved = f"{tmp_path / 'cells2.npz'}#voxel_nm=30,10,10"
    with pytest.raises(DatasetError, match="does not hold the voxels"):
        episode_hash(replace(episode, data=replace(episode.data, volume=moved)))
    same = f"{tmp_path / 'cells.npz'}#voxel_nm=40,10,10"
    with pytest.raises(DatasetError, match="open it with that voxel size"):
        episode_hash(replace(episode, data=replace(episode.data, volume=same)))
    gone = replace(episode, data=replace(episode.data, volume=str(tmp_path / "gone.npz")))
    with pytest.raises(VolumeNotFoundError):
        episode_hash(gone)


def test_a_volume_from_elsewhere_can_stand_in(address: str) -> None:
    episode = make_episode(address)
    volume = Volume.from_array(tissue()["em"], voxel_nm=(30, 10, 10), contrast=Contrast(1, 2))
    gone = replace(episode, data=replace(episode.data, volume="gone.npz"))
    assert episode_hash(gone, volume=volume) == episode_hash(episode)
    other = Volume.from_array(tissue(3)["em"], voxel_nm=(30, 10, 10))
    with pytest.raises(DatasetError, match="does not hold the voxels"):
        episode_hash(gone, volume=other)


def changed_click(episode: Episode, index: int, **changes: Any) -> Episode:
    clicks = list(episode.clicks)
    clicks[index] = clicks[index]._replace(**changes)
    return replace(episode, clicks=tuple(clicks))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: changed_click(e, 2, action="undo"), "click 2 .* was 'undo' .* is 'place' now"),
        (lambda e: changed_click(e, 2, x=5000), "click 2 .* cannot be replayed"),
        (lambda e: changed_click(e, 0, actor="ghost"), "click 0 .* cannot be replayed"),
        (lambda e: replace(e, task="tea"), "'tea'"),
        (lambda e: replace(e, task="tea", data=None), "cannot be made: unknown task 'tea'"),
        (lambda e: replace(e, config={"pace": 3}), "configuration does not fit"),
        (lambda e: replace(e, config={"sections": 0}), "configuration does not fit"),
        (lambda e: replace(e, variant="plaid"), "configuration does not fit"),
        (
            lambda e: replace(e, data=replace(e.data, start_zyx=(99, 0, 0))),
            "does not fit its volume",
        ),
    ],
)
def test_an_episode_that_does_not_fit_is_refused_in_one_line(
    address: str, change: Any, message: str
) -> None:
    with pytest.raises(DatasetError, match=message) as error:
        list(replay(change(make_episode(address))))
    assert "\n" not in str(error.value)


def test_without_copies_frames_share_their_memory(address: str) -> None:
    episode = make_episode(address)
    shared = [step.frame for step in replay(episode, copy=False)]
    own = [step.frame for step in replay(episode)]
    assert np.shares_memory(shared[0], shared[-1])
    assert not np.shares_memory(own[0], own[-1])


def test_a_gif_has_a_picture_for_every_frame(address: str, tmp_path: Path) -> None:
    episode = make_episode(address)
    seen: list[tuple[int, int]] = []
    path = export_episode(episode, tmp_path / "a.gif", fps=5, progress=lambda *n: seen.append(n))
    with Image.open(path) as gif:
        assert gif.size == (426, 436)
        assert gif.info["duration"] == 200
        durations = 0
        for i in range(gif.n_frames):
            gif.seek(i)
            durations += gif.info["duration"]
    assert durations == 200 * (len(episode) + 1)
    assert seen == [(i, len(episode) + 1) for i in range(1, len(episode) + 2)]
    assert [p.name for p in tmp_path.glob("*.gif")] == ["a.gif"]


def test_a_folder_gets_exact_frames_with_marks_on_the_clicks(address: str, tmp_path: Path) -> None:
    episode = make_episode(address)
    plain = export_episode(episode, tmp_path / "plain", marks=False)
    marked = export_episode(episode, tmp_path / "marked")
    steps = list(replay(episode))
    assert len(list(plain.iterdir())) == len(steps) + 1
    for i, step in enumerate(steps):
        np.testing.assert_array_equal(np.asarray(Image.open(plain / f"{i:05d}.png")), step.frame)
        picture = np.asarray(Image.open(marked / f"{i:05d}.png"))
        ys, xs = np.nonzero((picture != step.frame).any(2))
        assert abs(xs - step.click.x).max() <= 10
        assert abs(ys - step.click.y).max() <= 10
        np.testing.assert_array_equal(
            picture[step.click.y, step.click.x], step.frame[step.click.y, step.click.x]
        )
    with pytest.raises(DatasetError, match="not an empty folder"):
        export_episode(episode, tmp_path / "plain")


def test_a_video_can_be_written(address: str, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    episode = make_episode(address, sections=3)
    path = export_episode(episode, tmp_path / "a.mp4")
    assert b"ftyp" in path.read_bytes()[:16]


def test_a_video_without_ffmpeg_names_the_remedy(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UsageError, match="pip install imageio-ffmpeg"):
        export_episode(make_episode(address, sections=2), tmp_path / "a.mp4")


def test_a_picture_that_cannot_be_written_leaves_nothing_behind(
    address: str, tmp_path: Path
) -> None:
    episode = make_episode(address, sections=3)
    with pytest.raises(UsageError, match=r"\.gif or \.mp4"):
        export_episode(episode, tmp_path / "a.txt")
    with pytest.raises(UsageError, match="frames a second"):
        export_episode(episode, tmp_path / "a.gif", fps=0)
    with pytest.raises(DatasetError, match="cannot write"):
        export_episode(episode, tmp_path / "no" / "a.gif")
    bad = changed_click(episode, 3, action="undo")
    for name in ("a.gif", "folder"):
        with pytest.raises(DatasetError, match="click 3"):
            export_episode(bad, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["cells.npz"]


def test_data_references_are_checked() -> None:
    reference = DataRef("a", (1, 2, 3), (1.0, 2.0, 3.0), (0.0, 1.0), "f", None)
    assert DataRef.from_dict(reference.to_dict()) == reference
    for wrong in ({"start_zyx": [1, 2]}, {"voxel_nm": "abc"}, {"volume": 3}, {"contrast": None}):
        with pytest.raises(DatasetError, match="data reference"):
            DataRef.from_dict(reference.to_dict() | wrong)


def test_a_dataset_of_replayed_episodes_is_the_same_dataset(address: str, tmp_path: Path) -> None:
    episode = make_episode(address, 4)
    run = Replay(episode)
    list(run)
    with EpisodeWriter(tmp_path / "d") as writer:
        writer.append(episode_of(run.session, episode.meta, seed=4))
    found = open_dataset(tmp_path / "d")[0]
    assert (found.clicks, found.config, found.meta) == (
        episode.clicks,
        episode.config,
        episode.meta,
    )
    assert episode_hash(found) == episode_hash(episode)
