"""Losses of an update, summed by action and by task, over batches and processes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from bcannot_core.training.frames.cutting import Row

Plain = tuple[float, float, dict[str, tuple[float, int]], dict[str, tuple[float, int]]]


@dataclass
class Tally:
    """Sums of losses.

    Attributes
    ----------
    loss, weight : float
        Sum of weighted losses, and of the weights.
    by_action, by_task : dict
        Sum of plain losses and number of steps.
    """

    loss: float = 0.0
    weight: float = 0.0
    by_action: dict[str, tuple[float, int]] = field(default_factory=dict)
    by_task: dict[str, tuple[float, int]] = field(default_factory=dict)

    def add(self, losses: Tensor, weights: Tensor, rows: Iterable[Row]) -> None:
        """Add a batch's losses and weights (windows, steps)."""
        both = torch.stack((losses.float(), weights.float())).cpu()
        self.loss += float((both[0] * both[1]).sum())
        self.weight += float(both[1].sum())
        for row, lost, weigh in zip(rows, *both.tolist(), strict=True):
            for action, value, weight in zip(row.actions, lost, weigh, strict=False):
                if weight > 0:
                    _add(self.by_action, action, value)
                    _add(self.by_task, row.task, value)

    def plain(self) -> Plain:
        """Return plain values, to be sent to other processes."""
        return self.loss, self.weight, self.by_action, self.by_task

    @classmethod
    def of(cls, parts: Iterable[Plain]) -> Self:
        """Return the sum of several processes' tallies."""
        total = cls()
        for loss, weight, by_action, by_task in parts:
            total.loss += loss
            total.weight += weight
            for own, other in ((total.by_action, by_action), (total.by_task, by_task)):
                for name, (value, count) in other.items():
                    _add(own, name, value, count)
        return total

    def entry(self) -> dict[str, Any]:
        """Return the means, as the log has them."""
        return {
            "total": round(self.loss / max(self.weight, 1e-6), 5),
            "by_action": _means(self.by_action),
            "by_task": _means(self.by_task),
        }


def _add(sums: dict[str, tuple[float, int]], name: str, value: float, count: int = 1) -> None:
    before, steps = sums.get(name, (0.0, 0))
    sums[name] = before + value, steps + count


def _means(sums: dict[str, tuple[float, int]]) -> dict[str, float]:
    return {name: round(value / count, 4) for name, (value, count) in sorted(sums.items())}
