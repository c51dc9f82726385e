"""Layer data for napari: volumes and traces, in nanometres."""

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bcannot_core.errors import VolumeError
from bcannot_core.volumes import Volume
from napari_bcannot.geometry import VOLUME_KEY
from napari_bcannot.nodes import rows_to_edges

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bcannot_core.volumes.swc import Skeleton

LayerData = tuple[Any, dict[str, Any], str]

NM = ("nm", "nm", "nm")
AXES = ("z", "y", "x")
RETRY_S = 10.0
"""After a failed read nothing is asked of the server for so long: the window stays usable."""
PATH_COLOUR = "#59c7ff"
NODE_COLOUR = "#ffd200"


class Outage:
    """Whether a volume's server has just failed, shared by all parts of the volume.

    Parameters
    ----------
    tell : callable
        Gets the one-line message when reading begins to fail.
    """

    def __init__(self, tell: "Callable[[str], None]") -> None:
        self._tell = tell
        self._until = 0.0
        self._failing = False

    def read(self, part: Any) -> NDArray[Any]:
        """Read a lazy part; black where it cannot be read."""
        if time.monotonic() >= self._until:
            try:
                values = np.asarray(part)
            except VolumeError as error:
                self._until = time.monotonic() + RETRY_S
                if not self._failing:
                    self._tell(
                        f"{' '.join(str(error).split())} Sections are shown black until then."
                    )
                self._failing = True
            else:
                self._failing = False
                return values
        return np.zeros(part.shape, part.dtype)


class ShownArray:
    """A lazy array that napari can show: what cannot be read is black and said once.

    napari would show a traceback, or keep the picture of another section.

    Parameters
    ----------
    part : lazy array
        Has ``shape``, ``dtype`` and lazy indexing.
    outage : Outage
        Shared by all parts of one volume.
    """

    def __init__(self, part: Any, outage: Outage) -> None:
        self._part = part
        self._outage = outage
        self.shape = tuple(part.shape)
        self.dtype = np.dtype(part.dtype)
        self.ndim = len(self.shape)
        self.size = math.prod(self.shape)

    def __getitem__(self, key: Any) -> Any:
        """Index lazily."""
        part = self._part[key]
        lazy = hasattr(part, "__array__") and not isinstance(part, np.ndarray | np.generic)
        return ShownArray(part, self._outage) if lazy else part

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return int(self.shape[0])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the values; zeros where they cannot be read."""
        values = self._outage.read(self._part)
        return values if dtype is None else values.astype(dtype, copy=False)


def volume_layer(volume: Volume, name: str | None = None) -> LayerData:
    """Return a lazy image layer (labels layer for ids) of all levels of a volume.

    Raises
    ------
    VolumeError
        The volume cannot be read.
    """
    finest = volume.scales[0]
    meta: dict[str, Any] = {
        "name": name or _short_name(volume.address),
        "scale": finest.voxel_nm,
        "units": NM,
        "axis_labels": AXES,
        "metadata": {VOLUME_KEY: volume, "address": volume.address},
    }
    levels = _levels(volume)
    if len(levels) > 1:
        meta["multiscale"] = True
    data = levels if len(levels) > 1 else levels[0]
    if volume.is_labels:
        return data, meta, "labels"
    contrast = volume.contrast
    meta |= {
        "contrast_limits": (contrast.lo, contrast.hi),
        "colormap": "gray",
        "projection_mode": "none",
    }
    return data, meta, "image"


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


def skeleton_layers(skeleton: "Skeleton", name: str) -> list[LayerData]:
    """Return the layers of a skeleton, in voxels where its header states a voxel size."""
    voxel_nm = _stated_voxel(skeleton.header)
    rows = skeleton.to_voxels(voxel_nm)
    children = np.flatnonzero(skeleton.parents >= 0)
    starts = rows[children]
    edges = np.stack([starts, rows[skeleton.parents[children]] - starts], axis=1)
    features = {
        "id": np.arange(1, len(rows) + 1),
        "parent": np.where(skeleton.parents >= 0, skeleton.parents + 1, -1),
        "radius_nm": skeleton.radius_nm,
        "kind": skeleton.kinds,
    }
    return trace_layers(rows, edges, voxel_nm, name, features)


def _stated_voxel(header: "Mapping[str, str]") -> tuple[float, float, float]:
    try:
        z, y, x = (float(word) for word in header.get("voxel_nm_zyx", "").split())
    except ValueError:
        return 1.0, 1.0, 1.0
    stated = np.isfinite([z, y, x]).all() and min(z, y, x) > 0
    return (z, y, x) if stated else (1.0, 1.0, 1.0)


def _levels(volume: Volume) -> list[Any]:
    """Return what napari shows of each level, finest first, each smaller than the one before."""
    from napari.utils.notifications import show_warning

    outage = Outage(show_warning)
    shown: list[Any] = []
    for info in volume.scales:
        if shown and math.prod(info.shape) >= shown[-1].size:
            continue
        level = volume.at_scale(info.index)
        shown.append(level.array if level.in_memory else ShownArray(level.array, outage))
    return shown


def _short_name(address: str) -> str:
    place = address.split("#")[0].rstrip("/")
    return place.rsplit("/", 1)[-1] or address
