"""Volumes in folders: zarr, OME-Zarr, precomputed, as written by zarr and tensorstore."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore as ts
import zarr
from numpy.typing import NDArray

from bcannot_core.errors import (
    UsageError,
    VolumeError,
    VolumeFormatError,
    VolumeNotFoundError,
)
from bcannot_core.volumes import Contrast, Volume, open_volume
from bcannot_core.volumes.formats import stores

SHAPE = (20, 130, 140)


def smooth(shape: tuple[int, ...] = SHAPE, dtype: str = "uint8") -> NDArray[Any]:
    z, y, x = np.indices(shape)
    return (60 + 50 * np.sin(x / 9) * np.cos(y / 11) + z).astype(dtype)


def same(volume: Volume, raw: NDArray[Any]) -> bool:
    z = raw.shape[0] // 2
    return bool(
        volume.shape == raw.shape
        and np.array_equal(np.asarray(volume.array), raw)
        and np.array_equal(volume.read(z, z + 1, 5, 60, 3, 50)[0], raw[z, 5:60, 3:50])
        and volume.fingerprint() == Volume.from_array(raw).fingerprint()
    )


# -------------------------------------------------------------------------------- writers
def write_precomputed(folder: Path, levels: list[NDArray[Any]], **options: Any) -> Path:
    """Write levels, each half the size of the one before, with tensorstore."""
    encoding = options.get("encoding", "raw")
    for level, raw in enumerate(levels):
        scale: dict[str, Any] = {
            "size": raw.shape[::-1],
            "resolution": [4 * 2**level, 4 * 2**level, 33],
            "encoding": encoding,
            "chunk_size": [64, 64, 16],
            "voxel_offset": options.get("offset", [0, 0, 0]),
        }
        if encoding == "compressed_segmentation":
            scale["compressed_segmentation_block_size"] = [8, 8, 8]
        if options.get("sharded"):
            scale["sharding"] = {
                "@type": "neuroglancer_uint64_sharded_v1",
                "preshift_bits": 1,
                "minishard_bits": 2,
                "shard_bits": 1,
                "hash": "identity",
                "minishard_index_encoding": "gzip",
                "data_encoding": "raw" if encoding == "jpeg" else "gzip",
            }
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": str(folder)},
            "multiscale_metadata": {
                "type": "image",
                "data_type": str(raw.dtype),
                "num_channels": 1,
            },
            "scale_metadata": scale,
        }
        store = ts.open(spec, create=True, open=True).result()
        store[ts.d[:].translate_to[0]][..., 0].T.write(raw).result()
    return folder


def ome_attributes(axes: str, scales: list[list[float]], unit: str | None) -> dict[str, Any]:
    kinds = {"t": "time", "c": "channel"}
    return {
        "axes": [
            {"name": a, "type": kinds.get(a, "space")}
            | ({"unit": unit} if unit and a in "zyx" else {})
            for a in axes
        ],
        "datasets": [
            {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": s}]}
            for i, s in enumerate(scales)
        ],
    }


def write_ome(
    folder: Path, levels: list[NDArray[Any]], *, version: int = 2, axes: str = "zyx", **options: Any
) -> Path:
    """Write an OME-Zarr image with zarr-python: 0.4 for version 2, 0.5 for version 3."""
    group = zarr.open_group(str(folder), mode="w", zarr_format=version)  # type: ignore[arg-type]
    for i, raw in enumerate(levels):
        group.create_array(str(i), data=raw, chunks=(*(1,) * (raw.ndim - 3), 8, 64, 64))
    extra = len(axes) - 3
    sizes = [[1.0] * extra + [0.03, 0.008 * 2**i, 0.008 * 2**i] for i in range(len(levels))]
    image = ome_attributes(axes, sizes, options.get("unit", "micrometer"))
    if version == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    else:
        group.attrs["multiscales"] = [{"version": "0.4", **image}]
    return folder


def change_json(path: Path, keys: list[Any], change: dict[str, Any]) -> None:
    """Change an object inside a metadata file."""
    content = json.loads(path.read_text())
    inner = content
    for key in keys:
        inner = inner[key]
    inner.update(change)
    path.write_text(json.dumps(content))


# ----------------------------------------------------------------------------------- zarr
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int64", "bool"])
def test_zarr_arrays_are_read_exactly(tmp_path: Path, version: Any, dtype: str) -> None:
    raw = smooth(dtype=dtype)
    zarr.save_array(str(tmp_path / "a.zarr"), raw, zarr_format=version)
    volume = open_volume(tmp_path / "a.zarr")
    assert same(volume, raw)
    assert not volume.voxel_known
    assert same(open_volume(f"zarr://{tmp_path}/a.zarr"), raw)


def test_sharded_zarr_arrays_are_read_exactly(tmp_path: Path) -> None:
    zarr.create_array(
        str(tmp_path / "a"), data=smooth(), chunks=(4, 32, 32), shards=(20, 64, 64), zarr_format=3
    )
    volume = open_volume(tmp_path / "a")
    assert same(volume, smooth())
    assert volume.array._source.chunks == (4, 32, 32)


@pytest.mark.parametrize("version", [2, 3])
def test_the_arrays_of_a_zarr_group_are_found(tmp_path: Path, version: Any) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=version)
    raw = group.create_array("volumes/raw", data=smooth(), chunks=(8, 64, 64))
    raw.attrs["resolution"] = [30, 8, 4]
    group.create_array("volumes/labels", data=smooth(dtype="uint64"))
    volume = open_volume(tmp_path / "a.zarr")
    assert same(volume, smooth())
    assert volume.voxel_nm == (30, 8, 4)
    assert same(open_volume(tmp_path / "a.zarr", labels=True), smooth(dtype="uint64"))
    assert same(open_volume(tmp_path / "a.zarr", key="volumes/raw"), smooth())
    assert same(open_volume(tmp_path / "a.zarr" / "volumes" / "raw"), smooth())
    with pytest.raises(VolumeNotFoundError, match="none"):
        open_volume(tmp_path / "a.zarr", key="none")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["zyx", "czyx", "tczyx"])
def test_ome_zarr_levels_are_scales(tmp_path: Path, version: int, axes: str) -> None:
    extra = (None,) * (len(axes) - 3)
    raw = smooth()
    levels = [raw[extra], raw[:, ::2, ::2][extra]]
    write_ome(tmp_path / "a.zarr", levels, version=version, axes=axes)
    volume = open_volume(tmp_path / "a.zarr")
    assert same(volume, raw)
    assert [s.voxel_nm for s in volume.scales] == [
        pytest.approx((30, 8, 8)),
        pytest.approx((30, 16, 16)),
    ]
    assert volume.voxel_known
    coarse = open_volume(tmp_path / "a.zarr", scale="16nm")
    assert coarse.scale == 1
    assert same(coarse, raw[:, ::2, ::2])
    assert same(volume.at_scale(1), raw[:, ::2, ::2])
    assert open_volume(volume.at_scale(1).address).scale == 1


def test_a_contrast_goes_with_the_volume_to_other_scales(tmp_path: Path) -> None:
    write_ome(tmp_path / "a.zarr", [smooth(), smooth()[:, ::2, ::2]])
    volume = open_volume(tmp_path / "a.zarr").with_contrast(Contrast(3, 99))
    assert volume.at_scale(1).contrast == Contrast(3, 99)
    chosen = open_volume(tmp_path / "a.zarr", contrast=Contrast(5, 9))
    assert chosen.at_scale(1).contrast == Contrast(5, 9)


def test_the_voxel_size_of_one_scale_sets_those_of_the_others(tmp_path: Path) -> None:
    write_ome(tmp_path / "a.zarr", [smooth(), smooth()[:, ::2, ::2]])
    volume = open_volume(tmp_path / "a.zarr", scale=1, voxel_nm=(40, 20, 20))
    assert volume.voxel_nm == (40, 20, 20)
    assert volume.at_scale(0).voxel_nm == pytest.approx((40, 10, 10))
    assert open_volume(volume.address).voxel_nm == (40, 20, 20)
    assert open_volume(volume.at_scale(0).address).voxel_nm == pytest.approx((40, 10, 10))


def test_an_image_without_units_does_not_count_as_sized(tmp_path: Path) -> None:
    write_ome(tmp_path / "a.zarr", [smooth()], unit=None)
    assert not open_volume(tmp_path / "a.zarr").voxel_known


@pytest.mark.parametrize("version", [2, 3])
def test_the_labels_of_an_ome_zarr_image_are_found(tmp_path: Path, version: int) -> None:
    write_ome(tmp_path / "a.zarr", [smooth()], version=version)
    ids = smooth(dtype="uint32")
    labels = zarr.open_group(str(tmp_path / "a.zarr/labels"), mode="w", zarr_format=version)  # type: ignore[arg-type]
    listing: dict[str, Any] = {"labels": ["neurons"]}
    labels.attrs.update({"ome": listing} if version == 3 else listing)
    write_ome(tmp_path / "a.zarr/labels/neurons", [ids], version=version)
    found = open_volume(tmp_path / "a.zarr", labels=True)
    assert same(found, ids)
    assert found.voxel_nm == pytest.approx((30, 8, 8))
    assert same(open_volume(tmp_path / "a.zarr"), smooth())


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("czyx", (2, 4, 64, 64), "c \\(2\\); choose a place"),
        ("cyx", (1, 64, 64), "z, y, x"),
        ("xyz", (4, 64, 64), "in this order"),
    ],
)
def test_images_with_other_axes_are_refused(
    tmp_path: Path, axes: str, shape: tuple[int, ...], message: str
) -> None:
    write_ome(tmp_path / "a.zarr", [np.ones(shape, np.uint8)], axes=axes)
    with pytest.raises(VolumeFormatError, match=message):
        open_volume(tmp_path / "a.zarr")


def test_zarr_arrays_that_are_no_volume_are_refused(tmp_path: Path) -> None:
    for name, shape, message in (
        ("flat", (64, 64), r"shape .*three axes"),
        ("deep", (2, 3, 9, 9), r"beside z, y, x: 0 \(2\)"),
    ):
        zarr.save_array(str(tmp_path / name), np.ones(shape, np.uint8))
        with pytest.raises(VolumeFormatError, match=message):
            open_volume(tmp_path / name)


# ---------------------------------------------------------------------------- precomputed
@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize(
    ("encoding", "dtype"),
    [
        ("raw", "uint8"),
        ("raw", "uint16"),
        ("raw", "float32"),
        ("compressed_segmentation", "uint32"),
        ("compressed_segmentation", "uint64"),
    ],
)
def test_precomputed_volumes_are_read_exactly(
    tmp_path: Path, encoding: str, dtype: str, sharded: bool
) -> None:
    raw = smooth(dtype=dtype)
    write_precomputed(
        tmp_path / "a", [raw], encoding=encoding, sharded=sharded, offset=[300, 20, 7]
    )
    labels = encoding != "raw"
    volume = open_volume(tmp_path / "a", labels=labels)
    assert same(volume, raw)
    assert volume.voxel_nm == (33, 4, 4)
    assert volume.is_labels == labels
    assert same(open_volume(f"precomputed://{tmp_path}/a"), raw)


@pytest.mark.parametrize("sharded", [False, True])
def test_jpeg_chunks_are_read_closely(tmp_path: Path, sharded: bool) -> None:
    write_precomputed(tmp_path / "a", [smooth()], encoding="jpeg", sharded=sharded)
    volume = open_volume(tmp_path / "a")
    error = np.abs(np.asarray(volume.array).astype(int) - smooth())
    assert error.mean() < 1.5
    assert volume.dtype == np.uint8


def test_precomputed_scales_are_chosen_by_size(tmp_path: Path) -> None:
    raw = smooth()
    levels = [raw, raw[:, ::2, ::2], raw[:, ::4, ::4]]
    write_precomputed(tmp_path / "a", levels)
    assert open_volume(tmp_path / "a").scale == 1
    for scale, index in ((0, 0), ("2", 2), (16.0, 2), ("4nm", 0)):
        volume = open_volume(tmp_path / "a", scale=scale)
        assert volume.scale == index
        assert same(volume, levels[index])
        assert volume.scales[index].shape == levels[index].shape
    with pytest.raises(UsageError, match="scale 3"):
        open_volume(tmp_path / "a", scale=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"@type": "neuroglancer_legacy_mesh"}, "neuroglancer_legacy_mesh"),
        ({"scales": []}, "no scales"),
        ({"scales": [{"size": [1, 2, 3], "resolution": [1, 1]}]}, "three positive numbers"),
        ({"scales": [{"size": [1, 2, -3], "resolution": [1, 1, 1]}]}, "size"),
        ({"scales": [7]}, "scale 0"),
        ({"scales": [{"size": [1, 2, 3], "resolution": [1, 1, 1], "key": "../a"}]}, "outside"),
        ({"num_channels": 3}, "c \\(3\\); choose"),
        ({"data_type": "text"}, "cannot be read"),
    ],
)
def test_unusable_infos_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write_precomputed(tmp_path / "a", [smooth()])
    info = json.loads((tmp_path / "a" / "info").read_text())
    (tmp_path / "a" / "info").write_text(json.dumps({**info, **change}))
    with pytest.raises(VolumeFormatError, match=message) as caught:
        open_volume(tmp_path / "a")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", [2, 3])
def test_labels_beside_the_folder_are_refused(tmp_path: Path, version: int) -> None:
    write_ome(tmp_path / "given/a.zarr", [smooth()], version=version)
    write_ome(tmp_path / "secret", [smooth()], version=version)
    labels = zarr.open_group(  # type: ignore[arg-type]
        str(tmp_path / "given/a.zarr/labels"), mode="w", zarr_format=version
    )
    listing: dict[str, Any] = {"labels": ["../../../secret"]}
    labels.attrs.update({"ome": listing} if version == 3 else listing)
    with pytest.raises(VolumeFormatError, match=r"list of labels of .* leads outside"):
        open_volume(tmp_path / "given/a.zarr", labels=True)


def test_arrays_beside_the_folder_are_refused(tmp_path: Path) -> None:
    zarr.save_array(str(tmp_path / "em"), smooth(), zarr_format=2)
    zarr.open_group(str(tmp_path / "given"), mode="w", zarr_format=2)
    known = {"metadata": {"../em/.zarray": {}}}
    (tmp_path / "given" / ".zmetadata").write_text(json.dumps(known))
    with pytest.raises(VolumeFormatError, match=r"list of arrays of .* leads outside"):
        open_volume(tmp_path / "given")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "<html>", "\xff\xfe"])
@pytest.mark.parametrize("name", ["info", "zarr.json", ".zarray", ".zattrs"])
def test_damaged_metadata_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(VolumeFormatError, match=name):
        open_volume(tmp_path)


def test_metadata_of_monstrous_size_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_precomputed(tmp_path / "a", [smooth()])
    monkeypatch.setattr(stores, "MAX_METADATA_BYTES", 10)
    with pytest.raises(VolumeFormatError, match="too large for metadata"):
        open_volume(tmp_path / "a")


def test_large_metadata_on_the_disk_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "info").open("wb") as file:
        file.truncate(2**40)  # a terabyte of nothing, which takes no room
    with pytest.raises(VolumeFormatError, match=r"info has \d+ bytes: too large for metadata"):
        open_volume(tmp_path)


@pytest.mark.parametrize("chunk", [[10**4] * 3, [20, 130, 2**40]])
def test_chunks_that_would_not_fit_into_memory_are_refused(
    tmp_path: Path, chunk: list[int]
) -> None:
    write_precomputed(tmp_path / "a", [smooth()])
    change_json(tmp_path / "a" / "info", ["scales", 0], {"size": chunk, "chunk_sizes": [chunk]})
    zarr.save_array(str(tmp_path / "b"), smooth(), zarr_format=2)
    change_json(tmp_path / "b" / ".zarray", [], {"chunks": chunk})
    zarr.save_array(str(tmp_path / "c"), smooth(), zarr_format=3)
    change_json(
        tmp_path / "c" / "zarr.json", ["chunk_grid", "configuration"], {"chunk_shape": chunk}
    )
    for name in "abc":
        with pytest.raises(VolumeFormatError, match=f"one chunk of .*{name}.*smaller chunks"):
            open_volume(tmp_path / name)


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ([], {"multiscales": 3}, "does not say which array"),
        (["multiscales", 0], {"axes": 7}, "z, y, x"),
        (["multiscales", 0], {"datasets": []}, "list no datasets"),
        (["multiscales", 0], {"datasets": [5]}, "has no path"),
        (["multiscales", 0, "datasets", 0], {"path": "../b.zarr/0"}, "leads outside"),
        (["multiscales", 0, "datasets", 0], {"path": "none"}, "no volume at .*none"),
    ],
)
def test_damaged_images_are_refused(
    tmp_path: Path, path: list[Any], change: dict[str, Any], message: str
) -> None:
    group = write_ome(tmp_path / "a.zarr", [smooth(), smooth()])
    change_json(group / ".zattrs", path, change)
    with pytest.raises(VolumeError, match=message) as caught:
        open_volume(group)
    assert "tensorstore_spec" not in str(caught.value)


@pytest.mark.parametrize("change", [{"unit": 5}, {"unit": "parsec"}, {"unit": {"a": 1}}])
def test_units_that_are_none_do_not_count(tmp_path: Path, change: dict[str, Any]) -> None:
    group = write_ome(tmp_path / "a.zarr", [smooth()])
    change_json(group / ".zattrs", ["multiscales", 0, "axes", 1], change)
    assert not open_volume(group).voxel_known


@pytest.mark.parametrize("kind", ["raw", "jpeg", "compressed_segmentation", "sharded", "zarr"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_truncated_chunks_are_reported_when_read(tmp_path: Path, kind: str, share: float) -> None:
    folder = tmp_path / "a"
    if kind == "zarr":
        zarr.save_array(str(folder), smooth(), zarr_format=2)
    elif kind == "sharded":
        write_precomputed(folder, [smooth()], sharded=True)
    else:
        dtype = "uint64" if kind.startswith("comp") else "uint8"
        write_precomputed(folder, [smooth(dtype=dtype)], encoding=kind)
    for chunk in folder.rglob("*"):
        if chunk.is_file() and chunk.name != "info" and not chunk.name.startswith("."):
            content = chunk.read_bytes()
            chunk.write_bytes(content[: int(len(content) * share)])
    volume = open_volume(folder)
    with pytest.raises(VolumeFormatError, match="cannot be read"):
        volume.read(0, 20, 0, 130, 0, 140)


# ------------------------------------------------------------------------------ addresses
@pytest.mark.parametrize(
    ("location", "spec"),
    [
        ("/a/b", {"driver": "file", "path": "/a/b/"}),
        ("http://h:1/a", {"driver": "http", "base_url": "http://h:1/a/"}),
        (
            "gs://bucket/a b",
            {"driver": "http", "base_url": "https://storage.googleapis.com/bucket/a%20b/"},
        ),
        (
            "s3://bucket/a/b/",
            {
                "driver": "s3",
                "bucket": "bucket",
                "path": "a/b/",
                "aws_credentials": {"type": "anonymous"},
            },
        ),
    ],
)
def test_stores_are_read_without_an_account(location: str, spec: dict[str, Any]) -> None:
    assert stores.kvstore(location) == spec
    if "://" in location:
        assert ts.KvStore.Spec(spec).to_json()
