"""Statistics of features as LeRobotDataset v3 has them: of each episode, and of all."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
_MOST_FRAMES = 20
_EVERY_PIXEL = 4
_LEVELS = 256

Stats = dict[str, Any]


def of_column(values: NDArray[Any]) -> Stats:
    """Return the statistics of a feature over an episode's rows, lists of a value per dimension."""
    table = values.astype(np.float64).reshape(len(values), -1)
    figures = {
        "min": table.min(0),
        "max": table.max(0),
        "mean": table.mean(0),
        "std": table.std(0),
        **{name: np.quantile(table, q, axis=0) for name, q in QUANTILES.items()},
    }
    return {**{name: of.tolist() for name, of in figures.items()}, "count": [len(table)]}


class FrameStats:
    """Statistics of an episode's frames, from a few of them and every fourth pixel.

    Parameters
    ----------
    frames : int
        How many there will be.
    """

    def __init__(self, frames: int) -> None:
        chosen = np.linspace(0, frames - 1, min(frames, _MOST_FRAMES)).astype(int)
        self._chosen = frozenset(chosen.tolist())
        self._levels = np.zeros((3, _LEVELS), dtype=np.int64)
        self._seen = 0

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Take a frame (h, w, 3) into account, the next in order."""
        if self._seen in self._chosen:
            small = frame[::_EVERY_PIXEL, ::_EVERY_PIXEL]
            for channel in range(3):
                self._levels[channel] += np.bincount(small[..., channel].ravel(), minlength=_LEVELS)
        self._seen += 1

    def result(self) -> Stats:
        """Return the statistics of each channel, of values from 0 to 1, shaped (3, 1, 1)."""
        level = np.arange(_LEVELS) / (_LEVELS - 1)
        count = self._levels.sum(1, keepdims=True)
        share = self._levels / count
        mean = share @ level
        spread = np.sqrt(np.maximum(share @ level**2 - mean**2, 0))
        below = np.cumsum(share, axis=1)
        figures = {
            "min": level[np.argmax(self._levels > 0, axis=1)],
            "max": level[_LEVELS - 1 - np.argmax(self._levels[:, ::-1] > 0, axis=1)],
            "mean": mean,
            "std": spread,
            **{
                name: level[np.minimum((below < q).sum(1), _LEVELS - 1)]
                for name, q in QUANTILES.items()
            },
        }
        shaped = {name: of.reshape(3, 1, 1).tolist() for name, of in figures.items()}
        return {**shaped, "count": [len(self._chosen)]}


def add_up(episodes: Sequence[Mapping[str, Stats]]) -> dict[str, Stats]:
    """Return the statistics of all episodes together; quantiles are means over the episodes."""
    return {name: _add_up([episode[name] for episode in episodes]) for name in episodes[0]}


def _add_up(parts: Sequence[Stats]) -> Stats:
    counts = np.array([part["count"][0] for part in parts], dtype=np.float64)
    share = counts / counts.sum()
    means = np.array([part["mean"] for part in parts])
    spreads = np.array([part["std"] for part in parts])
    mean = np.tensordot(share, means, 1)
    variance = np.tensordot(share, spreads**2 + (means - mean) ** 2, 1)
    figures = {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
        **{
            name: np.tensordot(share, np.array([part[name] for part in parts]), 1)
            for name in QUANTILES
        },
    }
    return {**{name: of.tolist() for name, of in figures.items()}, "count": [int(counts.sum())]}
