"""A session's journal, as the plugin writes it, and the switch that begins and ends journals."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import platformdirs

from bcannot_core.errors import BcannotError, JournalError
from bcannot_core.session import ClickToken
from bcannot_core.session.journal import Journal, JournalHeader
from napari_bcannot.settings import keep_section, read_section
from napari_bcannot.turns import one_line

SECTION = "sessions"
"""What the folder is kept under among the settings."""


def default_folder() -> Path:
    """Return where sessions go: the folder that the person chose, at this start or before."""
    chosen = read_section(SECTION).get("folder")
    if isinstance(chosen, str) and chosen:
        return Path(chosen)
    return platformdirs.user_data_path("bcannot") / "sessions"


def choose_folder(folder: Path) -> None:
    """Let sessions go to a folder from now on."""
    keep_section(SECTION, {"folder": str(folder)})


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


class _Closes(Protocol):
    def close(self) -> object:
        """End the recording."""


_Kind = TypeVar("_Kind", bound=_Closes)


class RecordSwitch(Generic[_Kind]):
    """Whether sessions are recorded, and the recording of the one at hand.

    Parameters
    ----------
    begin : callable
        Begins to record the session at hand in a folder; None where there is none to record.
    warn : callable
        Gets a one-line message when a later session cannot be recorded.

    Attributes
    ----------
    current : recording or None
        What is being written.
    folder : Path or None
        Where; None while sessions are not recorded.
    """

    def __init__(self, begin: Callable[[Path], _Kind | None], warn: Callable[[str], None]) -> None:
        self._begin = begin
        self._warn = warn
        self.current: _Kind | None = None
        self.folder: Path | None = None

    def switch(self, folder: Path | None) -> None:
        """Record this session and the next ones in a folder; None stops.

        Raises
        ------
        BcannotError
            The recording cannot be made; nothing is recorded.
        """
        self.end()
        self.folder = None
        if folder is not None:
            self.current = self._begin(folder)
            self.folder = folder

    def anew(self) -> None:
        """Record another session, where sessions are recorded."""
        self.end()
        if self.folder is not None:
            try:
                self.current = self._begin(self.folder)
            except BcannotError as error:
                self._warn(one_line(error))

    def end(self) -> _Kind | None:
        """End what is being written; return it."""
        ended, self.current = self.current, None
        if ended is not None:
            ended.close()
        return ended


def make_folder(folder: Path) -> None:
    """Make the folder that sessions are recorded in.

    Raises
    ------
    JournalError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(
            f"cannot make the folder {folder}: {error.strerror or error}; choose another one"
        ) from error


def _create(folder: Path, header: JournalHeader) -> Journal:
    make_folder(folder)
    stamp = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    names = (f"{stamp}{'' if n == 0 else f'_{n}'}.jsonl" for n in range(1000))
    path = next((folder / name for name in names if not (folder / name).exists()), None)
    if path is None:
        raise JournalError(
            f"there are too many journals of {stamp} in {folder}: choose another one"
        )
    return Journal.create(path, header)
