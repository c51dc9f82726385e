"""What the *Trace many* widget looks like: fields and buttons, no behaviour."""

import os
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFormLayout,
    QGroupBox,
    QLineEdit,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_bcannot.batch import usual_workers
from napari_bcannot.widgets.batch_table import BatchTable, table_view
from napari_bcannot.widgets.nm_field import NmField
from napari_bcannot.widgets.parts import button, combo, offer, row, show_progress, text

if TYPE_CHECKING:
    from napari_bcannot.batch import BatchController
    from napari_bcannot.geometry import Triple

HERE, CLUSTER = "here", "cluster"


class BatchView(QWidget):
    """Fields, buttons, the table and the status line, laid out.

    Parameters
    ----------
    controller : BatchController
        Whose rows the table shows.
    """

    def __init__(self, controller: "BatchController") -> None:
        super().__init__()
        self._make_fields()
        self._make_starts(controller)
        self._make_controls()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self._starts_box(), 1)
        layout.addWidget(self._how_box())
        layout.addWidget(row(self.start, self.cancel))
        layout.addWidget(row(self.take_over, self.save))
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        self.where.currentIndexChanged.connect(lambda _: self.show_where())
        self.show_where()

    # ---------------------------------------------------------------------------- fields
    def _make_starts(self, controller: "BatchController") -> None:
        self.volume = combo("The 3-D image layer to trace in; Clear the list to choose another")
        self.voxel = tuple(
            NmField(f"Voxel size along {axis}, in nm", 0.001, 1_000_000.0, 10.0) for axis in "zyx"
        )
        self.table_file = button(
            "From table…", "Add the start points of a CSV file with columns z, y, x (voxels)"
        )
        self.points = combo("A points layer whose points are start points")
        self.take = button("Add its points", "Add the points of this layer as start points")
        self.clear = button("Clear", "Take all start points out of the list; layers stay")
        self.table = BatchTable(controller)
        self.list = table_view(self.table)

    def _make_fields(self) -> None:
        self.policy = combo("Which policy traces")
        self.sections = QSpinBox()
        self.sections.setRange(1, 100_000)
        self.sections.setValue(50)
        self.sections.setToolTip("How many sections each trace covers at most")
        self.direction = combo("Which way the traces go through the sections")
        self.direction.addItem("up (+z)", 1)
        self.direction.addItem("down (−z)", -1)
        self.nm_per_px = NmField(
            "Size of a pixel that the policy sees, in nm. It was trained near 10.",
            0.5,
            1000.0,
            10.0,
        )
        self.where = combo("Where the traces are made")
        self.where.addItem("this machine", HERE)
        self.where.addItem("dask cluster", CLUSTER)
        self.workers = QSpinBox()
        self.workers.setRange(1, max(1, os.cpu_count() or 1))
        self.workers.setValue(usual_workers())
        self.workers.setSuffix(" ×")
        self.workers.setToolTip(
            "How many traces are made at once, each by a process that holds a policy"
        )
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText("tcp://host:8786")
        self.scheduler.setToolTip(
            "Address of a dask.distributed scheduler whose workers have bcannot installed and "
            "reach the volume"
        )

    def _make_controls(self) -> None:
        self.start = button("Trace", "Trace from every start point that is not done yet")
        self.cancel = button("Cancel", "Stop now; what has come stays, the rest can go on later")
        self.save = button("Save SWC…", "Write a file for every trace into a folder")
        self.take_over = button(
            "Edit in Trace neuron",
            "Take the selected traces, or all, into the list of neurites: to correct and go on",
        )
        self.progress = QProgressBar()
        self.progress.setFormat("no batch")
        self.progress.setRange(0, 1)
        self.status = text()
        self.status.setMinimumHeight(self.status.fontMetrics().lineSpacing() * 2)

    # ---------------------------------------------------------------------------- layout
    def _starts_box(self) -> QGroupBox:
        box = QGroupBox("Start points")
        layout = QVBoxLayout(box)
        form = _form()
        form.addRow("Volume", self.volume)
        form.addRow("Voxel (nm)", row(*self.voxel))
        form.addRow("Points", row(self.points, self.take))
        layout.addLayout(form)
        layout.addWidget(row(self.table_file, self.clear))
        layout.addWidget(self.list, 1)
        return box

    def _how_box(self) -> QGroupBox:
        box = QGroupBox("How to trace")
        form = _form()
        box.setLayout(form)
        form.addRow("Policy", self.policy)
        form.addRow("Sections", row(self.sections, self.direction))
        form.addRow("Pixel (nm)", self.nm_per_px)
        form.addRow("On", row(self.where, self.workers, self.scheduler))
        return box

    # -------------------------------------------------------------------------- contents
    def show_where(self) -> None:
        """Show the field that belongs to the place where the traces are made."""
        there = self.where.currentData() == CLUSTER
        self.workers.setVisible(not there)
        self.scheduler.setVisible(there)

    def show_layers(self, volumes: list[Any], points: list[Any]) -> None:
        """Offer these layers; the chosen ones stay chosen while they are there."""
        offer(self.volume, [(layer.name, layer) for layer in volumes])
        offer(self.points, [(layer.name, layer) for layer in points])

    def show_voxel_nm(self, voxel_nm: "Triple") -> None:
        """Fill in a voxel size (z, y, x), nm."""
        for field, size in zip(self.voxel, voxel_nm, strict=True):
            field.setValue(size)

    def voxel_nm(self) -> "Triple":
        """Return the voxel size (z, y, x) in the fields, nm."""
        z, y, x = (field.value() for field in self.voxel)
        return z, y, x

    def show_state(self, controller: "BatchController") -> None:
        """Fill in the progress, the status and which buttons can be pressed."""
        running = controller.running
        came, total = controller.progress
        for field in (self.points, self.table_file, self.policy, self.sections, self.direction,
                      self.nm_per_px, self.where, self.workers, self.scheduler):  # fmt: skip
            field.setEnabled(not running)
        for given in (self.volume, *self.voxel):  # what is listed is of this volume
            given.setEnabled(not controller.rows)
        self.take.setEnabled(not running and self.points.count() > 0)
        self.clear.setEnabled(not running and bool(controller.rows))
        waiting = any(row.open for row in controller.rows)
        self.start.setEnabled(not running and waiting and self.volume.count() > 0)
        self.cancel.setEnabled(running)
        self.save.setEnabled(bool(controller.traced))
        self.take_over.setEnabled(bool(controller.traced) and not running)
        self.status.setText(controller.text)
        words = f"{came} of {total} traces" if total else "no batch"
        show_progress(self.progress, came, max(1, total), words)


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return form
