"""Traces as files: SWC and CSV, in nanometres, whole or not at all."""

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bcannot_core.errors import UsageError, VolumeError
from bcannot_core.tracing import STOPS, Trace
from bcannot_core.volumes import read_swc

VOXEL_NM = (30.0, 8.0, 4.0)


def make_trace(nodes: Any = ((5, 10, 20), (6, 11.5, 20), (8, 12, 21)), **about: Any) -> Trace:
    """A trace whose third node is two sections on."""
    array = np.array(nodes, np.float64).reshape(-1, 3)
    confidence = np.linspace(0.25, 1, len(array)).astype(np.float32)
    known = {"volume": "cells.tif", "policy": "default", "stopped": "done"}
    return Trace(array, confidence, (5, 10, 20), VOXEL_NM, **{**known, **about})


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_swc_is_a_chain_in_nanometres_that_names_its_origin(tmp_path: Path) -> None:
    make_trace().save(tmp_path / "n.swc")
    skeleton = read_swc(tmp_path / "n.swc")
    assert skeleton.zyx_nm.tolist() == [[150, 80, 80], [180, 92, 80], [240, 96, 84]]
    assert skeleton.parents.tolist() == [-1, 0, 1]
    assert dict(skeleton.header) == {
        "unit": "nm",
        "voxel_nm_zyx": "30 8 4",
        "volume": "cells.tif",
        "policy": "default",
        "stopped": "done",
    }


def test_swc_has_seven_columns_with_x_before_z(tmp_path: Path) -> None:
    make_trace().save(tmp_path / "n.swc")
    lines = (tmp_path / "n.swc").read_text().splitlines()
    nodes = [line.split() for line in lines if not line.startswith("#")]
    assert nodes[1] == ["2", "0", "80.0", "92.0", "180.0", "0.0", "1"]
    assert all(line.startswith("# ") for line in lines[: -len(nodes)])


def test_csv_has_voxels_nanometres_and_confidence(tmp_path: Path) -> None:
    make_trace().save(tmp_path / "n.csv")
    text = (tmp_path / "n.csv").read_text()
    assert text.splitlines()[:2] == ["z,y,x,z_nm,y_nm,x_nm,confidence", "5,10,20,150,80,80,0.2500"]
    assert [row["y"] for row in rows_of(tmp_path / "n.csv")] == ["10", "11.5", "12"]


def test_a_node_that_somebody_else_placed_has_no_confidence(tmp_path: Path) -> None:
    trace = make_trace()
    trace.confidence[1] = np.nan
    trace.save(tmp_path / "n.csv")
    assert [row["confidence"] for row in rows_of(tmp_path / "n.csv")] == ["0.2500", "nan", "1.0000"]


def test_both_files_say_where_the_nodes_are_in_volumes_of_any_size(tmp_path: Path) -> None:
    trace = make_trace(((0, 1 / 3, 515_892.7), (5292, 356_400.1, 1e-7), (9_999_999, 0, 0.5)))
    trace.save(tmp_path / "n.swc")
    trace.save(tmp_path / "n.csv")
    wanted = trace.nodes_zyx * VOXEL_NM
    np.testing.assert_array_equal(read_swc(tmp_path / "n.swc").zyx_nm, wanted)
    rows = rows_of(tmp_path / "n.csv")
    written = [[float(row[f"{axis}_nm"]) for axis in "zyx"] for row in rows]
    np.testing.assert_allclose(written, wanted, rtol=1e-9)


@pytest.mark.parametrize("name", ["n.swc", "n.csv"])
def test_a_trace_without_nodes_makes_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\(5, 10, 20\) has no nodes"):
        make_trace(()).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["n.txt", "n", "swc"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"neither \.swc nor \.csv"):
        make_trace().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".swc", ".csv"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / f"n{suffix}", tmp_path / "none" / f"n{suffix}"):
        with pytest.raises(VolumeError, match=f"cannot write .*n{suffix}") as caught:
            make_trace().save(place)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".swc", ".csv"])
def test_a_full_disk_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"n{suffix}"
    make_trace().save(path)
    earlier = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VolumeError, match="No space left"):
        make_trace(((0, 0, 0),)).save(path)
    assert path.read_bytes() == earlier and list(tmp_path.iterdir()) == [path]


def test_the_reasons_to_stop_are_listed() -> None:
    assert set(STOPS) == {"done", "limit", "stuck", "unreachable", "paused"}
