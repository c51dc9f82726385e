"""Fixtures of the core's tests."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bcannot_core.cli import main
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing

CommandLine = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Run a command line in this process: exit code, stdout, stderr."""

    def call(*argv: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in argv])
        said = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, said.out, said.err

    return call


def labelled_arrays(
    shape: tuple[int, int, int] = (24, 96, 96), seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Four straight neurites with dark borders, as grey values and labels."""
    depth, height, width = shape
    section = np.ones((height, width), np.uint32)
    section[: height // 2, width // 2 :] = 2
    section[height // 2 :, : width // 2] = 3
    section[height // 2 :, width // 2 :] = 4
    seg = np.repeat(section[None], depth, 0)
    noise = np.random.default_rng(seed).integers(0, 20, shape, dtype=np.uint8)
    em = np.uint8(150) + noise
    em[:, height // 2 - 2 : height // 2 + 2] = 40
    em[:, :, width // 2 - 2 : width // 2 + 2] = 40
    return em, seg


@pytest.fixture(scope="session")
def labelled_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small volume file with ``em``, ``seg`` and ``voxel_nm``."""
    path = tmp_path_factory.mktemp("volume") / "labelled.npz"
    em, seg = labelled_arrays()
    np.savez(path, em=em, seg=seg, voxel_nm=np.array([30.0, 10.0, 10.0]))
    return path


@pytest.fixture(scope="session")
def random_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an untrained policy, the smallest that fits the screen."""
    import torch

    from bcannot_core.policy.config import GlanceConfig, PolicyConfig
    from bcannot_core.policy.glance_policy import GlancePolicy
    from bcannot_core.policy.network import PolicyNet

    torch.manual_seed(0)
    glance = GlanceConfig(size=64, channels=(8, 16, 16))
    config = PolicyConfig(width=32, layers=1, heads=2, glance=glance)
    folder = tmp_path_factory.mktemp("policies") / "untrained"
    GlancePolicy(PolicyNet(config), device="cpu").save(folder, card="# untrained\n")
    return folder


class CentrePolicy:
    """Places the canvas's centre in every section and presses Done after the last one."""

    name = "centre"
    device = "cpu"
    confidence = 0.5

    def __init__(self, sections: int) -> None:
        layout = build_layout(NeuronTracing.buttons, get_variant("original"))
        canvas = layout.canvas
        place = (canvas.x + canvas.w // 2, canvas.y + canvas.h // 2)
        clicks = [place, layout.buttons["next_section"].centre] * sections
        self._clicks = [*clicks[:-1], layout.buttons["done"].centre]
        self.reset()

    def reset(self) -> None:
        self._step = 0

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        assert frame.shape == (436, 426, 3)
        self._step += 1
        return self._clicks[min(self._step, len(self._clicks)) - 1]

    def observe(self, frame: np.ndarray, click: tuple[int, int]) -> None:
        self._step += 1


@pytest.fixture
def centre_policy(monkeypatch: pytest.MonkeyPatch, random_policy: Path) -> Path:
    """A policy folder; loading it gives a policy that clicks through ten sections."""
    monkeypatch.setattr(
        "bcannot_core.policy.policy.Policy.load", lambda *_args, **_options: CentrePolicy(10)
    )
    return random_policy


@pytest.fixture
def full_disk() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Return what lets no file grow beyond 64 KiB, as on a disk that is nearly full."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def limited() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


@pytest.fixture(autouse=True)
def one_thread():
    """Keep torch at one thread: sums over several differ in their last bits."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
