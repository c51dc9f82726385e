"""The dock widget *Trace many*: a list of start points, traced in the background."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, QTimer
from qtpy.QtCore import Signal as QtSignal  # type: ignore[attr-defined]

from bcannot_core.errors import BcannotError
from bcannot_core.tracing import Trace, TraceOptions
from bcannot_core.tracing.starts import NamedStart, file_names, read_named_starts
from napari_bcannot import notices, policies
from napari_bcannot.background import Background
from napari_bcannot.batch import BatchController
from napari_bcannot.batch_job import Arrived, BatchJob, BatchOrder, Begun, Refused
from napari_bcannot.batch_layers import BATCH_KEY, BatchLayers
from napari_bcannot.compat import camera
from napari_bcannot.geometry import is_volume_layer, layer_to_world, voxel_nm_of, world_to_layer
from napari_bcannot.layer_watch import LayerWatch
from napari_bcannot.policies import SHIPPED, own_policies
from napari_bcannot.turns import describe_error, one_line
from napari_bcannot.widgets.batch_view import CLUSTER, BatchView
from napari_bcannot.widgets.dialogs import ask_folder, ask_starts
from napari_bcannot.widgets.docked import DockedWidget
from napari_bcannot.widgets.parts import Column, connect_buttons
from napari_bcannot.widgets.remembered import Remembered

DRAW_MS = 300
"""What has arrived is drawn so often at most."""


class _Post(QObject):
    """Brings what a job tells on its thread to the GUI thread."""

    told = QtSignal(object, object)
    ended = QtSignal(object, str)

    def carry_out(self, job: BatchJob) -> None:
        """Do a job (on a worker thread), and tell how it ended."""
        problem = ""
        try:
            job.work(partial(self.told.emit, job))
        except Exception as error:  # noqa: BLE001  any policy or cluster may be behind it
            problem = describe_error(error)
        self.ended.emit(job, problem)


class BatchWidget(DockedWidget):
    """Trace from many start points in the background.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    load : callable, optional
        Makes a policy from its name or folder: then the traces are made in this process.
    """

    def __init__(self, napari_viewer: Any, load: Callable[[str], Any] | None = None) -> None:
        self.controller = BatchController()
        self.view = BatchView(self.controller)
        super().__init__(napari_viewer, Column(self.view))
        self._load = load
        self._layers: BatchLayers | None = None
        self._batches = 0
        self._arrived: list[tuple[str, Trace]] = []
        self._background = Background(notices.show_error, latest=False)
        self._post = _Post(self)
        self._post.told.connect(self._on_told)
        self._post.ended.connect(self._on_end)
        self._draw = QTimer(self)
        self._draw.setSingleShot(True)
        self._draw.setInterval(DRAW_MS)
        self._draw.timeout.connect(self.draw)
        self.controller.changed.connect(self._show)
        self._connect_view()
        self._watch = LayerWatch(napari_viewer, self._list_layers)
        self._list_layers()

    def _connect_view(self) -> None:
        view = self.view
        connect_buttons([
            (view.table_file, self.ask_table), (view.take, self.take_layer),
            (view.clear, self.controller.clear), (view.start, self.start),
            (view.cancel, self.cancel), (view.save, self.save_as),
            (view.take_over, self.take_over),
        ])  # fmt: skip
        view.list.doubleClicked.connect(lambda index: self.go_to(index.row()))
        view.policy.addItem(f"{SHIPPED} (shipped)", SHIPPED)
        for name in own_policies():
            self._offer_policy(name)
        policies.changed.connect(self._offer_policy)
        names = ("policy", "sections", "direction", "nm_per_px", "where", "workers", "scheduler")
        Remembered("batch", {name: getattr(view, name) for name in names}, self)

    def _offer_policy(self, name: str) -> None:
        """Offer a policy of the person's own, also one that was made just now."""
        if self.view.policy.findData(name) < 0:
            self.view.policy.addItem(name, name)

    # ----------------------------------------------------------------------- start points
    def ask_table(self) -> None:
        """Ask for a table and add its start points."""
        path = ask_starts(self)
        if path is not None:
            self.add_table(path)

    def add_table(self, path: Path) -> None:
        """Add the start points of a CSV file, in voxels of the chosen volume (or nm)."""
        layer = self.view.volume.currentData()
        voxel_nm = None if layer is None else voxel_nm_of(layer)[0]
        try:
            starts = read_named_starts(path, voxel_nm)
        except BcannotError as error:
            notices.show_error(one_line(error))
        else:
            self.controller.add(starts, path.name)

    def take_layer(self) -> None:
        """Add the points of the chosen points layer, wherever it lies in the world."""
        points, volume = self.view.points.currentData(), self.view.volume.currentData()
        if points is None or volume is None:
            notices.show_warning("Open a volume and add a points layer with start points first.")
            return
        starts = [
            NamedStart(world_to_layer(volume, tuple(points.data_to_world(at))))
            for at in np.asarray(points.data, dtype=float)
            if np.isfinite(at).all()
        ]
        self.controller.add([start._replace(zyx=_tidy(start.zyx)) for start in starts], points.name)

    # ---------------------------------------------------------------------------- the run
    def start(self) -> None:
        """Trace from every start point that is not done yet."""
        layer = self.view.volume.currentData()
        if layer is None:
            notices.show_warning("Open a volume first: a 3-D grey image.")
            return
        job = self.controller.begin(self._order(layer))
        if job is None:
            if not self.controller.running:
                notices.show_warning("There is no start point that is still to be traced.")
            return
        self._layers = None
        # a function connected to the worker's own signals would keep the widget alive
        create_worker(self._post.carry_out, job, _start_thread=False, _ignore_errors=True).start()

    def _order(self, layer: Any) -> BatchOrder:
        view = self.view
        options = TraceOptions(
            view.sections.value(), view.nm_per_px.value(), int(view.direction.currentData())
        )
        there = view.where.currentData() == CLUSTER
        return BatchOrder(
            layer,
            voxel_nm_of(layer)[0],
            str(view.policy.currentData()),
            options,
            0 if self._load is not None else view.workers.value(),
            view.scheduler.text().strip() if there else "",
            self._load,
        )

    def cancel(self) -> None:
        """End the run; what has come stays."""
        self.controller.cancel()
        self.draw()

    def draw(self) -> None:
        """Show what has arrived since the last time."""
        self._draw.stop()
        arrived, self._arrived = self._arrived, []
        if self._layers is not None and not self._closed:
            self._layers.show(arrived)

    # ------------------------------------------------------------------------------ after
    def save_as(self) -> None:
        """Ask for a folder and write every trace to a file of its own."""
        if not self.controller.traced:
            notices.show_warning("There is no trace to save yet.")
            return
        folder = ask_folder(self, "Folder for the traces")
        if folder is not None:
            self.save(folder)

    def save(self, folder: Path) -> None:
        """Write every trace as SWC into a folder, in the background."""
        rows = [self.controller.rows[i] for i in self.controller.traced]
        names = file_names([row.start.name for row in rows])
        files = {
            folder / f"{name}.swc": row.trace
            for name, row in zip(names, rows, strict=True)
            if row.trace is not None
        }
        self._background.run(
            partial(_write, files),
            lambda _: notices.show_info(f"{len(files)} traces saved to {folder}."),
        )

    def take_over(self) -> None:
        """Take the selected traces, all where none is selected, into *Trace neuron*."""
        from napari_bcannot.commands import trace_widget
        from napari_bcannot.starting import take_traces

        traced, begun = self.controller.traced, self.controller.begun
        model = self.view.list.selectionModel()
        selected = {index.row() for index in model.selectedRows()} if model else set()
        rows = [self.controller.rows[i] for i in traced if not selected or i in selected]
        traces = [(row.start.name, row.trace) for row in rows if row.trace is not None]
        if not traces or begun is None:
            notices.show_warning("There is no trace to take over yet.")
            return
        widget = trace_widget()
        at = widget.view.volume.findText(self.view.volume.currentText())
        widget.view.volume.setCurrentIndex(max(0, at))
        if take_traces(widget, traces, begun.placement) == len(traced) and self._layers:
            self._layers.hide()

    def go_to(self, row: int) -> None:
        """Show a row's start point."""
        layer = self.view.volume.currentData()
        if layer is None or not 0 <= row < len(self.controller.rows):
            return
        world = layer_to_world(layer, self.controller.rows[row].start.zyx)
        self.viewer.dims.set_point(0, world[0])
        camera(self.viewer).center = world

    # ----------------------------------------------------------------------------- events
    def _on_told(self, job: BatchJob, event: Begun | Arrived | Refused) -> None:
        if not self.controller.take(job, event):
            return
        if isinstance(event, Begun):
            self._batches += 1
            name = f"batch {self._batches}"
            self._layers = BatchLayers(self.viewer, name, event.placement, event.node_size)
        elif isinstance(event, Arrived):
            self._arrived.append((self.controller.rows[event.row].start.name, event.trace))
            if not self._draw.isActive():
                self._draw.start()

    def _on_end(self, job: BatchJob, problem: str) -> None:
        if job is not self.controller.job:
            return
        if problem:
            notices.show_error(problem)
            self.controller.fail(job, problem)
        else:
            self.controller.finish(job)
        self.draw()

    def _show(self) -> None:
        self.view.show_state(self.controller)

    def _list_layers(self, _: Any = None) -> None:
        layers = list(self.viewer.layers)
        self.view.show_layers(
            [layer for layer in layers if is_volume_layer(layer)],
            [layer for layer in layers if _has_starts(layer)],
        )
        self._show()

    def release(self) -> None:
        """End the run and everything else."""
        self.controller.cancel()
        self._draw.stop()
        self._background.drop()
        self._watch.close()
        policies.changed.disconnect(self._offer_policy)


def _has_starts(layer: Any) -> bool:
    points = type(layer).__name__ == "Points" and layer.ndim == 3
    return points and BATCH_KEY not in layer.metadata


def _tidy(zyx: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return a position without the dust of transforming it to and fro."""
    z, y, x = (round(at, 6) for at in zyx)
    return z, y, x


def _write(files: dict[Path, Trace]) -> None:
    for path, trace in files.items():
        trace.save(path)
