"""Memory of tracing in a volume much larger than the machine: 128 GB, made up as it is read."""

import subprocess
import sys
from pathlib import Path

import pytest

import bcannot_core

LIMIT_BYTES = 1.5e9
SHIPPED = Path(bcannot_core.__file__).parent / "data" / "policies" / "default"

PROGRAM = """
import sys
from pathlib import Path

import numpy as np
import torch

torch.set_num_threads(1)

import bcannot_core as bc
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.volumes import Volume


class Endless:
    shape, dtype, chunks = (2000, 8000, 8000), np.dtype(np.uint8), (64, 512, 512)
    bytes_read = 0

    def __getitem__(self, key):
        sides = [np.arange(part.start, part.stop, dtype=np.int32) % 251 for part in key]
        z, y, x = (side.astype(np.uint8) for side in np.ix_(*sides))
        block = z * np.uint8(7) + y * np.uint8(13) + (y ^ x)
        type(self).bytes_read += block.nbytes
        return block


class Guided:
    # The policy looks at every frame; the clicks lead far through the volume.
    def __init__(self, policy):
        layout = build_layout(NeuronTracing.buttons, get_variant("original"))
        canvas, go = layout.canvas, layout.buttons["next_section"].centre
        place = (canvas.x + 128, canvas.y + 128)
        pan = (canvas.x + 250, canvas.y + 250)
        done = layout.buttons["done"].centre
        self.policy, self.clicks = policy, [*([place, pan, go] * 50)[:-1], done]

    confidence = property(lambda self: self.policy.confidence)

    def reset(self):
        self.policy.reset()
        self.rest = iter(self.clicks)

    def act(self, frame):
        self.policy.propose(frame)
        click = next(self.rest)
        self.policy.observe(frame, click)
        return click


volume = Volume.from_array(Endless(), voxel_nm=(30, 10, 10), address="endless")
assert np.prod(volume.shape, dtype=float) > 100e9
policy = bc.Policy.load(sys.argv[1], device="cpu")
alone = bc.trace(volume, (1000, 4000, 4000), policy, sections=30)
guided = bc.trace(volume, (40, 1000, 1000), Guided(policy), sections=50)
status = Path("/proc/self/status").read_text()  # ru_maxrss would count the parent, too
peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
print(alone.clicks, guided.clicks, len(guided), Endless.bytes_read, peak)
"""


def measure(policy: Path) -> list[int]:
    """Trace in another process; clicks alone and guided, nodes, bytes read, peak memory."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(policy)], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [int(word) for word in done.stdout.split()]


def check(policy: Path) -> None:
    alone, guided, nodes, read, peak = measure(policy)
    assert alone > 0
    assert (guided, nodes) == (150, 50)
    assert read > 400e6  # more than is ever kept
    assert peak < LIMIT_BYTES


@pytest.mark.slow
def test_an_untrained_policy_traces_in_a_volume_of_128_gb(random_policy: Path) -> None:
    check(random_policy)


@pytest.mark.slow
@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no policy is shipped in this checkout")
def test_the_shipped_policy_traces_in_a_volume_of_128_gb() -> None:
    check(SHIPPED)
