"""Several named skeletons, as the files of tracing tools hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.volumes.base import VoxelNm
from bcannot_core.volumes.swc import Skeleton

Colour = tuple[float, float, float]
"""Red, green, blue, 0…1."""

MAX_ID = 2**64 - 1


@dataclass(frozen=True, eq=False)
class NamedSkeleton:
    """A neurite: a skeleton with what tracing tools keep beside it.

    Attributes
    ----------
    name : str
        As people know it.
    skeleton : Skeleton
        Nodes, edges, radii, kinds.
    colour : tuple of float, optional
        Red, green, blue, 0…1.
    number : int, optional
        The id in the file: of a segment, of a tree.
    features : mapping of str to float64 (n,)
        Further columns, a value for each node: ``confidence``, …; NaN where there is none.
    comments : mapping of int to str
        Texts at nodes, by the node's index.

    Raises
    ------
    UsageError
        A column has another length, a comment is at no node, or the number or colour is out of
        range.
    """

    name: str
    skeleton: Skeleton
    colour: Colour | None = None
    number: int | None = None
    features: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    comments: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        count = len(self.skeleton)
        wrong = [name for name, column in self.features.items() if column.shape != (count,)]
        if wrong:
            raise UsageError(f"feature {wrong[0]!r} of {self.name!r} has not {count} values")
        if any(not 0 <= node < count for node in self.comments):
            raise UsageError(f"{self.name!r} has a comment at a node that it does not have")
        if self.colour is not None and not all(0 <= part <= 1 for part in self.colour):
            raise UsageError(f"the colour {self.colour} of {self.name!r} is not within 0…1")
        if self.number is not None and not 0 <= self.number <= MAX_ID:
            raise UsageError(f"the id {self.number} of {self.name!r} is not within 0…2⁶⁴−1")

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.skeleton)


@dataclass(frozen=True, eq=False)
class SkeletonSet:
    """The neurites of a file.

    Attributes
    ----------
    neurites : tuple of NamedSkeleton
        In the order of the file.
    voxel_nm : tuple of float, optional
        Voxel size (z, y, x) of the volume that they were traced in, where it is known.
    header : mapping of str to str
        ``volume``, ``policy``, …
    remarks : tuple of str
        What reading left out, one line each.
    """

    neurites: tuple[NamedSkeleton, ...]
    voxel_nm: VoxelNm | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of neurites."""
        return len(self.neurites)

    @property
    def nodes(self) -> int:
        """The number of nodes of all neurites."""
        return sum(map(len, self.neurites))

    def numbers(self) -> list[int]:
        """Return a different id ≥ 1 for each neurite: its own where it has one, else a free one."""
        own = [neurite.number for neurite in self.neurites]
        taken = set(own)
        given: set[int] = set()
        numbers: list[int] = []
        following = 1
        for number in own:
            if not number or number in given:
                while following in taken or following in given:
                    following += 1
                number = following
            given.add(number)
            numbers.append(number)
        return numbers


def join_branches(
    name: str,
    parts: Sequence[NamedSkeleton],
    joints: Sequence[tuple[int, int] | None],
) -> NamedSkeleton:
    """Join neurites that branch off one another into one skeleton.

    Parameters
    ----------
    name : str
        Of the whole.
    parts : sequence of NamedSkeleton
        The branches; the first one gives colour and header.
    joints : sequence of (int, int) or None
        For each part the part and the node of it that it begins at; None for a trunk. A part whose
        first node lies exactly there shares that node, otherwise an edge joins the two.

    Returns
    -------
    NamedSkeleton
        The nodes of all parts one after the other; a feature ``branch`` says which part each is of.

    Raises
    ------
    UsageError
        There are no parts, a joint names no node, or parts begin at one another in a circle.
    """
    if not parts or len(parts) != len(joints):
        raise UsageError(f"{len(parts)} branches need as many joints, got {len(joints)}")
    starts = np.cumsum([0, *map(len, parts)])
    zyx = np.concatenate([part.skeleton.zyx_nm for part in parts])
    parents = np.concatenate(
        [
            np.where(part.skeleton.parents < 0, -1, part.skeleton.parents + start)
            for part, start in zip(parts, starts, strict=False)
        ]
    )
    kept = np.ones(len(zyx), bool)
    stands_for = np.arange(len(zyx))
    for index, joint in enumerate(joints):
        if joint is None:
            continue
        part, node = joint
        if not (0 <= part < len(parts) and 0 <= node < len(parts[part])):
            raise UsageError(f"branch {parts[index].name!r} begins at no node: {joint}")
        first = int(starts[index] + np.flatnonzero(parts[index].skeleton.parents < 0)[0])
        at = int(starts[part] + node)
        parents[first] = at
        if np.array_equal(zyx[first], zyx[at]):
            kept[first] = False
            stands_for[first] = at
    return _joined(name, parts, parents, kept, stands_for)


def _joined(
    name: str,
    parts: Sequence[NamedSkeleton],
    parents: NDArray[np.int64],
    kept: NDArray[np.bool_],
    stands_for: NDArray[np.int64],
) -> NamedSkeleton:
    for _ in range(len(parts)):  # a shared node may itself be another branch's shared node
        stands_for = stands_for[stands_for]
    if not kept[stands_for].all():
        raise UsageError(f"the branches of {name!r} begin at one another in a circle")
    rank = np.cumsum(kept) - 1
    above = np.where(parents < 0, -1, rank[stands_for[parents]])[kept]
    skeletons = [part.skeleton for part in parts]
    skeleton = Skeleton(
        np.concatenate([s.zyx_nm for s in skeletons])[kept],
        above.astype(np.int64),
        np.concatenate([s.radius_nm for s in skeletons])[kept],
        np.concatenate([s.kinds for s in skeletons])[kept],
        skeletons[0].header,
    )
    names = dict.fromkeys(key for part in parts for key in part.features)
    columns = {
        key: np.concatenate([p.features.get(key, np.full(len(p), np.nan)) for p in parts])[kept]
        for key in names
    }
    of_part = np.repeat(np.arange(len(parts), dtype=np.float64), [len(part) for part in parts])
    starts = np.cumsum([0, *map(len, parts)])
    comments = {
        int(rank[stands_for[start + node]]): text
        for part, start in zip(parts, starts, strict=False)
        for node, text in part.comments.items()
    }
    features = {**columns, "branch": of_part[kept]}
    return NamedSkeleton(name, skeleton, parts[0].colour, parts[0].number, features, comments)


def colour_text(colour: Colour) -> str:
    """Return a colour as ``#rrggbb``."""
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour)


def colour_of(text: str) -> Colour | None:
    """Return the colour that ``#rrggbb`` names, None for anything else."""
    digits = text.strip().lower().removeprefix("#")
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdef"):
        return None
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue
