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
from napari_bcannot.batch_volume import ListedVolume
from napari_bcannot.geometry import is_volume_layer, layer_to_world, voxel_nm_of, world_to_layer
from napari_bcannot.layer_watch import LayerWatch
from napari_bcannot.places import look_at
from napari_bcannot.policies import SHIPPED, own_policies
from napari_bcannot.turns import counted, describe_error, one_line
from napari_bcannot.widgets.batch_view import CLUSTER, BatchView
from napari_bcannot.widgets.dialogs import ask_folder, ask_replace, ask_starts
from napari_bcannot.widgets.docked import DockedWidget
from napari_bcannot.widgets.parts import Column, connect_buttons
from napari_bcannot.widgets.remembered import Remembered

DRAW_MS = 300
"""What has arrived is drawn so often at most."""


class _Post(QObject):
    """Brings what a job tells on its thread to the GUI thread.

    It is nobody's child: the job may go on when the widget is gone.
    """

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
        self._volume: ListedVolume | None = None
        self._batches = 0
        self._arrived: list[tuple[str, Trace]] = []
        self._background = Background(notices.show_error, latest=False)
        self._post = _Post()
        self._post.told.connect(self._on_told)
        self._post.ended.connect(self._on_end)
        self.destroyed.connect(partial(_end_job, self.controller))  # a viewer may just delete it
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
            (view.clear, self.clear), (view.start, self.start),
            (view.cancel, self.cancel), (view.save, self.save_as),
            (view.take_over, self.take_over),
        ])  # fmt: skip
        view.volume.currentIndexChanged.connect(lambda _: self._on_volume())
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
        try:
            starts = read_named_starts(path, None if layer is None else self.view.voxel_nm())
        except BcannotError as error:
            notices.show_error(one_line(error))
        else:
            self._add(starts, path.name)

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
        self._add([start._replace(zyx=_tidy(start.zyx)) for start in starts], points.name)

    def clear(self) -> None:
        """Take all start points away; then another volume can be chosen."""
        self.controller.clear()
        if not self.controller.rows:
            self._volume = None
            self._list_layers()

    def _add(self, starts: list[NamedStart], source: str) -> None:
        """List start points; from here on the list is of the chosen volume."""
        self.controller.add(starts, source)
        self._hold_volume()

    def _hold_volume(self) -> None:
        layer = self.view.volume.currentData()
        if self._volume is None and layer is not None and self.controller.rows:
            self._volume = ListedVolume(layer)
            self._list_layers()

    # ---------------------------------------------------------------------------- the run
    def start(self) -> None:
        """Trace from every start point that is not done yet."""
        layer = self.view.volume.currentData()
        if layer is None:
            notices.show_warning(self._missing())
            return
        self._hold_volume()
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
            view.voxel_nm(),
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
        if folder is None:
            return
        there = [path for path in self._files(folder) if path.exists()]
        if not there or ask_replace(self, "Save traces", there):
            self.save(folder)

    def save(self, folder: Path) -> None:
        """Write every trace as SWC into a folder, in the background; files there are replaced."""
        files = self._files(folder)
        self._background.run(
            partial(_write, files),
            lambda _: notices.show_info(f"{counted(len(files), 'trace')} saved to {folder}."),
        )

    def _files(self, folder: Path) -> dict[Path, Trace]:
        """Return which file in a folder each trace is written to."""
        rows = [self.controller.rows[i] for i in self.controller.traced]
        names = file_names([row.start.name for row in rows])
        return {
            folder / f"{name}.swc": row.trace
            for name, row in zip(names, rows, strict=True)
            if row.trace is not None
        }

    def take_over(self) -> None:
        """Take the selected traces, all where none is selected, into *Trace neuron*."""
        from napari_bcannot.commands import trace_widget
        from napari_bcannot.starting import take_traces

        traced, layer = self.controller.traced, self.view.volume.currentData()
        model = self.view.list.selectionModel()
        selected = {index.row() for index in model.selectedRows()} if model else set()
        rows = [self.controller.rows[i] for i in traced if not selected or i in selected]
        if not rows:
            notices.show_warning("There is no trace to take over yet.")
            return
        if layer is None:
            notices.show_warning(self._missing())
            return
        widget = trace_widget()
        widget.view.volume.setCurrentIndex(widget.view.volume.findData(layer))
        if widget.source.layer is not layer:
            widget.view.show_voxel_nm(self.view.voxel_nm())
        taken = take_traces(widget, [(row.start.name, row.nodes_zyx) for row in rows])
        if taken == len(traced) and self._layers:
            self._layers.hide()

    def go_to(self, row: int) -> None:
        """Show a row's start point."""
        layer = self.view.volume.currentData()
        if layer is None or not 0 <= row < len(self.controller.rows):
            return
        look_at(self.viewer, layer_to_world(layer, self.controller.rows[row].start.zyx))

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
        """Offer the volumes, or the one that the start points are of, and the points layers."""
        layers = list(self.viewer.layers)
        volumes = [layer for layer in layers if is_volume_layer(layer)]
        if self._volume is not None:
            found = self._volume.find(volumes)
            volumes = [] if found is None else [found]
        before = self.view.volume.currentData()
        self.view.show_layers(volumes, [layer for layer in layers if _has_starts(layer)])
        now = self.view.volume.currentData()
        if now is not before and self._volume is None:
            self._on_volume()
        elif now is None and before is not None and not self.controller.running:
            self.controller.say(self._missing())
        self._show()

    def _on_volume(self) -> None:
        """Fill in the voxel size of another volume."""
        layer = self.view.volume.currentData()
        if layer is None:
            return
        voxel_nm, known = voxel_nm_of(layer)
        self.view.show_voxel_nm(voxel_nm)
        if not known:
            notices.show_warning(f"{layer.name} states no voxel size: enter it, 10 nm is a guess.")

    def _missing(self) -> str:
        """Return what to do where no volume can be traced in."""
        if self._volume is None:
            return "Open a volume first: a 3-D grey image."
        return (
            f"{self._volume.name}, which the start points are of, was removed: open it again, "
            "or press Clear."
        )

    def release(self) -> None:
        """End the run and everything else."""
        self.controller.cancel()
        self._draw.stop()
        self._background.drop()
        self._watch.close()
        policies.changed.disconnect(self._offer_policy)


def _end_job(controller: BatchController, _: Any = None) -> None:
    if controller.job is not None:
        controller.job.cancel()


def _has_starts(layer: Any) -> bool:
    points = type(layer).__name__ == "Points" and layer.ndim >= 3
    return points and BATCH_KEY not in layer.metadata


def _tidy(zyx: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return a position without the dust of transforming it to and fro."""
    z, y, x = (round(at, 6) for at in zyx)
    return z, y, x


def _write(files: dict[Path, Trace]) -> None:
    for path, trace in files.items():
        trace.save(path)
