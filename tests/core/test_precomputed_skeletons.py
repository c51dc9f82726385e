"""Precomputed skeletons: their bytes, what is refused, servers and shards."""

import gzip
import json
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore as ts
from hypothesis import given, settings
from hypothesis import strategies as st
from skeleton_sets import rows_of, two_neurites

from bcannot_core.errors import (
    UsageError,
    VolumeError,
    VolumeFormatError,
    VolumeNotFoundError,
    VolumeUnreachableError,
)
from bcannot_core.skeletons import read_skeletons, write_skeletons
from bcannot_core.skeletons.convert import Reading
from bcannot_core.skeletons.precomputed import is_skeleton_folder


def stored(folder: Path, content: bytes, **info: Any) -> Path:
    """Make a folder with one skeleton, 5."""
    folder.mkdir()
    whole = {"@type": "neuroglancer_skeletons", "vertex_attributes": [], **info}
    (folder / "info").write_text(json.dumps(whole))
    (folder / "5").write_bytes(content)
    return folder


def encoded(count: int = 2, edges: tuple[int, ...] = (0, 1)) -> bytes:
    places = np.arange(3 * count, dtype="<f4")
    pairs = np.array(edges, "<u4").tobytes()
    return struct.pack("<II", count, len(edges) // 2) + places.tobytes() + pairs


def test_the_bytes_are_those_of_the_specification(tmp_path: Path) -> None:
    write_skeletons(tmp_path / "a.precomputed", two_neurites())
    info = json.loads((tmp_path / "a.precomputed" / "info").read_text())
    assert info["@type"] == "neuroglancer_skeletons"
    assert [entry["id"] for entry in info["vertex_attributes"]] == [
        "radius", "vertex_types", "confidence",
    ]  # fmt: skip
    content = (tmp_path / "a.precomputed" / "77").read_bytes()
    assert struct.unpack_from("<II", content) == (2, 1)
    assert np.frombuffer(content, "<f4", 6, 8).tolist() == [200, 320, 90, 200, 328, 120]
    assert np.frombuffer(content, "<u4", 2, 32).tolist() == [0, 1]
    assert len(content) == 8 + 24 + 8 + 2 * (4 + 1 + 4)
    labels = json.loads((tmp_path / "a.precomputed" / "segment_properties" / "info").read_text())
    assert labels["inline"]["ids"] == ["1", "77"]


def test_a_transform_leads_to_nanometres(tmp_path: Path) -> None:
    radius = [{"id": "radius", "data_type": "float32", "num_components": 1}]
    content = encoded() + np.array([1, 2], "<f4").tobytes()
    moved = [2, 0, 0, 10, 0, 2, 0, 20, 0, 0, 2, 30]
    place = stored(tmp_path / "a", content, transform=moved, vertex_attributes=radius)
    (neurite,) = read_skeletons(place).neurites
    assert (neurite.name, neurite.number) == ("5", 5)
    assert neurite.skeleton.zyx_nm.tolist() == [[34, 22, 10], [40, 28, 16]]
    assert np.allclose(neurite.skeleton.radius_nm, [2, 4])


@pytest.mark.parametrize(
    ("content", "info", "message"),
    [
        (b"", {}, "has 0 bytes"),
        (encoded()[:-1], {}, "should have 40"),
        (encoded() + b"x", {}, "should have 40"),
        (struct.pack("<II", 2**32 - 1, 2**32 - 1), {}, "should have"),
        (encoded(edges=(0, 7)), {}, "an edge to none"),
        (encoded(0, ()), {}, "have no nodes"),
        (struct.pack("<II3f", 1, 0, 0, 0, np.nan), {}, "nowhere"),
        (b"\x1f\x8b" + b"x" * 50, {}, "cannot be unpacked"),
        (encoded(), {"transform": [1, 2]}, "transform"),
        (encoded(), {"transform": [None] * 12}, "transform"),
        (encoded(), {"transform": [1e300] * 12}, "transform"),
        (encoded(), {"vertex_attributes": 3}, "vertex_attributes"),
        (encoded(), {"vertex_attributes": [{"id": "a"}]}, "attribute"),
        (encoded(), {"vertex_attributes": [
            {"id": "a", "data_type": "float32", "num_components": 10**9}]}, "attribute"),
        (encoded(), {"segment_properties": "../../secret"}, "outside"),
        (encoded(), {"segment_properties": "/etc"}, "outside"),
        (encoded(), {"segment_properties": "http://host/x"}, "outside"),
        (encoded(), {"sharding": {"@type": "x"}}, "sharding"),
        (encoded(), {"sharding": {"@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": 0,
                                  "minishard_bits": 60, "shard_bits": 0}}, "sharding"),
        (encoded(), {"@type": "neuroglancer_legacy_mesh"}, "holds no skeletons"),
        (encoded(), {"@type": "x", "skeletons": "../.."}, "outside"),
    ],
)  # fmt: skip
def test_precomputed_skeletons_that_are_malformed_are_refused(
    tmp_path: Path, content: bytes, info: dict[str, Any], message: str
) -> None:
    place = stored(tmp_path / "a", content, **info)
    with pytest.raises(VolumeError, match=message) as caught:
        read_skeletons(place)
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bcannot_core.skeletons.precomputed.MAX_BYTES", 10_000)
    place = stored(tmp_path / "a", gzip.compress(bytes(20_000)))
    with pytest.raises(VolumeFormatError, match="unpacks to more"):
        read_skeletons(place)


def test_a_skeleton_that_looks_packed_is_read(tmp_path: Path) -> None:
    count = 0x8B1F
    place = stored(tmp_path / "a", encoded(count, ()))
    assert (place / "5").read_bytes()[:2] == b"\x1f\x8b"
    assert len(read_skeletons(place).neurites[0]) == count


def test_names_and_chosen_segments(tmp_path: Path) -> None:
    write_skeletons(tmp_path / "a.precomputed", two_neurites())
    (neurite,) = read_skeletons(tmp_path / "a.precomputed", options=Reading(ids=[77])).neurites
    assert neurite.name == "dendrite"
    with pytest.raises(VolumeNotFoundError, match="skeleton 8"):
        read_skeletons(tmp_path / "a.precomputed", options=Reading(ids=[8]))
    with pytest.raises(UsageError, match="uint64"):
        read_skeletons(tmp_path / "a.precomputed", options=Reading(ids=[2**64]))
    assert is_skeleton_folder(tmp_path / "a.precomputed")
    assert not is_skeleton_folder(tmp_path)


def test_skeletons_on_a_server_are_read_by_their_ids(tmp_path: Path) -> None:
    write_skeletons(tmp_path / "a.precomputed", two_neurites())
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"precomputed://http://127.0.0.1:{server.server_port}/a.precomputed"
            (neurite,) = read_skeletons(address, options=Reading(ids=[77])).neurites
            assert rows_of(neurite) == rows_of(two_neurites().neurites[1])
            with pytest.raises(UsageError, match="--ids"):
                read_skeletons(address)
            with pytest.raises(VolumeNotFoundError, match="skeleton 8"):
                read_skeletons(address, options=Reading(ids=[8]))
        finally:
            server.shutdown()
    with pytest.raises(VolumeUnreachableError):
        read_skeletons(address, options=Reading(ids=[77]))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def test_sharded_skeletons_are_read(tmp_path: Path) -> None:
    sharding = {
        "@type": "neuroglancer_uint64_sharded_v1",
        "preshift_bits": 1,
        "hash": "murmurhash3_x86_128",
        "minishard_bits": 1,
        "shard_bits": 1,
        "minishard_index_encoding": "gzip",
        "data_encoding": "gzip",
    }
    place = stored(tmp_path / "a", b"", sharding=sharding)
    (place / "5").unlink()
    base = {"driver": "file", "path": f"{place}/"}
    store = ts.KvStore.open(
        {"driver": "neuroglancer_uint64_sharded", "base": base, "metadata": sharding}
    ).result()
    for number in (3, 2**63 + 1):
        store.write(struct.pack(">Q", number), encoded()).result()
    whole = read_skeletons(place)
    assert [n.number for n in whole.neurites] == [3, 2**63 + 1]
    assert read_skeletons(place, options=Reading(ids=[3])).nodes == 2
    with pytest.raises(VolumeNotFoundError):
        read_skeletons(place, options=Reading(ids=[4]))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_in_place_of_a_skeleton_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    place = stored(tmp_path_factory.mktemp("any") / "a", content)
    try:
        assert rows_of(read_skeletons(place).neurites[0])
    except VolumeFormatError:
        return
