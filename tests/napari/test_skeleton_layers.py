"""Skeletons as layers and layers as skeletons."""

import numpy as np
import pytest
from napari.layers import Layer
from skeleton_sets import VOXEL, rows_of, two_neurites

from bcannot_core.errors import UsageError
from bcannot_core.skeletons import SkeletonSet, read_skeletons, write_skeletons
from napari_bcannot import writers
from napari_bcannot.readers import get_reader
from napari_bcannot.skeleton_layers import set_layers, skeletons_of

WRITERS = {
    ".swc": writers.write_swc,
    ".nml": writers.write_nml,
    ".csv": writers.write_csv,
    ".precomputed": writers.write_precomputed,
}


@pytest.fixture(autouse=True)
def said(monkeypatch):
    told = []
    monkeypatch.setattr("napari_bcannot.notices.show_info", told.append)
    return told


def points_layer(data, **meta):
    return [(np.asarray(data, float), {"name": "p", **meta}, "points")]


def chain_of(layers):
    (neurite,) = skeletons_of(layers).neurites
    return neurite.skeleton


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_is_read_is_written_again(suffix, tmp_path):
    before = two_neurites()
    path = tmp_path / f"a{suffix}"
    write_skeletons(path, before)
    layers = get_reader(str(path))(str(path))
    again = tmp_path / f"b{suffix}"
    assert WRITERS[suffix](str(again), layers) == [str(again)]
    after = read_skeletons(again)
    assert [n.name for n in after.neurites] == [n.name for n in before.neurites]
    assert list(map(rows_of, after.neurites)) == list(map(rows_of, before.neurites))
    assert after.voxel_nm == VOXEL
    if suffix != ".csv":
        assert after.header["volume"] == "cells.tif"
    if suffix != ".precomputed":
        assert after.neurites[0].colour == (1, 0, 0.2)
    if suffix in (".nml", ".precomputed"):
        assert after.neurites[1].number == 77


def test_layers_say_what_other_plugins_need():
    (edges, lines, kind), (nodes, meta, point_kind) = set_layers(two_neurites(), "t")
    assert (kind, point_kind) == ("vectors", "points")
    assert meta["scale"] == lines["scale"] == VOXEL
    assert tuple(meta["units"]) == ("nm",) * 3
    features = meta["features"]
    assert features["neurite"].tolist()[3:] == ['axon <left> & "x"', "dendrite", "dendrite"]
    assert features["id"].tolist() == [1, 2, 3, 4, 5, 6]
    assert features["parent"].tolist() == [-1, 1, 2, 2, -1, 5]
    assert features["radius_nm"].tolist() == [20, 20, 20, 20, 0, 0]
    assert features["confidence"][:3].tolist() == [0.5, 0.25, 0.75]
    assert features["comment"].tolist()[2] == "a <spine>, here"
    assert nodes[1].tolist() == [1, 5.5, 6]
    assert (edges[:, 0] + edges[:, 1]).tolist() == nodes[[0, 1, 1, 4]].tolist()
    assert len(lines["features"]["neurite"]) == len(edges) == 4
    assert meta["border_color"][0].tolist() == [1, 0, 0.2, 1]


def test_without_a_voxel_size_skeletons_are_shown_in_nanometres():
    unknown = SkeletonSet(two_neurites().neurites)
    _, (nodes, meta, _) = set_layers(unknown, "t")
    assert meta["scale"] == (1, 1, 1)
    assert nodes[1].tolist() == [30, 44, 24]


def test_points_of_another_plugin_are_a_chain_in_the_world():
    layers = points_layer(
        [[0, 1, 2], [1, 3, 4]],
        scale=(0.03, 0.01, 0.01),
        translate=(0, 1, 2),
        units=("micrometer",) * 3,
    )
    found = skeletons_of(layers)
    assert np.allclose(found.neurites[0].skeleton.zyx_nm, [[0, 1010, 2020], [30, 1030, 2040]])
    assert found.neurites[0].skeleton.parents.tolist() == [-1, 0]
    assert np.allclose(found.voxel_nm, (30, 10, 10))
    assert found.neurites[0].colour is None


def test_names_alone_tell_neurites_apart():
    names = ["b", "a", "b", "a", "b"]
    found = skeletons_of(points_layer(np.eye(5, 3), features={"trace": names}, name="t"))
    assert [n.name for n in found.neurites] == ["b", "a"]
    assert found.neurites[0].skeleton.parents.tolist() == [-1, 0, 1]


def test_a_branch_with_a_name_of_its_own_stays_joined():
    features = {
        "neurite": ["child", "trunk", "trunk", "other"],
        "id": [9, 1, 2, 5],
        "parent": [2, -1, 1, -1],
        "confidence": [0.5, np.nan, 1, np.nan],
        "actor": ["person"] * 4,
    }
    found = skeletons_of(points_layer(np.arange(12).reshape(4, 3), features=features))
    tree, other = found.neurites
    assert tree.skeleton.parents.tolist() == [2, -1, 1]
    assert tree.features["branch"].tolist() == [0, 1, 1]
    assert tree.features["confidence"].tolist()[0] == 0.5
    assert "actor" not in tree.features
    assert (other.name, len(other), other.features) == ("other", 1, {})


def test_nodes_that_were_deleted_or_added_by_hand():
    nan = float("nan")
    features = {"neurite": ["a", "a", nan], "id": [1, 3, nan], "parent": [-1, 2, nan]}
    found = skeletons_of(points_layer(np.eye(3), features=features, name="layer"))
    assert [(n.name, n.skeleton.parents.tolist()) for n in found.neurites] == [
        ("a", [-1, -1]),
        ("layer", [-1]),
    ]


def test_time_becomes_a_feature():
    layers = points_layer(
        [[5, 1, 2, 3], [6, 1, 2, 4]], scale=(1, 30, 8, 8), axis_labels=("t", "z", "y", "x")
    )
    (neurite,) = skeletons_of(layers).neurites
    assert neurite.skeleton.zyx_nm.tolist() == [[30, 16, 24], [30, 16, 32]]
    assert neurite.features["t"].tolist() == [5, 6]


def test_several_layers_make_one_file(tmp_path):
    layers = points_layer(np.eye(3), name="one") + points_layer(np.eye(3), name="two")
    writers.write_csv(str(tmp_path / "a.csv"), [*layers, (np.zeros((1, 2, 3)), {}, "vectors")])
    assert [n.name for n in read_skeletons(tmp_path / "a.csv").neurites] == ["one", "two"]


def test_what_a_format_has_no_place_for_is_said(tmp_path, said):
    writers.write_swc(str(tmp_path / "a.swc"), set_layers(two_neurites(), "t"))
    assert len(said) == 1
    assert "confidence" in said[0]


@pytest.mark.parametrize(
    ("data", "meta", "message"),
    [
        (np.zeros((0, 3)), {}, "no points"),
        (np.zeros((4, 2)), {}, "three-dimensional"),
        ([[0, 0, np.nan]], {}, "nowhere"),
        (np.eye(3), {"rotate": np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])}, "rotated"),
        (np.eye(3), {"shear": np.array([0, 0.5, 0])}, "rotated"),
        (np.eye(3), {"features": {"id": [1, 2, 3], "parent": [2, 3, 1]}}, "ancestor"),
    ],
)
def test_layers_that_are_no_skeletons_are_refused(data, meta, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        writers.write_swc(str(tmp_path / "a.swc"), points_layer(data, **meta))
    assert not list(tmp_path.iterdir())


def test_readers_tell_skeletons_from_other_files(tmp_path):
    (tmp_path / "points.csv").write_text("index,axis-0,axis-1\n0,1,2\n")
    assert get_reader(str(tmp_path / "points.csv")) is None
    assert get_reader(str(tmp_path)) is None
    write_skeletons(tmp_path / "s", two_neurites(), "swc-folder")
    _, (nodes, _, _) = get_reader(str(tmp_path / "s"))(str(tmp_path / "s"))
    assert len(nodes) == 6
    write_skeletons(tmp_path / "plain", two_neurites(), "precomputed")
    address = f"precomputed://{tmp_path}/plain#ids=77"
    _, (nodes, _, _) = get_reader(address)(address)
    assert len(nodes) == 2
    with pytest.raises(UsageError, match="#ids"):
        get_reader(f"{address}x")(address)


@pytest.mark.gui
def test_napari_keeps_all_of_it(make_napari_viewer, tmp_path):
    write_skeletons(tmp_path / "a.swc", two_neurites())
    viewer = make_napari_viewer()
    _, points = viewer.open(tmp_path / "a.swc", plugin="napari-bcannot")
    points.selected_data = {0}
    points.remove_selected()
    points.selected_data = {2}
    points.add([[4, 50, 60]])
    points.add([[5, 50, 60]])
    written = [layer.as_layer_data_tuple() for layer in viewer.layers]
    writers.write_csv(str(tmp_path / "b.csv"), written)
    after = read_skeletons(tmp_path / "b.csv")
    assert after.nodes == 7
    tree = after.neurites[0].skeleton
    assert tree.parents.tolist() == [-1, 0, 0, 2, 3], "nodes added go on from the selected one"
    assert tree.zyx_nm[-1].tolist() == [150, 400, 240]


@pytest.mark.gui
def test_napari_saves_and_opens_every_format(make_napari_viewer, tmp_path, said):
    viewer = make_napari_viewer()
    for data, meta, kind in set_layers(two_neurites(), "t"):
        viewer.add_layer(Layer.create(data, meta, kind))
    for suffix in WRITERS:
        path = str(tmp_path / f"all{suffix}")
        assert viewer.layers.save(path, plugin="napari-bcannot") == [path]
        alone = str(tmp_path / f"one{suffix}")
        assert viewer.layers["t"].save(alone, plugin="napari-bcannot") == [alone]
        for written in (path, alone):
            edges, points = viewer.open(written, plugin="napari-bcannot")
            assert (len(points.data), len(edges.data)) == (6, 4), written
            assert points.data.tolist() == viewer.layers["t"].data.tolist()
            assert tuple(points.scale) == VOXEL
            assert set(points.features["neurite"]) == {'axon <left> & "x"', "dendrite"}
            viewer.layers.remove(edges)
            viewer.layers.remove(points)


def test_a_layer_without_a_voxel_size_is_not_written_in_silence(tmp_path, monkeypatch):
    warned = []
    monkeypatch.setattr("napari_bcannot.notices.show_warning", warned.append)
    nodes = [(0, 1, 2), (1, 1, 2)]
    for meta in ({"scale": (30, 8, 8)}, {"units": ("nm",) * 3}, {"units": ("nanometer",) * 3}):
        layer = Layer.create(nodes, {"name": "p", **meta}, "points")
        writers.write_swc(str(tmp_path / "a.swc"), [layer.as_layer_data_tuple()])
    assert warned == []
    plain = Layer.create(nodes, {"name": "plain"}, "points")
    writers.write_swc(str(tmp_path / "b.swc"), [plain.as_layer_data_tuple()])
    assert len(warned) == 1
    assert "plain states no voxel size" in warned[0]
