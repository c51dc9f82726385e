"""Serves a precomputed volume of a terabyte on loopback; chunks are made when they are asked for.

Most of it is noise, some of it is missing, and bright neurites run through it at places that
`neurite_yx` tells. Run it as a program, ``python benchmarks/sparse_server.py PORT [DELAY_MS
[DEPTH]]``: it prints the port that it listens on. Port 0 takes any; DEPTH is how many sections a
chunk has, a multiple of 8.
"""

import json
import re
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from numpy.typing import NDArray

SHAPE = (4096, 16384, 16384)
VOXEL_NM = (30.0, 4.0, 4.0)
FACTORS = ((1, 1, 1), (1, 2, 2), (1, 4, 4), (1, 8, 8), (2, 16, 16), (4, 32, 32))
CHUNK = 64
DEPTH = int(sys.argv[3]) if __name__ == "__main__" and len(sys.argv) > 3 else CHUNK
PITCH, RADIUS = 2048, 40
"""Neurites run along z, one every so many voxels, and measure so many voxels across."""
_CHUNK_PATH = re.compile(r"/(em|seg)/(\d)/(\d+)-(\d+)_(\d+)-(\d+)_(\d+)-(\d+)")
_NOISE = np.random.default_rng(0).integers(30, 110, (8, CHUNK, CHUNK, CHUNK)).astype(np.uint8)


def neurite_yx(z: int, row: int = 3, column: int = 3) -> tuple[float, float]:
    """Return the centre of a neurite in a section, in voxels of the finest level."""
    y = (row + 0.5) * PITCH + 120 * np.sin(z / 90)
    x = (column + 0.5) * PITCH + 120 * np.cos(z / 70)
    return float(y), float(x)


def level_shape(level: int) -> tuple[int, int, int]:
    """Return the (z, y, x) shape of a level."""
    z, y, x = (size // f for size, f in zip(SHAPE, FACTORS[level], strict=True))
    return z, y, x


def info(kind: str) -> bytes:
    """Return the info file of the image (``em``) or the segmentation (``seg``)."""
    image = kind == "em"
    encoding: dict[str, str | list[int]] = {"encoding": "raw"}
    if not image:
        encoding = {
            "encoding": "compressed_segmentation",
            "compressed_segmentation_block_size": [8, 8, 8],
        }  # fmt: skip
    scales = []
    for level, factors in enumerate(FACTORS):
        resolution = [v * f for v, f in zip(VOXEL_NM, factors, strict=True)][::-1]
        scales.append({
            "key": str(level), "size": level_shape(level)[::-1], "resolution": resolution,
            "voxel_offset": [0, 0, 0], "chunk_sizes": [[CHUNK, CHUNK, DEPTH]], **encoding,
        })  # fmt: skip
    return json.dumps({
        "@type": "neuroglancer_multiscale_volume", "type": "image" if image else "segmentation",
        "data_type": "uint8" if image else "uint64", "num_channels": 1, "scales": scales,
    }).encode()  # fmt: skip


def is_missing(z: int, y: int, x: int, factors: tuple[int, int, int]) -> bool:
    """Whether a chunk is not stored: some regions are, as in real volumes, empty."""
    region = (
        z * CHUNK * factors[0] // 512,
        y * CHUNK * factors[1] // 4096,
        x * CHUNK * factors[2] // 4096,
    )
    return (region[0] * 7 + region[1] * 3 + region[2] * 5) % 11 == 0


def inside(level: int, z0: int, y0: int, x0: int) -> tuple[NDArray[np.bool_] | None, int]:
    """Return which voxels of a chunk belong to a neurite, None where none does, and its id."""
    factors = FACTORS[level]
    ys = (y0 + np.arange(CHUNK) + 0.5) * factors[1]
    xs = (x0 + np.arange(CHUNK) + 0.5) * factors[2]
    row, column = int(ys.mean() // PITCH), int(xs.mean() // PITCH)
    away = max(abs(ys.mean() - (row + 0.5) * PITCH), abs(xs.mean() - (column + 0.5) * PITCH))
    if away > RADIUS + 120 + CHUNK * factors[1]:
        return None, 0
    mask = np.zeros((DEPTH, CHUNK, CHUNK), bool)
    for z in range(DEPTH):
        y, x = neurite_yx((z0 + z) * factors[0], row, column)
        mask[z] = (ys[:, None] - y) ** 2 + (xs[None] - x) ** 2 <= RADIUS**2
    return mask, row * 100 + column + 2**40


def em_chunk(level: int, z0: int, y0: int, x0: int) -> bytes:
    """Return a chunk of the image, raw, by where it begins."""
    noise = _NOISE[(z0 * 5 + y0 * 3 + x0) // CHUNK % 8][:DEPTH]
    mask, _ = inside(level, z0, y0, x0)
    return (noise if mask is None else np.where(mask, np.uint8(255), noise)).tobytes()


def seg_chunk(level: int, z0: int, y0: int, x0: int) -> bytes:
    """Return a chunk of the ids as a compressed segmentation: a bit a voxel, or none."""
    mask, number = inside(level, z0, y0, x0)
    side, deep = CHUNK // 8, DEPTH // 8
    headers, bits = np.zeros((deep * side**2, 2), "<u4"), np.zeros(0, "<u4")
    if mask is not None:
        blocks = mask.reshape(deep, 8, side, 8, side, 8).transpose(0, 2, 4, 1, 3, 5)
        bits = np.packbits(blocks.reshape(-1), bitorder="little").view("<u4")
        headers[:, 0] = 1 << 24
        headers[:, 1] = headers.size + np.arange(len(headers)) * 16
    headers[:, 0] += headers.size + bits.size
    table = np.array([0, number], "<u8")
    return np.array([1], "<u4").tobytes() + headers.tobytes() + bits.tobytes() + table.tobytes()


class Handler(BaseHTTPRequestHandler):
    """Answers for the info files and the chunks."""

    protocol_version = "HTTP/1.1"
    delay_s = 0.0

    def do_GET(self) -> None:
        """Answer one request."""
        time.sleep(self.delay_s)
        found = _CHUNK_PATH.fullmatch(self.path)
        if self.path in ("/em/info", "/seg/info"):
            self._send(200, info(self.path[1:-5]))
        elif found is None:
            self._send(404, b"")
        else:
            kind, level, x0, _, y0, _, z0, _ = found.groups()
            at = (int(z0), int(y0), int(x0))
            index = (at[0] // CHUNK, at[1] // CHUNK, at[2] // CHUNK)
            if is_missing(*index, FACTORS[int(level)]):
                self._send(404, b"")
            else:
                self._send(200, (em_chunk if kind == "em" else seg_chunk)(int(level), *at))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Many connections at once."""

    request_queue_size = 512
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that have gone."""

    server_bind = socketserver.TCPServer.server_bind  # without asking a name server


def main() -> None:
    """Serve until killed."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    Handler.delay_s = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.0
    with Server(("127.0.0.1", port), Handler) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
