"""Skeletons as layers that other plugins understand, and such layers as skeletons.

A points layer has the nodes: its features ``neurite`` (name), ``id``, ``parent`` (an id, −1 for a
root), ``radius_nm``, ``kind`` and any further numbers say the rest; scale and units are those of
the volume. A vectors layer shows the edges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.skeletons import NamedSkeleton, SkeletonSet
from bcannot_core.skeletons.neurites import Colour, colour_of
from bcannot_core.volumes.base import VoxelNm
from bcannot_core.volumes.formats.units import usable_voxel
from bcannot_core.volumes.swc import Skeleton
from napari_bcannot.geometry import NM_PER
from napari_bcannot.layers import LayerData, trace_layers
from napari_bcannot.neurites import COLOURS

SKELETONS_KEY = "bcannot_skeletons"
"""Layer metadata: what the file says of its skeletons as a whole, and the ids of neurites."""
NAME_COLUMNS = ("neurite", "trace", "episode")
"""Features that may say which neurite a node is of; the first that is there counts."""
_OURS = {"id", "parent", "radius_nm", "kind", "comment", "index", *NAME_COLUMNS}

Columns = Mapping[str, NDArray[Any]]


def set_layers(skeletons: SkeletonSet, name: str) -> list[LayerData]:
    """Return a vectors and a points layer of skeletons, each neurite in its own colour.

    Parameters
    ----------
    skeletons : SkeletonSet
        Shown in voxels where their size is known, else in nm.
    name : str
        Of the points layer.
    """
    voxel_nm = skeletons.voxel_nm or (1.0, 1.0, 1.0)
    neurites = skeletons.neurites
    counts = [len(neurite) for neurite in neurites]
    of_node = np.repeat(np.arange(len(neurites)), counts)
    starts = np.cumsum([0, *counts])
    parents = np.concatenate(
        [
            np.where(neurite.skeleton.parents < 0, -1, neurite.skeleton.parents + start)
            for neurite, start in zip(neurites, starts, strict=False)
        ]
    )
    rows = np.concatenate([neurite.skeleton.to_voxels(voxel_nm) for neurite in neurites])
    children = np.flatnonzero(parents >= 0)
    edges = np.stack([rows[children], rows[parents[children]] - rows[children]], axis=1)
    names = np.array([neurite.name for neurite in neurites], dtype=object)
    features = {"neurite": names[of_node], **_features(neurites, parents)}
    vectors, points = trace_layers(rows, edges, voxel_nm, name, features)
    colours = np.array([_shown(neurite, i) for i, neurite in enumerate(neurites)])
    vectors[1].update(
        edge_color=colours[of_node[children]],
        features={"neurite": names[of_node[children]]},
    )
    metadata = {
        "header": dict(skeletons.header),
        "voxel_nm_zyx": skeletons.voxel_nm,
        "numbers": {n.name: n.number for n in neurites if n.number is not None},
    }
    points[1].update(border_color=colours[of_node], metadata={SKELETONS_KEY: metadata})
    return [vectors, points]


def _features(
    neurites: Sequence[NamedSkeleton], parents: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    skeletons = [neurite.skeleton for neurite in neurites]
    columns: dict[str, NDArray[Any]] = {
        "id": np.arange(1, len(parents) + 1),
        "parent": np.where(parents >= 0, parents + 1, -1),
        "radius_nm": np.concatenate([skeleton.radius_nm for skeleton in skeletons]),
        "kind": np.concatenate([skeleton.kinds for skeleton in skeletons]),
    }
    for name in dict.fromkeys(key for n in neurites for key in n.features if key not in _OURS):
        empty = (np.full(len(n), np.nan) for n in neurites)
        columns[name] = np.concatenate(
            [n.features.get(name, gap) for n, gap in zip(neurites, empty, strict=True)]
        )
    if any(neurite.comments for neurite in neurites):
        texts = [n.comments.get(i, "") for n in neurites for i in range(len(n))]
        columns["comment"] = np.array(texts, dtype=object)
    return columns


def _shown(neurite: NamedSkeleton, position: int) -> tuple[float, float, float, float]:
    colour = neurite.colour or colour_of(COLOURS[position % len(COLOURS)]) or (1.0, 1.0, 0.0)
    return (*colour, 1.0)


def skeletons_of(layers: Sequence[LayerData]) -> SkeletonSet:
    """Return what points layers hold as skeletons, in nm of the viewer's world.

    Nodes are joined as the features ``id`` and ``parent`` say; without them each to the one before
    of the same neurite. Neurites that are joined to one another are one skeleton, whose feature
    ``branch`` tells them apart. Layers of other kinds are passed over. Of layers with more than
    three axes the last three are space, and the others become features.

    Parameters
    ----------
    layers : sequence of LayerData
        As napari's writers get them.

    Raises
    ------
    UsageError
        There are no points, a layer has fewer than three axes, or is rotated or sheared.
    """
    found: list[NamedSkeleton] = []
    header: dict[str, str] = {}
    sizes: set[VoxelNm | None] = set()
    points = [
        (np.asarray(data, np.float64), meta) for data, meta, kind in layers if kind == "points"
    ]
    for data, meta in points:
        kept = (meta.get("metadata") or {}).get(SKELETONS_KEY) or {}
        header |= kept.get("header", {})
        neurites, size = _of_layer(data, meta, kept.get("numbers", {}), len(points) > 1)
        found += neurites
        sizes |= {size} if neurites else set()
    if not found:
        raise UsageError("the layers have no points: there is no trace to write")
    return SkeletonSet(tuple(found), sizes.pop() if len(sizes) == 1 else None, header)


def unsized(layers: Sequence[LayerData]) -> list[str]:
    """Return the names of points layers that say nothing of what a voxel measures."""
    return [
        str(meta.get("name", "points"))
        for _, meta, kind in layers
        if kind == "points"
        and not any(str(unit) in NM_PER for unit in meta.get("units") or ())
        and np.allclose(meta.get("scale", 1.0), 1.0)
    ]


def _of_layer(
    data: NDArray[np.float64], meta: Mapping[str, Any], numbers: Mapping[str, int], several: bool
) -> tuple[list[NamedSkeleton], VoxelNm]:
    name = str(meta.get("name", "points"))
    if data.ndim != 2 or data.shape[1] < 3:
        raise UsageError(f"layer {name!r} is not three-dimensional: a trace needs z, y, x")
    _refuse_rotation(name, meta)
    axes = data.shape[1]
    units = [str(unit) for unit in meta.get("units") or ["nm"] * axes][-3:]
    nm = np.array([NM_PER.get(unit, 1.0) for unit in units])
    voxel = np.asarray(meta.get("scale", np.ones(axes)), np.float64)[-3:] * nm
    shift = np.asarray(meta.get("translate", np.zeros(axes)), np.float64)[-3:] * nm
    columns = _columns(data, meta)
    zyx = data[:, -3:] * voxel + shift
    if not np.isfinite(zyx).all():
        raise UsageError(f"layer {name!r} has points that are nowhere: delete them first")
    size = usable_voxel(np.abs(voxel).tolist()) or (1.0, 1.0, 1.0)
    if not len(zyx):
        return [], size
    names, codes = _named(columns, name, len(zyx))
    parents = _parents(columns, codes)
    groups = _families(codes, parents, len(names))
    found = []
    for group in range(len(names)):
        mine = np.flatnonzero(groups == group)
        if not len(mine):
            continue
        chosen = {key: values[mine] for key, values in columns.items()}
        if np.ptp(codes[mine]):
            chosen["branch"] = np.unique(codes[mine], return_inverse=True)[1].astype(np.float64)
        rank = np.full(len(zyx) + 1, -1)
        rank[mine] = np.arange(len(mine))
        called = f"{name} {names[group]}" if several and names[group].isdecimal() else names[group]
        found.append(
            _Part(
                called, zyx[mine], rank[parents[mine]], chosen, _colour(meta, mine[0], len(names)),
                numbers.get(names[group]),
            ).skeleton()
        )  # fmt: skip
    return found, size


def _named(columns: Columns, otherwise: str, count: int) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of neurites and which of them each node is of."""
    column = next((columns[key] for key in NAME_COLUMNS if key in columns), None)
    if column is None:
        return [otherwise], np.zeros(count, np.int64)
    texts = [str(text) for text in column]
    texts = [text if text and text not in ("nan", "None") else otherwise for text in texts]
    index = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    return list(index), np.array([index[text] for text in texts], np.int64)


def _families(
    codes: NDArray[np.int64], parents: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return for each node the trunk of its neurite: one whose parent is of another joins that."""
    trunk = np.arange(count)
    children = np.flatnonzero(parents >= 0)
    pairs = {(int(codes[i]), int(codes[parents[i]])) for i in children}
    for _ in range(count):
        before = trunk.copy()
        for one, other in pairs:
            trunk[one] = trunk[other] = min(trunk[one], trunk[other])
        if np.array_equal(before, trunk):
            break
    return trunk[codes]


@dataclass(frozen=True)
class _Part:
    """The nodes of one neurite of a layer."""

    name: str
    zyx: NDArray[np.float64]
    parents: NDArray[np.int64]
    columns: Columns
    colour: Colour | None
    number: int | None

    def skeleton(self) -> NamedSkeleton:
        """Return it with all that has a place in a skeleton."""
        count = len(self.zyx)
        skeleton = Skeleton(
            self.zyx,
            self.parents,
            np.maximum(_numbers(self.columns, "radius_nm", count), 0.0),
            np.maximum(_numbers(self.columns, "kind", count), 0).astype(np.int64),
        )
        features = {
            key: values.astype(np.float64)
            for key, values in self.columns.items()
            if key not in _OURS and values.dtype.kind in "biuf"
        }
        known = {key: column for key, column in features.items() if not np.isnan(column).all()}
        said = enumerate(self.columns.get("comment", ()))
        comments = {i: text for i, text in said if isinstance(text, str) and text}
        return NamedSkeleton(self.name, skeleton, self.colour, self.number, known, comments)


def _columns(data: NDArray[np.float64], meta: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the layer's features, and the axes that are not space."""
    features = meta.get("features")
    columns = {} if features is None else {str(key): np.asarray(features[key]) for key in features}
    labels = meta.get("axis_labels") or [f"axis-{i}" for i in range(data.shape[1])]
    more = {str(label): data[:, i] for i, label in enumerate(labels[: data.shape[1] - 3])}
    return {**more, **columns}


def _parents(columns: Columns, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each node's parent by index; nodes whose parent was deleted become roots.

    napari gives a point that is added the features of the one that is selected, and selects it: so
    a node whose id stands there already goes on from the last one that has it.
    """
    count = len(codes)
    if "id" not in columns or "parent" not in columns:
        order = np.argsort(codes, kind="stable")
        before = np.concatenate([[-1], order[:-1]])
        begins = np.concatenate([[True], np.diff(codes[order]) != 0])
        parents = np.empty(count, np.int64)
        parents[order] = np.where(begins, -1, before)
        return parents
    ids = _numbers(columns, "id", count, empty=-1).astype(np.int64).tolist()
    wanted = _numbers(columns, "parent", count, empty=-1).astype(np.int64).tolist()
    index: dict[int, int] = {}
    last: dict[int, int] = {}
    follows = np.full(count, -1, np.int64)
    for i, node in enumerate(ids):
        if node >= 0:
            index.setdefault(node, i)
            follows[i] = last.get(node, -1)
            last[node] = i
    found = np.array([index.get(p, -1) if p >= 0 else -1 for p in wanted], np.int64)
    found = np.where(found == np.arange(count), -1, found)
    return np.where(follows >= 0, follows, found)


def _numbers(columns: Columns, name: str, count: int, empty: float = 0.0) -> NDArray[np.float64]:
    """Return a feature's numbers; ``empty`` where it is missing."""
    values = columns.get(name)
    try:
        numbers = np.full(count, empty) if values is None else values.astype(np.float64)
    except (TypeError, ValueError):
        return np.full(count, empty)
    return np.where(np.isfinite(numbers), numbers, empty)


def _colour(meta: Mapping[str, Any], node: int, neurites: int) -> Colour | None:
    """Return the colour that a node is drawn in, where neurites may have their own."""
    if neurites < 2 and SKELETONS_KEY not in (meta.get("metadata") or {}):
        return None
    colours = np.asarray(meta.get("border_color", ""))
    if colours.ndim != 2 or colours.dtype.kind != "f" or len(colours) <= node:
        return None
    red, green, blue = (float(np.clip(part, 0, 1)) for part in colours[node][:3])
    return red, green, blue


def _refuse_rotation(name: str, meta: Mapping[str, Any]) -> None:
    identity = {"rotate": np.eye, "affine": np.eye}
    for key, plain in identity.items():
        matrix = np.asarray(meta.get(key, 0.0), np.float64)
        if matrix.ndim == 2 and not np.allclose(matrix, plain(len(matrix))):
            raise UsageError(f"layer {name!r} is rotated or sheared: reset its transform")
    if not np.allclose(np.asarray(meta.get("shear", 0.0), np.float64), 0):
        raise UsageError(f"layer {name!r} is rotated or sheared: reset its transform")
