"""What ``bcannot eval`` does for tasks on made worlds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bcannot_core.cli.common import figure, progress, say, table

if TYPE_CHECKING:
    from bcannot_core.episodes.episode import Episode
    from bcannot_core.evaluation.rollouts import Rollouts
    from bcannot_core.evaluation.tasks import TaskEvaluation

_HIDDEN = {
    "per_episode",
    "annotator",
    "forced_mistakes",
    "intervals_95",
    "actions",
    "interrupted",
}
_NO_ROW = ("action_accuracy_by_type", "by_action", "buttons", "interrupted")


@dataclass(frozen=True)
class Asked:
    """What the arguments ask for.

    Attributes
    ----------
    policy : str
        Who is evaluated.
    lockstep : int or None
        Sessions at once.
    device : str
        For policies.
    temperature : float
        For policies.
    record : Path or None
        A dataset of the policy's sessions to write.
    """

    policy: str
    lockstep: int | None
    device: str
    temperature: float
    record: Path | None


def closed_loop(
    asked: Asked, evaluation: "TaskEvaluation"
) -> "tuple[dict[str, Any], Rollouts | None]":
    """Let the policy act, and show the figures; return them, and sessions that are to be kept."""
    from bcannot_core.evaluation.rollouts import Rollouts
    from bcannot_core.evaluation.tasks import evaluate_task

    actors = _actors(asked, evaluation)
    rollouts = None
    if asked.record is not None:
        asked.record.mkdir(parents=True, exist_ok=True)  # now, rather than fail after the work
        rollouts = Rollouts(actors.name, evaluation)
    total = evaluation.episodes + evaluation.forced
    with progress(evaluation.task, total) as advance:
        report = evaluate_task(
            actors,
            evaluation,
            progress=advance,
            keep=rollouts.keep if rollouts is not None else lambda _session, _result: None,
        )
    report |= actors.facts()
    _show_closed_loop(report)
    return report, rollouts


def teacher_forced(
    asked: Asked, evaluation: "TaskEvaluation", data: list[Path] | None
) -> dict[str, Any]:
    """Compare proposals with recorded or scripted clicks, and show the figures."""
    from bcannot_core.evaluation.teacher_forced import evaluate_teacher_forced

    actors = _actors(asked, evaluation)
    count = evaluation.episodes
    sessions = recorded(data, evaluation.task, count) if data else scripted(evaluation)
    with progress(evaluation.task, count) as advance:
        report = evaluate_teacher_forced(actors, sessions, advance)
    report |= actors.facts()
    show_teacher_forced(report)
    return report


def recorded(data: list[Path], task: str, count: int) -> "Iterator[Episode]":
    """Return the first episodes of a task in datasets.

    Raises
    ------
    UsageError
        There is none.
    """
    from bcannot_core.episodes.dataset import open_dataset
    from bcannot_core.episodes.of_task import EpisodesOfTask

    return islice(EpisodesOfTask(open_dataset(*data), task), count)


def scripted(evaluation: "TaskEvaluation") -> "Iterator[Episode]":
    """Yield sessions of the scripted annotator in the worlds of an evaluation."""
    from bcannot_core.episodes.generate import GenerateSpec, generate_episode

    spec = GenerateSpec(
        task=evaluation.task, config=evaluation.options, variants=(evaluation.variant,)
    )
    for number in range(evaluation.episodes):
        yield generate_episode(spec, evaluation.world_seed(number))


def show_teacher_forced(report: Mapping[str, Any]) -> None:
    """Show the figures of a teacher-forced evaluation."""
    rows = [(name, figure(value)) for name, value in report.items() if name not in _NO_ROW]
    accuracy = report["action_accuracy_by_type"]
    table(("figure", "value"), [*rows, *((f"  {name}", figure(v)) for name, v in accuracy.items())])


def _actors(asked: Asked, evaluation: "TaskEvaluation") -> Any:
    from bcannot_core.evaluation.participants import open_actors

    return open_actors(
        asked.policy,
        evaluation.task,
        asked.lockstep,
        device=asked.device,
        temperature=asked.temperature,
        seed=evaluation.seed,
    )


def _show_closed_loop(report: Mapping[str, Any]) -> None:
    annotator = report.get("annotator", {})
    intervals = report["intervals_95"]
    rows = [
        (name, figure(value), _interval(intervals.get(name)), figure(annotator.get(name, "")))
        for name, value in report.items()
        if name not in _HIDDEN
    ]
    table(("figure", "value", "95 %", "annotator"), rows)
    forced = report.get("forced_mistakes")
    if forced and forced["episodes"]:
        say(f"undone    {forced['undo_rate']:.0%} of {forced['episodes']} forced mistakes")


def _interval(interval: list[float] | None) -> str:
    return "" if interval is None else f"{figure(interval[0])} to {figure(interval[1])}"
