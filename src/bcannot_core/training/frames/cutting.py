"""Cutting windows: frames and clicks of numbered windows, written into arrays."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import DatasetError
from bcannot_core.training.frames.recipe import DataRecipe, FramesRecipe
from bcannot_core.training.frames.schedule import Cut, Schedule
from bcannot_core.training.frames.sources import EpisodeSource

_COUNTING = 11  # this stream of randomness
_ENDING = "done"


class Row(NamedTuple):
    """What a window is of.

    Attributes
    ----------
    task : str
        Its task.
    actions : tuple of str
        What the right click of each of its steps does.
    """

    task: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Arrays:
    """A batch of n windows of t steps.

    Attributes
    ----------
    frames : uint8 (n, t, h, w, 3)
        What was seen; black after the end of an episode.
    clicks : int32 (n, t, 2)
        What was clicked, (x, y).
    rects : int32 (n, t, 4)
        Left, top, right (exclusive), bottom (exclusive) of where a click is right.
    weights : float32 (n, t)
        How much each step counts; 0 for what is not imitated or not there.
    """

    frames: NDArray[np.uint8]
    clicks: NDArray[np.int32]
    rects: NDArray[np.int32]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class Cutter:
    """Everything that windows follow from; can be sent to worker processes.

    Attributes
    ----------
    source : EpisodeSource
        What episodes are drawn from.
    recipe : DataRecipe
        How windows are cut and weighed.
    steps : int
        Of a window.
    frame_wh : tuple of int
        Size of the frames.
    seed : int
        Decides every window.
    lanes : int
        Episodes that are open at the same time.
    weights : mapping of (str, str) to float
        Weights by task and action.
    """

    source: EpisodeSource
    recipe: DataRecipe
    steps: int
    frame_wh: tuple[int, int]
    seed: int
    lanes: int
    weights: Mapping[tuple[str, str], float]

    @classmethod
    def of_recipe(
        cls,
        recipe: FramesRecipe,
        source: EpisodeSource,
        weights: Mapping[tuple[str, str], float] | None = None,
    ) -> Self:
        """Return what a recipe's windows follow from.

        Lanes fill whole updates, so that each stays with a worker.
        """
        lanes = recipe.windows * max(1, round(recipe.data.lanes / recipe.windows))
        shape, seed = recipe.config.frame_wh, recipe.seed
        return cls(source, recipe.data, recipe.steps, shape, seed, lanes, weights or {})

    def schedule(self) -> Schedule:
        """Return a schedule that finds windows by their numbers."""
        return Schedule(self.source, self.recipe, self.steps, self.seed, self.lanes)

    def shapes(self, n: int) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
        """Return shape and type of the arrays of a batch, by name."""
        width, height = self.frame_wh
        steps = (n, self.steps)
        return {
            "frames": ((*steps, height, width, 3), np.uint8),
            "clicks": ((*steps, 2), np.int32),
            "rects": ((*steps, 4), np.int32),
            "weights": (steps, np.float32),
        }

    def empty(self, n: int) -> Arrays:
        """Return arrays for a batch."""
        return Arrays(**{name: np.zeros(*what) for name, what in self.shapes(n).items()})

    def write(self, cut: Cut, arrays: Arrays, row: int) -> Row:
        """Write a window into a row of a batch.

        Raises
        ------
        DatasetError
            Its frames are larger than those that the policy sees.
        """
        episode, span = cut.episode, slice(cut.first, cut.first + cut.length)
        self._draw(cut, arrays.frames[row])
        for name in ("clicks", "rects"):
            out = getattr(arrays, name)[row]
            out[: cut.length], out[cut.length :] = getattr(episode, name)[span], 0
        actions = episode.actions[span]
        weights = arrays.weights[row]
        weights[:] = 0
        blind = self.recipe.blind if cut.first else 0
        for t, action in enumerate(actions):
            if t >= blind and episode.wanted[cut.first + t]:
                weights[t] = self.weight(episode.task_id, action)
        return Row(episode.task_id, actions)

    def weight(self, task: str, action: str) -> float:
        """Return how much a click counts; what never came up while counting is rare."""
        return self.weights.get((task, action), self.recipe.weights.get(action, self.recipe.rarest))

    def _draw(self, cut: Cut, frames: NDArray[np.uint8]) -> None:
        width, height = cut.episode.size_wh
        if height > frames.shape[1] or width > frames.shape[2]:
            raise DatasetError(
                f"a frame of {cut.episode.task_id} has {width}×{height} pixels, the policy sees "
                f"{self.frame_wh[0]}×{self.frame_wh[1]}: give it a larger frame_wh"
            )
        frames[cut.length :] = 0
        frames[:, height:] = 0
        frames[:, :, width:] = 0
        for t in range(cut.length):
            frames[t, :height, :width] = cut.episode.frame(cut.first + t)


def action_weights(
    source: EpisodeSource, recipe: DataRecipe, seed: int
) -> dict[tuple[str, str], float]:
    """Return weights by task and action: the rarer an action is in its task, the more it counts.

    They grow with the square root of how much rarer an action is than the task's most frequent
    one, up to the recipe's ``rarest``; only Done weighs 1 however rare it is. Actions are counted
    in a few episodes of each task.

    Parameters
    ----------
    source : EpisodeSource
        What episodes are drawn from.
    recipe : DataRecipe
        Its ``weights`` stand in place of what was counted.
    seed : int
        Decides which episodes are counted.

    Raises
    ------
    DatasetError
        No click is to be imitated.
    """
    found: dict[tuple[str, str], float] = {}
    for task in source.tasks:
        counts: Counter[str] = Counter()
        for number in range(recipe.sample):
            rng = np.random.default_rng((seed, _COUNTING, number))
            episode = source.open(source.pick(rng, task))
            wanted = zip(episode.actions, episode.wanted, strict=True)
            counts.update(action for action, is_so in wanted if is_so)
        most = max(counts.values(), default=0)
        for action, count in sorted(counts.items()):
            rare = 1.0 if action == _ENDING else min(recipe.rarest, (most / count) ** 0.5)
            found[task, action] = float(recipe.weights.get(action, rare))
    if not found:
        raise DatasetError("the sessions hold no clicks to be imitated")
    return found


def numbered(update: int, windows: int, part: int, parts: int) -> Sequence[int]:
    """Return the numbers of the windows of one of the equal parts of an update."""
    size = windows // parts
    first = update * windows + part * size
    return range(first, first + size)
