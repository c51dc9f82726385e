# ruff: noqa: TID251 (the pictures are of the plugin)
"""Make the pictures of the plugin in ``docs/images`` by driving it as a person would.

Run from the repository's root, where there is no display under a virtual one:

    xvfb-run -a -s "-screen 0 1400x900x24" python docs/make_screenshots.py [--policy NAME_OR_FOLDER]
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

import napari
from bcannot_core.tasks.neurites import sample_neurites
from napari_bcannot.compat import camera, canvas_widget, canvas_xy, main_window
from napari_bcannot.geometry import VOLUME_KEY
from napari_bcannot.policies import load_policy
from napari_bcannot.widgets.play_task import PlayTaskWidget
from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

if TYPE_CHECKING:
    from bcannot_core.volumes import Volume

IMAGES = Path(__file__).parent / "images"
WINDOW = (1360, 860)
SECTIONS = 50
PLAYED_TASK, PLAYED_SEED, PLAYED_STEPS = "road_network", 1, 32


def main() -> None:
    """Make the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--policy", default="default", help="name or folder of the policy")
    parser.add_argument("--seed", type=int, default=0, help="which neurite")
    parser.add_argument("--only", choices=("trace", "play"), help="make only these")
    options = parser.parse_args()
    if options.only != "play":
        trace_pictures(options.policy, options.seed)
    if options.only != "trace":
        play_picture()


def trace_pictures(policy: str, seed: int) -> None:
    """Let a policy trace a neurite of the sample volume, and look at the trace."""
    viewer = napari.Viewer(show=True)
    main_window(viewer).resize(*WINDOW)
    viewer.open_sample("napari-bcannot", "sample_em")
    widget = TraceNeuronWidget(viewer, lambda _: load_policy(policy))
    viewer.window.add_dock_widget(widget, name="Trace neuron", area="right")
    settle(0.5)
    viewer.reset_view()
    start(viewer, widget, seed)
    widget.view.heatmap.setChecked(True)
    press(widget.view.start)
    wait(lambda: has_traced(widget, 12) or not running(widget))
    take(viewer, "trace-neuron.png", rest=0.0)
    wait(lambda: not running(widget))
    take(viewer, "trace-done.png")
    widget.view.heatmap.setChecked(False)
    stand_up(viewer)
    take(viewer, "trace-3d.png")
    main_window(viewer).close()
    settle(0.5)


def play_picture() -> None:
    """Watch the annotator draw a road network, its world open as layers; look at its options."""
    viewer = napari.Viewer(show=True)
    main_window(viewer).resize(*WINDOW)
    widget = PlayTaskWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Play a task", area="right")
    settle(0.5)
    view = widget.view
    view.seed.setValue(PLAYED_SEED)
    view.task.setCurrentIndex(view.task.findData(PLAYED_TASK))
    wait(lambda: not widget.background.busy)
    view.speed.setCurrentIndex(view.speed.count() - 1)
    press(view.play)
    wait(lambda: view.slider.maximum() >= PLAYED_STEPS)
    press(view.play)
    press(view.layers)
    press(view.step)
    viewer.reset_view()
    take(viewer, "play-a-task.png", rest=1.0)
    view.setup.open(True)
    take(viewer, "play-options.png", rest=1.0)
    main_window(viewer).close()
    settle(0.5)


def start(viewer: napari.Viewer, widget: TraceNeuronWidget, seed: int) -> None:
    """Pick the beginning of a neurite of the sample volume with the mouse."""
    labels: Volume = viewer.layers["sample neurites"].metadata[VOLUME_KEY]
    rng = np.random.default_rng(seed)
    drawn = sample_neurites(labels, rng, min_sections=20, sections=SECTIONS)
    path = next(path for path in drawn if len(path) >= 40)
    y, x = (float(at) for at in path.points_yx[0])
    world = tuple(float(at) for at in viewer.layers["sample EM"].data_to_world((path.z0, y, x)))
    viewer.dims.set_point(0, world[0])
    settle(0.3)
    press(widget.view.pick)
    at = QPoint(*(round(c) for c in canvas_xy(viewer, world)))
    QTest.mouseClick(
        canvas_widget(viewer), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at
    )
    settle(0.3)


def stand_up(viewer: napari.Viewer) -> None:
    """Show the trace in three dimensions, with one section of the volume."""
    image = viewer.layers["sample EM"]
    viewer.dims.ndisplay = 3
    image.depiction = "plane"
    image.plane.normal = (1, 0, 0)
    image.plane.position = (image.data.shape[0] - 1, *(size / 2 for size in image.data.shape[1:]))
    viewer.reset_view()
    camera(viewer).angles = (0.0, -25.0, 40.0)
    camera(viewer).zoom *= 0.7


def has_traced(widget: TraceNeuronWidget, nodes: int) -> bool:
    """Whether so many nodes are placed, the last one in the section in view."""
    snapshot = widget.controller.snapshot()
    return len(snapshot.nodes) >= nodes and snapshot.z in snapshot.nodes


def running(widget: TraceNeuronWidget) -> bool:
    """Whether the policy is at work."""
    return widget.controller.snapshot().running


def press(button: Any) -> None:
    """Click a button."""
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    settle(0.1)


def wait(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    """Let the window work until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"nothing more happened within {seconds:g} s")
        settle(0.02)


def settle(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def take(viewer: napari.Viewer, name: str, rest: float = 0.1) -> None:
    """Write a picture of the whole window, after a rest; at once while a policy is at work."""
    settle(rest)
    IMAGES.mkdir(exist_ok=True)
    iio.imwrite(IMAGES / name, viewer.window.screenshot(canvas_only=False, flash=False))


if __name__ == "__main__":
    main()
