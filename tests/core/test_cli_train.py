"""``bcannot train`` and ``bcannot finetune``, on a recipe so small that it learns nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from bcannot_core.cli.losses import LossLine

RECIPE = {
    "policy": {
        "width": 32,
        "layers": 1,
        "heads": 2,
        "context": 4,
        "glance": {"size": 64, "channels": [8, 16, 16]},
    },
    "glance": {"updates": 2, "lanes": 2, "pool": 2},
    "steps": {"updates": 2, "episodes": 2, "windows": 2},
}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(RECIPE))
    return path


@pytest.fixture
def sessions(cli: Any, tmp_path: Path, labelled_npz: Path) -> Path:
    out = tmp_path / "sessions"
    argv = ("--episodes", 3, "--sections", 4, "--volume", labelled_npz)
    assert cli("generate", "neuron_tracing", "--out", out, *argv)[0] == 0
    return out


def log_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_train_then_finetune_then_use(
    cli: Any, tmp_path: Path, recipe: Path, sessions: Path
) -> None:
    run, tuned = tmp_path / "run", tmp_path / "tuned"
    options = ("--data", sessions, "--workers", 0, "--device", "cpu")
    code, out, err = cli("train", recipe, "--out", run, *options)
    assert code == 0, err
    assert f"policy  {run / 'policy'}" in out
    stages = [entry["stage"] for entry in log_of(run)]
    assert stages.count("glance") == stages.count("steps") == 2

    code, _, err = cli("train", recipe, "--out", run, *options)
    assert code == 2 and "--resume" in err
    code, _, err = cli("train", recipe, "--out", run, "--resume", *options)
    assert code == 0, err
    assert "began with" not in err
    other = ("--set", "steps.updates=3", "--resume")
    code, _, err = cli("train", recipe, "--out", run, *other, *options)
    assert code == 0, err
    assert "goes on with the recipe that it began with" in err

    code, _, err = cli("finetune", run / "policy", "--out", tuned, "--updates", 1, *options)
    assert code == 0, err
    config = json.loads((tuned / "policy" / "config.json").read_text())
    kept = config["training"]["recipe"]
    assert kept["glance"]["updates"] == 0 and kept["steps"]["updates"] == 1
    assert kept["policy"]["width"] == 32
    assert [e["stage"] for e in log_of(tuned)] == ["run", "steps"]


@pytest.mark.parametrize("content", ["no json", '{"polcy": {}}', '{"seed": "one"}'])
def test_a_bad_recipe_is_2(cli: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    code, _, err = cli("train", path, "--data", tmp_path, "--out", tmp_path / "run")
    assert (code, err.count("\n")) == (2, 1)


def test_a_missing_recipe_names_the_presets(cli: Any, tmp_path: Path) -> None:
    code, _, err = cli("train", "nonsense", "--data", tmp_path, "--out", tmp_path / "run")
    assert code == 2 and "tracing" in err


def test_missing_data_are_1_and_no_run_is_begun(cli: Any, tmp_path: Path, recipe: Path) -> None:
    code, _, err = cli("train", recipe, "--data", tmp_path / "no", "--out", tmp_path / "run")
    assert (code, err.count("\n")) == (1, 1)
    assert not (tmp_path / "run").exists()


def test_finetune_names_an_unknown_policy(cli: Any, tmp_path: Path) -> None:
    code, _, err = cli("finetune", "no-such", "--data", tmp_path, "--out", tmp_path / "run")
    assert code == 1 and "no-such" in err


def test_losses_are_said_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with LossLine(3) as losses:
        for update in range(3):
            losses({"stage": "steps", "update": update, "by_action": {"place": 1.5}})
    assert capsys.readouterr().err == "stage steps  update 0  place 1.500\n"
