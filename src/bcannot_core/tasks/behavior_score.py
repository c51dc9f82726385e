"""Scores of behavioural tracking: whose marks they are, and how near."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bcannot_core.tasks.scoring import f1_score

RADIUS_PX = 5.0
_ENDS = ("front", "back")


def marks_array(marks: tuple[Any, ...]) -> NDArray[np.float64]:
    """Return marks as float64 (frames, numbers, 2, 2), (x, y), NaN where there is none."""
    nowhere = (np.nan, np.nan)
    return np.array(
        [[[nowhere if p is None else p for p in ends] for ends in frame] for frame in marks],
        dtype=np.float64,
    )


def owners(placed: NDArray[np.float64], truth: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return which animal each number stands for: the pairing that explains most marks.

    Parameters
    ----------
    placed : float64 (frames, numbers, 2, 2)
        Marks, NaN where there is none.
    truth : float (frames, animals, 2, 2)
        Fronts and backs.

    Returns
    -------
    int64 (numbers,)
        Numbers and animals are paired by the Hungarian method: most marks within 5 px first, then
        the least distance; a number without marks takes what is left, in order.
    """
    gaps = np.sqrt(((placed[:, :, None] - truth[:, None]) ** 2).sum(axis=-1))
    hits = (gaps <= RADIUS_PX).sum(axis=(0, 3))
    far = np.where(np.isnan(gaps), 0.0, np.minimum(gaps, 300.0)).sum(axis=(0, 3))
    count = placed.shape[1]
    order = np.abs(np.arange(count)[:, None] - np.arange(truth.shape[1])) * 1e-6
    _, found = linear_sum_assignment(far - 1e6 * hits + order)
    return np.asarray(found, dtype=np.int64)


def identity_switches(placed: NDArray[np.float64], truth: NDArray[np.floating]) -> int:
    """Return how often a number goes from one animal to another between its marked frames.

    In a frame a number is on the animal whose body, front and back, is nearest to its marks.
    """
    gaps = np.sqrt(((placed[:, :, None] - truth[:, None]) ** 2).sum(axis=-1))
    known = ~np.isnan(gaps)
    mean = np.where(known, gaps, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    nearest, marked = mean.argmin(axis=-1), known.any(axis=(2, 3))
    switches = 0
    for number in range(placed.shape[1]):
        on = nearest[marked[:, number], number]
        switches += int((on[1:] != on[:-1]).sum())
    return switches


def score_marks(marks: tuple[Any, ...], truth: NDArray[np.floating]) -> dict[str, Any]:
    """Return the metrics of marks.

    Numbers are paired with animals over the whole video (:func:`owners`); a mark is right within
    5 px of the same end of its animal in its frame. There are ``precision``, ``recall``, ``f1`` and
    ``rmse_px`` of right marks; ``completion``; ``front_error_px`` and ``back_error_px``, mean
    distances of all marks (5 where there are none), also for each animal
    (``animal_1_front_error_px`` and so on, animals from left to right in the first frame);
    ``swapped_ends``, marks that lie within 5 px of the other end; ``identity_switches``.
    """
    placed = marks_array(marks)
    numbers = owners(placed, truth)
    own = np.asarray(truth, dtype=np.float64)[:, numbers]
    errors = np.sqrt(((placed - own) ** 2).sum(axis=-1))
    there = ~np.isnan(errors)
    right = there & (errors <= RADIUS_PX)
    turned = np.sqrt(((placed - own[:, :, ::-1]) ** 2).sum(axis=-1)) <= RADIUS_PX
    hits, claimed, wanted = int(right.sum()), int(there.sum()), int(there.size)
    precision, recall, f1 = f1_score(hits, claimed, wanted)
    metrics: dict[str, Any] = {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "rmse_px": float(np.sqrt((errors[right] ** 2).mean())) if hits else RADIUS_PX,
        "completion": claimed / wanted,
        "placed": claimed,
        "marks": wanted,
        "swapped_ends": int((turned & ~right).sum()),
        "identity_switches": identity_switches(placed, truth),
    }
    for e, end in enumerate(_ENDS):
        metrics[f"{end}_error_px"] = _mean(errors[:, :, e])
    for animal, number in enumerate(np.argsort(numbers)):
        for e, end in enumerate(_ENDS):
            metrics[f"animal_{animal + 1}_{end}_error_px"] = _mean(errors[:, number, e])
    return metrics


def _mean(errors: NDArray[np.float64]) -> float:
    known = errors[~np.isnan(errors)]
    return float(known.mean()) if len(known) else RADIUS_PX
