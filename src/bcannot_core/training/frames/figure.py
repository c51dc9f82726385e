"""A figure of a run's losses, by action and by task, over its updates."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_POINTS = 150

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def read_losses(log: Path, stage: str) -> list[dict[str, Any]]:
    """Return the entries of a stage in a run's log, in order."""
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [entry for entry in entries if entry.get("stage") == stage]


def curves(entries: Sequence[Mapping[str, Any]], group: str) -> dict[str, Curve]:
    """Return a smoothed curve (updates, losses) for each name in a group, e.g. ``"by_action"``.

    Updates are put together in at most 150 bins; a bin without a name's step has no point.
    """
    width = max(1, -(-len(entries) // _POINTS))
    sums: dict[str, dict[int, list[float]]] = {}
    for i, entry in enumerate(entries):
        for name, loss in entry.get(group, {}).items():
            sums.setdefault(name, {}).setdefault(i // width, []).append(float(loss))
    first = int(entries[0]["update"]) if entries else 0
    return {
        name: (
            np.array([first + (b + 0.5) * width - 0.5 for b in bins]),
            np.array([np.mean(losses) for losses in bins.values()]),
        )
        for name, bins in sorted(sums.items())
    }


def draw_losses(log: Path, out: Path, stage: str) -> bool:
    """Draw the losses of a run next to its policy; False where there is nothing to draw.

    Parameters
    ----------
    log : Path
        ``log.jsonl`` of a run.
    out : Path
        The picture, replaced in one go.
    stage : str
        Which entries of the log.
    """
    from matplotlib.figure import Figure

    entries = read_losses(log, stage)
    if not entries:
        return False
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, group in zip(figure.subplots(1, 2), ("by_action", "by_task"), strict=True):
        for name, (updates, losses) in curves(entries, group).items():
            axes.plot(updates, np.maximum(losses, 1e-4), label=name, linewidth=1)
        axes.set(xlabel="update", ylabel="loss", yscale="log", title=group.replace("_", " "))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", ncols=2)
    scratch = out.with_name(f".{out.name}")
    figure.savefig(scratch, format="png", dpi=110)
    scratch.replace(out)
    return True
