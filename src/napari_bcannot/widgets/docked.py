"""A dock widget that ends what it began, however it goes away."""

from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QWidget


class DockedWidget(QWidget):
    """A widget with a `shut_down` that runs when it, its dock or the viewer's window closes."""

    def __init__(self) -> None:
        super().__init__()
        self._closed = False

    def shut_down(self) -> None:
        """End everything, once: no worker, no key and no callback stays."""
        if not self._closed:
            self._closed = True
            self.release()

    def release(self) -> None:
        """Let go of what the widget holds; called once. A plain widget holds nothing."""

    def closeEvent(self, event: Any) -> None:
        """End everything with the widget."""
        self.shut_down()
        super().closeEvent(event)

    def event(self, event: QEvent | None) -> bool:
        """End everything when the dock is removed: napari then takes the widget out of it."""
        moved = event is not None and event.type() == QEvent.Type.ParentChange
        if moved and self.parent() is None:
            self.shut_down()
        return bool(super().event(event))

    def showEvent(self, event: Any) -> None:
        """Watch the window that the widget is docked in."""
        super().showEvent(event)
        window = self.window()
        if isinstance(window, QMainWindow):
            window.installEventFilter(self)  # no reference is kept: it would keep the viewer alive

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """End everything before the viewer's window closes."""
        closing = event is not None and event.type() == QEvent.Type.Close
        if closing and isinstance(watched, QMainWindow):
            self.shut_down()
        return bool(super().eventFilter(watched, event))
