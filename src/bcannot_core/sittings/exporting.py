"""Sessions as a dataset: one shard a session, so that saving one more never gets slower."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bcannot_core.episodes.shards import SUFFIX, write_shard
from bcannot_core.errors import DatasetError
from bcannot_core.sittings.copies import with_copy
from bcannot_core.sittings.reader import SittingReader


@dataclass(frozen=True)
class Export:
    """What came of an export.

    Attributes
    ----------
    dataset : Path
        The dataset's folder.
    sessions, episodes : int
        How many were written.
    problems : tuple of str
        A line for everything that could not be.
    """

    dataset: Path
    sessions: int
    episodes: int
    problems: tuple[str, ...] = ()


def export_sittings(
    folders: Iterable[Path], dataset: Path, progress: Callable[[int], object] | None = None
) -> Export:
    """Write sessions into a dataset, an episode for each neurite that was not removed.

    A session has a shard of its own, named after it: exporting it again, after it went on, say,
    replaces what was there. Copies of volumes that lay in no file go along.

    Parameters
    ----------
    folders : iterable of Path
        The sessions' folders.
    dataset : Path
        The dataset's folder; made if missing.
    progress : callable, optional
        Called with 1 after each session.

    Raises
    ------
    JournalError
        A session cannot be read.
    DatasetError
        The dataset cannot be written.
    """
    try:
        dataset.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"cannot make dataset {dataset}: {error.strerror or error}") from error
    sessions = episodes = 0
    problems: list[str] = []
    for folder in folders:
        reader = SittingReader.open(folder)
        made = [with_copy(one, reader.folder, dataset) for one in reader.episodes(problems)]
        if made:
            write_shard(dataset / shard_name(reader), made)
            sessions, episodes = sessions + 1, episodes + len(made)
        if progress is not None:
            progress(1)
    return Export(dataset, sessions, episodes, tuple(problems))


def shard_name(reader: SittingReader) -> str:
    """Return the name of a session's shard: the same wherever its folder was moved to."""
    digest = hashlib.blake2b(reader.id.encode(), digest_size=6).hexdigest()
    return f"session-{reader.record.header.begun_ms:013d}-{digest}{SUFFIX}"
