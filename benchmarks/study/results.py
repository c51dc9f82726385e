"""The results of a study: what its stages found, as JSON and as a Markdown table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.study.config import Experiment
from benchmarks.study.plan import Stage
from benchmarks.study.record import RECORD, read_json, write_whole

Table = dict[str, dict[str, Any]]


def write_results(experiment: Experiment, stages: Sequence[Stage], out: Path) -> Path:
    """Write ``results.json`` and ``results.md`` of what is there; return the latter."""
    table = collect(stages)
    records = {stage.name: read_json(stage.folder / RECORD) or {} for stage in stages}
    minutes = {name: record.get("minutes", 0.0) for name, record in records.items()}
    done = {name: bool(record.get("done")) for name, record in records.items()}
    result = {
        "experiment": experiment.name,
        "rows": table,
        "reference": dict(experiment.reference),
        "minutes": minutes,
        "done": done,
    }
    write_whole(out / "results.json", result)
    lines = [f"# {experiment.name}", "", experiment.about, "", *_markdown(table, experiment), ""]
    missing = [name for name, whole in done.items() if not whole]
    lines += [f"{sum(minutes.values()):.1f} minutes in all."]
    if missing:
        lines += ["", f"Not done yet: {', '.join(missing)}."]
    path = out / "results.md"
    aside = path.with_name(f".{path.name}")
    aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    aside.replace(path)
    return path


def collect(stages: Sequence[Stage]) -> Table:
    """Return the rows of the table: values by column, None where a file lacks one."""
    table: Table = {}
    for stage in stages:
        for row in stage.rows:
            found = read_json(stage.folder / row.file)
            if found is not None:
                values = {column: looked_up(found, path) for column, path in row.columns.items()}
                table.setdefault(row.name, {}).update(values)
    return table


def looked_up(values: Mapping[str, Any], paths: str) -> Any:
    """Return the value at the first of several paths (``a.b|c``) that leads to one."""
    for path in paths.split("|"):
        found: Any = values
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is not None:
            return found
    return None


def _markdown(table: Table, experiment: Experiment) -> list[str]:
    rows = {**table, **{name: dict(of) for name, of in experiment.reference.items()}}
    columns = list(dict.fromkeys(column for of in rows.values() for column in of))
    if not columns:
        return ["Nothing was measured yet."]
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, of in rows.items():
        lines.append(f"| {name} | " + " | ".join(_cell(of.get(c)) for c in columns) + " |")
    return lines


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) and abs(value) < 100 else str(value)
