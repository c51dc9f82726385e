"""What all parts of a study stand on: the steps in use, their split, and layers when asked for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.probes.activations import Activations
from bcannot_core.probes.linear import Rows
from bcannot_core.probes.targets import Mask, split_episodes, within_budget


@dataclass(frozen=True)
class StudyOptions:
    """How a study is made.

    Attributes
    ----------
    seed : int
        Seed of the split, the controls and the bootstrap.
    strengths : tuple of float
        Inverse regularisations to choose from.
    budget_bytes : int
        Memory for one layer; more steps than fit are not used.
    """

    seed: int = 0
    strengths: tuple[float, ...] = (0.001, 0.03, 1.0)
    budget_bytes: int = 1 << 30


class Ground:
    """Steps of a study.

    Parameters
    ----------
    activations : Activations
        The stream over recorded sessions.
    options : StudyOptions
        How the study is made.

    Attributes
    ----------
    labels : structured (n,)
        Labels of the steps in use.
    split : Split
        Of these steps.
    learn : bool (n,)
        Steps that teach or choose.
    tasks : list of str
        Their tasks.

    Raises
    ------
    UsageError
        The sessions have no labels, or too few episodes.
    """

    def __init__(self, activations: Activations, options: StudyOptions) -> None:
        self.activations, self.options = activations, options
        found, seed = activations.labels, options.seed
        self._used = within_budget(found, activations.width, options.budget_bytes, seed)
        self.labels = found[self._used]
        if not self.labels["mistake"].any():
            raise UsageError(
                "no click of these sessions is labelled as a mistake: "
                "probes need sessions of scripted annotators that make some"
            )
        self.split = split_episodes(self.labels, seed)
        self.learn: Mask = self.split.teach | self.split.choose
        self.tasks = [str(task) for task in np.unique(self.labels["task"])]
        self._held: tuple[int, Rows] | None = None

    def rows(self, layer: int) -> Rows:
        """Return a layer at all steps in use; the one asked for last is kept."""
        if self._held is None or self._held[0] != layer:
            self._held = None
            self._held = layer, self.activations.layer(layer, self._used)
        return self._held[1]

    def of_task(self, task: str) -> Mask:
        """Return which steps are a task's."""
        mask: Mask = self.labels["task"] == task
        return mask

    def episodes(self, mask: Mask) -> NDArray[np.int32]:
        """Return the episodes of some steps."""
        episodes: NDArray[np.int32] = self.labels["episode"][mask]
        return episodes
