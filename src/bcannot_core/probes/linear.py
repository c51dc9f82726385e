"""Linear probes: logistic regression on standardised activations, and how good it is."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError

Rows = NDArray[np.float32]
Truth = NDArray[Any]

RESAMPLES = 200
_UPDATES = 500


@dataclass(frozen=True)
class Direction:
    """A direction in a layer of the stream, and where along it one side ends.

    Attributes
    ----------
    layer : int
        0 is before the first layer.
    weight : float32 (width,)
        In units of the raw stream: the standardisation is part of it.
    bias : float
        ``x @ weight + bias`` are the log odds.
    """

    layer: int
    weight: NDArray[np.float32]
    bias: float

    def logits(self, rows: Rows) -> NDArray[np.float32]:
        """Return the log odds of rows (..., width) of the layer."""
        odds: NDArray[np.float32] = rows.astype(np.float32) @ self.weight + np.float32(self.bias)
        return odds


def fit_direction(rows: Rows, truth: Truth, layer: int = 0, strength: float = 0.03) -> Direction:
    """Fit a probe that tells two classes apart.

    Parameters
    ----------
    rows : float32 (n, width)
        Activations.
    truth : bool (n,)
        The classes; both occur.
    layer : int
        Which layer the rows are of.
    strength : float
        Inverse of the regularisation.

    Raises
    ------
    UsageError
        Only one class occurs, or scikit-learn is not installed.
    """
    if truth.all() or not truth.any():
        raise UsageError("a probe needs steps of both kinds: give more or other episodes")
    mean, scale = _standard(rows)
    fitted = _regression((rows - mean) / scale, truth, strength)
    weight = fitted.coef_[0] / scale
    bias = float(fitted.intercept_[0] - weight @ mean)
    return Direction(layer, weight.astype(np.float32), bias)


def fit_classes(rows: Rows, truth: Truth, strength: float = 0.03) -> Callable[[Rows], Truth]:
    """Fit a probe that tells several classes apart; return what predicts the class of rows."""
    if len(np.unique(truth)) < 2:
        raise UsageError("a probe needs steps of several classes: give more or other episodes")
    mean, scale = _standard(rows)
    fitted = _regression((rows - mean) / scale, truth, strength)

    def predict(new: Rows) -> Truth:
        found: Truth = fitted.predict((new - mean) / scale)
        return found

    return predict


def auc(scores: NDArray[Any], truth: Truth, weights: NDArray[Any] | None = None) -> float | None:
    """Return the area under the ROC curve, ties counted half; None where one class is absent."""
    weights = np.ones(len(truth)) if weights is None else weights
    values, place = np.unique(scores, return_inverse=True)
    yes = np.bincount(place, weights * truth, len(values))
    no = np.bincount(place, weights * ~truth, len(values))
    if not (yes.sum() > 0 and no.sum() > 0):
        return None
    below = np.cumsum(no) - no / 2
    return float((yes * below).sum() / (yes.sum() * no.sum()))


def auc_report(
    scores: NDArray[Any], truth: Truth, episodes: NDArray[Any], seed: int = 0
) -> dict[str, Any]:
    """Return the area under the ROC curve with its interval.

    Parameters
    ----------
    scores, truth : (n,)
        What a probe says, and what is so.
    episodes : int (n,)
        Whose step a row is: the bootstrap draws episodes, not steps.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    dict
        ``auc`` and ``interval_95`` (None where one class is absent), ``steps`` and ``positives``.
    """
    area = auc(scores, truth)
    known = {"steps": len(truth), "positives": int(truth.sum())}
    if area is None:
        return {"auc": None, "interval_95": None, **known}

    def drawn(weights: NDArray[Any]) -> float | None:
        return auc(scores, truth, weights)

    interval = bootstrap(drawn, episodes, seed)
    return {"auc": round(area, 4), "interval_95": interval, **known}


def accuracy_report(
    right: Truth, majority: Truth, episodes: NDArray[Any], seed: int = 0
) -> dict[str, Any]:
    """Return the share of right answers, with its interval, beside that of the commonest class."""

    def drawn(weights: NDArray[Any]) -> float | None:
        return float((weights * right).sum() / weights.sum()) if weights.sum() else None

    return {
        "accuracy": round(float(right.mean()), 4),
        "interval_95": bootstrap(drawn, episodes, seed),
        "majority": round(float(majority.mean()), 4),
        "steps": len(right),
    }


def bootstrap(
    figure: Callable[[NDArray[Any]], float | None], episodes: NDArray[Any], seed: int = 0
) -> list[float]:
    """Return the 95 % interval of a figure of weighted rows, episodes drawn with replacement."""
    names, place = np.unique(episodes, return_inverse=True)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        value = figure(times[place].astype(np.float64))
        if value is not None:
            found.append(value)
    low, high = np.percentile(found, (2.5, 97.5)) if found else (np.nan, np.nan)
    return [round(float(low), 4), round(float(high), 4)]


def _standard(rows: Rows) -> tuple[Rows, Rows]:
    """Return mean and standard deviation of each column; constant columns are left alone."""
    mean = rows.mean(0, dtype=np.float64)
    scale = rows.std(0, dtype=np.float64)
    scale[scale < 1e-6 * max(float(scale.max()), 1e-12)] = 1.0
    return mean.astype(np.float32), scale.astype(np.float32)


def _regression(rows: Rows, truth: Truth, strength: float) -> Any:
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise UsageError("probes need scikit-learn: pip install 'napari-bcannot[all]'") from error
    with warnings.catch_warnings():
        # a probe that is a little short of the optimum is as good
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=_UPDATES).fit(rows, truth)
