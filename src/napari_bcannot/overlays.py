"""What a policy proposes, over the image: the node, and where it considered clicking."""

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bcannot.drawn import ghost_layer, heat_layer

if TYPE_CHECKING:
    from napari_bcannot.controller import TraceController
    from napari_bcannot.geometry import Placement
    from napari_bcannot.snapshot import Snapshot
    from napari_bcannot.turns import Proposal


class PolicyOverlays:
    """The layers of a policy's heatmap and of the node that it proposes.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layer of the proposed node when there is one for the first time.
    placement : Placement
        Where the traced volume's voxels lie in the world.
    name : str
        Of the neurite, which the heatmap is named after.
    node_size : float
        Diameter of a node, voxels.

    Attributes
    ----------
    heat : napari.layers.Image
        The heatmap's layer; the caller adds it to the viewer, and removes it.
    ghost : napari.layers.Points or None
        The layer of the proposed node.
    """

    def __init__(self, viewer: Any, placement: "Placement", name: str, node_size: float) -> None:
        self._viewer = viewer
        self._placement = placement
        self._size = node_size
        self._heat_of: Proposal | None = None
        self.heat = heat_layer(f"{name} heatmap", placement)
        self.ghost: Any = None

    def show(self, controller: "TraceController", snapshot: "Snapshot") -> None:
        """Show the proposal of the controller as it is now, or none."""
        self._show_heat(controller)
        self._show_ghost(snapshot.ghost_zyx)

    def close(self) -> None:
        """Take the proposed node away."""
        if self.ghost is not None and self.ghost in self._viewer.layers:
            self._viewer.layers.remove(self.ghost)
        self.ghost = None

    def _show_heat(self, controller: "TraceController") -> None:
        trace, proposal = controller.trace, controller.proposal
        there = proposal is not None and proposal.heatmap is not None
        shown = there and controller.wants_heatmap
        if self.heat.visible != shown:  # to be told what it knows costs a layer much
            self.heat.visible = shown
        if trace is None or proposal is None or proposal.heatmap is None:
            return
        if proposal is not self._heat_of:
            self._heat_of = proposal
            view, z, picture = trace.canvas_of(proposal.state, proposal.heatmap)
            # relative to the whole frame: faint where a button is the more likely click
            peak = max(float(proposal.heatmap.max()), 1e-12)
            place = self._placement.of_canvas(view, z)
            self.heat.data = (picture / np.float32(peak))[None].astype(np.float32)
            self.heat.scale = place.scale
            self.heat.translate = place.translate

    def _show_ghost(self, at: tuple[float, float, float] | None) -> None:
        layers = self._viewer.layers
        known = self.ghost is not None and self.ghost in layers
        if at is not None and not known:
            active = layers.selection.active
            made = ghost_layer("proposed node", self._size, self._placement)
            self.ghost = self._viewer.add_layer(made)
            layers.selection.active = active
            known = True
        if known:
            rows = np.reshape([] if at is None else at, (-1, 3)).astype(float)
            if not np.array_equal(rows, self.ghost.data):
                self.ghost.data = rows
