"""What a session traced, as skeletons: branches are joined to the neurites that they begin at."""

from pathlib import Path

import numpy as np

from bcannot_core.episodes.episode import Episode
from bcannot_core.errors import BcannotError, JournalError
from bcannot_core.sittings.reader import SittingReader
from bcannot_core.sittings.timeline import Drawn, Timeline
from bcannot_core.skeletons import NamedSkeleton, SkeletonSet, join_branches
from bcannot_core.skeletons.neurites import colour_of
from bcannot_core.volumes import Skeleton
from bcannot_core.volumes.base import VoxelNm

_SAME_VOXELS = 1.5
"""A branch's first node this close to the node that it begins at is that node."""


def sitting_skeletons(folder: str | Path) -> SkeletonSet:
    """Return the neurites of a session's folder as they stood at its end, one skeleton a tree.

    Nothing of the volume is read.

    Raises
    ------
    JournalError
        The folder holds no session, or none with nodes.
    """
    reader = SittingReader.open(Path(folder))
    timeline = Timeline(reader)
    drawn = {one.number: one for one in timeline.at(len(timeline)).neurites if len(one.nodes_zyx)}
    if not drawn:
        why = f": {timeline.problems[0]}" if timeline.problems else ""
        raise JournalError(f"session {folder} has no nodes{why}")
    volume, voxel_nm = _volume(reader, next(iter(drawn)))
    header = {"volume": volume, "session": reader.id}
    families: dict[int, list[Drawn]] = {}
    for one in drawn.values():
        families.setdefault(_root(one, drawn), []).append(one)
    trees = [_tree(members, voxel_nm, header) for members in families.values()]
    return SkeletonSet(tuple(trees), voxel_nm, header, tuple(timeline.problems))


def _volume(reader: SittingReader, number: int) -> tuple[str, VoxelNm]:
    try:
        contents = reader.journal(reader.facts.neurites[number])
        data = Episode.from_header(contents.header, ()).data
    except BcannotError as error:
        raise JournalError(f"session {reader.folder}: {error}") from error
    if data is None:
        raise JournalError(f"session {reader.folder} names no volume")
    return data.volume, data.voxel_nm


def _root(one: Drawn, drawn: dict[int, Drawn]) -> int:
    seen = {one.number}
    while one.facts.parent is not None and one.facts.parent[0] in drawn:
        if one.facts.parent[0] in seen:
            break
        one = drawn[one.facts.parent[0]]
        seen.add(one.number)
    return one.number


def _tree(members: list[Drawn], voxel_nm: VoxelNm, header: dict[str, str]) -> NamedSkeleton:
    rows = {one.number: one.nodes_zyx.copy() for one in members}
    order = [one.number for one in members]
    joints: list[tuple[int, int] | None] = []
    for one in members:
        parent = one.facts.parent
        if parent is None or parent[0] not in rows:
            joints.append(None)
            continue
        above, mine = rows[parent[0]], rows[one.number]
        node = int(np.abs(above[:, 0] - parent[1]).argmin())
        if mine[0, 0] == above[node, 0] and np.abs(mine[0] - above[node]).max() <= _SAME_VOXELS:
            mine[0] = above[node]
        joints.append((order.index(parent[0]), node))
    parts = [
        NamedSkeleton(
            one.facts.name,
            Skeleton.from_voxels(rows[one.number], voxel_nm, header=header),
            colour_of(one.facts.colour),
            one.number,
        )
        for one in members
    ]
    return parts[0] if len(parts) == 1 else join_branches(parts[0].name, parts, joints)
