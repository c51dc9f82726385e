"""``bcannot demo``: the main job on bundled data."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bcannot_core.cli.common import SeedOption, figure, progress, say, table, write_json

NAME = "demo"
EXAMPLE = "bcannot demo --out demo --no-viewer"
SHOWN = {
    "skeleton_accuracy": "accuracy",
    "coverage": "coverage",
    "nodes": "nodes",
    "path_sections": "sections",
    "stopped": "stopped",
}


def command(
    out: Annotated[Path, typer.Option(help="The folder for the results.")] = Path("bcannot-demo"),
    viewer: Annotated[
        bool, typer.Option("--viewer/--no-viewer", help="Open napari where there is a display.")
    ] = True,
    policy: Annotated[str, typer.Option(help="The policy, a name or a folder.")] = "default",
    neurites: Annotated[int, typer.Option(min=1, help="How many to trace.")] = 6,
    sections: Annotated[int, typer.Option(min=2, help="Sections of a trace.")] = 50,
    seed: SeedOption = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the summary here, too.")
    ] = None,
) -> None:
    """Trace neurites in the bundled volume.

    Scores the traces against the ground truth and writes SWC files, a picture (montage.png), the
    sessions as a dataset and a summary (summary.json); then opens napari where there is a display.
    """
    from bcannot_core.evaluation.demo import DemoOptions, run_demo
    from bcannot_core.policy.policy import Policy

    acting = Policy.load(policy, device=device)
    with progress("tracing", neurites) as advance:
        summary = run_demo(acting, out, DemoOptions(neurites, sections, seed), advance)
    summary |= {"policy": policy, "seed": seed}
    write_json(out / "summary.json", summary)
    write_json(json_file, summary)
    _show(summary, out)
    if viewer and can_show():
        open_viewer(out)


def _show(summary: dict[str, Any], out: Path) -> None:
    rows = [(one["label"], *(figure(one[name]) for name in SHOWN)) for one in summary["neurites"]]
    table(("neurite", *SHOWN.values()), rows)
    means = ("skeleton_accuracy", "coverage", "done_rate")
    say("mean      " + ", ".join(f"{name} {figure(summary[name])}" for name in means))
    say(f"written   {out}: {', '.join([*summary['files'], 'summary.json'])}")


def can_show() -> bool:
    """Whether napari is installed and there is a display."""
    if importlib.util.find_spec("napari") is None:
        return False
    on_x11_or_wayland = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return on_x11_or_wayland or sys.platform in ("darwin", "win32")


def open_viewer(out: Path) -> None:
    """Start napari, in a process of its own, with the sample volume and the traces."""
    from bcannot_core.evaluation.sample import sample_path

    plugin = "napari-bcannot"
    paths = [str(sample_path()), str(out / "sessions")]
    command = [sys.executable, "-m", "napari", *paths, "--plugin", plugin, "-w", plugin]
    log = out / "napari.log"
    with log.open("wb") as file:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    say(f"napari is opening (messages in {log})")
