"""The *Record* box of a widget and the folder that it records in."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from qtpy.QtWidgets import QCheckBox, QPushButton, QWidget

from bcannot_core.errors import BcannotError
from napari_bcannot import notices
from napari_bcannot.recording import choose_folder, default_folder
from napari_bcannot.turns import one_line
from napari_bcannot.widgets.dialogs import ask_folder


class _HasRecord(Protocol):
    record: QCheckBox
    record_folder: QPushButton


class RecordControl:
    """Turns the box and the folder of a view into calls of a controller.

    Parameters
    ----------
    view : TraceView or PlayView
        Has the box and the button.
    record : callable
        Records in a folder, or stops for None; raises `BcannotError` where it cannot.
    parent : QWidget
        What the folder is asked for above.
    """

    def __init__(
        self, view: _HasRecord, record: Callable[[Path | None], None], parent: QWidget
    ) -> None:
        self._box = view.record
        self._record = record
        self._parent = parent
        self.folder = default_folder()
        view.record.toggled.connect(self.switch)
        view.record_folder.clicked.connect(lambda _=False: self.choose())

    def switch(self, on: bool) -> None:
        """Record, or stop recording; where that is impossible, say why."""
        try:
            self._record(self.folder if on else None)
        except BcannotError as error:
            notices.show_error(one_line(error))
            self._box.setChecked(False)

    def choose(self) -> None:
        """Ask where to record, and go on there."""
        folder = ask_folder(self._parent, "Folder for recorded sessions", str(self.folder))
        if folder is not None:
            self.folder = folder
            choose_folder(folder)
            self.switch(self._box.isChecked())
