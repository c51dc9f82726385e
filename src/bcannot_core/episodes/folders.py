"""A folder that is there whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bcannot_core.errors import DatasetError


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
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            yield aside
            if path.exists():
                path.rmdir()
            aside.chmod(0o755)
            os.replace(aside, path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise DatasetError(f"cannot write {what} to {path}: {error.strerror or error}") from error
