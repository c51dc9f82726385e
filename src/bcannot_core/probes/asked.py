"""Probes for yes or no: pooled, task by task, on a task never seen, and the controls."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.probes.ground import Ground
from bcannot_core.probes.linear import Direction, auc, auc_report, fit_direction
from bcannot_core.probes.targets import Mask, Target, coming_mistake

ALARMS = 0.05
"""Share of steps without it at which a finding's threshold raises the alarm."""


@dataclass(frozen=True)
class Finding:
    """A probe for yes or no, with what a live use needs to know.

    Attributes
    ----------
    direction : Direction
        Learnt on the steps that taught and chose.
    threshold : float
        Log odds that 5 % of the steps where it is not so exceed.
    auc : float or None
        On the steps that judged.
    """

    direction: Direction
    threshold: float
    auc: float | None


@dataclass(frozen=True)
class Probe:
    """A target at the layer and with the strength that were chosen for it."""

    target: Target
    layer: int
    strength: float


def both_kinds(target: Target, mask: Mask) -> bool:
    """Whether a target is so at some of the steps of a mask, and is not at others."""
    truth = target.truth[mask & target.rows]
    return bool(truth.any() and not truth.all())


def ask(ground: Ground, probe: Probe) -> tuple[dict[str, Any], Finding]:
    """Return the report of a probe for yes or no, and its direction."""
    target, seed = probe.target, ground.options.seed
    learn, judge = ground.learn & target.rows, ground.split.judge & target.rows
    rows = ground.rows(probe.layer)
    direction = fit_direction(rows[learn], target.truth[learn], probe.layer, probe.strength)
    scores = direction.logits(rows)
    pooled = auc_report(scores[judge], target.truth[judge], ground.episodes(judge), seed)
    inside = {task: _auc_at(scores, target, judge & ground.of_task(task)) for task in ground.tasks}
    report = {
        "layer": probe.layer,
        "strength": probe.strength,
        "pooled": pooled,
        "pooled_within_task": inside,
        "pooled_within_task_mean": _mean(inside.values()),
        "per_task": {task: _own(ground, probe, task) for task in ground.tasks},
        "controls": _controls(ground, probe),
    }
    if len(ground.tasks) > 1:
        left_out = {task: _left_out(ground, probe, task) for task in ground.tasks}
        areas = [found["auc"] for found in left_out.values()]
        report["leave_one_task_out"] = left_out
        report["leave_one_task_out_mean"] = _mean(areas)
        report["leave_one_task_out_above_chance"] = sum(a is not None and a > 0.5 for a in areas)
    quiet = scores[judge & ~target.truth]
    threshold = float(np.quantile(quiet, 1 - ALARMS)) if len(quiet) else 0.0
    report["recall_at_5_percent_alarms"] = _share(scores[judge & target.truth] > threshold)
    return report, Finding(direction, threshold, pooled["auc"])


def _own(ground: Ground, probe: Probe, task: str) -> dict[str, Any] | None:
    """Learn from a task alone and judge on it; None where it cannot be learnt."""
    target, mine = probe.target, ground.of_task(task)
    learn, judge = ground.learn & mine & target.rows, ground.split.judge & mine & target.rows
    if not both_kinds(target, learn):
        return None
    rows = ground.rows(probe.layer)
    direction = fit_direction(rows[learn], target.truth[learn], strength=probe.strength)
    scores = direction.logits(rows[judge])
    return auc_report(scores, target.truth[judge], ground.episodes(judge), ground.options.seed)


def _left_out(ground: Ground, probe: Probe, task: str) -> dict[str, Any]:
    """Learn from all other tasks, each about its own mean, and judge on all steps of the task."""
    target = probe.target
    judge = ground.of_task(task) & target.rows
    learn = ground.learn & ~ground.of_task(task) & target.rows
    if not both_kinds(target, learn):
        return auc_report(np.zeros(judge.sum()), np.zeros(judge.sum(), bool), np.zeros(0))
    rows = ground.rows(probe.layer)
    taught = rows[learn]
    for other in ground.tasks:
        mine = ground.of_task(other)[learn]
        if mine.any():
            taught[mine] -= taught[mine].mean(0)
    direction = fit_direction(taught, target.truth[learn], strength=probe.strength)
    scores = direction.logits(rows[judge])
    return auc_report(scores, target.truth[judge], ground.episodes(judge), ground.options.seed)


def _controls(ground: Ground, probe: Probe) -> dict[str, float | None]:
    """Return what chance, the click's action alone, and the state before the click give."""
    target = probe.target
    learn, judge = ground.learn & target.rows, ground.split.judge & target.rows
    rows = ground.rows(probe.layer)
    rng = np.random.default_rng(ground.options.seed)
    shuffled = target.truth.copy()
    for task in ground.tasks:
        for part in (learn, judge):
            mine = np.flatnonzero(part & ground.of_task(task))
            shuffled[mine] = shuffled[rng.permutation(mine)]
    chance = fit_direction(rows[learn], shuffled[learn], strength=probe.strength)
    controls = {
        "shuffled_labels": _auc_at(chance.logits(rows), target._replace(truth=shuffled), judge),
        "action_alone": _auc_at(_by_action(ground, target, learn), target, judge),
    }
    coming = coming_mistake(ground.labels)
    if target.name != "correction" and both_kinds(coming, ground.learn):
        learn = ground.learn & coming.rows
        before = fit_direction(rows[learn], coming.truth[learn], strength=probe.strength)
        judge = ground.split.judge & coming.rows
        controls["before_the_click"] = _auc_at(before.logits(rows), coming, judge)
    return controls


def _by_action(ground: Ground, target: Target, learn: Mask) -> NDArray[np.float64]:
    """Score every step by how often the target is so after such an action, in such a task."""
    labels = ground.labels
    _, kind = np.unique(labels[["task", "before"]], return_inverse=True)
    many = np.bincount(kind[learn], minlength=kind.max() + 1)
    yes = np.bincount(kind[learn], target.truth[learn], minlength=kind.max() + 1)
    scores: NDArray[np.float64] = (yes / np.maximum(many, 1))[kind]
    return scores


def _auc_at(scores: NDArray[Any], target: Target, mask: Mask) -> float | None:
    mask = mask & target.rows
    area = auc(scores[mask], target.truth[mask])
    return None if area is None else round(area, 4)


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None


def _share(mask: Mask) -> float | None:
    return round(float(mask.mean()), 4) if len(mask) else None
