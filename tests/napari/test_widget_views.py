"""*Trace neuron* while the viewer is turned, its layers renamed, and its window nearly closed."""

import numpy as np
import pytest

from napari_bcannot.compat import camera, canvas_widget, main_window

pytestmark = pytest.mark.gui


def click_middle(desk):
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    canvas = canvas_widget(desk.viewer)
    at = QPoint(canvas.width() // 2 + 7, canvas.height() // 2 + 5)
    QTest.mouseClick(canvas, Qt.LeftButton, Qt.NoModifier, at)
    desk.settle()


def test_in_three_dimensions_clicks_place_no_nodes(make_desk):
    desk = make_desk(show=True)
    desk.pick()
    nodes = desk.snapshot.nodes
    desk.viewer.dims.ndisplay = 3
    desk.settle()
    click_middle(desk)
    assert desk.snapshot.nodes == nodes
    desk.points.mode = "add"
    assert desk.points.mode == "pan_zoom"
    assert desk.shown[-1][0] == "info"
    click_middle(desk)
    assert desk.snapshot.nodes == nodes
    desk.viewer.dims.ndisplay = 2
    desk.settle()
    assert desk.points.mode == "add", "back in 2-D clicks do not place nodes"
    desk.click((120, 120))
    assert len(desk.actions) == 2
    desk.points.mode = "select"
    desk.viewer.dims.ndisplay = 3
    desk.viewer.dims.ndisplay = 2
    assert desk.points.mode == "select", "the mode that the person chose is lost"


def test_a_start_point_is_picked_in_two_dimensions(make_desk):
    desk = make_desk(show=True)
    desk.viewer.dims.ndisplay = 3
    desk.press("pick")
    assert not desk.widget.view.pick.isChecked()
    assert "2-D" in desk.shown[-1][1]
    desk.viewer.dims.ndisplay = 2
    desk.press("pick")
    desk.viewer.dims.ndisplay = 3
    desk.settle()
    click_middle(desk)
    assert desk.snapshot.phase == "idle"
    assert desk.widget.view.pick.isChecked(), "the click in 3-D ended the picking"
    desk.viewer.dims.ndisplay = 2
    desk.viewer.dims.set_point(0, 0.0)
    desk.settle()
    desk.click(desk.tube.at(0), z=0)
    assert list(desk.snapshot.nodes) == [0]


def test_a_trace_begun_in_three_dimensions_takes_clicks_in_two(make_desk):
    desk = make_desk()
    desk.viewer.dims.ndisplay = 3
    desk.widget.begin((0, *desk.tube.at(0)))
    assert desk.points.mode == "pan_zoom"
    desk.viewer.dims.ndisplay = 2
    desk.settle()
    assert desk.points.mode == "add"


def test_the_policy_traces_on_while_other_axes_are_shown(make_desk, make_tube, pixel_policy):
    tube = make_tube(shape=(6, 300, 700), step_yx=(0, 60), first_yx=(150, 130))
    desk = make_desk(tube, policy=pixel_policy, show=True)
    desk.pick()
    desk.viewer.dims.order = (1, 0, 2)
    desk.press("start")
    desk.until_phase("finished")
    assert desk.snapshot.nodes == tube.path
    centre_z, centre_x = camera(desk.viewer).center[-2:]
    assert abs(centre_x / desk.layer.scale[2] - tube.at(5)[1]) <= 128
    assert abs(centre_z / desk.layer.scale[0]) <= 6, "the view went along y, which is not shown"
    desk.viewer.dims.order = (2, 0, 1)
    desk.key("Comma")
    assert desk.snapshot.z == 5, "the trace is finished"
    desk.press("undo")
    assert len(desk.snapshot.nodes) == 5
    desk.check_layers()


def test_renaming_and_moving_layers_changes_names_alone(make_desk):
    desk = make_desk()
    other = desk.viewer.add_image(np.zeros(desk.tube.shape, np.uint8), scale=(1.0, 2.0, 2.0))
    desk.pick()
    combo, nodes = desk.widget.view.volume, desk.snapshot.nodes
    desk.widget.view.voxel[0].setValue(44.0)
    desk.layer.name = "renamed"
    assert combo.currentText() == "renamed"
    desk.viewer.layers.move(0, 2)
    assert [combo.itemText(i) for i in range(combo.count())] == [other.name, "renamed"]
    assert combo.currentText() == "renamed"
    assert desk.widget.view.voxel_nm()[0] == 44.0, "what was typed is lost"
    desk.points.name = "my trace"
    desk.key("Period")
    desk.click(desk.tube.at(1))
    assert len(desk.snapshot.nodes) == len(nodes) + 1
    desk.check_layers()


def test_a_new_trace_in_place_of_one_without_nodes_warns_of_nothing(make_desk):
    desk = make_desk()
    desk.pick()
    desk.press("undo")
    desk.pick(z=3)
    desk.settle()
    assert list(desk.snapshot.nodes) == [3]
    assert desk.shown == []


def test_the_path_and_the_heatmap_may_be_removed(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=4)
    desk.pick()
    desk.widget.view.heatmap.setChecked(True)
    desk.viewer.layers.remove(desk.widget.binding.edges)
    desk.viewer.layers.remove(desk.widget.binding.heat)
    desk.press("start")
    desk.until_phase("finished")
    assert len(desk.snapshot.nodes) == 4
    desk.widget.binding.close()
    assert desk.points in desk.viewer.layers


def test_a_window_that_stays_open_after_all_keeps_its_trace(make_desk):
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QCloseEvent, QHideEvent

    class ByThePerson:
        def spontaneous(self):
            return True

    class Close(ByThePerson, QCloseEvent):
        pass

    class Minimise(ByThePerson, QHideEvent):
        pass

    desk = make_desk(show=True)
    desk.pick()
    window = main_window(desk.viewer)
    asked = Close()
    assert asked.type() == QEvent.Type.Close
    desk.widget.eventFilter(window, asked)  # napari asks now, and the person says no
    desk.widget.eventFilter(window, Minimise())
    desk.key("Period")
    desk.click(desk.tube.at(1))
    assert len(desk.snapshot.nodes) == 2
    desk.widget.eventFilter(window, asked)  # now the answer is yes: the window is hidden
    desk.widget.eventFilter(window, QHideEvent())
    assert desk.snapshot.phase == "idle"
    assert "K" not in {str(key) for key in desk.viewer.keymap}
