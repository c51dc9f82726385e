"""Whole runs: from a dataset to a policy, through any number of stops and kills."""

import json
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
import torch

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.generate import GenerateSpec, Source, generate_episodes
from bcannot_core.errors import CheckpointError, DatasetError, UsageError
from bcannot_core.policy.checkpoint import load_checkpoint, read_config, save_checkpoint
from bcannot_core.policy.policy import Policy
from bcannot_core.training.recipe import TrainRecipe
from bcannot_core.training.run import RunOptions, claim_run, train

torch.set_num_threads(1)


def make_recipe(glance=4, steps=3, **values):
    recipe = TrainRecipe.from_json(
        {
            "policy": {
                "canvas_xywh": [16, 73, 256, 256],
                "width": 32,
                "layers": 1,
                "heads": 2,
                "context": 6,
                "glance": {"size": 32, "channels": [8, 8, 8]},
            },
            "glance": {"updates": glance, "lanes": 3, "pool": 2, "refresh": 2},
            "steps": {"updates": steps, "episodes": 2, "windows": 2},
        }
    )
    return replace(recipe, **values)


@pytest.fixture(scope="module")
def data(labelled_npz, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sessions")
    spec = GenerateSpec(
        config={"sections": 5},
        sources=(Source(str(labelled_npz), str(labelled_npz)),),
        min_sections=4,
    )
    generate_episodes(spec, 2, 3, folder)
    return folder


def options(out, **values):
    return RunOptions(out, device="cpu", workers=0, **values)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run that nothing came in between of."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train(make_recipe(), [data], options(out)) == out / "policy"
    return out


def losses(out):
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    updates = [line for line in lines if line["stage"] != "run"]
    return [{k: v for k, v in line.items() if k != "time"} for line in updates]


def same_result(a, b):
    assert losses(a) == losses(b)
    [x], [y] = (sorted((out / "policy").glob("*.safetensors")) for out in (a, b))
    assert x.read_bytes() == y.read_bytes()


# -- whole runs ----------------------------------------------------------------------------------


def test_a_run_makes_a_policy_that_acts(whole, data):
    stages = [(entry["stage"], entry["update"]) for entry in losses(whole)]
    assert stages == [("glance", i) for i in range(4)] + [("steps", i) for i in range(3)]
    policy = Policy.load(whole / "policy", device="cpu")
    assert policy.config == make_recipe().policy
    frame = next(iter_frames(data))
    x, y = policy.act(frame)
    assert 0 <= x < 426
    assert 0 <= y < 436


def iter_frames(data):
    from bcannot_core.episodes.replay import replay

    for episode in open_dataset(data):
        for frame, _, _ in replay(episode):
            yield frame


def test_the_folder_says_what_was_done(whole, data):
    assert json.loads((whole / "recipe.json").read_text())["steps"]["updates"] == 3
    first = json.loads((whole / "log.jsonl").read_text().splitlines()[0])
    assert first["stage"] == "run"
    assert first["torch"] == torch.__version__
    training = read_config(whole / "policy")["training"]
    assert TrainRecipe.from_json(training["recipe"]) == make_recipe()
    assert training["episodes"] == 2
    card = (whole / "policy" / "README.md").read_text()
    assert "# whole" in card
    assert "labelled.npz: 2 episodes" in card
    assert str(data.parent) not in card


def test_the_policy_has_the_averaged_weights(whole):
    from bcannot_core.training.store import load_state

    net = load_checkpoint(whole / "policy").state_dict()
    for stage in ("glance", "steps"):
        _, tensors = load_state(whole / f"state-{stage}")
        for name, tensor in net.items():
            if name.startswith(stage) and tensor.is_floating_point():
                average = tensors[f"average.{name.removeprefix(stage + '.')}"]
                assert torch.allclose(tensor, average, rtol=1e-3, atol=1e-4), name


def test_progress_is_told_of_every_update(data, tmp_path):
    seen = []
    train(make_recipe(2, 0), [data], options(tmp_path / "run"), progress=seen.append)
    assert seen == losses(tmp_path / "run")


def test_a_stage_can_be_left_out(data, tmp_path, whole):
    tuned = train(make_recipe(0, 1), [data], options(tmp_path / "run"), start_from=whole / "policy")
    assert [entry["stage"] for entry in losses(tmp_path / "run")] == ["steps"]
    before, after = (load_checkpoint(f).state_dict() for f in (whole / "policy", tuned))
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed
    assert all(name.startswith("steps.") for name in changed)


# -- stops and kills -----------------------------------------------------------------------------


def test_a_run_that_is_stopped_after_every_update_ends_the_same(whole, data, tmp_path):
    out = tmp_path / "whole"
    calls = 1
    assert train(make_recipe(), [data], options(out, budget=0.0)) is None
    while train(make_recipe(), [data], options(out, budget=0.0, resume=True)) is None:
        calls += 1
    assert calls >= 5
    same_result(out, whole)


def test_saving_all_the_time_changes_nothing(whole, data, tmp_path):
    train(make_recipe(save_every=0.0), [data], options(tmp_path / "whole"))
    same_result(tmp_path / "whole", whole)
    assert not list(tmp_path.glob("whole/.*"))


def test_a_complete_run_can_be_resumed_and_does_nothing(whole, data):
    before = losses(whole)
    assert train(make_recipe(9, 9), [data], options(whole, resume=True)) == whole / "policy"
    assert losses(whole) == before


def test_a_policy_that_could_not_be_saved_in_the_end_is_saved_when_resumed(
    whole, data, tmp_path, monkeypatch
):
    saves = []

    def full_at_the_end(*arguments, **named):
        saves.append(arguments)
        if len(saves) == 2:
            raise OSError(28, "No space left on device")
        save_checkpoint(*arguments, **named)

    out = tmp_path / "whole"
    with monkeypatch.context() as patch:
        patch.setattr("bcannot_core.training.run.save_checkpoint", full_at_the_end)
        with pytest.raises(OSError, match="No space"):
            train(make_recipe(), [data], options(out))
    assert train(make_recipe(), [data], options(out, resume=True)) == out / "policy"
    same_result(out, whole)


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path

import psutil
import torch

from bcannot_core.training.recipe import load_recipe
from bcannot_core.training.run import RunOptions, train

torch.set_num_threads(1)


def progress(entry):
    if (entry["stage"], entry["update"]) == (sys.argv[4], int(sys.argv[5])):
        print(*[child.pid for child in psutil.Process().children()], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    out = Path(sys.argv[3])
    options = RunOptions(
        out, resume=(out / "recipe.json").exists(), device="cpu", workers=int(sys.argv[6])
    )
    train(load_recipe(sys.argv[1]), [Path(sys.argv[2])], options, progress=progress)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "kills", [[("glance", 2, 1), ("glance", 3, 0)], [("steps", 1, 0)]], ids=str
)
def test_a_run_that_is_killed_goes_on_as_if_nothing_had_happened(whole, data, tmp_path, kills):
    out, recipe, script = tmp_path / "whole", tmp_path / "recipe.json", tmp_path / "killed.py"
    recipe.write_text(json.dumps(make_recipe(save_every=0.0).to_json()))
    script.write_text(KILLED)
    for stage, update, workers in kills:
        ended = subprocess.run(
            [sys.executable, script, recipe, data, out, stage, str(update), str(workers)],
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        children = [int(pid) for pid in ended.stdout.split()]
        assert bool(children) == bool(workers)
        assert_gone(children)
    assert losses(out)[-1]["update"] == kills[-1][1], "logged, and not saved any more"
    train(make_recipe(), [data], options(out, resume=True))
    same_result(out, whole)


def assert_gone(pids):
    """Workers do not outlive the process that was killed."""
    alive = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, left = psutil.wait_procs(alive, timeout=30)
    left = [process for process in left if process.status() != psutil.STATUS_ZOMBIE]
    assert not left


# -- bad input -----------------------------------------------------------------------------------


def test_a_run_is_not_overwritten(whole, data):
    before = (whole / "recipe.json").read_bytes()
    with pytest.raises(UsageError, match="use --resume or another folder"):
        train(make_recipe(9, 9), [data], options(whole))
    assert (whole / "recipe.json").read_bytes() == before


def test_a_run_that_cannot_begin_leaves_no_folder(data, tmp_path):
    with pytest.raises(UsageError, match="abacus"):
        train(make_recipe(), [data], RunOptions(tmp_path / "run", device="abacus", workers=0))
    with pytest.raises(CheckpointError):
        train(make_recipe(), [data], options(tmp_path / "run"), start_from=tmp_path / "none")
    assert not (tmp_path / "run").exists()


def test_a_full_disk_leaves_no_recipe_that_is_cut_off(tmp_path, full_disk):
    out = tmp_path / "run"
    recipe = {"note": "long " * 50_000}
    with full_disk(), pytest.raises(OSError, match="too large"):
        claim_run(options(out), recipe)
    assert not any(out.iterdir())
    assert claim_run(options(out), recipe) == recipe
    assert claim_run(options(out, resume=True), {}) == recipe


def test_there_must_be_a_run_to_resume(data, tmp_path):
    with pytest.raises(UsageError, match="leave --resume out"):
        train(make_recipe(), [data], options(tmp_path / "none", resume=True))
    assert not (tmp_path / "none").exists()


def test_a_damaged_recipe_is_refused(data, tmp_path):
    (tmp_path / "recipe.json").write_text('{"seed": ')
    with pytest.raises(UsageError, match="is not JSON"):
        train(make_recipe(), [data], options(tmp_path, resume=True))


def test_a_damaged_state_is_refused(whole, data, tmp_path):
    train(make_recipe(2, 0), [data], options(tmp_path / "run"))
    (tmp_path / "run" / "state-glance" / "state.json").write_text("{")
    with pytest.raises(CheckpointError, match="remove it to start anew"):
        train(make_recipe(2, 0), [data], options(tmp_path / "run", resume=True))


def test_a_dataset_that_is_not_there_leaves_no_run_behind(tmp_path):
    with pytest.raises(DatasetError):
        train(make_recipe(), [tmp_path / "nothing"], options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_command_line_says_it_in_one_line(cli, data, tmp_path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"glance": {"lanes": "many"}}')
    code, _, err = cli("train", recipe, "--data", data, "--out", tmp_path / "run")
    assert code == 2
    assert "recipe.glance.lanes is 'many'" in " ".join(err.split())
    assert "Traceback" not in err
