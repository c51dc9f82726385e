"""Bootstrapped intervals of means and shares over episodes."""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2_000
_DIGITS = 4


def mean_interval(values: Sequence[float], seed: int = 0) -> list[float]:
    """Return the 95 % interval of a mean: episodes drawn with replacement (percentiles).

    Parameters
    ----------
    values : sequence of float
        One for each episode, at least one.
    seed : int
        Of the draws.
    """
    return ratio_interval(values, [1.0] * len(values), seed)


def ratio_interval(parts: Sequence[float], wholes: Sequence[float], seed: int = 0) -> list[float]:
    """Return the 95 % interval of sum(parts) / sum(wholes), whole episodes drawn.

    Draws in which the wholes sum to nothing are left out; where all do, the interval is 0 to 1.
    """
    top, below = np.asarray(parts, dtype=np.float64), np.asarray(wholes, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(len(top), size=(RESAMPLES, len(top)))
    sums = below[drawn].sum(axis=1)
    known = sums > 0
    if not known.any():
        return [0.0, 1.0]
    ratios = top[drawn].sum(axis=1)[known] / sums[known]
    return [round(float(q), _DIGITS) for q in np.quantile(ratios, (0.025, 0.975))]
