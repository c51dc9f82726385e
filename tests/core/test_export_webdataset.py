"""WebDataset: what is written is read back by the webdataset package."""

import gc
import tarfile
import warnings
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import replay
from bcannot_core.episodes.specification import GenerateSpec, generate_episode
from bcannot_core.episodes.to_webdataset import export_webdataset
from bcannot_core.errors import DatasetError, UsageError

wds = pytest.importorskip("webdataset")


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    short = GenerateSpec("neuron_tracing", {"sections": 3}, variants=("random",))
    return [generate_episode(short, seed) for seed in range(3)]


def samples(folder: Path) -> list[dict[str, Any]]:
    shards = sorted(str(path) for path in folder.glob("*.tar"))
    with warnings.catch_warnings():  # the package leaves its files to be closed by the collector
        warnings.simplefilter("ignore", ResourceWarning)
        found = list(wds.WebDataset(shards, shardshuffle=False, empty_check=False).decode("rgb8"))
        gc.collect()
    return found


@pytest.mark.parametrize("shard_bytes", [1, 2**30])
def test_every_step_is_read_back(episodes: list[Episode], tmp_path: Path, shard_bytes: int) -> None:
    done: list[int] = []
    folder = export_webdataset(
        episodes, tmp_path / "d", shard_bytes=shard_bytes, progress=done.append
    )
    assert len(list(folder.glob("*.tar"))) == (3 if shard_bytes == 1 else 1)
    assert done == [1, 1, 1]
    by_episode = groupby(samples(folder), key=lambda sample: sample["json"]["episode"])
    for (number, found), episode in zip(by_episode, episodes, strict=True):
        for i, (sample, step) in enumerate(zip(found, replay(episode), strict=True)):
            np.testing.assert_array_equal(sample["png"], step.frame)
            click = sample["json"]
            assert sample["__key__"] == f"{number:08d}-{i:06d}"
            assert {name: click[name] for name in step.click._fields} == step.click._asdict()
            assert (click["step"], click["last"]) == (i, i == len(episode) - 1)
            assert (click["task"], click["variant"]) == (episode.task, episode.variant)
            assert (click["seed"], click["config"]) == (episode.seed, episode.config)


def test_the_same_episodes_give_the_same_bytes(episodes: list[Episode], tmp_path: Path) -> None:
    one, two = (export_webdataset(episodes[:1], tmp_path / name) for name in "ab")
    assert (one / "bcannot-000000.tar").read_bytes() == (two / "bcannot-000000.tar").read_bytes()
    with tarfile.open(one / "bcannot-000000.tar") as shard:
        assert {member.mtime for member in shard} == {0}


def test_nothing_is_left_where_it_cannot_be_written(
    episodes: list[Episode], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no episodes"):
        export_webdataset([], tmp_path / "none")
    broken = Episode("neuron_tracing", {"sections": 0}, None, "original", 0, episodes[0].clicks)
    with pytest.raises(DatasetError, match="cannot be made"):
        export_webdataset([episodes[0], broken], tmp_path / "half")
    assert list(tmp_path.iterdir()) == []
