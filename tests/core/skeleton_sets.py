"""Sets of skeletons for tests: a fixed one, and any."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from bcannot_core.skeletons import NamedSkeleton, SkeletonSet
from bcannot_core.volumes import Skeleton

VOXEL = (30.0, 8.0, 4.0)
NAMES = st.text(max_size=12)


def two_neurites() -> SkeletonSet:
    """A tree with a comment and confidence, and a chain of its own number; 6 nodes."""
    tree = Skeleton.from_voxels(
        [(0, 4, 5), (1, 5.5, 6), (2, 6, 7), (2, 9, 9)], VOXEL, parents=[-1, 0, 1, 1], radius_nm=20.0
    )
    chain = Skeleton.from_voxels([(3, 40, 50), (4, 41, 50)], VOXEL)
    sure = {"confidence": np.array([0.5, 0.25, 0.75, np.nan])}
    return SkeletonSet(
        (
            NamedSkeleton(
                'axon <left> & "x"', tree, (1, 0, 0.2), None, sure, {2: "a <spine>, here"}
            ),
            NamedSkeleton("dendrite", chain, number=77),
        ),
        VOXEL,
        {"volume": "cells.tif", "policy": "default"},
    )


@st.composite
def skeleton_sets(draw: st.DrawFn) -> SkeletonSet:
    """Forests whose nodes come in any order, with any names."""
    return SkeletonSet(
        tuple(draw(_neurites()) for _ in range(draw(st.integers(1, 4)))),
        VOXEL,
        {"volume": draw(NAMES)},
    )


@st.composite
def _neurites(draw: st.DrawFn) -> NamedSkeleton:
    count = draw(st.integers(1, 8))
    parents = np.array([draw(st.integers(-1, i - 1)) for i in range(count)], np.int64)
    order = np.array(draw(st.permutations(range(count))), np.int64)
    rank = np.argsort(order)
    shuffled = np.array([-1 if p < 0 else rank[p] for p in parents[order]], np.int64)
    position = st.tuples(*[st.integers(-(10**6), 10**6)] * 3)
    skeleton = Skeleton(
        np.array([draw(position) for _ in range(count)], np.float64) / 4,
        shuffled,
        np.array([draw(st.integers(0, 1000)) for _ in range(count)], np.float64) / 4,
        np.array([draw(st.integers(0, 9)) for _ in range(count)], np.int64),
    )
    colour = draw(st.none() | st.just((1.0, 0.2, 0.0)))
    number = draw(st.none() | st.integers(1, 9))
    sure = np.array([draw(st.integers(0, 8)) / 8 for _ in range(count)])
    comments = draw(st.dictionaries(st.integers(0, count - 1), NAMES, max_size=2))
    return NamedSkeleton(draw(NAMES), skeleton, colour, number, {"confidence": sure}, comments)


def rows_of(neurite: NamedSkeleton, kinds: bool = True) -> list[tuple[Any, ...]]:
    """Return nodes with their parents as values, so that the order does not count."""
    skeleton = neurite.skeleton
    nodes = [
        (
            *(round(float(v), 3) for v in skeleton.zyx_nm[i]),
            round(float(skeleton.radius_nm[i]), 3),
            int(skeleton.kinds[i]) if kinds else 0,
        )
        for i in range(len(skeleton))
    ]
    return sorted(
        (nodes[i], nodes[p] if p >= 0 else ()) for i, p in enumerate(skeleton.parents.tolist())
    )
