"""Tracing in a volume on a server that goes away and comes back (loopback only)."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytestmark = pytest.mark.gui


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Server:
    """Serves a folder; ``stop`` and ``start`` keep the port."""

    def __init__(self, folder):
        self.folder, self.port = folder, 0
        self.start()

    def start(self):
        handler = functools.partial(Quiet, directory=str(self.folder))
        self.http = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.port = self.http.server_port
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def served_tube(tmp_path, make_tube):
    ts = pytest.importorskip("tensorstore")
    tube = make_tube(shape=(8, 160, 160), first_yx=(80, 70))
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": str(tmp_path / "v")},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": {
            "size": [160, 160, 8],
            "resolution": [10, 10, 30],
            "encoding": "raw",
            "chunk_size": [64, 64, 1],
        },
        "create": True,
    }
    ts.open(spec).result()[..., 0] = tube.array().T
    server = Server(tmp_path)
    yield tube, server
    server.stop()


def test_a_trace_survives_its_server_and_goes_on_when_it_is_back(
    make_desk, served_tube, pixel_policy
):
    tube, server = served_tube
    desk = make_desk(policy=pixel_policy)
    desk.viewer.layers.clear()
    address = f"precomputed://http://127.0.0.1:{server.port}/v#contrast=0,255"
    (desk.layer,) = desk.viewer.open(address, plugin="napari-bcannot")
    desk.tube = tube
    desk.widget.begin((0, *tube.at(0)))
    seen = []

    def stop_in_the_middle():
        if desk.snapshot.section >= 4 and not seen:
            seen.append(desk.snapshot.section)
            server.stop()

    desk.widget.controller.changed.connect(lambda snapshot: stop_in_the_middle())
    desk.press("start")
    desk.until_phase("failed", "finished")
    assert desk.snapshot.phase == "failed"
    assert desk.shown[-1][0] == "warning"
    assert "\n" not in desk.shown[-1][1]
    kept = desk.snapshot.nodes
    assert kept == {z: tube.at(z) for z in range(len(kept))}
    assert 3 <= len(kept) < 8
    server.start()
    desk.press("start")
    desk.until_phase("failed", "finished")
    assert desk.snapshot.phase == "finished"
    assert desk.snapshot.nodes == tube.path
