"""Figures as PNG data URIs."""

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bcannot_core.evaluation.report.curves import Curve

_LEAST = 1e-4
_MANY = 10


def data_uri(content: bytes, kind: str) -> str:
    """Return content as a data URI of a kind, such as ``"image/png"``."""
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")


def draw_curves(curves: Mapping[str, Curve], label: str = "loss") -> str:
    """Draw losses over updates, on a logarithmic axis where none is below zero."""
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    colours = colormaps["tab10" if len(curves) <= _MANY else "tab20"]
    logarithmic = all((curve.losses >= 0).all() for curve in curves.values())
    for i, (name, curve) in enumerate(curves.items()):
        losses = np.maximum(curve.losses, _LEAST) if logarithmic else curve.losses
        axes.plot(curve.updates, losses, label=_shown(name), color=colours(i % 20), linewidth=1.3)
    axes.set(xlabel="update", ylabel=label, yscale="log" if logarithmic else "linear")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", ncols=2)
    return _png(figure)


def draw_scaling(
    sizes: Sequence[float], named: Mapping[str, Sequence[float | None]], label: str
) -> str:
    """Draw figures over the number of parameters, a line for each name; None leaves a gap."""
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    order = np.argsort(sizes)
    for name, values in named.items():
        points = [(sizes[i], values[i]) for i in order if values[i] is not None]
        axes.plot(*zip(*points, strict=True), "o-", label=_shown(name))
    axes.set(xlabel="parameters", ylabel=label, xscale="log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return _png(figure)


def _shown(name: str) -> str:
    """Return a name as matplotlib shows it: no mathematics, not hidden."""
    return name.replace("$", r"\$").lstrip("_") or "?"


def _png(figure: Figure) -> str:
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, metadata={"Software": ""})
    return data_uri(stream.getvalue(), "image/png")
