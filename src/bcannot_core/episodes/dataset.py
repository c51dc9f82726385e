"""Datasets: a folder of Parquet shards, one row per episode.

A shard appears whole or not at all; appending is adding a shard, so that a dataset can be read
while it grows.
"""

import contextlib
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bcannot_core.closing import Closing
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.groups import group_rows, open_shard, read_group
from bcannot_core.episodes.schema import SCHEMA, Row, RowGroup, encode, to_table
from bcannot_core.episodes.sequence import EpisodeSequence
from bcannot_core.episodes.shards import SUFFIX, publish, write_shard, written_aside
from bcannot_core.errors import DatasetError

__all__ = ["EpisodeDataset", "EpisodeWriter", "open_dataset", "write_shard"]

SHARD_EPISODES = 4_096
SHARD_CLICKS = 1_000_000
_MAX_COLUMN_BYTES = 1 << 30
_CACHED_GROUPS = 4


class EpisodeWriter(Closing):
    """Appends episodes to a dataset; each shard is written aside and then put in place.

    Parameters
    ----------
    path : path
        The dataset's folder; made if it does not exist.
    shard_episodes : int
        Most episodes in a shard. A shard of very long episodes is closed earlier.

    Raises
    ------
    DatasetError
        The folder cannot be made, an episode cannot be stored, or the disk is full; episodes
        that are not written yet are kept for another :meth:`flush`.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, shard_episodes: int = SHARD_EPISODES
    ) -> None:
        self.path = Path(path)
        self._shard_episodes = shard_episodes
        self._rows: list[Row] = []
        self._clicks = 0
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(f"cannot make dataset {self.path}: {error.strerror}") from error

    def append(self, episode: Episode) -> None:
        """Add one episode; a full shard is written."""
        row = encode(episode)
        self._rows.append(row)
        self._clicks += len(row)
        if len(self._rows) >= self._shard_episodes or self._clicks >= SHARD_CLICKS:
            self.flush()

    def extend(self, episodes: Iterable[Episode]) -> None:
        """Add several episodes."""
        for episode in episodes:
            self.append(episode)

    def flush(self) -> Path | None:
        """Write what was added since the last shard as a shard; return where."""
        if not self._rows:
            return None
        index = sum(1 for _ in self.path.glob(f"*{SUFFIX}"))
        with written_aside(to_table(self._rows), self.path) as aside:
            while True:
                target = self.path / f"episodes-{index:05d}{SUFFIX}"
                try:
                    publish(aside, target)
                    break
                except FileExistsError:
                    index += 1
        self._rows, self._clicks = [], 0
        return target

    def close(self) -> None:
        """Write the last shard."""
        self.flush()


class EpisodeDataset(EpisodeSequence):
    """Episodes of one or several datasets, read when asked for.

    Opening reads the footers of the shards alone. A few decoded row groups are kept, so that
    reading in order or in nearly any order is cheap. It can be sent to worker processes.

    Parameters
    ----------
    shards : sequence of path
        Parquet files, in order.
    """

    def __init__(self, shards: Sequence[Path]) -> None:
        self.shards = tuple(shards)
        self._groups: list[tuple[int, int]] = []
        self._first: list[int] = []
        total = 0
        for number, path in enumerate(self.shards):
            with _opened(path) as file:
                for group, rows in enumerate(group_rows(file, path)):
                    self._groups.append((number, group))
                    self._first.append(total)
                    total += rows
        self._total = total
        self._cache: OrderedDict[int, RowGroup] = OrderedDict()

    def __len__(self) -> int:
        return self._total

    def read(self, index: int) -> Episode:
        """Return an episode by a number that is there, from 0.

        Raises
        ------
        DatasetError
            The shard was changed or is damaged.
        """
        group = bisect_right(self._first, index) - 1
        return self._load(group)[index - self._first[group]]

    def __iter__(self) -> Iterator[Episode]:
        for group in range(len(self._groups)):
            yield from self._load(group)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": OrderedDict()}

    def column(self, name: str) -> NDArray[Any]:
        """Return one of the columns with a value per episode, e.g. ``steps`` or ``task``.

        Raises
        ------
        DatasetError
            There is no such column, or a shard is damaged.
        """
        if name not in SCHEMA.names or pa.types.is_list(SCHEMA.field(name).type):
            raise DatasetError(f"a dataset has no column {name!r} with one value an episode")
        parts = [pa.array([], SCHEMA.field(name).type)]
        size = 0
        for path in self.shards:
            for table in _groups(path, [name]):
                parts += table.column(0).chunks
                size += table.nbytes
                if size > _MAX_COLUMN_BYTES:
                    raise DatasetError(f"{path}: column {name!r} is too large to be read at once")
        return np.asarray(pa.chunked_array(parts).to_numpy())

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield some of the columns, a row group at a time; no episode is built.

        Raises
        ------
        DatasetError
            A shard was changed or is damaged.
        """
        for path in self.shards:
            yield from _groups(path, columns)

    def _load(self, group: int) -> RowGroup:
        if group in self._cache:
            self._cache.move_to_end(group)
            return self._cache[group]
        number, inside = self._groups[group]
        path = self.shards[number]
        with _opened(path) as file, _reading(path):
            if inside >= file.num_row_groups:
                raise DatasetError(f"{path} was changed while the dataset was open: open it again")
            loaded = RowGroup(read_group(file, path, inside, SCHEMA.names), str(path))
        following = self._first[group + 1] if group + 1 < len(self._first) else self._total
        if len(loaded) != following - self._first[group]:
            raise DatasetError(f"{path} was changed while the dataset was open: open it again")
        self._cache[group] = loaded
        while len(self._cache) > _CACHED_GROUPS:
            self._cache.popitem(last=False)
        return loaded


def open_dataset(*paths: str | os.PathLike[str]) -> EpisodeDataset:
    """Open datasets for reading, as one sequence of episodes.

    Parameters
    ----------
    *paths : path
        Folders of shards, or single shards.

    Raises
    ------
    DatasetError
        There is nothing at a path, no shard in it, or a shard is damaged or of another version.
    """
    shards: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(p for p in path.glob(f"*{SUFFIX}") if not p.name.startswith("."))
            if not found:
                raise DatasetError(f"dataset {path} is empty: there is no {SUFFIX} file in it")
            shards += found
        elif path.is_file():
            shards.append(path)
        else:
            raise DatasetError(f"there is no dataset at {path}")
    if not shards:
        raise DatasetError("no dataset was named")
    return EpisodeDataset(shards)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong in a shard into one line."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DatasetError(f"{path} is damaged or no dataset shard: {reason}") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    with contextlib.ExitStack() as stack:
        with _reading(path):
            file = stack.enter_context(open_shard(path))
        yield file


def _groups(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    with _opened(path) as file:
        for group in range(file.num_row_groups):
            with _reading(path):
                table = read_group(file, path, group, columns)
            yield table
