"""The dock widget *Sessions*: recorded sessions, to open, replay, export and delete."""

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget, QMessageBox

from bcannot_core.errors import UsageError
from bcannot_core.sittings import (
    Export,
    SittingInfo,
    SittingReader,
    Timeline,
    delete_sittings,
    export_sittings,
    interrupted,
    list_sittings,
)
from napari_bcannot import notices
from napari_bcannot.background import Background
from napari_bcannot.compat import run_command
from napari_bcannot.geometry import Placement
from napari_bcannot.recording import default_folder
from napari_bcannot.replaying import SessionReplay, say
from napari_bcannot.restoring import Restored
from napari_bcannot.widgets.dialogs import ask_folder
from napari_bcannot.widgets.docked import DockedWidget
from napari_bcannot.widgets.parts import connect_buttons
from napari_bcannot.widgets.session_opener import SessionOpener
from napari_bcannot.widgets.session_view import SessionView

TRACE_COMMAND = "napari-bcannot.trace_neuron"
LOOK_AGAIN_MS = 3000
"""So often the list is brought up to date while it is seen."""


class SessionBrowser(DockedWidget):
    """Look at recorded sessions and go on with them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    """

    def __init__(self, napari_viewer: Any) -> None:
        self.view = SessionView()
        super().__init__(napari_viewer, self.view)
        self.root = default_folder()
        self.sessions: list[SittingInfo] = []
        self.replay: SessionReplay | None = None
        self._begun_ms = 0
        self._listing = Background(self._say)
        self._work = Background(self._failed, latest=False)
        self._opener = SessionOpener(napari_viewer, self._take_up, self._opened, self._failed)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_AGAIN_MS)
        self._timer.timeout.connect(self._refresh_if_seen)
        self._player = QTimer(self)
        self._player.timeout.connect(self.step)
        self._connect_view()
        for ends in (self._listing.drop, self._work.drop, self._opener.close):
            self.destroyed.connect(lambda _=None, ends=ends: ends())  # a viewer may just delete it
        self.view.show_where(self.root)
        self.refresh()
        self._timer.start()

    def _connect_view(self) -> None:
        view = self.view
        connect_buttons([
            (view.open, self.open_chosen), (view.replay, self.replay_chosen),
            (view.export, self.export_chosen), (view.delete, self.delete_chosen),
            (view.folder, self.choose_folder), (view.back, self.back), (view.step, self.step),
            (view.play, self.play), (view.end, self.close_replay),
            (view.restore, self.restore),
        ])  # fmt: skip
        view.list.itemSelectionChanged.connect(view.show_choice)
        view.list.itemDoubleClicked.connect(lambda *_: self.open_chosen())
        view.slider.valueChanged.connect(self.show_moment)
        view.speed.currentIndexChanged.connect(self._keep_pace)

    # ------------------------------------------------------------------------------- list
    def refresh(self) -> None:
        """Bring the list up to date, in the background."""
        if not self._listing.busy:
            self._listing.run(partial(list_sittings, self.root, tuple(self.sessions)), self._list)

    def _refresh_if_seen(self) -> None:
        if self.isVisible():
            self.refresh()

    def choose_folder(self) -> None:
        """Ask for the folder that sessions lie in."""
        folder = ask_folder(self, "Folder with sessions", str(self.root))
        if folder is not None:
            self.use_folder(folder)

    def use_folder(self, folder: Path) -> None:
        """Look at the sessions in a folder."""
        self.root, self.sessions = folder, []
        self._listing.drop()
        self.view.show_where(folder)
        self.view.status.setText("")
        self.refresh()

    def _list(self, sessions: list[SittingInfo]) -> None:
        if sessions == self.sessions and sessions:
            return
        self.sessions = sessions
        self.view.show_sessions(sessions)
        interrupted_ones = [info for info in sessions if info.state == "interrupted"]
        self.view.show_restorable(any(info.clicks for info in interrupted_ones))
        if not sessions:
            self._say("No session yet: they are recorded here while you trace.")

    # --------------------------------------------------------------------------- commands
    def open_chosen(self) -> None:
        """Bring the chosen session back into the viewer and go on with it."""
        for folder in self._chosen()[:1]:
            self.open_session(folder)

    def restore(self) -> None:
        """Bring back the latest session that was interrupted."""
        self._work.run(partial(interrupted, self.root), self._restore)

    def _restore(self, info: SittingInfo | None) -> None:
        if info is None:
            self._say("No session was interrupted: there is nothing to restore.")
        else:
            self.open_session(info.folder)

    def open_session(self, folder: Path) -> None:
        """Bring a session back into the viewer and go on with it."""
        self.close_replay()
        self._say(f"Opening the session {folder.name} …")
        self._opener.open(folder)

    def export_chosen(self) -> None:
        """Ask for a folder and write the chosen sessions there as a dataset."""
        folders = self._chosen()
        dataset = ask_folder(self, "Dataset to export to") if folders else None
        if dataset is not None:
            self.export(folders, dataset)

    def export(self, folders: list[Path], dataset: Path) -> None:
        """Write sessions as a dataset, in the background."""
        self._say(f"Exporting to {dataset} …")
        self._work.run(partial(export_sittings, folders, dataset), self._exported)

    def delete_chosen(self) -> None:
        """Delete the chosen sessions from the disk, after asking."""
        folders = self._chosen()
        if folders and self._sure(folders):
            self.delete(folders)

    def delete(self, folders: list[Path]) -> None:
        """Delete sessions from the disk, in the background."""
        self._work.run(partial(delete_sittings, folders), self._deleted)

    # ----------------------------------------------------------------------------- replay
    def replay_chosen(self) -> None:
        """Look at the chosen session click by click."""
        for folder in self._chosen()[:1]:
            self.replay_session(folder)

    def replay_session(self, folder: Path) -> None:
        """Show a session in the viewer, with a slider for its moments."""
        self.close_replay()
        self._say(f"Reading the session {folder.name} …")
        self._work.run(lambda: Timeline(SittingReader.open(folder)), partial(self._replay, folder))
        self._opener.show_volume(folder)

    def show_moment(self, count: int) -> None:
        """Show what stood after so many moments of the session that is replayed."""
        if self.replay is None:
            return
        if not self.replay.there:  # somebody removed its layers
            self.close_replay()
            return
        picture = self.replay.show(count)
        self.view.show_moment(count, say(picture, self._begun_ms))

    def step(self) -> None:
        """Show the next moment."""
        if self.replay is not None:
            if self.replay.shown >= len(self.replay.timeline):
                self._hold()
            else:
                self.show_moment(self.replay.shown + 1)

    def back(self) -> None:
        """Show the moment before."""
        if self.replay is not None:
            self.show_moment(max(0, self.replay.shown - 1))

    def play(self) -> None:
        """Let the session go on by itself, or hold it."""
        if self.replay is None:
            self._say("Choose a session and press Replay first.")
            return
        if self._player.isActive():
            self._hold()
            return
        if self.replay.shown >= len(self.replay.timeline):
            self.show_moment(0)
        self._keep_pace()
        self._player.start()
        self.view.show_playing(True)

    def close_replay(self) -> None:
        """Take the replay out of the viewer."""
        self._hold()
        replay, self.replay = self.replay, None
        if replay is not None:
            replay.close()
        self.view.show_replay(False)

    # --------------------------------------------------------------------------- internal
    def _replay(self, folder: Path, timeline: Timeline) -> None:
        self.close_replay()
        if not len(timeline):
            self._say(f"Nothing happened in the session {folder.name}.")
            return
        for problem in timeline.problems:
            notices.show_warning(problem)
        self._begun_ms = timeline.moments[0].at_ms
        self.replay = SessionReplay(self.viewer, timeline, folder.name)
        self.view.show_replay(True, f"Replay of {folder.name}", len(timeline))
        self._say("")
        self.show_moment(len(timeline))

    def _chosen(self) -> list[Path]:
        """Return the chosen sessions; where there is none, say what to do."""
        chosen = self.view.chosen
        if not chosen:
            self._say("Choose a session in the list first.")
        return chosen

    def _hold(self) -> None:
        self._player.stop()
        self.view.show_playing(False)

    def _keep_pace(self, *_: Any) -> None:
        self._player.setInterval(round(1000 / float(self.view.speed.currentData())))

    def _take_up(self, layer: Any, placement: Placement, restored: Restored) -> None:
        """Let the widget *Trace neuron* go on with a session; it is opened where it is not."""
        from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

        for _ in range(2):
            window: Any = self.window()
            found = [w for w in window.findChildren(TraceNeuronWidget) if w.is_open]
            if found:
                found[-1].take_up(layer, placement, restored)
                dock = found[-1].parentWidget()
                if isinstance(dock, QDockWidget):
                    dock.raise_()
                return
            run_command(TRACE_COMMAND)
        raise UsageError(
            "the session was not opened: turn to the window that it is to come into, and open it "
            "again there"
        )

    def _opened(self, folder: Path) -> None:
        self._say(f"The session {folder.name} is open: go on where it ended.")
        self.refresh()

    def _exported(self, done: Export) -> None:
        for problem in done.problems:
            notices.show_warning(problem)
        self._say(
            f"{done.episodes} traces of {done.sessions} sessions are in {done.dataset}: train on "
            "them, or learn from them."
        )

    def _deleted(self, problems: list[str]) -> None:
        for problem in problems:
            notices.show_error(problem)
        self.refresh()

    def _sure(self, folders: list[Path]) -> bool:
        what = "this session" if len(folders) == 1 else f"these {len(folders)} sessions"
        answer = QMessageBox.question(
            self, "Delete sessions", f"Delete {what} from the disk? This cannot be undone."
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _say(self, words: str) -> None:
        self.view.status.setText(words)

    def _failed(self, message: str) -> None:
        self._say("")
        notices.show_error(message)

    def release(self) -> None:
        """End everything: no timer, worker or layer of a replay stays."""
        self._timer.stop()
        self.close_replay()
        for background in (self._listing, self._work):
            background.drop()
        self._opener.close()
