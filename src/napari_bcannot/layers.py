"""Layer data for napari: traces, in nanometres."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bcannot.nodes import rows_to_edges

LayerData = tuple[Any, dict[str, Any], str]

NM = ("nm", "nm", "nm")
AXES = ("z", "y", "x")
PATH_COLOUR = "#59c7ff"
NODE_COLOUR = "#ffd200"


def trace_layers(
    rows: NDArray[np.float64],
    edges: NDArray[np.float64] | None,
    voxel_nm: tuple[float, float, float],
    name: str,
    features: dict[str, Any] | None = None,
) -> list[LayerData]:
    """Return a vectors layer and a points layer of nodes given in voxels.

    Parameters
    ----------
    rows : ndarray
        (n, 3) nodes (z, y, x).
    edges : ndarray, optional
        (m, 2, 3) start and direction; by default each node is joined to the one before.
    voxel_nm : tuple of float
        What a voxel measures.
    name : str
        Of the points layer.
    features : dict, optional
        A column a feature, one value a node.
    """
    size = 110.0 / max(voxel_nm[1:])
    place = {"scale": voxel_nm, "units": NM, "axis_labels": AXES}
    path = {
        "name": f"{name} path", "edge_color": PATH_COLOUR, "edge_width": size / 6,
        "vector_style": "line", "opacity": 0.8, **place,
    }  # fmt: skip
    points = {
        "name": name, "size": size, "symbol": "disc", "face_color": "transparent",
        "border_color": NODE_COLOUR, "border_width": 0.12, "projection_mode": "none",
        "features": features or {}, **place,
    }  # fmt: skip
    vectors = rows_to_edges(rows) if edges is None else edges
    return [(vectors, path, "vectors"), (rows, points, "points")]
