"""Neurites as trees: a branch is joined to the node of its parent that it begins at."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bcannot_core.errors import UsageError
from bcannot_core.volumes.swc import Skeleton

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_bcannot.neurites import Neurite, NeuriteList

SAME_PX = 1.0
"""A branch's first node this close to the node it begins at is that node, canvas pixels."""


def family(neurites: "NeuriteList", root: "Neurite | None") -> list["Neurite"]:
    """Return a neurite and all branches of it, parents first; all neurites for None."""
    if root is None:
        known = set(neurites)
        roots = [one for one in neurites if not (one.parent and one.parent[0] in neurites)]
    else:
        known, roots = set(neurites), [root]
    found: list[Neurite] = []
    while roots:
        one = roots.pop(0)
        found.append(one)
        known.discard(one)
        roots += [child for child in neurites.children(one) if child in known]
    return found


def tree_of(neurites: "NeuriteList", only: "Neurite | None", header: Mapping[str, str]) -> Skeleton:
    """Return neurites as one skeleton.

    Raises
    ------
    UsageError
        There are no nodes.
    """
    members = [one for one in family(neurites, only) if one.trace.count]
    if not members:
        raise UsageError("there are no nodes to save yet")
    first = members[0].trace
    places: dict[str, tuple[list[int], NDArray[np.float64]]] = {}
    rows: list[NDArray[np.float64]] = []
    parents: list[int] = []
    for one in members:
        root, mine = _joint(one, places), _along(one)
        shared = int(root >= 0 and _same(one, mine[0], np.concatenate(rows)[root]))
        ids = [root] * shared + list(range(len(parents), len(parents) + len(mine) - shared))
        places[one.name] = (ids, mine)
        rows.append(mine[shared:])
        parents += ids[:-1] if shared else [root, *ids[:-1]]
    notes = {"volume": first.volume.address, **header}
    return Skeleton.from_voxels(
        np.concatenate(rows), first.volume.voxel_nm, parents=parents, header=notes
    )


def _along(one: "Neurite") -> "NDArray[np.float64]":
    """Return a neurite's nodes from where it begins on."""
    rows = one.trace.rows
    return rows if one.trace.task.config.direction > 0 else rows[::-1]


def _joint(one: "Neurite", places: Mapping[str, tuple[list[int], "NDArray[np.float64]"]]) -> int:
    """Return which node of the skeleton a neurite begins at, -1 for none."""
    if one.parent is None or one.parent[0] not in places:
        return -1
    ids, rows = places[one.parent[0]]
    return ids[int(np.abs(rows[:, 0] - one.parent[1]).argmin())]


def _same(one: "Neurite", node: "NDArray[np.float64]", joint: "NDArray[np.float64]") -> bool:
    step = np.maximum(one.trace.task.view(one.trace.session.state).step_yx, 1.0)
    near = np.array([0.5, *(step * SAME_PX)])
    return bool((np.abs(node - joint) <= near).all())
