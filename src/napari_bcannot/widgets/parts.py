"""Pieces that the widgets are put together from."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFrame,
    QGraphicsOpacityEffect,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QWidget,
)

_FINE_PX, _FAINT = 11, 0.7
_LOW = 240
_WIDE, _AS_NEEDED = QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum


class KeepFromWheel(QObject):
    """An event filter for fields that scroll: the wheel turns the page, not a value in passing."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Leave the wheel to what is around a field that does not have the focus."""
        turned = event is not None and event.type() == QEvent.Type.Wheel
        if event is not None and turned and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return bool(super().eventFilter(watched, event))


def keep_from_wheel(widget: QWidget) -> None:
    """Let the wheel change none of the fields of a widget but the one that has the focus."""
    guard = KeepFromWheel(widget)
    for field in [*widget.findChildren(QComboBox), *widget.findChildren(QAbstractSpinBox)]:
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(guard)


def widen(widget: QWidget, *, small: bool = False) -> None:
    """Let a widget take the width that there is, or only what it needs."""
    widget.setSizePolicy(_AS_NEEDED if small else _WIDE, QSizePolicy.Policy.Fixed)


def combo(tip: str, least: int = 6) -> QComboBox:
    """Return a list to choose from, at least so many letters wide."""
    made = QComboBox()
    made.setToolTip(tip)
    made.setMinimumContentsLength(least)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    widen(made)
    return made


def button(text: str, tip: str, *, small: bool = False) -> QPushButton:
    """Return a button, as wide as there is room, or as its text."""
    made = QPushButton(text)
    made.setToolTip(tip)
    widen(made, small=small)
    return made


def text(words: str = "") -> QLabel:
    """Return text of several lines that can be copied."""
    label = QLabel(words)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def fine_print(words: str = "") -> QLabel:
    """Return small faint text of several lines, legible in any theme."""
    label = QLabel(words)
    label.setWordWrap(True)
    label.setStyleSheet(f"font-size: {_FINE_PX}px")
    faint = QGraphicsOpacityEffect(label)
    faint.setOpacity(_FAINT)
    label.setGraphicsEffect(faint)
    return label


def is_dark(widget: QWidget) -> bool:
    """Whether a widget's text is light, so its background dark."""
    return bool(widget.palette().windowText().color().lightnessF() > 0.5)


def row(*widgets: QWidget) -> QWidget:
    """Return widgets side by side; fields take what buttons and labels leave."""
    made = QWidget()
    layout = QHBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(5)
    for widget in widgets:
        plain = isinstance(widget, QPushButton | QCheckBox) or type(widget) is QLabel
        layout.addWidget(widget, 0 if plain else 1)
    return made


class Column(QScrollArea):
    """A column of widgets as wide as it has to be, scrolled where the window is too low for it."""

    def __init__(self, inner: QWidget) -> None:
        super().__init__()
        self._inner = inner
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        """Return room for the whole width, and for a part of the height."""
        return QSize(self._width(self._inner.minimumSizeHint()), _LOW)

    def sizeHint(self) -> QSize:
        """Return room for everything."""
        wanted = self._inner.sizeHint()
        return QSize(self._width(wanted), wanted.height())

    def _width(self, hint: QSize) -> int:
        bar = self.verticalScrollBar()
        return hint.width() + (bar.sizeHint().width() if bar is not None else 0)


def connect_buttons(commands: Iterable[tuple[QPushButton, Callable[[], Any]]]) -> None:
    """Let each button call its command when it is pressed."""
    for pressed, command in commands:
        pressed.clicked.connect(lambda _=False, command=command: command())


def index_of(items: Sequence[Any], wanted: Any) -> int:
    """Return where something is, -1 where it is not: texts by value, all else by identity."""
    found = (
        i
        for i, item in enumerate(items)
        if item is wanted or (isinstance(item, str) and item == wanted)
    )
    return next(found, -1)


def show_progress(bar: QProgressBar, done: int, total: int, words: str | None = None) -> None:
    """Fill in a progress bar; without a total it only says that something goes on.

    It is painted along with everything else: by itself it would paint at once, and the whole window
    with it.
    """
    bar.setUpdatesEnabled(False)
    bar.setRange(0, total)
    bar.setValue(done)
    if words is not None:
        bar.setFormat(words)
    bar.setUpdatesEnabled(True)


def offer(field: QComboBox, entries: Sequence[tuple[str, Any]]) -> None:
    """Make these the entries (text, data) of a list; what was chosen stays chosen if it is there.

    No signal is sent: the caller sees whether the choice is another one.
    """
    at = max(0, index_of([data for _, data in entries], field.currentData()))
    field.blockSignals(True)
    field.clear()
    for words, data in entries:
        field.addItem(words, data)
    field.setCurrentIndex(at if entries else -1)
    field.blockSignals(False)
