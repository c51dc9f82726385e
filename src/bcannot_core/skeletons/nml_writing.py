"""Writing WEBKNOSSOS NML."""

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from bcannot_core.errors import UsageError, VolumeError
from bcannot_core.skeletons.graphs import edges_of_parents
from bcannot_core.skeletons.neurites import NamedSkeleton, SkeletonSet
from bcannot_core.skeletons.nml import META
from bcannot_core.skeletons.reading import clean
from bcannot_core.volumes.atomic import write_atomic
from bcannot_core.volumes.base import VoxelNm
from bcannot_core.volumes.swc import parents_first

_COLOURS = (
    (0.35, 0.78, 1.0), (1.0, 0.54, 0.36), (0.49, 0.88, 0.5), (0.84, 0.55, 1.0), (1.0, 0.82, 0.4),
    (0.3, 0.89, 0.82), (1.0, 0.48, 0.66), (0.64, 0.7, 1.0), (0.78, 0.91, 0.42), (0.91, 0.64, 0.42),
)  # fmt: skip
"""Of neurites without one, in turn."""
_HIGHEST_TREE = 2**31 - 1


def write_nml(path: str | Path, skeletons: SkeletonSet, voxel_nm: VoxelNm | None = None) -> None:
    """Write neurites as an NML file, which WEBKNOSSOS opens by dropping it onto a dataset.

    Parameters
    ----------
    path : str or Path
        The file; it appears whole or not at all.
    skeletons : SkeletonSet
        Nodes with several children become branch points.
    voxel_nm : tuple of float, optional
        Voxel size (z, y, x) of the dataset, where the set states none; overrides what it states.

    Raises
    ------
    UsageError
        No voxel size is known.
    VolumeError
        The file cannot be written.
    """
    path = Path(path)
    size = voxel_nm or skeletons.voxel_nm
    if size is None:
        raise UsageError(
            f"{path} needs the voxel size of the volume: NML positions are in voxels "
            "(--voxel-nm Z,Y,X)"
        )
    text = "\n".join(_lines(skeletons, size)) + "\n"
    try:
        write_atomic(path, lambda file: file.write(text.encode()))
    except OSError as error:
        raise VolumeError(f"cannot write {path}: {error.strerror or error}") from error


def _attribute(text: str) -> str:
    """Return a text in quotes, safe in XML 1.0."""
    allowed = (c for c in clean(text) if c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff")
    return quoteattr("".join(allowed))


def _lines(skeletons: SkeletonSet, voxel_nm: VoxelNm) -> Iterator[str]:
    z, y, x = voxel_nm
    volume = skeletons.header.get("experiment") or _short(skeletons.header.get("volume", ""))
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<things>"
    yield '  <meta name="writer" content="bcannot" />'
    for name, value in skeletons.header.items():
        if name != "experiment":
            yield f"  <meta name={_attribute(META + name)} content={_attribute(str(value))} />"
    yield "  <parameters>"
    yield f"    <experiment name={_attribute(volume)} />"
    yield f'    <scale x="{x:.17g}" y="{y:.17g}" z="{z:.17g}" unit="nanometer" />'
    yield "  </parameters>"
    first = 1
    branches: list[int] = []
    comments: list[str] = []
    for position, (neurite, number) in enumerate(
        zip(skeletons.neurites, _tree_ids(skeletons), strict=True)
    ):
        red, green, blue = neurite.colour or _COLOURS[position % len(_COLOURS)]
        yield (
            f'  <thing id="{number}" name={_attribute(neurite.name)} color.r="{red:.9g}" '
            f'color.g="{green:.9g}" color.b="{blue:.9g}" color.a="1">'
        )
        yield from _tree(neurite, first, size=(z, y, x), branches=branches, comments=comments)
        yield "  </thing>"
        first += len(neurite)
    yield "  <branchpoints>"
    yield from (f'    <branchpoint id="{node}" time="0" />' for node in branches)
    yield "  </branchpoints>"
    yield "  <comments>"
    yield from comments
    yield "  </comments>"
    yield "  <groups />"
    yield "</things>"


def _tree(
    neurite: NamedSkeleton, first: int, *, size: VoxelNm, branches: list[int], comments: list[str]
) -> Iterator[str]:
    """Yield nodes and edges with ids from ``first`` on; add branch points and comments."""
    skeleton = neurite.skeleton
    order = parents_first(skeleton.parents)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    voxels = skeleton.to_voxels(size)
    yield "    <nodes>"
    for number, i in enumerate(order.tolist(), start=first):
        z, y, x = voxels[i].tolist()
        yield (
            f'      <node id="{number}" radius="{skeleton.radius_nm[i]:.9g}" '
            f'x="{x:.15g}" y="{y:.15g}" z="{z:.15g}" />'
        )
    yield "    </nodes>"
    yield "    <edges>"
    for source, target in edges_of_parents(skeleton.parents).tolist():
        yield f'      <edge source="{rank[source] + first}" target="{rank[target] + first}" />'
    yield "    </edges>"
    children = np.bincount(skeleton.parents[skeleton.parents >= 0], minlength=len(order))
    branches += (rank[np.flatnonzero(children > 1)] + first).tolist()
    comments += (
        f'    <comment node="{rank[node] + first}" content={_attribute(text)} />'
        for node, text in neurite.comments.items()
    )


def _tree_ids(skeletons: SkeletonSet) -> list[int]:
    """Return the ids of trees: those of the set where they all fit, else 1, 2, 3, …."""
    numbers = skeletons.numbers()
    return numbers if max(numbers, default=0) <= _HIGHEST_TREE else [*range(1, len(numbers) + 1)]


def _short(address: str) -> str:
    return address.split("#")[0].rstrip("/").rsplit("/", 1)[-1]
