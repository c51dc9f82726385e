"""Datasets of several tasks: what is for one task takes that task's episodes alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from bcannot_core.cli.losses import LossLine
from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.generate import GenerateSpec, Source, generate_episodes
from bcannot_core.episodes.of_task import EpisodesOfTask
from bcannot_core.errors import UsageError
from bcannot_core.policy.checkpoint import read_config
from bcannot_core.training.recipe import TrainRecipe
from bcannot_core.training.run import RunOptions, train

TRACED, SHAPES = 2, 3


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    generate_episodes(GenerateSpec(task="shape_matching"), SHAPES, 1, folder)
    return folder


@pytest.fixture(scope="module")
def mixed(labelled_npz: Path, shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Datasets that begin with another task and end with neuron tracing."""
    folder = tmp_path_factory.mktemp("traced")
    sources = (Source(str(labelled_npz), str(labelled_npz)),)
    spec = GenerateSpec(config={"sections": 5}, sources=sources, min_sections=4)
    generate_episodes(spec, TRACED, 1, folder)
    return [shapes, folder]


def make_recipe(glance: int = 0) -> TrainRecipe:
    policy = {
        "canvas_xywh": [16, 73, 256, 256],
        "width": 32,
        "layers": 1,
        "heads": 2,
        "context": 6,
        "glance": {"size": 32, "channels": [8, 8, 8]},
    }
    steps = {"updates": 2, "episodes": 9, "windows": 2}
    lanes = {"updates": glance, "lanes": 2, "pool": 2}
    return TrainRecipe.from_json({"policy": policy, "glance": lanes, "steps": steps})


def test_episodes_of_a_task_keep_their_order(mixed: list[Path]) -> None:
    dataset = open_dataset(*mixed)
    traced = EpisodesOfTask(dataset, "neuron_tracing")
    assert (len(traced), traced.left_out) == (TRACED, SHAPES)
    assert list(traced) == traced[:] == dataset[SHAPES:]
    assert traced[-1] == dataset[-1]
    with pytest.raises(IndexError):
        traced[TRACED]


def test_without_the_task_those_there_are_are_named(shapes: Path) -> None:
    with pytest.raises(UsageError, match=r"no episode of neuron_tracing, only of shape_matching"):
        EpisodesOfTask(open_dataset(shapes), "neuron_tracing")


# -------------------------------------------------------------------------------------- training


def test_a_policy_that_traces_learns_from_tracing_alone(mixed: list[Path], tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    logs = []
    for name, data in (("mixed", mixed), ("traced", mixed[1:])):
        options = RunOptions(tmp_path / name, device="cpu", workers=0)
        train(make_recipe(glance=1), data, options, progress=told.append)
        lines = (tmp_path / name / "log.jsonl").read_text().splitlines()
        logs.append([json.loads(line).get("total") for line in lines])
    assert logs[0] == logs[1]
    about = {"stage": "run", "episodes": TRACED, "left_out": SHAPES}
    assert [entry for entry in told if entry["stage"] == "run"] == [about]
    assert told[0] == about
    assert read_config(tmp_path / "mixed" / "policy")["training"]["episodes"] == TRACED


def test_a_run_without_any_tracing_is_not_begun(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no episode of neuron_tracing"):
        train(make_recipe(), [shapes], RunOptions(tmp_path / "run", device="cpu", workers=0))
    assert not (tmp_path / "run").exists()


def test_finetuning_on_another_task_is_one_line(
    cli: Any, shapes: Path, random_policy: Path, tmp_path: Path
) -> None:
    argv = ("--data", shapes, "--out", tmp_path / "run", "--updates", 1)
    code, out, err = cli("finetune", random_policy, *argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "shape_matching" in err


def test_what_is_left_out_is_said_and_counts_as_no_update(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LossLine(1) as losses:
        advanced: list[int] = []
        monkeypatch.setattr(losses, "_advance", advanced.append)
        losses({"stage": "run", "episodes": 2, "left_out": 3})
        losses({"stage": "steps", "update": 0})
    first, second = capsys.readouterr().err.splitlines()
    assert "3 of 5 episodes" in first and second == "stage steps  update 0"
    assert advanced == [1]


# ------------------------------------------------------------------------------------ evaluation


def forced(cli: Any, report: Path, policy: object, data: list[Path], *argv: object) -> Any:
    words = [word for path in data for word in ("--data", path)]
    mode = ("--mode", "teacher-forced", "--episodes", 9, "--json", report)
    code, _, err = cli("eval", policy, *mode, *words, *argv)
    assert (code, err) == (0, "")
    return json.loads(report.read_text())


def test_teacher_forced_scores_take_one_task(
    cli: Any, mixed: list[Path], random_policy: Path, tmp_path: Path
) -> None:
    dataset, report = open_dataset(*mixed), tmp_path / "r.json"
    found = forced(cli, report, random_policy, mixed)
    assert found["episodes"] == TRACED
    assert found == forced(cli, report, random_policy, mixed[1:])
    backwards, task = mixed[::-1], ("--task", "shape_matching")
    found = forced(cli, report, "baseline:flawless", backwards, *task)
    assert found["episodes"] == SHAPES
    assert found["steps"] <= sum(len(dataset[i]) for i in range(SHAPES))
    fewer = forced(cli, report, "baseline:flawless", backwards, *task, "--episodes", 1)
    assert fewer["episodes"] == 1 and fewer["steps"] < found["steps"]


@pytest.mark.parametrize(
    ("policy", "task"), [(None, "neuron_tracing"), ("baseline:random", "colored_dot_tracking")]
)
def test_teacher_forced_on_another_task_is_one_line(
    cli: Any, shapes: Path, random_policy: Path, policy: str | None, task: str
) -> None:
    argv = ("--task", task, "--mode", "teacher-forced", "--data", shapes)
    code, out, err = cli("eval", policy or random_policy, *argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"no episode of {task}, only of shape_matching" in err
