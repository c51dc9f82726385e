"""Where windows come from: tasks done live, recorded episodes, and mixtures of both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.episodes.dataset import EpisodeDataset, open_dataset
from bcannot_core.errors import DatasetError, UsageError
from bcannot_core.screen import random_variant
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import task_class
from bcannot_core.training.frames.opened import (
    OpenEpisode,
    live_session,
    open_live,
    open_recorded,
)
from bcannot_core.training.frames.recipe import DataRecipe


class Pick(NamedTuple):
    """An episode that was drawn, before it is opened.

    Attributes
    ----------
    task : str
        Its task.
    number : int
        A number in a dataset, or the seed of a live episode.
    variant : str or None
        The interface to show it on, None for its own.
    part : int
        Which part of a mixture it comes from.
    """

    task: str
    number: int
    variant: str | None
    part: int = 0


class EpisodeSource(Protocol):
    """Something that episodes are drawn from; can be sent to worker processes."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Ids of the tasks."""
        ...

    def pick(self, rng: np.random.Generator, task: str | None = None) -> Pick:
        """Draw an episode, of one task where that is given."""
        ...

    def open(self, pick: Pick) -> OpenEpisode:
        """Open an episode that was drawn."""
        ...


class LiveEpisodes:
    """Scripted sessions of tasks, made when they are needed.

    Parameters
    ----------
    recipe : DataRecipe
        Tasks with their weights, variants and behaviours.

    Raises
    ------
    UsageError
        No task is named, or an unknown one.
    """

    def __init__(self, recipe: DataRecipe) -> None:
        weights = {name: weight for name, weight in recipe.tasks.items() if weight > 0}
        if not weights:
            raise UsageError(
                "nothing to train with: name datasets, or tasks in the recipe's data.tasks"
            )
        for name in weights:
            task_class(name)
        self._recipe = recipe
        self.tasks = tuple(weights)
        self._shares = _shares(list(weights.values()))

    def pick(self, rng: np.random.Generator, task: str | None = None) -> Pick:
        """Draw a task and a seed."""
        drawn = self.tasks[int(rng.choice(len(self.tasks), p=self._shares))]
        seed = int(rng.integers(1 << 62))
        return Pick(task or drawn, seed, _variant(rng, self._recipe.augment))

    def open(self, pick: Pick) -> OpenEpisode:
        """Do the episode."""
        return open_live(pick.task, pick.number, self._variants(pick), self._recipe.behaviours)

    def begin(self, pick: Pick, rng: np.random.Generator) -> Session:
        """Begin a session of the episode for somebody else to do."""
        return live_session(pick.task, pick.number, self._variants(pick), rng)

    def _variants(self, pick: Pick) -> tuple[str, ...]:
        return self._recipe.variants if pick.variant is None else (pick.variant,)


class RecordedEpisodes:
    """Episodes of datasets, drawn by task and then evenly.

    Parameters
    ----------
    datasets : sequence of Path
        Folders of shards.
    recipe : DataRecipe
        Weights of tasks, share of other interfaces.

    Raises
    ------
    DatasetError
        A dataset cannot be read, or none has a step.
    UsageError
        A task that the recipe names is in none of them.
    """

    def __init__(self, datasets: Sequence[Path], recipe: DataRecipe) -> None:
        self._dataset: EpisodeDataset = open_dataset(*datasets)
        self._augment = recipe.augment
        names, steps = self._dataset.column("task"), self._dataset.column("steps")
        self._numbers = {
            str(name): np.flatnonzero((names == name) & (steps > 0)) for name in np.unique(names)
        }
        weights: Mapping[str, float] = recipe.tasks or {
            name: float(len(numbers)) for name, numbers in self._numbers.items()
        }
        weights = {name: weight for name, weight in weights.items() if weight > 0}
        for name in weights:
            if recipe.tasks and not len(self._numbers.get(name, ())):
                raise UsageError(
                    f"the datasets hold no episode of {name!r}, which the recipe names"
                )
        if not weights:
            raise DatasetError("the datasets hold no clicks to learn from")
        self.tasks = tuple(weights)
        self._shares = _shares(list(weights.values()))

    def __len__(self) -> int:
        return len(self._dataset)

    def pick(self, rng: np.random.Generator, task: str | None = None) -> Pick:
        """Draw a task and one of its episodes."""
        drawn = task or self.tasks[int(rng.choice(len(self.tasks), p=self._shares))]
        numbers = self._numbers[drawn]
        number = int(numbers[rng.integers(len(numbers))])
        return Pick(drawn, number, _variant(rng, self._augment))

    def open(self, pick: Pick) -> OpenEpisode:
        """Replay the episode."""
        return open_recorded(self._dataset[pick.number], pick.variant)


class MixedEpisodes:
    """Several sources, one of them drawn for each episode.

    Parameters
    ----------
    parts : sequence of EpisodeSource
        What is drawn from.
    weights : sequence of float
        How often, relative to each other.
    """

    def __init__(self, parts: Sequence[EpisodeSource], weights: Sequence[float]) -> None:
        self._parts = tuple(parts)
        self._shares = _shares(weights)
        self.tasks = tuple(dict.fromkeys(name for part in parts for name in part.tasks))

    def pick(self, rng: np.random.Generator, task: str | None = None) -> Pick:
        """Draw a part, and an episode of it; of a task where that is given."""
        able = [task is None or task in part.tasks for part in self._parts]
        shares = np.where(able, self._shares, 0.0)
        part = int(rng.choice(len(self._parts), p=shares / shares.sum()))
        return self._parts[part].pick(rng, task)._replace(part=part)

    def open(self, pick: Pick) -> OpenEpisode:
        """Open an episode by the part that it comes from."""
        return self._parts[pick.part].open(pick)


def make_source(datasets: Sequence[Path], recipe: DataRecipe) -> EpisodeSource:
    """Return recorded episodes where datasets are named, live ones otherwise."""
    return RecordedEpisodes(datasets, recipe) if datasets else LiveEpisodes(recipe)


def _shares(weights: Sequence[float]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.array(weights, dtype=np.float64)
    shares: NDArray[np.float64] = values / values.sum()
    return shares


def _variant(rng: np.random.Generator, augment: float) -> str | None:
    """Draw another interface with a chance; the same draws whatever comes of it."""
    chance, drawn = rng.random(), random_variant(rng)
    return drawn.name if chance < augment else None
