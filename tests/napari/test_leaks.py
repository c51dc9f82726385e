"""Every widget is opened, used and closed again and again: nothing of it stays behind."""

import gc
import threading
import weakref
from pathlib import Path
from typing import NamedTuple

import npe2
import numpy as np
import pytest

pytestmark = [pytest.mark.gui, pytest.mark.slow, pytest.mark.timeout(1800)]
TIMES, WARM = 20, 3
"""So often a widget is opened; what only the first times take (caches, fonts) is no leak."""


def widget_names():
    import napari_bcannot

    path = Path(napari_bcannot.__file__).with_name("napari.yaml")
    manifest = npe2.PluginManifest.from_file(path)
    return [widget.display_name for widget in manifest.contributions.widgets]


class Counts(NamedTuple):
    widgets: int
    timers: int
    threads: int
    handles: int
    callbacks: int


def counts(viewer):
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    for _ in range(4):
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, 52)  # deferred deletions
        gc.collect()
    return Counts(
        widgets=len(QApplication.allWidgets()),
        timers=sum(issubclass(type(one), QTimer) for one in gc.get_objects()),
        threads=threading.active_count(),
        handles=len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0,
        callbacks=callbacks(viewer),
    )


def callbacks(viewer):
    """How many functions the viewer would call on its events."""
    emitters = [
        viewer.dims.events.current_step, viewer.dims.events.ndisplay,
        viewer.layers.events.inserted, viewer.layers.events.removed,
        viewer.layers.events.reordered, viewer.layers.selection.events.active,
    ]  # fmt: skip
    bound = sum(len(emitter.callbacks) for emitter in emitters)
    return bound + len(viewer.mouse_drag_callbacks) + len(viewer.keymap)


class Uses:
    """What a person would do with each widget, in short; named after the widgets."""

    def __init__(self, viewer, qtbot, folder, policy, make_tracer):
        self.viewer, self.qtbot, self.folder = viewer, qtbot, folder
        self.policy, self.make_tracer = policy, make_tracer

    def until(self, condition):
        self.qtbot.waitUntil(condition, timeout=120_000)

    def trace_neuron(self, widget):
        """Trace two neurites, one by the policy, and go over to the first one again."""
        widget.shelf._load = lambda name: self.policy
        widget.view.sections.setValue(4)
        widget.begin((0, 90, 80))
        widget.next_section()
        widget.begin((1, 100, 100))
        widget.use_mode("auto")
        widget.view.ask.asks.setChecked(False)
        widget.view.heatmap.setChecked(True)
        widget.step()
        self.until(lambda: not widget.controller.snapshot().running)
        widget.previous_neurite()
        widget.branch(1)
        widget.undo()

    def open_a_volume(self, widget):
        """Open a file and go to a place of it."""
        path = self.folder / "mine.npz"
        if not path.exists():
            grey = np.random.default_rng(0).integers(0, 255, (6, 80, 90)).astype(np.uint8)
            np.savez(path, em=grey, voxel_nm=np.array([30.0, 8.0, 8.0]))
        count = len(self.viewer.layers)
        widget.use_address(str(path))
        widget.open()
        self.until(lambda: len(self.viewer.layers) > count and not widget.opener.busy)
        self.viewer.dims.set_point(0, 90)

    def trace_many(self, widget):
        """Trace from the start points of a table."""
        table = self.folder / "starts.csv"
        table.write_text("z,y,x\n0,90,80\n1,92,83\n")
        widget._load = lambda name: self.make_tracer()
        widget.add_table(table)
        self.until(lambda: len(widget.controller.rows) == 2)
        widget.start()
        self.until(lambda: not widget.controller.running)
        assert widget.controller.traced

    def review_traces(self, widget):
        """Look at what *Trace neuron* holds, accept a place and skip one."""
        dock, tracing = self.viewer.window.add_plugin_dock_widget("napari-bcannot", "Trace neuron")
        self.trace_neuron(tracing)
        widget._load = lambda name: (Looker(), None)
        widget.look()
        self.until(lambda: widget.desk is not None and not widget.desk.looking)
        widget.accept()
        widget.skip()
        self.viewer.window.remove_dock_widget(dock)

    def sessions(self, widget):
        """List the sessions of another folder."""
        widget.use_folder(self.folder)
        widget.refresh()

    def learn_from_me(self, widget):
        """Tick all and none, and ask to learn from nothing."""
        widget.refresh()
        widget.tick_all()
        widget.tick_none()
        widget.start()

    def play_a_task(self, widget):
        """Play another world, let the annotator go on by itself, and stop it."""
        widget.new_seed()
        widget.begin()
        self.until(lambda: not (widget.background.busy or widget.showing.busy))
        widget.toggle()
        self.qtbot.wait(30)
        widget.toggle()


class Choice(NamedTuple):
    click_xy: tuple[int, int]
    confidence: float


class Looker:
    """Looks at traces for the review; doubts everything alike."""

    def reset(self):
        pass

    def propose(self, frame):
        return Choice((200, 200), 0.9)

    def observe(self, _frame, _click):
        pass

    def belief(self, _click):
        return 0.5


@pytest.mark.parametrize("name", widget_names())
def test_a_widget_opened_used_and_closed_leaves_nothing(
    make_napari_viewer,
    make_tube,
    make_tracer,
    pixel_policy,
    qtbot,
    monkeypatch,
    notices,
    tmp_path,
    name,
):
    from napari.qt.threading import WorkerBase
    from qtpy.QtWidgets import QApplication

    from napari_bcannot import recording

    monkeypatch.setattr(recording.platformdirs, "user_data_path", lambda *_, **__: tmp_path)
    tube = make_tube()
    viewer = make_napari_viewer(show=False)
    layer = viewer.add_image(
        tube.array(), scale=tube.voxel_nm, units=("nm",) * 3, contrast_limits=(0, 255), name="em"
    )
    uses = Uses(viewer, qtbot, tmp_path, pixel_policy, make_tracer)
    use = getattr(uses, name.lower().replace(" ", "_"))
    ghosts, first = [], None
    for i in range(TIMES):
        dock, widget = viewer.window.add_plugin_dock_widget("napari-bcannot", name)
        QApplication.processEvents()
        use(widget)
        ghosts.append(weakref.ref(widget))
        viewer.window.remove_dock_widget(dock)
        del dock, widget
        qtbot.waitUntil(lambda: not WorkerBase._worker_set, timeout=120_000)
        viewer.layers.selection.clear()
        for other in [one for one in viewer.layers if one is not layer]:
            viewer.layers.remove(other)
        if i == WARM - 1:
            first = counts(viewer)
    last = counts(viewer)
    alive = [ghost for ghost in ghosts if ghost() is not None]
    grown = {
        field: after - before
        for field, before, after in zip(Counts._fields, first, last, strict=True)
        if after > before
    }
    assert len(alive) <= 1, f"{len(alive)} of {TIMES} closed widgets are still there"
    assert not grown, f"left behind after {TIMES - WARM} more times: {grown}"
    assert np.array_equal(layer.data, tube.array())
