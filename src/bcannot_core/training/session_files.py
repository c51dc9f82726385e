"""Sessions to learn from, wherever they lie: datasets, journals, folders of journals."""

from collections.abc import Iterable
from pathlib import Path

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import episode_from_journal
from bcannot_core.episodes.shards import SUFFIX
from bcannot_core.errors import BcannotError, DatasetError
from bcannot_core.tasks.neuron_tracing import NeuronTracing

_JOURNAL = ".jsonl"


def read_sessions(paths: Iterable[Path]) -> tuple[list[Episode], list[str]]:
    """Return the sessions of neuron tracing at some paths, and what could not be read.

    Parameters
    ----------
    paths : iterable of Path
        Datasets, journals, or folders with journals at any depth.

    Returns
    -------
    list of Episode, list of str
        Sessions with clicks, in the order of the paths; a line for each journal left out.

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
        elif path.exists():
            journals = sorted(path.rglob(f"*{_JOURNAL}")) if path.is_dir() else [path]
            for journal in journals:
                _add(journal, found, problems)
        else:
            raise DatasetError(f"there are no sessions at {path}: choose another folder")
    return [e for e in found if e.task == NeuronTracing.id and e.clicks], problems


def _add(journal: Path, found: list[Episode], problems: list[str]) -> None:
    try:
        found.append(episode_from_journal(journal))
    except BcannotError as error:
        problems.append(str(error))
