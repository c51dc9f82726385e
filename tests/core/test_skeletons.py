"""Sets of skeletons: what is written is read back, from every format and into every other."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from skeleton_sets import VOXEL, rows_of, skeleton_sets, two_neurites

from bcannot_core.errors import UsageError, VolumeError, VolumeNotFoundError
from bcannot_core.skeletons import (
    NamedSkeleton,
    SkeletonSet,
    format_of,
    join_branches,
    read_skeletons,
    write_skeletons,
)
from bcannot_core.skeletons.convert import Format
from bcannot_core.skeletons.graphs import edges_of_parents, parents_of_edges
from bcannot_core.skeletons.reading import clean
from bcannot_core.volumes import Skeleton

NAMES = ["a.swc", "folder", "a.nml", "a.csv", "a.precomputed"]
HERE = Path(__file__).parent.parent / "data" / "skeletons"


def form_of(name: str) -> Format | None:
    return "swc-folder" if name == "folder" else None


@pytest.mark.parametrize("name", NAMES)
def test_every_format_keeps_names_nodes_and_edges(name: str, tmp_path: Path) -> None:
    before = two_neurites()
    write_skeletons(tmp_path / name, before, form_of(name))
    after = read_skeletons(tmp_path / name)
    assert [n.name for n in after.neurites] == [n.name for n in before.neurites]
    for old, new in zip(before.neurites, after.neurites, strict=True):
        assert rows_of(new) == rows_of(old)
    assert after.voxel_nm == VOXEL
    assert after.remarks == ()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@settings(max_examples=25, deadline=None)
@given(skeleton_sets())
def test_any_set_survives_every_format(
    tmp_path_factory: pytest.TempPathFactory, before: SkeletonSet
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in NAMES:
        write_skeletons(folder / name, before, form_of(name))
        after = read_skeletons(folder / name)
        # A precomputed folder is read in the order of its ids, a folder of files in that of names.
        ordered = name not in ("folder", "a.precomputed")
        old = [rows_of(n, kinds=name != "a.nml") for n in before.neurites]
        new = [rows_of(n) for n in after.neurites]
        assert new == old if ordered else sorted(new) == sorted(old), name
        if ordered and name != "a.csv":
            for written, read in zip(before.neurites, after.neurites, strict=True):
                assert read.name == clean(written.name) or not clean(written.name)


def test_comments_of_several_lines_are_kept_as_one(tmp_path: Path) -> None:
    node = Skeleton.from_voxels([(0, 0, 0)], VOXEL)
    said = NamedSkeleton("n", node, comments={0: 'a\rb\n"c", d'})
    for name in ("a.csv", "a.nml"):
        write_skeletons(tmp_path / name, SkeletonSet((said,), VOXEL))
        assert read_skeletons(tmp_path / name).neurites[0].comments == {0: 'a b "c", d'}


def test_what_a_format_cannot_keep_is_said(tmp_path: Path) -> None:
    skeletons = two_neurites()
    assert write_skeletons(tmp_path / "a.csv", skeletons) == ()
    (said,) = write_skeletons(tmp_path / "a.swc", skeletons)
    assert "confidence" in said
    assert "comments" in said
    (said,) = write_skeletons(tmp_path / "a.nml", skeletons)
    assert "confidence" in said
    assert "comments" not in said


def test_features_comments_and_colours_survive_where_there_is_a_place(tmp_path: Path) -> None:
    for name in NAMES:
        write_skeletons(tmp_path / name, two_neurites(), form_of(name))
    table, nml, stored, swc = (
        read_skeletons(tmp_path / name).neurites[0]
        for name in ("a.csv", "a.nml", "a.precomputed", "a.swc")
    )
    sure = [0.5, 0.25, 0.75, np.nan]
    assert np.array_equal(table.features["confidence"], sure, equal_nan=True)
    assert np.array_equal(stored.features["confidence"], sure, equal_nan=True)
    assert table.comments == nml.comments == {2: "a <spine>, here"}
    assert table.colour == nml.colour == swc.colour == (1, 0, 0.2)
    assert read_skeletons(tmp_path / "a.nml").neurites[1].number == 77
    assert read_skeletons(tmp_path / "a.precomputed").neurites[1].number == 77


@pytest.mark.parametrize("name", NAMES)
def test_where_the_skeletons_are_from_is_kept(name: str, tmp_path: Path) -> None:
    write_skeletons(tmp_path / name, two_neurites(), form_of(name))
    header = read_skeletons(tmp_path / name).header
    assert name == "a.csv" or header["volume"] == "cells.tif"


@pytest.mark.parametrize(
    ("path", "count"),
    [("webknossos.nml", 2), ("osteoid.swc", 1), ("cloudvolume", 1), ("cloudvolume/skeletons", 1)],
)
def test_files_of_other_tools_are_read(path: str, count: int) -> None:
    skeletons = read_skeletons(HERE / path)
    assert len(skeletons) == count
    tree = skeletons.neurites[0].skeleton
    children = np.bincount(tree.parents[tree.parents >= 0], minlength=len(tree))
    assert sorted(children.tolist()) == [0, 0, 1, 2]
    if path != "webknossos.nml":
        assert sorted(tree.zyx_nm.tolist()) == [[0, 0, 0], [0, 0, 100], [5, 10, 200], [5, 90, 200]]
        by_place = dict(zip(map(tuple, tree.zyx_nm.tolist()), tree.kinds.tolist(), strict=True))
        assert by_place[5, 90, 200] == 3
    else:
        assert skeletons.voxel_nm == (30, 8, 8)
        assert tree.zyx_nm.tolist() == [[0, 32, 40], [30, 40, 48], [60, 48, 56], [60, 72, 72]]
        assert skeletons.neurites[0].comments == {2: "here: <b>"}
        assert [n.number for n in skeletons.neurites] == [1, 77]


def test_the_format_follows_from_the_name_and_what_lies_there(tmp_path: Path) -> None:
    assert format_of("a.SWC", reading=False) == "swc"
    assert format_of("x/b.nml", reading=False) == "nml"
    assert format_of("precomputed://gs://bucket/x") == "precomputed"
    assert format_of(tmp_path) == "swc-folder"
    (tmp_path / "info").write_text("{}")
    assert format_of(tmp_path) == "precomputed"
    with pytest.raises(UsageError, match=r"\.swc, \.nml"):
        format_of("a.txt", reading=False)
    with pytest.raises(VolumeNotFoundError, match=r"none\.swc"):
        read_skeletons(tmp_path / "none.swc")


def test_nothing_and_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no nodes"):
        write_skeletons(tmp_path / "a.csv", SkeletonSet(()))
    for name in ("none/a.swc", "none/a.nml", "none/a.csv"):
        with pytest.raises(VolumeError, match="cannot write"):
            write_skeletons(tmp_path / name, two_neurites())
    (tmp_path / "full.precomputed").mkdir()
    (tmp_path / "full.precomputed" / "x").touch()
    with pytest.raises(UsageError, match="holds something"):
        write_skeletons(tmp_path / "full.precomputed", two_neurites())
    write_skeletons(tmp_path / "files", two_neurites(), "swc-folder")
    with pytest.raises(UsageError, match="there already"):
        write_skeletons(tmp_path / "files", two_neurites(), "swc-folder")


def test_numbers_are_kept_where_they_differ_and_given_where_not() -> None:
    node = Skeleton.from_voxels([(0, 0, 0)], VOXEL)
    numbers = [None, 7, 7, 1, 0, None]
    skeletons = SkeletonSet(tuple(NamedSkeleton("n", node, number=n) for n in numbers))
    given_numbers = skeletons.numbers()
    assert len(set(given_numbers)) == 6
    assert given_numbers[1] == 7
    assert given_numbers[3] == 1
    assert min(given_numbers) > 0


def branch(*nodes: tuple[float, float, float]) -> NamedSkeleton:
    return NamedSkeleton(f"{nodes[0]}", Skeleton.from_voxels(nodes, (1, 1, 1)), comments={0: "c"})


def test_branches_are_joined_to_one_tree() -> None:
    trunk = branch((0, 0, 0), (1, 0, 0), (2, 0, 0))
    shares = branch((1, 0, 0), (2, 5, 0))
    beside = branch((3, 5, 1), (4, 5, 1))
    whole = join_branches("all", [trunk, shares, beside], [None, (0, 1), (1, 1)])
    zyx = whole.skeleton.zyx_nm.tolist()
    assert zyx == [[0, 0, 0], [1, 0, 0], [2, 0, 0], [2, 5, 0], [3, 5, 1], [4, 5, 1]]
    assert whole.skeleton.parents.tolist() == [-1, 0, 1, 1, 3, 4]
    assert whole.features["branch"].tolist() == [0, 0, 0, 1, 2, 2]
    assert whole.comments == {0: "c", 1: "c", 4: "c"}


def test_a_branch_of_a_shared_node_is_joined_where_that_one_is() -> None:
    parts = [
        branch((0, 0, 0), (1, 0, 0)),
        branch((1, 0, 0), (2, 1, 0)),
        branch((1, 0, 0), (2, 2, 0)),
    ]
    whole = join_branches("all", parts, [None, (0, 1), (1, 0)])
    assert whole.skeleton.parents.tolist() == [-1, 0, 1, 1]


def test_branches_that_cannot_be_joined_are_refused() -> None:
    a, b = branch((0, 0, 0)), branch((0, 0, 0))
    with pytest.raises(UsageError, match="no node"):
        join_branches("x", [a, b], [None, (0, 5)])
    with pytest.raises(UsageError, match="circle"):
        join_branches("x", [a, b], [(1, 0), (0, 0)])
    with pytest.raises(UsageError, match="own ancestor"):
        join_branches("x", [a, branch((1, 0, 0))], [(1, 0), (0, 0)])
    with pytest.raises(UsageError, match="joints"):
        join_branches("x", [], [])


def test_edges_become_a_forest_and_circles_are_counted() -> None:
    edges = np.array([[1, 0], [1, 2], [2, 0], [2, 0], [4, 3], [4, 4]])
    parents, left_out = parents_of_edges(edges, 6)
    assert parents.tolist() == [-1, 0, 0, -1, 3, -1]
    assert left_out == 1
    assert edges_of_parents(parents).tolist() == [[0, 1], [0, 2], [3, 4]]


def test_a_long_chain_of_edges_is_quick() -> None:
    count = 200_000
    edges = np.stack([np.arange(1, count), np.arange(count - 1)], axis=1)
    parents, left_out = parents_of_edges(edges, count)
    assert np.array_equal(parents, np.arange(-1, count - 1))
    assert left_out == 0
