"""Sessions to learn from, wherever they lie: recorded sessions, journals, datasets."""

from collections.abc import Hashable, Iterable, Iterator
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
        Neurites with clicks, in the order of the paths; a line for each that was left out. One
        that a recorded session and a dataset made of it both hold is there once.

    Raises
    ------
    DatasetError
        There is nothing at a path, or a dataset is damaged.
    """
    found: list[Episode] = []
    problems: list[str] = []
    for path in paths:
        if path.is_dir():
            found += _in_folder(path, problems)
        elif path.suffix == SUFFIX:
            found += open_dataset(path)
        elif path.is_file():
            found += _journal(path, problems)
        else:
            raise DatasetError(f"there are no sessions at {path}: choose another folder")
    traced = (e for e in found if e.task == NeuronTracing.id and e.clicks)
    return list({_name(e): e for e in traced}.values()), problems


def _name(episode: Episode) -> Hashable:
    """Return what a neurite of a recorded session is known by wherever it was copied to."""
    session, neurite = episode.meta.get("session"), episode.meta.get("neurite")
    named = isinstance(session, str) and isinstance(neurite, int)
    return (session, neurite) if named else id(episode)


def _in_folder(folder: Path, problems: list[str]) -> Iterator[Episode]:
    """Yield a dataset's episodes, and after them those of sessions, which may have gone on."""
    shards = [p for p in folder.glob(f"*{SUFFIX}") if not p.name.startswith(".")]
    if shards:
        yield from open_dataset(*sorted(shards))
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
