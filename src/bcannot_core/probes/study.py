"""The study of a policy's stream: what linear probes read from it, where, and what chance gives."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bcannot_core.errors import UsageError
from bcannot_core.probes.activations import Activations
from bcannot_core.probes.asked import Finding, Probe, ask, both_kinds
from bcannot_core.probes.ground import Ground, StudyOptions
from bcannot_core.probes.linear import Truth, accuracy_report, auc, fit_classes, fit_direction
from bcannot_core.probes.targets import Mask, Split, Target, classes, yes_or_no

_RARE = 5


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Attributes
    ----------
    report : dict
        Plain values, see :func:`study`.
    findings : dict
        Probes for yes or no by name, to be saved with the policy.
    """

    report: dict[str, Any]
    findings: dict[str, Finding]


def study(
    activations: Activations,
    options: StudyOptions | None = None,
    advance: Callable[[int], object] = lambda _n: None,
) -> StudyResult:
    """Probe the stream for mistakes, corrections, task, phase and data position.

    Every figure is of episodes that neither taught a probe nor chose its layer and strength; with
    a task left out, of all its episodes.

    Parameters
    ----------
    activations : Activations
        The stream over recorded sessions.
    options : StudyOptions, optional
        How.
    advance : callable
        Called with 1 for every layer looked at; there are ``activations.layers``.

    Returns
    -------
    StudyResult
        Its report has ``tasks`` (what there was), ``layers`` (AUC or accuracy by layer, on the
        episodes that choose), and for each target its figures.

    Raises
    ------
    UsageError
        The sessions have no labels, or too few episodes.
    """
    ground = Ground(activations, options or StudyOptions())
    teach, choose = ground.split.teach, ground.split.choose
    asked = [t for t in yes_or_no(ground.labels) if both_kinds(t, teach) and both_kinds(t, choose)]
    named = [t for t in classes(ground.labels) if _can_be_named(t, ground.split)]
    if not (asked or named):
        raise UsageError(
            "too few episodes: nothing occurs both in those that teach a probe and in those that "
            "choose its layer; give more"
        )
    table, best = _look_at_layers(ground, asked, named, advance)
    report: dict[str, Any] = {"steps": len(ground.labels), "tasks": _census(ground)}
    report["layers"] = table
    findings = {}
    for target in asked:
        report[target.name], findings[target.name] = ask(ground, best[target.name])
    for target in named:
        report[target.name] = _name(ground, best[target.name])
    return StudyResult(report, findings)


def _look_at_layers(
    ground: Ground, asked: list[Target], named: list[Target], advance: Callable[[int], object]
) -> tuple[dict[str, list[float]], dict[str, Probe]]:
    """Try every target at every layer; return figures by layer, and the best probe of each."""
    table: dict[str, list[float]] = {target.name: [] for target in (*asked, *named)}
    best: dict[str, tuple[float, Probe]] = {}
    for layer in range(ground.activations.layers):
        for target in (*asked, *named):
            attempts = _attempts(ground, target, layer, binary=target in asked)
            figure, probe = max(attempts, key=lambda attempt: attempt[0])
            table[target.name].append(round(figure, 4))
            if target.name not in best or figure > best[target.name][0]:
                best[target.name] = figure, probe
        advance(1)
    return table, {name: probe for name, (_, probe) in best.items()}


def _attempts(
    ground: Ground, target: Target, layer: int, *, binary: bool
) -> list[tuple[float, Probe]]:
    """Teach a probe at a layer, with each strength where it is for yes or no."""
    rows, truth = ground.rows(layer), target.truth
    teach, choose = ground.split.teach & target.rows, ground.split.choose & target.rows
    strengths = ground.options.strengths
    found = []
    for strength in strengths if binary else strengths[len(strengths) // 2 :][:1]:
        if binary:
            direction = fit_direction(rows[teach], truth[teach], layer, strength)
            figure = auc(direction.logits(rows[choose]), truth[choose]) or 0.0
        else:
            guess = fit_classes(rows[teach], _common(truth[teach]), strength)(rows[choose])
            figure = float((guess == truth[choose]).mean())
        found.append((figure, Probe(target, layer, strength)))
    return found


def _name(ground: Ground, probe: Probe) -> dict[str, Any]:
    """Return the report of a probe for several classes: pooled, and task by task."""
    target = probe.target
    learn, judge = ground.learn & target.rows, ground.split.judge & target.rows
    report = {"layer": probe.layer, "pooled": _accuracy(ground, probe, learn, judge)}
    if target.name == "task":
        return report
    report["per_task"] = {
        task: _accuracy(ground, probe, learn & ground.of_task(task), judge & ground.of_task(task))
        for task in ground.tasks
    }
    return report


def _accuracy(ground: Ground, probe: Probe, learn: Mask, judge: Mask) -> dict[str, Any] | None:
    """Return the accuracy beside that of the commonest class; None where there is one alone."""
    truth, rows = probe.target.truth, ground.rows(probe.layer)
    if not _several(truth[learn]) or not judge.any():
        return None
    guess = fit_classes(rows[learn], _common(truth[learn]), probe.strength)(rows[judge])
    right = guess == truth[judge]
    majority = truth[judge] == Counter(truth[learn].tolist()).most_common(1)[0][0]
    return accuracy_report(right, majority, ground.episodes(judge), ground.options.seed)


def _can_be_named(target: Target, split: Split) -> bool:
    """Whether several classes of a target can be learnt, and a layer chosen for them."""
    choose = split.choose & target.rows
    return bool(choose.any()) and _several(target.truth[split.teach & target.rows])


def _several(truth: Truth) -> bool:
    """Whether several classes are common enough to be learnt."""
    return len(truth) > 0 and len(np.unique(_common(truth))) > 1


def _common(truth: Truth) -> Truth:
    """Return classes with those that are too rare to be learnt as the commonest of all."""
    names, place, many = np.unique(truth, return_inverse=True, return_counts=True)
    kept: Truth = np.where(many[place] >= _RARE, truth, names[many.argmax()])
    return kept


def _census(ground: Ground) -> dict[str, dict[str, Any]]:
    """Return what there is of each task."""
    census = {}
    for task in ground.tasks:
        labels = ground.labels[ground.of_task(task)]
        census[task] = {
            "episodes": len(np.unique(labels["episode"])),
            "steps": len(labels),
            "mistakes": round(float(labels["coming"].mean()), 4),
        }
    return census
