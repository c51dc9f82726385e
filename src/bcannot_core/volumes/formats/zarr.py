"""Zarr 2 and 3 arrays and OME-Zarr images, through tensorstore."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bcannot_core.errors import VolumeFormatError, VolumeNotFoundError
from bcannot_core.volumes.base import DEFAULT_VOXEL_NM, ScaleInfo, VoxelNm
from bcannot_core.volumes.extra_axes import At, axis_names, fix_axes
from bcannot_core.volumes.formats.common import Opened, choose_array, inside, single
from bcannot_core.volumes.formats.stores import (
    StoreSource,
    is_remote,
    kvstore,
    open_stores,
    read_metadata,
)
from bcannot_core.volumes.formats.units import nm_per_unit, usable_voxel

NODE_FILES = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_MAX_NODES = 2000


@dataclass(frozen=True, slots=True)
class Node:
    """A zarr array or group: its version, attributes, and names of arrays it is said to hold."""

    location: str
    version: int
    is_array: bool
    attributes: dict[str, Any]
    children: tuple[str, ...]


def read_node(location: str, timeout_s: float, files: dict[str, Any] | None = None) -> Node | None:
    """Read what lies at a location; None where it is nothing of zarr.

    Raises
    ------
    VolumeError
        Damaged metadata, or the server does not answer.
    """
    if files is None:
        files = read_metadata(location, NODE_FILES, timeout_s)
    if "zarr.json" in files:
        node = files["zarr.json"]
        consolidated = _dict(_dict(node.get("consolidated_metadata")).get("metadata"))
        children = [n for n, m in consolidated.items() if _dict(m).get("node_type") == "array"]
        is_array = node.get("node_type") == "array"
        return Node(location, 3, is_array, _dict(node.get("attributes")), tuple(children))
    if not {".zarray", ".zgroup", ".zattrs"} & set(files):
        return None
    children = []
    if ".zarray" not in files:
        extra = read_metadata(location, [".zmetadata"], timeout_s).get(".zmetadata", {})
        known = _dict(extra.get("metadata"))
        children = [n.removesuffix("/.zarray") for n in known if n.endswith("/.zarray")]
    attributes = _dict(files.get(".zattrs"))
    return Node(location, 2, ".zarray" in files, attributes, tuple(children))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def open_zarr(
    location: str,
    key: str | None,
    labels: bool,
    timeout_s: float,
    files: dict[str, Any] | None = None,
    at: At = (),
) -> Opened:
    """Open a zarr array, an array of a group, or an OME-Zarr image with all its scales.

    Parameters
    ----------
    location : str
        Path or URL of an array or group.
    key : str, optional
        Path of an array or image in the group.
    labels : bool
        Take the labels of an OME-Zarr image, or the array of a group that holds labels.
    timeout_s : float
        Longest wait for one answer.
    files : dict, optional
        Metadata of the location that have been read already.
    at : tuple
        Places of the axes beside z, y, x.

    Raises
    ------
    VolumeError
        Nothing there, damaged, no three axes, or the server does not answer.
    """
    location = location.rstrip("/")
    if key is not None:
        location, files = f"{location}/{key.strip('/')}", None
    node = read_node(location, timeout_s, files)
    if node is None:
        raise VolumeNotFoundError(f"there is no zarr array or group at {location}")
    if node.is_array:
        return _open_array(node, at, timeout_s)
    if labels and key is None:
        node = _labels_of(node, timeout_s)
    if _multiscales(node) is not None:
        return _open_image(node, at, timeout_s)
    names = node.children or tuple(_local_arrays(node))
    name = choose_array(names, None, labels, f"{location} (a zarr group)")
    child = read_node(f"{location}/{inside(name, f'the list of arrays of {location}')}", timeout_s)
    if child is None or not child.is_array:
        raise VolumeFormatError(f"{location} lists an array {name} that is not there")
    return _open_array(child, at, timeout_s)


def _local_arrays(node: Node) -> Iterator[str]:
    """Yield the arrays below a group on the disk, down to three levels."""
    if is_remote(node.location):
        return
    pending, seen = [Path(node.location).expanduser()], 0
    top = pending[0]
    while pending and seen < _MAX_NODES:
        folder = pending.pop()
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            if not entry.is_dir():
                continue
            seen += 1
            child = read_node(entry.path, 20.0)
            if child is not None and child.is_array:
                yield Path(entry.path).relative_to(top).as_posix()
            elif len(Path(entry.path).relative_to(top).parts) < 3:
                pending.append(Path(entry.path))


def _labels_of(node: Node, timeout_s: float) -> Node:
    """Return the first label image of an OME-Zarr image; the node itself where it has none."""
    ome = _dict(node.attributes.get("ome")) or node.attributes
    if "image-label" in ome:
        return node
    group = read_node(f"{node.location}/labels", timeout_s)
    if group is None:
        return node
    names = (_dict(group.attributes.get("ome")) or group.attributes).get("labels")
    if not isinstance(names, list) or not names:
        return node
    name = inside(str(names[0]), f"the list of labels of {node.location}")
    return read_node(f"{node.location}/labels/{name}", timeout_s) or node


def _stores(nodes: list[Node], timeout_s: float) -> list[Any]:
    specs = [
        {"driver": "zarr3" if n.version == 3 else "zarr", "kvstore": kvstore(n.location)}
        for n in nodes
    ]
    return open_stores(specs, [n.location for n in nodes], timeout_s)


def _open_array(node: Node, at: At, timeout_s: float) -> Opened:
    (store,) = _stores([node], timeout_s)
    if store.ndim > 3 or (at and store.ndim == 3):
        store = store[fix_axes(axis_names(store.ndim), store.shape, at, node.location)]
    source = _array_source(node, store, timeout_s)
    return single(source, node.location.rsplit("/", 1)[-1], _array_voxel(node.attributes))


def _array_source(node: Node, store: Any, timeout_s: float) -> StoreSource:
    remote = is_remote(node.location)
    return StoreSource(store, node.location, remote=remote, timeout_s=timeout_s)


def _array_voxel(attributes: dict[str, Any]) -> VoxelNm | None:
    """Return a voxel size from the attributes of a plain array (nm, z first)."""
    for name in ("voxel_nm", "resolution", "voxel_size"):
        if isinstance(attributes.get(name), list):
            return usable_voxel(attributes[name])
    return None


def _multiscales(node: Node) -> dict[str, Any] | None:
    ome = _dict(node.attributes.get("ome")) or node.attributes
    entries = ome.get("multiscales")
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
        return None
    return entries[0]


def _open_image(node: Node, at: At, timeout_s: float) -> Opened:
    """Open an OME-Zarr image: axes and units by name, one scale a dataset."""
    image = _multiscales(node) or {}
    names, units = _axes(image, node.location)
    datasets = image.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise VolumeFormatError(f"the multiscales of {node.location} list no datasets")
    entries = [_dict(dataset) for dataset in datasets]
    paths = [_path(entry, node.location) for entry in entries]
    nodes = [Node(f"{node.location}/{path}", node.version, True, {}, ()) for path in paths]
    levels: list[tuple[str, StoreSource, VoxelNm | None]] = []
    stores = _stores(nodes, timeout_s)
    for entry, path, child, whole in zip(entries, paths, nodes, stores, strict=True):
        store = _spatial(whole, names, at, child.location)
        factors = _scale_factors(image, entry, len(names))
        voxel = usable_voxel([factors[names.index(a)] * units[a][0] for a in "zyx"])
        levels.append((path, _array_source(child, store, timeout_s), voxel))
    known = all(voxel is not None for _, _, voxel in levels) and all(u[1] for u in units.values())
    scales = tuple(
        ScaleInfo(i, path, source.shape, voxel or DEFAULT_VOXEL_NM)
        for i, (path, source, voxel) in enumerate(levels)
    )
    return Opened(scales, lambda index: levels[index][1], known)


def _path(dataset: dict[str, Any], where: str) -> str:
    path = dataset.get("path")
    if not isinstance(path, str):
        raise VolumeFormatError(f"a dataset in the multiscales of {where} has no path")
    return inside(path, f"a dataset in the multiscales of {where}")


def _axes(image: dict[str, Any], where: str) -> tuple[list[str], dict[str, tuple[float, bool]]]:
    """Return the axis names, and for z, y, x the nm per unit and whether the unit is stated."""
    axes = image.get("axes", list("tczyx"))
    axes = axes if isinstance(axes, list) else []
    entries = [a if isinstance(a, dict) else {"name": a} for a in axes]
    names = [str(a.get("name", "")).lower() for a in entries]
    if [n for n in names if n in "zyx"] != ["z", "y", "x"]:
        raise VolumeFormatError(
            f"{where} has the axes {', '.join(names)}, a volume needs z, y, x in this order: "
            "store it as a (z, y, x) array"
        )
    units = {}
    for name, entry in zip(names, entries, strict=True):
        factor = nm_per_unit(entry.get("unit"))
        # Without a unit the usual one of microscopy, marked as not stated.
        units[name] = (factor or 1e3, factor is not None)
    return names, {axis: units[axis] for axis in "zyx"}


def _scale_factors(image: dict[str, Any], dataset: dict[str, Any], count: int) -> list[float]:
    factors = [1.0] * count
    for owner in (dataset, image):
        transforms = owner.get("coordinateTransformations")
        for transform in transforms if isinstance(transforms, list) else []:
            values = _dict(transform).get("scale")
            if isinstance(values, list) and len(values) == count:
                numbers = [v if isinstance(v, int | float) else 1.0 for v in values]
                factors = [a * b for a, b in zip(factors, numbers, strict=True)]
    return factors


def _spatial(store: Any, names: list[str], at: At, where: str) -> Any:
    """Return the (z, y, x) part of an image at the chosen places of its other axes."""
    shape = tuple(store.shape)
    if len(shape) != len(names):
        raise VolumeFormatError(f"{where} has shape {shape}, but the axes {', '.join(names)}")
    return store[fix_axes(names, shape, at, where)]
