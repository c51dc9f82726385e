"""The dock widget *Play a task*: connects the view, the controller, a timer and the viewer."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from bcannot_core.episodes.player import Player
from bcannot_core.episodes.shelf import EpisodeShelf
from bcannot_core.errors import BcannotError
from bcannot_core.screen import VARIANTS
from bcannot_core.tasks.registry import list_tasks
from napari_bcannot import notices
from napari_bcannot.background import Background
from napari_bcannot.layer_watch import LayerWatch
from napari_bcannot.play import PlayController
from napari_bcannot.play_keys import REDO, UNDO, keys_help
from napari_bcannot.play_setup import RANDOM_SCREEN, PlaySetup
from napari_bcannot.play_snapshot import PlaySnapshot, task_title
from napari_bcannot.shown_world import ShownWorld, read_world
from napari_bcannot.turns import one_line
from napari_bcannot.widgets.dialogs import ask_folder
from napari_bcannot.widgets.docked import DockedWidget
from napari_bcannot.widgets.parts import connect_buttons
from napari_bcannot.widgets.play_view import NEW_SEEDS, PlayView
from napari_bcannot.widgets.record_control import RecordControl


class PlayTaskWidget(DockedWidget):
    """Play a task, watch the scripted annotator, look at recorded sessions.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in; gets a world's layers when asked.
    """

    def __init__(self, napari_viewer: Any) -> None:
        self.view = PlayView()
        super().__init__(napari_viewer, self.view)
        self.reading = Background(lambda message: self.controller.unread(message))
        self.controller = PlayController(reader=self.reading)
        self.controller.changed.connect(self._show)
        self.controller.warned.connect(notices.show_warning)
        self.background = Background(self._on_failed)
        self.showing = Background(notices.show_error)
        self.world = ShownWorld(napari_viewer)
        self.recorder = RecordControl(self.view, self.controller.record, self)
        self._rng = np.random.default_rng()
        self._asked: PlaySetup | None = None
        self._shelf: EpisodeShelf | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timer)
        self._fill_in()
        self._connect_view()
        self._watch = LayerWatch(napari_viewer, self._on_layers)
        self._on_layers()
        self._on_task()

    def _fill_in(self) -> None:
        for task_id in list_tasks():
            self.view.task.addItem(task_title(task_id), task_id)
        for name in (*VARIANTS, RANDOM_SCREEN):
            self.view.variant.addItem(name.replace("_", " "), name)

    def _connect_view(self) -> None:
        view, controller = self.view, self.controller
        connect_buttons([
            (view.new, self.new_seed), (view.again, self.begin), (view.setup.apply, self.begin),
            (view.back, controller.back), (view.play, self.toggle), (view.step, controller.step),
            (view.layers, self.show_layers), (view.open, self.choose_recording),
        ])  # fmt: skip
        view.canvas.clicked.connect(lambda x, y: controller.click((x, y)))
        view.canvas.keyed.connect(controller.key)
        view.slider.valueChanged.connect(controller.seek)
        view.episode.valueChanged.connect(self.show_episode)
        view.task.currentIndexChanged.connect(lambda _: self._on_task())
        view.variant.currentIndexChanged.connect(lambda _: self.begin())
        view.speed.currentIndexChanged.connect(lambda _: self._pace())
        view.seed.editingFinished.connect(self._on_seed)
        view.setup.behaviour.currentIndexChanged.connect(lambda _: self._on_annotator())
        view.setup.mistakes.valueChanged.connect(lambda _: self._on_annotator())

    # --------------------------------------------------------------------------- commands
    def new_seed(self) -> None:
        """Begin a session on the world of a seed that is drawn."""
        self.view.seed.setValue(int(self._rng.integers(NEW_SEEDS)))
        self.begin()

    def setup(self) -> PlaySetup:
        """Return what is set in the fields."""
        view = self.view
        return PlaySetup(
            task=view.task.currentData(),
            seed=view.seed.value(),
            variant=view.variant.currentData(),
            options=view.setup.options.values(),
            source=view.setup.chosen_source(),
            behaviour=view.setup.behaviour.currentData(),
            mistakes=view.setup.share_of_mistakes(),
        )

    def begin(self) -> None:
        """Begin a session of what is set in the fields; its world is made in the background."""
        setup = self._asked = self.setup()
        self._shelf = None
        self.view.show_episodes(0)
        self.view.status.setText("Making the world …")
        self.background.run(setup.player, lambda player: self._take(player, setup))

    def _take(self, player: Player, setup: PlaySetup) -> None:
        player.work_as(self.setup().habits)  # they may have been changed meanwhile
        self.controller.take(player, setup.title)
        self._begin_shown()

    def _begin_shown(self) -> None:
        """Get ready for another world: the layers of the one before are no longer its."""
        self.showing.drop()
        self.world.forget()
        self._show_keys()

    def toggle(self) -> None:
        """Play or pause."""
        if self.controller.playing:
            self.controller.pause()
        else:
            self.controller.play()

    def show_layers(self) -> None:
        """Open the world and the annotation as layers, or bring the annotation up to date."""
        player = self.controller.player
        if player is None:
            return
        task, state = player.task, player.state
        if task.in_memory:
            try:
                self.world.show(task, state)
            except BcannotError as error:
                notices.show_error(one_line(error))
        else:
            show = partial(self.world.show, task, state)
            self.showing.run(partial(read_world, task, state), show)

    def choose_recording(self) -> None:
        """Ask for a folder of recorded episodes and show the first."""
        folder = ask_folder(self, "Folder with recorded episodes", str(self.recorder.folder))
        if folder is not None:
            self.open_recording(folder)

    def open_recording(self, folder: Path) -> None:
        """Show the first of the episodes in a folder."""
        try:
            self._shelf = EpisodeShelf(folder)
        except BcannotError as error:
            notices.show_error(one_line(error))
            return
        self.show_episode(0)

    def show_episode(self, number: int) -> None:
        """Open an episode of the folder; reading its data may take a while."""
        shelf = self._shelf
        if shelf is None:
            return
        name = shelf.name(number)
        self._asked = None
        self.view.show_episodes(len(shelf), number, name)
        self.view.status.setText(f"Opening {name} …")

        def opened(player: Player) -> None:
            title = task_title(player.session.task.id)
            self.controller.show(player, f"{title} · {name} of {shelf.path.name}")
            self._begin_shown()

        self.background.run(lambda: _replay(shelf, number), opened)

    # -------------------------------------------------------------------------- reactions
    def _on_task(self) -> None:
        """Offer the options of another task, and begin it."""
        self.view.setup.show_task(self.view.task.currentData())
        self.begin()

    def _on_seed(self) -> None:
        """Begin anew when another seed was typed; leaving the field alone does nothing."""
        if self._asked is not None and self._asked.seed != self.view.seed.value():
            self.begin()

    def _on_annotator(self) -> None:
        self.controller.work_as(self.setup().habits)

    def _on_layers(self, _: Any = None) -> None:
        """Offer the viewer's volumes and labels."""
        self.view.setup.source.show_layers(list(self.viewer.layers))

    def _on_failed(self, message: str) -> None:
        """Say why a world or a recording cannot be shown; what was there stays."""
        notices.show_error(message)
        self.view.show_snapshot(self.controller.snapshot())

    def _show(self, snapshot: PlaySnapshot) -> None:
        if not snapshot.stale:
            self.view.canvas.show_frame(self.controller.frame())
        self.view.show_snapshot(snapshot)
        self.view.record.setText("Recording" if snapshot.recording else "Record")
        if snapshot.playing and not snapshot.stale:
            self._pace()
        else:
            self._timer.stop()

    def _pace(self) -> None:
        if self.controller.playing:
            self._timer.start(self.controller.wait_ms(self.view.speed.currentData()))

    def _on_timer(self) -> None:
        if self.controller.playing:
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

    def release(self) -> None:
        """End everything: no timer, no worker's result and no open journal stays."""
        self._timer.stop()
        for background in (self.background, self.showing, self.reading):
            background.drop()
        self._watch.close()
        self.controller.changed.disconnect(self._show)
        self.controller.close()


def _replay(shelf: EpisodeShelf, number: int) -> Player:
    """Open an episode and read what it shows first."""
    player = Player.replay(shelf[number])
    player.reading()()
    return player
