"""The dock widget *Trace neuron*: connects the view, the controller, the worker and the viewer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer

from bcannot_core.errors import BcannotError, UsageError
from napari_bcannot import notices, policies
from napari_bcannot.background import Background
from napari_bcannot.binding import NODE_PX, TraceBinding
from napari_bcannot.controller import TraceController
from napari_bcannot.geometry import (
    Placement,
    is_volume_layer,
    voxel_nm_of,
    world_to_layer,
)
from napari_bcannot.layer_watch import LayerWatch
from napari_bcannot.opening import VolumeOpener
from napari_bcannot.picking import StartPicker
from napari_bcannot.policies import SHIPPED, check_folder, load_policy, own_policies, watcher_of
from napari_bcannot.recorder import ADDRESS
from napari_bcannot.restoring import Restored, describe_place, put_back
from napari_bcannot.runner import PolicyRunner, PolicyShelf
from napari_bcannot.shortcuts import bind_keys, unbind_keys
from napari_bcannot.snapshot import Snapshot
from napari_bcannot.tracing import TraceSession, Zyx
from napari_bcannot.turns import Failure, PolicyLike, Turn, one_line
from napari_bcannot.widgets.dialogs import ask_address, ask_folder
from napari_bcannot.widgets.docked import DockedWidget
from napari_bcannot.widgets.neurite_acts import NeuriteActs
from napari_bcannot.widgets.neurite_list import NeuriteTable
from napari_bcannot.widgets.parts import Column, connect_buttons
from napari_bcannot.widgets.record_control import RecordControl
from napari_bcannot.widgets.session_opener import RestoreOffer
from napari_bcannot.widgets.trace_settings import begin_as_left
from napari_bcannot.widgets.trace_source import TraceSource
from napari_bcannot.widgets.trace_view import RECORD_TIP, TraceView

NO_VOLUME = "Open a volume first: a 3-D grey image."
KEPT = (
    "Another volume, place, voxel size or resolution is another session. The one before, with "
    "{neurites}, is kept: Sessions lists it as {name}."
)
UNRECORDED = (
    "Another volume, place, voxel size or resolution is another session: {neurites} would be lost. "
    "Switch on 'Record session' to keep what is there, or delete it."
)
UNRECORDED_TOO = (
    "The session was not opened: {neurites} would be lost. Switch on 'Record session' to keep what "
    "is there, or delete it."
)


class TraceNeuronWidget(NeuriteActs, DockedWidget):
    """Trace a neurite by hand or by policy.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    load : callable, optional
        Makes a policy from its name or folder.
    """

    def __init__(self, napari_viewer: Any, load: Callable[[str], PolicyLike] = load_policy) -> None:
        self.controller = TraceController()
        self.table = NeuriteTable(self.controller.neurites, self.controller.rename)
        self.view = TraceView(self.table)
        super().__init__(napari_viewer, Column(self.view))
        self.controller.changed.connect(self._show)
        self.controller.resumed.connect(self._go_on)
        self.controller.warned.connect(notices.show_warning)
        self.shelf = PolicyShelf(load, watcher_of)
        self.runner = PolicyRunner(self._on_turn)
        self.opener = VolumeOpener(napari_viewer, self._on_opened, self._on_not_opened)
        self.picker = StartPicker(napari_viewer, self._on_picked)
        self.binding: TraceBinding | None = None
        self.recorder = RecordControl(self.view, self.controller.record, self)
        self.source = TraceSource(self.view)
        self._held: Turn | None = None
        self._connect_view()
        self._connect_viewer()
        self._list_volumes()
        self.view.show_snapshot(self.controller.snapshot())
        self._record_always()
        begin_as_left(self)

    # ------------------------------------------------------------------------ connections
    def _connect_view(self) -> None:
        view = self.view
        connect_buttons([
            (view.start, self.start), (view.pause, self.pause), (view.step, self.step),
            (view.stop, self.stop), (view.undo, self.undo), (view.redo, self.redo),
            (view.previous, self.previous_section), (view.next, self.next_section),
            (view.done, self.done), (view.save, self.save_as), (view.save_all, self.save_all_as),
            (view.ask.accept, self.accept_proposal), (view.ask.reject, self.reject_proposal),
            (view.neurites.branch_up, lambda: self.branch(1)),
            (view.neurites.branch_down, lambda: self.branch(-1)),
            (view.neurites.split, self.split_here), (view.neurites.delete, self.delete_neurite),
            (view.open, self.ask_address), (view.policy_folder, self.choose_policy),
        ])  # fmt: skip
        view.pick.toggled.connect(self.pick_start)
        view.heatmap.toggled.connect(self.show_heatmap)
        view.volume.currentIndexChanged.connect(self._on_volume)
        view.modes.group.buttonClicked.connect(lambda _: self.use_mode(view.modes.mode))
        view.ask.asks.toggled.connect(lambda _: self.use_rules())
        view.ask.confidence.valueChanged.connect(lambda _: self.use_rules())
        view.ask.advances.toggled.connect(self.advance)
        view.neurites.list.clicked.connect(self._on_row)
        view.neurites.list.customContextMenuRequested.connect(self._on_menu)
        self.use_rules()
        view.policy.addItem(f"{SHIPPED} (shipped)", SHIPPED)
        for name in own_policies():
            view.policy.addItem(name, name)
        policies.changed.connect(self.offer_policy)
        view.policy.currentIndexChanged.connect(lambda _: self.shelf.forget_sessions())

    def offer_policy(self, name: str) -> None:
        """Offer a policy of the person's own that was made just now."""
        if self.view.policy.findData(name) < 0:
            self.view.policy.addItem(name, name)

    def _connect_viewer(self) -> None:
        self._watch = LayerWatch(self.viewer, self._on_layers)
        self._keys = bind_keys(self.viewer, self)

    # --------------------------------------------------------------------------- commands
    def ask_address(self) -> None:
        """Ask for the address of a volume and open it."""
        address = ask_address(self)
        if address is not None:
            self.view.status.setText(f"Opening {address} …")
            self.opener.open(address)

    def pick_start(self, on: bool) -> None:
        """Let the next click in the viewer be the start point, or not."""
        if on and self.view.volume.currentData() is None:
            notices.show_warning(NO_VOLUME)
            on = False
        elif on and self._in_projection():
            on = False
        self.picker.switch(on)
        self.view.pick.setChecked(on)
        if on:
            self.viewer.layers.selection.active = self.view.volume.currentData()
            self.view.status.setText("Click the neurite in the viewer.")

    def _in_projection(self) -> bool:
        """Whether no section is shown, so that a click has no depth; the person is told."""
        if self.viewer.dims.ndisplay == 2:
            return False
        notices.show_warning("Show the volume in 2-D to pick a point: a click in 3-D has no depth.")
        return True

    def begin(self, start_zyx: tuple[float, float, float]) -> None:
        """Begin a trace at a voxel position of the chosen volume layer."""
        layer = self.view.volume.currentData()
        if layer is None:
            notices.show_warning(NO_VOLUME)
            return
        try:
            self._begin(layer, start_zyx)
        except BcannotError as error:
            notices.show_error(one_line(error))

    def _begin(self, layer: Any, start_zyx: tuple[float, float, float]) -> None:
        self.controller.begin(self._trace_in(layer, start_zyx))
        self._bind()
        self._take_mouse()

    def _trace_in(
        self, layer: Any, start_zyx: Zyx, nodes_zyx: tuple[Zyx, ...] = ()
    ) -> TraceSession:
        """Return a session in a layer; the sitting at hand ends where it is in another volume."""
        opened = self.source.open(layer)
        trace = self.source.make(opened, start_zyx, nodes_zyx)
        if self.source.is_another(opened):
            self._end_sitting()
        self.source.hold(opened)
        return trace

    def _end_sitting(self) -> None:
        """Let go of all neurites and say where they are; unless they are recorded, refuse."""
        neurites, folder = self._kept_or_refused(UNRECORDED), self.controller.recording
        if neurites and folder is not None:
            notices.show_warning(KEPT.format(neurites=neurites, name=folder.name))
        self._close_trace()
        self.controller.close(quiet=True)

    def _kept_or_refused(self, refusal: str) -> str:
        """Return how many neurites the session at hand keeps; refuse where it keeps none."""
        count = sum(one.trace.count > 0 for one in self.controller.neurites)
        neurites = f"{count} neurite{'' if count == 1 else 's'}" if count else ""
        if count and self.controller.recording is None:
            raise UsageError(refusal.format(neurites=neurites))
        return neurites

    def take_up(self, layer: Any, placement: Placement, restored: Restored) -> None:
        """Go on with a recorded session in the volume of a layer.

        Raises
        ------
        UsageError
            What was traced until now would be lost.
        """
        self._kept_or_refused(UNRECORDED_TOO)
        last = restored.traces[-1][1]
        self._close_trace()
        self.view.show_source(layer, restored.plan.voxel_nm, last.task.config.nm_per_px)
        self.source.take(layer, last.volume, placement)
        put_back(restored, self.controller)
        self._bind()

    def start(self) -> None:
        """Let the policy trace on from here."""
        self._run(once=False)

    def step(self) -> None:
        """Let the policy make one click."""
        self._run(once=True)

    def toggle(self) -> None:
        """Start or pause the policy."""
        snapshot = self.controller.snapshot()
        if snapshot.running or snapshot.waiting:
            self.pause()
        else:
            self.start()

    def _run(self, *, once: bool) -> None:
        self._sync()
        if self.controller.trace is not None:
            self._bind()
        generation = self.controller.start(once=once)
        if generation is not None:
            self._go_on(generation)

    def _go_on(self, generation: int) -> None:
        """Let a worker ask the policy, for a run that begins or goes on."""
        name = str(self.view.policy.currentData())
        self.runner.start(self.controller, lambda: self.shelf.seat(name), generation)

    def pause(self) -> None:
        """Hold the policy."""
        self._sync()
        self.controller.pause()

    def stop(self) -> None:
        """End the policy's run; it starts afresh the next time."""
        self._sync()
        self.controller.stop()
        self.runner.stop()
        self.shelf.forget_sessions()

    def undo(self) -> None:
        """Take back the last edit, whoever made it."""
        self._sync()
        self.controller.undo()

    def redo(self) -> None:
        """Make the edit again that was taken back last."""
        self._sync()
        self.controller.redo()

    def next_section(self) -> None:
        """Press +z."""
        self._sync()
        self.controller.next_section()

    def previous_section(self) -> None:
        """Press −z."""
        self._sync()
        self.controller.previous_section()

    def done(self) -> None:
        """Press Done."""
        self._sync()
        self.controller.done()

    def show_heatmap(self, on: bool) -> None:
        """Show where the policy considered clicking, or hide it."""
        self.controller.wants_heatmap = on
        self._sync()
        self._show(self.controller.snapshot())

    def choose_policy(self) -> None:
        """Ask for a folder with a policy of the person's own."""
        folder = ask_folder(self, "Folder with a policy's checkpoint")
        if folder is not None:
            self.use_policy(str(folder))

    def use_policy(self, folder: str) -> None:
        """Add a policy's folder to the list and choose it."""
        try:
            check_folder(folder)
        except BcannotError as error:
            notices.show_error(one_line(error))
            return
        if self.view.policy.findData(folder) < 0:
            self.view.policy.addItem(Path(folder).name, folder)
        self.view.policy.setCurrentIndex(self.view.policy.findData(folder))

    # ----------------------------------------------------------------------------- events
    def _on_opened(self, layer: Any) -> None:
        self.view.volume.setCurrentIndex(self.view.volume.findText(layer.name))
        self.view.show_snapshot(self.controller.snapshot())

    def _on_not_opened(self, message: str) -> None:
        notices.show_error(message)
        self.view.show_snapshot(self.controller.snapshot())

    def _on_picked(self, world: tuple[float, ...]) -> None:
        if self._in_projection():
            return
        self.pick_start(False)
        layer = self.view.volume.currentData()
        if layer is not None:
            self.begin(world_to_layer(layer, world))

    def _on_turn(self, turn: Turn) -> None:
        """Take what the worker hands over; while a node is being dragged it has to wait."""
        self._sync()
        if self.binding is not None and self.binding.dragging:
            self._held = turn
            return
        if isinstance(turn.result, Failure):
            self.controller.fail(turn.result)
        else:
            self.controller.accept(turn.result)
        self.runner.release(turn)

    def _release_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._on_turn(held)

    def _sync(self) -> None:
        if self.binding is not None:
            self.binding.take_edits()

    def _show(self, snapshot: Snapshot) -> None:
        """Show a snapshot; while a policy is at work, when the layers show it, too."""
        if self.binding is None or not snapshot.running:
            self._show_fields(snapshot)
        if self.binding is not None:
            self.binding.refresh()

    def _show_fields(self, snapshot: Snapshot) -> None:
        self.view.show_snapshot(snapshot)
        recording = self.controller.recording
        self.view.record.setToolTip(
            f"Writing every click to {recording}" if recording else RECORD_TIP
        )
        self.table.refresh()
        self.view.neurites.show_snapshot(snapshot, self.controller.neurites.active)

    def _list_volumes(self) -> None:
        """Offer the viewer's volume layers; fill in the voxel size of another choice."""
        before = self.view.volume.currentData()
        self.view.show_volumes([layer for layer in self.viewer.layers if is_volume_layer(layer)])
        if self.view.volume.currentData() is not before:
            self._on_volume()
        self.view.show_snapshot(self.controller.snapshot())

    def _on_volume(self) -> None:
        layer, opened = self.view.volume.currentData(), self.source.opened
        if opened is not None and layer is opened.layer:
            self.view.show_voxel_nm(opened.voxel_nm)
        elif layer is not None:
            voxel, known = voxel_nm_of(layer)
            self.view.show_voxel_nm(voxel)
            if not known:
                notices.show_warning(
                    f"{layer.name} states no voxel size: enter it, 10 nm is a guess."
                )

    def _on_layers(self, _: Any) -> None:
        """End a trace whose volume is gone, and hold one without its points layer."""
        layers = self.viewer.layers
        layer = self.source.layer
        if layer is not None and layer not in layers:
            name = layer.name
            self.source.forget()
            self._close_trace()
            self.controller.close(f"{name} was removed: the trace ended.")
        elif self.binding is not None and self.binding.points not in layers:
            self.controller.pause()
            self.binding.close()
            self.binding = None
            # a viewer that closes removes its layers first: then there is nobody to tell
            QTimer.singleShot(0, self._tell_removed)
        self._list_volumes()

    def _tell_removed(self) -> None:
        if not self._closed and self.controller.trace is not None:
            notices.show_warning(
                "The trace's layer was removed. Press Start to bring it back and go on."
            )

    # -------------------------------------------------------------------------------- end
    def _bind(self) -> None:
        """Give the session its layers in the viewer, where it has none."""
        active, placement = self.controller.neurites.active, self.source.placement
        if self.binding is None and active is not None and placement is not None:
            trace = active.trace
            size = NODE_PX * trace.task.config.nm_per_px / max(trace.volume.voxel_nm[1:])
            self.binding = TraceBinding(self.viewer, self.controller, placement, active.name, size)
            self.binding.settled = self._release_held
            self.binding.drawn = self._show_fields
            self.binding.refresh()

    def _record_always(self) -> None:
        """Record from the start, and offer what was interrupted the last time."""
        recorder = self.controller.recorder
        recorder.place_of = self._place_of
        self._fingerprints = Background(notices.show_warning, latest=False)
        recorder.in_background = self._fingerprints.run
        self.restorer = RestoreOffer(self, self.viewer, self.recorder.folder, self.take_up)
        self.view.record.setChecked(True)

    def _place_of(self, trace: TraceSession) -> dict[str, Any]:
        """Return where a trace's volume lies in the viewer, for the record."""
        opened = self.source.opened
        if opened is None:
            return {ADDRESS: trace.volume.address}
        return describe_place(opened.layer, trace.volume, opened.placement, opened.voxel_nm)

    def _close_trace(self) -> None:
        self.runner.stop()
        binding, self.binding = self.binding, None  # its layers go: nobody is to be told
        if binding is not None:
            binding.close()

    def release(self) -> None:
        """End everything: no worker, no key and no callback stays."""
        self._close_trace()  # first: its layers stay as they are
        self.controller.close(quiet=True)
        policies.changed.disconnect(self.offer_policy)
        self._held = None
        self.picker.switch(False)
        self._fingerprints.drop()
        self.restorer.close()
        self.opener.close()
        self.table.close()
        unbind_keys(self.viewer, self._keys)
        self._watch.close()
