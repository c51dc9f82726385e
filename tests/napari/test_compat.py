"""The private napari API that the plugin's tests and pictures rely on."""

import numpy as np
import pytest

from napari_bcannot.compat import canvas_widget, canvas_xy, main_window

pytestmark = pytest.mark.gui


def test_a_world_position_is_found_on_the_canvas(make_napari_viewer):
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((3, 60, 80)), scale=(30, 10, 10))
    seen = []
    viewer.mouse_drag_callbacks.append(lambda v, event: seen.append(event.position))
    world = (30.0, 200.0, 500.0)
    viewer.dims.set_point(0, 30)
    x, y = canvas_xy(viewer, world)
    at = QPoint(round(x), round(y))
    QTest.mouseClick(canvas_widget(viewer), Qt.LeftButton, Qt.NoModifier, at)
    assert np.abs(np.subtract(seen[0], world)).max() < 1 / viewer.scene.camera.zoom


def test_the_window_is_the_one_that_holds_the_canvas(make_napari_viewer):
    viewer = make_napari_viewer()
    assert main_window(viewer) is canvas_widget(viewer).window()
