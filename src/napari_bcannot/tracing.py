"""One tracing session as the plugin uses it. No Qt and no napari here."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.coords import CanvasView
from bcannot_core.episodes.worlds import describe_task
from bcannot_core.screen import Screen
from bcannot_core.session import Action, ClickToken, Outcome, Session
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
from napari_bcannot.canvas_cut import cut_to_volume
from napari_bcannot.node_info import EditKind, EditLog, NodeBook, NodeInfo, NodeTable, Rows
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

    Attributes
    ----------
    on_click, on_edit : callable or None
        Called after each click with its token, and after one that is an edit, or takes one back
        or makes one again. Not called while clicks are only repeated (`reopen`, `replay`).

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
        self.on_edit: Callable[[EditKind], None] | None = None
        self.book = NodeBook()
        self._table = NodeTable(self.task.z_of, self.task.point)
        self._screen = Screen(self.task.layout())
        self._screen_lock = threading.Lock()
        self._clicked_at = time.monotonic()
        self._sure: float | None = None
        self._again = False
        self._quiet = False
        self._begin_session()

    def _begin_session(self) -> None:
        self.session = Session(self.task)
        self.history = []
        self.edits = EditLog(self.task.edit_actions)
        self.session.subscribe(self._note)

    def _note(self, outcome: Outcome, token: ClickToken) -> None:
        info = NodeInfo.of(token, self._sure, len(self.history))
        step = Step(outcome.state_before, (token.x, token.y), token.actor, info.accepted)
        self.history.append(step)
        self.book.note(outcome, info, again=self._again)
        kind = self.edits.record(outcome, token)
        if self._quiet:
            return
        if self.on_click is not None:
            self.on_click(token)
        if kind is not None and self.on_edit is not None:
            self.on_edit(kind)

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
    def nodes(self) -> Mapping[int, tuple[float, float]]:
        """The nodes as ``{z: (y, x)}``, voxels, in the order of the sections; do not change it."""
        return self._table.nodes(self.session.state.nodes)

    @property
    def rows(self) -> Rows:
        """The nodes as (n, 3) rows (z, y, x), voxels, by z; read-only."""
        return self._table.rows(self.session.state.nodes)

    @property
    def count(self) -> int:
        """How many nodes there are."""
        return int(self.session.state.nodes.count)

    def node_info(self, z: int) -> NodeInfo | None:
        """Return who placed the node of the section at ``z``, and how; None where there is none."""
        section = self.task.section_of(z)
        node = None if section is None else self.session.state.nodes.get(section)
        return None if section is None or node is None else self.book.get(section, node)

    def node_infos(self) -> list[NodeInfo]:
        """Return what is known of every node, in the order of `rows`."""
        placed = list(self.session.state.nodes.items())
        infos = [self.book.get(section, node) for section, node in placed]
        return infos if self.task.config.direction > 0 else infos[::-1]

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
        return self.edits.done > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to make again, after Done too."""
        return self.edits.undone > 0

    def covers(self, z: int) -> bool:
        """Whether the section at ``z`` is among the trace's."""
        return self.task.section_of(z) is not None

    # ------------------------------------------------------------------------------ moves
    def click(
        self, click_xy: ClickXY, actor: str, confidence: float | None = None, flags: int = 0
    ) -> Outcome:
        """Make one click of the frame.

        Parameters
        ----------
        click_xy : tuple of int
            Frame pixel (x, y).
        actor : str
            Who clicks.
        confidence : float, optional
            How sure the policy is; kept with the node that the click places.
        flags : int
            Kept in the token: `Flag.VERIFY` for a proposal of the policy that a person accepted.

        Raises
        ------
        ClickError
            It lies outside the frame.
        """
        self._sure = confidence
        try:
            return self.session.apply(click_xy, actor, flags, self._ms())
        finally:
            self._sure = None

    def action_of(self, click_xy: ClickXY) -> Action:
        """Return what a click would do now.

        Raises
        ------
        ClickError
            It lies outside the frame.
        """
        return self.task.action_for(self.session.screen.hit(*click_xy), self.session.state)

    def aim_of(self, click_xy: ClickXY, state: Any) -> Zyx | None:
        """Return the point that a click in a state names, voxels; None beside the canvas."""
        canvas_xy = self.session.screen.hit(*click_xy).canvas_xy
        if canvas_xy is None:
            return None
        y, x = self.task.view(state).to_volume(canvas_xy)
        return float(self.task.z_of(state.section)), y, x

    def place(self, zyx: Zyx, flags: int = 0) -> None:
        """Place or move the node of a section, for the person.

        Parameters
        ----------
        zyx : tuple of float
            Voxels.
        flags : int
            Kept in the token of the placement: `Flag.CORRECTION` where it corrects a policy.

        Raises
        ------
        UsageError
            The point lies outside the volume or the trace's sections; nothing is changed.
        """
        *way, last = clicks_to_place(self.session, zyx)
        self._person(way)
        self.session.apply(last, "person", flags, self._ms() if not way else 0)

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
        """Make the edit undone last again; its node stays whose it was."""
        self._again = True
        try:
            self.session.redo(ms=self._ms())
        finally:
            self._again = False

    def reopen(self) -> None:
        """Go on after Done: a new session with all clicks up to Done made again."""
        clicks = [token for token in self.session.clicks if token.action != "done"]
        self._begin_session()
        self.replay(clicks)

    def replay(
        self, clicks: Iterable[ClickToken], confidences: Iterable[float | None] = ()
    ) -> None:
        """Make recorded clicks; nobody is told, and nothing is read.

        Parameters
        ----------
        clicks : iterable of ClickToken
            What was clicked.
        confidences : iterable of float, optional
            How sure a policy was of each click, as far as known.

        Raises
        ------
        ClickError
            One lies outside the frame; those before it are made.
        """
        self._quiet = self._again = True
        try:
            for token, self._sure in zip_longest(clicks, confidences):
                self.session.apply((token.x, token.y), token.actor, token.flags, token.ms)
        finally:
            self._quiet = self._again = False
            self._sure = None

    def adopt(
        self, nodes_zyx: Sequence[Zyx], actor: str, confidence: Sequence[float | None] = ()
    ) -> None:
        """Place nodes that were made elsewhere (a batch, a file), each by its clicks.

        Parameters
        ----------
        nodes_zyx : sequence of tuple
            Voxels.
        actor : str
            Who made them.
        confidence : sequence of float, optional
            How sure a policy was of each.

        Raises
        ------
        UsageError
            A point lies outside the volume or the trace's sections; those before it are placed.
        """
        sure = list(confidence) or [None] * len(nodes_zyx)
        for zyx, one in zip(nodes_zyx, sure, strict=True):
            self._sure = one
            try:
                click_all(self.session, clicks_to_place(self.session, zyx), actor)
            finally:
                self._sure = None

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
        picture = heatmap[self.session.screen.layout.canvas.slices]
        view, inside = cut_to_volume(self.task.view(state), picture, self.volume.shape[1:])
        return view, self.task.z_of(state.section), inside

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
