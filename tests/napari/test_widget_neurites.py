"""Several neurites and the assist mode in a real viewer, with mouse and keys."""

import numpy as np
import pytest

from bcannot_core.skeletons import read_skeletons
from napari_bcannot.snapshot import Mode

pytestmark = pytest.mark.gui


def cell(desk, row, column):
    table = desk.widget.table
    return table.data(table.index(row, column))


def click_row(desk, row, column=1):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    listed = desk.widget.view.neurites.list
    at = listed.visualRect(desk.widget.table.index(row, column)).center()
    QTest.mouseClick(listed.viewport(), Qt.LeftButton, Qt.NoModifier, at)
    desk.settle()


def rows(desk):
    return [tuple(cell(desk, row, column) for column in range(3)) for row in range(count(desk))]


def count(desk):
    return desk.widget.table.rowCount()


def press_in(desk, box, name):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    box = getattr(desk.widget.view, box)
    button = box.buttons[Mode(name)] if hasattr(box, "buttons") else getattr(box, name)
    assert button.isEnabled(), f"{name} is greyed out"
    QTest.mouseClick(button, Qt.LeftButton)
    desk.settle()


def test_neurites_are_listed_named_branched_and_deleted(make_desk, tmp_path):
    desk = make_desk(show=True)
    desk.pick()
    desk.key("Period")
    desk.click(desk.tube.at(1))
    desk.pick(z=4)
    assert rows(desk) == [("neurite 1", 2, "open"), ("neurite 2", 1, "open")]
    others = desk.viewer.layers["other neurites"]
    assert np.allclose(others.data, [(0, *desk.tube.at(0)), (1, *desk.tube.at(1))], atol=1.5)
    assert list(others.features["neurite"]) == ["neurite 1"] * 2

    click_row(desk, 0)
    assert desk.snapshot.neurite == "neurite 1"
    assert desk.viewer.dims.current_step[0] == 1, "its last node is not shown"
    assert list(others.data[:, 0]) == [4]
    desk.check_layers()

    table = desk.widget.table
    assert table.setData(table.index(0, 0), "axon")
    desk.settle()
    assert desk.points.name == "axon"
    assert not table.setData(table.index(7, 0), "nobody")
    table.setData(table.index(0, 0), "neurite 2")
    assert "already" in desk.shown[-1][1]
    assert cell(desk, 0, 0) == "axon"

    press_in(desk, "neurites", "branch_up")
    assert cell(desk, 2, 0) == "neurite 3"
    assert desk.snapshot.nodes.keys() == {1}
    assert list(desk.points.features["placed_by"]) == ["person"]
    desk.key("Period")
    desk.click((120, 120))
    desk.check_layers()
    desk.widget.save(tmp_path / "tree.swc")
    (tree,) = read_skeletons(tmp_path / "tree.swc").neurites
    assert tree.skeleton.parents.tolist() == [-1, 0, 1]
    desk.widget.save_all(tmp_path / "all.nml")
    assert [len(one) for one in read_skeletons(tmp_path / "all.nml").neurites] == [3, 1]

    press_in(desk, "neurites", "delete")
    assert count(desk) == 2
    desk.key("Z", "Control")
    assert count(desk) == 3
    assert desk.snapshot.neurite == "neurite 3"
    desk.key("Z", "Control")
    desk.key("Z", "Control")
    assert count(desk) == 2
    assert desk.snapshot.neurite == "axon"
    desk.check_layers()
    desk.key("BracketRight")
    assert desk.snapshot.neurite == "neurite 2"
    desk.key("BracketLeft")
    desk.key("B")
    assert count(desk) == 3
    for _ in range(3):
        desk.widget.delete_neurite()
    assert count(desk) == 0
    assert len(desk.points.data) == len(others.data) == 0
    desk.widget.delete_neurite()
    assert desk.shown[-1][0] == "warning"


def until_asked(desk):
    """Wait for a proposal; whatever else ends the run is shown."""
    desk.until(lambda: not desk.snapshot.running, timeout=60_000)
    desk.settle()
    assert desk.snapshot.phase == "waiting", (desk.snapshot.text, desk.actions, desk.shown)


def test_in_assist_mode_a_key_accepts_and_a_click_corrects(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=5, show=True)
    desk.pick()
    press_in(desk, "modes", "assist")
    assert desk.snapshot.mode is Mode.ASSIST
    desk.press("start")
    until_asked(desk)
    ghost = desk.viewer.layers["proposed node"]
    assert np.allclose(ghost.data, [(1, *desk.tube.at(1))])
    assert desk.viewer.layers.selection.active == desk.points
    assert "proposes a node" in desk.widget.view.status.text()
    desk.key("Return")
    until_asked(desk)
    assert desk.snapshot.z == 2
    assert desk.widget.controller.trace.node_info(1).accepted
    desk.click((150, 150))
    until_asked(desk)  # the policy puts right what it takes for a mistake
    assert len(ghost.data) == 1
    assert desk.widget.controller.trace.node_info(2).corrects
    desk.key("U")
    assert desk.snapshot.phase == "paused"
    assert len(ghost.data) == 0
    desk.press("start")
    until_asked(desk)
    while desk.snapshot.phase == "waiting":
        press_in(desk, "ask", "accept")
        desk.until_phase("waiting", "finished")
    assert desk.snapshot.nodes == {z: desk.tube.at(z) for z in range(5)}
    assert desk.widget.table.data(desk.widget.table.index(0, 2)) == "done"
    press_in(desk, "modes", "hand")
    assert not desk.widget.view.start.isEnabled()
    desk.check_layers()


def test_in_auto_a_policy_in_doubt_asks(make_desk, pixel_policy):
    desk = make_desk(policy=pixel_policy, sections=5)
    pixel_policy.confidence = 0.2
    desk.pick()
    desk.press("start")
    until_asked(desk)
    assert "low confidence" in desk.widget.view.status.text().lower()
    assert desk.widget.table.data(desk.widget.table.index(0, 2)) == "to check"
    desk.widget.view.ask.asks.setChecked(False)
    desk.key("Enter")
    desk.until_phase("finished")
    assert len(desk.snapshot.nodes) == 5


def test_traces_of_a_batch_are_added_beside_the_one_at_hand(make_desk):
    desk = make_desk()
    desk.pick()
    nodes = [(z, *desk.tube.at(z)) for z in (5, 4, 3)]
    made = desk.widget.add_neurite(nodes[0], nodes, "a")
    again = desk.widget.add_neurite((2, 100, 100), name="a")
    assert (made.name, again.name) == ("a", "a (2)")
    assert made.trace.node_info(4).actor == "policy"
    assert made.trace.nodes == {z: desk.tube.at(z) for z in (3, 4, 5)}
    assert desk.snapshot.neurite == "neurite 1"
    assert len(desk.viewer.layers["other neurites"].data) == 4
    assert desk.widget.add_neurite((0, -9, 0)) is None
    assert desk.shown[-1][0] == "error"
    assert count(desk) == 3


@pytest.mark.parametrize("agrees", [True, False])
def test_a_name_without_suffix_does_not_replace_a_file_unasked(tmp_path, monkeypatch, agrees):
    (tmp_path / "cell.swc").write_text("old")
    from qtpy.QtWidgets import QFileDialog, QMessageBox

    from napari_bcannot.widgets.dialogs import ask_swc

    asked = []

    def question(parent, title, text, *_):
        asked.append(text)
        buttons = QMessageBox.StandardButton
        return buttons.Yes if agrees else buttons.No

    def chosen(name):
        answer = staticmethod(lambda *_: (str(tmp_path / name), "SWC (*.swc)"))
        monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
        return ask_swc(None)

    monkeypatch.setattr(QMessageBox, "question", staticmethod(question))
    assert chosen("other") == tmp_path / "other.swc"
    assert chosen("cell.swc") == tmp_path / "cell.swc"  # the file dialog asked
    assert not asked
    assert chosen("cell") == (tmp_path / "cell.swc" if agrees else None)
    assert len(asked) == 1
    assert "cell.swc" in asked[0]
