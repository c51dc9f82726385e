"""Whether data keep up with training: the measurement and its command."""

import json

import pytest

from bcannot_core.training.frames import bench
from bcannot_core.training.frames.bench import bench_training
from bcannot_core.training.frames.recipe import FramesRecipe
from bcannot_core.training.frames.trainer import Trainer
from bcannot_core.training.frames.windows import WindowSource

SMALL = {
    "family": "frames",
    "policy": {
        "size": "tiny",
        "encoder": {"channels": [4, 4, 8]},
        "width": 16,
        "layers": 1,
        "heads": 2,
        "context": 3,
        "features": 8,
    },
    "data": {"tasks": {"exploration_3d": 1.0}, "lanes": 2},
    "windows": 2,
}


class Clock:
    """Time that passes when windows are drawn, and by a second for every update."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1.0
        return self.now


def test_only_live_windows_cost_their_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    drawn = WindowSource.batches
    frames: list[int] = []

    def slow(self, numbers):
        for batch in drawn(self, numbers):
            clock.now += 1.0
            frames.append(sum(len(row.actions) for row in batch.rows))
            yield batch

    monkeypatch.setattr(bench, "time", clock)
    monkeypatch.setattr(WindowSource, "batches", slow)
    found = bench_training(FramesRecipe.from_json(SMALL), updates=4, workers=0)
    assert found["updates_per_s_cached"] == pytest.approx(1.0)
    assert found["updates_per_s"] == pytest.approx(0.5)
    assert found["ratio"] == pytest.approx(0.5)
    assert found["frames_per_s"] == pytest.approx(0.5 * sum(frames[-4:]) / 4)
    assert found["frames_per_s"] < 0.5 * 2 * 6  # steps that are not there do not count


def test_both_runs_learn_from_the_same_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []
    run, backward = Trainer.run, Trainer._backward

    def started(self, progress, until=None):
        seen.append([])
        return run(self, progress, until)

    def learnt(self, batch):
        seen[-1].append(float(batch.frames.double().mean()))
        return backward(self, batch)

    monkeypatch.setattr(Trainer, "run", started)
    monkeypatch.setattr(Trainer, "_backward", learnt)
    bench_training(FramesRecipe.from_json(SMALL), updates=2, workers=0)
    before, live, after = seen
    assert len(set(before)) == len(before) == 2 + 3
    assert before == after == live[-5:]
    assert len(live) == 2 + 3 + 1, "it begins before every lane has a session"


def test_the_command_tells_the_ratio(cli, tmp_path) -> None:
    recipe, out = tmp_path / "small.json", tmp_path / "bench.json"
    recipe.write_text(json.dumps(SMALL))
    argv = ("bench", "training", "--recipe", recipe, "--updates", 1, "--workers", 1)
    code, said, err = cli(*argv, "--json", out)
    found = json.loads(out.read_text())
    assert (code, err) == (0, "") and "updates_per_s_cached" in said
    assert found["workers"] == 1 and found["recipe"] == str(recipe) and found["device"] == "cpu"
    live, cached = found["updates_per_s"], found["updates_per_s_cached"]
    assert found["ratio"] == pytest.approx(live / cached)


def test_other_recipes_are_refused(cli) -> None:
    code, _, err = cli("bench", "training", "--recipe", "tracing")
    assert code == 2 and "tracing trains no frames policy" in err
