"""Generated volumes by address: settings, caches in memory and on the disk."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bcannot_core.errors import UsageError
from bcannot_core.volumes import Region, open_volume
from bcannot_core.volumes.formats import synthetic
from bcannot_core.volumes.synthetic_em import SyntheticVolume, generate, recipe_from_query

ADDRESS = "synthetic://default?seed=3&shape=4,40,48&voxel_nm=30,10,10"


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(synthetic, "cache_dir", lambda: tmp_path / "cache")
    synthetic._memory.clear()
    yield
    synthetic._memory.clear()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds of the volumes that were really generated."""
    seeds: list[int] = []

    def counted(recipe: object, seed: int) -> SyntheticVolume:
        seeds.append(seed)
        return generate(recipe, seed)  # type: ignore[arg-type]

    monkeypatch.setattr(synthetic, "generate", counted)
    return seeds


def test_grey_values_and_labels_are_those_of_the_generator() -> None:
    em, seg = generate(
        recipe_from_query("default", {"shape": "4,40,48", "voxel_nm": "30,10,10"}), 3
    )
    volume, labels = open_volume(ADDRESS), open_volume(ADDRESS, labels=True)
    assert np.array_equal(volume.array, em)
    assert np.array_equal(labels.array, seg)
    assert volume.voxel_nm == labels.voxel_nm == (30, 10, 10)
    assert volume.voxel_known
    assert labels.is_labels
    assert volume.address == ADDRESS


def test_a_volume_is_generated_once(made: list[int], tmp_path: Path) -> None:
    first = open_volume(ADDRESS).fingerprint()
    open_volume(ADDRESS, labels=True)
    assert made == [3]
    synthetic._memory.clear()  # as in another process
    assert open_volume(ADDRESS).fingerprint() == first
    assert made == [3]
    assert len(list((tmp_path / "cache").iterdir())) == 1
    open_volume(ADDRESS.replace("seed=3", "seed=4"))
    assert made == [3, 4]


def test_a_volume_can_be_made_for_other_processes(made: list[int], tmp_path: Path) -> None:
    for _ in range(2):
        synthetic.prepare_synthetic(ADDRESS.removeprefix("synthetic://"))
        synthetic._memory.clear()
    open_volume(ADDRESS)
    assert made == [3]
    with pytest.raises(UsageError, match="none"):
        synthetic.prepare_synthetic("none")


def test_what_is_in_use_is_kept_when_others_are_generated(
    made: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [f"synthetic://default?seed={seed}&shape=2,20,20" for seed in range(3)]
    for age, address in zip((30, 20), addresses, strict=False):
        open_volume(address)
        (newest,) = (p for p in (tmp_path / "cache").iterdir() if p.stat().st_mtime > 100)
        os.utime(newest, (100 - age, 100 - age))
    size = max(p.stat().st_size for p in (tmp_path / "cache").iterdir())
    monkeypatch.setattr(synthetic, "DISK_BUDGET_BYTES", 2.5 * size)
    synthetic._memory.clear()
    for number in (0, 2, 0):  # the oldest file is read, then another comes
        open_volume(addresses[number])
        synthetic._memory.clear()
    assert made == [0, 1, 2]
    open_volume(addresses[1])
    assert made == [0, 1, 2, 1]


def test_a_damaged_cache_is_made_again(made: list[int], tmp_path: Path) -> None:
    first = open_volume(ADDRESS).fingerprint()
    (entry,) = (tmp_path / "cache").iterdir()
    content = entry.read_bytes()
    for damaged in (b"", content[:100], content[: len(content) // 2], b"x" * 500):
        entry.write_bytes(damaged)
        synthetic._memory.clear()
        assert open_volume(ADDRESS).fingerprint() == first
        assert entry.read_bytes() == content
    assert len(made) == 5


def test_an_unwritable_cache_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert open_volume(ADDRESS).shape == (4, 40, 48)


def test_the_caches_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "DISK_BUDGET_BYTES", 1)
    monkeypatch.setattr(synthetic, "MEMORY_BUDGET_BYTES", 1)
    for seed in range(3):
        open_volume(f"synthetic://default?seed={seed}&shape=2,20,20")
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert len(synthetic._memory) == 1


def test_a_region_of_a_generated_volume_has_an_address() -> None:
    region = Region(open_volume(ADDRESS), (0, 4, 5, 40, 0, 48), (1, 0, 2), (True, False, False))
    again = open_volume(region.address)
    assert again.fingerprint() == region.fingerprint()
    labels = open_volume(region.address, labels=True)
    assert labels.shape == region.shape
    assert labels.is_labels


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("synthetic://none", "none"),
        ("synthetic://default?seed=-1", "seed -1"),
        ("synthetic://default?seed=x", "seed x"),
        ("synthetic://default?seed=1&seed=2", "twice"),
        ("synthetic://default?colour=red", "colour"),
        ("synthetic://default?seed", "name=value"),
        ("synthetic://default?shape=4,4", "shape"),
        ("synthetic://default#key=em", "leave the key"),
    ],
)
def test_wrong_settings_are_refused(address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_volume(address)
