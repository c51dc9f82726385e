"""Probes: a planted direction is found, chance stays chance, and what is saved comes back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from bcannot_core.annotators import Phase
from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.probes.activations import Activations
from bcannot_core.probes.asked import Finding
from bcannot_core.probes.directions import MistakeProbe, load_findings, save_findings
from bcannot_core.probes.ground import StudyOptions
from bcannot_core.probes.labels import LABELS
from bcannot_core.probes.linear import Direction, auc, auc_report, fit_classes, fit_direction
from bcannot_core.probes.study import study
from bcannot_core.probes.targets import split_episodes, within_budget

WIDTH, LAYERS = 12, 3
OPTIONS = StudyOptions(strengths=(0.1,))


def made_labels(
    tasks: tuple[str, ...] = ("dots", "roads", "cells"), episodes: int = 10, steps: int = 30
) -> np.ndarray:
    """Labels of sessions in which a quarter of the placements are mistakes, mended at once."""
    rng = np.random.default_rng(5)
    labels = np.zeros(len(tasks) * episodes * steps, LABELS)
    labels["task"] = np.repeat(tasks, episodes * steps)
    labels["episode"] = np.repeat(np.arange(len(tasks) * episodes), steps)
    labels["step"] = np.tile(np.arange(steps), len(tasks) * episodes)
    place = rng.random(len(labels)) < 0.5
    labels["phase"] = np.where(place, int(Phase.PLACE), int(Phase.NAVIGATE))
    labels["action"] = np.where(place, "place", "next_section")
    labels["coming"] = place & (rng.random(len(labels)) < 0.25)
    labels["position"] = rng.integers(0, 3, len(labels))
    for name, source in (("mistake", "coming"), ("before", "action")):
        labels[name][1:] = labels[source][:-1]
    labels["correction"][2:] = labels["coming"][:-2]
    labels["decided"][1:] = place[:-1]
    first = labels["step"] == 0
    for name in ("mistake", "correction", "decided"):
        labels[name][first] = False
    labels["before"][first] = ""
    return labels


def planted(folder: Path, labels: np.ndarray, strength: float = 1.5, layer: int = 1) -> Activations:
    """Noise in all layers but one, which holds the mistakes, about another mean in each task."""
    rng = np.random.default_rng(1)
    streams = rng.normal(size=(LAYERS, len(labels), WIDTH))
    _, task = np.unique(labels["task"], return_inverse=True)
    direction = np.ones(WIDTH) / np.sqrt(WIDTH)
    streams[layer] += np.outer(labels["mistake"] * strength * 2, direction)
    streams[layer] += rng.normal(size=(task.max() + 1, WIDTH))[task]
    half = len(labels) // 2
    paths = []
    for number, part in enumerate((slice(0, half), slice(half, None))):
        path = folder / f"part-{number:05d}.safetensors"
        tensors = {f"layer-{i:02d}": streams[i, part].astype(np.float16) for i in range(LAYERS)}
        save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, path)
        paths.append(path)
    return Activations(tuple(paths), LAYERS, WIDTH, labels)


def test_a_planted_direction_is_found_in_its_layer_and_in_tasks_never_seen(tmp_path: Path) -> None:
    result = study(planted(tmp_path, made_labels()), OPTIONS)
    found = result.report["mistake"]
    assert found["layer"] == 1
    assert found["pooled"]["auc"] > 0.9
    assert found["leave_one_task_out_above_chance"] == 3
    assert found["leave_one_task_out_mean"] > 0.85
    weight = result.findings["mistake"].direction.weight
    assert weight.sum() / np.linalg.norm(weight) / np.sqrt(WIDTH) > 0.85
    low, high = found["pooled"]["interval_95"]
    assert low < found["pooled"]["auc"] < high


def test_controls_stay_at_chance(tmp_path: Path) -> None:
    report = study(planted(tmp_path, made_labels()), OPTIONS).report
    controls = report["mistaken_placement"]["controls"]
    assert abs(controls["action_alone"] - 0.5) < 0.1
    for name in ("shuffled_labels", "before_the_click"):
        assert abs(controls[name] - 0.5) < 0.15, name
    # what the click did tells a lot, where all clicks are asked: only placements can be mistakes
    assert report["mistake"]["controls"]["action_alone"] > 0.6
    for target in ("phase", "position"):
        figures = report[target]["pooled"]
        assert abs(figures["accuracy"] - figures["majority"]) < 0.15
    assert report["task"]["pooled"]["accuracy"] > 0.8


def test_nothing_is_found_where_nothing_was_planted(tmp_path: Path) -> None:
    report = study(planted(tmp_path, made_labels(), strength=0.0), OPTIONS).report
    assert abs(report["mistaken_placement"]["pooled"]["auc"] - 0.5) < 0.15


def test_a_study_is_the_same_twice(tmp_path: Path) -> None:
    activations = planted(tmp_path, made_labels(("dots",)))
    once, again = (study(activations, OPTIONS) for _ in range(2))
    assert once.report == again.report
    np.testing.assert_array_equal(
        once.findings["mistake"].direction.weight, again.findings["mistake"].direction.weight
    )


def test_one_task_has_nothing_to_leave_out(tmp_path: Path) -> None:
    report = study(planted(tmp_path, made_labels(("dots",))), OPTIONS).report
    assert "leave_one_task_out" not in report["mistake"] and "task" not in report


def test_classes_that_are_too_rare_are_not_probed_for(tmp_path: Path) -> None:
    labels = made_labels(("dots",))
    labels["position"] = -1
    labels["position"][::30] = np.arange(10)
    assert "position" not in study(planted(tmp_path, labels), OPTIONS).report


def test_what_no_episode_that_chooses_has_is_not_probed_for(tmp_path: Path) -> None:
    labels = made_labels(("dots",))
    labels["position"][split_episodes(labels).choose] = -1
    report = study(planted(tmp_path, labels), OPTIONS).report
    assert "position" not in report and report["phase"]["pooled"]["accuracy"] > 0


def test_three_episodes_teach_choose_and_judge(tmp_path: Path) -> None:
    labels = made_labels(("dots", "roads"), episodes=3)
    split = split_episodes(labels)
    for mask in (split.teach, split.choose, split.judge):
        assert len(np.unique(labels["episode"][mask])) == 2
    report = study(planted(tmp_path, labels), OPTIONS).report
    assert {"mistake", "task", "phase", "position"} <= set(report)


def test_a_study_that_finds_nothing_to_probe_for_asks_for_more(tmp_path: Path) -> None:
    labels = made_labels(("dots",), episodes=3)
    learn = ~split_episodes(labels).judge
    for name in ("mistake", "correction", "phase"):
        labels[name][learn] = 0
    labels["position"] = -1
    with pytest.raises(UsageError, match="too few episodes"):
        study(planted(tmp_path, labels), OPTIONS)


def test_sessions_without_mistakes_are_refused(tmp_path: Path) -> None:
    labels = made_labels(("dots",))
    labels["mistake"] = False
    with pytest.raises(UsageError, match="labelled as a mistake"):
        study(planted(tmp_path, labels), OPTIONS)


def test_a_split_keeps_episodes_together_and_serves_every_task() -> None:
    labels = made_labels(episodes=5)
    split = split_episodes(labels, seed=3)
    masks = (split.teach, split.choose, split.judge)
    assert (np.sum(masks, axis=0) == 1).all()
    for task in np.unique(labels["task"]):
        shares = [len(np.unique(labels["episode"][m & (labels["task"] == task)])) for m in masks]
        assert shares == [3, 1, 1]
    with pytest.raises(UsageError, match="2 episodes of dots"):
        split_episodes(made_labels(("dots",), episodes=2))


def test_a_budget_drops_whole_episodes_of_every_task() -> None:
    labels = made_labels()
    rows = within_budget(labels, WIDTH, 4 * WIDTH * len(labels) // 2)
    kept = labels[rows]
    assert 0.4 * len(labels) < len(rows) <= 0.5 * len(labels)
    assert set(np.unique(kept["task"])) == {"dots", "roads", "cells"}
    steps = np.unique(kept["episode"], return_counts=True)[1]
    assert (steps == 30).all()
    np.testing.assert_array_equal(within_budget(labels, WIDTH, 1 << 30), np.arange(len(labels)))


def test_a_layer_is_read_at_the_rows_asked_for(tmp_path: Path) -> None:
    activations = planted(tmp_path, made_labels(("dots",)))
    whole = activations.layer(2, np.arange(len(activations)))
    rows = np.array([0, 7, 149, 150, 151, 299])
    np.testing.assert_array_equal(activations.layer(2, rows), whole[rows])


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_chance_of_the_right_order(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in pairs])
    truth = np.array([so for _, so in pairs])
    yes, no = scores[truth], scores[~truth]
    if not (len(yes) and len(no)):
        assert auc(scores, truth) is None
        return
    wins = (yes[:, None] > no).mean() + (yes[:, None] == no).mean() / 2
    assert auc(scores, truth) == pytest.approx(wins)


def test_intervals_draw_episodes_and_not_steps() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(400) < 0.5
    scores = truth + rng.normal(size=400)
    one = auc_report(scores, truth, np.zeros(400, int))
    many = auc_report(scores, truth, np.arange(400))
    assert one["interval_95"] == [one["auc"], one["auc"]]
    assert many["interval_95"][0] < many["auc"] < many["interval_95"][1]


def test_standardisation_is_part_of_a_direction() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 5)).astype(np.float32)
    truth = rows[:, 2] + rng.normal(scale=0.3, size=300) > 0
    plain = fit_direction(rows, truth).logits(rows)
    scaled = rows * np.float32([1, 50, 0.01, 1, 3]) + np.float32([0, 9, 5, -2, 0])
    np.testing.assert_allclose(fit_direction(scaled, truth).logits(scaled), plain, atol=2e-2)
    rows[:, 4] = 7.0
    assert np.isfinite(fit_direction(rows, truth).weight).all()


def test_a_probe_needs_several_kinds() -> None:
    rows = np.zeros((4, 3), np.float32)
    with pytest.raises(UsageError, match="both kinds"):
        fit_direction(rows, np.ones(4, bool))
    with pytest.raises(UsageError, match="several classes"):
        fit_classes(rows, np.ones(4, int))


def finding(layer: int = 1) -> Finding:
    weight = np.arange(WIDTH, dtype=np.float32)
    return Finding(Direction(layer, weight, -2.0), threshold=1.5, auc=0.9)


@pytest.fixture
def saved(random_policy: Path, tmp_path: Path) -> Path:
    """Directions saved beside the policy's folder."""
    return save_findings(random_policy, {"mistake": finding()}, LAYERS, folder=tmp_path / "found")


def test_directions_come_back_from_the_disk(random_policy: Path, saved: Path) -> None:
    found, layers = load_findings(random_policy, folder=saved)
    assert layers == LAYERS and found["mistake"].threshold == 1.5 and found["mistake"].auc == 0.9
    np.testing.assert_array_equal(found["mistake"].direction.weight, np.arange(WIDTH))
    probe = MistakeProbe.load(random_policy, folder=saved)
    stream = np.zeros((LAYERS, WIDTH), np.float16)
    assert probe.score(stream) == pytest.approx(1 / (1 + np.exp(2.0)))
    assert not probe.likely(stream)
    stream[1, 4] = 1.0
    assert probe.score(stream) == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert probe.likely(stream)
    with pytest.raises(UsageError, match="shape"):
        probe.score(stream[1])
    with pytest.raises(CheckpointError, match="choose from mistake"):
        MistakeProbe.load(random_policy, "typo", folder=saved)


def changed(path: Path, **values: Any) -> None:
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, **values}))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"version": 99}, "version 99"),
        ({"format": "other"}, "format"),
        ({"policy": "0" * 32}, "other weights"),
        ({"width": WIDTH + 1}, "not readable"),
        ({"layers": 1}, "not readable"),
        ({"directions": {"mistake": {}}}, "not readable"),
        ({"directions": [1]}, "not readable"),
    ],
)
def test_directions_that_do_not_fit_are_refused(
    random_policy: Path, saved: Path, values: dict[str, Any], said: str
) -> None:
    changed(saved / "probes.json", **values)
    with pytest.raises(CheckpointError, match=said):
        load_findings(random_policy, folder=saved)


def test_damaged_files_are_refused(random_policy: Path, saved: Path) -> None:
    weights = saved / "directions.safetensors"
    save_file({"mistake": np.full(WIDTH, np.nan, np.float32)}, weights)
    with pytest.raises(CheckpointError, match="no numbers"):
        load_findings(random_policy, folder=saved)
    weights.write_bytes(b"\0" * 20)
    with pytest.raises(CheckpointError, match="not readable"):
        load_findings(random_policy, folder=saved)
    (saved / "probes.json").write_text("{")
    with pytest.raises(CheckpointError, match="not readable"):
        load_findings(random_policy, folder=saved)
    with pytest.raises(CheckpointError, match="bcannot probe"):
        load_findings(random_policy, folder=saved / "nowhere")


def test_directions_are_plain_tensors(saved: Path) -> None:
    assert load_file(saved / "directions.safetensors")["mistake"].dtype == np.float32
