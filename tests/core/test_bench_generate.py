"""The measurement of generation."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bcannot_core.episodes import bench_generate
from bcannot_core.episodes.bench_generate import measure_generate
from bcannot_core.episodes.specification import GenerateSpec


def test_rates_are_taken_from_the_first_result_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    data = SimpleNamespace(column=lambda name: np.array([200]))

    def generate(
        spec: Any, episodes: int, seed: int, out: str, *, workers: int, progress: Any
    ) -> None:
        now[0] += 5.0  # starting
        for there in range(10, episodes + 1, 10):
            now[0] += 1.0 / workers
            progress(there, episodes)
        Path(out, "a.parquet").write_bytes(b"x" * 100)

    monkeypatch.setattr(bench_generate, "generate_episodes", generate)
    monkeypatch.setattr(bench_generate, "open_dataset", lambda folder: data)
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr(bench_generate, "time", clock)
    seen: list[int] = []
    found = measure_generate(GenerateSpec(), 50, 0, (1, 2), seen.append)
    one, two = found["runs"]
    assert (one["episodes_per_s"], two["episodes_per_s"]) == pytest.approx((10, 20))
    assert (one["wall_s"], two["wall_s"]) == pytest.approx((10, 7.5))
    assert one["clicks_per_s"] == pytest.approx(40)
    assert found["speedup"] == pytest.approx(2)
    assert found["same_bytes"] and found["bytes_per_click"] == 0.5
    assert seen == [10] * 10


@pytest.mark.slow
def test_the_command_compares_one_worker_with_two(cli: Any, tmp_path: Path) -> None:
    argv = ("bench", "generate", "--task", "exploration_3d", "--task", "shape_matching")
    code, out, err = cli(*argv, "--episodes", 48, "--json", tmp_path / "b.json")
    found = json.loads((tmp_path / "b.json").read_text())
    assert (code, err) == (0, "") and "the same bytes" in out
    assert [run["workers"] for run in found["runs"]] == [1, 2]
    assert found["same_bytes"] is True and found["speedup"] > 0
    assert found["episodes"] == 48 and 48 * 3 < found["clicks"] < 48 * 40
