"""The neurites that are not active, in two layers for all of them: quick however many there are."""

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bcannot.drawn import nodes_layer, path_layer, rgba
from napari_bcannot.nodes import rows_to_edges

if TYPE_CHECKING:
    from napari_bcannot.geometry import Placement
    from napari_bcannot.neurites import Neurite, NeuriteList

NODES, PATHS = "other neurites", "other neurites path"


class NeuritesBeside:
    """Shows the neurites of a list that are not active; their layers come and go as needed.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers, below those of the active neurite.
    neurites : NeuriteList
        What is shown.
    placement : Placement
        Where the traced volume's voxels lie in the world.
    node_size : float
        Diameter of a node, voxels.
    """

    def __init__(
        self, viewer: Any, neurites: "NeuriteList", placement: "Placement", node_size: float
    ) -> None:
        self._viewer = viewer
        self._neurites = neurites
        self._placement = placement
        self._size = node_size * 0.8
        self._shown: list[tuple[int, str, int]] = []
        self.nodes: Any = None
        self.paths: Any = None

    def refresh(self, below: Any) -> None:
        """Show the neurites as they are now; new layers go below the layer ``below``."""
        others = [
            one for one in self._neurites if one is not self._neurites.active and one.trace.count
        ]
        now = [(one.number, one.colour, id(one.trace.rows)) for one in others]
        if now == self._shown:
            return
        self._shown = now
        self._kept = [one.trace.rows for one in others]  # so that no other array gets their ids
        if others and not self._present(self.nodes):
            self._make(below)
        if self._present(self.nodes):
            self._fill(others)

    def close(self) -> None:
        """Let go; nodes and paths stay as plain layers, empty ones go."""
        for layer in (self.paths, self.nodes):
            if self._present(layer) and not len(layer.data):
                self._viewer.layers.remove(layer)
        self.nodes = self.paths = None

    def _present(self, layer: Any) -> bool:
        return layer is not None and layer in self._viewer.layers

    def _make(self, below: Any) -> None:
        layers = self._viewer.layers
        active = layers.selection.active
        self.paths = path_layer(PATHS, "white", self._size, self._placement)
        self.nodes = nodes_layer(NODES, "white", self._size, self._placement)
        self.paths.opacity = self.nodes.opacity = 0.6
        for layer in (self.paths, self.nodes):
            self._viewer.add_layer(layer)
            layers.move(layers.index(layer), layers.index(below) if below in layers else -1)
        layers.selection.active = active

    def _fill(self, others: list["Neurite"]) -> None:
        rows = [one.trace.rows for one in others]
        edges = [rows_to_edges(some) for some in rows]
        colours = np.array([rgba(one.colour) for one in others], np.float32).reshape(-1, 4)
        self.nodes.data = np.concatenate([*rows, np.zeros((0, 3))])
        self.nodes.editable = False  # napari lets a layer be edited again with other data
        self.nodes.features = {"neurite": _repeat([one.name for one in others], rows)}
        if len(self.nodes.data):
            self.nodes.border_color = np.repeat(colours, [len(some) for some in rows], axis=0)
        if self._present(self.paths):
            self.paths.data = np.concatenate([*edges, np.zeros((0, 2, 3))])
            if len(self.paths.data):
                self.paths.edge_color = np.repeat(colours, [len(some) for some in edges], axis=0)


def _repeat(names: list[str], rows: list[Any]) -> Any:
    return np.repeat(np.array(names, dtype=object), [len(some) for some in rows])
