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


def use_trace(viewer, widget, qtbot, policy):
    """Trace two neurites, one by the policy, and go over to the first one again."""
    widget.shelf._load = lambda name: policy
    widget.view.sections.setValue(4)
    widget.begin((0, 90, 80))
    widget.next_section()
    widget.begin((1, 100, 100))
    widget.use_mode("auto")
    widget.view.ask.asks.setChecked(False)
    widget.view.heatmap.setChecked(True)
    widget.step()
    qtbot.waitUntil(lambda: not widget.controller.snapshot().running, timeout=120_000)
    widget.previous_neurite()
    widget.branch(1)
    widget.undo()


@pytest.mark.parametrize("name", widget_names())
def test_a_widget_opened_used_and_closed_leaves_nothing(
    make_napari_viewer, make_tube, pixel_policy, qtbot, monkeypatch, tmp_path, name
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
    ghosts, first = [], None
    for i in range(TIMES):
        dock, widget = viewer.window.add_plugin_dock_widget("napari-bcannot", name)
        QApplication.processEvents()
        if name == "Trace neuron":
            use_trace(viewer, widget, qtbot, pixel_policy)
        else:
            qtbot.wait(30)
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
