"""One tracing session as the plugin uses it. No Qt and no napari here."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.coords import CanvasView
from bcannot_core.episodes.worlds import describe_task
from bcannot_core.screen import Screen
from bcannot_core.session import ClickToken, Outcome, Session
from bcannot_core.session.journal import JournalHeader
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.tracing_moves import (
    click_all,
    clicks_to_place,
    clicks_to_remove,
    clicks_to_section,
)
from bcannot_core.volumes import Volume
from bcannot_core.volumes.swc import Skeleton, write_swc
from napari_bcannot.turns import ClickXY, Situation, Step

if TYPE_CHECKING:
    from collections.abc import Callable

Zyx = tuple[float, float, float]


class TraceSession:
    """A session of neuron tracing, with the moves of a person and what a policy needs to know.

    Every method that changes something does it by clicks of the one `Session`.

    Parameters
    ----------
    volume : Volume
        What is traced in.
    start_zyx : tuple of float
        Start point in voxels.
    config : TracingConfig
        Sections, pixel size, direction.

    Raises
    ------
    UsageError
        The start point lies outside the volume.
    """

    def __init__(self, volume: Volume, start_zyx: Zyx, config: TracingConfig) -> None:
        self.volume = volume
        self.task = NeuronTracing(TracingWorld(volume, start_zyx), config)
        self.history: list[Step] = []
        self.on_click: Callable[[ClickToken], None] | None = None
        self._screen = Screen(self.task.layout())
        self._screen_lock = threading.Lock()
        self._clicked_at = time.monotonic()
        self._begin_session()

    def _begin_session(self) -> None:
        self.session = Session(self.task)
        self.history = []
        self.session.subscribe(self._note)

    def _note(self, outcome: Outcome, token: ClickToken) -> None:
        self.history.append(Step(outcome.state_before, (token.x, token.y), token.actor))
        if self.on_click is not None:
            self.on_click(token)

    # ------------------------------------------------------------------------------ facts
    @property
    def start_zyx(self) -> Zyx:
        """The start point, voxels."""
        return self.task.world.start_zyx

    @property
    def z(self) -> int:
        """The section at hand, as an index of the volume."""
        return self.task.z_of(self.session.state.section)

    @property
    def section(self) -> int:
        """The section at hand, counted from 1 at the start point."""
        return int(self.session.state.section) + 1

    @property
    def sections(self) -> int:
        """How many sections the trace can have."""
        return self.task.sections

    @property
    def nodes(self) -> dict[int, tuple[float, float]]:
        """The nodes as ``{z: (y, x)}``, voxels."""
        return {z: (y, x) for z, y, x in self.task.nodes_zyx(self.session.state)}

    @property
    def view_centre_yx(self) -> tuple[float, float]:
        """What the centre of the policy's canvas shows, voxels."""
        return self.task.point(self.session.state.view)

    @property
    def terminated(self) -> bool:
        """Whether Done was pressed."""
        return self.session.terminated

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back, after Done too."""
        return self.session.can_undo or (self.terminated and bool(self.nodes))

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to make again."""
        return self.session.can_redo

    def covers(self, z: int) -> bool:
        """Whether the section at ``z`` is among the trace's."""
        return self.task.section_of(z) is not None

    # ------------------------------------------------------------------------------ moves
    def click(self, click_xy: ClickXY, actor: str) -> Outcome:
        """Make one click of the frame.

        Raises
        ------
        ClickError
            It lies outside the frame.
        """
        return self.session.apply(click_xy, actor, 0, self._ms())

    def place(self, zyx: Zyx) -> None:
        """Place or move the node of a section, for the person.

        Raises
        ------
        UsageError
            The point lies outside the volume or the trace's sections; nothing is changed.
        """
        self._person(clicks_to_place(self.session, zyx))

    def remove(self, z: int) -> None:
        """Take away the node of a section, for the person.

        Raises
        ------
        UsageError
            There is none; nothing is changed.
        """
        self._person(clicks_to_remove(self.session, z))

    def go_to(self, z: int) -> None:
        """Move to a section, for the person.

        Raises
        ------
        UsageError
            It is not among the trace's.
        """
        self._person(clicks_to_section(self.session, z))

    def press(self, button: str) -> None:
        """Press a button, for the person."""
        self._person([self.session.click_for(button)])

    def undo(self) -> None:
        """Take back the last edit, whoever made it."""
        self.session.undo(ms=self._ms())

    def redo(self) -> None:
        """Make the edit undone last again."""
        self.session.redo(ms=self._ms())

    def reopen(self) -> None:
        """Go on after Done: a new session with all clicks up to Done made again."""
        clicks = [token for token in self.session.clicks if token.action != "done"]
        self._begin_session()
        for token in clicks:
            self.session.apply((token.x, token.y), token.actor, token.flags, token.ms)

    def _person(self, clicks: list[ClickXY]) -> None:
        click_all(self.session, clicks, "person", 0, self._ms())

    def _ms(self) -> int:
        """Return the milliseconds since the click before."""
        before, self._clicked_at = self._clicked_at, time.monotonic()
        return int((self._clicked_at - before) * 1000)

    # ----------------------------------------------------------------------------- policy
    def situation(self) -> Situation:
        """Return the history and the present state (any thread may ask)."""
        # in this order: a click in between makes the history too short, and the proposal stale
        history = list(self.history)
        return Situation(history, self.session.state, self.render)

    def render(self, state: Any) -> NDArray[np.uint8]:
        """Return a copy of the frame of a state (any thread may ask; reads the volume).

        Raises
        ------
        VolumeError
            The volume cannot be read.
        """
        with self._screen_lock:
            return self._screen.draw(self.task.content(state)).copy()

    def canvas_of(
        self, state: Any, heatmap: NDArray[np.float32]
    ) -> tuple[CanvasView, int, NDArray[np.float32]]:
        """Return what of a frame's heatmap lies on the volume, its view and its z.

        The view is that of the picture: its pixel (0, 0) is the first one inside the volume.
        """
        view = self.task.view(state)
        picture = heatmap[self.session.screen.layout.canvas.slices]
        rows, columns = (
            np.flatnonzero((at > -0.5) & (at < size - 0.5))
            for at, size in zip(_positions(view), self.volume.shape[1:], strict=True)
        )
        y0, x0 = view.to_volume((float(columns[0]), float(rows[0])))
        inside = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        step_y, step_x = view.step_yx
        height, width = inside.shape
        centre = (y0 + height // 2 * step_y, x0 + width // 2 * step_x)
        return (
            replace(view, centre_yx=centre, size_hw=inside.shape),
            self.task.z_of(state.section),
            inside,
        )

    # ----------------------------------------------------------------------------- output
    def header(self, **meta: Any) -> JournalHeader:
        """Return the first line of this session's journal.

        Raises
        ------
        VolumeError
            The volume cannot be read.
        """
        return describe_task(self.task, meta)

    def save_swc(self, path: Path, policy: str) -> None:
        """Write the nodes as an SWC file, in nanometres.

        Raises
        ------
        VolumeError
            It cannot be written.
        """
        header = {"volume": self.volume.address, "policy": policy}
        nodes = self.task.nodes_zyx(self.session.state)
        write_swc(path, Skeleton.from_voxels(nodes, self.volume.voxel_nm, header=header))


def _positions(view: CanvasView) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the voxel coordinates of a canvas's rows and columns."""
    height, width = view.size_hw
    step_y, step_x = view.step_yx
    ys = view.centre_yx[0] + (np.arange(height) - height // 2) * step_y
    xs = view.centre_yx[1] + (np.arange(width) - width // 2) * step_x
    return ys, xs
