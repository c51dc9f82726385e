"""The traces of a batch as one points and one vectors layer, filled as traces arrive."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bcannot_core.tracing import Trace
from napari_bcannot.geometry import Placement
from napari_bcannot.layers import AXES
from napari_bcannot.nodes import rows_to_edges

COLOURS = (
    "#4e9bd1", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#edc948", "#76b7b2", "#ff9da7",
    "#9c755f", "#bab0ac",
)  # fmt: skip
"""Legible on grey EM, taken in turn."""
BATCH_KEY = "bcannot_batch"
"""Layer metadata: the layer shows the traces of a batch."""


class BatchLayers:
    """Two layers for all traces of a batch: quick with thousands of them.

    The points have the features ``trace`` (name), ``confidence``, ``id`` and ``parent``, so that
    other plugins can make use of them.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    name : str
        Of the points layer.
    placement : Placement
        Where the volume lies.
    node_size : float
        Diameter of a node's ring, in voxels.
    """

    def __init__(self, viewer: Any, name: str, placement: Placement, node_size: float) -> None:
        self._viewer, self.name, self.placement = viewer, name, placement
        self._node_size = node_size
        self._rows = np.empty((0, 3))
        self._edges = np.empty((0, 2, 3))
        self._features: dict[str, list[Any]] = {k: [] for k in ("trace", "confidence", "parent")}
        self._node_colours: list[str] = []
        self._edge_colours: list[str] = []
        self._count = 0
        self.points: Any = None
        self.path: Any = None

    def show(self, arrived: Sequence[tuple[str, Trace]]) -> None:
        """Add traces, named, and draw them."""
        found = [(name, trace) for name, trace in arrived if len(trace)]
        if not found:
            return
        for name, trace in found:
            self._append(name, trace)
        if self.points is None or self.points not in self._viewer.layers:
            if self.path is not None and self.path in self._viewer.layers:
                self._viewer.layers.remove(self.path)
            self._add_layers()
        self._fill()

    def hide(self) -> None:
        """Show the layers no longer: their traces are shown elsewhere."""
        for layer in (self.points, self.path):
            if layer is not None:
                layer.visible = False

    def _append(self, name: str, trace: Trace) -> None:
        colour = COLOURS[self._count % len(COLOURS)]
        first, count = len(self._rows), len(trace)
        self._count += 1
        edges = rows_to_edges(trace.nodes_zyx)
        self._rows = np.concatenate([self._rows, trace.nodes_zyx])
        self._edges = np.concatenate([self._edges, edges])
        self._node_colours += [colour] * count
        self._edge_colours += [colour] * len(edges)
        self._features["trace"] += [name] * count
        self._features["confidence"] += trace.confidence.tolist()
        self._features["parent"] += [-1, *range(first + 1, first + count)]

    def _add_layers(self) -> None:
        size = self._node_size
        place = {
            "scale": self.placement.scale,
            "translate": self.placement.translate,
            "units": self.placement.units,
            "axis_labels": AXES,
            "ndim": 3,
            "metadata": {BATCH_KEY: True},
        }
        active = self._viewer.layers.selection.active
        self.path = self._viewer.add_vectors(
            name=f"{self.name} path", edge_width=size / 6, vector_style="line", opacity=0.8, **place
        )
        self.points = self._viewer.add_points(
            name=self.name, size=size, symbol="disc", face_color="transparent", border_width=0.12,
            projection_mode="none", **place,
        )  # fmt: skip
        self._viewer.layers.selection.active = active  # clicks are to go where they went

    def _fill(self) -> None:
        features = {**self._features, "id": list(range(1, len(self._rows) + 1))}
        self.points.data = self._rows
        self.points.features = features
        self.points.border_color = self._node_colours
        self.points.selected_data = set()
        if len(self._edges):
            self.path.data = self._edges
            self.path.edge_color = self._edge_colours
