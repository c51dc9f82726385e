"""Figures of a dataset's statistics, as PNG files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bcannot_core.errors import DatasetError

_WIDTH_IN = 8.0
_MOST_ACTIONS = 12
_OTHERS = "others"
_FAULTS = {
    "mistakes": "wrong placements",
    "error_then_undo": "wrong, then Undo",
    "error_then_replaced": "wrong, then replaced",
    "correction_rate": "Undo / (Undo + placements)",
}


def write_figures(statistics: Mapping[str, Any], folder: str | os.PathLike[str]) -> list[Path]:
    """Draw statistics: ``lengths.png``, ``actions.png`` and ``corrections.png``.

    Parameters
    ----------
    statistics : mapping
        Of :func:`~bcannot_core.episodes.statistics.dataset_statistics`.
    folder : path
        Made if it does not exist.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    DatasetError
        A file cannot be written.
    """
    folder = Path(folder)
    tasks: Mapping[str, Mapping[str, Any]] = statistics["tasks"]
    drawn = {"lengths": _lengths(tasks), "actions": _actions(tasks), "corrections": _faults(tasks)}
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in drawn.items():
            path = folder / f"{name}.png"
            FigureCanvasAgg(figure)
            figure.savefig(path, dpi=110)
            written.append(path)
    except OSError as error:
        raise DatasetError(f"cannot write figures to {folder}: {error.strerror}") from error
    return written


def _figure(rows: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(_WIDTH_IN, 1.6 + 0.5 * rows), layout="constrained")
    return figure, figure.add_subplot()


def _lengths(tasks: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw how long episodes are: a box for each task, on a logarithmic axis."""
    figure, axes = _figure(len(tasks))
    names = list(tasks)[::-1]
    axes.boxplot(
        [tasks[name]["lengths"] for name in names],
        orientation="horizontal",
        whis=(5, 95),
        widths=0.6,
        flierprops={"markersize": 2},
        tick_labels=[f"{name} ({tasks[name]['episodes']})" for name in names],
    )
    means = [tasks[name]["steps_mean"] for name in names]
    axes.plot(means, np.arange(1, len(names) + 1), "D", color="tab:red", markersize=4, label="mean")
    axes.set_xscale("log")
    axes.set_xlabel("clicks in an episode")
    axes.set_title("Lengths of episodes (whiskers: 5 and 95 %)")
    axes.legend(loc="best")
    return figure


def _actions(tasks: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the shares of the actions, one bar for each task."""
    figure, axes = _figure(len(tasks))
    total: dict[str, float] = {}
    for of in tasks.values():
        for action, share in of["actions"].items():
            total[action] = total.get(action, 0.0) + share
    shown = sorted(total, key=lambda action: -total[action])[:_MOST_ACTIONS]
    names = list(tasks)[::-1]
    left = np.zeros(len(names))
    for i, action in enumerate([*shown, _OTHERS]):
        if action == _OTHERS:
            shares = 1 - left
        else:
            shares = np.array([tasks[name]["actions"].get(action, 0.0) for name in names])
        if shares.max() > 1e-9:
            colour = f"C{i}" if i < 10 else str(0.25 + 0.2 * (i - 10))
            axes.barh(names, 100 * shares, left=100 * left, color=colour, label=action)
        left = left + shares
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of clicks, %")
    axes.set_title("Actions")
    figure.legend(loc="outside lower center", ncols=5, fontsize="small")
    return figure


def _faults(tasks: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw how often placements are wrong and taken back."""
    figure, axes = _figure(1.4 * len(tasks) if len(tasks) > 1 else 2)
    names = list(tasks)[::-1]
    places = np.arange(len(names))
    height = 0.8 / len(_FAULTS)
    for i, (key, label) in enumerate(_FAULTS.items()):
        shares = [100 * tasks[name][key] for name in names]
        axes.barh(
            places + ((len(_FAULTS) - 1) / 2 - i) * height, shares, height=height, label=label
        )
    axes.set_yticks(places, names)
    axes.set_xlabel("%")
    axes.set_title("Mistakes and corrections")
    figure.legend(loc="outside lower center", ncols=len(_FAULTS), fontsize="small")
    return figure
