"""From layers to volumes and back to the world; layers without a viewer."""

import numpy as np
import pytest
from napari.layers import Image, Labels

from bcannot_core.coords import CanvasView
from bcannot_core.errors import UsageError
from bcannot_core.volumes import open_volume
from napari_bcannot.geometry import (
    Placement,
    is_volume_layer,
    layer_to_world,
    open_layer,
    voxel_nm_of,
    world_to_layer,
)

EM = np.random.default_rng(0).integers(0, 255, (6, 64, 80), dtype=np.uint8)
NM = ("nm", "nm", "nm")


def test_the_level_closest_to_the_policys_pixels_is_read(pyramid):
    for nm_per_px, voxel in ((4.0, 5.0), (10.0, 10.0), (12.0, 10.0), (30.0, 20.0)):
        volume, placement = open_layer(pyramid, (30.0, 5.0, 5.0), nm_per_px)
        assert volume.voxel_nm == (30.0, voxel, voxel)
        assert placement.scale == (30.0, voxel, voxel)


def test_a_coarser_level_lies_where_the_finer_voxels_are_that_it_covers(pyramid):
    _, placement = open_layer(pyramid, (30.0, 5.0, 5.0), 10.0)
    # its first voxel covers the finer voxels 0 and 1, whose centres are at 0 and 5 nm
    assert placement.to_world((2.0, 0.0, 0.0)) == (60.0, 2.5, 2.5)
    assert placement.to_voxels((60.0, 2.5, 2.5)) == (2.0, 0.0, 0.0)


def test_a_voxel_size_entered_by_hand_holds_for_the_level_that_is_read(pyramid):
    volume, placement = open_layer(pyramid, (40.0, 8.0, 8.0), 10.0)
    assert volume.voxel_nm == (40.0, 16.0, 16.0)
    assert placement.scale == (30.0, 10.0, 10.0), "the layers lie over the image as it is shown"
    again = open_volume(volume.address)
    assert again.voxel_nm == volume.voxel_nm, "the address has to open the same volume"


def test_a_plain_layer_is_read_as_it_is():
    layer = Image(EM, scale=(0.03, 0.008, 0.008), units=("um",) * 3, translate=(0, 1, 2), name="a")
    assert voxel_nm_of(layer) == (pytest.approx((30.0, 8.0, 8.0)), True)
    volume, placement = open_layer(layer, (30.0, 8.0, 8.0), 10.0)
    assert np.array_equal(volume.read(0, 6, 0, 64, 0, 80), EM)
    assert volume.voxel_nm == (30.0, 8.0, 8.0)
    assert placement.to_world((1.0, 1.0, 1.0)) == pytest.approx((0.03, 1.008, 2.008))
    assert world_to_layer(layer, (9.0, *layer_to_world(layer, (1, 2, 3)))) == pytest.approx(
        (1, 2, 3)
    )


def test_a_layer_without_units_states_no_voxel_size():
    assert voxel_nm_of(Image(EM)) == ((10.0, 10.0, 10.0), False)
    assert voxel_nm_of(Image(EM, scale=(30, 10, 10))) == ((30.0, 10.0, 10.0), True)


def test_a_file_that_another_reader_opened_is_known_by_its_path(tmp_path):
    np.save(tmp_path / "v.npy", EM)
    layer = Image(EM, scale=(30, 10, 10), units=NM)
    layer._source = layer.source.model_copy(update={"path": str(tmp_path / "v.npy")})
    volume, _ = open_layer(layer, (30.0, 10.0, 10.0), 10.0)
    assert open_volume(volume.address).voxel_nm == (30.0, 10.0, 10.0)
    other = Image(EM[:, :32], scale=(30, 10, 10), units=NM, name="cropped")
    other._source = layer._source
    assert open_layer(other, (30.0, 10.0, 10.0), 10.0)[0].shape == (6, 32, 80)


def test_a_layer_that_holds_other_voxels_than_its_file_is_read_as_it_is_shown(tmp_path):
    np.save(tmp_path / "v.npy", EM)
    layer = Image(255 - EM, scale=(30, 10, 10), units=NM, name="inverted")
    layer._source = layer.source.model_copy(update={"path": str(tmp_path / "v.npy")})
    volume, _ = open_layer(layer, (30.0, 10.0, 10.0), 10.0)
    assert np.array_equal(volume.array[2], 255 - EM[2])
    assert volume.address == "memory:inverted"


@pytest.mark.parametrize(
    "transform", [{"rotate": (0, 0, 10)}, {"shear": (0.1, 0, 0)}, {"scale": (1, -1, 1)}]
)
def test_a_layer_that_is_not_upright_is_refused(transform):
    with pytest.raises(UsageError, match="rotated"):
        open_layer(Image(EM, **transform), (30.0, 10.0, 10.0), 10.0)


def test_only_grey_volumes_can_be_traced_in():
    assert is_volume_layer(Image(EM))
    assert not is_volume_layer(Image(EM[0]))
    assert not is_volume_layer(Image(np.zeros((3, 4, 5, 3), dtype=np.uint8), rgb=True))
    assert not is_volume_layer(Labels(EM))


def test_a_canvas_lies_where_its_pixels_show_the_volume():
    placement = Placement((30.0, 8.0, 8.0), (5.0, 6.0, 7.0), NM)
    view = CanvasView((100.0, 60.0), (8.0, 8.0), 12.0)
    canvas = placement.of_canvas(view, 4)
    for xy in ((0.0, 0.0), (128.0, 128.0), (255.0, 17.0)):
        voxel = (4.0, *view.to_volume(xy))
        assert canvas.to_world((0.0, xy[1], xy[0])) == pytest.approx(placement.to_world(voxel))
