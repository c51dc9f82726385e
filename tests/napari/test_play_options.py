"""The options of *Play a task* in a real viewer, with mouse and keys."""

from itertools import pairwise

import numpy as np
import pytest

from bcannot_core.tasks.options import option_specs
from bcannot_core.tasks.registry import list_tasks

pytestmark = pytest.mark.gui


def panel(table):
    if not table.view.setup.toggle.isChecked():
        click(table, table.view.setup.toggle)
    return table.view.setup


def click(table, button):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    assert button.isEnabled()
    QTest.mouseClick(button, Qt.LeftButton)
    table.ready()


def enter(table, name, text):
    """Type into an option's field."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    field = panel(table).options.fields[name]
    line = field.lineEdit() if hasattr(field, "lineEdit") else field
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key_Tab)


def entries(combo):
    return [combo.itemText(i) for i in range(combo.count())]


def test_every_task_has_a_field_for_each_option_with_its_limits(make_table):
    table = make_table("shape_matching")
    fields = panel(table).options
    for task_id in list_tasks():
        specs = option_specs(task_id)
        panel(table).show_task(task_id)
        assert list(fields.fields) == [spec.name for spec in specs]
        assert fields.values() == {}, f"the defaults of {task_id} are not its defaults"
        for spec in specs:
            field = fields.fields[spec.name]
            assert spec.help in field.toolTip()
            if spec.high is not None:
                assert field.maximum() == spec.high
            if spec.low is not None and not spec.drawn:
                assert field.minimum() == spec.low
        for spec in specs:
            if spec.kind in ("whole", "number"):
                fields.fields[spec.name].stepUp()
        changed = fields.values()
        assert {s.name for s in specs if s.kind in ("whole", "number") and s.default != s.high} <= (
            set(changed)
        )
        fields.reset()
        assert fields.values() == {}


def test_options_are_typed_and_make_the_next_world(make_table):
    table = make_table("shape_matching")
    before = table.player
    enter(table, "objects", "6")
    enter(table, "matches", "3")
    assert table.player is before, "options count from the next world on"
    click(table, panel(table).apply)
    assert table.player is not before
    assert len(table.player.task.world.items) == 6
    assert (table.player.task.config.objects, table.player.task.config.matches) == (6, 3)
    table.press("new")
    assert table.player.task.config.objects == 6, "they hold for other seeds, too"
    click(table, panel(table).reset)
    table.press("again")
    assert table.player.task.config.objects == 0
    table.choose("task", "exploration_3d")
    assert set(panel(table).options.fields) >= {"step_deg", "view_jitter"}


def test_what_does_not_go_together_is_said_and_the_session_stays(make_table):
    table = make_table("spectral_plume")
    before = table.player
    enter(table, "least_plumes", "5")
    click(table, panel(table).apply)
    assert table.player is before
    assert [kind for kind, _ in table.shown] == ["error"]
    assert "least_plumes is 5, most_plumes 3" in table.shown[0][1]
    table.click_canvas(128, 128)
    assert len(table.actions) == 1, "the session at hand goes on"
    assert table.view.status.text() != "Making the world …"
    enter(table, "most_plumes", "5")
    click(table, panel(table).apply)
    assert table.player is not before


def test_a_folder_is_chosen_and_one_without_pictures_is_said(make_table, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog, QPushButton

    table = make_table("colored_dot_tracking")
    field = panel(table).options.fields["folder"]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    click(table, field.parent().findChild(QPushButton))
    assert field.text() == str(tmp_path)
    click(table, panel(table).apply)
    assert [kind for kind, _ in table.shown] == ["error"]
    assert str(tmp_path) in table.shown[0][1]


def test_the_annotators_ways_count_at_once(make_table):
    table = make_table("shape_matching")
    setup = panel(table)
    table.press("step")
    before = table.player
    setup.mistakes.setValue(90)
    setup.behaviour.setCurrentIndex(setup.behaviour.findData("hasty"))
    captions = []
    for _ in range(20):
        if table.view.step.isEnabled():
            table.press("step")
            captions.append(table.view.caption.text())
    assert table.player is before
    assert any("MISTAKE" in caption for caption in captions)
    click(table, setup.reset)
    assert setup.share_of_mistakes() is None
    setup.behaviour.setCurrentIndex(setup.behaviour.findData("flawless"))
    table.press("again")
    assert table.player.seed == 0
    while table.player.advance():
        assert (
            "mistake" not in table.player.view(think=True).caption.events
            if (table.player.can_advance)
            else True
        )
    assert table.player.score()["success"]


def test_a_random_screen_is_drawn_from_the_seed(make_table):
    table = make_table("shape_matching")
    table.choose("variant", "random")
    first = table.player.task.variant
    assert first.name.count(":") == 5
    assert first.name in table.snapshot.title
    table.press("again")
    assert table.player.task.variant == first
    names = {first.name}
    for _ in range(3):
        table.press("new")
        names.add(table.player.task.variant.name)
    assert len(names) > 1


def test_the_wheel_turns_the_page_and_not_a_value(make_table, turn_wheel):
    table = make_table("colored_dot_tracking", show=True)
    dots, played = panel(table).options.fields["dots"], table.player
    for field in (dots, table.view.task, table.view.variant, table.view.seed, table.view.speed):
        turn_wheel(field)
    table.ready()
    assert dots.value() == 16
    assert table.view.task.currentData() == "colored_dot_tracking"
    assert table.view.seed.value() == 0
    assert table.player is played, "the session is lost"


def test_nothing_overlaps_in_a_narrow_and_low_dock(make_table):
    from qtpy.QtCore import Qt

    from napari_bcannot.compat import main_window

    table = make_table("neuron_tracing", show=True)
    window = main_window(table.viewer)
    window.resize(900, 700)
    panel(table)
    window.resizeDocks([table.widget.parent()], [200], Qt.Horizontal)
    table.press("step")
    table.settle()
    view = table.view
    assert view.width() < 320
    parts = [view.layout().itemAt(i).widget() for i in range(view.layout().count())]
    shown = [part.geometry() for part in parts if part.isVisible()]
    assert len(shown) >= 10
    for above, below in pairwise(shown):
        assert above.bottom() < below.top()


def tissue(table):
    """Add a grey layer and its labels: tubes along z."""
    ids = np.zeros((24, 64, 64), np.uint16)
    for i, (y, x) in enumerate([(16, 16), (16, 48), (48, 16), (48, 48)], 1):
        ids[:, y - 10 : y + 10, x - 10 : x + 10] = i
    em = np.where(ids > 0, 180, 60).astype(np.uint8)
    image = table.viewer.add_image(em, name="mine", scale=(40, 8, 8), units=("nm",) * 3)
    labels = table.viewer.add_labels(ids, name="ids", scale=(40, 8, 8), units=("nm",) * 3)
    table.settle()
    return image, labels


def test_neurons_are_traced_in_a_layer_with_its_labels(make_table, tmp_path):
    table = make_table("neuron_tracing")
    source = panel(table).source
    assert source.isVisibleTo(table.widget)
    assert not source.labels.isEnabled()
    image, labels = tissue(table)
    assert entries(source.volume) == ["made tissue", "mine"]
    source.volume.setCurrentIndex(1)
    assert entries(source.labels) == ["none: neither score nor annotator", "ids"]
    source.labels.setCurrentIndex(1)
    image.name, labels.name = "renamed", "ids too"
    assert source.volume.currentText() == "renamed", "a layer's new name is not shown"
    assert source.labels.currentText() == "ids too"
    enter(table, "sections", "4")
    click(table, panel(table).apply)
    assert table.player.task.world.volume.shape == (24, 64, 64)
    assert table.player.task.world.volume.voxel_nm == (40.0, 8.0, 8.0)
    table.fast()
    table.press("play")
    table.until(lambda: table.player.session.terminated)
    assert table.snapshot.score["success"]
    table.viewer.layers.remove(labels)
    assert source.volume.currentText() == "renamed"
    assert source.labels.currentIndex() == 0, "labels that were removed are still chosen"
    table.viewer.layers.remove(image)
    assert source.volume.currentText() == "made tissue"
    table.press("again")
    assert table.player.task.world.volume.shape == (128, 256, 256)
    table.choose("task", "shape_matching")
    assert not source.isVisibleTo(table.widget)
    assert table.shown == []


def test_without_labels_a_person_traces_and_the_annotator_is_missed(make_table):
    table = make_table("neuron_tracing")
    tissue(table)
    panel(table).source.volume.setCurrentIndex(1)
    click(table, panel(table).apply)
    table.click_canvas(128, 128)
    assert table.actions == [("person", "place")]
    table.press("step")
    assert [kind for kind, _ in table.shown] == ["warning"]
    assert "no labels" in table.shown[0][1]
    assert table.actions == [("person", "place")]


def test_a_volume_is_given_by_its_address(make_table, monkeypatch):
    from qtpy.QtWidgets import QInputDialog

    table = make_table("neuron_tracing")
    source = panel(table).source
    address = "synthetic://default?seed=3&shape=24,96,96"
    answers = [(address, True), ("/no/such/volume.tif", True), ("", False)]
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: answers.pop(0))
    click(table, source.browse_volume)
    assert source.volume.currentData() == address
    source.labels.setCurrentIndex(source.labels.findText("at the volume's address"))
    click(table, panel(table).apply)
    assert table.player.task.world.volume.shape == (24, 96, 96)
    assert table.player.task.world.labels.address == address
    table.viewer.add_points(np.zeros((1, 3)))
    assert source.volume.currentData() == address, "the choice is lost when layers come"
    assert source.labels.currentText() == "at the volume's address"
    before = table.player
    click(table, source.browse_volume)
    click(table, panel(table).apply)
    assert table.player is before
    assert "/no/such/volume.tif" in table.shown[0][1]
    click(table, source.browse_labels)
    assert answers == []


def test_a_closed_widget_hears_no_more_of_layers(make_table, monkeypatch):
    table = make_table("neuron_tracing")
    heard = []
    monkeypatch.setattr(table.view.setup.source, "show_layers", lambda layers: heard.append(layers))
    image, labels = tissue(table)
    assert heard
    heard.clear()
    table.press("again")
    table.viewer.window.remove_dock_widget(table.widget)
    table.settle()
    assert not table.widget.background.busy
    table.viewer.layers.remove(labels)
    table.viewer.layers.remove(image)
    table.settle()
    assert heard == []


def test_what_is_recorded_in_a_layer_of_no_file_can_be_looked_at_later(make_table, tmp_path):
    from bcannot_core.episodes.shelf import EpisodeShelf

    table = make_table("neuron_tracing")
    tissue(table)
    source = panel(table).source
    source.volume.setCurrentIndex(1)
    source.labels.setCurrentIndex(1)
    enter(table, "sections", "4")
    click(table, panel(table).apply)
    table.press("record")
    table.fast()
    table.press("play")
    table.until(lambda: table.player.session.terminated)
    table.viewer.layers.clear()
    folder = tmp_path / "sessions"
    (stored,) = EpisodeShelf(folder)
    assert stored.data.volume.startswith(str(folder / "volumes"))
    table.widget.open_recording(folder)
    table.ready()
    assert table.shown == []
    assert table.player.recorded
    table.view.slider.setValue(table.view.slider.maximum())
    table.until(lambda: table.snapshot.score is not None)
    assert table.snapshot.score["success"]


def test_a_layer_that_cannot_be_copied_is_not_recorded(make_table, monkeypatch):
    table = make_table("neuron_tracing")
    tissue(table)
    panel(table).source.volume.setCurrentIndex(1)
    click(table, panel(table).apply)
    monkeypatch.setattr("bcannot_core.sittings.copies.MAX_BYTES", 10)
    table.press("record")
    assert "too large to keep a copy" in table.shown[0][1]
    assert not table.view.record.isChecked()
