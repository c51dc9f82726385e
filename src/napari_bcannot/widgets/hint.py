"""The hint that greets whoever opens the plugin for the first time."""

from typing import TYPE_CHECKING, cast

from qtpy.QtWidgets import QFrame, QVBoxLayout

from napari_bcannot.compat import run_command
from napari_bcannot.first_run import hint_seen, hint_text, is_first_run
from napari_bcannot.widgets.parts import button, connect_buttons, row, text

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

SAMPLE_COMMAND = "napari-bcannot.sample_em"


class FirstRunHint(QFrame):
    """A few steps to begin with; put away by its button, for good."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.words = text(hint_text())
        self.sample = button("Open the sample volume", "A small EM volume with neurites to trace")
        self.put_away = button("Got it", "Do not show this again")
        layout = QVBoxLayout(self)
        layout.addWidget(self.words)
        layout.addWidget(row(self.sample, self.put_away))
        connect_buttons(
            [(self.sample, lambda: run_command(SAMPLE_COMMAND)), (self.put_away, self.dismiss)]
        )

    def dismiss(self) -> None:
        """Put the hint away for good."""
        hint_seen()
        self.hide()


def show_hint(view: "QWidget") -> None:
    """Show the hint on top of what is laid out in a column, unless it was put away."""
    layout = cast("QVBoxLayout", view.layout())
    hint = view.findChild(FirstRunHint)
    if hint is None and is_first_run():
        hint = FirstRunHint()
        layout.insertWidget(0, hint)
    if hint is not None:
        hint.setVisible(is_first_run())
