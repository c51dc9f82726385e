"""What was recorded in a folder: the episodes of its dataset, and journals beside them."""

import os
from pathlib import Path

from bcannot_core.episodes.dataset import EpisodeDataset, open_dataset
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import episode_from_journal
from bcannot_core.episodes.sequence import EpisodeSequence
from bcannot_core.errors import DatasetError

JOURNAL_SUFFIX = ".jsonl"


class EpisodeShelf(EpisodeSequence):
    """Episodes of a dataset followed by those of journals, read when asked for.

    Parameters
    ----------
    path : path
        A folder with Parquet shards, journals or both; or one file of either kind.

    Raises
    ------
    DatasetError
        There is nothing recorded, or a shard is damaged or of another version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._journals = _journals(self.path)
        shards = self.path.suffix != JOURNAL_SUFFIX
        if self.path.is_dir():
            shards = any(not p.name.startswith(".") for p in self.path.glob("*.parquet"))
        self._dataset: EpisodeDataset | None = open_dataset(self.path) if shards else None
        if not len(self):
            raise DatasetError(
                f"nothing is recorded in {self.path}: choose a folder with a dataset (.parquet) "
                f"or journals ({JOURNAL_SUFFIX})"
            )

    @property
    def _stored(self) -> int:
        return 0 if self._dataset is None else len(self._dataset)

    def __len__(self) -> int:
        return self._stored + len(self._journals)

    def read(self, index: int) -> Episode:
        """Return an episode by a number that is there, from 0.

        Raises
        ------
        DatasetError, JournalError
            It cannot be read.
        """
        if self._dataset is not None and index < self._stored:
            return self._dataset[index]
        return episode_from_journal(self._journals[index - self._stored])

    def name(self, index: int) -> str:
        """Return what an episode is called: its number, or its journal's file name."""
        if index < self._stored:
            return f"episode {index}"
        return self._journals[index - self._stored].name


def _journals(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(path.glob(f"*{JOURNAL_SUFFIX}"))
        return [p for p in found if not p.name.startswith(".") and p.stat().st_size]
    return [path] if path.suffix == JOURNAL_SUFFIX and path.is_file() else []
