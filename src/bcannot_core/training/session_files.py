"""Sessions to learn from, wherever they lie: recorded sessions, journals, datasets."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import episode_from_journal
from bcannot_core.episodes.shards import SUFFIX
from bcannot_core.errors import BcannotError, DatasetError
from bcannot_core.sittings import SittingReader
from bcannot_core.sittings.lines import RECORD
from bcannot_core.tasks.neuron_tracing import NeuronTracing


def read_sessions(paths: Iterable[Path]) -> tuple[list[Episode], list[str]]:
    """Return the traced neurites at some paths, and what could not be read.

    Parameters
    ----------
    paths : iterable of Path
        Sessions' folders, folders of them at any depth, single journals, datasets.

    Returns
    -------
    list of Episode, list of str
        Neurites with clicks, in the order of the paths; a line for each that was left out.

    Raises
    ------
    DatasetError
        There is nothing at a path, or a dataset is damaged.
    """
    found: list[Episode] = []
    problems: list[str] = []
    for path in paths:
        if path.suffix == SUFFIX or (path.is_dir() and any(path.glob(f"*{SUFFIX}"))):
            found += open_dataset(path)
        elif path.is_dir():
            found += _in_folder(path, problems)
        elif path.is_file():
            found += _journal(path, problems)
        else:
            raise DatasetError(f"there are no sessions at {path}: choose another folder")
    return [e for e in found if e.task == NeuronTracing.id and e.clicks], problems


def _in_folder(folder: Path, problems: list[str]) -> Iterator[Episode]:
    sittings = sorted(record.parent for record in folder.rglob(RECORD))
    for sitting in sittings:
        try:
            yield from SittingReader.open(sitting).episodes(problems)
        except BcannotError as error:
            problems.append(str(error))
    for journal in sorted(folder.rglob("*.jsonl")):
        if journal.parent not in sittings:
            yield from _journal(journal, problems)


def _journal(path: Path, problems: list[str]) -> Iterator[Episode]:
    try:
        yield episode_from_journal(path)
    except BcannotError as error:
        problems.append(str(error))
