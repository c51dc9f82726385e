"""The layers that neurites are drawn with: nodes, paths, a policy's proposal and its heatmap."""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Points, Vectors
from napari.utils.colormaps import Colormap

from napari_bcannot.geometry import OVERLAY_KEY

if TYPE_CHECKING:
    from napari_bcannot.geometry import Placement

CURRENT_RGBA = (1.0, 0.824, 0.0, 1.0)
"""Of the node in the section at hand."""
GHOST = "#ff5cf0"
NODE_PX = 11.0
"""Diameter of a node, canvas pixels."""
HEAT = Colormap(
    [[1.0, 0.45, 0.0, 0.0], [1.0, 0.45, 0.0, 0.35], [1.0, 0.75, 0.1, 0.75], [1.0, 1.0, 0.6, 0.95]],
    name="bcannot heat",
    controls=[0.0, 0.15, 0.5, 1.0],
)


def place_of(placement: "Placement") -> dict[str, Any]:
    """Return where a layer of voxels lies in the world, as its attributes."""
    return {
        "scale": placement.scale,
        "translate": placement.translate,
        "units": placement.units,
        "axis_labels": ("z", "y", "x"),
    }


def nodes_layer(name: str, colour: str, size: float, placement: "Placement") -> Points:
    """Return an empty layer of nodes, rings that show on their own section alone."""
    return Points(
        np.zeros((0, 3)), ndim=3, name=name, size=size, symbol="disc",
        face_color="transparent", border_color=colour, border_width=0.12, projection_mode="none",
        **place_of(placement),
    )  # fmt: skip


def path_layer(name: str, colour: str, size: float, placement: "Placement") -> Vectors:
    """Return an empty layer of edges between nodes."""
    return Vectors(
        np.zeros((0, 2, 3)), ndim=3, name=name, edge_color=colour,
        edge_width=size / 6, vector_style="line", opacity=0.8, **place_of(placement),
    )  # fmt: skip


def ghost_layer(name: str, size: float, placement: "Placement") -> Points:
    """Return an empty layer for the node that a policy proposes."""
    layer = Points(
        np.zeros((0, 3)), ndim=3, name=name, size=size * 1.3, symbol="disc",
        face_color="transparent", border_color=GHOST, border_width=0.2,
        projection_mode="none", metadata={OVERLAY_KEY: True}, **place_of(placement),
    )  # fmt: skip
    layer.editable = False
    return layer


def heat_layer(name: str, placement: "Placement") -> Image:
    """Return a hidden layer for a policy's heatmap."""
    return Image(
        np.zeros((1, 2, 2), dtype=np.float32), name=name, colormap=HEAT,
        contrast_limits=(0.0, 1.0), blending="translucent", projection_mode="none", visible=False,
        metadata={OVERLAY_KEY: True}, **place_of(placement),
    )  # fmt: skip


def rgba(colour: str) -> tuple[float, float, float, float]:
    """Return the colour of a ``"#rrggbb"``, 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue, 1.0
