"""Addresses, scale choice and the catalogue."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.errors import BcannotError, UsageError, VolumeFormatError, VolumeNotFoundError
from bcannot_core.volumes import Contrast, catalogue, open_volume
from bcannot_core.volumes.address import add_options, parse_address, split_options
from bcannot_core.volumes.base import ScaleInfo
from bcannot_core.volumes.opening import _choose


def test_an_address_is_taken_apart() -> None:
    parsed = parse_address(
        "precomputed://gs://bucket/em#scale=16nm&voxel_nm=33,8,8&contrast=10,250.5"
        "&box=0,9,10,20,30,40&axes=2,0,1&flip=0,1,0&step=3,1,1"
    )
    assert (parsed.kind, parsed.location, parsed.scheme) == ("precomputed", "gs://bucket/em", "gs")
    assert parsed.scale == 16.0
    assert parsed.voxel_nm == (33.0, 8.0, 8.0)
    assert parsed.contrast == Contrast(10, 250.5)
    assert parsed.region is not None
    assert parsed.region.box == (0, 9, 10, 20, 30, 40)
    assert parsed.region.axes == (2, 0, 1)
    assert parsed.region.flips == (False, True, False)
    assert parsed.region.step == (3, 1, 1)


@pytest.mark.parametrize(
    ("text", "location", "key", "kind"),
    [
        ("a b/c.npz", "a b/c.npz", None, ""),
        ("c.npz::em", "c.npz", "em", ""),
        ("c.h5#key=a/b", "c.h5", "a/b", ""),
        ("file:///tmp/x.tif", "/tmp/x.tif", None, ""),
        ("zarr:///tmp/x.zarr", "/tmp/x.zarr", None, "zarr"),
        ("precomputed://file:///tmp/x", "/tmp/x", None, "precomputed"),
        ("precomputed://http://h:80/x", "http://h:80/x", None, "precomputed"),
        ("odd #1.tif", "odd #1.tif", None, ""),
        ("odd#part=3.tif", "odd#part=3.tif", None, ""),
        ("odd#1.tif#scale=1", "odd#1.tif", None, ""),
        ("synthetic://default?seed=1", "default?seed=1", None, "synthetic"),
        (r"C:\data\x.tif", r"C:\data\x.tif", None, ""),
    ],
)
def test_locations_keys_and_kinds(text: str, location: str, key: str | None, kind: str) -> None:
    parsed = parse_address(text)
    assert (parsed.location, parsed.key, parsed.kind) == (location, key, kind)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("a.npz#box=1,2", "not 6 numbers"),
        ("a.npz#box=1,2,3,4,5,x", "not 6 numbers"),
        ("a.npz#box=1.5,2,3,4,5,6", "6 integers"),
        ("a.npz#scale=big", "neither an index"),
        ("a.npz#scale=1.2.3nm", "neither an index"),
        ("a.npz#scale=1&scale=2", "repeated"),
        ("a.npz#scale=1&colour=red", "unknown"),
        ("a.npz#contrast=5,5", "contrast limits"),
        ("a.npz#step=nan,1,1", "integers"),
    ],
)
def test_malformed_addresses_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40), st.text(alphabet="=&#,.0123456789nmboxscalekystepflip", max_size=40))
def test_any_text_is_parsed_or_refused(location: str, fragment: str) -> None:
    try:
        parsed = parse_address(f"{location}#{fragment}")
    except UsageError:
        return
    assert parsed.location is not None


@given(st.text(min_size=1, max_size=30).filter(lambda t: "=" not in t))
def test_options_are_added_and_split_off(location: str) -> None:
    once = add_options(location, ["scale=1"])
    assert split_options(once) == (location, "scale=1")
    assert split_options(add_options(once, ["step=1,1,2"])) == (location, "scale=1&step=1,1,2")
    assert add_options(location, []) == location


def scales(*sizes: float) -> tuple[ScaleInfo, ...]:
    return tuple(ScaleInfo(i, str(i), (9, 9, 9), (30.0, s, s)) for i, s in enumerate(sizes))


@pytest.mark.parametrize(
    ("wanted", "index"), [(None, 1), (3, 3), (16.0, 2), (30.0, 3), (0.1, 0), (1e6, 3)]
)
def test_the_scale_is_chosen_by_index_or_closest_size(wanted: float | None, index: int) -> None:
    assert _choose(scales(4, 8, 16, 32), wanted, "a") == index


@pytest.mark.parametrize("wanted", [4, -1, 0.0, -8.0])
def test_scales_that_do_not_exist_are_refused(wanted: float) -> None:
    with pytest.raises(UsageError, match="scale"):
        _choose(scales(4, 8, 16, 32), wanted, "a")


def test_arguments_go_before_options_of_the_address(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, em=np.ones((3, 4, 5), np.uint8), other=np.ones((2, 2, 2), np.uint8))
    address = f"{path}#key=other&voxel_nm=1,2,3&contrast=0,9"
    volume = open_volume(address, key="em", voxel_nm=(30, 4, 4), contrast=Contrast(1, 2))
    assert volume.shape == (3, 4, 5)
    assert volume.voxel_nm == (30, 4, 4)
    assert volume.contrast == Contrast(1, 2)
    assert open_volume(address).voxel_nm == (1, 2, 3)
    again = open_volume(volume.address)
    assert (again.address, again.voxel_nm) == (volume.address, volume.voxel_nm)
    assert again.contrast == volume.contrast


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("{0}/none.tif", VolumeNotFoundError, "no file or folder"),
        ("{0}", VolumeNotFoundError, "neither an info file"),
        ("precomputed://{0}", VolumeNotFoundError, "no info file"),
        ("zarr://{0}", VolumeNotFoundError, "no zarr array"),
        ("{0}/a.txt", VolumeFormatError, "no known format"),
        ("precomputed://{0}/a.txt", VolumeFormatError, "is a folder"),
        ("ftp://host/a.tif", UsageError, "unknown scheme"),
        ("https://host/a.tif", VolumeFormatError, "download it"),
        ("precomputed://{0}#key=em", UsageError, "leave the key"),
        ("synthetic://nothing?seed=1", UsageError, "recipe"),
        ("{0}/" + "n" * 300, VolumeNotFoundError, "n"),
    ],
)
def test_wrong_addresses_are_named(
    tmp_path: Path, address: str, error: type[BcannotError], message: str
) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(error, match=message) as caught:
        open_volume(address.format(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1.0])
def test_a_timeout_is_positive(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        open_volume("a.tif", timeout_s=timeout)


def test_the_catalogue_is_consistent() -> None:
    entries = {entry.name: entry for entry in catalogue()}
    assert len(entries) == len(catalogue())
    assert {"h01", "h01-c3"} <= set(entries)
    assert sum(name.startswith("witvliet2020-") for name in entries) == 10
    for entry in entries.values():
        parsed = parse_address(entry.address)
        assert parsed.kind == "precomputed"
        assert parsed.scheme in ("gs", "s3")
        assert entry.kind in ("em", "labels")
        assert entry.labels is None or entries[entry.labels].kind == "labels"


def test_a_file_goes_before_a_public_volume_and_names_are_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VolumeNotFoundError, match="did you mean the public volume h01"):
        open_volume("h01-")
    np.save(tmp_path / "h01.npy", np.ones((2, 3, 4), np.uint8))
    (tmp_path / "h01.npy").rename(tmp_path / "h01")
    assert open_volume("h01").shape == (2, 3, 4)
