# ruff: noqa: TID251 (drives the plugin, prints figures)
"""How quickly a volume of a terabyte opens in the viewer, and what it takes of memory.

    xvfb-run -a -s "-screen 0 1400x900x24" python benchmarks/open_volume.py [--places N]

A sparse precomputed volume is served on loopback (`sparse_server.py`, a process of its own). The
*Open a volume* widget opens it, then the viewer goes to places at random, at four zooms, waiting at
each until the section is there. Blocking of the window is measured by a timer of 5 ms, as it passes
on the clock (other programs count) and as processor time of the GUI thread (they do not). The
widget is open for some seconds before *Open* is pressed, as it would be by hand.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QThreadPool, QTimer
from qtpy.QtWidgets import QApplication

import napari
from napari_bcannot.compat import camera, main_window
from napari_bcannot.fetching import Refresher
from napari_bcannot.opening import load_napari
from napari_bcannot.remote_layers import fetchers
from napari_bcannot.widgets.open_volume import OpenVolumeWidget

SERVER = Path(__file__).parent / "sparse_server.py"
WINDOW = (1360, 860)
ZOOMS_NM_PER_PX = (4.0, 8.0, 24.0, 120.0)


class Pulse:
    """How long the event loop was held up, on the clock and in processor time of its thread."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self.begin()
        self._timer.start(5)

    def begin(self) -> None:
        """Measure from now on."""
        self.wall: list[float] = [0.0]
        self.busy: list[float] = [0.0]
        self._last = time.perf_counter(), time.thread_time()

    def _beat(self) -> None:
        now = time.perf_counter(), time.thread_time()
        self.wall.append(now[0] - self._last[0])
        self.busy.append(now[1] - self._last[1])
        self._last = now

    def worst_ms(self) -> dict[str, float]:
        """Return the longest gaps."""
        return {
            "blocked_ms_clock": round(1000 * max(self.wall), 1),
            "blocked_ms_processor": round(1000 * max(self.busy), 1),
            "blocked_ms_processor_p99": round(1000 * float(np.percentile(self.busy, 99)), 1),
        }


def wait(condition: Callable[[], bool], timeout_s: float = 120.0) -> None:
    """Run the event loop until a condition holds."""
    end = time.perf_counter() + timeout_s
    while not condition():
        if time.perf_counter() > end:
            raise TimeoutError("the section does not come")
        QApplication.processEvents()
        time.sleep(0.001)


def resident_mb() -> float:
    """Return the memory of this process that is resident."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * 4096 / 2**20, 1)


def is_shown(viewer: Any) -> bool:
    """Whether all that is in view has come and has been drawn."""
    found = fetchers(viewer.layers)
    fetched = bool(found) and not any(f.state().busy for f in found)
    return fetched and not Refresher.shared().busy


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--places", type=int, default=500)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="of each answer")
    parser.add_argument("--no-labels", action="store_true", help="open the image alone")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    command = [sys.executable, str(SERVER), "0", str(asked.delay_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline())  # type: ignore[union-attr]
            found = measure(f"precomputed://http://127.0.0.1:{port}", asked)
        finally:
            server.kill()
    print(json.dumps(found, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure(server: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Open the volume and go through it."""
    viewer = napari.Viewer(show=True)
    main_window(viewer).resize(*WINDOW)
    widget = OpenVolumeWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Open a volume", area="right")
    end = time.perf_counter() + 2
    wait(lambda: time.perf_counter() > end and load_napari.cache_info().currsize > 0)
    found: dict[str, Any] = {"resident_mb_before": resident_mb()}
    pulse = Pulse()
    widget.use_address(f"{server}/em", "" if asked.no_labels else f"{server}/seg")
    begun = time.perf_counter(), time.process_time()
    widget.open()
    layers = 1 if asked.no_labels else 2
    wait(lambda: len(viewer.layers) == layers and not widget.opener.busy and is_shown(viewer))
    canvas = viewer.screenshot(canvas_only=True, flash=False)
    found["first_section_s"] = round(time.perf_counter() - begun[0], 2)
    found["first_section_processor_s"] = round(time.process_time() - begun[1], 2)
    found["first_section_is_there"] = bool(canvas[..., :3].mean() > 30)
    found["open"] = pulse.worst_ms()
    pulse.begin()
    found |= wander(viewer, asked.places)
    found["wander"] = pulse.worst_ms()
    found["resident_mb_after"] = resident_mb()
    main_window(viewer).close()
    QThreadPool.globalInstance().waitForDone(20_000)
    return found


def wander(viewer: Any, places: int) -> dict[str, Any]:
    """Go to places at random and wait for each section."""
    rng = np.random.default_rng(0)
    layer = viewer.layers[0]
    low, high = np.asarray(layer.extent.world)
    took, most = [], 0.0
    resident = []
    for place in range(places):
        at = low + rng.random(3) * (high - low)
        camera(viewer).zoom = 1 / ZOOMS_NM_PER_PX[place % len(ZOOMS_NM_PER_PX)]
        camera(viewer).center = tuple(at)
        begun = time.perf_counter()
        viewer.dims.set_point(0, at[0])
        QApplication.processEvents()
        wait(lambda: is_shown(viewer))
        took.append(time.perf_counter() - begun)
        most = max(most, resident_mb())
        if place % 50 == 49:
            resident.append(resident_mb())
            print(f"{place + 1} places, {resident[-1]} MB", file=sys.stderr, flush=True)
    return {
        "places": places,
        "section_s_median": round(float(np.median(took)), 2) if took else None,
        "section_s_p95": round(float(np.percentile(took, 95)), 2) if took else None,
        "resident_mb_most": most,
        "resident_mb_every_50_places": resident,
    }


if __name__ == "__main__":
    main()
