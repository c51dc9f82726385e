"""Volumes that lie in no file are kept beside the session, and found again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sitting import grey_volume, trace_in

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.replay import replay
from bcannot_core.errors import DatasetError, VolumeError
from bcannot_core.sittings import SittingReader, SittingWriter, export_sittings
from bcannot_core.sittings.copies import (
    address_of_copy,
    find_copy,
    keep_copy,
)
from bcannot_core.volumes import Volume, open_volume
from bcannot_core.volumes.address import lies_in_no_file


def recorded(root: Path, volume: Volume, copied: bool = True) -> Path:
    """Record a session of two nodes; as the plugin does, the volume is kept once it is known."""
    with SittingWriter.begin(root) as writer:
        tracer = trace_in(writer, volume=volume)
        tracer.place((0, 60, 60))
        tracer.place((0, 63, 61))
        writer.fingerprint(volume.address, volume.fingerprint())
        if copied:
            keep_copy(writer.folder, volume, volume.fingerprint())
        return writer.folder


def test_a_session_on_a_layer_in_memory_replays(tmp_path: Path) -> None:
    volume = grey_volume("memory:em")
    folder = recorded(tmp_path, volume)
    (episode,) = SittingReader.open(folder).episodes()
    assert episode.data is not None
    assert open_volume(episode.data.volume).voxel_nm == (30, 10, 10)
    frames = [frame for frame, _, _ in replay(episode)]
    expected = [frame for frame, _, _ in replay(episode, volume=volume)]
    assert len(frames) == 2
    assert all(np.array_equal(a, b) for a, b in zip(frames, expected, strict=True))


def test_a_session_in_a_file_keeps_its_address(tmp_path: Path) -> None:
    folder = recorded(tmp_path, grey_volume("cells.tif"))
    (episode,) = SittingReader.open(folder).episodes()
    assert episode.data is not None
    assert episode.data.volume == "cells.tif"


def test_without_a_copy_the_address_says_so(tmp_path: Path) -> None:
    folder = recorded(tmp_path, grey_volume("memory:em"), copied=False)
    (episode,) = SittingReader.open(folder).episodes()
    assert episode.data is not None
    assert episode.data.volume == "memory:em"
    with pytest.raises((VolumeError, DatasetError), match="memory:em"):
        list(replay(episode))


def test_copies_go_along_into_a_dataset(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "sessions", grey_volume("memory:em"))
    for _ in range(2):
        export_sittings([folder], tmp_path / "data")
    kept = next(folder.glob("volumes/*.npy"))
    kept.unlink()
    (episode,) = open_dataset(tmp_path / "data")
    assert len(list(replay(episode))) == 2
    assert [path.name for path in (tmp_path / "data" / "volumes").iterdir()] == [kept.name]


def test_equal_volumes_share_one_copy_and_others_do_not(tmp_path: Path) -> None:
    array = np.array(grey_volume().array)
    first = recorded(tmp_path, Volume.from_array(array, address="memory:em"))
    again = recorded(tmp_path, Volume.from_array(array.copy(), address="memory:em"))
    changed = array.copy()
    unsampled = Volume.from_array(changed, address="memory:em")
    for place in np.ndindex(4, 120):  # somewhere that the fingerprint does not look
        changed[place] ^= 255
        if unsampled._digest() == Volume.from_array(array).fingerprint():
            break
        changed[place] ^= 255
    other = recorded(tmp_path, unsampled)
    nodes = [next(f.glob("volumes/*.npy")).stat().st_ino for f in (first, again, other)]
    assert nodes[0] == nodes[1] != nodes[2]
    assert np.array_equal(np.load(next(other.glob("volumes/*.npy"))), changed)


def test_lazy_layers_are_copied_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask = pytest.importorskip("dask.array")
    array = np.array(grey_volume().array).astype(">u2")
    monkeypatch.setattr("bcannot_core.sittings.copies._BLOCK_BYTES", array[0].nbytes * 3)
    volume = Volume.from_array(dask.from_array(array, chunks=(7, 50, 60)), address="memory:lazy")
    path = keep_copy(tmp_path, volume, volume.fingerprint())
    assert np.array_equal(np.load(path), array)
    assert open_volume(path).fingerprint() == volume.fingerprint()
    before = path.stat().st_mtime_ns
    assert keep_copy(tmp_path, volume, volume.fingerprint()) == path
    assert path.stat().st_mtime_ns == before


def test_what_cannot_be_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = grey_volume("memory:em")
    with monkeypatch.context() as patch:
        patch.setattr("bcannot_core.sittings.copies.MAX_BYTES", 1000)
        with pytest.raises(VolumeError, match="'em' lies in no file and is too large"):
            keep_copy(tmp_path, volume, "a1")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: Room(free=1000))
        with pytest.raises(VolumeError, match="no room"):
            keep_copy(tmp_path, volume, "a1")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.lib.format.open_memmap", full)
    with pytest.raises(VolumeError, match="No space left"):
        keep_copy(tmp_path, volume, "a1")
    assert not list(tmp_path.glob("volumes/*"))


class Room:
    def __init__(self, free: int) -> None:
        self.free = free


def test_addresses(tmp_path: Path) -> None:
    assert lies_in_no_file("memory:em")
    assert lies_in_no_file("memory")
    assert not lies_in_no_file("memory.tif")
    assert find_copy(tmp_path, "") is None
    assert find_copy(tmp_path, "../x") is None
    assert address_of_copy(Path("/x/a.npy"), (30.0, 8.0, 8.0)) == "/x/a.npy#voxel_nm=30,8,8"
