"""Writes points layers as SWC traces."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.volumes.swc import Skeleton, write_swc
from napari_bcannot.geometry import NM_PER


def write_swc_points(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a points layer as an SWC file, in nanometres.

    Nodes are joined as their features ``id`` and ``parent`` say (SWC files that were read have
    them), otherwise each to the one before.

    Parameters
    ----------
    path : str
        The file.
    data : ndarray
        (n, 3) nodes.
    meta : dict
        The layer's attributes.

    Raises
    ------
    UsageError
        The layer is empty or not three-dimensional.
    VolumeError
        The file cannot be written.
    """
    nodes = np.asarray(data, dtype=np.float64)
    name = str(meta.get("name", "points"))
    if nodes.ndim != 2 or nodes.shape[1] != 3:
        raise UsageError(f"layer {name!r} is not three-dimensional: an SWC trace needs z, y, x")
    if not len(nodes):
        raise UsageError(f"layer {name!r} has no points: there is no trace to write")
    nm = np.array([NM_PER.get(str(unit), 1.0) for unit in meta.get("units") or ("nm",) * 3])
    voxel = np.asarray(meta.get("scale", (1.0, 1.0, 1.0)), dtype=np.float64) * nm
    shift = np.asarray(meta.get("translate", (0.0, 0.0, 0.0)), dtype=np.float64) * nm
    features = meta.get("features")
    columns = {} if features is None else {str(key): np.asarray(features[key]) for key in features}
    skeleton = Skeleton(
        nodes * voxel + shift,
        _parents(columns, len(nodes)),
        _column(columns, "radius_nm", len(nodes), np.dtype(np.float64)),
        _column(columns, "kind", len(nodes), np.dtype(np.int64)),
        {"name": name, "voxel_nm_zyx": " ".join(f"{size:g}" for size in voxel)},
    )
    write_swc(path, skeleton)
    return [path]


def _parents(columns: dict[str, NDArray[Any]], count: int) -> NDArray[np.int64]:
    """Return each node's parent by index; nodes whose parent was deleted become roots."""
    if "id" not in columns or "parent" not in columns:
        return np.arange(-1, count - 1, dtype=np.int64)
    ids = _column(columns, "id", count, np.dtype(np.int64))
    index = {int(node): i for i, node in enumerate(ids)}
    wanted = _column(columns, "parent", count, np.dtype(np.int64))
    return np.array([index.get(int(parent), -1) for parent in wanted], dtype=np.int64)


def _column(
    columns: dict[str, NDArray[Any]], name: str, count: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return a feature's column; zeros where it is missing or, for nodes added later, empty."""
    values = columns.get(name)
    if values is None:
        return np.zeros(count, dtype)
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        return np.zeros(count, dtype)
    return np.nan_to_num(numbers).astype(dtype)
