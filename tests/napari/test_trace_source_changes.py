"""What becomes of the neurites when the fields under 'Where to trace' are changed or refilled."""

import numpy as np
import pytest
import tifffile

from bcannot_core.sittings import SittingReader, list_sittings
from napari_bcannot.starting import begin_from_table


def crash(widget):
    """Leave a session as a kill would: nothing more is written, the lock is gone."""
    writer, widget.controller.recorder._writer = widget.controller.recorder._writer, None
    writer.discard()
    return writer.folder


def traced(widget):
    return {one.name: tuple(one.trace.volume.voxel_nm) for one in widget.controller.neurites}


def pixels(widget):
    return [one.trace.task.config.nm_per_px for one in widget.controller.neurites]


def warnings(told):
    return [text for kind, text in told if kind == "warning"]


@pytest.fixture
def make_memory_desk(make_desk):
    """Return a factory of desks whose layer is in no file, so that any voxel size can be typed."""

    def make():
        desk = make_desk()
        desk.layer.metadata.clear()
        return desk

    return make


@pytest.fixture
def make_docked(make_napari_viewer, monkeypatch, tmp_path, qtbot, notices):
    """Return a factory of docked widgets in a viewer that shows given layers."""
    from napari_bcannot.widgets import record_control
    from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

    monkeypatch.setattr(record_control, "default_folder", lambda: tmp_path / "journals")

    def make(show=lambda viewer: None):
        viewer = make_napari_viewer()
        show(viewer)
        widget = TraceNeuronWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Trace neuron")
        qtbot.waitUntil(lambda: not widget.restorer.busy, timeout=20_000)
        return widget

    return make


def restore(widget, qtbot):
    widget.restorer.restore()
    qtbot.waitUntil(lambda: not widget.restorer.busy, timeout=20_000)


# ------------------------------------------------------------------------------- pixel size
def test_another_pixel_size_holds_for_the_next_neurite_and_ends_nothing(make_desk, tmp_path):
    desk = make_desk()
    desk.pick()
    folder = desk.widget.controller.recording
    desk.widget.view.nm_per_px.setValue(12.5)
    desk.pick(z=3)
    assert pixels(desk.widget) == [10.0, 12.5]
    first, second = desk.widget.controller.neurites
    assert first.trace.volume is second.trace.volume
    assert desk.widget.controller.recording == folder
    assert len(SittingReader.open(folder).neurites) == 2
    assert desk.shown == []
    desk.press("undo")
    desk.press("undo")
    assert not first.trace.count, "Undo no longer reaches the neurite before"


def test_a_layer_that_was_renamed_is_the_same_volume_under_another_pixel_size(make_docked):
    def show(viewer):
        viewer.add_image(np.zeros((8, 60, 60), np.uint8), name="em", scale=(30.0, 8.0, 8.0))

    widget = make_docked(show)
    widget.begin((0, 30, 30))
    widget.viewer.layers["em"].name = "renamed"
    widget.view.nm_per_px.setValue(16.0)
    widget.begin((2, 30, 30))
    assert pixels(widget) == [10.0, 16.0]


def test_a_pixel_size_that_leads_to_another_resolution_says_where_the_neurites_are(
    make_docked, pyramid, notices
):
    widget = make_docked(lambda viewer: viewer.add_layer(pyramid))
    widget.begin((0, 30, 30))
    widget.view.nm_per_px.setValue(12.0)
    widget.begin((1, 20, 20))
    assert set(traced(widget).values()) == {(30.0, 10.0, 10.0)}
    assert len(traced(widget)) == 2
    assert warnings(notices) == []
    folder = widget.controller.recording
    widget.view.nm_per_px.setValue(5.0)
    widget.begin((2, 30, 30))
    assert set(traced(widget).values()) == {(30.0, 5.0, 5.0)}
    assert len(traced(widget)) == 1
    (said,) = warnings(notices)
    assert "2 neurites" in said
    assert folder.name in said
    assert len(SittingReader.open(folder).neurites) == 2


# ---------------------------------------------------------------- another volume, voxel size
def other_voxel(desk):
    desk.widget.view.voxel[0].setValue(44.0)


def other_layer(desk):
    scale, units = (30.0, 10.0, 10.0), ("nm",) * 3
    desk.viewer.add_image(np.zeros(desk.tube.shape, np.uint8), name="b", scale=scale, units=units)
    desk.widget.view.volume.setCurrentIndex(desk.widget.view.volume.findText("b"))


def other_scale(desk):
    desk.layer.scale = (60.0, 20.0, 20.0)


@pytest.mark.parametrize("change", [other_voxel, other_layer, other_scale])
def test_a_session_that_has_to_end_says_where_it_is(make_memory_desk, tmp_path, change):
    desk = make_memory_desk()
    desk.pick()
    folder = desk.widget.controller.recording
    change(desk)
    desk.widget.begin((3, 50, 60))
    assert len(desk.widget.controller.neurites) == 1
    (said,) = warnings(desk.shown)
    assert "1 neurite," in said
    assert folder.name in said
    assert desk.widget.controller.recording != folder
    kept = [info for info in list_sittings(tmp_path / "journals") if info.folder == folder]
    assert [info.state for info in kept] == ["closed"]


@pytest.mark.parametrize("change", [other_voxel, other_layer, other_scale])
def test_neurites_that_are_not_recorded_are_not_given_up(make_memory_desk, change):
    desk = make_memory_desk()
    desk.widget.view.record.setChecked(False)
    desk.pick()
    (neurite,) = desk.widget.controller.neurites
    change(desk)
    desk.widget.begin((3, 50, 60))
    assert desk.widget.add_neurite((3, 50, 60)) is None
    assert list(desk.widget.controller.neurites) == [neurite]
    assert neurite.trace.count == 1
    assert [kind for kind, _ in desk.shown] == ["error", "error"]
    assert "Record session" in desk.shown[0][1]
    desk.key("Period")
    desk.click(desk.tube.at(1))
    desk.check_layers()
    desk.widget.view.record.setChecked(True)
    folder = desk.widget.controller.recording
    desk.widget.begin((3, 50, 60))
    assert neurite not in list(desk.widget.controller.neurites)
    assert len(SittingReader.open(folder).neurites) == 1


def test_a_layer_that_is_scaled_begins_another_session_in_the_same_volume(make_desk):
    desk = make_desk()
    desk.pick()
    other_scale(desk)
    desk.pick(z=3)
    assert len(desk.widget.controller.neurites) == 1
    assert "1 neurite," in warnings(desk.shown)[0]
    assert np.allclose(desk.points.scale, desk.layer.scale)
    desk.check_layers()


def test_where_nothing_was_placed_nothing_is_said(make_memory_desk):
    desk = make_memory_desk()
    desk.widget.view.record.setChecked(False)
    desk.pick()
    desk.press("undo")
    other_voxel(desk)
    desk.widget.begin((3, 50, 60))
    assert list(traced(desk.widget).values()) == [(44.0, 10.0, 10.0)]
    assert desk.shown == []


def test_a_start_point_outside_another_volume_ends_nothing(make_memory_desk):
    desk = make_memory_desk()
    desk.pick()
    other_layer(desk)
    desk.widget.begin((300, 50, 60))
    assert [kind for kind, _ in desk.shown] == ["error"]
    desk.widget.view.volume.setCurrentIndex(0)
    desk.pick(z=3)
    assert len(desk.widget.controller.neurites) == 2


def test_a_voxel_size_that_was_typed_is_there_again_with_its_volume(make_memory_desk):
    desk = make_memory_desk()
    other_voxel(desk)
    desk.pick()
    other_layer(desk)
    assert desk.widget.view.voxel_nm() == (30.0, 10.0, 10.0)
    desk.widget.view.volume.setCurrentIndex(0)
    assert desk.widget.view.voxel_nm() == (44.0, 10.0, 10.0)
    desk.pick(z=3)
    assert len(desk.widget.controller.neurites) == 2


def test_a_voxel_size_is_recorded_as_it_was_traced_with(make_memory_desk):
    desk = make_memory_desk()
    desk.pick()
    other_voxel(desk)
    desk.widget.branch(1)
    reader = SittingReader.open(desk.widget.controller.recording)
    assert [one.facts.place["voxel_nm"] for one in reader.neurites] == [[30.0, 10.0, 10.0]] * 2


# ------------------------------------------------------------------------- restored sessions
def test_a_restored_session_goes_on_at_its_own_voxel_size(make_docked, tmp_path, qtbot, notices):
    path = tmp_path / "em.tif"
    tifffile.imwrite(path, np.arange(8 * 60 * 60, dtype=np.uint8).reshape(8, 60, 60))

    def show(viewer):
        viewer.open(str(path), plugin="napari")

    widget = make_docked(show)
    for field, size in zip(widget.view.voxel, (40.0, 4.0, 4.0), strict=True):
        field.setValue(size)
    widget.begin((0, 30, 30))
    widget.view.nm_per_px.setValue(8.25)
    widget.begin((2, 30, 30))
    folder = crash(widget)
    widget.viewer.window.remove_dock_widget(widget)

    widget = make_docked(show)
    widget.view.nm_per_px.setValue(20.0)
    restore(widget, qtbot)
    assert widget.view.voxel_nm() == (40.0, 4.0, 4.0)
    assert widget.view.nm_per_px.value() == 8.25
    widget.begin((4, 30, 30))
    widget.view.nm_per_px.setValue(11.0)
    widget.begin((5, 30, 30))
    assert traced(widget) == {f"neurite {n}": (40.0, 4.0, 4.0) for n in (1, 2, 3, 4)}
    assert pixels(widget) == [10.0, 8.25, 8.25, 11.0]
    assert len({id(one.trace.volume) for one in widget.controller.neurites}) == 1
    assert widget.controller.recording == folder
    assert len(SittingReader.open(folder).neurites) == 4
    assert all("voxel size: enter it" in text for text in warnings(notices))


def test_a_restored_session_goes_on_where_another_volume_was_chosen(
    make_docked, tmp_path, qtbot, notices
):
    def layer(name, size):
        def show(viewer):
            em = np.full((8, 60, 60), len(name), np.uint8)
            viewer.add_image(em, name=name, scale=(30.0, size, size), units=("nm",) * 3)

        return show

    widget = make_docked(layer("B", 8.0))
    widget.begin((0, 30, 30))
    widget.begin((2, 30, 30))
    qtbot.waitUntil(lambda: not widget._fingerprints.busy)
    folder = crash(widget)
    widget.viewer.window.remove_dock_widget(widget)

    widget = make_docked(layer("another", 16.0))
    restore(widget, qtbot)
    assert widget.view.volume.currentText() == "B"
    assert widget.view.voxel_nm() == (30.0, 8.0, 8.0)
    widget.begin((4, 30, 30))
    assert traced(widget) == {f"neurite {n}": (30.0, 8.0, 8.0) for n in (1, 2, 3)}
    crash(widget)
    widget.viewer.window.remove_dock_widget(widget)

    widget = make_docked()
    restore(widget, qtbot)
    assert len(traced(widget)) == 3, "the neurite that was added is not brought back"
    assert widget.controller.recording == folder
    assert warnings(notices) == []


# ------------------------------------------------------------------------------- voxel sizes
@pytest.mark.parametrize(
    ("scale", "unit", "voxel_nm"),
    [
        ((28.0, 11.24, 11.24), "nm", (28.0, 11.24, 11.24)),
        ((0.04, 0.01124, 0.0112), "um", (40.0, 11.24, 11.2)),
        ((1.05, 1.05, 1.05), "angstrom", (0.105, 0.105, 0.105)),
        ((0.5, 0.25, 0.25), "mm", (500_000.0, 250_000.0, 250_000.0)),
    ],
)
def test_a_layers_voxel_size_reaches_the_trace_and_its_file(
    make_docked, tmp_path, scale, unit, voxel_nm
):
    def show(viewer):
        viewer.add_image(np.zeros((8, 60, 60), np.uint8), scale=scale, units=(unit,) * 3)

    widget = make_docked(show)
    assert widget.view.voxel_nm() == voxel_nm
    widget.begin((2, 30, 20))
    assert widget.controller.trace.volume.voxel_nm == voxel_nm
    widget.save(tmp_path / "t.swc")
    *_, node = (tmp_path / "t.swc").read_text().splitlines()
    x, y, z = (float(word) for word in node.split()[2:5])
    wanted = [at * size for at, size in zip((2, 30, 20), voxel_nm, strict=True)]
    assert [z, y, x] == pytest.approx(wanted, rel=1e-9)


def test_a_volume_that_states_its_voxel_size_is_traced_as_it_is(make_docked, tmp_path):
    from napari_bcannot.opening import Request, read_request

    tifffile.imwrite(tmp_path / "em.tif", np.zeros((8, 60, 60), np.uint8))
    address = f"{tmp_path / 'em.tif'}#voxel_nm=28,11.24,11.24"
    data, meta, _ = read_request(Request(address)).layers[0]
    widget = make_docked(lambda viewer: viewer.add_image(data, **meta))
    widget.begin((0, 30, 20))
    assert widget.controller.trace.volume is meta["metadata"]["bcannot_volume"]
    assert widget.controller.trace.volume.address.endswith("#voxel_nm=28,11.24,11.24")


@pytest.mark.parametrize(
    ("typed", "shown", "size"),
    [
        ("11.24", "11.24", 11.24),
        ("0.105", "0.105", 0.105),
        ("30", "30", 30.0),
        ("8.50", "8.5", 8.5),
    ],
)
def test_a_size_that_is_typed_is_taken_as_it_is(qtbot, typed, shown, size):
    from qtpy.QtCore import QLocale

    from napari_bcannot.widgets.nm_field import NmField

    for language, point in (("C", "."), ("de_DE", ",")):
        field = NmField("", 0.001, 1_000_000.0, 10.0)
        qtbot.addWidget(field)
        field.setLocale(QLocale(language))
        field.lineEdit().setText(typed.replace(".", point))
        field.interpretText()
        assert field.value() == size
        assert field.text() == shown.replace(".", point)


# -------------------------------------------------------------------------- layers that move
def test_in_a_layer_that_was_moved_the_next_neurite_begins_where_it_was_clicked(make_desk):
    desk = make_desk()
    desk.pick()
    desk.layer.translate = (0, 400, 400)
    desk.pick(z=3)
    (only,) = desk.widget.controller.neurites
    assert only.trace.start_zyx == pytest.approx((3, *desk.tube.at(3)))
    assert "is kept" in warnings(desk.shown)[-1]


def test_a_session_is_not_opened_over_neurites_that_would_be_lost(make_desk, tmp_path):
    desk = make_desk()
    desk.pick()
    desk.widget.view.record.setChecked(False)
    (info,) = list_sittings(tmp_path / "journals")
    names = list(traced(desk.widget))
    desk.widget.restorer.opener.open(info.folder)
    desk.until(lambda: not desk.widget.restorer.busy)
    assert list(traced(desk.widget)) == names
    assert "would be lost" in desk.shown[-1][1]
    assert list_sittings(tmp_path / "journals")[0].state != "recording"
    desk.widget.view.record.setChecked(True)
    desk.widget.restorer.opener.open(info.folder)
    desk.until(lambda: not desk.widget.restorer.busy)
    assert desk.widget.controller.recording == info.folder


def test_start_points_in_nanometres_count_with_the_voxel_size_that_was_entered(
    make_memory_desk, tmp_path
):
    desk = make_memory_desk()
    desk.widget.view.show_voxel_nm((60.0, 20.0, 20.0))
    table = tmp_path / "starts.csv"
    table.write_text("name,z_nm,y_nm,x_nm\naxon,180,1960,1780\n")
    assert begin_from_table(desk.widget, table) == 1
    (axon,) = desk.widget.controller.neurites
    assert axon.trace.rows.tolist() == [[3.0, 98.0, 89.0]]
