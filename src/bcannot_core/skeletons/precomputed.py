"""Reading skeletons in Neuroglancer's precomputed format: a folder or bucket, sharded or not.

What is read comes from anywhere: sizes are checked against the bytes that are there before
anything is allocated, and names in an ``info`` never lead out of its folder.
"""

import gzip
import io
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError, VolumeFormatError, VolumeNotFoundError
from bcannot_core.skeletons.graphs import parents_of_edges
from bcannot_core.skeletons.neurites import MAX_ID, NamedSkeleton, SkeletonSet
from bcannot_core.skeletons.reading import MAX_BYTES, MAX_NEURITES, MAX_NODES, clean
from bcannot_core.url_queries import without_query
from bcannot_core.volumes.base import VoxelNm
from bcannot_core.volumes.formats.common import inside
from bcannot_core.volumes.formats.stores import read_metadata
from bcannot_core.volumes.formats.units import usable_voxel
from bcannot_core.volumes.swc import Skeleton

KIND = "neuroglancer_skeletons"
PROPERTIES = "neuroglancer_segment_properties"
TYPES = {
    name: np.dtype(name).newbyteorder("<")
    for name in ("float32", "int8", "uint8", "int16", "uint16", "int32", "uint32")
}
_MAX_ATTRIBUTES = 64
_MAX_COMPONENTS = 16


@dataclass(frozen=True)
class SkeletonInfo:
    """What an ``info`` file says.

    Attributes
    ----------
    transform : ndarray of float64
        (3, 4): stored positions (x, y, z, 1) to nm.
    attributes : tuple of (str, dtype, int)
        Name, type and components of the columns that follow the edges.
    sharding : dict, optional
        Where skeletons are packed in shards.
    properties : str
        Folder with the names of segments; empty for none.
    header : dict
        What bcannot kept there.
    """

    transform: NDArray[np.float64]
    attributes: tuple[tuple[str, np.dtype[Any], int], ...]
    sharding: dict[str, Any] | None
    properties: str
    header: dict[str, str]


def read_precomputed(
    location: str | Path, ids: Sequence[int] | None = None, timeout_s: float = 20.0
) -> SkeletonSet:
    """Read skeletons from a folder or bucket in Neuroglancer's precomputed format.

    Parameters
    ----------
    location : str or Path
        The folder of the skeletons, or that of a segmentation whose ``info`` names one; a path or
        a URL (``http(s)``, ``gs``, ``s3``), with or without ``precomputed://``.
    ids : sequence of int, optional
        The segments to read; all by default, which only a folder on this machine can list.
    timeout_s : float
        Longest wait for one answer of a server.

    Returns
    -------
    SkeletonSet
        One neurite for each segment, in nm. Edges that close a circle are left out, which the
        remarks say.

    Raises
    ------
    VolumeNotFoundError
        There are no skeletons, or not of a segment.
    VolumeFormatError
        What is there is malformed or too large.
    VolumeUnreachableError
        The server does not answer.
    UsageError
        Which segments to read must be said.
    """
    from bcannot_core.skeletons import stored

    place = (
        without_query(str(location))
        .removeprefix("precomputed://")
        .removeprefix("file://")
        .rstrip("/")
    )
    place, info = _find(place, timeout_s)
    names = _labels(place, info, timeout_s)
    numbers = list(ids) if ids is not None else stored.list_ids(place, info.sharding, timeout_s)
    if not numbers:
        raise VolumeNotFoundError(f"there are no skeletons in {place}")
    if len(numbers) > MAX_NEURITES or not all(0 <= number <= MAX_ID for number in numbers):
        raise UsageError(f"{len(numbers)} segments of {place} are too many, or an id is no uint64")
    neurites, circles, nodes = [], 0, 0
    for number, content in stored.read_all(place, numbers, info.sharding, timeout_s):
        where = f"skeleton {number} of {place}"
        name = names.get(number, str(number))
        neurite, left_out = _neurite(content, info, where, (number, name))
        nodes += len(neurite) if neurite is not None else 0
        if nodes > MAX_NODES:
            raise VolumeFormatError(f"{place} has more than {MAX_NODES} nodes: choose segments")
        circles += left_out
        neurites += [neurite] if neurite is not None else []
    if not neurites:
        raise VolumeFormatError(f"the skeletons of {place} have no nodes")
    remarks = (f"{circles} edges closed a circle and were left out",) if circles else ()
    return SkeletonSet(tuple(neurites), _voxel(info.header), info.header, remarks)


def is_skeleton_folder(folder: str | Path) -> bool:
    """Whether a folder on this machine holds precomputed skeletons."""
    try:
        found = read_metadata(str(folder), ["info"], 5.0).get("info", {})
    except (VolumeFormatError, VolumeNotFoundError):
        return False
    return bool(found.get("@type") == KIND)


def _voxel(header: dict[str, str]) -> VoxelNm | None:
    return usable_voxel(header.get("voxel_nm_zyx", "").split())


def _find(place: str, timeout_s: float) -> tuple[str, SkeletonInfo]:
    """Return the folder of the skeletons and its info; that of a segmentation leads there."""
    info = read_metadata(place, ["info"], timeout_s).get("info")
    if info is None:
        raise VolumeNotFoundError(f"there are no precomputed skeletons at {place}: no info file")
    if info.get("@type") == KIND:
        return place, parse_info(info, place)
    inner = info.get("skeletons")
    if not isinstance(inner, str):
        raise VolumeFormatError(
            f"{place} holds no skeletons: its info is of type {clean(str(info.get('@type')))!r} "
            "and names none"
        )
    place = f"{place}/{inside(inner, f'the info of {place}')}"
    below = read_metadata(place, ["info"], timeout_s).get("info")
    if below is None or below.get("@type") != KIND:
        raise VolumeNotFoundError(f"there are no precomputed skeletons at {place}")
    return place, parse_info(below, place)


def parse_info(info: dict[str, Any], place: str) -> SkeletonInfo:
    """Return the checked content of an ``info`` file of skeletons.

    Raises
    ------
    VolumeFormatError
        A member is malformed.
    """
    numbers = info.get("transform", [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0])
    try:
        transform = np.asarray(numbers, np.float64).reshape(3, 4)
    except (TypeError, ValueError, OverflowError):
        transform = np.full((3, 4), math.nan)
    if not (np.abs(transform) < 1e15).all():
        raise VolumeFormatError(f"the info of {place} has a transform that is not 12 numbers")
    entries = info.get("vertex_attributes", [])
    if not isinstance(entries, list) or len(entries) > _MAX_ATTRIBUTES:
        raise VolumeFormatError(f"the info of {place} has no usable vertex_attributes")
    properties = info.get("segment_properties")
    kept = info.get("bcannot")
    header = kept if isinstance(kept, dict) and len(kept) < 100 else {}
    return SkeletonInfo(
        transform,
        tuple(_attribute(entry, place) for entry in entries),
        info.get("sharding"),
        inside(properties, f"the info of {place}")
        if isinstance(properties, str) and properties
        else "",
        {clean(str(name)): clean(str(value)) for name, value in header.items()},
    )


def _attribute(entry: Any, place: str) -> tuple[str, np.dtype[Any], int]:
    entry = entry if isinstance(entry, dict) else {}
    name, kind = entry.get("id"), entry.get("data_type")
    components = entry.get("num_components")
    usable = isinstance(name, str) and isinstance(kind, str) and kind in TYPES
    if not usable or not isinstance(components, int) or not 1 <= components <= _MAX_COMPONENTS:
        raise VolumeFormatError(f"the info of {place} has the attribute {clean(str(entry))[:80]}")
    return clean(str(name)), TYPES[str(kind)], components


def _labels(place: str, info: SkeletonInfo, timeout_s: float) -> dict[int, str]:
    """Return the names of segments, where there are any."""
    if not info.properties:
        return {}
    found = read_metadata(f"{place}/{info.properties}", ["info"], timeout_s).get("info", {})
    inline = found.get("inline") if found.get("@type") == PROPERTIES else None
    inline = inline if isinstance(inline, dict) else {}
    ids, columns = inline.get("ids"), inline.get("properties")
    if not isinstance(ids, list) or not isinstance(columns, list):
        return {}
    for column in columns:
        values = column.get("values") if isinstance(column, dict) else None
        if isinstance(values, list) and column.get("type") == "label" and len(values) == len(ids):
            pairs = zip(map(str, ids), map(str, values), strict=True)
            return {
                int(i): clean(v) for i, v in pairs if i.isdecimal() and len(i) < 21 and clean(v)
            }
    return {}


def _unpacked(content: bytes, info: SkeletonInfo, where: str) -> bytes:
    """Return a skeleton's bytes; of one packed by gzip, as CloudVolume does, those inside."""
    if content[:2] != b"\x1f\x8b" or len(content) == _length(content, info):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            plain = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise VolumeFormatError(f"{where} cannot be unpacked: {error}") from error
    if len(plain) > MAX_BYTES:
        raise VolumeFormatError(f"{where} unpacks to more than {MAX_BYTES} bytes")
    return plain


def _length(content: bytes, info: SkeletonInfo) -> int:
    """Return how many bytes a skeleton should have by its first eight."""
    vertices, edges = _counts(content)
    widths = (dtype.itemsize * components for _, dtype, components in info.attributes)
    return 8 + 12 * vertices + 8 * edges + vertices * sum(widths)


def _counts(content: bytes) -> tuple[int, int]:
    vertices, edges = struct.unpack_from("<II", content) if len(content) >= 8 else (0, 0)
    return vertices, edges


def _neurite(
    packed: bytes, info: SkeletonInfo, where: str, named: tuple[int, str]
) -> tuple[NamedSkeleton | None, int]:
    """Decode a skeleton; None for one without nodes."""
    content = _unpacked(packed, info, where)
    vertices, edges = _counts(content)
    if len(content) != _length(content, info) or vertices > MAX_NODES:
        raise VolumeFormatError(
            f"{where} has {len(content)} bytes: with {vertices} nodes, {edges} edges and the "
            f"attributes of the info it should have {_length(content, info)}"
        )
    if vertices == 0:
        return None, 0
    stored = np.frombuffer(content, "<f4", 3 * vertices, 8).reshape(-1, 3).astype(np.float64)
    xyz = stored @ info.transform[:, :3].T + info.transform[:, 3]
    pairs = np.frombuffer(content, "<u4", 2 * edges, 8 + 12 * vertices).reshape(-1, 2)
    if not np.isfinite(xyz).all() or (edges and pairs.max() >= vertices):
        raise VolumeFormatError(f"{where} has nodes that are nowhere, or an edge to none")
    parents, circles = parents_of_edges(pairs.astype(np.int64), vertices)
    columns = _columns(content, info)
    radius = columns.pop("radius", np.zeros(vertices))
    kinds = columns.pop("vertex_types", np.zeros(vertices))
    stretch = abs(np.linalg.det(info.transform[:, :3])) ** (1 / 3)
    skeleton = Skeleton(
        np.ascontiguousarray(xyz[:, ::-1]),
        parents,
        np.maximum(np.nan_to_num(radius, posinf=0.0), 0.0) * stretch,
        np.clip(np.nan_to_num(kinds), 0, 2**31).astype(np.int64),
        info.header,
    )
    return NamedSkeleton(named[1], skeleton, None, named[0], columns), circles


def _columns(content: bytes, info: SkeletonInfo) -> dict[str, NDArray[np.float64]]:
    """Return the attributes; one of several components becomes several columns."""
    vertices, edges = _counts(content)
    offset = 8 + 12 * vertices + 8 * edges
    columns: dict[str, NDArray[np.float64]] = {}
    for name, dtype, components in info.attributes:
        values = np.frombuffer(content, dtype, components * vertices, offset)
        offset += dtype.itemsize * components * vertices
        for part, column in enumerate(values.reshape(-1, components).T.astype(np.float64)):
            columns[name if components == 1 else f"{name}_{part}"] = column
    return columns
