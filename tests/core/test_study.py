"""The study's runner: what is there is skipped, what was killed goes on, the budget is shared."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bcannot_core
from bcannot_core.errors import UsageError

ROOT = Path(bcannot_core.__file__).parents[2]
if not (ROOT / "benchmarks" / "study").is_dir():
    pytest.skip("needs a checkout", allow_module_level=True)
sys.path.insert(0, str(ROOT))

from benchmarks.study.__main__ import main  # noqa: E402
from benchmarks.study.config import (  # noqa: E402
    Amount,
    Experiment,
    experiments,
    load_experiment,
)
from benchmarks.study.fitting import LEAST_UPDATES, TRIAL_UPDATES, fitted  # noqa: E402
from benchmarks.study.plan import Request, plan  # noqa: E402
from benchmarks.study.results import looked_up  # noqa: E402
from benchmarks.study.runner import StageError, carry_out  # noqa: E402


def values(**changes: Any) -> dict[str, Any]:
    """A small experiment: data, a run a size, an evaluation of each."""
    plain: dict[str, Any] = {
        "name": "small",
        "about": "A stand-in.",
        "stages": [
            {
                "name": "data",
                "argv": ["bcannot", "generate", "t", "--episodes", "{amount}", "--out", "{here}/d"],
                "gives": ["d"],
                "amount": {"per_minute": 10, "least": 2, "most": 1000},
            },
            {
                "name": "train-{size}",
                "each": {"size": "{sizes}"},
                "argv": ["bcannot", "train", "{here}/recipe.json", "--data", "{data}/d"],
                "recipe": {"policy": {"size": "{size}"}, "seed": "{seed}", "updates": 3},
                "gives": ["{run}/policy/config.json"],
                "trains": True,
                "share": 2.0,
            },
            {
                "name": "eval-{size}",
                "each": {"size": "{sizes}"},
                "argv": ["bcannot", "eval", "{run:train-{size}}/policy", "--json", "{here}/e.json"],
                "gives": ["e.json"],
                "rows": [{"name": "{size}", "file": "e.json", "columns": {"f1": "a.f1|f1"}}],
            },
        ],
        "reference": {"published": {"f1": 0.97}},
    }
    return {**plain, **changes}


def experiment(**changes: Any) -> Experiment:
    return Experiment.from_json(values(**changes))


class Commands:
    """Stands in for the command line: writes what a command gives, and remembers it."""

    def __init__(self, fail: str = "", give: bool = True) -> None:
        self.lines: list[str] = []
        self.fail, self.give = fail, give

    def __call__(self, argv: Sequence[str]) -> int:
        line = " ".join(argv)
        self.lines.append(line)
        if self.fail and self.fail in line:
            return 1
        if not self.give:
            return 0
        words = list(argv)
        if words[1] == "generate":
            folder = Path(words[words.index("--out") + 1])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "shard").write_text("x")
        elif words[1] == "train":
            run = Path(words[2]).parent / _stage(words[2])
            (run / "policy").mkdir(parents=True, exist_ok=True)
            (run / "policy" / "config.json").write_text("{}")
        else:
            Path(words[-1]).write_text(json.dumps({"f1": 0.5}))
        return 0


def _stage(recipe: str) -> str:
    return Path(recipe).parent.name


def quiet(_line: str) -> None:
    pass


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    return Request(tmp_path / "out", budget=8.0, sizes=("tiny", "base"), seed=5)


def test_stages_are_filled_in(request_: Request) -> None:
    stages = {stage.name: stage for stage in plan(experiment(), request_)}
    assert list(stages) == ["data", "train-tiny", "train-base", "eval-tiny", "eval-base"]
    # one share of seven of eight minutes, ten episodes a minute
    assert stages["data"].argv[3:5] == ("--episodes", "11")
    assert stages["train-base"].recipe == {"policy": {"size": "base"}, "seed": 5, "updates": 3}
    assert stages["eval-base"].argv[2] == str(request_.out / "train-base/train-base/policy")
    assert stages["eval-base"].rows[0].name == "base"


def test_a_study_leaves_a_table_and_is_not_done_twice(request_: Request) -> None:
    commands = Commands()
    path = carry_out(experiment(), request_, run=commands, say=quiet)
    assert len(commands.lines) == 5
    text = path.read_text()
    assert "| tiny | 0.500 |" in text and "| published | 0.970 |" in text
    result = json.loads((request_.out / "results.json").read_text())
    assert result["rows"] == {"tiny": {"f1": 0.5}, "base": {"f1": 0.5}}
    assert all(result["done"].values())
    again = Commands(fail="bcannot")
    carry_out(experiment(), request_, run=again, say=quiet)
    assert again.lines == []


def test_a_failed_stage_stops_the_study_and_is_done_again(request_: Request) -> None:
    commands = Commands(fail="train-base")
    with pytest.raises(StageError, match="'train-base' failed with exit code 1"):
        carry_out(experiment(), request_, run=commands, say=quiet)
    assert [line.split()[1] for line in commands.lines] == ["generate", "train", "train"]
    assert not (request_.out / "eval-tiny").exists()
    again = Commands()
    carry_out(experiment(), request_, run=again, say=quiet)
    assert [line.split()[1] for line in again.lines] == ["train", "eval", "eval"]


def test_a_killed_training_run_is_resumed_with_what_is_left_of_its_time(request_: Request) -> None:
    class Killed(BaseException):
        pass

    def killed(argv: Sequence[str]) -> int:
        if argv[1] != "train":
            return Commands()(argv)
        run = Path(argv[2]).parent / _stage(argv[2])
        run.mkdir()
        (run / "recipe.json").write_text("{}")
        raise Killed

    with pytest.raises(Killed):
        carry_out(experiment(), request_, run=killed, say=quiet)
    record = request_.out / "train-tiny" / "stage.json"
    there = json.loads(record.read_text())
    assert not there["done"]
    record.write_text(json.dumps({**there, "minutes": 1.5}))
    again = Commands()
    carry_out(experiment(), request_, run=again, say=quiet)
    line = again.lines[0]
    assert line.endswith("--resume")
    minutes = float(line.split("--minutes ")[1].split()[0])
    # of 8 minutes none were needed for data: 2 of 6 shares, less what the run has had
    assert minutes == pytest.approx(8 * 2 / 6 - 1.5, abs=0.05)


def test_what_is_missing_or_broken_is_made_again(request_: Request) -> None:
    carry_out(experiment(), request_, run=Commands(), say=quiet)
    (request_.out / "eval-tiny" / "e.json").write_text('{"f1": 0.')
    (request_.out / "data" / "d" / "shard").unlink()
    again = Commands()
    carry_out(experiment(), request_, run=again, say=quiet)
    assert [line.split()[1] for line in again.lines] == ["generate", "eval"]


def test_a_stage_that_gives_nothing_fails(request_: Request) -> None:
    with pytest.raises(StageError, match="without giving"):
        carry_out(experiment(), request_, run=Commands(give=False), say=quiet)
    # and it is not taken as whole afterwards
    again = Commands()
    carry_out(experiment(), request_, run=again, say=quiet)
    assert len(again.lines) == 5


def test_training_runs_may_go_elsewhere(request_: Request) -> None:
    here, there = Commands(), Commands()
    carry_out(experiment(), request_, run=here, train=there, say=quiet)
    assert [line.split()[1] for line in there.lines] == ["train", "train"]
    assert "train" not in [line.split()[1] for line in here.lines]


def test_a_run_that_is_not_timed_goes_on_to_its_end(request_: Request) -> None:
    plain = values()
    plain["stages"][1]["timed"] = False
    commands = Commands()
    carry_out(Experiment.from_json(plain), request_, run=commands, say=quiet)
    assert "--minutes" not in " ".join(commands.lines)


def test_time_that_is_over_leaves_training_a_little(request_: Request) -> None:
    commands = Commands()
    with pytest.raises(StageError):
        carry_out(experiment(), request_, run=Commands(fail="train"), say=quiet)
    path = request_.out / "data" / "stage.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "minutes": 100.0}))
    carry_out(experiment(), request_, run=commands, say=quiet)
    assert all("--minutes 0.05" in line for line in commands.lines if " train " in line)


@pytest.mark.parametrize(
    "changed", [{"budget": 9.0}, {"sizes": ("tiny",)}, {"seed": 6}], ids=lambda c: next(iter(c))
)
def test_a_folder_of_another_study_is_refused(request_: Request, changed: dict[str, Any]) -> None:
    carry_out(experiment(), request_, run=Commands(), say=quiet)
    with pytest.raises(UsageError, match="another study"):
        carry_out(experiment(), replace(request_, **changed), run=Commands(), say=quiet)
    with pytest.raises(UsageError, match="another study"):
        carry_out(experiment(about="Changed."), request_, run=Commands(), say=quiet)


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ({"argv": ["rm", "-rf"]}, "use bcannot or python"),
        ({"argv": ["python", "x.py"]}, "python -m MODULE"),
        ({"argv": "bcannot"}, "no list of texts"),
        ({"gives": []}, "files that it gives"),
        ({"share": 0}, "share above 0"),
        ({"name": "../up"}, "no folder's"),
        ({"unknown": 1}, "not readable"),
    ],
)
def test_experiments_of_no_use_are_refused(stage: dict[str, Any], said: str) -> None:
    plain = values()
    plain["stages"][0] |= stage
    with pytest.raises(UsageError, match=said):
        Experiment.from_json(plain)


def test_braces_that_lead_nowhere_are_refused(request_: Request) -> None:
    plain = values()
    plain["stages"][0]["argv"].append("{train-tiny}")
    with pytest.raises(UsageError, match=r"speaks of \{train-tiny\}"):
        plan(Experiment.from_json(plain), request_)
    plain["stages"][0]["argv"][-1] = "x{fit}"
    with pytest.raises(UsageError, match="stands alone"):
        plan(Experiment.from_json(plain), request_)
    plain = values()
    plain["stages"][1]["name"] = "data"
    with pytest.raises(UsageError, match="two stages 'data'"):
        plan(Experiment.from_json(plain), request_)
    with pytest.raises(UsageError, match="budget above 0"):
        plan(experiment(), replace(request_, budget=0.0))


def test_updates_follow_from_a_short_trial(request_: Request) -> None:
    plain = values()
    plain["stages"][1]["recipe"]["updates"] = "{fit}"
    seen: list[dict[str, Any]] = []

    def trained(argv: Sequence[str]) -> int:
        if argv[1] == "train":
            recipe = Path(argv[2])
            seen.append(json.loads(recipe.read_text()))
            if recipe.parent.name == "trial":
                (recipe.parent / "train-tiny").mkdir()
                lines = [{"recipe": {}}, *({"seconds": s} for s in (9.0, 9.0, 0.5, 0.5, 0.7))]
                log = "".join(json.dumps(line) + "\n" for line in lines)
                (recipe.parent / "train-tiny" / "log.jsonl").write_text(log)
                return 0
        return Commands()(argv)

    carry_out(Experiment.from_json(plain), request_, run=trained, say=quiet)
    trial, run, *_ = [recipe["updates"] for recipe in seen]
    assert trial == TRIAL_UPDATES
    assert run == pytest.approx(8 * 2 / 6 * 60 * 0.9 / 0.5, rel=0.02)
    assert not (request_.out / "train-tiny" / "trial").exists()
    # a run that has begun keeps its number
    (request_.out / "train-tiny" / "train-tiny" / "policy" / "config.json").unlink()
    carry_out(Experiment.from_json(plain), request_, run=trained, say=quiet)
    assert [recipe["updates"] for recipe in seen[-1:]] == [run]


def test_rounds_of_play_share_the_time() -> None:
    recipe = {"updates": 0, "dagger": {"rounds": 4, "updates": "{fit}"}}
    assert fitted(recipe, 10.0, 0.5)["dagger"] == {"rounds": 4, "updates": 1080 // 8}
    assert fitted({"updates": "{fit}"}, 10.0, None) == {"updates": LEAST_UPDATES}


def test_amounts_keep_their_limits() -> None:
    amount = Amount(10, least=3, most=50)
    assert [amount.within(minutes) for minutes in (0.01, 2, 100)] == [3, 20, 50]
    uneven = Amount(10, least=4, most=50, factors={"long": 0.25})
    assert [uneven.within(m, ("long", "tiny")) for m in (0.01, 2, 100)] == [1, 5, 50]
    assert uneven.within(2, ("short",)) == 20


def test_values_are_looked_up_by_path() -> None:
    found = {"a": {"b": 1, "zero": 0.0}, "c": 2}
    assert looked_up(found, "a.b") == 1 and looked_up(found, "x|a.x|c") == 2
    assert looked_up(found, "a.zero|c") == 0.0 and looked_up(found, "a.b.c") is None


def _read_recipe(recipe: dict[str, Any], folder: Path) -> None:
    from bcannot_core.training.frames.recipe import load_any_recipe

    path = folder / "recipe.json"
    path.write_text(json.dumps(recipe))
    load_any_recipe(path)


@pytest.mark.parametrize("name", sorted(experiments()))
def test_every_experiment_has_a_plan_of_commands_that_exist(name: str, tmp_path: Path) -> None:
    import importlib

    from typer.main import get_command

    from bcannot_core.cli.app import app

    found = load_experiment(name)
    assert found.name == name and found.about
    known = get_command(app).commands
    for stage in plan(found, Request(tmp_path, sizes=("tiny", "small"))):
        if stage.recipe is not None:
            _read_recipe(fitted(stage.recipe, 5.0, 0.5), tmp_path)
        if stage.argv[0] == "python":
            assert callable(importlib.import_module(stage.argv[2]).main)
            continue
        command = known[stage.argv[1]]
        options = {name for parameter in command.params for name in parameter.opts}
        asked = {word for word in stage.argv[2:] if word.startswith("--")}
        asked |= {"--minutes", "--resume"} if stage.trains else set()
        assert asked <= options, stage.name
    # what is frozen in a study's folder reads back as the same experiment
    assert Experiment.from_json(found.to_json()).to_json() == found.to_json()


def test_a_dry_run_shows_the_stages_and_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(values()))
    out = tmp_path / "out"
    assert main([str(path), "--out", str(out), "--size", "tiny,base", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "data", "train-tiny", "train-base", "eval-tiny", "eval-base",
    ]  # fmt: skip
    assert not out.exists()


def test_demonstrations_are_shown_before_every_session(tmp_path: Path) -> None:
    from benchmarks.study.in_context import Shown, demonstrations

    from bcannot_core.evaluation.actors import OneByOne

    told: list[tuple[str, Any]] = []

    class Pupil:
        name = "pupil"

        def reset(self) -> None:
            told.append(("reset", None))

        def observe(self, frame: Any, click: tuple[int, int]) -> None:
            told.append(("observe", click))

    shown = demonstrations("shape_matching", 2, seed=1, variant="original")
    again = demonstrations("shape_matching", 1, seed=1, variant="original")
    assert [click for _, click in shown[: len(again)]] == [click for _, click in again]
    assert (shown[0][0] == again[0][0]).all() and (shown[0][0] != shown[len(again)][0]).any()
    Shown(OneByOne([Pupil()]), shown).begin(0, None)  # type: ignore[arg-type]
    assert told == [("reset", None), *(("observe", click) for _, click in shown)]


def test_learning_in_context_is_scored(tmp_path: Path) -> None:
    from benchmarks.study.in_context import main as in_context

    file = tmp_path / "r.json"
    words = ["--task", "shape_matching", "--shots", "1", "--episodes", "2", "--json", str(file)]
    assert in_context(["baseline:flawless", *words]) == 0
    result = json.loads(file.read_text())
    assert result["success_rate"] == 1.0 and result["shots"] == 1 and result["shown"] > 2
    assert in_context(["nowhere", *words]) == 1


@pytest.mark.slow
def test_a_real_study_is_carried_out(tmp_path: Path) -> None:
    policy = {
        "size": "{size}", "context": 4, "width": 32, "layers": 1, "heads": 2, "tokens_hw": [2, 2],
        "features": 8, "encoder": {"channels": [4, 8, 8], "blocks": [0, 0, 0]},
    }  # fmt: skip
    task = "shape_matching"
    recipe = {
        "family": "frames", "seed": "{seed}", "policy": policy, "updates": "{fit}", "windows": 2,
        "data": {"lanes": 2, "sample": 2},
    }  # fmt: skip
    stages = [
        {
            "name": "data",
            "argv": ["bcannot", "generate", task, "--episodes", "{amount}", "--out", "{here}/d"],
            "amount": {"per_minute": 1, "least": 12},
            "gives": ["d"],
        },
        {
            "name": "train",
            "argv": ["bcannot", "train", "{here}/recipe.json", "--data", "{data}/d",
                     "--workers", "0", "--out", "{run}"],
            "recipe": recipe,
            "trains": True,
            "gives": ["{run}/policy/config.json"],
        },
        {
            "name": "eval",
            "argv": ["bcannot", "eval", "{run:train}/policy", "--task", task, "--episodes", "2",
                     "--forced", "0", "--limit", "5", "--json", "{here}/e.json"],
            "gives": ["e.json"],
            "rows": [{"name": "acting", "file": "e.json", "columns": {"success": "success_rate"}}],
        },
        {
            "name": "probe",
            "argv": ["bcannot", "probe", "{run:train}/policy", "--data", "{data}/d",
                     "--json", "{here}/p.json"],
            "gives": ["p.json"],
            "rows": [{"name": "probe", "file": "p.json",
                      "columns": {"phase": "phase.pooled.accuracy"}}],
        },
    ]  # fmt: skip
    plain = {"name": "real", "about": "Small.", "stages": stages}
    path = tmp_path / "real.json"
    path.write_text(json.dumps(plain))
    words = [str(path), "--out", str(tmp_path / "out"), "--budget", "0.2"]
    assert main(words) == 0
    result = json.loads((tmp_path / "out" / "results.json").read_text())
    assert result["rows"]["acting"]["success"] == 0.0
    assert 0 <= result["rows"]["probe"]["phase"] <= 1
    updates = json.loads((tmp_path / "out" / "train" / "recipe.json").read_text())["updates"]
    assert updates >= LEAST_UPDATES
    # nothing is done again: the records stay as they are
    records = sorted((tmp_path / "out").glob("*/stage.json"))
    before = [record.read_bytes() for record in records]
    assert main(words) == 0
    assert [record.read_bytes() for record in records] == before and len(records) == 4


def test_mistakes_in_the_command_line_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nowhere", "--out", str(tmp_path)]) == 2
    assert "there is no experiment 'nowhere'" in capsys.readouterr().err
