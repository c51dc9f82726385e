"""A dock widget that ends what it began, however it goes away."""

from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from napari_bcannot.widgets.parts import keep_from_wheel


class DockedWidget(QWidget):
    """A widget with a `shut_down` that runs when it, its dock or the viewer's window closes.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that it is docked in.
    view : QWidget
        What it shows.
    """

    def __init__(self, viewer: Any, view: QWidget) -> None:
        super().__init__()
        self.viewer = viewer
        self._closed = False
        self._window_asks = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(view)
        keep_from_wheel(view)

    @property
    def is_open(self) -> bool:
        """Whether the widget can still be used: it has not been shut down."""
        return not self._closed

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
            # nobody else would: what its buttons are connected to keeps the widget alive
            self.deleteLater()
        return bool(super().event(event))

    def showEvent(self, event: Any) -> None:
        """Watch the window that the widget is docked in."""
        super().showEvent(event)
        window = self.window()
        if isinstance(window, QMainWindow):
            window.installEventFilter(self)  # no reference is kept: it would keep the viewer alive

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """End everything when the viewer's window closes.

        Closed by a program, it closes for sure; by its button or a key, napari may still ask, and
        the person say no. Then the window has closed only once it is hidden.
        """
        if event is not None and isinstance(watched, QMainWindow):
            asked, by_person = self._window_asks, event.spontaneous()
            if event.type() == QEvent.Type.Close:
                self._window_asks = by_person
                asked = True
            closes = event.type() in (QEvent.Type.Close, QEvent.Type.Hide)
            if closes and asked and not by_person:
                self.shut_down()
        return bool(super().eventFilter(watched, event))
