"""What the *Trace neuron* widget looks like: fields and buttons, no behaviour."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_bcannot.shortcuts import HELP, LABELS
from napari_bcannot.snapshot import Mode
from napari_bcannot.widgets.nm_field import NmField
from napari_bcannot.widgets.parts import (
    button,
    combo,
    fine_print,
    offer,
    row,
    show_progress,
    text,
)
from napari_bcannot.widgets.trace_boxes import AskRow, ModeRow, NeuriteBox

if TYPE_CHECKING:
    from napari_bcannot.snapshot import Snapshot
    from napari_bcannot.widgets.neurite_list import NeuriteTable


RECORD_TIP = "Keep every click in the session's folder: nothing is lost in a crash"


class TraceView(QWidget):
    """Fields, buttons and the status line, laid out. `show_snapshot` fills in what is going on.

    Parameters
    ----------
    table : NeuriteTable
        The neurites that are listed.
    """

    def __init__(self, table: "NeuriteTable") -> None:
        super().__init__()
        self.modes = ModeRow()
        self.ask = AskRow()
        self.neurites = NeuriteBox(table)
        self._make_setup()
        self._make_controls()
        self._make_output()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self._setup_box())
        layout.addWidget(self._controls_box())
        layout.addWidget(self.status)
        layout.addWidget(self.progress)
        layout.addWidget(self.neurites, 1)
        layout.addWidget(self._output_box())
        layout.addWidget(self.help)

    # ---------------------------------------------------------------------------- fields
    def _make_setup(self) -> None:
        self.volume = combo("The 3-D image layer to trace in")
        self.open = button(
            "Open…", "Open a volume by its address: a file, a folder or a URL", small=True
        )
        self.voxel = tuple(
            NmField(f"Voxel size along {axis}, in nm", 0.001, 1_000_000.0, 10.0) for axis in "zyx"
        )
        self.nm_per_px = NmField(
            "Size of a pixel that the policy sees, in nm. It was trained near 10.",
            0.5,
            1000.0,
            10.0,
        )
        self.sections = QSpinBox()
        self.sections.setRange(1, 100_000)
        self.sections.setValue(50)
        self.sections.setToolTip("How many sections the trace covers at most")
        self.direction = combo("Which way the trace goes through the sections")
        self.direction.addItem("up (+z)", 1)
        self.direction.addItem("down (−z)", -1)
        self.policy = combo("Which policy traces: the shipped one, or a folder with a checkpoint")
        self.policy_folder = button(
            "Folder…", "Use a policy of your own: choose its folder", small=True
        )
        self.pick = QPushButton("Pick start point")
        self.pick.setCheckable(True)
        self.pick.setToolTip(
            "Then click the neurite in the viewer: the trace starts there, with its first node"
        )
        self.start_point = QLabel("none yet")
        self.start_point.setToolTip("Start point (z, y, x), in voxels")

    def _make_controls(self) -> None:
        self.start = button("Start", f"Let the policy trace from here ({LABELS['toggle']})")
        self.pause = button("Pause", f"Hold the policy; Start goes on ({LABELS['toggle']})")
        self.step = button("Step", f"One click by the policy ({LABELS['step']})")
        self.stop = button("Stop", "End the policy's run; the trace stays and is yours to edit")
        self.undo = button("Undo", f"Take back the last edit, whoever made it ({LABELS['undo']})")
        self.redo = button("Redo", f"Make it again ({LABELS['redo']})")
        self.previous = button("−z", f"Previous section ({LABELS['previous_section']})")
        self.next = button("+z", f"Next section ({LABELS['next_section']})")
        self.done = button("Done", f"The trace is complete ({LABELS['done']})")

    def _make_output(self) -> None:
        self.heatmap = QCheckBox("Show heatmap")
        self.heatmap.setToolTip("Where the policy considered clicking, over the image")
        self.record = QCheckBox("Record session")
        self.record.setToolTip(RECORD_TIP)
        self.record_folder = button("Folder…", "Choose where journals are written", small=True)
        self.save = button(
            "Save…", "Write this neurite with its branches to a file: SWC, NML or CSV"
        )
        self.save_all = button("Save all…", "Write all neurites to a file: SWC, NML or CSV")
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.progress.setFormat("no trace")
        self.progress.setRange(0, 1)
        self.progress.setValue(0)
        self.status = text("Choose a volume and pick a start point.")
        self.status.setMinimumHeight(self.status.fontMetrics().lineSpacing() * 2)
        self.help = fine_print(HELP)

    # ---------------------------------------------------------------------------- layout
    def _setup_box(self) -> QGroupBox:
        box = QGroupBox("Where to trace")
        form = QFormLayout(box)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Volume", row(self.volume, self.open))
        form.addRow("Voxel z, y, x (nm)", row(*self.voxel))
        form.addRow("Pixel (nm)", self.nm_per_px)
        form.addRow("Sections", row(self.sections, self.direction))
        form.addRow("Policy", row(self.policy, self.policy_folder))
        form.addRow(self.pick, self.start_point)
        return box

    def _controls_box(self) -> QGroupBox:
        box = QGroupBox("Trace")
        grid = QGridLayout(box)
        grid.setVerticalSpacing(5)
        grid.addWidget(self.modes, 0, 0, 1, 4)
        for column, pressed in enumerate((self.start, self.pause, self.step, self.stop)):
            grid.addWidget(pressed, 1, column)
        grid.addWidget(self.ask, 2, 0, 1, 4)
        edits = (self.previous, self.next, self.undo, self.redo)
        for column, pressed in enumerate(edits):
            grid.addWidget(pressed, 3, column)
        grid.addWidget(self.done, 4, 0, 1, 2)
        grid.addWidget(self.save, 4, 2)
        grid.addWidget(self.save_all, 4, 3)
        return box

    def _output_box(self) -> QWidget:
        box = QWidget()
        layout = QHBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.heatmap)
        layout.addStretch(1)
        layout.addWidget(self.record)
        layout.addWidget(self.record_folder)
        return box

    # -------------------------------------------------------------------------- contents
    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Fill in the progress, the status and which buttons can be pressed."""
        active = snapshot.active
        editable = active and not snapshot.finished
        by_policy = snapshot.mode is not Mode.HAND
        idle = by_policy and not snapshot.running and not snapshot.waiting
        self.modes.show_mode(snapshot.mode)
        self.ask.show_snapshot(snapshot)
        self.start.setEnabled(self.volume.count() > 0 and idle)
        self.pause.setEnabled(snapshot.running or snapshot.waiting)
        self.step.setEnabled(active and idle)
        self.stop.setEnabled(snapshot.running or snapshot.waiting or snapshot.paused)
        self.undo.setEnabled(snapshot.can_undo)
        self.redo.setEnabled(snapshot.can_redo)
        self.previous.setEnabled(editable and snapshot.section > 1)
        self.next.setEnabled(editable and snapshot.section < snapshot.sections)
        self.done.setEnabled(editable)
        self.save.setEnabled(bool(snapshot.nodes))
        self.save_all.setEnabled(snapshot.saves)
        for field in (self.volume, *self.voxel, self.nm_per_px, self.sections, self.direction):
            field.setEnabled(not snapshot.running)
        self.status.setText(snapshot.text)
        if snapshot.start_zyx is not None:
            z, y, x = snapshot.start_zyx
            self.start_point.setText(f"z {z:g}, y {y:g}, x {x:g}")
        self._show_progress(snapshot)

    def _show_progress(self, snapshot: "Snapshot") -> None:
        here, sections = snapshot.section, snapshot.sections
        words = f"section {here} of {sections}" if snapshot.active else "no trace"
        show_progress(self.progress, here if snapshot.active else 0, max(1, sections), words)

    def show_volumes(self, layers: list[Any]) -> None:
        """Offer these layers; the chosen one stays chosen while it is there."""
        offer(self.volume, [(layer.name, layer) for layer in layers])

    def show_voxel_nm(self, voxel_nm: tuple[float, float, float]) -> None:
        """Fill in a voxel size (z, y, x), nm."""
        for field, size in zip(self.voxel, voxel_nm, strict=True):
            field.setValue(size)

    def show_source(
        self, layer: Any, voxel_nm: tuple[float, float, float], nm_per_px: float
    ) -> None:
        """Choose a layer and fill in the sizes that it is traced with, whatever it states."""
        self.volume.blockSignals(True)
        self.volume.setCurrentIndex(self.volume.findData(layer))
        self.volume.blockSignals(False)
        self.show_voxel_nm(voxel_nm)
        self.nm_per_px.setValue(nm_per_px)

    def voxel_nm(self) -> tuple[float, float, float]:
        """Return the voxel size (z, y, x) in the fields, nm."""
        z, y, x = (field.value() for field in self.voxel)
        return z, y, x
