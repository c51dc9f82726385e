"""Readers, writer and sample data, through napari's own plugin manager where it matters."""

import numpy as np
import pytest

from bcannot_core.episodes.dataset import EpisodeWriter
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.errors import BcannotError, UsageError
from bcannot_core.tasks.neuron_tracing import TracingConfig
from bcannot_core.volumes import open_volume
from bcannot_core.volumes.swc import Skeleton, read_swc, write_swc
from napari_bcannot.readers import get_reader
from napari_bcannot.sample_data import sample_em
from napari_bcannot.tracing import TraceSession
from napari_bcannot.writers import write_swc as write_layers

EM = np.random.default_rng(3).integers(0, 255, (6, 40, 50), dtype=np.uint8)


def as_npz(folder):
    np.savez(folder / "v.npz", em=EM, voxel_nm=np.array([30.0, 8.0, 8.0]))
    return folder / "v.npz", (30.0, 8.0, 8.0)


def as_npy(folder):
    np.save(folder / "v.npy", EM)
    return folder / "v.npy", (10.0, 10.0, 10.0)


def as_tiff(folder):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(
        folder / "v.tif",
        EM,
        imagej=True,
        resolution=(1 / 0.008, 1 / 0.008),
        metadata={"spacing": 0.03, "unit": "um", "axes": "ZYX"},
    )
    return folder / "v.tif", (30.0, 8.0, 8.0)


def as_hdf5(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "v.h5", "w") as file:
        file["em"] = EM
    return folder / "v.h5", (10.0, 10.0, 10.0)


def as_zarr(folder):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(folder / "v.zarr", shape=EM.shape, dtype="u1", zarr_format=2)
    array[:] = EM
    return folder / "v.zarr", (10.0, 10.0, 10.0)


def as_precomputed(folder):
    ts = pytest.importorskip("tensorstore")
    kvstore = {"driver": "file", "path": str(folder / "v")}
    scale = {
        "size": [50, 40, 6],
        "resolution": [8, 8, 30],
        "encoding": "raw",
        "chunk_size": [16, 16, 4],
    }
    info = {"type": "image", "data_type": "uint8", "num_channels": 1}
    for factor in (1, 2):
        level = scale | {
            "size": [-(-50 // factor), -(-40 // factor), 6],
            "resolution": [8 * factor, 8 * factor, 30],
        }
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": kvstore,
            "multiscale_metadata": info,
            "scale_metadata": level,
            "create": True,
        }
        ts.open(spec).result()[..., 0] = EM[:, ::factor, ::factor].T
    return folder / "v", (30.0, 8.0, 8.0)


FORMATS = [as_npz, as_npy, as_tiff, as_hdf5, as_zarr, as_precomputed]


@pytest.mark.parametrize("write", FORMATS)
def test_every_format_opens_as_a_grey_layer_in_nanometres(write, tmp_path):
    path, voxel_nm = write(tmp_path)
    (layer,) = get_reader(str(path))(str(path))
    data, meta, kind = layer
    finest = data[0] if meta.get("multiscale") else data
    assert kind == "image"
    assert np.array_equal(np.asarray(finest[2]), EM[2])
    assert meta["scale"] == pytest.approx(voxel_nm)
    assert tuple(meta["units"]) == ("nm",) * 3
    assert meta["projection_mode"] == "none"
    low, high = meta["contrast_limits"]
    assert low < high


def test_levels_become_a_multiscale_layer(tmp_path):
    path, _ = as_precomputed(tmp_path)
    ((data, meta, _),) = get_reader(str(path))(str(path))
    assert meta["multiscale"] is True
    assert [level.shape for level in data] == [(6, 40, 50), (6, 20, 25)]
    assert np.array_equal(np.asarray(data[1][1]), EM[1, ::2, ::2])


def test_a_synthetic_volume_opens_by_its_address():
    address = "synthetic://default?seed=1&shape=4,64,64&voxel_nm=30,10,10"
    ((data, meta, kind),) = get_reader(address)(address)
    assert (kind, tuple(data.shape), meta["scale"]) == ("image", (4, 64, 64), (30.0, 10.0, 10.0))


@pytest.mark.parametrize("name", ["a.txt", "b.png", "c", "d.parquet", "precomputed:/x"])
def test_what_the_reader_does_not_know_it_declines(name, tmp_path):
    path = tmp_path / name
    if "/" not in name:
        path.write_bytes(b"x")
    assert get_reader(str(path)) is None


def test_it_declines_stacks_of_files_and_plain_folders(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    assert get_reader(str(tmp_path)) is None
    assert get_reader(["a.tif", "b.tif"]) is None
    assert get_reader([]) is None
    assert get_reader(["a.swc"]) is not None


@pytest.mark.parametrize("suffix", [".tif", ".npz", ".npy", ".h5", ".zarr", ".swc"])
def test_damaged_files_give_one_line(suffix, tmp_path):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(b"\x00\x01 this is nothing")
    with pytest.raises(BcannotError) as failure:
        get_reader(str(path))(str(path))
    assert "\n" not in str(failure.value)


def test_an_unreachable_server_gives_one_line():
    address = "precomputed://http://127.0.0.1:9/nothing"
    with pytest.raises(BcannotError) as failure:
        get_reader(address)(address)
    assert "\n" not in str(failure.value)


def write_swc_points(path, data, meta):
    return write_layers(path, [(data, meta, "points")])


def skeleton():
    nodes = np.array([[0, 4, 5], [1, 5, 6], [2, 6, 7], [2, 9, 9]])
    return Skeleton.from_voxels(nodes, (30.0, 8.0, 8.0), parents=[-1, 0, 1, 1], radius_nm=20.0)


def test_a_branching_trace_survives_reading_and_writing(tmp_path):
    write_swc(tmp_path / "a.swc", skeleton())
    layers = get_reader(str(tmp_path / "a.swc"))(str(tmp_path / "a.swc"))
    (vectors, _, vector_kind), (points, meta, point_kind) = layers
    assert (vector_kind, point_kind) == ("vectors", "points")
    assert meta["scale"] == (30.0, 8.0, 8.0)
    assert points.tolist() == [[0, 4, 5], [1, 5, 6], [2, 6, 7], [2, 9, 9]]
    assert (vectors[:, 0] + vectors[:, 1]).tolist() == [[0, 4, 5], [1, 5, 6], [1, 5, 6]]
    assert write_swc_points(str(tmp_path / "b.swc"), points, meta) == [str(tmp_path / "b.swc")]
    again = read_swc(tmp_path / "b.swc")
    assert np.allclose(again.zyx_nm, skeleton().zyx_nm)
    assert again.parents.tolist() == [-1, 0, 1, 1]
    assert again.radius_nm.tolist() == [20.0] * 4


def test_nodes_whose_parent_was_deleted_become_roots(tmp_path):
    features = {"id": [1, 3, 4], "parent": [-1, 2, 3]}
    nodes = np.zeros((3, 3))
    write_swc_points(str(tmp_path / "a.swc"), nodes, {"features": features})
    assert read_swc(tmp_path / "a.swc").parents.tolist() == [-1, -1, 1]


def test_plain_points_are_a_chain_where_they_lie_in_the_world(tmp_path):
    meta = {"scale": (0.03, 0.01, 0.01), "translate": (0.0, 1.0, 2.0), "units": ("micrometer",) * 3}
    write_swc_points(str(tmp_path / "a.swc"), np.array([[0, 1, 2], [1, 3, 4]]), meta)
    trace = read_swc(tmp_path / "a.swc")
    assert np.allclose(trace.zyx_nm, [[0, 1010, 2020], [30, 1030, 2040]])
    assert trace.parents.tolist() == [-1, 0]


@pytest.mark.parametrize("data", [np.zeros((0, 3)), np.zeros((4, 2))])
def test_points_that_are_no_trace_are_refused(data, tmp_path):
    with pytest.raises(UsageError):
        write_swc_points(str(tmp_path / "a.swc"), data, {})
    assert not list(tmp_path.iterdir())


def test_a_dataset_opens_as_its_traces(tmp_path):
    path, _ = as_npz(tmp_path)
    volume = open_volume(path)
    with EpisodeWriter(tmp_path / "data") as writer:
        for start in (10, 20):
            trace = TraceSession(volume, (1, start, 25), TracingConfig(sections=4))
            for z in (1, 2, 3):
                trace.place((z, start + z, 25))
            trace.undo()
            writer.append(episode_of(trace.session))
    layers = get_reader(str(tmp_path / "data"))(str(tmp_path / "data"))
    (vectors, _, _), (points, meta, kind) = layers
    assert kind == "points"
    assert meta["scale"] == (30.0, 8.0, 8.0)
    assert len(vectors) == 2
    assert meta["features"]["episode"].tolist() == [0, 0, 1, 1]
    assert np.abs(points - [[1, 11, 25], [2, 12, 25], [1, 21, 25], [2, 22, 25]]).max() < 1


def test_the_sample_volume_comes_with_its_neurites():
    (image, meta, kind), (labels, label_meta, label_kind) = sample_em()
    assert (kind, label_kind) == ("image", "labels")
    assert image.shape == labels.shape
    assert label_meta["visible"] is False
    assert meta["scale"] == label_meta["scale"]


@pytest.mark.gui
def test_napari_opens_and_saves_through_the_plugin(make_napari_viewer, tmp_path):
    path, voxel_nm = as_precomputed(tmp_path)
    viewer = make_napari_viewer()
    (image,) = viewer.open(path, plugin="napari-bcannot")
    assert image.multiscale
    assert tuple(image.scale) == voxel_nm
    viewer.dims.set_point(0, 90.0)
    points = viewer.add_points([[1, 2, 3], [2, 3, 4]], scale=voxel_nm, units=("nm",) * 3)
    assert points.save(str(tmp_path / "a.swc"), plugin="napari-bcannot") == [
        str(tmp_path / "a.swc")
    ]
    assert read_swc(tmp_path / "a.swc").zyx_nm.tolist() == [[30, 16, 24], [60, 24, 32]]
    nodes = viewer.open(tmp_path / "a.swc", plugin="napari-bcannot")
    assert [layer.name for layer in nodes] == ["a path", "a"]
