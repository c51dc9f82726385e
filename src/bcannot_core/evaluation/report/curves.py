"""Learning curves from a run's log, and when each action was learnt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 60
_NO_LOSS = {"update", "time", "gradient", "stage", "rate", "seconds"}
_LAST = 0.1
_GAIN = 0.9


@dataclass(frozen=True)
class Curve:
    """A loss over the updates, averaged in bins.

    Attributes
    ----------
    updates, losses : float64 (n,)
        Middles of the bins, and the means in them.
    """

    updates: NDArray[np.float64]
    losses: NDArray[np.float64]


@dataclass(frozen=True)
class Emergence:
    """When something was learnt.

    Attributes
    ----------
    name : str
        The action.
    first, last : float
        Loss in the first bin, and over the last tenth.
    half : float or None
        Update at which the loss is first half of what it was at first; None for never.
    most : float or None
        Update at which nine tenths of what is gained in the end are gained.
    """

    name: str
    first: float
    last: float
    half: float | None
    most: float | None


def groups_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Curve]]:
    """Return the curves of a stage by group: the losses of the whole, and groups as ``by_action``.

    Parameters
    ----------
    entries : sequence of mapping
        A log's entries, each with ``update``.
    """
    series: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for entry in entries:
        update = float(entry["update"])
        for name, value in entry.items():
            if isinstance(value, Mapping):
                for key, loss in value.items():
                    _append(series, name, str(key), update, loss)
            elif name not in _NO_LOSS:
                _append(series, "losses", name, update, value)
    last = max((float(entry["update"]) for entry in entries), default=0.0)
    return {
        group: {name: _binned(points, last) for name, points in sorted(named.items())}
        for group, named in series.items()
    }


def emergence(curves: Mapping[str, Curve]) -> list[Emergence]:
    """Return when each of the curves fell, in the order in which they did."""
    found = [_emergence(name, curve) for name, curve in curves.items()]
    never = float("inf")
    return sorted(found, key=lambda e: (e.half if e.half is not None else never, e.name))


def _append(
    series: dict[str, dict[str, list[tuple[float, float]]]],
    group: str,
    name: str,
    update: float,
    value: Any,
) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and np.isfinite(value):
        series.setdefault(group, {}).setdefault(name, []).append((update, float(value)))


def _binned(points: list[tuple[float, float]], last: float) -> Curve:
    width = max(1.0, (last + 1) / BINS)
    bins: dict[int, list[float]] = {}
    for update, loss in points:
        bins.setdefault(int(update // width), []).append(loss)
    numbers = sorted(bins)
    middles = np.array([(number + 0.5) * width - 0.5 for number in numbers])
    return Curve(middles, np.array([float(np.mean(bins[number])) for number in numbers]))


def _emergence(name: str, curve: Curve) -> Emergence:
    losses = curve.losses
    tail = max(1, round(_LAST * len(losses)))
    first, last = float(losses[0]), float(losses[-tail:].mean())
    gained = losses <= first - _GAIN * (first - last)
    return Emergence(
        name,
        first,
        last,
        _first_update(curve, losses <= first / 2),
        _first_update(curve, gained) if last < first else None,
    )


def _first_update(curve: Curve, reached: NDArray[np.bool_]) -> float | None:
    return float(curve.updates[int(reached.argmax())]) if reached.any() else None
