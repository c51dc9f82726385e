"""The dock widget *Learn from me*: a policy learns from sessions that the person corrected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer

from bcannot_core.training.learn_process import LearnRequest
from napari_bcannot import notices, policies
from napari_bcannot.background import Background
from napari_bcannot.learning import (
    LearnController,
    SessionEntry,
    free_name,
    name_problem,
    policy_card,
    usable_sessions,
)
from napari_bcannot.policies import SHIPPED, own_policies
from napari_bcannot.recording import default_folder
from napari_bcannot.widgets.dialogs import ask_folder
from napari_bcannot.widgets.docked import DockedWidget
from napari_bcannot.widgets.learn_view import LearnView
from napari_bcannot.widgets.parts import connect_buttons

POLL_MS = 150
"""So often the widget looks for news."""
USUAL_NAME = "my-tissue"


class LearnWidget(DockedWidget):
    """Let a policy learn from corrected sessions in the background.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    controller : LearnController, optional
        What follows the learning.
    sessions : callable, optional
        Returns the folder that sessions are recorded in.
    """

    def __init__(
        self,
        napari_viewer: Any,
        controller: LearnController | None = None,
        sessions: Callable[[], Path] = default_folder,
    ) -> None:
        self.controller = controller or LearnController()
        self.view = LearnView()
        super().__init__(napari_viewer, self.view)
        self._root = sessions
        self._found: list[SessionEntry] = []
        self._added: list[SessionEntry] = []
        self._background = Background(notices.show_error)
        view = self.view
        connect_buttons([
            (view.start, self.start), (view.pause, self.pause), (view.stop, self.stop),
            (view.all, self.tick_all), (view.none, self.tick_none),
            (view.add, self.ask_sessions), (view.refresh, self.refresh),
        ])  # fmt: skip
        view.card.toggled.connect(lambda _: self.show_card())
        view.own.currentIndexChanged.connect(lambda _: self.show_card())
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.controller.poll)
        self.controller.changed.connect(self._show)
        policies.changed.connect(self._list_policies)
        self._list_policies()
        self._show()
        self.refresh()

    # --------------------------------------------------------------------------- sessions
    def refresh(self) -> None:
        """Look again for recorded sessions."""
        root = self._root()
        self._background.run(lambda: usable_sessions(root), self._take_sessions)

    def _take_sessions(self, entries: list[SessionEntry]) -> None:
        self._found = entries
        self._list_sessions()

    def _list_sessions(self) -> None:
        self.view.show_sessions([*self._added, *self._found])
        if not (self._added or self._found) and not self.controller.running:
            self.view.status.setText("No sessions yet: trace and correct some neurites first.")

    def ask_sessions(self) -> None:
        """Ask for a folder of sessions, or a dataset."""
        folder = ask_folder(self, "Folder of sessions, or dataset", str(self._root()))
        if folder is not None:
            self.add_sessions(folder)

    def add_sessions(self, folder: Path) -> None:
        """Add a folder of sessions, or a dataset, to the list."""
        if folder not in [entry.path for entry in self._added]:
            self._added.append(SessionEntry(folder, f"{folder.name} (folder)", str(folder)))
        self._list_sessions()

    def tick_all(self) -> None:
        """Tick every session."""
        self.view.tick_all(True)

    def tick_none(self) -> None:
        """Tick no session."""
        self.view.tick_all(False)

    # --------------------------------------------------------------------------- learning
    def start(self) -> None:
        """Let the policy learn from the ticked sessions."""
        view = self.view
        paths = tuple(Path(path) for path in view.chosen())
        name = view.name.text().strip()
        problem = name_problem(name, [SHIPPED, *own_policies()])
        if not paths:
            problem = "Tick a session to learn from, or add a folder of sessions."
        if problem:
            notices.show_warning(problem)
            return
        request = LearnRequest(
            paths,
            name,
            start_from=str(view.policy.currentData()),
            device=str(view.device.currentData()),
            minutes=view.minutes.value(),
        )
        self.controller.start(request)
        self._timer.start()

    def pause(self) -> None:
        """Pause, or go on."""
        self.controller.toggle_pause()

    def stop(self) -> None:
        """End; learning under the same name goes on from there."""
        self.controller.stop()

    def show_card(self) -> None:
        """Show or hide the model card of the chosen policy of one's own."""
        shown = self.view.card.isChecked() and self.view.own.currentIndex() >= 0
        self.view.show_card(policy_card(str(self.view.own.currentData())) if shown else "")

    def _list_policies(self, made: str = "") -> None:
        own = own_policies()
        view = self.view
        view.show_policies(SHIPPED, own)
        if made in own:
            view.own.setCurrentIndex(view.own.findData(made))
        if not view.name.text() or view.name.text() in own:
            view.name.setText(free_name(USUAL_NAME, own))
        self.show_card()

    def _show(self) -> None:
        control = self.controller
        self.view.show_progress(control.progress, running=control.running, paused=control.paused)
        if not control.running:
            self._timer.stop()
            if control.progress.stage == "failed":
                notices.show_error(control.progress.message)
                control.progress.stage = "idle"

    def release(self) -> None:
        """End everything: what was learned is kept for the next start."""
        self._timer.stop()
        self._background.drop()
        self.controller.changed.disconnect(self._show)
        policies.changed.disconnect(self._list_policies)
        self.controller.close()
