"""A person traces in a real viewer, with mouse and keys."""

import numpy as np
import pytest

from bcannot_core.volumes.swc import read_swc

pytestmark = pytest.mark.gui


def near(yx, other, px=1.5):
    return np.abs(np.subtract(yx, other)).max() <= px


def test_picking_a_start_point_begins_a_trace_with_its_first_node(make_desk):
    desk = make_desk()
    desk.pick(z=2)
    snapshot = desk.snapshot
    assert snapshot.phase == "manual"
    assert list(snapshot.nodes) == [2]
    assert near(snapshot.nodes[2], desk.tube.at(2))
    assert desk.actions == [("person", "place")]
    assert not desk.widget.view.pick.isChecked()
    assert "z 2" in desk.widget.view.start_point.text()
    desk.check_layers()


def test_clicks_place_and_move_nodes_and_keys_step_through_sections(make_desk):
    desk = make_desk()
    desk.pick()
    for z in (1, 2):
        desk.key("Period")
        assert desk.snapshot.z == z
        assert desk.viewer.dims.current_step[0] == z
        desk.click(desk.tube.at(z))
    desk.key("Comma")
    assert desk.snapshot.z == 1
    desk.click((120, 120))
    assert near(desk.snapshot.nodes[1], (120, 120))
    assert len(desk.snapshot.nodes) == 3
    assert {actor for actor, _ in desk.actions} == {"person"}
    desk.check_layers()


def test_the_slider_is_a_way_to_step(make_desk):
    desk = make_desk()
    desk.pick()
    desk.viewer.dims.set_current_step(0, 3)
    assert desk.snapshot.z == 3
    assert desk.actions[1:] == [("person", "next_section")] * 3


def test_sections_that_are_not_the_traces_can_be_looked_at(make_desk):
    desk = make_desk(sections=3)
    desk.pick(z=4)
    desk.viewer.dims.set_current_step(0, 11)
    desk.settle()
    assert desk.snapshot.z == 4
    assert desk.viewer.dims.current_step[0] == 11
    nodes = desk.snapshot.nodes
    desk.click((100, 100), z=11)
    assert desk.snapshot.nodes == nodes
    assert "not among the sections 4 to 6" in desk.shown[-1][1]
    desk.check_layers()


def test_undo_and_redo_by_keys_and_buttons(make_desk):
    desk = make_desk()
    desk.pick()
    desk.key("Period")
    desk.click(desk.tube.at(1))
    placed = desk.snapshot.nodes
    desk.key("Z", "Control")
    assert list(desk.snapshot.nodes) == [0]
    desk.check_layers()
    desk.press("undo")
    assert desk.snapshot.nodes == {}
    assert not desk.widget.view.undo.isEnabled()
    desk.check_layers()
    desk.key("Z", "Control Shift")
    desk.press("redo")
    assert desk.snapshot.nodes == placed
    desk.check_layers()


def test_undo_works_while_the_image_is_selected(make_desk):
    desk = make_desk()
    desk.pick()
    desk.viewer.layers.selection.active = desk.layer
    desk.key("Z", "Control")
    assert desk.snapshot.nodes == {}


def test_undo_of_a_labels_layer_stays_its_own(make_desk):
    desk = make_desk()
    desk.pick()
    labels = desk.viewer.add_labels(
        np.zeros(desk.tube.shape, dtype=np.uint8), scale=desk.layer.scale
    )
    desk.viewer.layers.selection.active = labels
    desk.key("Z", "Control")
    assert len(desk.snapshot.nodes) == 1


def test_delete_removes_the_node_of_the_section(make_desk):
    desk = make_desk()
    desk.pick()
    desk.key("Period")
    desk.click(desk.tube.at(1))
    desk.key("Delete")
    assert list(desk.snapshot.nodes) == [0]
    assert desk.actions[-1] == ("person", "remove")
    desk.check_layers()


def test_deleting_selected_nodes_of_other_sections_keeps_the_view(make_desk):
    desk = make_desk()
    desk.pick()
    for z in (1, 2, 3):
        desk.key("Period")
        desk.click(desk.tube.at(z))
    desk.points.selected_data = {0, 2}
    desk.key("Backspace")
    assert list(desk.snapshot.nodes) == [1, 3]
    assert desk.viewer.dims.current_step[0] == 3
    desk.check_layers()


def test_dragging_a_node_moves_it_by_a_click(make_desk):
    desk = make_desk()
    desk.pick()
    desk.points.mode = "select"
    node = desk.snapshot.nodes[0]
    desk.drag(node, (node[0] + 30, node[1] + 20))
    assert near(desk.snapshot.nodes[0], (node[0] + 30, node[1] + 20), 2)
    assert desk.actions[-1] == ("person", "place")
    desk.check_layers()


def test_pasting_is_refused_and_leaves_nothing_behind(make_desk):
    desk = make_desk()
    desk.pick()
    desk.points.mode = "select"
    desk.points.selected_data = {0}
    desk.key("C", "Control")
    desk.key("Period")
    desk.key("V", "Control")
    assert list(desk.snapshot.nodes) == [0]
    desk.check_layers()


def test_assigning_data_is_turned_into_edits(make_desk):
    desk = make_desk()
    desk.pick()
    desk.points.data = np.array([(0, 100.0, 100.0), (3, 110.0, 100.0), (3, 120.0, 100.0)])
    desk.settle()
    assert desk.snapshot.nodes == {0: (100.0, 100.0), 3: (120.0, 100.0)}
    desk.check_layers()
    desk.points.add([500, 50, 50])
    desk.settle()
    assert len(desk.snapshot.nodes) == 2
    desk.check_layers()


def test_done_and_saving(make_desk, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    desk = make_desk()
    desk.pick()
    desk.key("Period")
    desk.click(desk.tube.at(1))
    desk.key("D", "Shift")
    assert desk.snapshot.phase == "finished"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    desk.press("save")
    assert len(read_swc(tmp_path / "mine.swc")) == 2
    assert desk.shown[-1][0] == "info"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "folder.swc"), "")
    )
    desk.press("save")
    assert desk.shown[-1][0] == "error"
    assert "\n" not in desk.shown[-1][1]


def test_a_start_point_outside_the_volume_is_said(make_desk):
    desk = make_desk()
    desk.widget.begin((0, -40, 10))
    assert desk.snapshot.phase == "idle"
    assert desk.shown[-1][0] == "error"
    assert "outside the volume" in desk.shown[-1][1]


def test_without_a_volume_there_is_nothing_to_begin_on(make_desk):
    desk = make_desk()
    desk.viewer.layers.clear()
    desk.widget.begin((0, 10, 10))
    desk.press("pick")
    assert desk.shown == [("warning", "Open a volume first: a 3-D grey image.")] * 2
    assert desk.snapshot.phase == "idle"
    assert not desk.widget.view.pick.isChecked()


def test_a_drag_while_picking_pans_instead(make_desk):
    desk = make_desk()
    desk.press("pick")
    desk.drag((50, 50), (90, 90))
    assert desk.snapshot.phase == "idle"
    assert desk.widget.view.pick.isChecked()
    desk.press("pick")
    desk.click((90, 90), z=0)
    assert desk.snapshot.phase == "idle"


def test_a_volume_of_one_section_can_be_traced(make_desk, make_tube):
    desk = make_desk(make_tube(shape=(1, 200, 220)))
    desk.pick()
    assert len(desk.snapshot.nodes) == 1
    assert not desk.widget.view.next.isEnabled()
    desk.press("done")
    assert desk.snapshot.phase == "finished"


def test_a_second_trace_leaves_the_first_one_as_it_is(make_desk):
    desk = make_desk()
    desk.pick()
    first = np.array(desk.points.data)
    desk.pick(z=5)
    others = desk.viewer.layers["other neurites"]
    assert np.array_equal(others.data, first)
    assert len(desk.points.data) == 1
    assert not others.editable
    assert list(desk.snapshot.nodes) == [5]
    names = [layer.name for layer in desk.viewer.layers]
    assert names == [
        "em", "other neurites path", "other neurites", "neurite 2 heatmap", "neurite 2 path",
        "neurite 2",
    ]  # fmt: skip


def test_only_grey_3d_images_are_offered(make_desk):
    desk = make_desk(show=False)
    desk.viewer.add_image(np.zeros((8, 9)), name="flat")
    desk.viewer.add_image(np.zeros((4, 8, 9, 3), dtype=np.uint8), rgb=True, name="colour")
    desk.viewer.add_image(np.zeros((4, 8, 9), dtype=np.uint16), name="other")
    combo = desk.widget.view.volume
    assert [combo.itemText(i) for i in range(combo.count())] == ["em", "other"]
    combo.setCurrentIndex(1)
    assert "other states no voxel size" in desk.shown[-1][1]


def test_a_volume_is_opened_by_its_address(make_desk, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QInputDialog

    desk = make_desk()
    np.savez(tmp_path / "v.npz", em=desk.tube.array(), voxel_nm=np.array([40.0, 9.0, 9.0]))
    answers = [(str(tmp_path / "v.npz"), True), (str(tmp_path / "none.tif"), True), ("", False)]
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: answers.pop(0))
    desk.press("open")
    desk.until(lambda: len(desk.viewer.layers) == 2)
    assert desk.widget.view.volume.currentText() == "v.npz"
    assert desk.widget.view.voxel_nm() == (40.0, 9.0, 9.0)
    desk.press("open")
    desk.until(lambda: bool(desk.shown))
    assert desk.shown[-1][0] == "error"
    assert "none.tif" in desk.shown[-1][1]
    desk.press("open")
    assert len(desk.viewer.layers) == 2
