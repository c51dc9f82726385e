"""Viewer events ⇄ clicks of a session; the only place that knows both sides.

The layers are derived from the session: a points layer with its nodes, a vectors layer with the
path and an image layer with the policy's heatmap. What a person does to the points layer or the
section slider is turned into edits of the session, and the layers are then made anew from it.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Points, Vectors
from napari.layers.base import ActionType
from napari.utils.colormaps import Colormap
from qtpy.QtCore import QTimer

from napari_bcannot import notices
from napari_bcannot.compat import camera
from napari_bcannot.geometry import OVERLAY_KEY
from napari_bcannot.nodes import diff_rows, nodes_to_rows, rows_to_edges

if TYPE_CHECKING:
    from collections.abc import Callable

    from bcannot_core.coords import CanvasView
    from napari_bcannot.controller import TraceController
    from napari_bcannot.geometry import Placement
    from napari_bcannot.snapshot import Snapshot
    from napari_bcannot.turns import Proposal

CURRENT = "#ffd200"
OTHER = "#59c7ff"
CURRENT_RGBA, OTHER_RGBA = (1.0, 0.824, 0.0, 1.0), (0.349, 0.78, 1.0, 1.0)
NODE_PX = 11.0
"""Diameter of a node, canvas pixels."""
EDITED = (ActionType.ADDED, ActionType.REMOVED, ActionType.CHANGED)
HEAT = Colormap(
    [[1.0, 0.45, 0.0, 0.0], [1.0, 0.45, 0.0, 0.35], [1.0, 0.75, 0.1, 0.75], [1.0, 1.0, 0.6, 0.95]],
    name="bcannot heat",
    controls=[0.0, 0.15, 0.5, 1.0],
)


class TraceBinding:
    """One session's layers in a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets three layers.
    controller : TraceController
        Takes the person's edits.
    placement : Placement
        Where the traced volume's voxels lie in the world.
    name : str
        Of the points layer; the other two are named after it.
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
        self._session_z: int | None = None
        self._viewed_z: int | None = None
        self._centre_yx: tuple[float, float] | None = None
        self._heat_of: Proposal | None = None
        self._writing = False
        self._open = True
        self._waits = False  # for the 2-D view, to place nodes again
        self.dragging = False
        """Whether the person is just dragging a node: nothing is to be changed until it is over."""
        self.settled: Callable[[], None] = lambda: None
        """Called when an edit is over and the layers show the session again."""
        place = {
            "scale": placement.scale,
            "translate": placement.translate,
            "units": placement.units,
            "axis_labels": ("z", "y", "x"),
        }
        self.heat = _heat_layer(name, place)
        self.edges = Vectors(
            np.zeros((0, 2, 3)), ndim=3, name=f"{name} path", edge_color=OTHER,
            edge_width=node_size / 6, vector_style="line", opacity=0.8, **place,
        )  # fmt: skip
        self.points = Points(
            np.zeros((0, 3)), ndim=3, name=name, size=node_size, symbol="disc",
            face_color="transparent", border_color=OTHER, border_width=0.12, projection_mode="none",
            **place,
        )  # fmt: skip
        for layer in self.layers:
            viewer.add_layer(layer)
        self.points.bind_key("Control-V", _refuse_paste, overwrite=True)
        for key in ("Delete", "Backspace"):
            self.points.bind_key(key, self._remove, overwrite=True)
        self.points.events.data.connect(self._on_data)
        self.points.events.mode.connect(self._on_mode)
        viewer.dims.events.current_step.connect(self._on_step)
        viewer.dims.events.ndisplay.connect(self._on_ndisplay)
        self.take_mouse()

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers, lowest first."""
        return self.heat, self.edges, self.points

    def take_mouse(self) -> None:
        """Let clicks in the viewer place nodes."""
        if self.points in self._viewer.layers:
            self._viewer.layers.selection.active = self.points
            self._waits = self._viewer.dims.ndisplay == 3
            self.points.mode = "pan_zoom" if self._waits else "add"

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
        now = np.array(self.points.data, dtype=np.float64)
        edits = diff_rows(self._rows, now)
        self._rows = now
        if edits:
            self._controller.edit(edits)

    def _on_step(self) -> None:
        if self._writing or not self._open:
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
        """Make the layers' contents anew from the session and show its section."""
        self.take_edits()
        if not self._open or self.dragging:
            return
        snapshot = self._controller.snapshot()
        if not snapshot.active:
            return
        self._writing = True
        try:
            self._show_nodes(snapshot)
            self._show_heat()
            # only when the session moved: a person may look at sections that are not the trace's
            if snapshot.z is not None and snapshot.z != self._session_z:
                self._session_z = snapshot.z
                self._show_section(snapshot.z)
            self._follow()
        finally:
            self._writing = False
        self._viewed_z = self._section_in_view()

    def _show_nodes(self, snapshot: "Snapshot") -> None:
        rows = nodes_to_rows(snapshot.nodes)
        if not np.array_equal(rows, self.points.data):
            self._rows = rows.copy()
            with self.points.events.data.blocker(self._on_data):
                self.points.selected_data = set()
                self.points.data = rows
        edges = rows_to_edges(rows)
        if not np.array_equal(edges, self.edges.data):
            self.edges.data = edges
        if len(rows):
            current = rows[:, 0] == snapshot.z
            self.points.border_color = np.where(current[:, None], CURRENT_RGBA, OTHER_RGBA)

    def _show_section(self, z: int) -> None:
        self._viewer.dims.set_point(self._axis, self._placement.to_world((float(z), 0.0, 0.0))[0])

    def _follow(self) -> None:
        """Keep the policy's trace in view: go where its canvas went."""
        trace = self._controller.trace
        if trace is None or trace.view_centre_yx == self._centre_yx:
            return
        self._centre_yx = trace.view_centre_yx
        policy_moved = bool(trace.history) and trace.history[-1].actor == "policy"
        dims = self._viewer.dims
        if policy_moved and dims.ndisplay == 2:
            world = self._placement.to_world((float(trace.z), *self._centre_yx))
            # whichever axes are shown; others than the volume's three stay where they are
            at = (*dims.point[: self._axis], *world)
            camera(self._viewer).center = (0.0, *(at[axis] for axis in dims.displayed))

    def _show_heat(self) -> None:
        trace, proposal = self._controller.trace, self._controller.proposal
        shown = proposal is not None and proposal.heatmap is not None
        self.heat.visible = shown and self._controller.wants_heatmap
        if trace is None or proposal is None or proposal.heatmap is None:
            return
        if proposal is not self._heat_of:
            self._heat_of = proposal
            view, z, picture = trace.canvas_of(proposal.state, proposal.heatmap)
            # relative to the whole frame: faint where a button is the more likely click
            peak = max(float(proposal.heatmap.max()), 1e-12)
            self._put_heat(view, z, picture / np.float32(peak))

    def _put_heat(self, view: "CanvasView", z: int, picture: np.ndarray) -> None:
        place = self._placement.of_canvas(view, z)
        self.heat.data = picture[None].astype(np.float32)
        self.heat.scale = place.scale
        self.heat.translate = place.translate

    # ------------------------------------------------------------------------------- end
    def close(self) -> None:
        """Let go of the viewer: nodes and path stay as plain layers, the heatmap goes."""
        if not self._open:
            return
        self._open = False
        self.points.events.data.disconnect(self._on_data)
        self.points.events.mode.disconnect(self._on_mode)
        self._viewer.dims.events.current_step.disconnect(self._on_step)
        self._viewer.dims.events.ndisplay.disconnect(self._on_ndisplay)
        gone = [self.heat] if len(self.points.data) else list(self.layers)
        for layer in gone:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        for key in ("Control-V", "Delete", "Backspace"):
            self.points.bind_key(key, None)
        self.points.mode = "pan_zoom"


def _refuse_paste(points: Points) -> None:
    """Keep napari's paste from adding nodes without an event, or failing (0.9.2 does both)."""
    notices.show_info("A section has one node: click to place it instead of pasting.")


def _heat_layer(name: str, place: dict[str, Any]) -> Image:
    return Image(
        np.zeros((1, 2, 2), dtype=np.float32), name=f"{name} heatmap", colormap=HEAT,
        contrast_limits=(0.0, 1.0), blending="translucent", projection_mode="none", visible=False,
        metadata={OVERLAY_KEY: True}, **place,
    )  # fmt: skip
