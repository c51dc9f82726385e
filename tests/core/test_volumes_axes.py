"""Time and channels: one place of each as a volume, from every format."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorstore as ts
import tifffile
import zarr

from bcannot_core.errors import BcannotError, UsageError, VolumeAxesError, VolumeFormatError
from bcannot_core.volumes import open_volume
from bcannot_core.volumes.extra_axes import at_text, fix_axes, parse_at

# t, c, z, y, x
DATA = np.random.default_rng(2).integers(0, 2**16, (3, 2, 4, 17, 19)).astype(np.uint16)


def as_npy(folder: Path) -> str:
    np.save(folder / "a.npy", DATA)
    return str(folder / "a.npy")


def as_npz(folder: Path) -> str:
    np.savez_compressed(folder / "a.npz", em=DATA, other=DATA[0, 0])
    return str(folder / "a.npz")


def as_npz_alone(folder: Path) -> str:
    np.savez_compressed(folder / "b.npz", em=DATA, voxel_nm=np.array([30.0, 8.0, 8.0]))
    return str(folder / "b.npz")


def as_hdf5(folder: Path) -> str:
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("em", data=DATA, chunks=(1, 1, 2, 8, 8))
    return str(folder / "a.h5")


def as_zarr(folder: Path) -> str:
    array = zarr.create_array(
        folder / "a.zarr", shape=DATA.shape, dtype="u2", chunks=(1, 1, 4, 8, 8)
    )
    array[:] = DATA
    return str(folder / "a.zarr")


def as_ome_zarr(folder: Path) -> str:
    group = zarr.open_group(str(folder / "o.zarr"), mode="w", zarr_format=2)
    group.create_array("0", data=DATA, chunks=(1, 1, 2, 17, 19))
    kinds = {"t": "time", "c": "channel"}
    axes: list[dict[str, Any]] = [
        {"name": a, "type": kinds.get(a, "space"), **({} if a in "tc" else {"unit": "nanometer"})}
        for a in "tczyx"
    ]
    transforms = [{"type": "scale", "scale": [1, 1, 30, 8, 8]}]
    datasets = [{"path": "0", "coordinateTransformations": transforms}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    return str(folder / "o.zarr")


def as_imagej(folder: Path) -> str:
    hyper = DATA.transpose(0, 2, 1, 3, 4)
    tifffile.imwrite(folder / "i.tif", hyper, imagej=True, metadata={"axes": "TZCYX"})
    return str(folder / "i.tif")


def as_ome_tiff(folder: Path) -> str:
    path = folder / "o.ome.tif"
    tifffile.imwrite(path, DATA, ome=True, metadata={"axes": "TCZYX"}, compression="zlib")
    return str(path)


NAMED = [as_ome_zarr, as_imagej, as_ome_tiff]
NUMBERED = [as_npy, as_npz, as_hdf5, as_zarr]


@pytest.mark.parametrize("write", [*NAMED, *NUMBERED])
def test_a_place_of_every_other_axis_makes_a_volume(write: Any, tmp_path: Path) -> None:
    address = write(tmp_path)
    ways = ["2,1"] + (["t:2,c:1", "c:1,t:2"] if write in NAMED else ["0:2,1:1"])
    for way in ways:
        volume = open_volume(f"{address}#at={way}&voxel_nm=30,8,8")
        assert volume.shape == (4, 17, 19)
        assert np.array_equal(volume.read(0, 4, 0, 17, 0, 19), DATA[2, 1]), way
        assert np.array_equal(volume.read(1, 3, 2, 9, 3, 5), DATA[2, 1, 1:3, 2:9, 3:5])
        again = open_volume(volume.address)
        assert again.fingerprint() == volume.fingerprint()
        assert again.address == volume.address


@pytest.mark.parametrize("write", [*NAMED, as_npy, as_npz_alone, as_hdf5, as_zarr])
def test_what_has_to_be_chosen_is_said(write: Any, tmp_path: Path) -> None:
    address = write(tmp_path)
    with pytest.raises(VolumeAxesError, match=r"#at=(t:0,c:0|0:0,1:0)") as caught:
        open_volume(address)
    assert "\n" not in str(caught.value)
    assert sorted(size for _, size in caught.value.axes) == [2, 3]
    for wrong in ("q:0", "3,0", "0,2", "0", "1,1,1"):
        with pytest.raises((UsageError, VolumeFormatError)):
            open_volume(f"{address}#at={wrong}")


def test_channels_of_a_precomputed_volume(tmp_path: Path) -> None:
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": str(tmp_path / "p")},
        "multiscale_metadata": {"type": "image", "data_type": "uint16", "num_channels": 2},
        "scale_metadata": {"size": [19, 17, 4], "resolution": [8, 8, 30], "encoding": "raw"},
        "create": True,
    }
    ts.open(spec).result()[...] = DATA[0].transpose(3, 2, 1, 0)
    with pytest.raises(VolumeFormatError, match="#at=c:0"):
        open_volume(tmp_path / "p")
    volume = open_volume(f"{tmp_path / 'p'}#at=c:1")
    assert np.array_equal(np.asarray(volume.array), DATA[0, 1])


def test_axes_of_length_one_need_no_place(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", DATA[:1, :1])
    assert np.array_equal(open_volume(tmp_path / "a.npy").array, DATA[0, 0])


def test_a_volume_has_no_other_axes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", DATA[0, 0])
    with pytest.raises(UsageError, match="none"):
        open_volume(f"{tmp_path / 'a.npy'}#at=0")
    with pytest.raises(UsageError, match="leave at out"):
        open_volume("synthetic://default?seed=1&shape=4,64,64#at=0")


@pytest.mark.parametrize("text", ["", "t", "t:", "t:-1", "t:1,t:2", "t:1,2", "1,,2", "٣", "9" * 20])
def test_places_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="at="):
        parse_at(text, "x")


def test_places_are_written_as_they_are_read() -> None:
    for text in ("t:3,c:0", "3,0", "7"):
        assert at_text(parse_at(text, "x")) == text
    assert fix_axes(list("cztyx"), (2, 5, 3, 6, 7), (("t", 2), ("c", 1)), "x") == (
        1, slice(None), 2, slice(None), slice(None),
    )  # fmt: skip
    with pytest.raises(BcannotError, match="in this order"):
        fix_axes(list("xyz"), (5, 6, 7), (), "x")
