"""What is probed for, and which episodes teach, choose and judge."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators import Phase
from bcannot_core.errors import UsageError
from bcannot_core.probes.labels import Labels

Mask = NDArray[np.bool_]

_SHARES = (0.6, 0.8)
_FEWEST = 3


class Target(NamedTuple):
    """One thing that is probed for.

    Attributes
    ----------
    name : str
        Its name.
    rows : bool (n,)
        The steps that it is asked at.
    truth : (n,)
        What is so; bool for yes or no, else the class.
    """

    name: str
    rows: Mask
    truth: NDArray[Any]


def yes_or_no(labels: Labels) -> list[Target]:
    """Return what is asked of the click just made.

    ``mistake``: it was one, whatever it did; ``mistaken_placement``: the same, asked of decisions
    alone, so that what the click did tells nothing; ``correction``: it was part of mending one.
    """
    after = labels["step"] > 0
    decided = after & labels["decided"]
    return [
        Target("mistake", after, labels["mistake"]),
        Target("mistaken_placement", decided, labels["mistake"]),
        Target("correction", after, labels["correction"]),
    ]


def coming_mistake(labels: Labels) -> Target:
    """Return the control: whether the decision that comes next will be a mistake."""
    return Target("coming", labels["phase"] == int(Phase.PLACE), labels["coming"])


def classes(labels: Labels) -> list[Target]:
    """Return what is asked of the step: task, phase, and index of the object concerned."""
    everywhere = np.ones(len(labels), bool)
    return [
        Target("task", everywhere, labels["task"]),
        Target("phase", labels["phase"] > 0, labels["phase"]),
        Target("position", labels["position"] >= 0, labels["position"]),
    ]


@dataclass(frozen=True)
class Split:
    """Which steps teach a probe, choose its layer and strength, and judge it.

    Attributes
    ----------
    teach, choose, judge : bool (n,)
        No episode is in two of them; every task has the same shares.
    """

    teach: Mask
    choose: Mask
    judge: Mask


def split_episodes(labels: Labels, seed: int = 0) -> Split:
    """Split steps by episode, task by task: 60 % teach, 20 % choose, 20 % judge; one at least.

    Raises
    ------
    UsageError
        A task has fewer than three episodes.
    """
    part = np.zeros(len(labels), np.int8)
    rng = np.random.default_rng(seed)
    for task in np.unique(labels["task"]):
        episodes = np.unique(labels["episode"][labels["task"] == task])
        if len(episodes) < _FEWEST:
            raise UsageError(
                f"there are {len(episodes)} episodes of {task}, probes need {_FEWEST}: "
                "some to learn from and others to be judged on"
            )
        order = rng.permutation(episodes)
        ends = [min(round(len(order) * _SHARES[0]), len(order) - 2), 0]
        ends[1] = min(max(ends[0] + 1, round(len(order) * _SHARES[1])), len(order) - 1)
        part[np.isin(labels["episode"], order[ends[0] : ends[1]])] = 1
        part[np.isin(labels["episode"], order[ends[1] :])] = 2
    return Split(part == 0, part == 1, part == 2)


def within_budget(labels: Labels, width: int, budget_bytes: int, seed: int = 0) -> NDArray[np.intp]:
    """Return the steps to work with: all, or those of episodes drawn until memory is used up.

    One layer of the steps takes at most ``budget_bytes`` as float32. Tasks keep their shares.
    """
    most = max(1, budget_bytes // (4 * width))
    if len(labels) <= most:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    keep = np.zeros(len(labels), bool)
    for task in np.unique(labels["task"]):
        mine = labels["task"] == task
        episodes, lengths = np.unique(labels["episode"][mine], return_counts=True)
        order = rng.permutation(len(episodes))
        kept = order[np.cumsum(lengths[order]) <= most * mine.mean()]
        keep |= mine & np.isin(labels["episode"], episodes[kept])
    return np.flatnonzero(keep)
