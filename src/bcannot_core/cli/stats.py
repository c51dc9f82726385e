"""``bcannot stats``: what is in a dataset."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bcannot_core.cli.common import JsonOption, say, table, write_json

NAME = "stats"
EXAMPLE = "bcannot stats data --figures figures --json stats.json"


def command(
    dataset: Annotated[list[Path], typer.Argument(help="Datasets' folders, or single shards.")],
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw figures into this folder, too.")
    ] = None,
    actions: Annotated[
        bool, typer.Option("--actions", help="Show the share and time of each action, too.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Count lengths, actions, mistakes and corrections, task by task."""
    from bcannot_core.episodes.figures import write_figures
    from bcannot_core.episodes.statistics import dataset_statistics

    found = dataset_statistics(*dataset)
    _show(found["tasks"])
    if actions:
        say()
        _show_actions(found["tasks"])
    say()
    say(
        f"{found['episodes']} episodes, {found['clicks']} clicks, "
        f"{found['bytes_per_click']:.2f} bytes a click"
    )
    if figures is not None:
        for path in write_figures(found, figures):
            say(f"{path}")
    write_json(json_file, found)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _show(tasks: dict[str, Any]) -> None:
    header = (
        "task", "episodes", "steps", "5–95 %", "navigation", "placement", "nav/place",
        "corrections", "mistakes", "error, undo", "replaced", "mended", "success",
    )  # fmt: skip
    rows = [
        (
            task,
            of["episodes"],
            f"{of['steps_mean']:.1f}",
            f"{of['steps_p5']:.0f}–{of['steps_p95']:.0f}",
            _percent(of["navigation"]),
            _percent(of["placement"]),
            f"{of['navigation_per_placement']:.2f}",
            _percent(of["correction_rate"]),
            _percent(of["mistakes"]),
            _percent(of["error_then_undo"]),
            _percent(of["error_then_replaced"]),
            _percent(of["error_then_mended"]),
            _percent(of["success_rate"]) if "success_rate" in of else "",
        )
        for task, of in tasks.items()
    ]
    table(header, rows)


def _show_actions(tasks: dict[str, Any]) -> None:
    rows = [
        (task, action, _percent(share), f"{of['action_ms'][action]:.0f}")
        for task, of in tasks.items()
        for action, share in of["actions"].items()
    ]
    table(("task", "action", "share", "median ms"), rows)
