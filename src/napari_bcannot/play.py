"""What the *Play a task* widget does, without Qt and napari.

`PlayController` holds one player at a time: a session that is played, by the person and the
scripted annotator in turns, or a recording. It says after every change what is to be shown.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from psygnal import Signal

from bcannot_core.episodes.player import Habits, Player
from bcannot_core.errors import BcannotError
from napari_bcannot.play_keys import REDO, UNDO, assign_keys
from napari_bcannot.play_recording import PlayRecording
from napari_bcannot.play_setup import PlaySetup
from napari_bcannot.play_snapshot import PlaySnapshot
from napari_bcannot.recording import RecordSwitch
from napari_bcannot.turns import one_line

READING = "Reading …"
LONGEST_WAIT_MS = 3_000
"""At the real pace nobody waits longer than this for a click."""
_MOST_MS = 0xFFFF_FFFF


class Reader(Protocol):
    """Who reads what the screen shows."""

    def run(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Begin a job; ``done`` gets its result later, on the caller's thread."""

    def drop(self) -> None:
        """Take no notice of a job that goes on."""


class ReadHere:
    """Reads at once; whoever asked waits."""

    def run(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Do a job."""
        done(job())

    def drop(self) -> None:
        """Do nothing: no job goes on."""


class PlayController:
    """One session or recording at a time.

    Clicks count at once. The screen follows when what it shows was read, which takes a while for
    volumes on a disk or a server; until then there are no further clicks.

    Parameters
    ----------
    clock : callable
        Seconds, for the person's reaction times.
    reader : Reader, optional
        Reads what does not lie in memory; on this thread by default. Of a job that failed it is to
        tell `unread`.

    Attributes
    ----------
    changed : Signal
        Emits a `PlaySnapshot` after every change.
    warned : Signal
        Emits a one-line message that the person should read.
    """

    changed = Signal(PlaySnapshot)
    warned = Signal(str)

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, reader: Reader | None = None
    ) -> None:
        self.player: Player | None = None
        self._records = RecordSwitch(self._open_recording, self.warned.emit)
        self._clock = clock
        self._reader: Reader = reader or ReadHere()
        self._awaited: Any = None
        self._stale = False
        self._clicked_at = clock()
        self._title = ""
        self._playing = False
        self._thinks = False
        self._said = PlaySnapshot.text

    # --------------------------------------------------------------------------- sessions
    def begin(self, setup: PlaySetup) -> bool:
        """Make a world and begin a session on it; what was recorded of the one before stays.

        Returns
        -------
        bool
            Whether there is one; otherwise the person was warned and everything is as before.
        """
        try:
            player = setup.player()
        except BcannotError as error:
            self.warned.emit(one_line(error))
            return False
        self.take(player, setup.title)
        return True

    def take(self, player: Player, title: str) -> None:
        """Begin the session of a player that was made elsewhere."""
        self._replace(player, title)
        self._records.anew()
        self._clicked_at = self._clock()
        self._say("Click in the screen, or watch the annotator.")

    def show(self, player: Player, title: str) -> None:
        """Look at a recording."""
        self._replace(player, title)
        self._say("A recording: drag the slider, or press Play.")

    def close(self) -> None:
        """Let go of everything; what was recorded stays."""
        self._records.end()
        self._reader.drop()
        self.player = self._awaited = None
        self._title, self._playing, self._thinks = "", False, False
        self._say(PlaySnapshot.text)

    def _replace(self, player: Player, title: str) -> None:
        self._records.end()
        self._reader.drop()
        self.player, self._title, self._awaited = player, title, None
        self._playing = self._thinks = False

    # ----------------------------------------------------------------------------- person
    @property
    def playing(self) -> bool:
        """Whether it goes on by itself."""
        return self._playing

    @property
    def keys(self) -> dict[str, str]:
        """Button id by key, for the task at hand."""
        return {} if self.player is None else assign_keys(self.player.session.screen.layout.specs)

    def click(self, click_xy: tuple[int, int]) -> None:
        """Click in the screen for the person, who takes over from the annotator."""
        player = self.player
        if player is None or self._is_stale():
            return
        self._playing = self._thinks = False
        if player.session.terminated and player.at_end and not player.recorded:
            self._say("The task is done: press New seed or Again to play on.")
            return
        self._act(lambda: player.click(click_xy, self._ms()).action)

    def press(self, button: str) -> None:
        """Press a button of the screen for the person."""
        if self.player is not None:
            self.click(self.player.session.click_for(button))

    def key(self, key: str) -> bool:
        """Do what a key means; False where it means nothing here."""
        if self.player is None:
            return False
        button = self.keys.get(key)
        if button is not None:
            self.press(button)
        elif key == UNDO:
            self._retrace("nothing to undo", redo=False)
        elif key == REDO:
            self._retrace("nothing to redo", redo=True)
        else:
            return False
        return True

    def _retrace(self, otherwise: str, *, redo: bool) -> None:
        """Undo where the screen has no such button, or redo."""
        player = self.player
        if player is None or player.recorded or self._is_stale():
            return
        player.seek(player.steps)
        session = player.session
        possible = session.can_redo if redo else session.can_undo
        if not possible:
            self._say(f"There is {otherwise}.")
            return
        self._playing = self._thinks = False
        move = session.redo if redo else session.undo
        self._act(lambda: move(ms=self._ms())[-1].action)

    def _act(self, action: Callable[[], str]) -> None:
        """Do something in the session, and say what it was."""
        try:
            done = action()
        except BcannotError as error:
            self._say(f"{one_line(error)[:1].upper()}{one_line(error)[1:]}.")
            return
        self._after(done)

    def _after(self, action: str) -> None:
        """Say what a click in the session did; a session that ended goes to the dataset."""
        player = self.player
        if player is not None and player.session.terminated:
            self._playing = self._thinks = False
            self._say(self._store())
        elif action == "none":
            self._say("That click did nothing.")
        else:
            self._say(f"{action.replace('_', ' ').capitalize()}.")

    # --------------------------------------------------------------------- watch and look
    def play(self) -> None:
        """Go on by itself: through the recording or earlier steps, then by the annotator."""
        player = self.player
        if player is None or self._is_stale():
            return
        if player.recorded and player.at_end:
            player.seek(0)
        if not player.can_advance:
            self._say("The task is done: press New seed, or drag the slider to look back.")
            return
        self._playing = self._thinks = True
        self._announce("")

    def pause(self) -> None:
        """Hold; the person may click."""
        self._playing = self._thinks = False
        self._say("Paused.")

    def step(self) -> None:
        """Go on by one step."""
        self._playing = False
        self._thinks = True
        self.tick()

    def work_as(self, habits: Habits) -> None:
        """Let the annotator go on in another way."""
        if self.player is not None and not self.player.recorded:
            self.player.work_as(habits)
            if self._thinks:
                self._announce(self._said)

    def back(self) -> None:
        """Go back by one step."""
        if self.player is not None:
            self.seek(self.player.position - 1)

    def seek(self, position: int) -> None:
        """Show another moment."""
        player = self.player
        if player is not None and position != player.position:
            self._playing = self._thinks = False
            player.seek(position)
            live = player.at_end and not player.recorded
            self._say("" if player.recorded or live else "Looking back.")

    def tick(self) -> None:
        """Take the next step, of a session that is watched or a recording that is played."""
        player = self.player
        if player is None or self._is_stale():
            return
        live = player.at_end
        try:
            moved = player.advance()
        except BcannotError as error:
            self._fail(error)
            return
        if not moved or not player.can_advance:
            self._playing = self._thinks = False
        if live and moved and player.session.terminated:
            self._after("done")
        else:
            who = "The annotator is at work" if self._playing else "A step by the annotator"
            self._announce(f"{who}: click to take over." if live and moved else "")

    def wait_ms(self, rate: float | None) -> int:
        """Return how long to wait for the next step.

        Parameters
        ----------
        rate : float or None
            Steps a second; None for the pace at which the click was made.
        """
        if rate is not None:
            return max(1, round(1000 / rate))
        click = None if self.player is None else self.player.upcoming(think=self._thinks)
        return min(LONGEST_WAIT_MS, max(20, click.ms if click is not None and click.ms else 500))

    def _announce(self, message: str) -> None:
        """Show the click that comes next; without an annotator nobody goes on."""
        try:
            if self.player is not None:
                self.player.upcoming(think=self._thinks)
        except BcannotError as error:
            self._fail(error)
        else:
            self._say(message)

    def _fail(self, error: BcannotError) -> None:
        self._playing = self._thinks = False
        self.warned.emit(one_line(error))
        self._say("")

    # -------------------------------------------------------------------------- recording
    def record(self, folder: Path | None) -> None:
        """Record this session, its clicks so far included, and the next ones; None stops.

        Raises
        ------
        BcannotError
            The journal cannot be made; nothing is recorded.
        """
        self._records.switch(folder)
        self._say(self._said)

    @property
    def recording(self) -> PlayRecording | None:
        """What is being recorded."""
        return self._records.current

    def _open_recording(self, folder: Path) -> PlayRecording | None:
        player = self.player
        if player is None or player.recorded or player.session.terminated:
            return None
        return PlayRecording(folder, player.session, player.seed, self.warned.emit)

    def _store(self) -> str:
        """Add the finished session to the dataset where it is recorded; say so."""
        recording = self._records.end()
        if recording is None:
            return "Done."
        if recording.stored is None:
            return "Done. The session could not be added to the dataset."
        return f"Done. Recorded: {recording.stored} clicks, in {self._records.folder}."

    # ------------------------------------------------------------------------------- read
    def unread(self, message: str) -> None:
        """Take note that what was awaited could not be read; the next step tries again."""
        asked, self._awaited = self._awaited, None
        if self.player is not None and self.player.state is not asked:
            self._say(self._said)
            return
        self._playing = self._thinks = False
        self._said = "This moment could not be read: press Step to try again, or Back."
        self.warned.emit(message)
        self.changed.emit(self.snapshot())

    def _is_stale(self) -> bool:
        """Whether the screen does not show the moment; if nobody reads it, somebody does now."""
        if self._stale and self._awaited is None:
            self._say("")
        return self._stale

    def _read(self) -> None:
        """Have the moment read unless it is at hand; one read at a time, however fast one looks."""
        player = self.player
        self._stale = player is not None and not player.at_hand
        if player is None or not self._stale or self._awaited is not None:
            return
        self._awaited = player.state
        try:
            self._reader.run(player.reading(), self._has_read)
        except BcannotError as error:
            self.unread(one_line(error))

    def _has_read(self, _: Any) -> None:
        asked, self._awaited = self._awaited, None
        if self.player is not None and self.player.state is not asked:
            self._say(self._said)
        else:
            self._stale = False
            self.changed.emit(self.snapshot())

    # --------------------------------------------------------------------------- internal
    def frame(self) -> Any:
        """Return the frame to show, uint8 (h, w, 3); None where there is nothing.

        To be asked for while the snapshot is not stale: it would read what is not at hand.
        """
        return None if self.player is None else self.player.frame(think=self._thinks)

    def snapshot(self) -> PlaySnapshot:
        """Return what is to be shown."""
        player = self.player
        if player is None:
            return PlaySnapshot(text=self._said)
        view = player.view(think=self._thinks)
        live = player.at_end and not player.recorded and not player.session.terminated
        return PlaySnapshot(
            stale=self._stale,
            title=self._title,
            position=view.position,
            steps=view.steps,
            playing=self._playing,
            can_advance=player.can_advance,
            can_click=live and not self._stale,
            recorded=player.recorded,
            caption="" if view.caption is None else view.caption.text,
            mistaken=view.caption is not None and "mistake" in view.caption.events,
            text=READING if self._stale and self._awaited is not None else self._said,
            score=None if self._stale else player.score(),
            recording=None if self.recording is None else self.recording.path,
        )

    def _ms(self) -> int:
        before, self._clicked_at = self._clicked_at, self._clock()
        return min(_MOST_MS, max(0, round(1000 * (self._clicked_at - before))))

    def _say(self, message: str) -> None:
        self._said = message
        self._read()
        self.changed.emit(self.snapshot())
