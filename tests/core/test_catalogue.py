"""The person's own volumes beside the public ones, and files that are no catalogue."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bcannot_core.errors import UsageError, VolumeFormatError
from bcannot_core.volumes import CatalogueEntry, catalogue, open_volume
from bcannot_core.volumes.catalogue import (
    MAX_BYTES,
    find_volume,
    forget,
    own_catalogue,
    own_catalogue_path,
    parse_catalogue,
    public_catalogue,
    remember,
)

MINE = CatalogueEntry("mine", "My block", "em", "/data/mine.zarr", (30.0, 8.0, 8.0), "ids", "me")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path / "config")
    return tmp_path / "config"


def stored(**changes: Any) -> str:
    entry = {"name": "a", "title": "A", "kind": "em", "address": "x", "source": ""} | changes
    return json.dumps({"volumes": [entry]})


def test_the_public_volumes_are_those_that_are_promised() -> None:
    names = {entry.name for entry in public_catalogue()}
    assert {"h01", *(f"witvliet2020-{i}" for i in range(1, 9))} <= names
    assert all(find_volume(e.labels) for e in public_catalogue() if e.labels)


def test_what_is_remembered_is_known_by_name_until_forgotten(tmp_path: Path) -> None:
    assert own_catalogue() == ()
    np.save(tmp_path / "v.npy", np.zeros((2, 3, 4), np.uint8))
    entry = CatalogueEntry("mine", "My block", "em", str(tmp_path / "v.npy"))
    remember(MINE)
    remember(entry)
    assert own_catalogue() == (entry,)
    assert catalogue()[0] == entry
    assert open_volume("mine").shape == (2, 3, 4)
    forget("mine")
    assert own_catalogue() == ()
    assert find_volume("mine") is None


def test_an_entry_survives_the_file() -> None:
    remember(MINE)
    assert own_catalogue() == (MINE,)


def test_an_own_volume_hides_the_public_one_of_its_name() -> None:
    remember(CatalogueEntry("h01", "My copy", "em", "/data/h01"))
    assert [e.title for e in catalogue() if e.name == "h01"] == ["My copy"]


@pytest.mark.parametrize("name", ["", "a/b", "precomputed:x", "a#b"])
def test_a_name_that_looks_like_an_address_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        remember(CatalogueEntry(name, "T", "em", "x"))
    assert not own_catalogue_path().exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[]", "not JSON with a list"),
        ("[" * 100_000, "not JSON"),
        ('{"volumes": 3}', "no list"),
        ('{"volumes": [3]}', "volume 1 is no JSON object"),
        (stored(name=3), "needs a text as name"),
        (stored(title=" "), "needs a text as title"),
        (stored(kind="mesh"), "the kind mesh"),
        (stored(voxel_nm=[1, 2]), "voxel size"),
        (stored(voxel_nm=[1, 2, -3]), "voxel size"),
        (stored(labels=3), "labels"),
        (stored(path="x"), "unknown field path"),
        (stored()[:-2] + ", " + stored()[len('{"volumes": [') :], "a name twice"),
    ],
)
def test_a_file_that_is_no_catalogue_says_where(text: str, message: str) -> None:
    with pytest.raises(VolumeFormatError, match=message) as caught:
        parse_catalogue(text, "my.json")
    assert "my.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b" " * (MAX_BYTES + 1)])
def test_a_damaged_file_of_own_volumes_leaves_the_public_ones(content: bytes) -> None:
    own_catalogue_path().parent.mkdir(parents=True)
    own_catalogue_path().write_bytes(content)
    with pytest.raises(VolumeFormatError, match=r"catalogue\.json"):
        own_catalogue()
    assert catalogue() == public_catalogue()
    with pytest.raises(VolumeFormatError):
        remember(MINE)
    assert own_catalogue_path().read_bytes() == content, "a damaged file was overwritten"
