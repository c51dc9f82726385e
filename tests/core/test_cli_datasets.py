"""``bcannot generate`` over many tasks, and ``bcannot export``."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bcannot_core.cli.asked import chosen_tasks, chosen_variants, task_options
from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.generate import generate_episodes
from bcannot_core.episodes.specification import GenerateSpec, Mixture
from bcannot_core.errors import UsageError
from bcannot_core.screen import VARIANTS
from bcannot_core.tasks.registry import list_tasks


def test_tasks_and_their_weights() -> None:
    assert chosen_tasks(["shape_matching", "exploration_3d=2.5"]) == {
        "shape_matching": None,
        "exploration_3d": 2.5,
    }
    every = chosen_tasks(["all=2", "shape_matching=9"])
    assert list(every) == list_tasks()
    assert every.pop("shape_matching") == 9 and set(every.values()) == {2.0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shape_matching=much"], "no positive number"),
        (["shape_matching=0"], "no positive number"),
        (["shape_matching=nan"], "no positive number"),
        (["shape_matching", "shape_matching=2"], "named twice"),
        (["shape_machting"], "did you mean 'shape_matching'"),
    ],
)
def test_what_is_no_task_or_weight(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        chosen_tasks(words)


def test_options_of_all_tasks_or_of_one() -> None:
    found = task_options(["noise=0.5", "a.cells=9", 'b.kinds=["x",1]', "mode=fast"], ["a", "b"])
    assert found["a"] == {"noise": 0.5, "mode": "fast", "cells": 9}
    assert found["b"] == {"noise": 0.5, "mode": "fast", "kinds": ["x", 1]}
    for word in ("noise", "=3", "c.cells=9", "a.=2"):
        with pytest.raises(UsageError, match="--set"):
            task_options([word], ["a", "b"])


def test_groups_of_variants() -> None:
    seen = chosen_variants(["seen", "random", "original"])
    assert len(seen) == 9 and seen[-1] == "random"
    unseen = chosen_variants(["unseen"])
    assert len(unseen) == 3 and all(VARIANTS[name].held_out for name in unseen)


def test_each_task_has_so_many_episodes(cli: Any, tmp_path: Path) -> None:
    tasks = ("exploration_3d", "shape_matching")
    argv = ("generate", *tasks, "--episodes", 3, "--variant", "seen", "--out", tmp_path / "d")
    code, out, err = cli(*argv, "--json", tmp_path / "g.json")
    assert (code, err) == (0, "") and "6 episodes made" in out
    made = open_dataset(tmp_path / "d")
    assert Counter(made.column("task")) == dict.fromkeys(tasks, 3)
    found = json.loads((tmp_path / "g.json").read_text())
    assert (found["made"], found["there"], found["tasks"]) == (6, 0, list(tasks))
    assert all(not VARIANTS[name].held_out for name in made.column("variant"))


def test_weights_mix_the_tasks(cli: Any, tmp_path: Path) -> None:
    tasks = ("exploration_3d=9", "shape_matching=1")
    argv = ("generate", *tasks, "--episodes", 30, "--out", tmp_path / "d")
    assert cli(*argv)[0] == 0
    made = Counter(open_dataset(tmp_path / "d").column("task"))
    assert made.total() == 30 and made["exploration_3d"] > 18
    assert [path.name[:8] for path in (tmp_path / "d").iterdir()] == ["mixture-"]


def test_options_and_mistakes_reach_the_episodes(cli: Any, tmp_path: Path) -> None:
    argv = ("generate", "cell_lineage", "--episodes", 2, "--mistakes", 0, "--out", tmp_path / "d")
    assert cli(*argv, "--set", "frames=10", "--set", "cell_lineage.cells=5")[0] == 0
    for episode in open_dataset(tmp_path / "d"):
        assert (episode.config["frames"], episode.config["cells"]) == (10, 5)
        assert all(click.action != "undo" for click in episode.clicks)


@pytest.mark.parametrize(
    "argv",
    [
        ("shape_matching", "--set", "sugar=1"),
        ("shape_matching", "--set", "cell_lineage.cells=3"),
        ("shape_matching", "--mistakes", "1.5"),
        ("shape_matching", "--sections", "5"),
        ("shape_matching", "--volume", "a.tif"),
        ("shape_matching=-1",),
        ("shape_matching", "--variant", "left:plaid:pill:icon:glow:top"),
    ],
)
def test_wrong_words_are_2(cli: Any, tmp_path: Path, argv: tuple[str, ...]) -> None:
    code, out, err = cli("generate", *argv, "--episodes", 1, "--out", tmp_path / "d")
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "mixed"
    parts = tuple(GenerateSpec(task) for task in ("exploration_3d", "shape_matching"))
    generate_episodes(Mixture(parts), 8, 2, folder)
    return folder


def test_export_to_webdataset(cli: Any, mixed: Path, tmp_path: Path) -> None:
    argv = ("export", mixed, "--format", "webdataset", "--out", tmp_path / "w")
    code, out, err = cli(*argv, "--task", "shape_matching")
    assert (code, err) == (0, "")
    count = Counter(open_dataset(mixed).column("task"))["shape_matching"]
    assert f"{count} episodes as webdataset" in out
    assert (tmp_path / "w" / "bcannot-000000.tar").stat().st_size > 10_000
    assert cli(*argv)[0] == 1  # it is there


def test_export_to_lerobot(cli: Any, mixed: Path, tmp_path: Path) -> None:
    argv = ("export", mixed, "--format", "lerobot", "--images", "--episodes", 2, "--fps", 4)
    assert cli(*argv, "--out", tmp_path / "l")[0] == 0
    rows = pq.read_table(tmp_path / "l" / "data" / "chunk-000" / "file-000.parquet")
    assert len(rows) == sum(open_dataset(mixed).column("steps")[:2])
    assert rows.column("timestamp").to_pylist()[:3] == [0.0, 0.25, 0.5]


@pytest.mark.parametrize("out", [".", "empty"])
def test_export_fills_an_empty_folder_that_cannot_be_replaced(
    cli: Any, mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty" if out == "." else tmp_path)
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "empty")
    before = (tmp_path / "empty").stat().st_ino
    argv = ("export", mixed, "--format", "webdataset", "--episodes", 1)
    assert cli(*argv, "--out", out)[0] == 0
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["bcannot-000000.tar"]
    assert (tmp_path / "empty").stat().st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_export_says_what_is_not_there(cli: Any, mixed: Path, tmp_path: Path) -> None:
    argv = ("export", mixed, "--out", tmp_path / "w")
    assert cli(*argv, "--format", "webdataset", "--task", "road_network")[0] == 2
    assert cli(*argv, "--format", "zip")[0] == 2
    assert cli("export", tmp_path / "none", "--format", "lerobot", "--out", tmp_path / "w")[0] == 1
    assert list(tmp_path.iterdir()) == []
