# ruff: noqa: TID251 (drives the plugin)
"""How quickly a policy traces in the viewer, and how long the window is ever held up.

    xvfb-run -a -s "-screen 0 1400x900x24" python benchmarks/viewer.py [--traces N] [--nodes N]

The *Trace neuron* widget traces neurites of the sample volume in Auto, displayed as for a person;
``--nodes`` puts so many nodes of other neurites into the list first. Blocking of the window is
measured by a timer of 5 ms during the runs, as it passes on the clock (other programs count) and as
processor time of the GUI thread (they do not). What a node placed by hand, a step to another
section and going over to another neurite take of the GUI thread is measured beside it, and what
turning the neurites takes in three dimensions, the volume hidden.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

import napari
from bcannot_core.tasks.neurites import NeuritePath, sample_neurites
from napari_bcannot.compat import camera, main_window
from napari_bcannot.geometry import VOLUME_KEY
from napari_bcannot.nodes import Place
from napari_bcannot.policies import load_policy
from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

WINDOW = (1360, 860)
SECTIONS = 50
HELD_MS, SECTIONS_PER_S = 150.0, 8.0


class Pulse:
    """How long the event loop was held up, on the clock and in processor time of its thread."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.busy: list[float] = []
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)

    def begin(self) -> None:
        """Measure from now on."""
        self._last = time.perf_counter(), time.thread_time()
        self._timer.start(5)

    def end(self) -> None:
        """Stop measuring for now."""
        self._timer.stop()

    def _beat(self) -> None:
        now = time.perf_counter(), time.thread_time()
        self.wall.append(now[0] - self._last[0])
        self.busy.append(now[1] - self._last[1])
        self._last = now

    def figures(self) -> dict[str, float]:
        """Return the longest gaps, and those that one in a hundred exceeds."""
        return {
            "held_ms_clock": _ms(max(self.wall)),
            "held_ms_processor": _ms(max(self.busy)),
            "held_p99_ms_clock": _ms(float(np.quantile(self.wall, 0.99))),
            "held_p99_ms_processor": _ms(float(np.quantile(self.busy, 0.99))),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--policy", default="default", help="name or folder of the policy")
    parser.add_argument("--traces", type=int, default=3, help="how many neurites to trace")
    parser.add_argument("--nodes", type=int, default=0, help="of other neurites, there before")
    parser.add_argument("--heatmap", action="store_true", help="show the heatmap, too")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # sessions and settings are nobody's
        os.environ |= {"XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        _measure(asked)


def _measure(asked: argparse.Namespace) -> None:
    viewer, widget = _open(asked.policy)
    widget.view.heatmap.setChecked(asked.heatmap)
    widget.view.ask.asks.setChecked(False)
    drawn = _neurites(viewer)
    _fill(widget, drawn, asked.nodes)
    figures = _trace(widget, drawn, asked.traces)
    figures |= {"other_nodes": asked.nodes, "load": round(os.getloadavg()[0], 1)}
    figures |= _by_hand(viewer, widget) | {"turn_3d_ms": _turn(viewer)}
    figures["fast_enough"] = figures["sections_per_s"] >= SECTIONS_PER_S
    figures["never_held_long"] = figures["held_ms_clock"] <= HELD_MS
    print(json.dumps(figures, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n")
    main_window(viewer).close()
    _settle(0.5)


def _open(policy: str) -> tuple[napari.Viewer, TraceNeuronWidget]:
    viewer = napari.Viewer(show=True)
    main_window(viewer).resize(*WINDOW)
    viewer.open_sample("napari-bcannot", "sample_em")
    loaded = load_policy(policy)
    widget = TraceNeuronWidget(viewer, lambda _: loaded)
    viewer.window.add_dock_widget(widget, name="Trace neuron", area="right")
    widget.view.sections.setValue(SECTIONS)
    _settle(1.0)
    viewer.reset_view()
    return viewer, widget


def _neurites(viewer: napari.Viewer) -> Any:
    labels = viewer.layers["sample neurites"].metadata[VOLUME_KEY]
    rng = np.random.default_rng(0)
    return sample_neurites(labels, rng, min_sections=20, sections=SECTIONS)


def _fill(widget: TraceNeuronWidget, drawn: Any, nodes: int) -> None:
    """Add neurites as ground truth has them, over and over, until there are enough nodes."""
    paths = [next(drawn) for _ in range(20)]
    placed = 0
    while placed < nodes:
        path = paths[len(widget.controller.neurites) % len(paths)]
        widget.add_neurite(_start(path), _nodes(path))
        placed += len(path)
    _settle(0.5)


def _trace(widget: TraceNeuronWidget, drawn: Any, traces: int) -> dict[str, float]:
    """Let the policy trace, and measure; its first step is not timed, it loads and warms up."""
    pulse, sections, seconds, busy, all_busy = Pulse(), 0, 0.0, 0.0, 0.0
    for _ in range(traces):
        path = next(path for path in drawn if len(path) >= 40)
        widget.begin(_start(path))
        _settle(0.3)
        widget.step()
        _wait(lambda: not widget.controller.snapshot().running)
        first, began = widget.controller.trace.count, time.perf_counter()
        used, all_used = time.thread_time(), time.process_time()
        pulse.begin()
        widget.start()
        _wait(lambda: not widget.controller.snapshot().running)
        pulse.end()
        seconds += time.perf_counter() - began
        busy += time.thread_time() - used
        all_busy += time.process_time() - all_used
        sections += widget.controller.trace.count - first
    return {
        "sections": sections,
        "sections_per_s": round(sections / seconds, 2),
        "gui_thread_ms_per_section": _ms(busy / max(1, sections)),
        "processor_ms_per_section": _ms(all_busy / max(1, sections)),
        **pulse.figures(),
    }


def _by_hand(viewer: napari.Viewer, widget: TraceNeuronWidget) -> dict[str, float]:
    """Return what single things take of the GUI thread, painting included: medians of 8."""
    trace = widget.controller.trace
    z0, y, x = trace.start_zyx

    def place(i: int) -> None:
        widget.controller.edit([Place((int(z0) + i, y + i % 2, x))])

    def step(i: int) -> None:
        viewer.dims.set_current_step(0, int(z0) + i)

    def switch(_: int) -> None:
        widget.next_neurite()

    return {
        "node_by_hand_ms": _median(place),
        "step_ms": _median(step),
        "other_neurite_ms": _median(switch) if len(widget.controller.neurites) > 1 else 0.0,
    }


def _turn(viewer: napari.Viewer) -> float:
    """Return what it takes of the GUI thread to turn all nodes and paths: the median of 8."""
    for layer in viewer.layers:
        layer.visible = layer.visible and VOLUME_KEY not in layer.metadata
    viewer.dims.ndisplay = 3
    _settle(0.5)

    def turn(i: int) -> None:
        camera(viewer).angles = (10.0 * i, 20.0, 90.0)

    return _median(turn)


def _median(do: Callable[[int], None]) -> float:
    taken = []
    for i in range(1, 9):
        began = time.thread_time()
        do(i)
        QApplication.processEvents()
        taken.append(time.thread_time() - began)
    return _ms(float(np.median(taken)))


def _start(path: NeuritePath) -> tuple[float, float, float]:
    y, x = (float(at) for at in path.points_yx[0])
    return float(path.z0), y, x


def _nodes(path: NeuritePath) -> list[tuple[float, float, float]]:
    way = path.direction
    return [
        (float(path.z0 + way * i), float(y), float(x)) for i, (y, x) in enumerate(path.points_yx)
    ]


def _wait(condition: Callable[[], bool], seconds: float = 600.0) -> None:
    """Run the event loop as napari does until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"nothing more happened within {seconds:g} s")
        QApplication.processEvents()
        time.sleep(0.001)


def _settle(seconds: float) -> None:
    end = time.monotonic() + seconds
    _wait(lambda: time.monotonic() > end)


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


if __name__ == "__main__":
    main()
