"""A folder that is there whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from bcannot_core.episodes.episode import Episode
from bcannot_core.errors import DatasetError, UsageError


class FolderWriter(Protocol):
    """Writes episodes into a folder, one after the other."""

    def add(self, episode: Episode) -> None:
        """Write one episode."""
        ...

    def finish(self) -> None:
        """Write what describes the whole."""
        ...


Begin = Callable[[Path, ExitStack], FolderWriter]
"""Begins to write into a folder; what is to be closed in the end goes on the stack."""


def write_episodes(
    episodes: Iterable[Episode],
    path: Path,
    what: str,
    begin: Begin,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write episodes into a folder that is there whole or not at all.

    Parameters
    ----------
    episodes : iterable of Episode
        What to write.
    path : Path
        As for :func:`whole_folder`, and ``what``.
    what : str
        What is written, for messages.
    begin : callable
        Begins to write.
    progress : callable, optional
        Called with 1 after each episode.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        There are no episodes.
    DatasetError
        An episode cannot be replayed or a file cannot be written; nothing is left behind.
    """
    with whole_folder(path, what) as aside, ExitStack() as stack:
        writer, empty = begin(aside, stack), True
        for episode in episodes:
            empty = False
            writer.add(episode)
            if progress is not None:
                progress(1)
        if empty:
            raise UsageError("there are no episodes to export")
        writer.finish()
    return path


@contextlib.contextmanager
def whole_folder(path: Path, what: str) -> Iterator[Path]:
    """Give a folder to write into; it takes its place when all went well.

    Parameters
    ----------
    path : Path
        What the folder is to be called; nothing, or an empty folder, may be there.
    what : str
        What is written, for messages.

    Raises
    ------
    DatasetError
        Something is there already, or the folder cannot be written; nothing is left behind.
    """
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise DatasetError(
                f"cannot write {what} to {path}: it exists and is not an empty folder"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        stays = _stays(path)
        place = path if stays else path.parent
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=place))
        try:
            yield aside
            if stays:
                for entry in sorted(aside.iterdir()):
                    entry.replace(path / entry.name)
            else:
                if path.exists():
                    path.rmdir()
                aside.chmod(0o755)
                os.replace(aside, path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise DatasetError(f"cannot write {what} to {path}: {error.strerror or error}") from error


def _stays(path: Path) -> bool:
    """Whether a folder cannot be replaced by another: a disk is mounted there, or we are in it."""
    return path.is_dir() and (path.is_mount() or path.samefile(Path.cwd()))
