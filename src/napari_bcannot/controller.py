"""What the *Trace neuron* widget does, without Qt and napari.

`TraceController` holds the neurites of a sitting, sends the active one the clicks of the person
and of the policy, and says after every change what is to be shown. It is a state machine; `Phase`
lists its states, `PolicyTurns` has the policy's side of it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from bcannot_core.annotators.labels import Flag
from bcannot_core.errors import BcannotError
from bcannot_core.volumes import Volume
from napari_bcannot import branching
from napari_bcannot.neurites import Neurite, Parent, Status
from napari_bcannot.nodes import Edit, Place
from napari_bcannot.policy_turns import PolicyTurns
from napari_bcannot.recorder import SittingRecorder
from napari_bcannot.run_count import IDLE_CLICKS as IDLE_CLICKS
from napari_bcannot.snapshot import Mode, Phase, Snapshot
from napari_bcannot.tracing import TraceSession
from napari_bcannot.turns import one_line

READY = "Click to place nodes, or press Start."


class TraceController(PolicyTurns):
    """The neurites of a sitting, shared by a person and a policy.

    Attributes
    ----------
    neurites : NeuriteList
        All of them; commands act on the active one.
    recorder : SittingRecorder
        Writes down whatever happens to them.
    advances : bool
        Whether a node that the person places by hand leads on to the next section.
    """

    def __init__(self) -> None:
        super().__init__()
        self.advances = False
        self.recorder = SittingRecorder(self.neurites, self.warned.emit)
        self.neurites.activated.connect(self._on_activated)
        self.neurites.changed.connect(lambda *_: self._tell())

    # -------------------------------------------------------------------------- neurites
    def begin(
        self,
        trace: TraceSession,
        *,
        place_first: bool = True,
        name: str = "",
        parent: Parent | None = None,
    ) -> Neurite:
        """Make ``trace`` a neurite and the active one; its start point becomes the first node.

        The neurites so far stay where they are in the same volume; another volume is another
        sitting. One that nothing was placed in is dropped.
        """
        others = [one.trace.volume for one in self.neurites]
        if any(_place_of(volume) != _place_of(trace.volume) for volume in others):
            self.close(quiet=True)
        self._let_go()
        empty = self.neurites.active
        if empty is not None and self.neurites.is_blank(empty):
            self.neurites.drop(empty)
        with self.neurites.together():
            neurite = self.neurites.add(trace, name=name, parent=parent)
            if place_first:
                trace.place(trace.start_zyx)
        self._to(Phase.MANUAL, READY)
        return neurite

    def activate(self, neurite: Neurite) -> None:
        """Act on another neurite from here on; a running policy is paused."""
        if neurite is not self.neurites.active:
            self._let_go()
            self.neurites.activate(neurite)

    def jump_to(self, neurite: Neurite, z: int) -> None:
        """Show a section of a neurite."""
        self.activate(neurite)
        self.go_to(z)

    def branch(self, direction: int, z: int | None = None) -> Neurite | None:
        """Begin a neurite at the active one's node of a section, the one in view by default."""
        active = self.neurites.active
        if active is None:
            self.warned.emit("There is no neurite to branch off: pick a start point first.")
            return None
        self._let_go()
        return self._tried(
            lambda: branching.branch(
                self.neurites, active, active.trace.z if z is None else z, direction
            ),
            f"A branch of {active.name}. {READY}",
        )

    def split(self, z: int | None = None, neurite: Neurite | None = None) -> Neurite | None:
        """Cut a neurite before its node of a section; what comes after is a neurite of its own."""
        whole = neurite or self.neurites.active
        if whole is None:
            return None
        self._let_go()
        if whole.trace.terminated:
            self._reopen(whole)
        at = whole.trace.z if z is None else z
        return self._tried(
            lambda: branching.split(self.neurites, whole, at), f"Split before section z = {at}."
        )

    def rename(self, neurite: Neurite, name: str) -> None:
        """Give a neurite another name; one that is taken is refused with a warning."""
        try:
            self.neurites.rename(neurite, name)
        except BcannotError as error:
            self.warned.emit(one_line(error))
            self._tell()

    def remove(self, neurite: Neurite) -> None:
        """Delete a neurite; Undo brings it back."""
        if neurite is self.neurites.active:
            self._let_go()
        self.neurites.remove(neurite)
        self._tell()

    def close(self, message: str = "", *, quiet: bool = False) -> None:
        """Let go of all neurites; what was recorded stays."""
        self._next_generation()
        self._phase, self._said, self._stop = Phase.IDLE, message, None
        self.recorder.end_all()
        self.proposal = None
        self.neurites.clear()
        if not quiet:
            self._tell()

    def snapshot(self) -> Snapshot:
        """Return what is to be shown."""
        active, timeline = self.neurites.active, self.neurites.timeline
        undo, redo = timeline.next_undo is not None, timeline.next_redo is not None
        if active is None:
            return Snapshot(
                text=self._said or Snapshot.text, mode=self._mode, can_undo=undo, can_redo=redo
            )
        trace = active.trace
        section = f"Section {trace.section} of {trace.sections}"
        nodes = f"{trace.count} node{'' if trace.count == 1 else 's'}"
        confidence = self.proposal.confidence if self.proposal else None
        sure = "" if confidence is None else f" · confidence {confidence:.2f}"
        return Snapshot(
            phase=self._phase,
            text=f"{section} · {nodes}{sure}\n{self._said}",
            section=trace.section,
            sections=trace.sections,
            z=trace.z,
            nodes=trace.nodes,
            start_zyx=trace.start_zyx,
            confidence=confidence,
            mode=self._mode,
            neurite=active.name,
            saves=any(one.trace.count for one in self.neurites),
            ghost_zyx=self.ghost_zyx,
            stop=self._stop,
            can_undo=undo,
            can_redo=redo,
        )

    # ---------------------------------------------------------------------------- person
    def edit(self, edits: Sequence[Edit]) -> None:
        """Place and remove nodes for the person; a policy at work goes on from there.

        The section in view stays the same. What cannot be done is refused with a warning, and the
        layers show the session as it is.
        """
        trace = self._person_acts()
        if trace is None:
            return
        z, waited = trace.z, self._phase is Phase.WAITING
        count = len(trace.session.clicks)
        try:
            with self.neurites.together():
                for one in edits:
                    if isinstance(one, Place):
                        trace.place(one.zyx, int(self._flag_of(trace, one, waited)))
                    else:
                        trace.remove(one.z)
        except BcannotError as error:
            self.warned.emit(one_line(error))
        if trace.z != z:
            trace.go_to(z)
        if waited and len(trace.session.clicks) > count:
            self._phase = Phase.RUNNING
            self._go_on()
            return
        if self.advances and self._mode is Mode.HAND and _placed_here(edits, z):
            trace.press("next_section")
        self._said = self._said if self._phase is Phase.RUNNING else "Edited by hand."
        self._tell()

    def go_to(self, z: int) -> None:
        """Move to section ``z`` for the person.

        A running policy is paused; a proposal waits while the person looks at other sections.
        """
        trace = self.trace
        if trace is None or z == trace.z or not trace.covers(z):
            return
        if self._phase is Phase.RUNNING:
            self._take_over()
        if not trace.terminated:
            trace.go_to(z)
        self._tell()

    def next_section(self) -> None:
        """Press +z for the person."""
        self._step(1)

    def previous_section(self) -> None:
        """Press −z for the person."""
        self._step(-1)

    def done(self) -> None:
        """Press Done for the person: the neurite is complete."""
        trace = self.trace
        if trace is not None and not trace.terminated:
            self._take_over()
            trace.press("done")
            self._mark(Status.DONE)
            self._to(Phase.FINISHED, "Done. Save the trace, or press Start or edit to go on.")

    def undo(self) -> None:
        """Take back the last change, in whichever neurite; a running policy is paused."""
        change = self.neurites.timeline.next_undo
        if change is not None:
            self._take_over()
            self.neurites.timeline.undo(lambda neurite: self._at(neurite).undo())
            self._tell()

    def redo(self) -> None:
        """Make the change again that was taken back last; a running policy is paused."""
        change = self.neurites.timeline.next_redo
        if change is not None:
            self._take_over()
            self.neurites.timeline.redo(lambda neurite: self._at(neurite).redo())
            self._tell()

    # ------------------------------------------------------------------------- recording
    def record(self, folder: Path | None) -> None:
        """Record sessions in a folder each below ``folder``, this one so far included; None stops.

        Raises
        ------
        BcannotError
            The session's folder cannot be made; nothing is recorded.
        """
        self.recorder.switch(folder)
        self._tell()

    @property
    def recording(self) -> Path | None:
        """The folder of the session that is being recorded."""
        return self.recorder.folder

    # --------------------------------------------------------------------------- internal
    def _step(self, by: int) -> None:
        trace = self.trace
        if trace is not None and not trace.terminated:
            if self._phase is Phase.RUNNING:
                self._take_over()
            trace.press("next_section" if by > 0 else "previous_section")
            self._tell()

    def _at(self, neurite: Neurite) -> TraceSession:
        """Return a neurite's session, active and open, to take something back in it."""
        self.neurites.activate(neurite)
        return self._person_acts() or neurite.trace

    def _person_acts(self) -> TraceSession | None:
        """Return the session ready for a person's click: after Done it is opened again."""
        active = self.neurites.active
        if active is not None and active.trace.terminated:
            self._reopen(active)
            self._phase, self._said = Phase.MANUAL, "The trace is open again."
        return self.trace

    def _flag_of(self, trace: TraceSession, place: Place, waited: bool) -> Flag:
        """Return whether a placement corrects a policy's node or its proposal."""
        info = trace.node_info(place.zyx[0])
        ghost = self.ghost_zyx if waited else None
        corrects = info is not None and info.actor == "policy" and not info.accepted
        corrects |= ghost is not None and round(ghost[0]) == place.zyx[0]
        return Flag.CORRECTION if corrects else Flag.NONE

    def _let_go(self) -> None:
        """End the policy's run before another neurite becomes the active one."""
        self._next_generation()
        self.proposal = self._stop = None
        if self._phase is not Phase.IDLE:
            self._phase = Phase.MANUAL

    def _on_activated(self, neurite: Neurite | None) -> None:
        self._next_generation()
        self.proposal = self._stop = None
        if neurite is None:
            self._phase = Phase.IDLE
        else:
            done = neurite.trace.terminated
            self._phase = Phase.FINISHED if done else Phase.MANUAL
            self._said = neurite.note or ("Done." if done else READY)
        self._tell()

    def _tried(self, make: Callable[[], Neurite], said: str) -> Neurite | None:
        try:
            made = make()
        except BcannotError as error:
            self.warned.emit(one_line(error))
            return None
        self._to(Phase.MANUAL, said)
        return made


def _placed_here(edits: Sequence[Edit], z: int) -> bool:
    return len(edits) == 1 and isinstance(edits[0], Place) and edits[0].zyx[0] == z


def _place_of(volume: Volume) -> tuple[object, ...]:
    """Return what tells volumes apart."""
    return volume.address, tuple(volume.shape), tuple(volume.voxel_nm)
