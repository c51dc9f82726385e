"""Each format of skeletons: its bytes, what is refused, and what attackers send."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skeleton_sets import VOXEL, two_neurites

from bcannot_core.errors import (
    UsageError,
    VolumeFormatError,
)
from bcannot_core.skeletons import (
    NamedSkeleton,
    SkeletonSet,
    append_swc,
    nml,
    read_skeletons,
    table,
    write_skeletons,
)
from bcannot_core.skeletons.convert import Reading
from bcannot_core.skeletons.reading import check_file
from bcannot_core.skeletons.table import sniff_table
from bcannot_core.volumes import Skeleton, read_swc

THINGS = '<things><parameters><scale x="4" y="8" z="30"/></parameters>{}</things>'
NODE = '<thing id="1"><nodes><node id="1" x="1" y="2" z="3"/></nodes><edges>{}</edges></thing>'

TWIN = '<node id="1" x="0" y="0" z="0"/>'


# ------------------------------------------------------------------------------------- SWC
def test_neurites_are_appended_to_any_swc_file(tmp_path: Path) -> None:
    path = tmp_path / "a.swc"
    text = "# made elsewhere\xb5\n# unit: um\n7 2 1 2 3 0.5 -1\r\n9 2 1 2 4 0.5 7"
    path.write_bytes(text.encode("latin-1"))
    append_swc(path, two_neurites().neurites)
    assert path.read_bytes().startswith(text.encode("latin-1") + b"\n")
    whole = read_swc(path)
    assert len(whole) == 8
    assert whole.parents.tolist() == [-1, 0, -1, 2, 3, 3, -1, 6]
    after = read_skeletons(path).neurites
    assert [len(neurite) for neurite in after] == [2, 4, 2]
    for old, new in zip(two_neurites().neurites, after[1:], strict=True):
        assert np.allclose(new.skeleton.zyx_nm, old.skeleton.zyx_nm)
    assert after[1].name == 'axon <left> & "x"'
    assert after[1].colour == (1, 0, 0.2)


def test_what_cannot_be_appended_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.swc"
    with pytest.raises(UsageError, match="no neurites"):
        append_swc(path, [])
    path.write_text("1 2 3\n")
    with pytest.raises(VolumeFormatError, match="line 1"):
        append_swc(path, two_neurites().neurites)
    assert path.read_text() == "1 2 3\n"
    write_skeletons(path, two_neurites())
    monkeypatch.setattr("bcannot_core.skeletons.swc_files.MAX_NODES", 11)
    with pytest.raises(VolumeFormatError, match="more than 11"):
        append_swc(path, two_neurites().neurites)
    assert len(read_swc(path)) == 6


def test_an_edge_between_two_neurites_of_a_file_is_cut(tmp_path: Path) -> None:
    (tmp_path / "a.swc").write_text(
        "# neurite 2: #zzz b\n# neurite 3: # #00ff00\n"
        "1 0 0 0 0 0 -1\n2 0 0 0 1 0 1\n3 0 0 0 2 0 2\n"
    )
    neurites = read_skeletons(tmp_path / "a.swc").neurites
    assert [n.name for n in neurites] == ["a", "#zzz b", "#00ff00"]
    assert [n.colour for n in neurites] == [None, None, None]
    assert [n.skeleton.parents.tolist() for n in neurites] == [[-1], [-1], [-1]]


def test_files_of_a_folder_get_safe_names(tmp_path: Path) -> None:
    node = Skeleton.from_voxels([(0, 0, 0)], VOXEL)
    names = ["../../etc/x", "a/b", "A_b", "", "..", "x" * 300, "é"]
    skeletons = SkeletonSet(tuple(NamedSkeleton(name, node) for name in names))
    write_skeletons(tmp_path / "in" / "side", skeletons, "swc-folder")
    files = sorted(path.name for path in (tmp_path / "in" / "side").iterdir())
    assert len(files) == len(names)
    assert all(len(name) <= 110 and name[0] not in "./" for name in files)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    again = read_skeletons(tmp_path / "in" / "side")
    assert {"a/b", "A_b", "é", "../../etc/x"} <= {n.name for n in again.neurites}


# ------------------------------------------------------------------------------------- NML
BOMB = '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY a{i} "{f"&a{i - 1 if i else chr(0)};" * 10}">'.replace("\0", "") for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB + "]><things>&a8;</things>", "document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><things/>', "document type"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><things/>', "document type"),
        ("<things>" + "<a>" * 99 + "</a>" * 99 + "</things>", "nested"),
        ("<svg/>", "begins with <svg>"),
        ("<things>", "is no NML file"),
        ("<things>&undefined;</things>", "is no NML file"),
        ('<?xml version="1.0" encoding="klingon"?><things/>', "is no NML file"),
        ("", "is no NML file"),
        ("\0\1", "is no NML file"),
        (THINGS.format(""), "holds no nodes"),
        (THINGS.format("\n<node id='1'/>"), "line 2: has a node outside"),
        (THINGS.format("<edge source='1' target='1'/>"), "edge outside"),
        (THINGS.format(NODE.format("<edge source='1' target='2'/>")), "edge to node 2"),
        (THINGS.format(NODE.format("").replace('x="1"', 'x="inf"')), "x='inf'"),
        (THINGS.format(NODE.format("").replace('x="1"', "")), "x=''"),
        (THINGS.format(NODE.format("").replace('node id="1"', 'node id="-1"')), "id='-1'"),
        (THINGS.format(NODE.format("").replace("</nodes>", TWIN + "</nodes>")), "same id"),
        (THINGS.replace('x="4"', 'x="0"').format(NODE.format("")), "voxel size"),
        (THINGS.replace("/></par", ' unit="parsec"/></par').format(NODE.format("")), "voxel size"),
    ],
)  # fmt: skip
def test_nml_that_is_malformed_or_an_attack_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "a.nml").write_text(text)
    with pytest.raises(VolumeFormatError, match=message) as caught:
        read_skeletons(tmp_path / "a.nml")
    assert "a.nml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nml_is_read_as_knossos_writes_it(tmp_path: Path) -> None:
    text = THINGS.replace("<scale", '<experiment name="e"/><time ms="1"/><scale').format(
        '<thing id="3" color.r="-1." color.g="-1." color.b="-1." color.a="1." comment="c"><nodes>'
        '<node id="9" radius="1.5" x="1" y="1" z="1" inVp="0" inMag="1" time="12"/>'
        '<node id="4" radius="-1" x="2" y="2" z="2"/><node id="5" x="2" y="3" z="2"/></nodes>'
        '<edges><edge source="4" target="9"/><edge source="5" target="4"/>'
        '<edge source="5" target="9"/></edges></thing><thing id="4"/>'
        '<comments><comment node="4" content="x&#10;y"/></comments>'
    )
    (tmp_path / "a.nml").write_text(text)
    skeletons = read_skeletons(tmp_path / "a.nml")
    (neurite,) = skeletons.neurites
    assert (neurite.name, neurite.number, neurite.colour) == ("tree 3", 3, None)
    assert neurite.skeleton.parents.tolist() == [-1, 0, 0]
    assert neurite.skeleton.zyx_nm[1].tolist() == [60, 16, 8]
    assert neurite.skeleton.radius_nm.tolist() == [1.5, 0, 0]
    assert neurite.comments == {1: "x y"}
    assert skeletons.header["experiment"] == "e"
    assert skeletons.remarks == ("1 edges closed a circle and were left out",)


def test_nml_in_voxels_needs_their_size(tmp_path: Path) -> None:
    (tmp_path / "a.nml").write_text("<things>" + NODE.format("") + "</things>")
    with pytest.raises(UsageError, match="voxel size"):
        read_skeletons(tmp_path / "a.nml")
    skeletons = read_skeletons(tmp_path / "a.nml", options=Reading((3, 2, 1)))
    assert skeletons.neurites[0].skeleton.zyx_nm.tolist() == [[9, 4, 1]]
    um = THINGS.replace('z="30"/>', 'z="30" unit="micrometer"/>').format(NODE.format(""))
    (tmp_path / "a.nml").write_text(um)
    assert read_skeletons(tmp_path / "a.nml").voxel_nm == (30_000, 8_000, 4_000)


def test_nml_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_skeletons(tmp_path / "a.nml", two_neurites())
    monkeypatch.setattr(nml, "MAX_NODES", 5)
    with pytest.raises(VolumeFormatError, match="more than 5 nodes"):
        read_skeletons(tmp_path / "a.nml")
    monkeypatch.setattr(nml, "check_file", partial(check_file, limit=100))
    with pytest.raises(VolumeFormatError, match="more than 100"):
        read_skeletons(tmp_path / "a.nml")


# ------------------------------------------------------------------------------------- CSV
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither the columns"),
        ("a,b\n1,2\n", "line 1: has neither the columns"),
        ("z,y\n1,2\n", "line 1: has neither"),
        ("z_nm,y_nm,x_nm\n", "has no rows"),
        ("z_nm,y_nm,x_nm\n1,2\n", "line 2: has 2 cells, the header 3"),
        ("z_nm,y_nm,x_nm\n1,2,3\n1,x,3\n", "line 3: y_nm is 'x'"),
        ("z_nm,y_nm,x_nm\n1,,3\n", "line 2: has no position"),
        ("z_nm,y_nm,x_nm\n1,inf,3\n", "line 2: has no position"),
        ("z_nm,y_nm,x_nm,z_nm\n1,2,3,4\n", "a column twice"),
        ("z_nm,y_nm,x_nm,id,parent\n1,2,3,1,5\n", "line 2: the parent '5'"),
        ("z_nm,y_nm,x_nm,id,parent\n1,2,3,1,\n1,2,3,1,\n", "line 3: the id '1'"),
        ("z_nm,y_nm,x_nm,id,parent\n1,2,3,1,2\n1,2,3,2,1\n", "own ancestor"),
        ("z_nm,y_nm,x_nm,kind\n1,2,3,-4\n", "kinds are"),
        ("z_nm,y_nm,x_nm\n" + "1" * 70_000 + "\n", "line 2: longer"),
        ('z_nm,y_nm,x_nm\n1,2,"3\n', "line|table"),
    ],
)
def test_tables_that_are_malformed_are_refused_by_line(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(VolumeFormatError, match=message) as caught:
        read_skeletons(tmp_path / "a.csv")
    assert "a.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_tables_of_other_programs_are_read(tmp_path: Path, mark: str) -> None:
    rows = [
        "index,axis-0,axis-1,axis-2,Neuron,score,remark",
        "0,1,2,3,b,0.5,x",
        "",
        "1,2,2,3,a,,y",
        "2,2,4,3,b,1,z",
    ]
    text = "\ufeff" + "\r\n".join(rows).replace(",", mark)
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="voxel size"):
        read_skeletons(tmp_path / "a.csv")
    skeletons = read_skeletons(tmp_path / "a.csv", options=Reading((10, 2, 1)))
    assert [n.name for n in skeletons.neurites] == ["b", "a"]
    assert skeletons.neurites[0].skeleton.zyx_nm.tolist() == [[10, 4, 3], [20, 8, 3]]
    assert skeletons.neurites[0].skeleton.parents.tolist() == [-1, 0]
    assert skeletons.neurites[0].features["score"].tolist() == [0.5, 1]
    assert skeletons.neurites[1].features == {}
    assert skeletons.remarks == ("columns without numbers were left out: remark",)


def test_a_trace_saved_as_a_table_is_read_with_its_voxel_size(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "z,y,x,z_nm,y_nm,x_nm,confidence\n0,512,480,0,4096,3840,0.97\n1,513,481,30,4104,3848,nan\n"
    )
    skeletons = read_skeletons(tmp_path / "t.csv")
    assert skeletons.voxel_nm == (30, 8, 8)
    assert skeletons.neurites[0].name == "t"
    assert skeletons.neurites[0].skeleton.parents.tolist() == [-1, 0]


def test_only_tables_of_nodes_are_taken_for_such(tmp_path: Path) -> None:
    write_skeletons(tmp_path / "a.csv", two_neurites())
    assert sniff_table(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("index,axis-0,axis-1\n0,1,2\n")
    assert not sniff_table(tmp_path / "b.csv")
    assert not sniff_table(tmp_path / "none.csv")


def test_tables_that_are_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_skeletons(tmp_path / "a.csv", two_neurites())
    monkeypatch.setattr(table, "MAX_NODES", 5)
    with pytest.raises(VolumeFormatError, match="more than 5 nodes"):
        read_skeletons(tmp_path / "a.csv")
    monkeypatch.setattr(table, "MAX_NEURITES", 1)
    with pytest.raises(VolumeFormatError, match="more than 1 neurites"):
        read_skeletons(tmp_path / "a.csv")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([".nml", ".csv", ".swc"]))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"bytes{suffix}"
    path.write_bytes({".csv": b"z_nm,y_nm,x_nm\n", ".nml": b"<things>"}.get(suffix, b"") + content)
    try:
        assert read_skeletons(path).nodes > 0
    except VolumeFormatError:
        return
