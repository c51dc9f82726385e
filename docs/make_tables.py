"""Write what the pages say of datasets from a measured one: tables, a sentence and figures.

Run from the repository's root, on a dataset of all tasks:

    bcannot generate all --mixed --episodes 10000 --variant seen --seed 5 --out data
    python docs/make_tables.py data

``docs/tasks/measured.json`` keeps the figures that the pages are written from.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bcannot_core.episodes.figures import write_figures
from bcannot_core.episodes.statistics import dataset_statistics

DOCS = Path(__file__).parent
INDEX, DATASETS = DOCS / "tasks" / "index.md", DOCS / "datasets.md"
MEASURED, IMAGES = DOCS / "tasks" / "measured.json", DOCS / "images"
KEPT = ("episodes", "steps_mean", "steps_p5", "steps_p95", "error_then_mended", "success_rate")
ROW = re.compile(r"^\| (\[(\w+)\]\(\w+\.md\)) \| (.*?) \|.*$", re.MULTILINE)
SENTENCE = re.compile(r"^Of [\d,]+ episodes \((`[^`]+`);[^)]*\):$", re.MULTILINE)


def main() -> None:
    """Measure a dataset and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", nargs="+", type=Path, help="folders of one dataset")
    found = dataset_statistics(*parser.parse_args().dataset)
    figures = measured(found)
    MEASURED.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for path in write_figures(found, folder):
            (IMAGES / f"dataset-{path.name}").write_bytes(path.read_bytes())
    for page, written in ((INDEX, with_rows), (DATASETS, with_sentence)):
        page.write_text(written(page.read_text(encoding="utf-8"), figures), encoding="utf-8")
    sys.stdout.write(f"{figures['episodes']} episodes, {figures['clicks']} clicks\n")


def measured(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a dataset's statistics that the pages show."""
    tasks = {
        task: {name: round(of[name], 4) for name in KEPT if name in of}
        for task, of in statistics["tasks"].items()
    }
    whole = {name: statistics[name] for name in ("episodes", "clicks")}
    return {**whole, "bytes_per_click": round(statistics["bytes_per_click"], 3), "tasks": tasks}


def with_rows(page: str, figures: Mapping[str, Any]) -> str:
    """Return a page whose rows of tasks end with the measured clicks: mean, 5 and 95 %."""

    def row(found: re.Match[str]) -> str:
        of = figures["tasks"].get(found[2])
        if of is None:
            return found[0]
        span = f"{of['steps_p5']:.0f}–{of['steps_p95']:.0f}"
        return f"| {found[1]} | {found[3]} | {of['steps_mean']:.0f} | {span} |"

    return ROW.sub(row, page)


def with_sentence(page: str, figures: Mapping[str, Any]) -> str:
    """Return a page whose sentence on the dataset has the measured figures."""
    tasks = figures["tasks"].values()
    good = sum(of["episodes"] * of.get("success_rate", 0.0) for of in tasks)
    share = good / figures["episodes"]
    success = "every episode a success" if share >= 1 else f"{100 * share:.2f} % of them successes"
    clicks = f"{figures['clicks'] / 1e6:.2f} million clicks, {figures['bytes_per_click']:.1f}"
    of_all = f"Of {figures['episodes']:,} episodes"
    return SENTENCE.sub(
        lambda found: f"{of_all} ({found[1]}; {clicks} bytes each, {success}):", page
    )


if __name__ == "__main__":
    main()
