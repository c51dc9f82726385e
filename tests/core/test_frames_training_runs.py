"""Runs of frames policies: updates, stops and kills, micro-batches, rounds of play."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import cycle, pairwise

import numpy as np
import pytest
import torch

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.generate import GenerateSpec, generate_episodes
from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.checkpoint import load_checkpoint, read_config
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.policy import BatchPolicy
from bcannot_core.policy.policy import Policy
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task
from bcannot_core.training.frames.board import Board
from bcannot_core.training.frames.cutting import Cutter
from bcannot_core.training.frames.dagger import PlayOptions, play
from bcannot_core.training.frames.distributed import World
from bcannot_core.training.frames.figure import curves, draw_losses
from bcannot_core.training.frames.opened import ORACLE, open_recorded
from bcannot_core.training.frames.optim import FramesOptimizer
from bcannot_core.training.frames.recipe import FramesRecipe, OptimRecipe, load_any_recipe
from bcannot_core.training.frames.run import train_frames
from bcannot_core.training.frames.sources import LiveEpisodes
from bcannot_core.training.frames.trainer import Trainer
from bcannot_core.training.recipe import TrainRecipe, presets
from bcannot_core.training.run import RunOptions
from bcannot_core.training.store import load_state

torch.set_num_threads(1)

POLICY = {
    "size": "tiny",
    "width": 16,
    "layers": 1,
    "heads": 2,
    "context": 3,
    "features": 8,
    "tokens_hw": [2, 2],
    "encoder": {"channels": [4, 4, 8], "blocks": [0, 0, 1]},
}


def make_recipe(**values):
    plain = {
        "policy": POLICY,
        "data": {"tasks": {"exploration_3d": 1.0}, "sample": 1, "lanes": 4},
        "windows": 2,
        "updates": 4,
        "precision": "fp32",
    }
    return FramesRecipe.from_json({**plain, **values})


def options(out, **values):
    return RunOptions(out, device="cpu", workers=0, **values)


def entries(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out):
    return [
        {k: v for k, v in entry.items() if k not in ("time", "seconds")}
        for entry in entries(out)
        if entry["stage"] == "frames"
    ]


def weights_of(policy):
    return b"".join(path.read_bytes() for path in sorted(policy.glob("*.safetensors")))


def make_trainer(recipe, world=None, workers=0, steps=3):
    torch.manual_seed(recipe.seed)
    net = FramesNet(recipe.config)
    cutter = Cutter(LiveEpisodes(recipe.data), recipe.data, steps, (426, 436), recipe.seed, 4, {})
    return Trainer(net, recipe, cutter, world or World(), workers=workers)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing came in between of."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train_frames(make_recipe(), [], options(out)) == out / "policy"
    return out


# -- recipes -------------------------------------------------------------------------------------


def test_a_recipe_comes_back_from_its_json():
    recipe = make_recipe(optimizer={"name": "muon"}, dagger={"rounds": 2})
    assert FramesRecipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert recipe.config.encoder.channels == (4, 4, 8)
    assert recipe.config.encoder.kind == "conv"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"windows": 3, "accumulate": 2}, "accumulate"),
        ({"optimizer": {"name": "sgd"}}, "muon"),
        ({"precision": "fp8"}, "bf16"),
        ({"policy": {"size": "huge"}}, "very_small"),
        ({"policy": {"size": "tiny", "heads": 5}}, "heads"),
        ({"data": {"tasks": {"road_network": -1}}}, "road_network"),
        ({"data": {"tasks": {"road_network": 0}}}, "tasks"),
        ({"data": {"augment": 1.5}}, "augment"),
        ({"data": {"lanes": 0}}, "lanes"),
        ({"compile": 1}, "compile"),
        ({"windws": 3}, "windws"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(values, word):
    with pytest.raises(UsageError, match=word):
        make_recipe(**values)


# -- whole runs ----------------------------------------------------------------------------------


def test_a_run_makes_a_policy_that_acts(whole):
    assert [entry["update"] for entry in losses(whole)] == [0, 1, 2, 3]
    first = losses(whole)[0]
    assert set(first["by_task"]) == {"exploration_3d"}
    assert {"rotate", "select"} & set(first["by_action"])
    policy = Policy.load(whole / "policy", device="cpu")
    x, y = policy.act(np.zeros((436, 426, 3), np.uint8))
    assert 0 <= x < 426 and 0 <= y < 436
    training = read_config(whole / "policy")["training"]
    assert FramesRecipe.from_json(training["recipe"]) == make_recipe()
    assert "exploration_3d: 100 %" in (whole / "policy" / "README.md").read_text()
    assert (whole / "losses.png").read_bytes().startswith(b"\x89PNG")


def test_the_policy_has_the_averaged_weights(whole):
    net = load_checkpoint(whole / "policy").state_dict()
    _, tensors = load_state(whole / "state-frames")
    differ = False
    for name, tensor in net.items():
        average = tensors[f"average.{name}"]
        torch.testing.assert_close(tensor, average, atol=1e-3, rtol=1e-3)
        differ |= not torch.equal(average, tensors[f"net.{name}"])
    assert differ


def test_a_run_in_steps_is_the_same_run(whole, tmp_path):
    out = tmp_path / "whole"
    recipe = make_recipe()
    assert train_frames(recipe, [], options(out, budget=0.0)) is None
    assert len(losses(out)) == 1
    while train_frames(recipe, [], options(out, budget=0.0, resume=True)) is None:
        pass
    assert losses(out) == losses(whole)
    assert weights_of(out / "policy") == weights_of(whole / "policy")


def test_a_policy_that_could_not_be_saved_in_the_end_is_saved_when_resumed(
    whole, tmp_path, monkeypatch
):
    def full(*_arguments, **_named):
        raise OSError(28, "No space left on device")

    out = tmp_path / "whole"
    assert train_frames(make_recipe(), [], options(out, budget=0.0)) is None
    with monkeypatch.context() as patch:
        patch.setattr("bcannot_core.training.frames.run.save_checkpoint", full)
        with pytest.raises(OSError, match="No space"):
            train_frames(make_recipe(), [], options(out, resume=True))
    assert train_frames(make_recipe(), [], options(out, resume=True)) == out / "policy"
    assert losses(out) == losses(whole)
    assert weights_of(out / "policy") == weights_of(whole / "policy")


_RUN = """
import json, sys, torch
from pathlib import Path
from bcannot_core.training.frames.recipe import FramesRecipe
from bcannot_core.training.frames.run import train_frames
from bcannot_core.training.recipe import TrainRecipe, presets
from bcannot_core.training.run import RunOptions
torch.set_num_threads(1)
recipe, out, workers = json.loads(sys.argv[1])
train_frames(
    FramesRecipe.from_json(recipe), [], RunOptions(Path(out), False, "cpu", workers),
    progress=lambda entry: print(entry["update"], flush=True),
)
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(tmp_path, workers):
    recipe = make_recipe(updates=6)
    plain, killed = tmp_path / "plain", tmp_path / "killed"
    train_frames(recipe, [], options(plain))
    arguments = [replace(recipe, save_every=0.0).to_json(), str(killed), workers]
    with subprocess.Popen(
        [sys.executable, "-c", _RUN, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        for _ in range(3):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert 3 <= len(losses(killed)) < 6
    train_frames(recipe, [], options(killed, resume=True))
    assert losses(killed) == losses(plain)
    assert weights_of(killed / "policy") == weights_of(plain / "policy")


def test_a_folder_with_a_run_is_not_taken(whole, tmp_path):
    with pytest.raises(UsageError, match="resume"):
        train_frames(make_recipe(), [], options(whole))
    with pytest.raises(UsageError, match="no run"):
        train_frames(make_recipe(), [], options(tmp_path / "new", resume=True))


def test_a_run_begins_with_a_policy(whole, tmp_path):
    recipe = make_recipe(updates=1, optimizer={"rate": 0.0, "decay": 0.0, "average": 0.0})
    out = tmp_path / "tuned"
    train_frames(recipe, [], options(out), start_from=whole / "policy")
    before, after = (load_checkpoint(o / "policy").state_dict() for o in (whole, out))
    assert all(torch.equal(before[name], after[name]) for name in before)
    other = make_recipe(policy={**POLICY, "layers": 2})
    with pytest.raises(CheckpointError, match="another size"):
        train_frames(other, [], options(tmp_path / "new"), start_from=whole / "policy")
    assert not (tmp_path / "new").exists()
    with pytest.raises(CheckpointError, match="another size"):
        train_frames(other, [], options(tmp_path / "other"), start_from=whole / "policy")


def test_recorded_sessions_can_be_learnt_from(tmp_path):
    data = tmp_path / "data"
    generate_episodes(GenerateSpec("exploration_3d"), 3, 1, data)
    recipe = make_recipe(
        updates=1,
        data={"sample": 2, "augment": 1.0},
        dagger={"rounds": 1, "episodes": 1, "updates": 1, "limit": 2},
    )
    recipe = replace(recipe, data=replace(recipe.data, tasks={}))
    assert train_frames(recipe, [data], options(tmp_path / "run")) is not None
    [played] = open_dataset(tmp_path / "run" / "round-1" / "played")
    assert played.task == "exploration_3d"


# -- updates -------------------------------------------------------------------------------------


def gradients_of(recipe, **options):
    trainer = make_trainer(recipe, **options)
    found = {}
    taken = trainer.optimizer.step

    def step(update, scale):
        found.update(
            {n: p.grad * scale for n, p in trainer.net.named_parameters() if p.grad is not None}
        )
        return taken(update, scale)

    trainer.optimizer.step = step
    logged = []
    trainer.run(logged.append)
    return found, logged


def test_micro_batches_add_up_to_the_whole_batch():
    values = {"windows": 4, "updates": 1}
    one, logged = gradients_of(make_recipe(**values))
    parts, logged_parts = gradients_of(make_recipe(**values, accumulate=4))
    assert logged[0]["total"] == pytest.approx(logged_parts[0]["total"], abs=1e-4)
    assert set(one) == set(parts)
    for name, gradient in one.items():
        torch.testing.assert_close(parts[name], gradient, atol=1e-5, rtol=1e-3)


def test_the_gradient_is_that_of_the_weighted_mean():
    recipe = make_recipe(updates=1)
    found, logged = gradients_of(recipe)
    trainer = make_trainer(recipe)
    batch = next(iter_batches(trainer))
    click = trainer.net(batch.frames, batch.clicks, batch.rects, batch.noise)
    lost = -(click.target_log_prob(batch.rects) * batch.weights).sum() / batch.weights.sum()
    assert logged[0]["total"] == pytest.approx(lost.item(), abs=1e-4)
    lost.backward()
    for name, parameter in trainer.net.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, atol=1e-5, rtol=1e-3)


def test_steps_that_no_window_has_are_not_computed(monkeypatch):
    recipe, steps = make_recipe(updates=1), 24
    batch = next(iter_batches(make_trainer(recipe, steps=steps)))
    assert batch.frames.shape[1] == max(len(row.actions) for row in batch.rows) < steps
    trimmed, logged = gradients_of(recipe, steps=steps)
    monkeypatch.setattr("bcannot_core.training.frames.feed.longest", lambda batch: steps)
    batch = next(iter_batches(make_trainer(recipe, steps=steps)))
    assert batch.frames.shape[1] == steps
    whole, logged_whole = gradients_of(recipe, steps=steps)
    assert logged[0]["total"] == pytest.approx(logged_whole[0]["total"], abs=1e-4)
    assert set(trimmed) == set(whole)
    for name, gradient in whole.items():
        torch.testing.assert_close(trimmed[name], gradient, atol=1e-5, rtol=1e-3)


def iter_batches(trainer):
    from bcannot_core.training.frames.feed import feed

    return feed(trainer.source, trainer._numbers(), torch.device("cpu"))


def test_forgetting_activations_changes_nothing():
    plain, _ = gradients_of(make_recipe(updates=1))
    again, _ = gradients_of(make_recipe(updates=1, checkpointing=True))
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_batch_is_learnt(name):
    recipe = make_recipe(
        optimizer={"name": name, "rate": 0.01, "warm_up": 0.0},
        updates=25,
        data={"tasks": {"exploration_3d": 1.0}, "behaviours": ["flawless"]},
    )
    trainer = make_trainer(recipe)
    [first] = [next(trainer.source.batches([range(2)]))]
    trainer.source.batches = lambda numbers: iter([first] * 25)
    logged = []
    trainer.run(logged.append)
    assert logged[-1]["total"] < 0.6 * logged[0]["total"]


def test_muon_moves_matrices_and_kernels_alike():
    net = torch.nn.ModuleDict({"a": torch.nn.Conv2d(4, 6, 3), "b": torch.nn.Linear(5, 7)})
    recipe = OptimRecipe(name="muon", rate=0.1, decay=0.0, clip=1e9, warm_up=0.0)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = FramesOptimizer(net, recipe, 10)
    for p in net.parameters():
        p.grad = torch.randn_like(p)
    optimizer.step(0)
    for name in ("a.weight", "b.weight"):
        change = (dict(net.named_parameters())[name] - before[name]).detach().flatten(1)
        sizes = torch.linalg.svdvals(change)
        assert sizes.max() / sizes.min() < 3  # orthogonal, about
    names = {key.rpartition(".")[2] for key in optimizer.tensors() if "a.weight" in key}
    assert "momentum_buffer" in names


def test_the_rate_rises_stays_and_falls():
    recipe = OptimRecipe(rate=1.0, warm_up=0.1, cool_down=0.5, lowest=0.1)
    optimizer = FramesOptimizer(torch.nn.Linear(2, 2), recipe, 100)
    rates = [optimizer.rate(update) for update in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[50] == 1.0
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_a_state_of_another_network_is_refused():
    recipe = make_recipe()
    tensors = make_trainer(recipe).tensors()
    other = make_trainer(make_recipe(policy={**POLICY, "layers": 2}))
    with pytest.raises(CheckpointError, match="not one of this run"):
        other.restore({"update": 1}, tensors)


def test_processes_must_divide_the_windows():
    with pytest.raises(UsageError, match="multiple of 3"):
        make_trainer(make_recipe(), World(size=3))


# -- logs ----------------------------------------------------------------------------------------


def test_curves_are_smoothed_by_name(tmp_path):
    rows = [
        {"update": i, "by_action": {"place": 2.0 + (-1) ** i, **({"undo": 1.0} if i > 300 else {})}}
        for i in range(600)
    ]
    found = curves(rows, "by_action")
    updates, values = found["place"]
    assert len(updates) == 150 and np.allclose(values, 2.0)
    assert found["undo"][0].min() > 299
    assert curves([], "by_action") == {}
    (tmp_path / "log.jsonl").write_text('{"stage": "run"}\n')
    assert not draw_losses(tmp_path / "log.jsonl", tmp_path / "losses.png", "frames")


def test_without_tensorboard_it_is_said_once_and_nothing_is_written(tmp_path, monkeypatch, caplog):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with caplog.at_level("INFO"):
        board = Board(tmp_path, 0)
        board.write({"update": 0, "total": 1.0})
        board.close()
    assert caplog.text.count("tensorboard") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_tensorboard_gets_every_loss(tmp_path):
    pytest.importorskip("tensorboard", reason="an extra")
    board = Board(tmp_path, 0)
    board.write({"update": 2, "stage": "frames", "total": 1.5, "by_action": {"place": 0.25}})
    board.close()
    [events] = tmp_path.iterdir()
    content = events.read_bytes()
    assert b"by_action/place" in content and b"total" in content


# -- play ----------------------------------------------------------------------------------------


def test_a_policy_plays_and_the_annotator_helps():
    recipe = make_recipe()
    net = FramesNet(recipe.config)
    tasks = LiveEpisodes(recipe.data)

    def played(beta, limit=9):
        policy = BatchPolicy(net, 2, temperature=1.0, low_precision=False)
        return list(play(policy, tasks, 3, 5, PlayOptions(beta, limit, patience=limit)))

    alone, helped = played(0.0), played(1.0, 50)
    assert len(alone) == len(helped) == 3
    assert all(len(episode) <= 9 for episode in alone)
    assert {c.actor for e in alone for c in e.clicks} == {"policy"}
    assert {c.actor for e in helped for c in e.clicks} == {"annotator"}
    assert all(e.meta["success"] and e.meta["labels"] == ORACLE for e in helped)
    assert sorted(e.seed for e in alone) == sorted(e.seed for e in helped)
    actors = [c.actor for e in played(0.5) for c in e.clicks]
    assert {"policy", "annotator"} == set(actors)


class Stubborn:
    """Clicks as a list of actions says, over and over: a far corner, or a button."""

    rows = 1

    def __init__(self, *actions):
        layout = Session(make_task("colored_dot_tracking", 0)).screen.layout
        undo, canvas = layout.buttons["undo"], layout.canvas
        places = {"place": (canvas.x + 1, canvas.y + 1), "undo": (undo.x + 2, undo.y + 2)}
        self.clicks = cycle([places[action] for action in actions])

    def reset(self, row):
        pass

    def propose(self, frames, alive):
        return [next(self.clicks)]

    def observe(self, frames, clicks, alive):
        pass


def played_by(policy, patience):
    tasks = LiveEpisodes(make_recipe(data={"tasks": {"colored_dot_tracking": 1.0}}).data)
    [episode] = play(policy, tasks, 1, 5, PlayOptions(0.0, 24, patience))
    return episode


def clicks_of(episode):
    return [(c.actor, c.action) for c in episode.clicks]


def test_a_mistake_that_the_policy_leaves_is_mended_by_the_annotator():
    left, mended = [("policy", "place")] * 4, [("annotator", "undo")] * 4
    assert clicks_of(played_by(Stubborn("place"), 3)) == (left + mended) * 3
    assert clicks_of(played_by(Stubborn("place"), 1_000)) == [("policy", "place")] * 24


def test_the_chance_to_mend_a_mistake_is_learnt_once():
    opened = open_recorded(played_by(Stubborn("place"), 3))
    assert opened.actions[:8] == ("next_section", *["undo"] * 7)
    # placed, left three times, taken back by the annotator: once late, then as it should be
    assert opened.wanted.tolist() == [True, True, False, False, False, True, True, True] * 3
    left = open_recorded(played_by(Stubborn("place"), 1_000))
    assert set(left.actions[1:]) == {"undo"} and left.wanted.sum() == 2


def test_a_policy_that_mends_its_mistakes_is_left_alone():
    episode = played_by(Stubborn("place", "undo"), 1)
    assert {actor for actor, _ in clicks_of(episode)} == {"policy"}
    assert open_recorded(episode).wanted.all()


def test_rounds_of_play_follow_and_can_be_stopped(tmp_path):
    dagger = {"rounds": 2, "episodes": 2, "updates": 2, "limit": 3, "share": 0.5}
    recipe = make_recipe(updates=1, dagger=dagger)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert train_frames(recipe, [], options(whole)) == whole / "policy"
    assert weights_of(whole / "policy") == weights_of(whole / "round-2" / "policy")
    assert weights_of(whole / "policy") != weights_of(whole / "round-1" / "policy")
    assert len(open_dataset(whole / "round-1" / "played")) == 2
    assert [e["update"] for e in losses(whole / "round-2")] == [0, 1]
    calls = 0
    while train_frames(recipe, [], options(stopped, budget=0.0, resume=calls > 0)) is None:
        calls += 1
        assert calls < 9
    assert calls == 4
    assert weights_of(stopped / "policy") == weights_of(whole / "policy")


def test_rounds_play_the_tasks_that_are_named(tmp_path):
    dagger = {"rounds": 1, "episodes": 2, "updates": 1, "limit": 3}
    recipe = make_recipe(updates=1, dagger={**dagger, "tasks": {"colored_dot_tracking": 1.0}})
    assert "colored_dot_tracking" not in recipe.data.tasks
    train_frames(recipe, [], options(tmp_path / "run"))
    played = open_dataset(tmp_path / "run" / "round-1" / "played")
    assert {episode.task for episode in played} == {"colored_dot_tracking"}


def test_the_annotator_helps_less_from_round_to_round():
    dagger = replace(make_recipe().dagger, beta=0.5)
    assert [PlayOptions.of_round(dagger, i).beta for i in range(3)] == [0.5, 0.25, 0.125]
    assert PlayOptions.of_round(replace(dagger, patience=7), 0).patience == 7


# -- the command line ----------------------------------------------------------------------------


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "small.json"
    path.write_text(json.dumps(make_recipe(updates=2).to_json()))
    return path


@pytest.mark.slow
def test_train_and_finetune_take_frames_recipes(cli, tmp_path, recipe_file):
    run, tuned = tmp_path / "run", tmp_path / "tuned"
    common = ("--workers", 0, "--device", "cpu")
    code, out, err = cli("train", recipe_file, "--out", run, *common, "--budget", 0)
    assert (code, "--resume" in out) == (0, True), err
    code, out, err = cli("train", recipe_file, "--out", run, *common, "--resume")
    assert code == 0 and f"policy  {run / 'policy'}" in out, err
    assert len(losses(run)) == 2
    arguments = ("--out", tuned, "--task", "shape_matching", "--updates", 1, "--rate", 0.01)
    code, _, err = cli("finetune", run / "policy", *arguments, *common)
    assert code == 0, err
    assert set(losses(tuned)[0]["by_task"]) == {"shape_matching"}
    kept = FramesRecipe.from_json(json.loads((tuned / "recipe.json").read_text()))
    assert (kept.updates, kept.optimizer.rate) == (1, 0.01)
    assert kept.config == make_recipe().config


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--set", "optimizer.name=sgd"), "muon"),
        (("--set", "nonsense"), "NAME=VALUE"),
        (("--set", "seed.x=1"), "seed"),
        (("--set", "data.tasks={}"), "datasets"),
        (("--set", "data.tasks.no_such=1"), "no_such"),
    ],
)
def test_wrong_values_are_2_and_no_run_is_begun(cli, tmp_path, recipe_file, words, told):
    code, _, err = cli("train", recipe_file, "--out", tmp_path / "run", *words)
    assert (code, err.count("\n"), told in err) == (2, 1, True), err
    assert not (tmp_path / "run").exists()


def test_values_are_set_by_their_paths(recipe_file):
    changed = load_any_recipe(recipe_file, {"optimizer.rate": 0.5, "policy.layers": 2})
    assert (changed.optimizer.rate, changed.config.layers) == (0.5, 2)
    assert changed.optimizer.name == make_recipe().optimizer.name


def test_presets_are_recipes_of_either_family():
    families = {name: type(load_any_recipe(name)) for name in presets()}
    assert families["tracing"] is TrainRecipe
    assert {"dots", "tasks", "base"} <= {n for n, kind in families.items() if kind is FramesRecipe}
    nine = load_any_recipe("tasks").data.tasks
    assert len(nine) == 9 and not {"shape_matching", "neuron_tracing"} & set(nine)


def test_a_tracing_recipe_needs_data(cli, tmp_path):
    code, _, err = cli("train", "tracing", "--out", tmp_path / "run")
    assert code == 2 and "--data" in err
