"""Generating: the same episodes whatever the number of workers, and an interrupted run goes on."""

import math
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from bcannot_core.annotators import Behaviour
from bcannot_core.episodes import generate, traced
from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.generate import (
    ALL_AXES,
    GenerateSpec,
    Mixture,
    Orientation,
    Source,
    episode_seed,
    generate_episode,
    generate_episodes,
)
from bcannot_core.episodes.replay import Replay, episode_hash
from bcannot_core.episodes.worlds import build_task, with_volume
from bcannot_core.errors import DatasetError, TaskError, UsageError, VolumeNotFoundError
from bcannot_core.tasks.neurites import start_candidates
from bcannot_core.volumes.formats import synthetic


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Three tubes along each other, grey values and labels in one file."""
    grey = np.random.default_rng(0).integers(60, 200, (30, 64, 72), dtype=np.uint8)
    labels = np.zeros(grey.shape, dtype=np.uint32)
    zz, yy, xx = np.mgrid[:30, :64, :72]
    for label, (y, x) in enumerate([(16, 20), (34, 38), (48, 58)], start=1):
        labels[(yy - y - 3 * np.sin(zz / 5)) ** 2 + (xx - x) ** 2 <= 36] = label
    np.savez(tmp_path / "cells.npz", em=grey, seg=labels)
    address = f"{tmp_path / 'cells.npz'}#voxel_nm=10,10,10"
    return Source(address, address)


def make_spec(source: Source, **changes: Any) -> GenerateSpec:
    values: dict[str, Any] = {
        "config": {"sections": 12},
        "sources": (source,),
        "variants": ("original", "light_right"),
        "behaviours": ("default", "hasty"),
        "orientation": Orientation(ALL_AXES, True, (1, 2)),
        "min_sections": 6,
    }
    return GenerateSpec(**{**values, **changes})


def test_one_worker_and_three_make_the_same_episodes(source: Source, tmp_path: Path) -> None:
    spec = make_spec(source)
    assert generate_episodes(spec, 20, 7, tmp_path / "one") == 20
    assert generate_episodes(spec, 20, 7, tmp_path / "three", workers=3) == 20
    with ThreadPoolExecutor(2) as executor:
        generate_episodes(spec, 20, 7, tmp_path / "pool", executor=executor)
    episodes = list(open_dataset(tmp_path / "one"))
    assert list(open_dataset(tmp_path / "three")) == episodes
    assert list(open_dataset(tmp_path / "pool")) == episodes
    assert [e.seed for e in episodes] == [episode_seed(7, i) for i in range(20)]
    assert generate_episode(spec, episodes[5].seed) == episodes[5]
    assert generate_episode(spec, episode_seed(8, 0)) != episodes[0]


def test_episodes_are_perfect_varied_and_replay(source: Source, tmp_path: Path) -> None:
    generate_episodes(make_spec(source), 24, 1, tmp_path / "d")
    episodes = list(open_dataset(tmp_path / "d"))
    for episode in episodes:
        task = build_task(episode, labels=True)
        run = Replay(episode, task=task)
        assert all(step.frame.any() for step in run)
        score = task.score(run.session.state)
        assert episode.meta["success"]
        assert score["coverage"] == score["skeleton_accuracy"] == 1
    assert len({episode_hash(e) for e in episodes}) == 24
    assert len({e.data.volume for e in episodes if e.data}) > 10
    assert {e.variant for e in episodes} == {"original", "light_right"}
    assert {e.meta["behaviour"] for e in episodes} == {"default", "hasty"}
    assert {e.data.voxel_nm for e in episodes if e.data} == {(10, 10, 10), (20, 10, 10)}


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(generate, "SHARD_EPISODES", 4)
    monkeypatch.setattr(generate, "_BATCH", 2)
    yield


@pytest.mark.usefixtures("small_shards")
def test_an_interrupted_run_goes_on_where_it_was(source: Source, tmp_path: Path) -> None:
    spec, seen = make_spec(source), []

    class Interrupted(Exception):
        pass

    def stop_at_ten(done: int, of_all: int) -> None:
        seen.append((done, of_all))
        if done == 10:
            raise Interrupted

    with pytest.raises(Interrupted):
        generate_episodes(spec, 14, 3, tmp_path / "d", progress=stop_at_ten)
    assert len(open_dataset(tmp_path / "d")) == 8
    assert generate_episodes(spec, 14, 3, tmp_path / "d") == 6
    assert generate_episodes(spec, 14, 3, tmp_path / "d") == 0
    generate_episodes(spec, 14, 3, tmp_path / "whole")
    assert list(open_dataset(tmp_path / "d")) == list(open_dataset(tmp_path / "whole"))
    assert seen == [(i, 14) for i in range(2, 11, 2)]


@pytest.mark.usefixtures("small_shards")
def test_more_episodes_extend_a_dataset_and_a_damaged_shard_is_made_again(
    source: Source, tmp_path: Path
) -> None:
    spec = make_spec(source)
    generate_episodes(spec, 6, 3, tmp_path)
    assert generate_episodes(spec, 9, 3, tmp_path) == 5  # the half shard and one more
    whole = list(open_dataset(tmp_path))
    shard = sorted(tmp_path.glob("*.parquet"))[0]
    shard.write_bytes(shard.read_bytes()[:-30])
    assert generate_episodes(spec, 9, 3, tmp_path) == 4
    assert list(open_dataset(tmp_path)) == whole


def test_another_specification_or_seed_adds_to_a_dataset(source: Source, tmp_path: Path) -> None:
    spec = make_spec(source)
    generate_episodes(spec, 2, 3, tmp_path / "d")
    generate_episodes(spec, 2, 4, tmp_path / "d")
    generate_episodes(make_spec(source, behaviours=(Behaviour(verify=0.5),)), 2, 3, tmp_path / "d")
    assert len(open_dataset(tmp_path / "d")) == 6


def test_sources_are_drawn_by_their_weights(source: Source, tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    other.write_bytes((tmp_path / "cells.npz").read_bytes())
    second = Source(f"{other}#voxel_nm=30,10,10", f"{other}#voxel_nm=30,10,10", weight=3.0)
    spec = make_spec(source, sources=(source, second), orientation=Orientation())
    episodes = [generate_episode(spec, i) for i in range(60)]
    share = np.mean(["other" in e.data.volume for e in episodes if e.data])
    assert share == pytest.approx(0.75, abs=0.15)
    for weights in ((-1.0, 1.0), (0.0, 0.0), (math.nan, 1.0)):
        sources = tuple(Source(source.volume, source.labels, w) for w in weights)
        with pytest.raises(UsageError, match="weights"):
            generate_episode(make_spec(source, sources=sources), 0)


def test_starts_are_looked_for_once_for_each_way_to_slice(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Any] = []

    def counted(labels: Any) -> Any:
        looked.append(labels.shape)
        return start_candidates(labels)

    monkeypatch.setattr(traced, "start_candidates", counted)
    traced._candidates.cache_clear()
    spec = make_spec(source)
    first = [generate_episode(spec, seed) for seed in range(30)]
    assert 0 < len(looked) <= 3 * 2 * 2  # axes, directions and steps
    monkeypatch.setattr(traced, "_candidates", lambda *_of: None)  # looked for anew each time
    assert [generate_episode(spec, seed) for seed in range(30)] == first


def test_a_worker_calculates_in_one_thread(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def threads() -> int:
        return max(pool["num_threads"] for pool in threadpool_info())

    def watched(spec: GenerateSpec, seed: int) -> Episode:
        seen.append(threads())
        return generate_episode(spec, seed)

    seen: list[int] = []
    monkeypatch.setattr("bcannot_core.episodes.specification.generate_episode", watched)
    with threadpool_limits(3):
        generate_episodes(make_spec(source), 2, 0, tmp_path / "d")
        assert threads() == 3
    assert seen == [1, 1]


def test_volumes_are_generated_before_there_are_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthetic, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(synthetic, "_memory", OrderedDict())
    monkeypatch.setattr(generate, "ProcessPoolExecutor", lambda *_of, **_options: Looking())
    address = "synthetic://default?seed=3&shape=24,64,64"

    class Looking(ThreadPoolExecutor):
        """Workers that note what is there when they begin."""

        def submit(self, call: Any, /, *args: Any, **options: Any) -> Future[Any]:
            there.append(len(list((tmp_path / "cache").glob("*.npz"))))
            return super().submit(call, *args, **options)

    there: list[int] = []
    spec = make_spec(Source(address, f"{address}#box=0,24,0,64,0,64"), min_sections=2)
    both = Mixture((spec, GenerateSpec("exploration_3d")))
    generate_episodes(both, 2, 0, tmp_path / "d", workers=2)
    assert there and min(there) == 1
    generate_episodes(both, 2, 0, tmp_path / "d", workers=2)  # all there: nothing to prepare
    assert len(there) == 1


def test_a_volume_that_has_moved_is_found_with_its_region(source: Source, tmp_path: Path) -> None:
    episode = generate_episode(make_spec(source), 5)
    before = episode_hash(episode)
    (tmp_path / "cells.npz").rename(tmp_path / "moved #1.npz")
    assert episode_hash(with_volume(episode, str(tmp_path / "moved #1.npz"))) == before


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"task": "tea"}, UsageError, "unknown task 'tea'"),
        ({"variants": ()}, UsageError, "nothing to draw from"),
        ({"variants": ("plaid",)}, UsageError, "plaid"),
        ({"behaviours": ("sloppy",)}, UsageError, "sloppy"),
        ({"sources": (Source("gone.npz", "gone.npz"),)}, VolumeNotFoundError, "gone"),
    ],
)
def test_what_cannot_be_generated_is_said(
    source: Source, tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        generate_episodes(make_spec(source, **changes), 2, 0, tmp_path / "d")


def test_a_volume_without_neurites_is_said_so(tmp_path: Path) -> None:
    labels = np.zeros((30, 64, 72), dtype=np.uint32)
    np.savez(tmp_path / "empty.npz", em=labels.astype(np.uint8), seg=labels)
    empty = str(tmp_path / "empty.npz")
    with pytest.raises(TaskError, match="no neurite"):
        generate_episode(GenerateSpec(sources=(Source(empty, empty),)), 0)


def test_numbers_that_cannot_be_are_refused(source: Source, tmp_path: Path) -> None:
    spec = make_spec(source)
    for n, seed, workers in ((0, 0, 1), (1, -1, 1), (1, 0, 0)):
        with pytest.raises(UsageError, match="cannot generate"):
            generate_episodes(spec, n, seed, tmp_path / "d", workers=workers)
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot make dataset"):
        generate_episodes(spec, 1, 0, tmp_path / "file")
