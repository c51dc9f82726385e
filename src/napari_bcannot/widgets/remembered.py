"""Fields of a widget that come back as they were left."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox, QWidget

from napari_bcannot.settings import Value, keep_section, read_section

WAIT_MS = 400
"""So long after the last change the fields are written."""


class Kept(NamedTuple):
    """A value of a widget that is no plain field."""

    read: Callable[[], Value]
    write: Callable[[Any], None]
    """Takes any kept value; what makes no sense is to be left out."""
    changed: Any
    """The Qt signal."""


class Remembered(QObject):
    """Fills fields with what was kept, and keeps what they are changed to.

    Values that a field no longer takes are left out: a spin box keeps to its range, a list to its
    entries.

    Parameters
    ----------
    section : str
        What the values are kept under, for example ``"trace"``.
    fields : mapping
        Names and fields: check boxes, spin boxes, lists (by the data of the entry, else its text),
        lines of text, or `Kept`.
    owner : QWidget
        The widget that they are on; with it the last changes are written.
    """

    def __init__(self, section: str, fields: Mapping[str, "QWidget | Kept"], owner: QWidget):
        super().__init__(owner)
        self._section = section
        self._fields = {name: _kept(field) for name, field in fields.items()}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self.keep)
        stored = read_section(section)
        for name, field in self._fields.items():
            if name in stored:
                field.write(stored[name])
            field.changed.connect(self._on_change)
        owner.installEventFilter(self)

    def keep(self) -> None:
        """Write the values now."""
        self._timer.stop()
        keep_section(self._section, {name: field.read() for name, field in self._fields.items()})

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Write what is waiting when the widget is closed or hidden."""
        ends = (QEvent.Type.Close, QEvent.Type.Hide, QEvent.Type.ParentChange)
        if event is not None and event.type() in ends and self._timer.isActive():
            self.keep()
        return bool(super().eventFilter(watched, event))

    def _on_change(self, *_: Any) -> None:
        self._timer.start()


def _kept(field: "QWidget | Kept") -> Kept:
    if isinstance(field, Kept):
        return field
    if isinstance(field, QCheckBox):
        return Kept(field.isChecked, lambda value: field.setChecked(value is True), field.toggled)
    if isinstance(field, QSpinBox):
        return Kept(field.value, lambda value: _set_number(field, value, int), field.valueChanged)
    if isinstance(field, QDoubleSpinBox):
        return Kept(field.value, lambda value: _set_number(field, value, float), field.valueChanged)
    if isinstance(field, QComboBox):
        return Kept(
            lambda: _chosen(field), lambda value: _choose(field, value), field.currentIndexChanged
        )
    if isinstance(field, QLineEdit):
        return Kept(field.text, lambda value: _set_text(field, value), field.textChanged)
    raise TypeError(f"a {type(field).__name__} cannot be remembered: wrap it in Kept")


def _set_number(field: Any, value: Value, kind: type) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        field.setValue(kind(min(max(value, field.minimum()), field.maximum())))


def _set_text(field: QLineEdit, value: Value) -> None:
    if isinstance(value, str):
        field.setText(value)


def _chosen(field: QComboBox) -> Value:
    data = field.currentData()
    return data if isinstance(data, Value) and data is not None else field.currentText()


def _choose(field: QComboBox, value: Value) -> None:
    at = field.findData(value)
    if at < 0 and isinstance(value, str):
        at = field.findText(value)
    if at >= 0:
        field.setCurrentIndex(at)
