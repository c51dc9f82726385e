"""Volumes with a bright neurite, a policy that finds it in the pixels, and a widget in a viewer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
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


@pytest.fixture(autouse=True)
def settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """Where settings are kept: never those of whoever runs the tests."""
    from napari_bcannot import settings

    path = tmp_path / "settings" / "napari.json"
    monkeypatch.setattr(settings, "settings_path", lambda: path)
    return path


@dataclass
class PixelTracer(PixelPolicy):
    """The same for a tracer without a person."""

    name: str = "pixels"

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        return self.propose(frame).click_xy


@pytest.fixture
def make_tracer() -> type[PixelTracer]:
    return PixelTracer


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


class Desk:
    """A viewer with a tube, the docked widget, and a person's mouse and keys."""

    def __init__(self, viewer: Any, widget: Any, layer: Any, tube: Tube, qtbot: Any) -> None:
        self.viewer, self.widget, self.layer, self.tube = viewer, widget, layer, tube
        self.qtbot = qtbot
        self.shown: list[tuple[str, str]] = []

    @property
    def snapshot(self) -> Any:
        return self.widget.controller.snapshot()

    @property
    def points(self) -> Any:
        return self.widget.binding.points

    @property
    def actions(self) -> list[tuple[str, str]]:
        return [(t.actor, t.action) for t in self.widget.controller.trace.session.clicks]

    def settle(self) -> None:
        """Let Qt deliver what is queued."""
        from qtpy.QtWidgets import QApplication

        for _ in range(3):
            QApplication.processEvents()

    def until(self, condition: Any, timeout: int = 120_000) -> None:
        self.qtbot.waitUntil(condition, timeout=timeout)

    def until_phase(self, *phases: str) -> None:
        self.until(lambda: self.snapshot.phase in phases)
        self.settle()

    def world(self, zyx: Any) -> tuple[float, ...]:
        return tuple(self.layer.data_to_world(zyx))

    def click(self, yx: Any, z: int | None = None) -> None:
        """Press and release the left mouse button on a point of the section in view."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        from napari_bcannot.compat import canvas_widget, canvas_xy

        z = round(self.viewer.dims.point[0] / self.layer.scale[0]) if z is None else z
        x, y = canvas_xy(self.viewer, self.world((z, *yx)))
        at = QPoint(round(x), round(y))
        QTest.mouseClick(canvas_widget(self.viewer), Qt.LeftButton, Qt.NoModifier, at)
        self.settle()

    def drag(self, from_yx: Any, to_yx: Any, before_release: Any = lambda: None) -> None:
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QApplication

        from napari_bcannot.compat import canvas_widget, canvas_xy

        canvas = canvas_widget(self.viewer)
        z = round(self.viewer.dims.point[0] / self.layer.scale[0])
        start, end = (
            QPointF(*canvas_xy(self.viewer, self.world((z, *yx)))) for yx in (from_yx, to_yx)
        )

        def send(kind: Any, at: QPointF, button: Any, buttons: Any) -> None:
            where = QPointF(canvas.mapToGlobal(at.toPoint()))
            QApplication.sendEvent(
                canvas, QMouseEvent(kind, at, where, button, buttons, Qt.NoModifier)
            )
            QTest.qWait(20)  # vispy drops moves that follow within 10 ms

        left, none = Qt.LeftButton, Qt.NoButton
        send(QEvent.MouseButtonPress, start, left, left)
        for part in (0.3, 0.7, 1.0):
            send(QEvent.MouseMove, start + (end - start) * part, none, left)
        before_release()
        send(QEvent.MouseButtonRelease, end, left, none)
        self.settle()

    def key(self, key: str, modifiers: str = "") -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        from napari_bcannot.compat import canvas_widget

        held = Qt.NoModifier
        for name in modifiers.split():
            held |= getattr(Qt, f"{name}Modifier")
        QTest.keyClick(canvas_widget(self.viewer), getattr(Qt, f"Key_{key}"), held)
        self.settle()

    def press(self, name: str) -> None:
        """Click a button of the widget with the mouse."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        button = getattr(self.widget.view, name)
        assert button.isEnabled(), f"{name} is greyed out"
        QTest.mouseClick(button, Qt.LeftButton)
        self.settle()

    def pick(self, z: int = 0) -> None:
        """Pick the tube in section z as the start point, with the mouse."""
        self.viewer.dims.set_point(0, self.world((z, 0, 0))[0])
        self.settle()
        self.press("pick")
        self.click(self.tube.at(z), z)

    def check_layers(self) -> None:
        """See that the layers show what the session holds."""
        rows = [(z, *yx) for z, yx in sorted(self.snapshot.nodes.items())]
        assert np.allclose(self.points.data, np.reshape(rows, (-1, 3)))
        assert len(self.widget.binding.edges.data) == max(0, len(rows) - 1)


@pytest.fixture
def notices(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return what the person is told, as (kind, text), in place of napari's notifications."""
    from napari_bcannot import notices as module

    told: list[tuple[str, str]] = []
    for kind in ("error", "warning", "info"):
        monkeypatch.setattr(
            module, f"show_{kind}", lambda text, kind=kind: told.append((kind, text))
        )
    return told


@pytest.fixture
def make_desk(
    make_napari_viewer: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    notices: list[tuple[str, str]],
) -> Any:
    """Return a factory of viewers with a docked *Trace neuron* widget and a bright tube."""
    from napari_bcannot.widgets import record_control, trace_neuron

    monkeypatch.setattr(trace_neuron, "own_policies", list)
    monkeypatch.setattr(record_control, "default_folder", lambda: tmp_path / "journals")

    def make(
        tube: Tube | None = None, policy: Any = None, show: bool = False, sections: int = 50
    ) -> Desk:
        tube = tube or Tube()
        viewer = make_napari_viewer(show=show)
        layer = viewer.add_image(
            tube.volume().array,
            scale=tube.voxel_nm,
            units=("nm",) * 3,
            name="em",
            contrast_limits=(0, 255),
            metadata={"bcannot_volume": tube.volume()},
        )
        widget = trace_neuron.TraceNeuronWidget(viewer, lambda name: policy or PixelPolicy())
        viewer.window.add_dock_widget(widget, name="Trace neuron", area="right")
        widget.view.sections.setValue(sections)
        desk = Desk(viewer, widget, layer, tube, qtbot)
        desk.shown = notices
        desk.settle()
        return desk

    return make


class Table:
    """A viewer with the docked widget, and a person's mouse and keys."""

    def __init__(self, viewer: Any, widget: Any, qtbot: Any) -> None:
        self.viewer, self.widget, self.view, self.qtbot = viewer, widget, widget.view, qtbot
        self.shown = []

    @property
    def player(self) -> Any:
        return self.widget.controller.player

    @property
    def snapshot(self) -> Any:
        return self.widget.controller.snapshot()

    @property
    def actions(self) -> list[tuple[str, str]]:
        return [(c.actor, c.action) for c in self.player.session.clicks]

    def settle(self) -> None:
        from qtpy.QtWidgets import QApplication

        for _ in range(3):
            QApplication.processEvents()

    def until(self, condition: Any) -> None:
        self.qtbot.waitUntil(condition, timeout=30_000)
        self.settle()

    def click(self, frame_xy: tuple[int, int]) -> None:
        """Press and release the left mouse button on a frame pixel of the screen."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        canvas = self.view.canvas
        at = QPoint(*(int(c) for c in canvas.fit.to_widget(*frame_xy)))
        QTest.mouseClick(canvas, Qt.LeftButton, Qt.NoModifier, at)
        self.settle()

    def click_canvas(self, x: int, y: int) -> None:
        self.click(self.player.session.click_for((x, y)))

    def click_button(self, button: str) -> None:
        self.click(self.player.session.click_for(button))

    def press(self, name: str) -> None:
        """Click a button of the widget with the mouse."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        button = getattr(self.view, name)
        assert button.isEnabled(), f"{name} is greyed out"
        at = QPoint(8, button.height() // 2)  # on the box of a check box, too
        QTest.mouseClick(button, Qt.LeftButton, Qt.NoModifier, at)
        self.ready()

    def ready(self) -> None:
        """Wait until the world that was asked for is there."""
        widget = self.widget
        self.until(lambda: not (widget.background.busy or widget.showing.busy))

    def key(self, text: str, modifiers: str = "") -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        held = Qt.NoModifier
        for name in modifiers.split():
            held |= getattr(Qt, f"{name}Modifier")
        self.view.canvas.setFocus()
        QTest.keyClick(self.view.canvas, text, held)
        self.settle()

    def choose(self, combo: str, data: Any) -> None:
        combo = getattr(self.view, combo)
        combo.setCurrentIndex(combo.findData(data))
        self.ready()

    def fast(self) -> None:
        self.choose("speed", 30.0)

    def picture(self) -> np.ndarray:
        """What the screen widget shows, as device pixels."""
        image = self.view.canvas.grab().toImage().convertToFormat(self._rgb())
        size = image.height(), image.bytesPerLine()
        rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8).copy()
        return rows.reshape(size)[:, : 3 * image.width()].reshape(image.height(), -1, 3)

    @staticmethod
    def _rgb() -> Any:
        from qtpy.QtGui import QImage

        return QImage.Format.Format_RGB888


@pytest.fixture
def make_table(
    make_napari_viewer: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    notices: list[tuple[str, str]],
) -> Any:
    """Return a factory of viewers with a docked *Play a task* widget."""
    from napari_bcannot.widgets import play_task, record_control

    monkeypatch.setattr(record_control, "default_folder", lambda: tmp_path / "sessions")

    def make(task: str = "neuron_tracing", seed: int = 0, show: bool = False) -> Table:
        viewer = make_napari_viewer(show=show)
        widget = play_task.PlayTaskWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Play a task", area="right")
        table = Table(viewer, widget, qtbot)
        table.shown = notices
        widget.view.seed.setValue(seed)
        table.choose("task", task)
        table.press("again")
        return table

    return make


@pytest.fixture
def turn_wheel() -> Callable[[Any], None]:
    """What turns the wheel over a field of a window."""
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    def turn(field: Any) -> None:
        at = QPointF(5, 5)
        wheel = QWheelEvent(
            at, field.mapToGlobal(at), QPoint(), QPoint(0, -120), Qt.NoButton, Qt.NoModifier,
            Qt.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(field, wheel)

    return turn


@pytest.fixture
def pyramid(tmp_path: Path) -> Any:
    """A layer of a volume with levels of 5, 10 and 20 nm, as the reader makes it."""
    ts = pytest.importorskip("tensorstore")
    from napari.layers import Image

    from bcannot_core.volumes import open_volume
    from napari_bcannot.remote_layers import volume_layer

    em = np.random.default_rng(0).integers(0, 255, (6, 64, 80), dtype=np.uint8)
    for factor in (1, 2, 4):
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": str(tmp_path / "v")},
            "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
            "scale_metadata": {
                "size": [80 // factor, 64 // factor, 6],
                "resolution": [5 * factor, 5 * factor, 30],
                "encoding": "raw",
                "chunk_size": [32, 32, 2],
            },
            "create": True,
        }
        ts.open(spec).result()[..., 0] = em[:, ::factor, ::factor].T
    data, meta, _ = volume_layer(open_volume(tmp_path / "v"))
    return Image(data, **meta)
