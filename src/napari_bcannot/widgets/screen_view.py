"""Shows a task's screen, and takes the person's clicks and keys on it."""

from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QEvent, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QKeyEvent, QKeySequence, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_bcannot.screen_fit import Fit

if TYPE_CHECKING:
    from collections.abc import Container

    import numpy as np
    from numpy.typing import NDArray

_FRAME_WH = (426, 436)
_SHOWN_SMALLEST = 0.5
_FOCUS = QColor(88, 156, 255)


class ScreenView(QWidget):
    """A frame, as large as fits, crisp where it can be.

    Attributes
    ----------
    clicked : Signal
        Emits the frame pixel (x, y) that the left mouse button was pressed on.
    keyed : Signal
        Emits the name of a key that stands in ``keys``, as ``"."``, ``"M"`` or ``"Ctrl+Z"``.
    keys : container of str
        The keys that are the screen's; all others are left to the window.
    """

    clicked = Signal(int, int)
    keyed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.keys: Container[str] = ()
        self._image: QImage | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(*(int(side * _SHOWN_SMALLEST) for side in _FRAME_WH))

    def show_frame(self, frame: "NDArray[np.uint8] | None") -> None:
        """Show a frame, uint8 (h, w, 3), or nothing."""
        self._image = None
        if frame is not None:
            height, width = frame.shape[:2]
            kind = QImage.Format.Format_RGB888
            pixels = QImage(frame.tobytes(), width, height, 3 * width, kind)
            self._image = pixels.copy()  # its own memory
        self.update()

    def let_click(self, on: bool) -> None:
        """Show by the mouse pointer whether clicks count."""
        shape = Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)

    @property
    def fit(self) -> Fit:
        """Where the frame is shown."""
        image = self._image
        size = _FRAME_WH if image is None else (image.width(), image.height())
        return Fit(size, (self.width(), self.height()), self.devicePixelRatioF())

    def sizeHint(self) -> QSize:
        """Return the frame's own size."""
        return QSize(*_FRAME_WH)

    def paintEvent(self, _: Any) -> None:
        """Draw the frame; where it cannot be crisp, enlarged in whole steps and then reduced."""
        image = self._image
        if image is None:
            return
        fit = self.fit
        if not fit.crisp and fit.scale > 1:
            steps = int(fit.scale) + 1
            image = image.scaled(image.width() * steps, image.height() * steps)
        painter = QPainter(self)
        smooth = QPainter.RenderHint.SmoothPixmapTransform
        painter.setRenderHint(smooth, not fit.crisp)
        target = QRectF(*fit.origin, *fit.size)
        painter.drawImage(target, image, QRectF(image.rect()))
        if self.hasFocus():
            painter.setPen(QPen(_FOCUS, 1))
            painter.drawRect(target.adjusted(0, 0, -1, -1))
        painter.end()

    def mousePressEvent(self, event: Any) -> None:
        """Click with the left button."""
        place = event.position() if hasattr(event, "position") else event.localPos()
        fit = self.fit
        half = 0.5 / fit.ratio  # the mouse names a pixel by its corner
        pixel = fit.to_frame(place.x() + half, place.y() + half)
        if event.button() == Qt.MouseButton.LeftButton and self._image is not None and pixel:
            self.clicked.emit(*pixel)
        event.accept()

    def event(self, event: QEvent | None) -> bool:
        """Keep the screen's keys from the window's menus."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and key_name(event) in self.keys
        ):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Press what the key stands for; the window gets all other keys."""
        name = "" if event is None else key_name(event)
        if event is not None and name in self.keys:
            self.keyed.emit(name)
            event.accept()
        else:
            super().keyPressEvent(event)


def key_name(event: QKeyEvent) -> str:
    """Return a key's name: the character typed, or as ``"Shift+D"`` and ``"Ctrl+Z"``."""
    modifiers = event.modifiers()
    held = [
        name
        for name, modifier in (
            ("Ctrl", Qt.KeyboardModifier.ControlModifier),
            ("Alt", Qt.KeyboardModifier.AltModifier),
            ("Shift", Qt.KeyboardModifier.ShiftModifier),
        )
        if modifiers & modifier
    ]
    typed = event.text()
    if typed.isprintable() and typed and not typed.isalpha() and held in ([], ["Shift"]):
        return typed
    return "+".join([*held, QKeySequence(event.key()).toString()])
