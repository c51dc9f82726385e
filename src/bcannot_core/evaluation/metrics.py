"""From the scores of episodes to one result: means, intervals, and the keys that others rely on."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bcannot_core.evaluation.intervals import mean_interval, ratio_interval
from bcannot_core.evaluation.judged import EpisodeResult

PIXELS = (1, 2, 5, 10)
_DIGITS = 4
_OWN = {"done", "undos", "placements"}  # counted here, the same way for every task
_NUMBERED = re.compile(r"_\d+_")
_SAME: Mapping[str, tuple[str, ...]] = {
    "precision": ("node_precision",),
    "recall": ("node_recall", "pck_5px", "within_5px"),
    "f1": ("node_f1",),
    "rmse_px": ("node_rmse_px", "error_px", "landmark_error_px"),
}
"""What stands for the figures of points where a task calls its own otherwise."""


def point_figures(score: Mapping[str, Any]) -> dict[str, float]:
    """Return ``precision``, ``recall``, ``f1`` and ``rmse_px`` of a task's score, as it has them.

    A task without them may have the same under other names: those of nodes for a graph; for
    keypoints and landmarks the share of all that are within 5 px (recall), that share of those
    placed (precision), and their mean distance in place of the root of the mean square.
    """
    found: dict[str, float] = {}
    for name, others in _SAME.items():
        known = next((key for key in (name, *others) if key in score), None)
        if known is not None:
            found[name] = float(score[known])
    if "precision" not in found and "recall" in found and "completion" in score:
        completion, recall = float(score["completion"]), found["recall"]
        found["precision"] = recall / completion if completion else 0.0
    if "f1" not in found and {"precision", "recall"} <= found.keys():
        total = found["precision"] + found["recall"]
        found["f1"] = 2 * found["precision"] * found["recall"] / total if total else 0.0
    return found


def score_figures(score: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a task's score, and those of points; ``success`` as 0 or 1."""
    own = {
        "success_rate" if name == "success" else name: float(value)
        for name, value in score.items()
        if isinstance(value, (bool, int, float, np.number))
        and name not in _OWN
        and not _NUMBERED.search(name)
    }
    return own | point_figures(score)


def summarise(results: Sequence[EpisodeResult], seed: int = 0) -> dict[str, Any]:
    """Return means over episodes, with bootstrapped 95 % intervals under ``intervals_95``.

    Parameters
    ----------
    results : sequence of EpisodeResult
        At least one.
    seed : int
        Of the bootstrap.
    """
    rows = [score_figures(result.score) for result in results]
    names = [name for name in rows[0] if all(name in row for row in rows)]
    values = {name: [row[name] for row in rows] for name in names}
    values["done_rate"] = [float(result.done) for result in results]
    values["stuck_rate"] = [float(result.stuck) for result in results]
    values["steps_mean"] = [float(result.steps) for result in results]
    values["undos"] = [float(result.undos) for result in results]
    report: dict[str, Any] = {"episodes": len(results)}
    report |= {name: round(float(np.mean(one)), _DIGITS) for name, one in values.items()}
    intervals = {name: mean_interval(one, seed) for name, one in values.items()}
    report |= _mistakes(results, intervals, seed)
    report |= _distances(results)
    report["actions"] = dict(sorted(sum((Counter(r.actions) for r in results), Counter()).items()))
    report["intervals_95"] = intervals
    return report


def _mistakes(
    results: Sequence[EpisodeResult], intervals: dict[str, list[float]], seed: int
) -> dict[str, Any]:
    """Return the shares of mistakes; None where no placement could be judged."""
    wrong = [float(result.mistakes) for result in results]
    judged = [float(result.judged) for result in results]
    mended = [float(result.mended) for result in results]
    if sum(judged):
        intervals["mistakes"] = ratio_interval(wrong, judged, seed)
    return {
        "mistakes": _share(sum(wrong), sum(judged)),
        "mistakes_mended": _share(sum(mended), sum(wrong)),
        "placements": sum(result.placements for result in results),
        "placements_judged": int(sum(judged)),
    }


def _distances(results: Sequence[EpisodeResult]) -> dict[str, float | None]:
    distances = np.array([d for result in results for d in result.distances])
    return {
        f"placement_at_{pixels}px": _share(float((distances <= pixels).sum()), distances.size)
        for pixels in PIXELS
    }


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, _DIGITS) if whole else None
