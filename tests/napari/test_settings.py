"""What is kept from one start to the next."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from napari_bcannot.first_run import hint_seen, hint_unseen, is_first_run
from napari_bcannot.settings import MOST_BYTES, forget_settings, keep_section, read_section
from napari_bcannot.widgets.remembered import Kept, Remembered

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


def test_nothing_is_kept_at_first(settings_file, notices):
    assert read_section("trace") == {}
    assert not settings_file.exists()
    assert not notices


def test_sections_are_kept_beside_each_other(settings_file):
    keep_section("trace", {"sections": 20, "policy": "mine"})
    keep_section("batch", {"workers": 2})
    keep_section("trace", {"sections": 30})
    assert read_section("trace") == {"sections": 30, "policy": "mine"}
    assert read_section("batch") == {"workers": 2}
    assert set(json.loads(settings_file.read_text())) == {"trace", "batch"}
    forget_settings()
    assert read_section("trace") == {}
    forget_settings()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=5))
def test_any_values_come_back(settings_file, values):
    forget_settings()
    keep_section("any", values)
    assert read_section("any") == values


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b"[" * 100_000, b" " * (MOST_BYTES + 1), b"NaN"]
)
def test_a_bad_file_is_put_aside_and_said(settings_file, notices, text):
    settings_file.parent.mkdir(parents=True)
    settings_file.write_bytes(text)
    assert read_section("trace") == {}
    ((kind, said),) = notices
    assert kind == "warning"
    assert str(settings_file) in said
    assert settings_file.with_suffix(".bad.json").read_bytes() == text
    keep_section("trace", {"sections": 5})
    assert read_section("trace") == {"sections": 5}
    assert len(notices) == 1


def test_what_is_no_plain_value_is_left_out(settings_file):
    settings_file.parent.mkdir(parents=True)
    settings_file.write_text('{"trace": {"a": [1], "b": {"c": 1}, "d": 4}, "batch": 3}')
    assert read_section("trace") == {"d": 4}
    assert read_section("batch") == {}
    keep_section("batch", {"workers": 1})
    assert read_section("batch") == {"workers": 1}


def test_a_place_that_cannot_be_written_is_said_once(settings_file, notices):
    settings_file.parent.touch()  # a file where the folder should be
    keep_section("trace", {"sections": 1})
    keep_section("trace", {"sections": 2})
    unread, unwritten = (text for _, text in notices)
    assert "cannot be read" in unread
    assert "cannot be written" in unwritten


def test_the_hint_is_for_the_first_run_until_it_is_put_away():
    assert is_first_run()
    hint_seen()
    assert not is_first_run()
    hint_unseen()
    assert is_first_run()


# -------------------------------------------------------------------------------- fields


class Form(QWidget):
    """One field of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.check, self.count, self.size = QCheckBox(), QSpinBox(), QDoubleSpinBox()
        self.choice, self.text, self.label = QComboBox(), QLineEdit(), QLabel("x")
        self.choice.addItem("up (+z)", 1)
        self.choice.addItem("down", -1)
        self.choice.addItem("plain")
        names = ("check", "count", "size", "choice", "text")
        fields = {name: getattr(self, name) for name in names}
        fields["label"] = Kept(
            self.label.text, lambda value: self.label.setText(str(value)), self.text.textChanged
        )
        self.remembered = Remembered("form", fields, self)

    def values(self):
        field = self.choice.currentData()
        choice = self.choice.currentText() if field is None else field
        words = (self.text.text(), self.label.text())
        return self.check.isChecked(), self.count.value(), self.size.value(), choice, *words


@pytest.fixture
def form(qtbot):
    made = Form()
    qtbot.addWidget(made)
    return made


def change(form):
    form.check.setChecked(True)
    form.count.setValue(7)
    form.size.setValue(2.5)
    form.choice.setCurrentIndex(1)
    form.label.setText("y")
    form.text.setText("tcp://host")


def test_fields_come_back_as_they_were_left(form, qtbot):
    change(form)
    assert read_section("form") == {}, "written before the person has finished"
    qtbot.waitUntil(lambda: bool(read_section("form")), timeout=5000)
    again = Form()
    qtbot.addWidget(again)
    assert again.values() == form.values() == (True, 7, 2.5, -1, "tcp://host", "y")


def test_closing_writes_what_is_waiting(form):
    form.show()
    change(form)
    form.close()
    assert read_section("form")["count"] == 7


def test_leaving_its_dock_writes_what_is_waiting(form):
    change(form)
    QApplication.sendEvent(form, QEvent(QEvent.Type.ParentChange))
    assert read_section("form")["text"] == "tcp://host"


def test_an_entry_without_data_is_kept_by_its_text(form, qtbot):
    form.choice.setCurrentIndex(2)
    form.remembered.keep()
    again = Form()
    qtbot.addWidget(again)
    assert again.choice.currentIndex() == 2


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", 1000, 99),
        ("count", -3, 0),
        ("count", 3.7, 3),
        ("count", "many", 0),
        ("count", True, 0),
        ("size", 1e308, 99.99),
        ("size", None, 0),
        ("check", 1, False),
        ("choice", "gone", 1),
        ("choice", "plain", "plain"),
        ("text", 5, ""),
    ],
)
def test_values_that_a_field_does_not_take_are_left_out(qtbot, name, value, expected):
    keep_section("form", {name: value})
    form = Form()
    qtbot.addWidget(form)
    at = {"check": 0, "count": 1, "size": 2, "choice": 3, "text": 4}[name]
    assert form.values()[at] == expected


def test_a_number_that_is_none_is_left_out(settings_file, qtbot):
    settings_file.parent.mkdir(parents=True)
    settings_file.write_text('{"form": {"count": NaN, "size": Infinity}}')
    form = Form()
    qtbot.addWidget(form)
    assert form.values()[1:3] == (0, 0)


def test_a_widget_that_is_no_field_is_refused(qtbot):
    owner = QWidget()
    qtbot.addWidget(owner)
    with pytest.raises(TypeError, match="QLabel"):
        Remembered("form", {"label": QLabel()}, owner)
