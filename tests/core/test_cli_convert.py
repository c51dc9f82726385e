"""``bcannot convert``."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from skeleton_sets import rows_of, two_neurites

from bcannot_core.skeletons import SkeletonSet, read_skeletons, write_skeletons


def test_skeletons_go_round_through_all_formats(cli: Any, tmp_path: Path) -> None:
    first = tmp_path / "0.swc"
    write_skeletons(first, two_neurites())
    chain = [first, *(tmp_path / n for n in ("1.nml", "2.precomputed", "3.csv", "4.swc"))]
    for source, out in pairwise(chain):
        code, said, _ = cli("convert", source, out, "--json", tmp_path / "r.json")
        assert code == 0 and "2 neurites, 6 nodes" in said
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["nodes"] == 6 and result["voxel_nm_zyx"] == [30, 8, 4]
    assert [n["name"] for n in result["neurites"]] == [n.name for n in two_neurites().neurites]
    before, after = read_skeletons(first), read_skeletons(chain[-1])
    assert list(map(rows_of, after.neurites)) == list(map(rows_of, before.neurites))


def test_what_is_lost_is_noted(cli: Any, tmp_path: Path) -> None:
    write_skeletons(tmp_path / "a.csv", two_neurites())
    code, _, err = cli("convert", tmp_path / "a.csv", tmp_path / "a.swc")
    assert code == 0 and err.startswith("note: swc has no place for features (confidence)")


def test_append_leaves_what_was_there(cli: Any, tmp_path: Path) -> None:
    write_skeletons(tmp_path / "a.swc", two_neurites())
    before = (tmp_path / "a.swc").read_bytes()
    assert cli("convert", tmp_path / "a.swc", tmp_path / "all.swc", "--append")[0] == 0
    assert cli("convert", tmp_path / "a.swc", tmp_path / "all.swc", "--append")[0] == 0
    assert (tmp_path / "a.swc").read_bytes() == before
    assert len(read_skeletons(tmp_path / "all.swc")) == 4
    code, _, err = cli("convert", tmp_path / "a.swc", tmp_path / "a.nml", "--append")
    assert code == 2 and "--append" in err and not (tmp_path / "a.nml").exists()


def test_a_folder_of_files_and_chosen_segments(cli: Any, tmp_path: Path) -> None:
    write_skeletons(tmp_path / "a.precomputed", two_neurites())
    out = tmp_path / "files"
    arguments = ("convert", f"precomputed://{tmp_path}/a.precomputed", out, "--to", "swc-folder")
    code, said, _ = cli(*arguments, "--ids", "77")
    assert code == 0 and said.strip().endswith(": 1 neurite, 2 nodes")
    assert [path.name for path in out.iterdir()] == ["dendrite.swc"]
    assert cli("convert", out, tmp_path / "b.csv")[0] == 0
    assert len(read_skeletons(tmp_path / "b.csv")) == 1


@pytest.mark.parametrize("ids", ["", "x", "1,,2", "-1", "٣"])
def test_ids_that_are_no_numbers_are_refused(cli: Any, tmp_path: Path, ids: str) -> None:
    write_skeletons(tmp_path / "a.precomputed", two_neurites())
    code, _, err = cli("convert", tmp_path / "a.precomputed", tmp_path / "a.swc", f"--ids={ids}")
    assert code == 2 and "--ids" in err


def test_the_voxel_size_is_asked_for_where_it_is_needed(cli: Any, tmp_path: Path) -> None:
    unknown = SkeletonSet(two_neurites().neurites)
    write_skeletons(tmp_path / "a.csv", unknown)
    code, _, err = cli("convert", tmp_path / "a.csv", tmp_path / "a.nml")
    assert code == 2 and "--voxel-nm" in err and err.count("\n") == 1
    assert cli("convert", tmp_path / "a.csv", tmp_path / "a.nml", "--voxel-nm", "30,8,8")[0] == 0
    assert read_skeletons(tmp_path / "a.nml").voxel_nm == (30, 8, 8)


def test_what_is_not_there_or_of_no_format_is_one_line(cli: Any, tmp_path: Path) -> None:
    code, _, err = cli("convert", tmp_path / "none.swc", tmp_path / "a.nml")
    assert code == 1 and "none.swc" in err
    write_skeletons(tmp_path / "a.swc", two_neurites())
    code, _, err = cli("convert", tmp_path / "a.swc", tmp_path / "a.txt")
    assert code == 2 and ".nml" in err
