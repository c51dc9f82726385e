"""A recorded session as skeletons."""

from pathlib import Path
from typing import Any

import pytest
from sitting import grey_volume, trace_in

from bcannot_core.errors import JournalError
from bcannot_core.sittings import SittingWriter
from bcannot_core.sittings.skeletons import sitting_skeletons
from bcannot_core.skeletons import read_skeletons


def recorded(root: Path) -> Path:
    """Record a trunk with a branch, a neurite beside them, and one that was removed."""
    with SittingWriter.begin(root) as writer:
        volume = grey_volume("nowhere.tif")
        trunk = trace_in(writer, "trunk", volume=volume)
        for z in range(3):
            trunk.place((z, 60 + z, 60))
        branch = trace_in(writer, "twig", (1, 61, 60), volume, parent=(trunk.number, 1.0))
        branch.place((1, 61, 61))
        branch.place((2, 70, 70))
        beside = trace_in(writer, "beside", (0, 20, 20), volume)
        beside.place((0, 20, 20))
        gone = trace_in(writer, "gone", (0, 30, 30), volume)
        gone.place((0, 30, 30))
        writer.remove(gone.number)
        return writer.folder


def test_neurites_become_trees_without_reading_the_volume(tmp_path: Path) -> None:
    found = sitting_skeletons(recorded(tmp_path))
    assert [n.name for n in found.neurites] == ["trunk", "beside"]
    tree = found.neurites[0]
    assert tree.skeleton.parents.tolist() == [-1, 0, 1, 1]
    assert tree.features["branch"].tolist() == [0, 0, 0, 1]
    assert tree.skeleton.to_voxels((30, 10, 10)).tolist()[3] == [2, 70, 70]
    assert found.voxel_nm == (30, 10, 10)
    assert found.header["volume"] == "nowhere.tif"


def test_a_session_is_converted(cli: Any, tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    code, said, _ = cli("convert", folder, tmp_path / "a.nml")
    assert code == 0 and "2 neurites, 5 nodes" in said
    assert read_skeletons(tmp_path / "a.nml").voxel_nm == (30, 10, 10)


def test_a_session_without_nodes_is_refused(tmp_path: Path) -> None:
    with SittingWriter.begin(tmp_path) as writer:
        trace_in(writer)
    with pytest.raises(JournalError, match="no nodes"):
        sitting_skeletons(writer.folder)
    with pytest.raises(JournalError):
        sitting_skeletons(tmp_path)
