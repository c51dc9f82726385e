"""What the *Play a task* widget looks like: fields and buttons, no behaviour."""

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_bcannot.widgets.parts import button, combo, fine_print, is_dark, row, text, widen
from napari_bcannot.widgets.screen_view import ScreenView
from napari_bcannot.widgets.setup_panel import SetupPanel

if TYPE_CHECKING:
    from napari_bcannot.play_snapshot import PlaySnapshot

MOST_SEED = 2**31 - 1
NEW_SEEDS = 1_000_000
"""New seeds are drawn below this, so that they can be read and remembered."""
SPEEDS: tuple[tuple[str, float | None], ...] = (
    ("a person's pace", None),
    ("1 step/s", 1.0),
    ("2 steps/s", 2.0),
    ("5 steps/s", 5.0),
    ("10 steps/s", 10.0),
    ("30 steps/s", 30.0),
)
_USUAL_SPEED = 3
_GOOD = {True: "#5fd38d", False: "#1b7f42"}
_BAD = {True: "#ff6b6b", False: "#c92a2a"}
"""Colours of what is right and wrong, on a dark background and on a light one."""


class PlayView(QWidget):
    """Fields, the screen, the slider and the buttons, laid out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # wants the height, so that napari leaves it to the screen
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._make_choice()
        self._make_transport()
        self._make_rest()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(5)
        layout.addWidget(self._choice_form())
        layout.addWidget(self.setup)
        layout.addWidget(self.canvas, 1)
        layout.addWidget(row(self.slider, self.position))
        layout.addWidget(row(self.back, self.play, self.step, self.speed))
        for label in (self.caption, self.status, self.score):
            layout.addWidget(label)
        layout.addWidget(row(self.layers, self.record, self.record_folder))
        layout.addWidget(row(self.open, self.episode, self.episode_name))
        layout.addWidget(self.help)

    # ---------------------------------------------------------------------------- fields
    def _make_choice(self) -> None:
        self.task = combo("What is to be annotated")
        self.variant = combo("How the screen is laid out and coloured")
        self.seed = QSpinBox()
        self.seed.setRange(0, MOST_SEED)
        self.seed.setToolTip("The same seed gives the same world")
        widen(self.seed)
        self.new = button("New seed", "Draw a seed and begin on its world", small=True)
        self.again = button("Again", "Begin anew on the world of this seed", small=True)
        self.setup = SetupPanel()
        self.canvas = ScreenView()

    def _make_transport(self) -> None:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 0)
        self.slider.setToolTip("Look at any step; the last one is where you play on")
        self.position = QLabel("")
        self.position.setMinimumWidth(self.position.fontMetrics().horizontalAdvance("0000 / 0000"))
        self.back = button("Back", "Look at the step before")
        self.play = button("Watch", "")
        self.step = button("Step", "Go on by one step: of what was clicked, or by the annotator")
        self.speed = combo("How fast it plays")
        for words, rate in SPEEDS:
            self.speed.addItem(words, rate)
        self.speed.setCurrentIndex(_USUAL_SPEED)
        self.caption = text()
        self.caption.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.caption.setToolTip("The click that comes next, marked by the cross")

    def _make_rest(self) -> None:
        self.status = text()
        self.score = text()
        self.score.setTextFormat(Qt.TextFormat.RichText)
        self.layers = button("Show in viewer", "Open the world and the annotation as layers")
        self.record = QCheckBox("Record")
        self.record.setToolTip("Keep what is clicked: a journal while you play, an episode after")
        widen(self.record, small=True)
        self.record_folder = button("Folder…", "Choose where sessions are recorded", small=True)
        tip = "Look at recorded episodes: choose their folder"
        self.open = button("Open recording…", tip, small=True)
        self.episode = QSpinBox()
        self.episode.setToolTip("Which episode of the folder")
        self.episode.setKeyboardTracking(False)
        self.episode_name = QLabel("")
        # its text may be cut off: a long name must not make the dock wide
        self.episode_name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.help = fine_print()
        self.show_episodes(0)

    def _choice_form(self) -> QWidget:
        box = QWidget()
        form = QFormLayout(box)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Task", self.task)
        form.addRow("Screen", self.variant)
        form.addRow("Seed", row(self.seed, self.again, self.new))
        return box

    def showEvent(self, event: QShowEvent | None) -> None:
        """Give the caption two lines always, so that the screen stays where it is while it plays.

        The font is the viewer's only now.
        """
        super().showEvent(event)
        self.caption.setFixedHeight(2 * self.caption.fontMetrics().lineSpacing() + 4)

    def event(self, event: QEvent | None) -> bool:
        """Ask for the height that the texts need at this width, so that nothing overlaps."""
        done = bool(super().event(event))
        layout = self.layout()
        changes = (QEvent.Type.LayoutRequest, QEvent.Type.Resize)
        if event is not None and event.type() in changes and layout is not None:
            self.setMinimumHeight(layout.minimumHeightForWidth(self.width()))
        return done

    # -------------------------------------------------------------------------- contents
    def show_snapshot(self, snapshot: "PlaySnapshot") -> None:
        """Fill in where it stands, what comes next and which buttons can be pressed."""
        self.slider.blockSignals(True)
        self.slider.setRange(0, snapshot.steps)
        self.slider.setValue(snapshot.position)
        self.slider.blockSignals(False)
        self.slider.setEnabled(snapshot.steps > 0)
        self.position.setText(f"{snapshot.position} / {snapshot.steps}" if snapshot.active else "")
        self.back.setEnabled(snapshot.position > 0)
        self.step.setEnabled(snapshot.can_advance)
        self.play.setEnabled(snapshot.can_advance or snapshot.recorded)
        self.play.setText(_play_text(snapshot))
        self.play.setToolTip(
            "Play the recording" if snapshot.recorded else "Let the scripted annotator go on"
        )
        self.canvas.let_click(snapshot.can_click)
        self.layers.setEnabled(snapshot.active)
        self.caption.setText(f"Next: {snapshot.caption}" if snapshot.caption else snapshot.title)
        dark = is_dark(self.status)
        self.caption.setStyleSheet(f"color: {_BAD[dark]}" if snapshot.mistaken else "")
        self.status.setText(snapshot.text)
        self.score.setVisible(snapshot.score is not None)
        self.score.setText("" if snapshot.score is None else score_text(snapshot.score, dark=dark))

    def show_episodes(self, count: int, chosen: int = 0, name: str = "") -> None:
        """Offer so many episodes; none where nothing was opened."""
        self.episode.setVisible(count > 0)
        self.episode_name.setText(f"of {count} · {name}" if count else "")
        if count:
            self.episode.blockSignals(True)
            self.episode.setRange(0, count - 1)
            self.episode.setValue(chosen)
            self.episode.blockSignals(False)


def score_text(score: Mapping[str, Any], *, dark: bool = True) -> str:
    """Return metrics as rich text, success first."""
    good = bool(score.get("success"))
    colour = (_GOOD if good else _BAD)[dark]
    first = f'<b style="color: {colour}">{"success" if good else "no success"}</b>'
    rest = [
        f"{escape(name.replace('_', ' '))} <b>{_value_text(value)}</b>"
        for name, value in score.items()
        if name != "success"
    ]
    return " &nbsp; ".join([first, *rest])


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    return escape(str(value))


def _play_text(snapshot: "PlaySnapshot") -> str:
    if snapshot.playing:
        return "Pause"
    return "Play" if snapshot.recorded else "Watch"
