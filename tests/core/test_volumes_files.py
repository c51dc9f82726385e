"""Volumes in single files: numpy, TIFF, HDF5, as written by numpy, tifffile and h5py."""

import contextlib
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bcannot_core.errors import VolumeFormatError
from bcannot_core.volumes import Volume, open_volume
from bcannot_core.volumes.formats import common, tiff
from bcannot_core.volumes.formats.units import nm_per_unit


def noise(shape: tuple[int, ...] = (6, 90, 100), dtype: str = "uint8") -> NDArray[Any]:
    return np.random.default_rng(3).integers(1, 120, shape).astype(dtype)


def same(volume: Volume, raw: NDArray[Any]) -> bool:
    """Whether array, reads and sections agree with what was written."""
    z = raw.shape[0] // 2
    part = volume.read(z, z + 1, 5, 80, 3, 70)[0]
    return bool(
        volume.shape == raw.shape
        and np.array_equal(np.asarray(volume.array), raw)
        and np.array_equal(part, raw[z, 5:80, 3:70])
        and volume.fingerprint() == Volume.from_array(raw).fingerprint()
    )


# ----------------------------------------------------------------------------------- numpy
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "float32", "bool"])
def test_npy_is_mapped_and_not_loaded(tmp_path: Path, dtype: str) -> None:
    raw = noise(dtype=dtype)
    np.save(tmp_path / "a.npy", raw)
    volume = open_volume(tmp_path / "a.npy")
    assert same(volume, raw)
    assert isinstance(volume.array.base, np.memmap) or isinstance(volume.array, np.memmap)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_gives_grey_values_labels_and_voxel_size(
    tmp_path: Path, save: Callable[..., None]
) -> None:
    em, seg = noise(), noise(dtype="uint32")
    save(tmp_path / "a.npz", em=em, seg=seg, voxel_nm=np.array([30, 8, 8]), more=noise())
    volume = open_volume(tmp_path / "a.npz")
    assert same(volume, em)
    assert volume.voxel_nm == (30, 8, 8)
    assert volume.voxel_known
    labels = open_volume(tmp_path / "a.npz", labels=True)
    assert labels.is_labels
    assert labels.dtype == np.uint32
    assert same(labels, seg)
    assert same(open_volume(f"{tmp_path}/a.npz::seg"), seg)


def test_the_only_stack_of_an_npz_needs_no_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", stuff=noise(), points=np.zeros((5, 2)))
    assert same(open_volume(tmp_path / "a.npz"), noise())
    assert same(open_volume(tmp_path / "a.npz", labels=True), noise())


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"a": noise(), "b": noise()}, {}, "name one with key"),
        ({"a": noise()}, {"key": "c"}, "no array c: it has a"),
        ({"em": noise()[0]}, {}, r"no three-dimensional .*em \(90, 100\)"),
        ({"em": noise()[None].repeat(2, 0)}, {"key": "em"}, "choose a place"),
        ({"em": noise(), "other": noise()}, {"labels": True, "key": "x"}, "no array x"),
        ({"em": noise(), "raw": noise()}, {"labels": True}, "holds the labels"),
        ({"seg": noise(dtype="float32")}, {"labels": True}, "integer ids"),
        ({"em": np.array([[["a"]]], dtype=object)}, {}, "type object"),
        ({"em": noise(), "voxel_nm": np.array([1, 0, 2])}, {}, "three positive numbers"),
    ],
)
def test_unusable_npz_files_are_refused(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(VolumeFormatError, match=message):
        open_volume(tmp_path / "a.npz", **options)


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[[{}]]], dtype=object))
    with pytest.raises(VolumeFormatError, match=r"a\.npy"):
        open_volume(tmp_path / "a.npy")


def npy_header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    text += b" " * (64 - (len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_array_that_declares_more_than_its_file_holds_is_refused(
    tmp_path: Path, method: int
) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("em.npy", npy_header((2**20, 2**20, 2**10)) + b"\0" * 1000)
    with pytest.raises(VolumeFormatError, match="damaged"):
        open_volume(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
@pytest.mark.parametrize(("version", "form", "size"), [(1, "<H", 60_000), (2, "<I", 2**32 - 1)])
def test_a_header_that_declares_too_much_is_refused_unread(
    tmp_path: Path, name: str, version: int, form: str, size: int
) -> None:
    content = b"\x93NUMPY" + bytes([version, 0]) + struct.pack(form, size) + b" " * 65_536
    if name == "a.npz":
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("em.npy", content)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(VolumeFormatError, match=f"{name} .*has {size} bytes, more") as error:
        open_volume(tmp_path / name)
    assert "pickle" not in str(error.value)


def test_an_archive_that_would_not_fit_into_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "available_memory", lambda: 50_000)
    np.savez_compressed(tmp_path / "a.npz", em=np.zeros((10, 100, 100), np.uint8))
    with pytest.raises(VolumeFormatError, match="GiB can be used: convert it"):
        open_volume(tmp_path / "a.npz")


def test_available_memory_is_measured() -> None:
    assert 2**20 < common.available_memory() < 2**50


# ------------------------------------------------------------------------------------ TIFF
TIFF_OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "big": {"bigtiff": True},
    "big endian": {"byteorder": ">"},
    "zlib": {"compression": "zlib"},
    "lzw, predicted": {"compression": "lzw", "predictor": True},
    "zstd, big endian": {"compression": "zstd", "byteorder": ">"},
    "strips": {"compression": "zlib", "rowsperstrip": 7},
    "tiles": {"tile": (32, 48)},
    "compressed tiles": {"tile": (64, 64), "compression": "zlib"},
    "volumetric tiles": {"tile": (4, 32, 32), "compression": "zlib"},
    "pages apart": {"metadata": None, "contiguous": False},
}


@pytest.mark.parametrize("options", TIFF_OPTIONS.values(), ids=TIFF_OPTIONS.keys())
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "uint32"])
def test_tiff_stacks_are_read_exactly(tmp_path: Path, options: dict[str, Any], dtype: str) -> None:
    raw = noise(dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", raw, photometric="minisblack", **options)
    volume = open_volume(tmp_path / "a.tif")
    assert same(volume, raw)
    assert not volume.voxel_known


@pytest.mark.parametrize("options", [{"compression": "zlib"}, {"tile": (32, 32)}])
def test_large_pages_are_read_by_tile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(tiff, "PAGE_BYTES", 1000)
    tifffile.imwrite(tmp_path / "a.tif", noise(), photometric="minisblack", **options)
    volume = open_volume(tmp_path / "a.tif")
    assert isinstance(volume.array._source, tiff.TiledSource)
    assert same(volume, noise())


def test_a_stack_in_one_piece_is_mapped_and_not_loaded(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise())
    assert open_volume(tmp_path / "a.tif").in_memory
    tifffile.imwrite(tmp_path / "b.tif", noise(), compression="zlib")
    assert not open_volume(tmp_path / "b.tif").in_memory


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("um", 1e3), ("micron", 1e3), ("nm", 1.0), ("mm", 1e6), ("\\u00B5m", 1e3)],
)
def test_imagej_stacks_state_their_voxel_size(tmp_path: Path, unit: str, factor: float) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        noise(),
        imagej=True,
        resolution=(1 / 0.5, 1 / 0.25),
        metadata={"axes": "ZYX", "spacing": 2.0, "unit": unit},
    )
    volume = open_volume(tmp_path / "a.tif")
    assert volume.voxel_nm == pytest.approx((2.0 * factor, 0.25 * factor, 0.5 * factor))
    assert volume.voxel_known


def test_imagej_stacks_in_pixels_state_none(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "spacing": 2.0, "unit": "pixel"}
    tifffile.imwrite(tmp_path / "a.tif", noise(), imagej=True, metadata=metadata)
    assert not open_volume(tmp_path / "a.tif").voxel_known
    given_size = open_volume(tmp_path / "a.tif", voxel_nm=(30, 4, 4))
    assert given_size.voxel_known
    assert given_size.voxel_nm == (30, 4, 4)


def test_ome_stacks_state_their_voxel_size(tmp_path: Path) -> None:
    metadata = {
        "axes": "ZYX",
        "PhysicalSizeX": 8.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.016,
        "PhysicalSizeZ": 0.033,
        "PhysicalSizeZUnit": "µm",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(), metadata=metadata, compression="zlib")
    volume = open_volume(tmp_path / "a.ome.tif")
    assert volume.voxel_nm == pytest.approx((33, 16, 8))
    assert same(volume, noise())


def write_ome_set(folder: Path, second: str, **options: Any) -> Path:
    """Write an OME volume whose later half lies in a second file; return the first."""
    ids = [f"urn:uuid:00000000-0000-0000-0000-00000000000{i}" for i in (1, 2)]
    depth, height, width = noise().shape
    parts = "".join(
        f'<TiffData FirstZ="{i * depth // 2}" IFD="0" PlaneCount="{depth // 2}">'
        f'<UUID FileName="{name}">{ids[i]}</UUID></TiffData>'
        for i, name in enumerate(("a.ome.tif", second))
    )
    for i, name in enumerate(("a.ome.tif", second)):
        text = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{ids[i]}">'
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
            f'SizeX="{width}" SizeY="{height}" SizeZ="{depth}" SizeC="1" SizeT="1">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{parts}</Pixels></Image>'
            # where the microscope kept it, which is not followed
            '<StructuredAnnotations><Origin FileName="/microscope/a.lif"/></StructuredAnnotations>'
            "</OME>"
        )
        half = noise()[i * depth // 2 : (i + 1) * depth // 2]
        tifffile.imwrite(
            folder / name,
            half,
            description=text,
            metadata=None,
            photometric="minisblack",
            **options,
        )
    return folder / "a.ome.tif"


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"compression": "zlib", "tile": (32, 32)}]
)
def test_ome_volumes_in_several_files_of_a_folder_are_read(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    assert same(open_volume(write_ome_set(tmp_path, "b.ome.tif", **options)), noise())


def test_an_ome_volume_whose_other_file_is_truncated_says_so(tmp_path: Path) -> None:
    volume = open_volume(write_ome_set(tmp_path, "b.ome.tif"))
    with (tmp_path / "b.ome.tif").open("rb+") as file:
        file.truncate(5_000)
    assert (volume.read(0, 1, 0, 90, 0, 100)[0] == noise()[0]).all()
    with pytest.raises(VolumeFormatError, match=r"section [35]"):
        volume.read(5, 6, 0, 90, 0, 100)


def test_ome_volumes_that_name_files_elsewhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    first = write_ome_set(tmp_path / "given", "../b.ome.tif")
    with pytest.raises(VolumeFormatError, match=r"leads outside its folder, to '\.\./b.ome.tif'"):
        open_volume(first)


def test_the_levels_of_a_pyramid_are_scales(tmp_path: Path) -> None:
    raw = noise((5, 128, 256))
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        size = {
            "axes": "ZYX",
            "PhysicalSizeX": 0.004,
            "PhysicalSizeY": 0.004,
            "PhysicalSizeZ": 0.03,
        }
        common_options = {"photometric": "minisblack", "tile": (32, 32), "compression": "zlib"}
        writer.write(raw, subifds=1, metadata={"axes": "ZYX", **size}, **common_options)
        writer.write(raw[:, ::2, ::2], subfiletype=1, **common_options)
    volume = open_volume(tmp_path / "a.ome.tif")
    assert [s.shape for s in volume.scales] == [(5, 128, 256), (5, 64, 128)]
    assert volume.scale == 1  # 8 nm is closer to 10 nm than 4 nm
    assert volume.voxel_nm == pytest.approx((30, 8, 8))
    assert same(volume, raw[:, ::2, ::2])
    assert same(open_volume(tmp_path / "a.ome.tif", scale=0), raw)
    assert same(volume.at_scale(0), raw)


def test_a_stack_of_one_section_opens(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise()[:1], metadata={"axes": "ZYX"})
    assert open_volume(tmp_path / "a.tif").shape == (1, 90, 100)


def test_axes_of_length_one_are_left_out(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise()[None, :, None], imagej=True)
    assert same(open_volume(tmp_path / "a.tif"), noise())


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((90, 100), {}, "YX .*stack the sections"),
        ((90, 100, 3), {"photometric": "rgb"}, "YXS .*three axes"),
        ((6, 90, 100, 3), {"photometric": "rgb"}, "choose a place"),
        ((4, 3, 90, 100), {"imagej": True, "metadata": {"axes": "ZCYX"}}, "choose a place"),
        ((6, 90, 100), {"dtype": "complex64"}, "type complex64"),
    ],
)
def test_tiffs_that_are_no_stack_are_refused(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any], message: str
) -> None:
    dtype = options.pop("dtype", "uint8")
    tifffile.imwrite(tmp_path / "a.tif", noise(shape, dtype), **options)
    options["dtype"] = dtype
    with pytest.raises(VolumeFormatError, match=message):
        open_volume(tmp_path / "a.tif")


def test_series_are_chosen_by_key(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(noise(), photometric="minisblack")
        writer.write(noise((4, 50, 60)), photometric="minisblack")
    assert open_volume(tmp_path / "a.tif", key="1").shape == (4, 50, 60)
    with pytest.raises(VolumeFormatError, match="no series 2"):
        open_volume(tmp_path / "a.tif", key="2")


# ------------------------------------------------------------------------------------ HDF5
def write_h5(
    path: Path, arrays: dict[str, Any], attributes: dict[str, Any], **options: Any
) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **options).attrs.update(attributes)


@pytest.mark.parametrize("options", [{}, {"chunks": (2, 32, 32), "compression": "gzip"}])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", ">i2"])
def test_hdf5_is_read_lazily(tmp_path: Path, options: dict[str, Any], dtype: str) -> None:
    write_h5(tmp_path / "a.h5", {"volumes/raw": noise(dtype=dtype)}, {}, **options)
    volume = open_volume(tmp_path / "a.h5")
    assert same(volume, noise(dtype=dtype))
    assert not volume.in_memory


@pytest.mark.parametrize(
    ("attributes", "voxel"),
    [
        ({"resolution": (40, 4, 4)}, (40, 4, 4)),
        ({"element_size_um": (0.04, 0.008, 0.004)}, (40, 8, 4)),
        ({"resolution": "fine"}, None),
        ({"resolution": (0, 1, 1)}, None),
        ({}, None),
    ],
)
def test_hdf5_attributes_state_the_voxel_size(
    tmp_path: Path, attributes: dict[str, Any], voxel: tuple[float, ...] | None
) -> None:
    write_h5(tmp_path / "a.h5", {"data": noise()}, attributes)
    volume = open_volume(tmp_path / "a.h5")
    assert volume.voxel_known == (voxel is not None)
    assert volume.voxel_nm == pytest.approx(voxel or (10, 10, 10))


def test_hdf5_datasets_are_found_by_name_or_path(tmp_path: Path) -> None:
    ids = noise(dtype="uint64")
    arrays = {"volumes/raw": noise(), "volumes/labels/neuron_ids": ids, "x": noise()[0]}
    write_h5(tmp_path / "a.hdf", arrays, {})
    path = tmp_path / "a.hdf"
    assert same(open_volume(path), noise())
    assert same(open_volume(path, labels=True), ids)
    assert same(open_volume(f"{path}/volumes/labels/neuron_ids"), ids)
    assert same(open_volume(f"{path}::/volumes/raw"), noise())
    with pytest.raises(VolumeFormatError, match="no array volumes/none"):
        open_volume(path, key="volumes/none")
    with pytest.raises(VolumeFormatError, match="stack the sections"):
        open_volume(path, key="x")


def test_hdf5_without_a_stack_is_refused(tmp_path: Path) -> None:
    write_h5(tmp_path / "a.h5", {"x": noise()[0], "n": np.arange(4)}, {})
    with pytest.raises(VolumeFormatError, match=r"no three-dimensional.*x \(90, 100\)"):
        open_volume(tmp_path / "a.h5")


def write_virtual(path: Path, source: str) -> None:
    """Write a dataset whose voxels lie in another HDF5 file."""
    layout = h5py.VirtualLayout(noise().shape, "uint8")
    layout[:] = h5py.VirtualSource(source, "em", noise().shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("em", layout)


def write_external(path: Path, source: str) -> None:
    """Write a dataset whose voxels are the bytes of another file."""
    parts = [(source, 0, noise().nbytes)]
    with h5py.File(path, "w") as file:
        file.create_dataset("em", noise().shape, "uint8", external=parts)


@pytest.mark.parametrize("name", ["{}", "{folder}/{}"])
def test_hdf5_in_several_files_of_a_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)  # HDF5 looks for raw bytes from where the process is
    write_h5(tmp_path / "parts.h5", {"em": noise()}, {})
    (tmp_path / "raw.bin").write_bytes(noise().tobytes())
    write_virtual(tmp_path / "a.h5", name.format("parts.h5", folder=tmp_path))
    write_external(tmp_path / "b.h5", name.format("raw.bin", folder=tmp_path))
    for _ in range(2):
        assert same(open_volume(tmp_path / "a.h5"), noise())
        assert same(open_volume(tmp_path / "b.h5"), noise())


def test_hdf5_does_not_read_files_of_the_folder_that_the_process_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_h5(tmp_path / "secret", {"em": noise()}, {})
    (tmp_path / "given").mkdir()
    write_virtual(tmp_path / "given" / "a.h5", "secret")
    write_external(tmp_path / "given" / "b.h5", "secret")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VolumeFormatError, match=r"lies in part in .*secret, which is not there"):
        open_volume(tmp_path / "given" / "a.h5")
    with pytest.raises(VolumeFormatError, match=r"leads outside its folder, to 'secret'"):
        open_volume(tmp_path / "given" / "b.h5")


@pytest.mark.parametrize("write", [write_virtual, write_external])
@pytest.mark.parametrize("above", ["../secret", "parts/../../secret", "{folder}/secret"])
def test_hdf5_that_names_files_elsewhere_is_refused(
    tmp_path: Path, write: Callable[[Path, str], None], above: str
) -> None:
    write_h5(tmp_path / "secret", {"em": noise()}, {})
    (tmp_path / "given").mkdir()
    write(tmp_path / "given" / "a.h5", above.format(folder=tmp_path))
    with pytest.raises(VolumeFormatError, match=r"leads outside its folder, to .*secret"):
        open_volume(tmp_path / "given" / "a.h5")


def test_an_array_with_an_axis_of_length_one_beside_is_a_stack(tmp_path: Path) -> None:
    write_h5(tmp_path / "a.h5", {"x": noise()[0], "y": noise()[None]}, {})
    assert same(open_volume(tmp_path / "a.h5"), noise())
    np.savez(tmp_path / "a.npz", x=noise()[0], y=noise()[None])
    assert same(open_volume(tmp_path / "a.npz"), noise())


# ---------------------------------------------------------------------------------- damage
def write_all(folder: Path) -> list[Path]:
    """Write a volume in every format of this file."""
    raw = noise((8, 64, 64))
    np.save(folder / "a.npy", raw)
    np.savez(folder / "b.npz", em=raw)
    np.savez_compressed(folder / "c.npz", em=raw)
    tifffile.imwrite(folder / "d.tif", raw)
    tifffile.imwrite(folder / "e.tif", raw, compression="zlib")
    tifffile.imwrite(folder / "f.tif", raw, imagej=True)
    tifffile.imwrite(folder / "g.tif", raw, tile=(32, 32), compression="lzw", bigtiff=True)
    tifffile.imwrite(folder / "h.ome.tif", raw)
    tifffile.imwrite(folder / "k.tif", raw, compression="zlib", metadata=None, contiguous=False)
    with tifffile.TiffWriter(folder / "l.tif") as writer:
        for section in raw:
            writer.write(section, compression="zlib", metadata=None)
    write_h5(folder / "i.h5", {"em": raw}, {})
    write_h5(folder / "j.h5", {"em": raw}, {}, chunks=(2, 32, 32), compression="gzip")
    return sorted(folder.iterdir())


NAMES = ["a.npy", "b.npz", "c.npz", "d.tif", "e.tif", "f.tif", "g.tif", "h.ome.tif"]
NAMES += ["i.h5", "j.h5", "k.tif", "l.tif"]


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("intact")
    return {path.name: path.read_bytes() for path in write_all(folder)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(
    tmp_path: Path, intact: dict[str, bytes], name: str, share: float
) -> None:
    content = intact[name]
    (tmp_path / name).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(VolumeFormatError, match=name[1:]) as caught:
        np.asarray(open_volume(tmp_path / name).array)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_files_give_voxels_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory,
    intact: dict[str, bytes],
    name: str,
    damage: list[tuple[float, int]],
) -> None:
    content = bytearray(intact[name])
    for where, value in damage:
        # The first and last kilobytes hold what describes the file.
        span = min(len(content) - 1, 2000)
        at = int(where * 2 * span)
        content[at if at < span else len(content) - 1 - (at - span)] = value
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(content)
    with contextlib.suppress(VolumeFormatError):
        np.asarray(open_volume(path).array)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("nanometers", 1),
        ("Micrometre", 1e3),
        ("Å", 0.1),
        ("parsec", None),
        ("", None),
        (None, None),
    ],
)
def test_units_of_length(unit: str | None, factor: float | None) -> None:
    assert nm_per_unit(unit) == factor
