"""The tables of a report."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bcannot_core.evaluation.reference import overall_figures, reference_figures
from bcannot_core.evaluation.report.curves import Emergence
from bcannot_core.evaluation.report.page import Table
from bcannot_core.evaluation.report.runs import Evaluation, Run

NOTHING = "–"
_CLOSED, _FORCED = "closed-loop", "teacher-forced"
_SHORT = {
    "placement_at_1px": "within 1 px",
    "placement_at_5px": "within 5 px",
    "success_rate": "success",
    "done_rate": "done",
    "steps_mean": "steps",
    "skeleton_accuracy": "accuracy",
    "first_node_accuracy": "first node",
    "undo_rate": "undo after a forced mistake",
}
_MAIN = ("f1", "pck", "iou_mean", "class_accuracy", "within_5px", "product")


def closed_loop_table(evaluations: Sequence[Evaluation]) -> Table | None:
    """Return a row for each closed-loop result, None without any."""
    chosen = [one for one in evaluations if one.mode == _CLOSED]
    header = (
        "task", "episodes", "success (95 %)", "done", "main metric", "mistakes",
        "mistakes of the annotator", "forced mistakes undone", "steps", "steps of the annotator",
        "reference", "file",
    )  # fmt: skip
    rows = []
    for one in chosen:
        result, annotator = one.result, _mapping(one.result.get("annotator"))
        rows.append(
            (
                _named(one),
                shown(result.get("episodes")),
                _with_interval(result, "success_rate"),
                shown(result.get("done_rate")),
                _main_metric(result),
                shown(result.get("mistakes")),
                shown(annotator.get("mistakes")),
                _undone(result),
                shown(result.get("steps_mean")),
                shown(annotator.get("steps_mean")),
                reference_text(one.task, one.mode),
                one.file,
            )
        )
    return Table(header, rows, frozenset({10, 11})) if rows else None


def teacher_forced_table(evaluations: Sequence[Evaluation]) -> Table | None:
    """Return a row for each teacher-forced result, None without any."""
    keys = (
        "episodes", "action_accuracy", "placement_at_1px", "placement_at_2px",
        "placement_at_5px", "placement_at_10px", "placement_on_target", "decision_accuracy",
        "motor_at_5px",
    )  # fmt: skip
    header = (
        "task", "episodes", "action", "@1 px", "@2 px", "@5 px", "@10 px", "on target",
        "decision", "motor @5 px", "reference", "file",
    )  # fmt: skip
    rows = [
        (
            _named(one),
            *(shown(one.result.get(key)) for key in keys),
            reference_text(one.task, one.mode),
            one.file,
        )
        for one in evaluations
        if one.mode == _FORCED
    ]
    return Table(header, rows, frozenset({10, 11})) if rows else None


def by_action_table(evaluations: Sequence[Evaluation]) -> Table | None:
    """Return a row for each action of each teacher-forced result, None without any."""
    keys = ("steps", "accuracy", "decision", "at_1px", "at_2px", "at_5px", "at_10px")
    rows = [
        (_named(one), str(action), *(shown(_mapping(figures).get(key)) for key in keys))
        for one in evaluations
        for action, figures in _mapping(one.result.get("by_action")).items()
    ]
    header = (
        "task",
        "action",
        "steps",
        "accuracy",
        "decision",
        "@1 px",
        "@2 px",
        "@5 px",
        "@10 px",
    )
    return Table(header, rows, frozenset({1})) if rows else None


def overall_table() -> Table:
    """Return what was published over all tasks."""
    rows = [(_SHORT.get(one.key, one.key), shown(one.value), one.note) for one in overall_figures()]
    return Table(("reference, over all tasks", "value", "of"), rows, frozenset({2}))


def emergence_table(found: Sequence[Emergence]) -> Table:
    """Return when each action was learnt, the first one first."""
    header = ("action", "half its first loss at update", "90 % of its gain at update", "first loss",
              "last loss")  # fmt: skip
    rows = [
        (one.name, _update(one.half), _update(one.most), f"{one.first:.3g}", f"{one.last:.3g}")
        for one in found
    ]
    return Table(header, rows)


def scaling_table(runs: Sequence[Run]) -> Table:
    """Return a row for each run: size, training, and its figures on each task."""
    tasks = sorted({one.task for run in runs for one in run.evaluations})
    header = ["run", "size", "parameters", "updates", "windows", "minutes"]
    for task in tasks:
        header += [f"{task}: @5 px, teacher forced", f"{task}: success, closed loop"]
    rows = []
    for run in runs:
        row = [
            run.name,
            size_of(run),
            NOTHING if run.parameters is None else f"{run.parameters:,}",
            f"{run.updates:,}" if run.stages else NOTHING,
            shown(run.recipe.get("windows")),
            f"{run.minutes:.0f}" if run.stages else NOTHING,
        ]
        for task in tasks:
            row += [
                shown(figure_of(run, task, _FORCED, "placement_at_5px")),
                shown(figure_of(run, task, _CLOSED, "success_rate")),
            ]
        rows.append(row)
    return Table(header, rows, frozenset({1}))


def figure_of(run: Run, task: str, mode: str, key: str) -> float | None:
    """Return a run's figure; of several results the one with most episodes."""
    known = [
        one.result
        for one in run.evaluations
        if (one.task, one.mode) == (task, mode) and isinstance(one.result.get(key), int | float)
    ]
    if not known:
        return None
    return float(max(known, key=_episodes)[key])


def _episodes(result: Mapping[str, Any]) -> float:
    count = result["episodes"]
    return count if isinstance(count, int | float) else 0


def size_of(run: Run) -> str:
    """Return the name of a policy's size, as the recipe has it."""
    policy = _mapping(run.recipe.get("policy"))
    return str(policy.get("size", "glance" if "glance" in policy else NOTHING))


def reference_text(task: str, mode: str) -> str:
    """Return what was published on a task in a mode, in words."""
    parts = [
        f"{_SHORT.get(one.key, one.key)} {shown(one.value)} ({one.note})"
        for one in reference_figures(task, mode)
    ]
    return "; ".join(parts) or NOTHING


def shown(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None or isinstance(value, Mapping | list):
        return NOTHING
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def flattened(recipe: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield a recipe's values with their full names."""
    for name, value in recipe.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", str(value)


def _named(one: Evaluation) -> str:
    variant = one.result.get("variant", "original")
    return one.task if variant == "original" else f"{one.task} ({variant})"


def _main_metric(result: Mapping[str, Any]) -> str:
    for name in _MAIN:
        if isinstance(result.get(name), int | float):
            return f"{name} {shown(result[name])}"
    return NOTHING


def _with_interval(result: Mapping[str, Any], name: str) -> str:
    interval = _mapping(result.get("intervals_95")).get(name)
    if not (isinstance(interval, list) and len(interval) == 2):
        return shown(result.get(name))
    return f"{shown(result.get(name))} ({shown(interval[0])}–{shown(interval[1])})"


def _undone(result: Mapping[str, Any]) -> str:
    forced = _mapping(result.get("forced_mistakes"))
    if not forced.get("episodes"):
        return NOTHING
    return f"{shown(forced.get('undo_rate'))} of {forced['episodes']}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _update(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"
