"""A session's journal, as the plugin writes it."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import platformdirs

from bcannot_core.errors import JournalError
from bcannot_core.session import ClickToken
from bcannot_core.session.journal import Journal, JournalHeader
from napari_bcannot.turns import one_line


def default_folder() -> Path:
    """Return where journals go unless the person chooses a folder."""
    return platformdirs.user_data_path("bcannot") / "sessions"


class Recording:
    """Writes a session's clicks to a new journal; a failure never stops the session.

    Parameters
    ----------
    folder : path
        Made if missing; the journal's name is the date and time.
    header : JournalHeader
        What the session is about.
    on_error : callable
        Gets a one-line message when writing begins to fail, once until it works again.

    Raises
    ------
    JournalError
        The folder or the journal cannot be made.
    """

    def __init__(
        self, folder: Path, header: JournalHeader, on_error: Callable[[str], None]
    ) -> None:
        self._on_error = on_error
        self._failing = False
        self.journal = _create(folder, header)

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self.journal.path

    def write(self, tokens: Iterable[ClickToken]) -> None:
        """Append tokens; on a full disk they stay pending, and the next call writes them first."""
        for token in tokens:
            try:
                self.journal.append(token)
            except JournalError as error:
                if not self._failing:
                    self._on_error(one_line(error))
                self._failing = True
            else:
                self._failing = False

    def close(self) -> None:
        """Close the file; what could not be written is reported."""
        try:
            self.journal.close()
        except JournalError as error:
            self._on_error(one_line(error))


def _create(folder: Path, header: JournalHeader) -> Journal:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(
            f"cannot make the folder {folder}: {error.strerror or error}; choose another one"
        ) from error
    stamp = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    names = (f"{stamp}{'' if n == 0 else f'_{n}'}.jsonl" for n in range(1000))
    path = next((folder / name for name in names if not (folder / name).exists()), None)
    if path is None:
        raise JournalError(
            f"there are too many journals of {stamp} in {folder}: choose another one"
        )
    return Journal.create(path, header)
