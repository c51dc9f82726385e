"""Published figures to compare with, from ``reference.json``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class ReferenceFigure:
    """One published figure.

    Attributes
    ----------
    task : str
        Task id; ``"*"`` for one over all tasks.
    mode : str
        ``"closed-loop"`` or ``"teacher-forced"``.
    key : str
        As in a result of ``bcannot eval``.
    value : float
        The figure.
    note : str
        Of which model, or on which data.
    """

    task: str
    mode: str
    key: str
    value: float
    note: str


@cache
def _read() -> tuple[str, tuple[ReferenceFigure, ...]]:
    text = files("bcannot_core.evaluation").joinpath("reference.json").read_text("utf-8")
    body = json.loads(text)
    return body["source"], tuple(ReferenceFigure(**figure) for figure in body["figures"])


def reference_source() -> str:
    """Return where the figures were published."""
    return _read()[0]


def reference_figures(task: str, mode: str) -> Sequence[ReferenceFigure]:
    """Return what was published on a task in a mode; figures over all tasks are not among them."""
    return [figure for figure in _read()[1] if (figure.task, figure.mode) == (task, mode)]


def overall_figures() -> Sequence[ReferenceFigure]:
    """Return what was published over all tasks."""
    return [figure for figure in _read()[1] if figure.task == "*"]
