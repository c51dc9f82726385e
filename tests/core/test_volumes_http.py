"""Volumes on a loopback server: reading, requests, and servers that fail or stop answering."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tensorstore as ts
import zarr
from numpy.typing import NDArray

from bcannot_core.errors import (
    BcannotError,
    VolumeFormatError,
    VolumeNotFoundError,
    VolumeUnreachableError,
)
from bcannot_core.url_queries import VARIABLE
from bcannot_core.volumes import Contrast, Region, Volume, open_volume

RAW: NDArray[Any] = np.random.default_rng(5).integers(1, 250, (20, 130, 140)).astype(np.uint8)
TOKEN = "token=sEcrEt+1"
IDS = RAW.astype(np.uint64) + 2**40


def same(volume: Volume, raw: NDArray[Any]) -> bool:
    return volume.shape == raw.shape and np.array_equal(np.asarray(volume.array), raw)


def write_precomputed(folder: Path, raw: NDArray[Any], size_nm: int, **scale: Any) -> None:
    """Write one scale with tensorstore."""
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": str(folder)},
        "multiscale_metadata": {"type": "image", "data_type": str(raw.dtype), "num_channels": 1},
        "scale_metadata": {
            "size": raw.shape[::-1],
            "resolution": [size_nm, size_nm, 33],
            "encoding": "raw",
            "chunk_size": [64, 64, 16],
            **scale,
        },
    }
    store = ts.open(spec, create=True, open=True).result()
    store[..., 0].T.write(raw).result()


def write_sharded_ids(folder: Path) -> None:
    sharding = {
        "@type": "neuroglancer_uint64_sharded_v1",
        "preshift_bits": 1,
        "minishard_bits": 2,
        "shard_bits": 1,
        "hash": "identity",
        "data_encoding": "gzip",
    }
    write_precomputed(
        folder,
        IDS,
        8,
        encoding="compressed_segmentation",
        compressed_segmentation_block_size=[8, 8, 8],
        sharding=sharding,
    )


def write_image(folder: Path) -> None:
    """Write an OME-Zarr 0.4 image of one scale with zarr-python."""
    group = zarr.open_group(str(folder), mode="w", zarr_format=2)
    group.create_array("0", data=RAW, chunks=(8, 64, 64))
    transforms = [{"type": "scale", "scale": [0.03, 0.008, 0.008]}]
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": transforms}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]


class Server(ThreadingHTTPServer):
    """A loopback server of a folder that can be told to misbehave."""

    request_queue_size = 512
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.mode = "serve"
        self.requests: list[str] = []
        self.token = ""
        self.released = threading.Event()
        super().__init__(("127.0.0.1", port), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class Handler(SimpleHTTPRequestHandler):
    # HTTP/1.0: no connection outlives its answer, so that a stopped server is really gone
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.requests.append(self.path)
        path, _, query = self.path.partition("?")
        if server.token and query != server.token:
            self.send_error(403)
        elif path.endswith(server.mode.partition("endless ")[2] or "?"):
            self.send_for_ever()
        elif server.mode == "stall":
            server.released.wait(30)
            self.close_connection = True
        elif server.mode.startswith(("serve", "endless")) and "Range" in self.headers:
            self.send_part(*map(int, self.headers["Range"].removeprefix("bytes=").split("-")))
        elif server.mode.startswith(("serve", "endless")):
            super().do_GET()
        else:
            status, body = {"html": (200, b"<html>log in</html>")}.get(
                server.mode, (int(server.mode) if server.mode.isdigit() else 500, b"no")
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def send_part(self, first: int, last: int) -> None:
        """Answer as servers of sharded volumes do; http.server itself knows no ranges."""
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        part = content[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def send_for_ever(self) -> None:
        """Answer without end, until nobody listens any more."""
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.server.released.is_set():  # type: ignore[attr-defined]
                self.wfile.write(b" " * 2**16)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    write_precomputed(tmp_path / "pre", RAW, 4)
    write_precomputed(tmp_path / "pre", RAW[:, ::2, ::2], 8)
    write_sharded_ids(tmp_path / "seg")
    write_image(tmp_path / "ome.zarr")
    zarr.save_array(str(tmp_path / "three.zarr"), RAW, zarr_format=3)
    running = Server(tmp_path)
    yield running
    running.stop()


def test_volumes_are_read_over_http(server: Server) -> None:
    assert same(open_volume(f"precomputed://{server.url}/pre", scale=0), RAW)
    assert same(open_volume(f"{server.url}/pre", scale=1), RAW[:, ::2, ::2])
    assert same(open_volume(f"{server.url}/seg/", labels=True), IDS)
    assert same(open_volume(f"zarr://{server.url}/ome.zarr"), RAW)
    assert same(open_volume(f"{server.url}/ome.zarr"), RAW)
    assert same(open_volume(f"{server.url}/three.zarr"), RAW)


def test_tracing_requests_no_chunk_twice(server: Server) -> None:
    volume = open_volume(f"{server.url}/pre", scale=0, contrast=Contrast(0, 255))
    for z in range(16):
        assert np.array_equal(volume.section_grey(z, 10, 100, 20, 110), RAW[z, 10:100, 20:110])
    chunks = [path for path in server.requests if not path.endswith(("info", ".json"))]
    data = [path for path in chunks if "_" in path.rsplit("/", 1)[-1]]
    assert len(data) == len(set(data)) == 4


def test_a_region_over_http_is_lazy(server: Server) -> None:
    volume = open_volume(f"{server.url}/pre#scale=0&box=0,16,0,64,0,64&axes=1,0,2")
    assert isinstance(volume, Region)
    server.requests.clear()
    assert np.array_equal(volume.read(3, 4, 0, 9, 0, 9)[0], RAW[:9, 3, :9])
    assert len(server.requests) == 4  # blocks are at least 128×128


@pytest.mark.parametrize("name", ["none", "pre/none"])
def test_nothing_at_an_url_is_said(server: Server, name: str) -> None:
    with pytest.raises(VolumeNotFoundError, match="no volume"):
        open_volume(f"{server.url}/{name}")
    with pytest.raises(VolumeNotFoundError, match="no info"):
        open_volume(f"precomputed://{server.url}/{name}")


@pytest.mark.parametrize(
    ("mode", "error", "message"),
    [
        ("503", VolumeUnreachableError, "cannot be reached"),
        ("500", VolumeUnreachableError, "cannot be reached"),
        ("429", VolumeUnreachableError, "cannot be reached"),
        ("501", VolumeFormatError, "cannot be read"),
        ("403", VolumeUnreachableError, "not public"),
        ("401", VolumeUnreachableError, "not public"),
        ("html", VolumeFormatError, "not valid JSON"),
        ("stall", VolumeUnreachableError, "did not answer in time"),
    ],
)
def test_a_misbehaving_server_is_named(
    server: Server, mode: str, error: type[BcannotError], message: str
) -> None:
    server.mode = mode
    with pytest.raises(error, match=message) as caught:
        open_volume(f"{server.url}/pre", timeout_s=0.5 if mode == "stall" else 20)
    assert "127.0.0.1" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["503", "stall"])
def test_a_server_that_fails_later_is_reported_and_can_come_back(server: Server, mode: str) -> None:
    volume = open_volume(f"{server.url}/pre", scale=0, contrast=Contrast(0, 255), timeout_s=1)
    first = volume.section_grey(0, 0, 60, 0, 60)
    server.mode = mode
    with pytest.raises(VolumeUnreachableError, match="scale 0"):
        volume.section_grey(18, 0, 60, 0, 60)
    with pytest.raises(VolumeUnreachableError, match="scale 0"):
        np.asarray(volume.array[18])
    assert np.array_equal(volume.section_grey(0, 0, 60, 0, 60), first)  # what was read stays
    server.mode = "serve"
    server.released.set()
    for _ in range(20):  # a read may still join a request that is about to fail
        with contextlib.suppress(VolumeUnreachableError):
            section = volume.section_grey(18, 0, 60, 0, 60)
            break
    assert np.array_equal(section, RAW[18, :60, :60])


def test_a_dead_server_is_reported_and_can_come_back(server: Server, tmp_path: Path) -> None:
    volume = open_volume(f"{server.url}/pre", scale=0, contrast=Contrast(0, 255))
    server.stop()
    with pytest.raises(VolumeUnreachableError, match="cannot be reached"):
        volume.section_grey(0, 0, 60, 0, 60)
    with pytest.raises(VolumeUnreachableError, match="cannot be reached"):
        open_volume(f"{server.url}/pre")
    again = Server(tmp_path, server.server_port)
    try:
        assert np.array_equal(volume.section_grey(0, 0, 60, 0, 60), RAW[0, :60, :60])
    finally:
        again.stop()


@pytest.fixture
def guarded(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that answers those alone who know a token."""
    monkeypatch.setenv(VARIABLE, "{}")
    server.token = f"{TOKEN}&x=%2F1"
    return server


@pytest.mark.parametrize(
    ("address", "raw"),
    [
        ("precomputed://{url}/pre?{query}#scale=0", RAW),
        ("{url}/pre/?{query}#scale=1", RAW[:, ::2, ::2]),
        ("{url}/seg?{query}", IDS),
        ("zarr://{url}/ome.zarr?{query}", RAW),
        ("{url}/ome.zarr?{query}", RAW),
        ("{url}/ome.zarr::0?{query}", RAW),
        ("{url}/ome.zarr?{query}::0", RAW),
        ("{url}/three.zarr?{query}", RAW),
    ],
)
def test_a_token_is_sent_with_every_request_and_kept_in_no_address(
    guarded: Server, address: str, raw: NDArray[Any]
) -> None:
    given = address.format(url=guarded.url, query=guarded.token)
    volume = open_volume(given, labels="seg" in address)
    assert same(volume, raw)
    assert all(path.endswith(f"?{guarded.token}") for path in guarded.requests)
    assert "?" not in volume.address and TOKEN not in repr(volume)
    assert same(open_volume(volume.address, labels="seg" in address), raw)


def test_other_processes_know_the_token(guarded: Server) -> None:
    volume = open_volume(f"{guarded.url}/pre?{guarded.token}#scale=0")
    code = "import sys; from bcannot_core.volumes import open_volume; open_volume(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, volume.address], check=True, timeout=60)


@pytest.mark.parametrize("mode", ["serve", "503", "404", "501", "html"])
def test_no_error_shows_a_token(guarded: Server, mode: str, cli: Any) -> None:
    guarded.mode = mode
    if mode == "serve":
        guarded.token = "another"
    for name in ("pre", "pre#box=1", "ome.zarr", "em.tif", "pre#scale=9", "none"):
        path, mark, options = name.partition("#")
        address = f"{guarded.url}/{path}?{TOKEN}&x=%2F1{mark}{options}"
        with pytest.raises(BcannotError) as caught:
            open_volume(address)
        assert TOKEN not in str(caught.value)
        for argv in (("volumes", address), ("convert", address, "x.swc"), ("eval", "default")):
            asked = (*argv, "--volume", address) if argv[0] == "eval" else argv
            code, out, err = cli(*asked)
            assert code and TOKEN not in out + err


def test_a_token_goes_to_no_other_place(guarded: Server) -> None:
    open_volume(f"{guarded.url}/pre?{guarded.token}")
    guarded.requests.clear()
    for other in ("ome.zarr", "pre2", ""):
        with pytest.raises(VolumeUnreachableError, match="not public"):
            open_volume(f"{guarded.url}/{other}")
    assert not [path for path in guarded.requests if TOKEN in path]


@pytest.mark.parametrize("name", ["info", ".zarray", ".zattrs", "zarr.json"])
def test_metadata_without_end_are_refused(server: Server, name: str) -> None:
    server.mode = f"endless {name}"
    begun = psutil.Process().memory_info().rss
    with pytest.raises(VolumeFormatError, match=f"{name} .*too large for metadata"):
        open_volume(f"{server.url}/pre")
    assert psutil.Process().memory_info().rss - begun < 200 * 2**20


def test_a_file_on_a_server_is_not_downloaded(server: Server) -> None:
    with pytest.raises(VolumeFormatError, match="download it"):
        open_volume(f"{server.url}/a.tif")
    assert not server.requests
