"""Figures on the pages are those that the script writes, and still those of the program."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bcannot_core as bc
from bcannot_core.episodes.dataset import write_shard
from bcannot_core.episodes.specification import GenerateSpec, episode_seed, generate_episode
from bcannot_core.episodes.statistics import dataset_statistics

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tables", DOCS / "make_tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def figures(script: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(script.MEASURED.read_text(encoding="utf-8"))
    return found


def test_the_pages_are_what_the_script_writes(script: ModuleType, figures: dict[str, Any]) -> None:
    assert set(figures["tasks"]) == set(bc.list_tasks())
    for page, written in (
        (script.INDEX, script.with_rows),
        (script.DATASETS, script.with_sentence),
    ):
        text = page.read_text(encoding="utf-8")
        assert written(text, figures) == text, page.name
    other = {**figures, "clicks": 7_000_000, "tasks": {**figures["tasks"]}}
    other["tasks"]["cell_lineage"] = {**figures["tasks"]["cell_lineage"], "steps_mean": 7777.0}
    assert "| 7777 |" in script.with_rows(script.INDEX.read_text(encoding="utf-8"), other)
    assert "7.00 million" in script.with_sentence(script.DATASETS.read_text("utf-8"), other)


@pytest.mark.parametrize("task", ["exploration_3d", "shape_matching"])
def test_cheap_tasks_are_still_as_long(
    script: ModuleType, figures: dict[str, Any], task: str, tmp_path: Path
) -> None:
    spec = GenerateSpec(task)
    write_shard(
        tmp_path / "a.parquet", [generate_episode(spec, episode_seed(9, i)) for i in range(60)]
    )
    now = script.measured(dataset_statistics(tmp_path))["tasks"][task]
    then = figures["tasks"][task]
    assert now["steps_mean"] == pytest.approx(then["steps_mean"], rel=0.15)
    assert now["success_rate"] == then["success_rate"] == 1


def test_what_the_figures_promise_holds(figures: dict[str, Any]) -> None:
    assert figures["bytes_per_click"] <= 8
    for task, of in figures["tasks"].items():
        assert 0.05 <= of["error_then_mended"] <= 0.15, task
        assert of["steps_p5"] <= of["steps_mean"] <= of["steps_p95"]
