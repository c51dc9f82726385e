"""Viewer events ⇄ clicks of a session; the only place that knows both sides.

The layers are derived from the session: a points layer with the active neurite's nodes, a vectors
layer with its path, an image layer with the policy's heatmap, one for what the policy proposes,
and two for all other neurites. What a person does to the points layer or the section slider is
turned into edits of the session, and the layers are then made anew from it.
"""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points
from napari.layers.base import ActionType
from qtpy.QtCore import QTimer

from napari_bcannot import notices
from napari_bcannot.beside import NeuritesBeside
from napari_bcannot.compat import camera
from napari_bcannot.drawn import (
    CURRENT_RGBA,
    nodes_layer,
    path_layer,
    rgba,
)
from napari_bcannot.drawn import NODE_PX as NODE_PX
from napari_bcannot.neurites import COLOURS
from napari_bcannot.node_features import node_features
from napari_bcannot.nodes import diff_rows, rows_to_edges
from napari_bcannot.overlays import PolicyOverlays
from napari_bcannot.replaying import is_replaying

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_bcannot.controller import TraceController
    from napari_bcannot.geometry import Placement
    from napari_bcannot.neurites import Neurite
    from napari_bcannot.snapshot import Snapshot

EDITED = (ActionType.ADDED, ActionType.REMOVED, ActionType.CHANGED)
NONE = np.zeros((0, 3))
REST, REST_S, MOST_REST_S = 1.5, 0.04, 1.0
"""While a policy is at work the window rests between two drawings so many times as long as one
takes, within these bounds: on any machine most of the time is the policy's and the person's."""


class TraceBinding:
    """The layers of a sitting in a viewer; they follow the active neurite.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    controller : TraceController
        Takes the person's edits.
    placement : Placement
        Where the traced volume's voxels lie in the world.
    name : str
        Of the points layer; the others are named after it.
    node_size : float
        Diameter of a node, voxels.
    """

    def __init__(
        self,
        viewer: Any,
        controller: "TraceController",
        placement: "Placement",
        name: str,
        node_size: float,
    ) -> None:
        self._viewer = viewer
        self._controller = controller
        self._placement = placement
        self._rows = np.zeros((0, 3))
        self._drawn: Any = NONE  # the session's rows that the layers show
        self._looks: tuple[Any, ...] = ()
        self._named = name
        self._told: tuple[Any, str] = (None, "")
        self._of: Any = None
        self._session_z: int | None = None
        self._viewed_z: int | None = None
        self._centre_yx: tuple[float, float] | None = None
        self._writing = False
        self._open = True
        self._waits = False  # for the 2-D view, to place nodes again
        self.dragging = False
        """Whether the person is just dragging a node: nothing is to be changed until it is over."""
        self.settled: Callable[[], None] = lambda: None
        """Called when an edit is over and the layers show the session again."""
        self.drawn: Callable[[Snapshot], None] = lambda _snapshot: None
        """Called with what the layers show by now, while a policy is at work."""
        self.overlays = PolicyOverlays(viewer, placement, name, node_size)
        self.heat = self.overlays.heat
        self.edges = path_layer(f"{name} path", COLOURS[0], node_size, placement)
        self.points = nodes_layer(name, COLOURS[0], node_size, placement)
        self.beside = NeuritesBeside(viewer, controller.neurites, placement, node_size)
        for layer in self.layers:
            viewer.add_layer(layer)
        self._later = QTimer()
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.refresh)
        self._idle = QTimer()
        self._idle.setSingleShot(True)
        self._idle.timeout.connect(self._on_idle)
        self._drawing_since = self._rest_until = 0.0
        self._connect()
        self.take_mouse()

    def _connect(self) -> None:
        self.points.bind_key("Control-V", _refuse_paste, overwrite=True)
        for key in ("Delete", "Backspace"):
            self.points.bind_key(key, self._remove, overwrite=True)
        self.points.events.data.connect(self._on_data)
        self.points.events.mode.connect(self._on_mode)
        self._viewer.dims.events.current_step.connect(self._on_step)
        self._viewer.dims.events.ndisplay.connect(self._on_ndisplay)

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers of the active neurite, lowest first."""
        return self.heat, self.edges, self.points

    def take_mouse(self) -> None:
        """Let clicks in the viewer place nodes."""
        if self.points in self._viewer.layers:
            self._viewer.layers.selection.active = self.points
            self._waits = self._viewer.dims.ndisplay == 3
            self.points.mode = "pan_zoom" if self._waits else "add"

    def look_at(self, z: int) -> None:
        """Show a section with the active neurite's node there in the middle."""
        trace = self._controller.trace
        if trace is None or z not in trace.nodes:
            return
        self._show_section(z)
        self._centre((float(z), *trace.nodes[z]))

    # ------------------------------------------------------------------ viewer → session
    def _on_data(self, event: Any) -> None:
        self.dragging = event.action == ActionType.CHANGING
        if event.action in EDITED:
            # napari still uses the layer after this event: look at it when all is quiet
            QTimer.singleShot(0, self._settle)

    def _remove(self, points: Points) -> None:
        """Remove the selected nodes; the one of this section where none is selected."""
        if not points.selected_data:
            z = self._section_in_view()
            points.selected_data = set(np.flatnonzero(np.rint(points.data[:, 0]) == z).tolist())
        points.remove_selected()

    def _settle(self) -> None:
        self.refresh()
        if self._open and not self.dragging:
            self.settled()

    def take_edits(self) -> None:
        """Turn what the person did to the points layer into edits of the session."""
        if not self._open or self.dragging:
            return
        if np.array_equal(self.points.data, self._rows):
            return
        now = np.array(self.points.data, dtype=np.float64)
        edits = diff_rows(self._rows, now)
        self._rows = now
        if edits:
            self._drawn = None  # what is refused goes back to where it was
            self._controller.edit(edits)

    def _on_step(self) -> None:
        if self._writing or not self._open or is_replaying(self._viewer):
            return
        # steps are also counted anew when layers come and go: only another section is a move
        z = self._section_in_view()
        if z != self._viewed_z:
            self._viewed_z = z
            self.take_edits()
            self._controller.go_to(z)

    def _on_ndisplay(self) -> None:
        """Place nodes in sections alone: in three dimensions a click has no depth."""
        if self._viewer.dims.ndisplay == 2 and self._waits:
            self.points.mode = "add"
        elif self._viewer.dims.ndisplay == 3:
            self._waits = self.points.mode == "add"
            if self._waits:
                self.points.mode = "pan_zoom"

    def _on_mode(self) -> None:
        if self.points.mode == "add" and self._viewer.dims.ndisplay == 3:
            self.points.mode = "pan_zoom"
            self._waits = True
            notices.show_info("Nodes are placed in the 2-D view: a click in 3-D has no depth.")

    def _section_in_view(self) -> int:
        world = self._viewer.dims.point[self._axis]
        return int(np.rint((world - self._placement.translate[0]) / self._placement.scale[0]))

    @property
    def _axis(self) -> int:
        """The viewer's z axis: layers of three axes use its last three."""
        return int(self._viewer.dims.ndim) - 3

    # ------------------------------------------------------------------ session → viewer
    def refresh(self) -> None:
        """Make the layers' contents anew from the session and show its section.

        While a policy is at work this is done a limited number of times a second.
        """
        self.take_edits()
        if not self._open or self.dragging:
            return
        snapshot = self._controller.snapshot()
        rest = self._rest_until - time.monotonic()
        if snapshot.running and rest > 0:
            if not self._later.isActive():
                self._later.start(max(1, round(rest * 1000)))
            return
        self._drawing_since = time.monotonic()
        self._writing = True
        try:
            self._show(snapshot)
        finally:
            self._writing = False
        self._viewed_z = self._section_in_view()
        if snapshot.running:
            self.drawn(snapshot)
        self._on_idle()
        self._idle.start(0)  # comes after the painting that this has asked for

    def _on_idle(self) -> None:
        """Rest for a time that the last drawing gives, as long as it has taken until now."""
        now = time.monotonic()
        taken = now - self._drawing_since
        self._rest_until = now + min(max(REST * taken, REST_S), MOST_REST_S)

    def _show(self, snapshot: "Snapshot") -> None:
        self._show_nodes(snapshot)
        self.overlays.show(self._controller, snapshot)
        self.beside.refresh(self.heat)
        # only when the session moved: a person may look at sections that are not the trace's
        if snapshot.z is not None and snapshot.z != self._session_z:
            self._session_z = snapshot.z
            self._show_section(snapshot.z)
        self._follow()

    def _show_nodes(self, snapshot: "Snapshot") -> None:
        active = self._controller.neurites.active
        rows = NONE if active is None else active.trace.rows
        if active is not self._of:
            self._of, self._session_z = active, None
        if rows is not self._drawn or len(rows) != len(self.points.data):
            self._drawn, self._rows = rows, rows.copy()
            with self.points.events.data.blocker(self._on_data):
                self.points.selected_data = set()
                self.points.data = self._rows.copy()
            self.edges.data = rows_to_edges(rows)
            self._looks = ()
        if active is not None:
            self._show_looks(snapshot, active.colour)
            self._show_names(snapshot, active)

    def _show_looks(self, snapshot: "Snapshot", colour: str) -> None:
        """Colour the nodes, that of the section at hand in a colour of its own."""
        at = tuple(np.flatnonzero(self._rows[:, 0] == snapshot.z).tolist())
        looks = (colour, *(at or self._looks[1:]))  # between nodes the last one stays highlighted
        if looks == self._looks or not len(self._rows):
            return
        self._looks = looks
        rgb = np.array(rgba(colour), np.float32)
        colours = np.tile(rgb, (len(self._rows), 1))
        colours[list(at), :] = CURRENT_RGBA
        self.points.border_color = colours
        if len(self.edges.data) and not np.allclose(self.edges.edge_color[-1], rgb, atol=0.01):
            self.edges.edge_color = colour

    def _show_names(self, snapshot: "Snapshot", active: "Neurite") -> None:
        """Call the layers after the neurite, and say of each node what is known."""
        if active.name != self._named:
            self._named = active.name
            for layer, what in zip(self.layers, (" heatmap", " path", ""), strict=True):
                layer.name = active.name + what
        known = (self._drawn, active.name)
        if not snapshot.running and (self._told[0] is not known[0] or self._told[1] != known[1]):
            self._told = known
            self.points.features = node_features(active)

    def _show_section(self, z: int) -> None:
        self._viewer.dims.set_point(self._axis, self._placement.to_world((float(z), 0.0, 0.0))[0])

    def _follow(self) -> None:
        """Keep the policy's trace in view: go where its canvas went."""
        trace = self._controller.trace
        if trace is None or trace.view_centre_yx == self._centre_yx:
            return
        self._centre_yx = trace.view_centre_yx
        policy_moved = bool(trace.history) and trace.history[-1].actor == "policy"
        if policy_moved:
            self._centre((float(trace.z), *self._centre_yx))

    def _centre(self, zyx: tuple[float, float, float]) -> None:
        """Bring a point of the volume into the middle of the 2-D view."""
        dims = self._viewer.dims
        if dims.ndisplay == 2:
            # whichever axes are shown; others than the volume's three stay where they are
            at = (*dims.point[: self._axis], *self._placement.to_world(zyx))
            camera(self._viewer).center = (0.0, *(at[axis] for axis in dims.displayed))

    # ------------------------------------------------------------------------------- end
    def close(self) -> None:
        """Let go of the viewer: nodes and path stay as plain layers, the heatmap goes."""
        if not self._open:
            return
        if self._controller.neurites.active is not None:
            self._show_nodes(self._controller.snapshot())  # what was not drawn yet
        self._open = False
        self._later.stop()
        self._idle.stop()
        self.points.events.data.disconnect(self._on_data)
        self.points.events.mode.disconnect(self._on_mode)
        self._viewer.dims.events.current_step.disconnect(self._on_step)
        self._viewer.dims.events.ndisplay.disconnect(self._on_ndisplay)
        self.beside.close()
        gone = [self.heat] if len(self.points.data) else list(self.layers)
        self.overlays.close()
        for layer in gone:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        for key in ("Control-V", "Delete", "Backspace"):
            self.points.bind_key(key, None)
        self.points.mode = "pan_zoom"


def _refuse_paste(points: Points) -> None:
    """Keep napari's paste from adding nodes without an event, or failing (0.9.2 does both)."""
    notices.show_info("A section has one node: click to place it instead of pasting.")
