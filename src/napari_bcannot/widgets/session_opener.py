"""Brings sessions back into a viewer without holding up the window."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from napari.layers import Layer
from qtpy.QtWidgets import QWidget

from bcannot_core.errors import BcannotError
from bcannot_core.sittings import SittingInfo, SittingWriter, interrupted
from napari_bcannot import notices
from napari_bcannot.background import Background
from napari_bcannot.geometry import Placement, open_layer
from napari_bcannot.restoring import (
    LayerData,
    Plan,
    Restored,
    find_layer,
    make_again,
    open_layer_of,
    plan_of,
)
from napari_bcannot.turns import one_line
from napari_bcannot.widgets.session_view import RestoreBar

TakeUp = Callable[[Any, Placement, Restored], None]
"""Goes on with a session: its layer, where its volume lies, the session; or raises why not."""


class _Ticket:
    """A session that is being made again; let go of where nobody waits for it any more."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waits = True
        self._restored: Restored | None = None

    def came(self, restored: Restored) -> Restored:
        """Take note that the session is there; its folder is locked from here on."""
        with self._lock:
            if self._waits:
                self._restored = restored
            else:
                restored.writer.discard()
        return restored

    def taken(self) -> None:
        """Leave the session to somebody else."""
        with self._lock:
            self._restored = None

    def drop(self) -> None:
        """Let go of the session, which may come later still."""
        with self._lock:
            self._waits = False
            restored, self._restored = self._restored, None
        if restored is not None:
            restored.writer.discard()


class SessionOpener:
    """Opens sessions: reads the folder, finds or opens the volume, makes the clicks again.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the volume's layer where it is not there.
    take_up : callable
        Gets what is needed to go on.
    opened : callable
        Gets the folder of a session that is open.
    failed : callable
        Gets a one-line message.
    """

    def __init__(
        self,
        viewer: Any,
        take_up: TakeUp,
        opened: Callable[[Path], None],
        failed: Callable[[str], None],
    ) -> None:
        self._viewer = viewer
        self._take_up = take_up
        self._opened = opened
        self._background = Background(failed)
        self._looking = Background(notices.show_warning)
        self._ticket = _Ticket()

    @property
    def busy(self) -> bool:
        """Whether a session or a volume is being opened."""
        return self._background.busy or self._looking.busy

    def open(self, folder: Path) -> None:
        """Begin to bring a session back."""
        self._ticket.drop()
        self._background.run(partial(plan_of, folder), self._planned)

    def show_volume(self, folder: Path) -> None:
        """Begin to open the volume of a session, unless the viewer shows it."""
        self._looking.run(partial(plan_of, folder), self._looked)

    def close(self) -> None:
        """Take no notice of what is still being opened."""
        self._ticket.drop()
        self._background.drop()
        self._looking.drop()

    def _planned(self, plan: Plan) -> None:
        layer = find_layer(self._viewer.layers, plan)
        if layer is None:
            self._background.run(partial(open_layer_of, plan), partial(self._came, plan))
        else:
            self._make(plan, layer)

    def _came(self, plan: Plan, data: LayerData) -> None:
        self._make(plan, self._add(data))

    def _make(self, plan: Plan, layer: Any) -> None:
        ticket = self._ticket = _Ticket()

        def make() -> tuple[Placement, Restored]:
            volume, placement = open_layer(layer, plan.voxel_nm, plan.config.nm_per_px)
            return placement, ticket.came(make_again(plan, volume))

        self._background.run(make, partial(self._made, layer))

    def _made(self, layer: Any, made: tuple[Placement, Restored]) -> None:
        placement, restored = made
        self._ticket.taken()
        if layer not in self._viewer.layers:  # removed meanwhile
            restored.writer.discard()
            return
        for problem in restored.plan.problems:
            notices.show_warning(problem)
        try:
            self._take_up(layer, placement, restored)
        except BcannotError as error:
            restored.writer.discard()
            self._background.fail(one_line(error))
        else:
            self._opened(restored.plan.reader.folder)

    def _looked(self, plan: Plan) -> None:
        if find_layer(self._viewer.layers, plan) is None:
            self._looking.run(partial(open_layer_of, plan), self._add)

    def _add(self, data: LayerData) -> Any:
        return self._viewer.add_layer(Layer.create(*data))


class RestoreOffer:
    """Offers the session that was interrupted last, on top of a widget, once.

    Parameters
    ----------
    owner : QWidget
        Has a box layout.
    viewer : napari.Viewer
        Where the session comes back.
    root : Path
        Where sessions are recorded.
    take_up : callable
        Goes on with the session.
    """

    def __init__(self, owner: QWidget, viewer: Any, root: Path, take_up: TakeUp) -> None:
        self.bar = RestoreBar(owner)
        self._folder: Path | None = None
        self._background = Background(notices.show_warning)
        self.opener = SessionOpener(viewer, take_up, self._opened, self._failed)
        layout: Any = owner.layout()
        layout.insertWidget(0, self.bar)
        self.bar.restore.clicked.connect(lambda _=False: self.restore())
        self.bar.later.clicked.connect(lambda _=False: self.withdraw())
        owner.destroyed.connect(lambda _=None: self.close())  # a viewer may just delete it
        self._background.run(partial(interrupted, root), self._found)

    @property
    def busy(self) -> bool:
        """Whether it is still looked for, or being restored."""
        return self._background.busy or self.opener.busy

    def restore(self) -> None:
        """Bring the session back that is offered."""
        if self._folder is not None:
            self.bar.restore.setEnabled(False)
            self.opener.open(self._folder)

    def withdraw(self) -> None:
        """Offer the session no more, the next time neither; it stays in the list of sessions."""
        self.bar.offer(None)
        folder, self._folder = self._folder, None
        if folder is not None:
            self._background.run(lambda: SittingWriter.resume(folder).close(), lambda _: None)

    def close(self) -> None:
        """Take no notice of what is still going on."""
        self._background.drop()
        self.opener.close()

    def _found(self, info: SittingInfo | None) -> None:
        self._folder = None if info is None else info.folder
        self.bar.offer(info)

    def _opened(self, _: Path) -> None:
        self.bar.offer(None)

    def _failed(self, message: str) -> None:
        self.bar.restore.setEnabled(True)
        notices.show_error(message)
