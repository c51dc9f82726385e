"""The dock widget *Review traces*: connects the view, the desk, the worker and the viewer."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import Qt, QTimer

from bcannot_core.errors import BcannotError
from napari_bcannot import notices
from napari_bcannot.compat import camera, main_window
from napari_bcannot.neurites import Neurite
from napari_bcannot.review import ReviewDesk
from napari_bcannot.review_keys import REVIEW_SHORTCUTS
from napari_bcannot.review_shown import ReviewSnapshot
from napari_bcannot.review_work import Glance, Looked, load_looker, look_again
from napari_bcannot.shortcuts import bind_keys, unbind_keys
from napari_bcannot.turns import describe_error
from napari_bcannot.widgets.docked import DockedWidget
from napari_bcannot.widgets.parts import connect_buttons
from napari_bcannot.widgets.review_view import ReviewView
from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

DRAW_MS = 60
"""The list is brought up to date so often at most."""

NO_TRACES = "Open Trace neuron and trace something: then its doubtful places are listed here."

Looker = tuple[Any, Any]


class ReviewWidget(DockedWidget):
    """Review the traces of *Trace neuron*, the worst places first.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    load : callable, optional
        Makes a policy, and a mistake probe or None, from the policy's name or folder.
    """

    def __init__(self, napari_viewer: Any, load: Callable[[str], Looker] = load_looker) -> None:
        self.view = ReviewView()
        super().__init__(napari_viewer, self.view)
        self.desk: ReviewDesk | None = None
        self._load = load
        self._lookers: dict[str, Looker] = {}
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._draw = QTimer(self)
        self._draw.setSingleShot(True)
        self._draw.setInterval(DRAW_MS)
        self._draw.timeout.connect(self.draw)
        view = self.view
        connect_buttons([
            (view.look, self.look), (view.cancel, self.cancel), (view.accept, self.accept),
            (view.correct, self.correct), (view.split, self.split), (view.skip, self.skip),
            (view.back, self.back),
        ])  # fmt: skip
        view.places.itemDoubleClicked.connect(self._on_chosen)
        view.least.valueChanged.connect(self._on_least)
        self._keys = bind_keys(napari_viewer, self, REVIEW_SHORTCUTS)
        self.draw()

    # --------------------------------------------------------------------------- commands
    def look(self) -> None:
        """Look at every trace that changed, in the background."""
        desk, tracing = self._sit_down(), self._tracing()
        if desk is None or tracing is None:
            notices.show_warning(NO_TRACES)
            return
        if desk.looking:
            return
        glances = desk.glances()
        if not glances:
            desk.finish("There is no trace with two nodes or more that was not looked at yet.")
            return
        self._stop = stop = threading.Event()
        name = str(tracing.view.policy.currentData())
        worker = create_worker(
            self._looks, glances, name, stop, _start_thread=False, _ignore_errors=True
        )
        worker.yielded.connect(self._on_told)  # no closure: it would keep the desk alive
        worker.start()

    def cancel(self) -> None:
        """Stop looking; what was found stays."""
        self._stop.set()
        if self.desk is not None and self.desk.looking:
            self.desk.finish("Stopped. Press Look to go on.")

    def accept(self) -> None:
        """Say that the node at hand is right, and go on."""
        if self.desk is not None:
            self.desk.accept(self._take_comment())

    def correct(self) -> None:
        """Let the next click say where the node at hand belongs."""
        if self.desk is None or not self.desk.at_hand:
            return
        self.desk.comment = self.view.comment.text().strip()
        if self.viewer.dims.ndisplay != 2:
            self.viewer.dims.ndisplay = 2
        tracing = self._tracing()
        if tracing is not None and tracing.binding is not None:
            tracing.binding.take_mouse()
        self.view.status.setText("Click where the node belongs, or press Delete to take it away.")

    def split(self) -> None:
        """Say that from the section in view on it is another neurite."""
        if self.desk is not None:
            self.desk.split(self._take_comment(), self._z_in_view())

    def skip(self) -> None:
        """Leave the place at hand undecided and go to the next one."""
        if self.desk is not None:
            self.desk.skip()

    def back(self) -> None:
        """Go back to the place before."""
        if self.desk is not None:
            self.desk.back()

    # ----------------------------------------------------------------------------- looking
    def _tracing(self) -> TraceNeuronWidget | None:
        """Return the viewer's *Trace neuron* widget; None where it is not open."""
        found = main_window(self.viewer).findChildren(TraceNeuronWidget)
        return next((one for one in reversed(found) if one.is_open), None)

    def _sit_down(self) -> ReviewDesk | None:
        """Return the desk with the traces of *Trace neuron*."""
        tracing = self._tracing()
        if tracing is None:
            self._leave_desk()
            return None
        controller = tracing.controller
        if self.desk is None or self.desk.controller is not controller:
            self._leave_desk()
            self.desk = desk = ReviewDesk(controller)
            desk.least = self.view.least.value() / 100
            desk.changed.connect(self._on_changed)
            desk.shown.connect(self._on_shown)
        return self.desk

    def _looks(
        self, glances: Sequence[Glance], name: str, stop: threading.Event
    ) -> Iterator[tuple[threading.Event, Looked | str | None]]:
        """Look at traces (on a worker thread); what goes wrong is told as a text, the end by None.

        A ``RuntimeError`` (out of memory on a device, say) would be swallowed by napari's worker.
        """
        try:
            with self._one_at_a_time:
                if name not in self._lookers:
                    self._lookers[name] = self._load(name)
                policy, probe = self._lookers[name]
                for looked in look_again(glances, policy, probe, lambda: not stop.is_set()):
                    yield stop, looked
        except (BcannotError, OSError, RuntimeError, ValueError, MemoryError) as error:
            yield stop, describe_error(error)
        else:
            yield stop, None

    def _on_told(self, told: tuple[threading.Event, Looked | str | None]) -> None:
        stop, found = told
        desk = self.desk
        if stop.is_set() or stop is not self._stop or desk is None:
            return
        if isinstance(found, Looked):
            desk.take(found)
        elif found is None:
            desk.finish()
        else:
            stop.set()
            notices.show_error(found)
            desk.finish(f"Looking ended by an error: {found}")

    # ------------------------------------------------------------------------------ events
    def _on_chosen(self, item: Any, _column: int) -> None:
        number, section = item.data(0, Qt.ItemDataRole.UserRole)
        if self.desk is not None:
            self.desk.go(number, section)

    def _on_least(self, percent: int) -> None:
        if self.desk is not None:
            self.desk.least = percent / 100
            self._on_changed()

    def _on_shown(self, neurite: Neurite, zyx: tuple[float, float, float]) -> None:
        """Bring a node into view."""
        tracing = self._tracing()
        if tracing is None or tracing.binding is None:
            return
        dims = self.viewer.dims
        world = [float(at) for at in tracing.binding.points.data_to_world(zyx)]
        first = dims.ndim - len(world)
        dims.set_point(first, world[0])
        at = (*dims.point[:first], *world)
        centre = [at[axis] for axis in dims.displayed]
        camera(self.viewer).center = tuple([0.0] * (3 - len(centre)) + centre)

    def _z_in_view(self) -> int | None:
        """Return the section in view; None where there is none."""
        tracing = self._tracing()
        dims = self.viewer.dims
        if tracing is None or tracing.binding is None or dims.ndisplay != 2:
            return None
        world = dims.point[dims.ndim - 3 :]
        return round(float(tracing.binding.points.world_to_data(world)[0]))

    def _on_changed(self) -> None:
        if not self._closed and not self._draw.isActive():
            self._draw.start()

    def draw(self) -> None:
        """Show the review as it is now."""
        desk = None if self._closed else self._sit_down()
        shown = ReviewSnapshot(text=NO_TRACES) if desk is None else desk.snapshot()
        self.view.show_snapshot(shown, here=desk is not None and desk.at_hand)

    def _take_comment(self) -> str:
        words = self.view.comment.text().strip()
        self.view.comment.clear()
        return words

    # --------------------------------------------------------------------------------- end
    def _leave_desk(self) -> None:
        desk, self.desk = self.desk, None
        if desk is not None:
            self._stop.set()
            desk.changed.disconnect(self._on_changed)
            desk.shown.disconnect(self._on_shown)
            desk.close()

    def release(self) -> None:
        """End everything: no worker, no key and no callback stays."""
        self._draw.stop()
        self._leave_desk()
        unbind_keys(self.viewer, self._keys)
