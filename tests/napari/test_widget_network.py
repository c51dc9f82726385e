"""Tracing in a volume on a server that goes away and comes back (loopback only)."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing

pytestmark = pytest.mark.gui

SECTIONS, STOPS_AT = 60, 4
"""Many more sections than are fetched ahead."""

LAYOUT = build_layout(NeuronTracing.buttons, get_variant("original"))
DONE, FORTH = (LAYOUT.buttons[name].centre for name in ("done", "next_section"))


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
    tube = make_tube(shape=(SECTIONS, 160, 160), first_yx=(80, 70), step_yx=(1, 1))
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": str(tmp_path / "v")},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": {
            "size": [160, 160, SECTIONS],
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
    class Stopping(type(pixel_policy)):
        """Stops the server in the middle; goes on to the last section, however short the bar."""

        def _click(self, frame):
            click = super()._click(frame)
            if self.desk.snapshot.section == STOPS_AT and not self.stopped:
                self.stopped = True
                server.stop()
            return FORTH if click == DONE and self.desk.snapshot.section < SECTIONS else click

    tube, server = served_tube
    policy = Stopping()
    policy.stopped = False
    desk = make_desk(policy=policy, sections=SECTIONS)
    desk.viewer.layers.clear()
    address = f"precomputed://http://127.0.0.1:{server.port}/v#contrast=0,255"
    (desk.layer,) = desk.viewer.open(address, plugin="napari-bcannot")
    desk.tube = tube
    desk.widget.begin((0, *tube.at(0)))
    policy.desk = desk
    desk.press("start")
    desk.until_phase("failed", "finished")
    assert desk.snapshot.phase == "failed"
    assert desk.shown[-1][0] == "warning"
    assert "\n" not in desk.shown[-1][1]
    kept = desk.snapshot.nodes
    assert kept == {z: tube.at(z) for z in range(len(kept))}
    assert STOPS_AT <= len(kept) < SECTIONS
    server.start()
    desk.press("start")
    desk.until_phase("failed", "finished")
    assert desk.snapshot.phase == "finished"
    assert desk.snapshot.nodes == tube.path
