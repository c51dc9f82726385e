"""The episodes of one task among those of datasets."""

from bcannot_core.episodes.dataset import EpisodeDataset
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.sequence import EpisodeSequence
from bcannot_core.errors import UsageError


class EpisodesOfTask(EpisodeSequence):
    """Episodes of one task, in the order of their dataset, read when asked for.

    Parameters
    ----------
    dataset : EpisodeDataset
        Episodes of any tasks.
    task : str
        Which are taken.

    Attributes
    ----------
    left_out : int
        How many are of other tasks.

    Raises
    ------
    UsageError
        There is none of the task.
    """

    def __init__(self, dataset: EpisodeDataset, task: str) -> None:
        names = [str(name) for name in dataset.column("task")]
        self._dataset = dataset
        self._numbers = [i for i, name in enumerate(names) if name == task]
        self.left_out = len(names) - len(self._numbers)
        if not self._numbers:
            others = f", only of {', '.join(sorted(set(names)))}" if names else ""
            raise UsageError(f"the datasets hold no episode of {task}{others}: name other datasets")

    def __len__(self) -> int:
        return len(self._numbers)

    def read(self, index: int) -> Episode:
        """Return an episode by a number that is there, from 0."""
        return self._dataset[self._numbers[index]]
