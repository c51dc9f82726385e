"""Neurites as trees for files: a branch is joined to the node of its parent that it begins at."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bcannot_core.errors import UsageError
from bcannot_core.skeletons import NamedSkeleton, SkeletonSet, join_branches
from bcannot_core.volumes.swc import Skeleton

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_bcannot.neurites import Neurite, NeuriteList

SAME_PX = 1.0
"""A branch's first node this close to the node it begins at is that node, canvas pixels."""


def root_of(neurites: "NeuriteList", neurite: "Neurite") -> "Neurite":
    """Return the neurite that a branch, and what it branches off, grew from."""
    seen = {neurite}
    while neurite.parent and neurite.parent[0] in neurites:
        neurite = neurites[neurite.parent[0]]
        if neurite in seen:
            break
        seen.add(neurite)
    return neurite


def family(neurites: "NeuriteList", root: "Neurite") -> list["Neurite"]:
    """Return a neurite and all branches of it that have nodes, parents first."""
    found, rest = [], [root]
    while rest:
        one = rest.pop(0)
        found.append(one)
        rest += [child for child in neurites.children(one) if child not in found]
    return [one for one in found if one.trace.count]


def skeleton_set(
    neurites: "NeuriteList", only: "Neurite | None", header: Mapping[str, str]
) -> SkeletonSet:
    """Return each tree of neurites as one skeleton.

    Raises
    ------
    UsageError
        There are no nodes.
    """
    roots = dict.fromkeys(root_of(neurites, one) for one in ([only] if only else neurites))
    families = [members for root in roots if (members := family(neurites, root))]
    if not families:
        raise UsageError("there are no nodes to save yet")
    volume = families[0][0].trace.volume
    notes = {"volume": volume.address, **header}
    trees = tuple(_tree(members, notes) for members in families)
    return SkeletonSet(trees, volume.voxel_nm, notes)


def _tree(members: list["Neurite"], header: Mapping[str, str]) -> NamedSkeleton:
    rows = [_along(one) for one in members]
    index = {one.name: i for i, one in enumerate(members)}
    joints: list[tuple[int, int] | None] = []
    for one, mine in zip(members, rows, strict=True):
        joint = None
        if one.parent is not None and one.parent[0] in index:
            part = index[one.parent[0]]
            node = int(np.abs(rows[part][:, 0] - one.parent[1]).argmin())
            joint = (part, node)
            if _same(one, mine[0], rows[part][node]):
                mine[0] = rows[part][node]
        joints.append(joint)
    parts = [_named(one, mine, header) for one, mine in zip(members, rows, strict=True)]
    return join_branches(members[0].name, parts, joints) if len(parts) > 1 else parts[0]


def _named(one: "Neurite", rows: "NDArray[np.float64]", header: Mapping[str, str]) -> NamedSkeleton:
    from napari_bcannot.neurites import confidences

    sure = confidences(one).astype(np.float64)
    sure = sure if one.trace.task.config.direction > 0 else sure[::-1].copy()
    red, green, blue = (int(one.colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    skeleton = Skeleton.from_voxels(rows, one.trace.volume.voxel_nm, header=header)
    return NamedSkeleton(one.name, skeleton, (red, green, blue), one.number, {"confidence": sure})


def _along(one: "Neurite") -> "NDArray[np.float64]":
    """Return a copy of a neurite's nodes from where it begins on."""
    rows = one.trace.rows
    return (rows if one.trace.task.config.direction > 0 else rows[::-1]).copy()


def _same(one: "Neurite", node: "NDArray[np.float64]", joint: "NDArray[np.float64]") -> bool:
    step = np.maximum(one.trace.task.view(one.trace.session.state).step_yx, 1.0)
    near = np.array([0.5, *(step * SAME_PX)])
    return bool((np.abs(node - joint) <= near).all())
