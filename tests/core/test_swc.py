"""Skeletons in SWC files."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.errors import (
    UsageError,
    VolumeError,
    VolumeFormatError,
    VolumeNotFoundError,
)
from bcannot_core.volumes import Skeleton, read_swc, swc, write_swc

FINITE = st.floats(-1e12, 1e12)


@st.composite
def skeletons(draw: st.DrawFn) -> Skeleton:
    """Forests whose nodes come in any order."""
    count = draw(st.integers(1, 12))
    parents = np.array([draw(st.integers(-1, i - 1)) for i in range(count)], np.int64)
    order = np.array(draw(st.permutations(range(count))), np.int64)
    rank = np.argsort(order)
    shuffled = np.array([-1 if p < 0 else rank[p] for p in parents[order]], np.int64)
    position = st.tuples(FINITE, FINITE, FINITE)
    return Skeleton(
        np.array([draw(position) for _ in range(count)]),
        shuffled,
        np.array([draw(st.floats(0, 1e9)) for _ in range(count)]),
        np.array([draw(st.integers(0, 9)) for _ in range(count)], np.int64),
        {"volume": draw(st.text(alphabet="ab:/#? é", max_size=9)), "policy": "default"},
    )


def described(skeleton: Skeleton) -> set[tuple[Any, ...]]:
    """Edges as values, so that the order of the nodes does not count."""
    rows = [
        (*map(float, p), float(r), int(k))
        for p, r, k in zip(skeleton.zyx_nm, skeleton.radius_nm, skeleton.kinds, strict=True)
    ]
    return {(rows[i], rows[p] if p >= 0 else None) for i, p in enumerate(skeleton.parents)}


@given(skeletons())
def test_a_skeleton_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, skeleton: Skeleton
) -> None:
    path = tmp_path_factory.getbasetemp() / "a.swc"
    write_swc(path, skeleton)
    again = read_swc(path)
    assert len(again) == len(skeleton)
    assert described(again) == described(skeleton)
    assert again.header["policy"] == "default"
    assert again.header["volume"] == " ".join(skeleton.header["volume"].split())
    assert (again.parents < np.arange(len(again))).all()  # parents come first


def test_a_trace_is_written_in_nanometres_with_its_origin(tmp_path: Path) -> None:
    header = {"volume": "precomputed://gs://x", "policy": "two\nlines"}
    skeleton = Skeleton.from_voxels([(0, 1, 2), (1, 1.5, 2)], (30, 8, 4), header=header)
    write_swc(tmp_path / "a.swc", skeleton)
    lines = (tmp_path / "a.swc").read_text().splitlines()
    assert "# unit: nm" in lines
    assert "# volume: precomputed://gs://x" in lines
    assert "# voxel_nm_zyx: 30 8 4" in lines
    assert "# policy: two lines" in lines
    assert [line for line in lines if line[0] != "#"] == [
        "1 0 8.0 8.0 0.0 0.0 -1",
        "2 0 8.0 12.0 30.0 0.0 1",
    ]
    assert np.allclose(read_swc(tmp_path / "a.swc").to_voxels((30, 8, 4)), [(0, 1, 2), (1, 1.5, 2)])


def test_files_of_other_programs_are_read(tmp_path: Path) -> None:
    text = "#comment\n# unit: um\n\n  5 3 1.5 2 3e0 -1 7\r\n7 1 0 0 0 0.25 -1\n"
    (tmp_path / "a.swc").write_text(text)
    skeleton = read_swc(tmp_path / "a.swc")
    assert skeleton.parents.tolist() == [1, -1]
    assert skeleton.zyx_nm[0].tolist() == [3000, 2000, 1500]
    assert skeleton.radius_nm.tolist() == [0, 250]
    assert skeleton.kinds.tolist() == [3, 1]


@pytest.mark.parametrize("first", ["# from an editor\n", ""])
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, first: str) -> None:
    (tmp_path / "a.swc").write_text(first + "1 0 1 2 3 0 -1\n", encoding="utf-8-sig")
    assert read_swc(tmp_path / "a.swc").zyx_nm.tolist() == [[3, 2, 1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0 0 0 0 0\n", "line 1: has 6 columns"),
        ("1 0 0 0 0 0 -1 9\n", "line 1: has 8 columns"),
        ("# a\n1 0 0 0 0 0 -1\n1 0 0 0 0 0 -1\n", "line 3: id 1 is already that of line 2"),
        ("1 0 0 0 0 0 -1\n2 0 0 0 0 0 9\n", "line 2: the parent 9 does not exist"),
        ("1 0 0 0 0 0 1\n", "line 1: node 1 is its own parent"),
        ("1 0 0 0 0 0 -1\n2 0 0 0 0 0 3\n3 0 0 0 0 0 2\n", "line 2: node 2 is its own ancestor"),
        ("1 0 nan 0 0 0 -1\n", "line 1: not finite"),
        ("1 0 0 inf 0 0 -1\n", "line 1: not finite"),
        ("1 0 0 1e999 0 0 -1\n", "line 1: not finite"),
        ("1 0 x 0 0 0 -1\n", "line 1: not seven numbers"),
        ("1_0 0 0 0 0 0 -1\n", "line 1: not seven numbers"),
        ("1.0 0 0 0 0 0 -1\n", "line 1: not seven numbers"),
        ("\u0661 0 0 0 0 0 -1\n", "line 1: not seven numbers"),
        ("-1 0 0 0 0 0 -1\n", "line 1: ids and types start at 0"),
        ("1 0 0 0 0 0 -2\n", "line 1: ids and types start at 0"),
        ("9" * 30 + " 0 0 0 0 0 -1\n", "line 1: ids and types"),
        ("# unit: furlong\n1 0 0 0 0 0 -1\n", "unknown unit furlong"),
        ("# unit: um\n1 0 0 1e308 0 0 -1\n", "beyond all measure"),
        ("# only a comment\n", "holds no nodes"),
        ("", "holds no nodes"),
        ("x" * 20_000, "line 1: longer than"),
    ],
)
def test_malformed_files_are_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.swc").write_text(text, encoding="utf-8")
    with pytest.raises(VolumeFormatError, match=message) as caught:
        read_swc(tmp_path / "a.swc")
    assert "a.swc" in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.swc"
    path.write_bytes(content)
    try:
        assert len(read_swc(path)) > 0
    except VolumeFormatError:
        return


def test_files_that_are_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_swc(tmp_path / "a.swc", Skeleton.from_voxels(np.zeros((5, 3)), (1, 1, 1)))
    monkeypatch.setattr(swc, "MAX_NODES", 4)
    with pytest.raises(VolumeFormatError, match="more than 4 nodes"):
        read_swc(tmp_path / "a.swc")
    monkeypatch.setattr(swc, "MAX_BYTES", 10)
    with pytest.raises(VolumeFormatError, match="more than 10 bytes"):
        read_swc(tmp_path / "a.swc")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(VolumeNotFoundError, match=r"none\.swc"):
        read_swc(tmp_path / "none.swc")
    with pytest.raises(VolumeFormatError, match="cannot be read"):
        read_swc(tmp_path)


def test_a_long_chain_is_written_and_read(tmp_path: Path) -> None:
    count = 20_000
    skeleton = Skeleton.from_voxels(
        np.arange(count * 3).reshape(-1, 3), (1, 1, 1), parents=[*range(1, count), -1]
    )
    write_swc(tmp_path / "a.swc", skeleton)
    again = read_swc(tmp_path / "a.swc")
    assert np.array_equal(again.zyx_nm, skeleton.zyx_nm[::-1])
    assert again.parents.tolist() == list(range(-1, count - 1))


@pytest.mark.parametrize(
    ("nodes", "parents", "message"),
    [
        (np.zeros((0, 3)), None, "needs"),
        ([(0, 0, 0)], [0], "its own ancestor"),
        ([(0, 0, 0)] * 3, [-1, 2, 1], "its own ancestor"),
        ([(0, 0, 0)], [5], "outside"),
        ([(0, 0, np.nan)], None, "not finite"),
        ([(0, 0, 0)], [-1, 0], "needs"),
    ],
)
def test_impossible_skeletons_are_refused(nodes: Any, parents: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Skeleton.from_voxels(nodes, (1, 1, 1), parents=parents)


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.swc"
    write_swc(path, Skeleton.from_voxels([(0, 0, 0)], (1, 1, 1)))
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VolumeError, match=r"cannot write .*a\.swc: No space left"):
        write_swc(path, Skeleton.from_voxels([(0, 0, 0)] * 9, (1, 1, 1)))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.swc"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="cannot write"):
        write_swc(tmp_path / "none" / "a.swc", Skeleton.from_voxels([(0, 0, 0)], (1, 1, 1)))
