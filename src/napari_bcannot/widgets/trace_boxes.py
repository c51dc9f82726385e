"""The parts of the *Trace neuron* widget about modes, proposals and the list of neurites."""

from typing import Any

from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from bcannot_core.tracing.stop_rule import StopRules
from napari_bcannot.shortcuts import LABELS
from napari_bcannot.snapshot import Mode, Snapshot
from napari_bcannot.widgets.neurite_list import NeuriteTable, neurite_view
from napari_bcannot.widgets.parts import button, row, widen

MODES = (
    (Mode.HAND, "By hand", "You place every node; the policy does nothing"),
    (
        Mode.ASSIST,
        "Assist",
        "The policy steps through the sections and proposes each node: accept it or click where it "
        "belongs",
    ),
    (Mode.AUTO, "Auto", "The policy traces until it is done, unsure, or you take over"),
)


class ModeRow(QWidget):
    """Who traces: one of three buttons is pressed.

    Attributes
    ----------
    buttons : dict
        By `Mode`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.group = QButtonGroup(self)
        self.buttons: dict[Mode, QPushButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for mode, label, tip in MODES:
            made = button(label, tip)
            made.setCheckable(True)
            self.group.addButton(made)
            self.buttons[mode] = made
            layout.addWidget(made)
        self.show_mode(Mode.AUTO)

    @property
    def mode(self) -> Mode:
        """The mode whose button is pressed."""
        return next(mode for mode, made in self.buttons.items() if made.isChecked())

    def show_mode(self, mode: Mode) -> None:
        """Press a mode's button."""
        self.buttons[mode].setChecked(True)


class AskRow(QWidget):
    """When a policy that traces by itself should ask, and the answers to what it asks.

    Attributes
    ----------
    asks : QCheckBox
        Whether it stops to ask.
    confidence : QDoubleSpinBox
        Least confidence of a placement.
    advances : QCheckBox
        Whether a node placed by hand leads on to the next section.
    accept, reject : QPushButton
        Take its proposal, or turn it down.
    """

    def __init__(self) -> None:
        super().__init__()
        rules = StopRules()
        self.asks = QCheckBox("Ask when in doubt, below")
        self.asks.setChecked(True)
        self.asks.setToolTip(
            "In Auto, the policy stops and asks before a node that it is unsure of, that jumps or "
            "lies at the border of the volume, and before it ends the neurite early"
        )
        self.confidence = QDoubleSpinBox()
        self.confidence.setRange(0.0, 1.0)
        self.confidence.setSingleStep(0.05)
        self.confidence.setDecimals(2)
        self.confidence.setValue(rules.confidence)
        self.confidence.setToolTip("Least confidence with which the policy places nodes by itself")
        self.confidence.setKeyboardTracking(False)
        widen(self.confidence)
        self.accept = button(
            "Accept", f"Take what the policy proposes ({LABELS['accept_proposal']})"
        )
        self.reject = button("Turn down", f"Go on by hand from here ({LABELS['reject_proposal']})")
        self.advances = QCheckBox("Go on to the next section after a click")
        self.advances.setToolTip(
            "A node placed by hand in the section at hand leads on to the next"
        )
        self._answers = row(self.accept, self.reject)
        self._doubts = row(self.asks, self.confidence)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self._answers, self._doubts, self.advances):
            layout.addWidget(part)

    def rules(self) -> StopRules | None:
        """Return when to stop and ask; None for never."""
        return StopRules(confidence=self.confidence.value()) if self.asks.isChecked() else None

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Let the buttons be pressed while a proposal waits; show what the mode needs."""
        self._answers.setVisible(snapshot.mode is not Mode.HAND)
        self._doubts.setVisible(snapshot.mode is Mode.AUTO)
        self.advances.setVisible(snapshot.mode is Mode.HAND)
        self.accept.setEnabled(snapshot.waiting)
        self.reject.setEnabled(snapshot.waiting)


class NeuriteBox(QGroupBox):
    """The list of neurites and what can be done with them.

    Parameters
    ----------
    table : NeuriteTable
        What is listed.
    """

    def __init__(self, table: NeuriteTable) -> None:
        super().__init__("Neurites")
        self.table = table
        self.list = neurite_view(table)
        self.branch_up = button("Branch +z", "Begin a branch at this section's node, upwards")
        self.branch_down = button("Branch −z", "Begin a branch at this section's node, downwards")
        self.split = button("Split", "Cut the neurite before this section's node")
        self.delete = button("Delete", "Delete this neurite; Undo brings it back")
        grid = QGridLayout(self)
        grid.addWidget(self.list, 0, 0, 1, 4)
        buttons = (self.branch_up, self.branch_down, self.split, self.delete)
        for column, pressed in enumerate(buttons):
            grid.addWidget(pressed, 1, column)

    def show_snapshot(self, snapshot: Snapshot, active: Any) -> None:
        """Mark the active neurite, and let be pressed what can be done with it."""
        at = self.table.row(active)
        if at != self.list.currentIndex().row():
            self.list.selectRow(at) if at >= 0 else self.list.clearSelection()
        here = snapshot.z is not None and snapshot.z in snapshot.nodes
        for pressed in (self.branch_up, self.branch_down):
            pressed.setEnabled(here)
        self.split.setEnabled(here and len(snapshot.nodes) > 1)
        self.delete.setEnabled(active is not None)
