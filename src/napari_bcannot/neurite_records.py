"""A journal for each neurite, kept up to date by what the list of neurites tells."""

from collections.abc import Callable
from pathlib import Path

from bcannot_core.errors import BcannotError
from bcannot_core.session import ClickToken
from napari_bcannot.neurites import Neurite, NeuriteList
from napari_bcannot.recording import Recording
from napari_bcannot.turns import one_line


class NeuriteRecords:
    """Writes the clicks of every neurite to a journal of its own while it is switched on.

    Parameters
    ----------
    neurites : NeuriteList
        What is recorded.
    warn : callable
        Gets a one-line message when something cannot be written.
    """

    def __init__(self, neurites: NeuriteList, warn: Callable[[str], None]) -> None:
        self.folder: Path | None = None
        self._neurites = neurites
        self._warn = warn
        self._open: dict[Neurite, Recording] = {}
        neurites.added.connect(self._added)
        neurites.clicked.connect(self._clicked)
        neurites.reopened.connect(self._reopened)
        neurites.removed.connect(self.end)

    def of(self, neurite: Neurite | None) -> Recording | None:
        """Return the journal of a neurite that is being written."""
        return None if neurite is None else self._open.get(neurite)

    def switch(self, folder: Path | None) -> None:
        """Record all neurites, with their clicks so far, and those to come; None stops.

        Raises
        ------
        BcannotError
            A journal cannot be made; nothing is recorded.
        """
        self.end_all()
        self.folder = None
        if folder is not None:
            try:
                for neurite in self._neurites:
                    self._begin(neurite, folder)
            except BcannotError:
                self.end_all()
                raise
            self.folder = folder

    def end(self, neurite: Neurite) -> None:
        """Close the journal of a neurite."""
        recording = self._open.pop(neurite, None)
        if recording is not None:
            recording.close()

    def end_all(self) -> None:
        """Close all journals."""
        for neurite in tuple(self._open):
            self.end(neurite)

    def _begin(self, neurite: Neurite, folder: Path) -> None:
        header = neurite.trace.header(recorded_with="napari-bcannot")
        recording = Recording(folder, header, self._warn)
        recording.write(neurite.trace.session.clicks)
        self._open[neurite] = recording

    def _added(self, neurite: Neurite) -> None:
        if self.folder is not None:
            try:
                self._begin(neurite, self.folder)
            except BcannotError as error:
                self._warn(one_line(error))

    def _clicked(self, neurite: Neurite, token: ClickToken) -> None:
        recording = self._open.get(neurite)
        if recording is not None:
            recording.write([token])

    def _reopened(self, neurite: Neurite) -> None:
        """Go on in a new journal: the one before ends with Done."""
        self.end(neurite)
        self._added(neurite)
