"""What can be set of a game beyond task, screen and seed: opens below a button."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from bcannot_core.annotators import BEHAVIOURS
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tasks.options import option_specs
from napari_bcannot.widgets.option_fields import OptionFields
from napari_bcannot.widgets.parts import button, combo, row, widen
from napari_bcannot.widgets.source_fields import SourceFields

if TYPE_CHECKING:
    from napari_bcannot.play_source import Source

_AS_USUAL = -1.0
_MOST_MISTAKES = 90.0
_LEAST, _MOST = 96, 250
"""Height of what can be scrolled, pixels; the screen gives way to it only so far."""


class SetupPanel(QWidget):
    """The options of the task, what is traced in, and how the annotator works.

    Attributes
    ----------
    options : OptionFields
        Of the task; they count from the next world on.
    source : SourceFields
        For neuron tracing.
    behaviour, mistakes : QComboBox, QDoubleSpinBox
        Of the annotator; they count at once.
    apply, reset : QPushButton
        Begins with what is set; sets everything to its default.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.toggle = QToolButton()
        self.toggle.setText("Options")
        self.toggle.setToolTip("How hard the world is, and how the annotator works")
        self.toggle.setCheckable(True)
        self.toggle.setAutoRaise(True)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggle.toggled.connect(self.open)
        self.options = OptionFields()
        self.source = SourceFields()
        self.source.setVisible(False)
        self._traced = False
        self._make_annotator()
        tip = "Begin anew on the world that these options make; the annotator's count at once"
        self.apply = button("Begin with these", tip, small=True)
        self.reset = button("Defaults", "Set every option to its default", small=True)
        self.reset.clicked.connect(lambda _=False: self.set_defaults())
        self._body = self._make_body()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(row(self.toggle, self.reset, self.apply))
        layout.addWidget(self._body)
        self.open(False)

    def _make_annotator(self) -> None:
        self.behaviour = combo("How the scripted annotator works")
        for name in BEHAVIOURS:
            self.behaviour.addItem(name.replace("_", " "), name)
        self.behaviour.setCurrentIndex(self.behaviour.findData("default"))
        self.mistakes = QDoubleSpinBox()
        self.mistakes.setRange(_AS_USUAL, _MOST_MISTAKES)
        self.mistakes.setDecimals(0)
        self.mistakes.setSuffix(" %")
        self.mistakes.setSpecialValueText("as usual")
        self.mistakes.setToolTip("Share of the annotator's placements that go wrong first")
        self.mistakes.setKeyboardTracking(False)
        widen(self.mistakes)
        self.mistakes.setValue(_AS_USUAL)

    def _make_body(self) -> QWidget:
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(2, 0, 6, 2)
        layout.setSpacing(4)
        for part in (self.source, self.options):
            layout.addWidget(part)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        scroll.setMinimumHeight(_LEAST)
        scroll.setMaximumHeight(_MOST)
        body = QWidget()
        outer = QVBoxLayout(body)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(4)
        outer.addWidget(scroll)
        form = QFormLayout()
        form.setVerticalSpacing(3)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Annotator", self.behaviour)
        form.addRow("Mistakes", self.mistakes)
        outer.addLayout(form)
        return body

    def open(self, on: bool) -> None:
        """Show the options, or only their button."""
        self.toggle.setChecked(on)
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        for part in (self.reset, self.apply, self._body):
            part.setVisible(on)

    def show_task(self, task_id: str) -> None:
        """Offer the options of a task."""
        self.options.show_options(option_specs(task_id))
        self.source.setVisible(task_id == NeuronTracing.id)
        self._traced = task_id == NeuronTracing.id

    def set_defaults(self) -> None:
        """Set everything to its default; the source stays."""
        self.options.reset()
        self.behaviour.setCurrentIndex(self.behaviour.findData("default"))
        self.mistakes.setValue(_AS_USUAL)

    def chosen_source(self) -> "Source | None":
        """Return what is traced in; None for made tissue and for other tasks."""
        return self.source.source() if self._traced else None

    def share_of_mistakes(self) -> float | None:
        """Return the rate of mistakes, 0 to 0.9; None for the behaviour's own."""
        share = self.mistakes.value()
        return None if share == _AS_USUAL else share / 100
