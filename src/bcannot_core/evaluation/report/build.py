"""From runs to a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bcannot_core.errors import BcannotError, UsageError
from bcannot_core.evaluation.reference import reference_source
from bcannot_core.evaluation.report import tables
from bcannot_core.evaluation.report.curves import emergence, groups_of
from bcannot_core.evaluation.report.drawing import draw_curves, draw_scaling
from bcannot_core.evaluation.report.page import (
    Block,
    Heading,
    Listing,
    Page,
    Picture,
    Table,
    Text,
)
from bcannot_core.evaluation.report.pictures import animation, examples, heatmaps
from bcannot_core.evaluation.report.runs import Run, read_run

Progress = Callable[[int], object]

_GROUPS = {
    "losses": "Losses",
    "by_action": "Losses by action",
    "by_task": "Losses by task",
}
_MOST_CURVES = 20


@dataclass(frozen=True)
class ReportOptions:
    """What is on the page.

    Attributes
    ----------
    title : str
        Of the page; by default the names of the runs.
    animations : bool
        Whether recorded sessions are shown.
    heatmaps : int
        On how many frames of a recorded session of each task the policy's map is shown; 0 for
        none.
    device : str
        For the policy that draws the maps.
    """

    title: str = ""
    animations: bool = True
    heatmaps: int = 4
    device: str = "auto"


def build_report(
    folders: Sequence[Path],
    options: ReportOptions | None = None,
    *,
    progress: Progress = lambda _n: None,
) -> Page:
    """Put runs on one page.

    Parameters
    ----------
    folders : sequence of Path
        Folders of runs: ``log.jsonl``, ``recipe.json``, ``policy``, results of ``bcannot eval
        --json`` and datasets of ``--record``, whatever of that is there.
    options : ReportOptions, optional
        What is on it.
    progress : callable
        Called with 1 after every run.

    Raises
    ------
    UsageError
        There is no run, or a folder is none.
    """
    if not folders:
        raise UsageError("a report of no run: name at least one folder")
    options = options or ReportOptions()
    runs = [read_run(folder) for folder in folders]
    page = Page(options.title or "Report of " + ", ".join(run.name for run in runs))
    page.add(Text(_summary(runs)))
    if len(runs) > 1:
        page.add(*_scaling(runs))
    for run in runs:
        page.add(Heading(run.name), *_facts(run), *_evaluations(run), *_learning(run))
        page.add(*_pictures(run, options))
        progress(1)
    page.add(Heading("Reference"), Text(f"Figures of the reference: {reference_source()}."))
    page.add(tables.overall_table())
    return page


def _summary(runs: Sequence[Run]) -> str:
    results = sum(len(run.evaluations) for run in runs)
    many = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    return f"{many} with {results} evaluations."


def _facts(run: Run) -> list[Block]:
    rows = [
        ("size", tables.size_of(run)),
        ("parameters", tables.NOTHING if run.parameters is None else f"{run.parameters:,}"),
        ("updates", f"{run.updates:,}" if run.stages else tables.NOTHING),
        ("minutes of training", f"{run.minutes:.1f}" if run.stages else tables.NOTHING),
    ]
    blocks: list[Block] = [Table(("what", "value"), rows)]
    if run.recipe:
        lines = [f"{name} = {value}" for name, value in tables.flattened(run.recipe)]
        blocks.append(Listing("Recipe", "\n".join(lines)))
    return blocks


def _evaluations(run: Run) -> list[Block]:
    named = {
        "Closed loop": tables.closed_loop_table(run.evaluations),
        "Teacher forced": tables.teacher_forced_table(run.evaluations),
        "Teacher forced, by action": tables.by_action_table(run.evaluations),
    }
    blocks: list[Block] = []
    for title, table in named.items():
        if table is not None:
            blocks += [Heading(title, 3), table]
    return blocks


def _learning(run: Run) -> list[Block]:
    blocks: list[Block] = []
    for stage, entries in run.stages.items():
        for group, curves in groups_of(entries).items():
            title = _GROUPS.get(group, group.replace("_", " "))
            shown = dict(list(curves.items())[:_MOST_CURVES])
            blocks.append(Heading(f"{title} (stage {stage})", 3))
            blocks.append(Picture(draw_curves(shown), f"{title}, {run.name}"))
            if group == "by_action":
                blocks.append(Heading(f"What is learnt when (stage {stage})", 3))
                blocks.append(tables.emergence_table(emergence(curves)))
    return blocks


def _pictures(run: Run, options: ReportOptions) -> list[Block]:
    """Return animations and maps; what cannot be drawn is said, the page is made all the same."""
    blocks: list[Block] = []
    try:
        chosen = list(examples(run.rollouts)) if options.animations or options.heatmaps else []
        if options.animations and chosen:
            blocks.append(Heading("Sessions of the policy", 3))
            blocks += [animation(episode, caption) for caption, episode in chosen]
        if options.heatmaps and chosen and run.policy is not None:
            from bcannot_core.policy.policy import Policy

            policy = Policy.load(run.policy, device=options.device)
            blocks.append(Heading("Where the policy would click", 3))
            firsts = {episode.task: episode for _, episode in reversed(chosen)}
            for _, episode in sorted(firsts.items()):
                blocks += heatmaps(policy, episode, options.heatmaps)
    except BcannotError as error:
        blocks.append(Text(f"Not drawn: {error}"))
    return blocks


def _scaling(runs: Sequence[Run]) -> list[Block]:
    blocks: list[Block] = [Heading("Runs side by side"), tables.scaling_table(runs)]
    sized = [run for run in runs if run.parameters]
    if len({run.parameters for run in sized}) < 2:
        return blocks
    for mode, key, label in (
        ("teacher-forced", "placement_at_5px", "placement within 5 px, teacher forced"),
        ("closed-loop", "success_rate", "success, closed loop"),
    ):
        every = sorted({one.task for run in sized for one in run.evaluations if one.mode == mode})
        named = {task: [tables.figure_of(run, task, mode, key) for run in sized] for task in every}
        known = {
            task: values for task, values in named.items() if any(v is not None for v in values)
        }
        if known:
            sizes = [float(run.parameters or 0) for run in sized]
            blocks.append(Picture(draw_scaling(sizes, known, label), f"{label}, by size"))
    return blocks
