"""``bcannot probe``: what linear probes read from a policy's stream."""

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcannot_core.cli.common import JsonOption, SeedOption, figure, progress, say, table, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bcannot_core.probes.activations import Activations
    from bcannot_core.probes.study import StudyResult

NAME = "probe"
EXAMPLE = "bcannot probe default --data sessions --json probes.json"
_ASKED = ("mistake", "mistaken_placement", "correction")
_NAMED = ("task", "phase", "position")


def command(
    policy: Annotated[str, typer.Argument(help="The policy, a name or a folder.")],
    data: Annotated[
        list[Path], typer.Option(help="Scripted sessions; may be given several times.")
    ],
    episodes: Annotated[
        int | None, typer.Option(min=3, help="Most episodes of each task; all by default.")
    ] = None,
    seed: SeedOption = 0,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the activations here; interrupted work goes on."),
    ] = None,
    memory: Annotated[
        float, typer.Option(min=1.0, help="Memory for one layer in MB; drops episodes beyond.")
    ] = 1024.0,
    save: Annotated[
        bool, typer.Option("--save", help="Save the directions with the policy, for live use.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save the directions here.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_file: JsonOption = None,
) -> None:
    """Probe a policy for mistakes, corrections, task, phase and data position.

    Shows scripted sessions to the policy and fits logistic regressions to its [cls] stream. Every
    figure is of episodes that no probe learnt from; with several tasks, also of a task that none
    learnt from.
    """
    from bcannot_core.policy.checkpoint import resolve_policy
    from bcannot_core.probes.directions import fingerprint, save_findings
    from bcannot_core.probes.ground import StudyOptions
    from bcannot_core.probes.study import study

    folder = resolve_policy(policy)
    with _kept(cache) as where:
        activations = _recorded(folder, (data, episodes, seed), where, device)
        options = StudyOptions(seed=seed, budget_bytes=int(memory * 1e6))
        with progress("probing", activations.layers) as advance:
            result = study(activations, options, advance)
    _show(result)
    about = {"policy": policy, "weights": fingerprint(folder), "data": data, "seed": seed}
    write_json(json_file, {**about, "width": activations.width, **result.report})
    if save or out is not None:
        saved = save_findings(folder, result.findings, activations.layers, folder=out)
        say(f"saved   {saved}")


@contextmanager
def _kept(cache: Path | None) -> "Iterator[Path]":
    """Give a folder for the activations: the one asked for, or one that is gone afterwards."""
    if cache is not None:
        yield cache
        return
    with tempfile.TemporaryDirectory(prefix="bcannot-probe-") as scratch:
        yield Path(scratch)


def _recorded(
    folder: Path, asked: tuple[list[Path], int | None, int], where: Path, device: str
) -> "Activations":
    from bcannot_core.episodes.dataset import open_dataset
    from bcannot_core.policy.policy import Policy
    from bcannot_core.probes.activations import chosen_episodes, record_activations
    from bcannot_core.probes.directions import fingerprint
    from bcannot_core.probes.reading import open_reader

    data, most, seed = asked
    chosen = chosen_episodes(open_dataset(*data), most, seed)
    reader = open_reader(Policy.load(folder, device=device))
    with progress("replaying", len(chosen)) as advance:
        return record_activations(
            reader, chosen, where, policy=fingerprint(folder), advance=advance
        )


def _show(result: "StudyResult") -> None:
    report = result.report
    rows = [
        (name, *_line(part, "auc"), report[name]["layer"], _mean(report[name]))
        for name in _ASKED
        if name in report
        for part in [report[name]["pooled"]]
    ]
    table(("AUC", "pooled", "95 %", "steps", "layer", "task left out"), rows)
    say()
    rows = [
        (name, *_line(part, "accuracy"), report[name]["layer"], figure(part["majority"]))
        for name in _NAMED
        if name in report
        for part in [report[name]["pooled"]]
        if part is not None
    ]
    table(("accuracy", "pooled", "95 %", "steps", "layer", "commonest"), rows)
    left_out: dict[str, Any] = report.get("mistake", {}).get("leave_one_task_out", {})
    if left_out:
        say()
        own = report["mistake"]["per_task"]
        table(
            ("mistake, AUC", "task alone", "task left out"),
            [
                (task, figure((own[task] or {}).get("auc")), figure(found["auc"]))
                for task, found in left_out.items()
            ],
        )


def _line(part: dict[str, Any], key: str) -> tuple[str, str, int]:
    low, high = part["interval_95"] or (None, None)
    return figure(part[key]), f"{figure(low)}–{figure(high)}", part["steps"]


def _mean(report: dict[str, Any]) -> str:
    return figure(report.get("leave_one_task_out_mean", ""))
