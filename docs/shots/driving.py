# ruff: noqa: TID251 (the pictures are of the plugin)
"""Driving a viewer as a person would, and taking pictures of it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

import napari
from bcannot_core.tasks.neurites import NeuritePath, sample_neurites
from napari_bcannot.compat import canvas_widget, canvas_xy, main_window
from napari_bcannot.geometry import VOLUME_KEY

IMAGES = Path(__file__).parents[1] / "images"
WINDOW = (1360, 860)
EM, LABELS = "sample EM", "sample neurites"
MOST_DRAWN = 400


@contextmanager
def a_viewer(sample: str | None = "sample_em") -> Iterator[napari.Viewer]:
    """Show a viewer of the pictures' size, with a sample, and close it in the end."""
    viewer = napari.Viewer(show=True)
    main_window(viewer).resize(*WINDOW)
    if sample is not None:
        viewer.open_sample("napari-bcannot", sample)
    yield viewer
    main_window(viewer).close()
    settle(0.5)


def dock(viewer: napari.Viewer, name: str, width: int = 480) -> Any:
    """Open a widget of the plugin from its menu; return it."""
    docked, widget = viewer.window.add_plugin_dock_widget("napari-bcannot", name)
    main_window(viewer).resizeDocks([docked], [width], Qt.Orientation.Horizontal)
    settle(0.5)
    viewer.reset_view()
    return widget


def undock(viewer: napari.Viewer, widget: Any) -> None:
    """Close a widget."""
    viewer.window.remove_dock_widget(widget)
    settle(0.5)


def neurites(
    viewer: napari.Viewer, count: int, seed: int = 0, least: int = 40
) -> list[NeuritePath]:
    """Return neurites of the sample volume of at least so many sections, begun well inside it."""
    labels = viewer.layers[LABELS].metadata[VOLUME_KEY]
    drawn = sample_neurites(labels, np.random.default_rng(seed), min_sections=20, sections=50)
    found: dict[int, NeuritePath] = {}
    for path in islice(drawn, MOST_DRAWN):
        begins = path.points_yx[0]
        if len(path) >= least and begins.min() >= 40 and begins.max() <= 216:
            found.setdefault(path.label, path)
        if len(found) == count:
            return list(found.values())
    raise LookupError(f"{len(found)} of {count} such neurites among {MOST_DRAWN}")


def click(viewer: napari.Viewer, z: float, y: float, x: float) -> None:
    """Click a voxel of the sample volume, in its section."""
    world = tuple(float(at) for at in viewer.layers[EM].data_to_world((z, y, x)))
    viewer.dims.set_point(0, world[0])
    settle(0.3)
    at = QPoint(*(round(c) for c in canvas_xy(viewer, world)))
    QTest.mouseClick(
        canvas_widget(viewer), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at
    )
    settle(0.3)


def press(button: Any) -> None:
    """Click a button."""
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    settle(0.1)


def wait(condition: Callable[[], bool], seconds: float = 1200.0) -> None:
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


def take_widget(widget: QWidget, name: str, height: int) -> None:
    """Write a picture of the upper part of a widget alone."""
    settle(0.3)
    IMAGES.mkdir(exist_ok=True)
    widget.grab(QRect(0, 0, widget.width(), height)).save(str(IMAGES / name))
