"""A form of a task's options, made from what the task says of them."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from napari_bcannot.widgets.dialogs import ask_folder
from napari_bcannot.widgets.parts import KeepFromWheel, button, combo, row, widen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bcannot_core.tasks.options import OptionSpec

_ANY_NUMBER = 100_000
_STEPS = 20
Field = QComboBox | QSpinBox | QDoubleSpinBox | QLineEdit


class OptionFields(QWidget):
    """One field for each option, empty until `show_options`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._specs: dict[str, OptionSpec] = {}
        self.fields: dict[str, Field] = {}
        self._wheel = KeepFromWheel(self)
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(3)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)

    def show_options(self, specs: "Sequence[OptionSpec]") -> None:
        """Offer these options at their defaults, in place of those before."""
        while self._form.rowCount():
            self._form.removeRow(0)
        self._specs = {spec.name: spec for spec in specs}
        self.fields = {}
        for spec in specs:
            field = _make_field(spec)
            tip = _tip(spec)
            field.setToolTip(tip)
            field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            field.installEventFilter(self._wheel)
            self.fields[spec.name] = field
            shown = _with_browse(field, spec) if spec.kind == "folder" else field
            label = QLabel(spec.label)
            label.setToolTip(tip)
            self._form.addRow(label, shown)

    def values(self) -> dict[str, Any]:
        """Return the options that are not at their defaults."""
        found = {name: _read(field, self._specs[name]) for name, field in self.fields.items()}
        return {name: value for name, value in found.items() if value != self._specs[name].default}

    def reset(self) -> None:
        """Set every option to its default."""
        for name, field in self.fields.items():
            set_field(field, self._specs[name], self._specs[name].default)


def set_field(field: Field, spec: "OptionSpec", value: Any) -> None:
    """Fill a value in."""
    if isinstance(field, QComboBox):
        field.setCurrentIndex(spec.choices.index(value))
    elif isinstance(field, QLineEdit):
        field.setText(value)
    elif isinstance(field, QSpinBox):
        as_drawn = spec.drawn and value == spec.default
        field.setValue(field.minimum() if as_drawn else int(value))
    else:
        field.setValue(float(value))


def _make_field(spec: "OptionSpec") -> Field:
    field: Field
    if spec.kind == "choice":
        field = combo("")
        for choice in spec.choices:
            field.addItem(str(choice).replace("_", " "), choice)
    elif spec.kind in ("folder", "text"):
        field = QLineEdit()
        field.setPlaceholderText("none" if spec.kind == "folder" else "")
    else:
        field = _whole(spec) if spec.kind == "whole" else _number(spec)
    widen(field)
    set_field(field, spec, spec.default)
    return field


def _whole(spec: "OptionSpec") -> QSpinBox:
    field = QSpinBox()
    low, high = int(spec.low or 0), int(_ANY_NUMBER if spec.high is None else spec.high)
    field.setRange(low - 1 if spec.drawn else low, high)
    if spec.drawn:
        field.setSpecialValueText("drawn at random")
    return field


def _number(spec: "OptionSpec") -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    low, high = spec.low or 0.0, float(_ANY_NUMBER) if spec.high is None else spec.high
    span = high - low
    field.setDecimals(3 if span <= 0.5 else 2 if span <= 5 else 1)
    field.setRange(low, high)
    field.setSingleStep(1.0 if spec.high is None else round(span / _STEPS, field.decimals()))
    return field


def _read(field: Field, spec: "OptionSpec") -> Any:
    if isinstance(field, QComboBox):
        return field.currentData()
    if isinstance(field, QLineEdit):
        return field.text().strip()
    if spec.drawn and field.value() == field.minimum():
        return spec.default
    return field.value()


def _tip(spec: "OptionSpec") -> str:
    if spec.low is None:
        limits = ""
    elif spec.high is None:
        limits = f" At least {spec.low:g}." if spec.low else ""
    else:
        limits = f" {spec.low:g} to {spec.high:g}."
    default = "drawn" if spec.drawn else spec.default
    usual = f" Usually {default}." if default != "" else ""
    # a document, so that it is broken into lines
    return f"<p>{spec.help}<br><i>{spec.name}:{limits}{usual}</i></p>"


def _with_browse(field: Field, spec: "OptionSpec") -> QWidget:
    browse = button("…", "Choose the folder", small=True)

    def choose() -> None:
        folder = ask_folder(field, spec.label)
        if folder is not None and isinstance(field, QLineEdit):
            field.setText(str(folder))

    browse.clicked.connect(lambda _=False: choose())
    return row(field, browse)
