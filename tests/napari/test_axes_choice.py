"""A time point and channel of a 5-D layer as a volume."""

import numpy as np
import pytest
from napari.components import ViewerModel

from bcannot_core.errors import UsageError
from napari_bcannot.axes_choice import take_axes, volume_in_view
from napari_bcannot.geometry import is_volume_layer, open_layer, voxel_nm_of

DATA = np.arange(3 * 2 * 4 * 5 * 6, dtype=np.uint16).reshape(3, 2, 4, 5, 6)
SCALE = (2.0, 1.0, 0.03, 0.01, 0.01)
UNITS = ("second", "pixel", "micrometer", "micrometer", "micrometer")


@pytest.fixture
def said(monkeypatch):
    told = []
    for kind in ("show_info", "show_warning"):
        monkeypatch.setattr(f"napari_bcannot.notices.{kind}", told.append)
    return told


def viewer_of(data=DATA, **meta):
    viewer = ViewerModel()
    known = {"scale": SCALE, "units": UNITS, "axis_labels": tuple("tczyx"), "name": "cells"}
    viewer.add_image(data, **{**known, **meta})
    return viewer


def test_what_is_in_view_can_be_traced_in(said):
    viewer = viewer_of(translate=(0, 0, 0.3, 0, 0), contrast_limits=(3, 99))
    viewer.dims.set_point([0, 1], [4.0, 1.0])
    take_axes(viewer)
    whole, volume = viewer.layers
    assert volume.name == "cells (t 2, c 1)"
    assert np.array_equal(volume.data, DATA[2, 1])
    assert np.allclose(volume.translate, (0.3, 0, 0))
    assert tuple(volume.contrast_limits) == (3, 99)
    assert is_volume_layer(volume)
    assert not whole.visible
    assert np.allclose(voxel_nm_of(volume)[0], (30, 10, 10))
    opened, placement = open_layer(volume, (30.0, 10.0, 10.0), 10.0)
    assert np.array_equal(opened.read(0, 4, 0, 5, 0, 6), DATA[2, 1])
    assert np.allclose(placement.to_world((1, 0, 0)), (0.33, 0, 0))
    assert "Trace neuron" in said[0]


def test_the_order_of_the_viewers_axes_counts(said):
    viewer = viewer_of()
    viewer.dims.order = (0, 1, 4, 3, 2)
    take_axes(viewer)
    assert np.array_equal(viewer.layers[-1].data, DATA[1, 0].transpose(2, 1, 0))


def test_a_layer_with_fewer_axes_than_the_viewer(said):
    viewer = viewer_of()
    four = viewer.add_image(DATA[:, 0].swapaxes(0, 1)[:, :3], name="four")
    viewer.layers.selection.active = four
    viewer.dims.set_point(1, 2.0)
    data, _, _ = volume_in_view(four, viewer.dims.point, viewer.dims.order)
    assert data.shape == (3, 5, 6)
    assert np.array_equal(data, DATA[:, 0, 2])


def test_lazy_and_multiscale_layers_stay_lazy():
    dask = pytest.importorskip("dask.array")
    read = []

    def block(values):
        read.append(1)
        return values

    lazy = dask.from_array(DATA, chunks=(1, 1, 4, 5, 6)).map_blocks(block, dtype=DATA.dtype)
    viewer = viewer_of([lazy, lazy[..., ::2, ::2]], multiscale=True, contrast_limits=(0, 9))
    before = len(read)
    layer = viewer.layers[0]
    data, meta, kind = volume_in_view(layer, (0.0, 1.0, 0, 0, 0), range(5))
    assert len(read) == before
    assert (meta["multiscale"], kind) == (True, "image")
    assert [level.shape for level in data] == [(4, 5, 6), (4, 3, 3)]
    assert np.array_equal(np.asarray(data[1]), DATA[0, 1, :, ::2, ::2])


def test_arrays_of_other_libraries_are_read_when_asked():
    zarr = pytest.importorskip("zarr")
    array = zarr.array(DATA, chunks=(1, 1, 4, 5, 6))
    layer = viewer_of(array, contrast_limits=(0, 9)).layers[0]
    data, _, _ = volume_in_view(layer, (2.0, 1.0, 0, 0, 0), range(5))
    assert not isinstance(data, np.ndarray)
    assert np.array_equal(np.asarray(data), DATA[1, 1])


def test_labels_stay_labels():
    viewer = ViewerModel()
    layer = viewer.add_labels(DATA[:, 0])
    data, meta, kind = volume_in_view(layer, (1.0, 0, 0, 0), range(4))
    assert kind == "labels"
    assert meta["name"] == "Labels (axis 0 1)"
    assert np.array_equal(data, DATA[1, 0])


def test_what_has_no_such_axes_is_said(said):
    viewer = ViewerModel()
    take_axes(viewer)
    viewer.add_image(DATA[0, 0], name="plain")
    take_axes(viewer)
    viewer.add_points(np.zeros((1, 4)))
    take_axes(viewer)
    viewer.add_image(np.zeros((2, 3, 4, 5, 3), np.uint8), rgb=True)
    take_axes(viewer)
    assert [len(viewer.layers), len(said)] == [3, 4]
    assert "Select a layer" in said[0]
    assert "as it is" in said[1]
    with pytest.raises(UsageError, match="nothing at t 9"):
        volume_in_view(viewer_of().layers[0], (18.0, 0, 0, 0, 0), range(5))


def test_a_layer_that_is_not_upright_is_refused_and_not_put_straight(said):
    turned = np.eye(5)
    turned[3:, 3:] = [[0, -1], [1, 0]]
    viewer = viewer_of(rotate=turned)
    take_axes(viewer)
    assert len(viewer.layers) == 1
    assert "rotated" in said[0]
