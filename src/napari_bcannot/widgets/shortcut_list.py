"""A small window that lists the keys."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QGroupBox, QLabel, QVBoxLayout, QWidget

from napari_bcannot.shortcuts import all_shortcuts
from napari_bcannot.widgets.parts import fine_print

NOTE = "Keys act while the image has the focus: click into it once."


class ShortcutList(QDialog):
    """The keys in groups; stays beside the work until it is closed."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("bcannot: keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        layout = QVBoxLayout(self)
        for name, rows in all_shortcuts():
            layout.addWidget(_group(name, rows))
        layout.addWidget(fine_print(NOTE))

    @classmethod
    def show_for(cls, window: QWidget) -> "ShortcutList":
        """Show the list over a window, once."""
        shown = window.findChild(cls) or cls(window)
        shown.show()
        shown.raise_()
        return shown


def _group(name: str, rows: list[tuple[str, str]]) -> QGroupBox:
    box = QGroupBox(name)
    grid = QGridLayout(box)
    grid.setColumnStretch(1, 1)
    for i, (key, does) in enumerate(rows):
        grid.addWidget(QLabel(f"<b>{key}</b>"), i, 0)
        grid.addWidget(QLabel(does), i, 1)
    return box
