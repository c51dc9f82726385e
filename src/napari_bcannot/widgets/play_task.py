"""The dock widget *Play a task*: connects the view, the controller, a timer and the viewer."""

from pathlib import Path
from typing import Any

from napari.layers import Layer
from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout

from bcannot_core.episodes.player import Player
from bcannot_core.episodes.shelf import EpisodeShelf
from bcannot_core.errors import BcannotError
from bcannot_core.screen import VARIANTS
from bcannot_core.tasks.registry import list_tasks
from napari_bcannot.background import Background
from napari_bcannot.play import PlayController
from napari_bcannot.play_keys import REDO, UNDO, keys_help
from napari_bcannot.play_snapshot import PlaySnapshot, task_title
from napari_bcannot.recording import default_folder
from napari_bcannot.turns import one_line
from napari_bcannot.widgets.dialogs import ask_folder
from napari_bcannot.widgets.docked import DockedWidget
from napari_bcannot.widgets.play_view import PlayView


class PlayTaskWidget(DockedWidget):
    """Play a task, watch the scripted annotator, look at recorded sessions.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in; gets a world's layers when asked.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.view = PlayView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self.controller = PlayController()
        self.controller.changed.connect(self._show)
        self.controller.warned.connect(show_warning)
        self.background = Background(self._on_not_opened)
        self.record_folder = default_folder()
        self._shelf: EpisodeShelf | None = None
        self._layers: list[Any] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timer)
        self._fill_in()
        self._connect_view()
        self.begin()

    def _fill_in(self) -> None:
        for task_id in list_tasks():
            self.view.task.addItem(task_title(task_id), task_id)
        for name in VARIANTS:
            self.view.variant.addItem(name.replace("_", " "), name)

    def _connect_view(self) -> None:
        view, controller = self.view, self.controller
        for button, command in (
            (view.new, self.next_world), (view.again, self.begin),
            (view.back, controller.back), (view.play, self.toggle), (view.step, controller.step),
            (view.layers, self.show_layers), (view.record_folder, self.choose_record_folder),
            (view.open, self.choose_recording),
        ):  # fmt: skip
            button.clicked.connect(lambda _=False, command=command: command())
        view.canvas.clicked.connect(lambda x, y: controller.click((x, y)))
        view.canvas.keyed.connect(controller.key)
        view.slider.valueChanged.connect(controller.seek)
        view.record.toggled.connect(self.record)
        view.episode.valueChanged.connect(self.show_episode)
        view.task.currentIndexChanged.connect(lambda _: self.begin())
        view.variant.currentIndexChanged.connect(lambda _: self.begin())
        view.speed.currentIndexChanged.connect(lambda _: self._pace())
        view.seed.editingFinished.connect(self._on_seed)

    # --------------------------------------------------------------------------- commands
    def next_world(self) -> None:
        """Begin a session on the world of the next seed."""
        seed = self.view.seed
        seed.setValue(seed.value() + 1 if seed.value() < seed.maximum() else 0)
        self.begin()

    def begin(self) -> None:
        """Begin a session of the chosen task, seed and screen."""
        view = self.view
        self.background.drop()
        self._shelf = None
        view.show_episodes(0)
        self.controller.begin(
            view.task.currentData(), view.seed.value(), view.variant.currentData()
        )
        self._forget_layers()
        self._show_keys()

    def toggle(self) -> None:
        """Play or pause."""
        if self.controller.snapshot().playing:
            self.controller.pause()
        else:
            self.controller.play()

    def show_layers(self) -> None:
        """Open the world and the annotation as layers; in place of those opened before."""
        player = self.controller.player
        if player is None:
            return
        try:
            found = player.task.layers(player.state)
        except BcannotError as error:
            show_error(one_line(error))
            return
        for layer in self._layers:
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self._layers = [
            self.viewer.add_layer(Layer.create(data, meta, kind)) for data, meta, kind in found
        ]

    def record(self, on: bool) -> None:
        """Record sessions, or stop recording."""
        try:
            self.controller.record(self.record_folder if on else None)
        except BcannotError as error:
            show_error(one_line(error))
            self.view.record.setChecked(False)

    def choose_record_folder(self) -> None:
        """Ask for the dataset that sessions are added to."""
        folder = ask_folder(self, "Folder for recorded sessions", str(self.record_folder))
        if folder is not None:
            self.record_folder = folder
            self.record(self.view.record.isChecked())

    def choose_recording(self) -> None:
        """Ask for a folder of recorded episodes and show the first."""
        folder = ask_folder(self, "Folder with recorded episodes", str(self.record_folder))
        if folder is not None:
            self.open_recording(folder)

    def open_recording(self, folder: Path) -> None:
        """Show the first of the episodes in a folder."""
        try:
            self._shelf = EpisodeShelf(folder)
        except BcannotError as error:
            show_error(one_line(error))
            return
        self.show_episode(0)

    def show_episode(self, number: int) -> None:
        """Open an episode of the folder; reading its data may take a while."""
        shelf = self._shelf
        if shelf is None:
            return
        name = shelf.name(number)
        self.view.show_episodes(len(shelf), number, name)
        self.view.status.setText(f"Opening {name} …")

        def opened(player: Player) -> None:
            title = task_title(player.session.task.id)
            self.controller.show(player, f"{title} · {name} of {shelf.path.name}")
            self._forget_layers()
            self._show_keys()

        self.background.run(lambda: Player.replay(shelf[number]), opened)

    # -------------------------------------------------------------------------- reactions
    def _on_seed(self) -> None:
        """Begin anew when another seed was typed; leaving the field alone does nothing."""
        player = self.controller.player
        if player is None or player.recorded or player.seed != self.view.seed.value():
            self.begin()

    def _on_not_opened(self, message: str) -> None:
        show_error(message)
        self.view.status.setText("That recording cannot be shown.")

    def _show(self, snapshot: PlaySnapshot) -> None:
        try:
            self.view.canvas.show_frame(self.controller.frame())
        except BcannotError as error:
            self._timer.stop()
            show_error(one_line(error))
        self.view.show_snapshot(snapshot)
        self.view.record.setText("Recording" if snapshot.recording else "Record")
        if snapshot.playing:
            self._pace()
        else:
            self._timer.stop()

    def _pace(self) -> None:
        if self.controller.snapshot().playing:
            self._timer.start(self.controller.wait_ms(self.view.speed.currentData()))

    def _on_timer(self) -> None:
        if self.controller.snapshot().playing:
            self.controller.tick()

    def _show_keys(self) -> None:
        player = self.controller.player
        if player is None:
            return
        keys = self.controller.keys
        self.view.canvas.keys = {*keys, UNDO, REDO}
        specs = player.session.screen.layout.specs
        self.view.help.setText("" if player.recorded else keys_help(keys, specs))
        self.view.help.setVisible(not player.recorded)

    def _forget_layers(self) -> None:
        """Leave the layers of an earlier world as they are."""
        self._layers = []

    def release(self) -> None:
        """End everything: no timer, no worker's result and no open journal stays."""
        self._timer.stop()
        self.background.drop()
        self.controller.changed.disconnect(self._show)
        self.controller.close()
