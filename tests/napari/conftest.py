"""Volumes with a bright neurite, a policy that finds it in the pixels, and a widget in a viewer."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig
from bcannot_core.volumes import Contrast, Volume
from napari_bcannot.controller import TraceController
from napari_bcannot.tracing import TraceSession

RING = (255, 210, 0)
LAYOUT = build_layout(NeuronTracing.buttons, get_variant("original"))


@dataclass
class Tube:
    """A dark volume with one bright neurite: its centre in section z is ``at(z)``."""

    shape: tuple[int, int, int] = (12, 200, 220)
    step_yx: tuple[int, int] = (2, 3)
    voxel_nm: tuple[float, float, float] = (30.0, 10.0, 10.0)
    first_yx: tuple[int, int] = (90, 80)

    def at(self, z: int) -> tuple[int, int]:
        return self.first_yx[0] + self.step_yx[0] * z, self.first_yx[1] + self.step_yx[1] * z

    @property
    def path(self) -> dict[int, tuple[float, float]]:
        return {z: self.at(z) for z in range(self.shape[0])}

    def array(self) -> np.ndarray:
        rng = np.random.default_rng(0)
        em = rng.integers(30, 90, self.shape, dtype=np.uint8)
        rows, columns = np.mgrid[: self.shape[1], : self.shape[2]]
        for z in range(self.shape[0]):
            y, x = self.at(z)
            em[z][(rows - y) ** 2 + (columns - x) ** 2 <= 16] = 255
        return em

    def volume(self, **options: Any) -> Volume:
        options = {"voxel_nm": self.voxel_nm, "contrast": Contrast(0.0, 255.0)} | options
        return Volume.from_array(self.array(), address="tube", **options)


@dataclass
class Choice:
    click_xy: tuple[int, int]
    confidence: float


@dataclass
class PixelPolicy:
    """Clicks the bright blob, then +z, and Done in the last section; it sees nothing but frames."""

    confidence: float = 0.75
    log: list[tuple[str, Any]] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)

    def reset(self) -> None:
        self.log.append(("reset", None))

    def observe(self, frame: np.ndarray, click: tuple[int, int], *, trusted: bool) -> None:
        self.log.append(("trust" if trusted else "observe", click))
        self.frames.append(frame.copy())

    def propose(self, frame: np.ndarray) -> Choice:
        click = self._click(frame)
        self.log.append(("propose", click))
        return Choice(click, self.confidence)

    def heatmap(self) -> np.ndarray:
        x, y = next(click for what, click in reversed(self.log) if what == "propose")
        heat = np.zeros(LAYOUT.size_wh[::-1], dtype=np.float32)
        heat[y, x] = 1.0
        return heat

    def _click(self, frame: np.ndarray) -> tuple[int, int]:
        canvas = frame[LAYOUT.canvas.slices].astype(int)
        ys, xs = np.nonzero(canvas.min(axis=-1) > 200)
        y, x = round(ys.mean()), round(xs.mean())
        ring_y, ring_x = np.nonzero((canvas == RING).all(axis=-1))
        placed = len(ring_y) and abs(ring_y.mean() - y) <= 2 and abs(ring_x.mean() - x) <= 2
        if not placed:
            return LAYOUT.canvas.x + x, LAYOUT.canvas.y + y
        bar = frame[LAYOUT.progress.slices]
        middle = bar[bar.shape[0] // 2]
        full = (middle[-3] == middle[2]).all()
        return LAYOUT.buttons["done" if full else "next_section"].centre


@pytest.fixture
def make_tube() -> type[Tube]:
    return Tube


@pytest.fixture
def pixel_policy() -> PixelPolicy:
    return PixelPolicy()


@pytest.fixture
def make_trace() -> Any:
    """Return a factory of tracing sessions on a tube."""

    def make(tube: Tube | None = None, start: Any = None, **config: Any) -> TraceSession:
        tube = tube or Tube()
        return TraceSession(tube.volume(), start or (0, *tube.at(0)), TracingConfig(**config))

    return make


@pytest.fixture
def make_controller(make_trace: Any) -> Any:
    """Return a factory of controllers with a session, and what they warn of in ``warnings``."""

    def make(**options: Any) -> TraceController:
        controller = TraceController()
        controller.warnings = []
        controller.warned.connect(controller.warnings.append)
        controller.begin(make_trace(**options))
        return controller

    return make
