"""``bcannot report``: one page on training runs."""

from pathlib import Path
from typing import Annotated

import typer

from bcannot_core.cli.common import progress, say
from bcannot_core.errors import DatasetError, UsageError

NAME = "report"
EXAMPLE = "bcannot report runs/small runs/base --out report.html"
_HTML, _MARKDOWN = (".html", ".htm"), (".md", ".markdown")


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, with results of bcannot eval --json in them."),
    ],
    out: Annotated[Path, typer.Option(help="The page to write: .html or .md.")],
    title: Annotated[str, typer.Option(help="Its title.")] = "",
    animations: Annotated[
        bool, typer.Option(help="Show a success and a failure of each task that was recorded.")
    ] = True,
    heatmaps: Annotated[
        int, typer.Option(min=0, help="Frames of each task with the policy's map; 0 for none.")
    ] = 4,
    device: Annotated[str, typer.Option(help="For the maps: auto, cpu or cuda.")] = "auto",
) -> None:
    """Put runs on one page: recipes, learning curves, evaluations, pictures.

    The page is one file that loads nothing. Evaluations stand beside the published figures; several
    runs are compared by size.
    """
    from bcannot_core.evaluation.report import ReportOptions, build_report

    if out.suffix.lower() not in (*_HTML, *_MARKDOWN):
        raise UsageError(f"cannot write {out}: choose a name ending in .html or .md")
    with progress("reading", len(runs)) as advance:
        page = build_report(
            runs, ReportOptions(title, animations, heatmaps, device), progress=advance
        )
    text = page.to_html() if out.suffix.lower() in _HTML else page.to_markdown()
    partial = out.with_name(f".{out.name}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(out)
    except OSError as error:
        raise DatasetError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    say(f"{out}: {len(text.encode()) / 2**20:.1f} MB")
