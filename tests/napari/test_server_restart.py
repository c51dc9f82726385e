"""A trace in a volume of a terabyte whose server is killed and started again, five times."""

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing

pytestmark = [pytest.mark.gui, pytest.mark.slow]

SERVER = Path(__file__).parents[2] / "benchmarks" / "sparse_server.py"
FIRST, SECTIONS, KILLS, MISSED = 2000, 60, 5, 3


def load_server():
    spec = importlib.util.spec_from_file_location("sparse_server", SERVER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Process:
    """A server in a process of its own; it comes back on the port that it had."""

    def __init__(self):
        self.port = 0
        self.start()

    def start(self):
        command = [sys.executable, str(SERVER), str(self.port), "0", "8"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def kill(self):
        """End it at once, as by ``kill -9``."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def patient(policy):
    """Return a policy of the same kind that is done in the last section and not before."""
    layout = build_layout(NeuronTracing.buttons, get_variant("original"))
    done, forth = (layout.buttons[name].centre for name in ("done", "next_section"))

    class Patient(type(policy)):
        def _click(self, frame):
            click = super()._click(frame)
            return forth if click == done and self.desk.snapshot.section < SECTIONS else click

    return Patient()


@pytest.fixture
def server():
    made = Process()
    yield made
    made.kill()


def test_no_node_is_lost_or_doubled_when_the_server_is_killed(
    make_desk, pixel_policy, server, monkeypatch
):
    monkeypatch.setattr("napari_bcannot.geometry.READ_TIMEOUT_S", 60.0)  # this machine may be busy
    neurite_yx = load_server().neurite_yx
    policy = patient(pixel_policy)
    policy.desk = desk = make_desk(policy=policy, sections=SECTIONS)
    desk.viewer.layers.clear()
    address = f"precomputed://http://127.0.0.1:{server.port}/em#contrast=0,255"
    (desk.layer,) = desk.viewer.open(address, plugin="napari-bcannot")
    desk.widget.begin((FIRST, *neurite_yx(FIRST)))
    moments = sorted(random.Random(5).sample(range(2, SECTIONS - 10), KILLS))
    failures, before = [], {}

    def kill_at_a_moment(snapshot):
        if moments and snapshot.section >= moments[0] and snapshot.running:
            moments.pop(0)
            server.kill()

    desk.widget.controller.changed.connect(kill_at_a_moment)
    while desk.snapshot.phase != "finished":
        desk.press("start")
        desk.until(lambda: desk.snapshot.phase not in ("running",), timeout=300_000)
        if desk.snapshot.phase == "failed":
            failures.append(desk.shown[-1])
            before = dict(desk.snapshot.nodes)
            if server.process.poll() is not None:
                server.start()
        else:
            assert desk.snapshot.phase == "finished", desk.snapshot.text
        desk.settle()
        assert {z: desk.snapshot.nodes[z] for z in before} == before
    # what is fetched already is traced on: a server may be back before it is missed
    assert len(failures) >= MISSED, "the server was not missed"
    assert all(kind == "warning" and "cannot be reached" in text for kind, text in failures)
    nodes = desk.snapshot.nodes
    assert sorted(nodes) == list(range(FIRST, FIRST + SECTIONS))
    places = [action for _, action in desk.actions if action == "place"]
    assert len(places) == SECTIONS, "a node was placed twice"
    for z, node in nodes.items():
        centre = (np.asarray(neurite_yx(z)) + 0.5) / 2 - 0.5  # traced where voxels measure 8 nm
        assert np.linalg.norm(np.asarray(node) - centre) < 5
