"""What the *Trace neuron* widget does with its list of neurites."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QMenu, QWidget

from bcannot_core.errors import BcannotError
from bcannot_core.skeletons import write_skeletons
from napari_bcannot import notices
from napari_bcannot.neurites import Neurite, Status
from napari_bcannot.snapshot import Mode
from napari_bcannot.turns import one_line
from napari_bcannot.widgets.dialogs import ask_name, ask_swc
from napari_bcannot.widgets.neurite_list import NAME

if TYPE_CHECKING:
    from napari_bcannot.binding import TraceBinding
    from napari_bcannot.controller import TraceController
    from napari_bcannot.tracing import TraceSession, Zyx
    from napari_bcannot.widgets.trace_source import TraceSource
    from napari_bcannot.widgets.trace_view import TraceView

NO_NEURITE = "There is no neurite yet: pick a start point first."


class NeuriteActs:
    """Commands on neurites; the widget mixes them in."""

    controller: "TraceController"
    view: "TraceView"
    source: "TraceSource"
    binding: "TraceBinding | None"

    if TYPE_CHECKING:

        def pick_start(self, on: bool) -> None:
            """Let the next click in the viewer be the start point, or not."""

        def _sync(self) -> None: ...

        def _bind(self) -> None: ...

        def _trace_in(
            self, layer: Any, start_zyx: "Zyx", nodes_zyx: tuple["Zyx", ...] = ()
        ) -> TraceSession: ...

    # --------------------------------------------------------------------------- proposals
    def use_mode(self, mode: str) -> None:
        """Trace by ``"hand"``, let the policy ``"assist"``, or let it trace (``"auto"``)."""
        self._sync()
        self.controller.use_mode(Mode(mode))

    def accept_proposal(self) -> None:
        """Take what the policy proposes; it goes on from there."""
        self._sync()
        self.controller.accept_proposal()

    def reject_proposal(self) -> None:
        """Turn down what the policy proposes, and go on by hand."""
        self._sync()
        self.controller.reject_proposal()

    def use_rules(self) -> None:
        """Let the policy ask when the fields say so."""
        self.controller.rules = self.view.ask.rules()

    def advance(self, on: bool) -> None:
        """Let a node placed by hand lead on to the next section, or not."""
        self.controller.advances = on

    # ------------------------------------------------------------------------------- list
    def new_neurite(self) -> None:
        """Let the next click in the viewer begin another neurite."""
        self.pick_start(True)

    def add_neurite(
        self,
        start_zyx: "Zyx",
        nodes_zyx: Sequence["Zyx"] = (),
        name: str = "",
        actor: str = "policy",
    ) -> Neurite | None:
        """Add a neurite at a voxel of the chosen volume's layer, without making it the active one.

        Parameters
        ----------
        start_zyx : tuple of float
            Where it begins.
        nodes_zyx : sequence of tuple, optional
            Its nodes; none leaves it to be traced.
        name : str
            By default the next free one; one that is taken gets a number.
        actor : str
            Who placed the nodes.

        Returns
        -------
        Neurite or None
            None where it cannot be added; the person is told.
        """
        layer = self.view.volume.currentData()
        if layer is None:
            notices.show_warning("Open a volume first: a 3-D grey image.")
            return None
        self._sync()
        neurites = self.controller.neurites
        try:
            trace = self._trace_in(layer, start_zyx, tuple(nodes_zyx))
            nodes = [self.source.to_voxels(node) for node in nodes_zyx]
            trace.adopt(nodes or [trace.start_zyx], actor if nodes else "person")
            free = neurites.free_name(name) if name else ""
            made = neurites.add(trace, name=free, activate=neurites.active is None)
        except BcannotError as error:
            notices.show_error(one_line(error))
            return None
        self._bind()
        self._draw()
        return made

    def next_neurite(self) -> None:
        """Go on with the next neurite of the list."""
        self._beside(1)

    def previous_neurite(self) -> None:
        """Go on with the neurite before in the list."""
        self._beside(-1)

    def jump_to(self, neurite: Neurite, z: int | None = None) -> None:
        """Go on with a neurite, at its last node or in another section."""
        self._sync()
        trace = neurite.trace
        ends = (
            trace.rows[-1 if trace.task.config.direction > 0 else 0][0] if trace.count else trace.z
        )
        at = int(ends) if z is None else z
        self.controller.jump_to(neurite, at)
        self._take_mouse()
        if self.binding is not None:
            self.binding.look_at(at)

    def rename_neurite(self, name: str = "") -> None:
        """Give the active neurite another name, asked for where none is given."""
        active = self._active()
        if active is not None:
            wanted = name or ask_name(self._above(), "Rename the neurite", active.name)
            if wanted:
                self.controller.rename(active, wanted)

    def recolour_neurite(self, colour: str = "") -> None:
        """Give the active neurite another colour, asked for where none is given."""
        active = self._active()
        if active is None:
            return
        if not colour:
            chosen = QColorDialog.getColor(QColor(active.colour), self._above(), "Colour")
            colour = chosen.name() if chosen.isValid() else active.colour
        self.controller.neurites.recolour(active, colour)
        self._draw()

    def delete_neurite(self) -> None:
        """Delete the active neurite; Undo brings it back."""
        self._sync()
        active = self._active()
        if active is not None:
            self.controller.remove(active)
            self._draw()

    def branch_here(self) -> None:
        """Begin a branch at the node of this section, the way its neurite goes."""
        active = self._active()
        if active is not None:
            self.branch(active.trace.task.config.direction)

    def branch(self, direction: int) -> None:
        """Begin a branch at the node of this section, up (+1) or down (-1)."""
        self._sync()
        self.controller.branch(direction)
        self._take_mouse()

    def split_here(self) -> None:
        """Cut the active neurite before the node of this section."""
        self._sync()
        if self._active() is not None:
            self.controller.split()
            self._draw()

    def mark(self, status: str) -> None:
        """Say how far the active neurite is: ``"open"`` or ``"to check"``."""
        active = self._active()
        if active is not None:
            self.controller.neurites.set_status(active, Status(status))

    # ----------------------------------------------------------------------------- output
    def save(self, path: Path) -> None:
        """Write the active neurite with its branches; the file's name says the format."""
        self._save(path, self.controller.neurites.active)

    def save_all(self, path: Path) -> None:
        """Write all neurites; the file's name says the format."""
        self._save(path, None)

    def save_as(self) -> None:
        """Ask for a file and write the active neurite with its branches to it."""
        path = ask_swc(self._above())
        if path is not None:
            self.save(path)

    def save_all_as(self) -> None:
        """Ask for a file and write all neurites to it."""
        path = ask_swc(self._above())
        if path is not None:
            self.save_all(path)

    def _save(self, path: Path, only: Neurite | None) -> None:
        self._sync()
        policy = str(self.view.policy.currentData())
        try:
            saved = self.controller.neurites.skeletons(only, policy=policy)
            write_skeletons(path, saved)
        except (BcannotError, OSError) as error:
            notices.show_error(f"{path} cannot be written: {one_line(error)}")
        else:
            notices.show_info(f"{saved.nodes} nodes saved to {path}.")

    # --------------------------------------------------------------------------- internal
    def _active(self) -> Neurite | None:
        active = self.controller.neurites.active
        if active is None:
            notices.show_warning(NO_NEURITE)
        return active

    def _beside(self, by: int) -> None:
        active = self._active()
        if active is not None:
            listed = list(self.controller.neurites)
            self.jump_to(listed[(listed.index(active) + by) % len(listed)])

    def _take_mouse(self) -> None:
        """Let clicks in the viewer place nodes of the active neurite."""
        if self.binding is not None:
            self.binding.take_mouse()

    def _draw(self) -> None:
        if self.binding is not None:
            self.binding.refresh()

    def _above(self) -> QWidget:
        assert isinstance(self, QWidget)
        return self

    def _on_row(self, index: Any) -> None:
        """Go on with the neurite of a row that was clicked."""
        one = self.view.neurites.table.neurite(index.row())
        if one is not None and (
            one is not self.controller.neurites.active or index.column() != NAME
        ):
            self.jump_to(one)

    def _on_menu(self, at: Any) -> None:
        """Offer what can be done with the neurite of a row."""
        listed = self.view.neurites.list
        index = listed.indexAt(at)
        if index.isValid():
            self._on_row(index)
        menu = QMenu(listed)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        entries = (
            ("Rename…", self.rename_neurite), ("Colour…", self.recolour_neurite),
            ("Mark to check", lambda: self.mark("to check")),
            ("Mark open", lambda: self.mark("open")), ("Split here", self.split_here),
            ("Delete", self.delete_neurite),
        )  # fmt: skip
        for words, command in entries:
            action = menu.addAction(words)
            if action is not None:
                action.triggered.connect(lambda _=False, command=command: command())
        viewport = listed.viewport()
        if viewport is not None:
            menu.popup(viewport.mapToGlobal(at))
