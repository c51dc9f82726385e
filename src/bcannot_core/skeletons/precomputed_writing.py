"""Writing skeletons in Neuroglancer's precomputed format."""

import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from bcannot_core.errors import UsageError, VolumeError
from bcannot_core.skeletons.graphs import edges_of_parents
from bcannot_core.skeletons.neurites import NamedSkeleton, SkeletonSet
from bcannot_core.skeletons.precomputed import KIND, PROPERTIES
from bcannot_core.volumes.swc import parents_first

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
_FIXED = ("radius", "vertex_types")
_FARTHEST_NM = 1e15
_LABELS = "segment_properties"


def write_precomputed(folder: str | Path, skeletons: SkeletonSet) -> None:
    """Write neurites as a folder that Neuroglancer opens as ``precomputed://ADDRESS``.

    Positions are single precision nm; every neurite is a segment (its own id, else 1, 2, 3, …),
    its name the segment's label. Attributes: ``radius``, ``vertex_types`` (the SWC kinds) and all
    features. The folder appears whole or not at all.

    Parameters
    ----------
    folder : str or Path
        A new or empty folder.
    skeletons : SkeletonSet
        What to write.

    Raises
    ------
    UsageError
        The folder holds something already, or a node is farther away than a kilometre.
    VolumeError
        It cannot be written.
    """
    folder = Path(str(folder).removeprefix("precomputed://").removeprefix("file://"))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} holds something already: choose a new folder")
    if any(np.abs(n.skeleton.zyx_nm).max(initial=0) > _FARTHEST_NM for n in skeletons.neurites):
        raise UsageError(f"{folder} would hold nodes beyond {_FARTHEST_NM:g} nm: too far away")
    partial = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.tmp")
    try:
        (partial / _LABELS).mkdir(parents=True)
        _fill(partial, skeletons)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    except OSError as error:
        raise VolumeError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fill(folder: Path, skeletons: SkeletonSet) -> None:
    names = dict.fromkeys(name for neurite in skeletons.neurites for name in neurite.features)
    features = [name for name in names if name and name not in _FIXED]
    header = {str(name): str(value) for name, value in skeletons.header.items()}
    if skeletons.voxel_nm is not None:
        header["voxel_nm_zyx"] = " ".join(f"{size:g}" for size in skeletons.voxel_nm)
    attributes = [("radius", "float32"), ("vertex_types", "uint8")]
    attributes += [(name, "float32") for name in features]
    info = {
        "@type": KIND,
        "transform": _IDENTITY,
        "vertex_attributes": [
            {"id": name, "data_type": kind, "num_components": 1} for name, kind in attributes
        ],
        _LABELS: _LABELS,
        "bcannot": header,
    }
    numbers = skeletons.numbers()
    for number, neurite in zip(numbers, skeletons.neurites, strict=True):
        (folder / str(number)).write_bytes(_encoded(neurite, features))
    labels = {
        "@type": PROPERTIES,
        "inline": {
            "ids": [str(number) for number in numbers],
            "properties": [
                {
                    "id": "label",
                    "type": "label",
                    "values": [neurite.name for neurite in skeletons.neurites],
                }
            ],
        },
    }
    _write_json(folder / _LABELS / "info", labels)
    _write_json(folder / "info", info)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _encoded(neurite: NamedSkeleton, features: list[str]) -> bytes:
    skeleton = neurite.skeleton
    count = len(skeleton)
    order = parents_first(skeleton.parents)
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    edges = rank[edges_of_parents(skeleton.parents)]
    empty = np.full(count, np.nan)
    parts: list[NDArray[Any]] = [
        skeleton.zyx_nm[order][:, ::-1].astype("<f4"),
        edges.astype("<u4"),
        skeleton.radius_nm[order].astype("<f4"),
        np.clip(skeleton.kinds[order], 0, 255).astype("u1"),
        *(neurite.features.get(name, empty)[order].astype("<f4") for name in features),
    ]
    return struct.pack("<II", count, len(edges)) + b"".join(part.tobytes() for part in parts)
