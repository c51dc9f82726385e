"""What the *Trace neuron* widget does, without Qt and napari.

`TraceController` holds one session at a time, sends it the clicks of the person and of the policy,
and says after every change what is to be shown. It is a state machine; `Phase` lists its states.
Every run of a policy has a generation. Pausing, stopping or failing starts another generation, so
that whatever the worker still sends is recognised as stale and dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psygnal import Signal

from bcannot_core.errors import BcannotError, ClickError, TaskError
from bcannot_core.session import ClickToken
from napari_bcannot.nodes import Edit, Place
from napari_bcannot.recording import Recording, RecordSwitch
from napari_bcannot.snapshot import Phase, Snapshot
from napari_bcannot.tracing import TraceSession
from napari_bcannot.turns import Failure, Proposal, Situation, one_line

IDLE_CLICKS = 12
"""A policy that clicks this often in a row without effect is paused."""
CLICKS_PER_SECTION = 8
"""A policy that clicks this often per section, on average, is paused."""


@dataclass(slots=True)
class _Run:
    """How a policy's run has gone so far."""

    clicks: int = 0
    idle_clicks: int = 0
    once: bool = False


class TraceController:
    """One tracing session at a time, shared by a person and a policy.

    Attributes
    ----------
    changed : Signal
        Emits a `Snapshot` after every change.
    warned : Signal
        Emits a one-line message that the person should read.
    """

    changed = Signal(Snapshot)
    warned = Signal(str)

    def __init__(self) -> None:
        self.trace: TraceSession | None = None
        self.proposal: Proposal | None = None
        self.wants_heatmap = False
        self._records = RecordSwitch(self._open_recording, self.warned.emit)
        self._phase = Phase.IDLE
        self._generation = 0
        self._run = _Run()
        self._said = ""

    # --------------------------------------------------------------------------- session
    def begin(self, trace: TraceSession, *, place_first: bool = True) -> None:
        """Make ``trace`` the session; its start point becomes the first node."""
        self.close(quiet=True)
        self.trace = trace
        trace.on_click = self._write
        self._records.anew()
        if place_first:
            trace.place(trace.start_zyx)
        self._to(Phase.MANUAL, "Click to place nodes, or press Start.")

    def close(self, message: str = "", *, quiet: bool = False) -> None:
        """Let go of the session; what was recorded stays."""
        self._records.end()
        self.trace = None
        self.proposal = None
        self._phase, self._said = Phase.IDLE, message
        self._next_generation()
        if not quiet:
            self._tell()

    def snapshot(self) -> Snapshot:
        """Return what is to be shown."""
        trace = self.trace
        if trace is None:
            return Snapshot(text=self._said or Snapshot.text)
        section = f"Section {trace.section} of {trace.sections}"
        nodes = f"{len(trace.nodes)} node{'' if len(trace.nodes) == 1 else 's'}"
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
            can_undo=trace.can_undo,
            can_redo=trace.can_redo,
            confidence=confidence,
        )

    # ---------------------------------------------------------------------------- person
    def edit(self, edits: Sequence[Edit]) -> None:
        """Place and remove nodes for the person; a running policy goes on from there.

        The section in view stays the same. What cannot be done is refused with a warning, and the
        layers show the session as it is.
        """
        trace = self._person_acts()
        if trace is None:
            return
        z = trace.z
        try:
            for one in edits:
                if isinstance(one, Place):
                    trace.place(one.zyx)
                else:
                    trace.remove(one.z)
        except BcannotError as error:
            self.warned.emit(one_line(error))
        if trace.z != z:
            trace.go_to(z)
        self._said = self._said if self._phase is Phase.RUNNING else "Edited by hand."
        self._tell()

    def go_to(self, z: int) -> None:
        """Move to section ``z`` for the person; a running policy is paused."""
        trace = self.trace
        if trace is None or z == trace.z or not trace.covers(z):
            return
        self._take_over()
        if not trace.terminated:
            trace.go_to(z)
        self._tell()

    def next_section(self) -> None:
        """Press +z for the person."""
        self._press("next_section")

    def previous_section(self) -> None:
        """Press −z for the person."""
        self._press("previous_section")

    def done(self) -> None:
        """Press Done for the person: the trace is complete."""
        self._press("done")

    def undo(self) -> None:
        """Take back the last edit, whoever made it; a running policy is paused."""
        if self.trace is not None and self.trace.can_undo:
            self._person_acts()
            self._take_over()
            self.trace.undo()
            self._tell()

    def redo(self) -> None:
        """Make the edit again that was taken back last; a running policy is paused."""
        if self.trace is not None and self.trace.can_redo:
            self._take_over()
            self.trace.redo()
            self._tell()

    # ---------------------------------------------------------------------------- policy
    def start(self, *, once: bool = False) -> int | None:
        """Begin or go on with a policy's run; ``once`` for a single click.

        Returns
        -------
        int or None
            The run's generation; None where there is nothing to run on.
        """
        trace = self.trace
        if trace is None:
            self.warned.emit("Pick a start point first: press 'Pick start point', then click.")
            return None
        if self._phase is Phase.RUNNING:
            return None
        if trace.terminated:
            self._reopen(trace)
        self._run = _Run(once=once)
        generation = self._next_generation()
        self._to(Phase.RUNNING, "The policy is tracing…")
        return generation

    def pause(self) -> None:
        """Hold the policy; `start` goes on."""
        if self._phase is Phase.RUNNING:
            self._halt("Paused. Press Start to go on.")

    def stop(self) -> None:
        """End the policy's run; the trace stays and is the person's."""
        if self._phase in (Phase.RUNNING, Phase.PAUSED):
            self._next_generation()
            self._to(Phase.MANUAL, "Stopped. The trace is yours to edit.")

    def accept(self, proposal: Proposal) -> bool:
        """Make the policy's click, unless it is stale.

        Returns
        -------
        bool
            Whether the click was made.
        """
        trace = self.trace
        stale = trace is None or not self.wants(proposal.generation)
        if trace is None or stale or proposal.base != len(trace.history):
            return False
        self.proposal = proposal
        try:
            outcome = trace.click(proposal.click_xy, actor="policy")
        except ClickError as error:
            self.fail(Failure(proposal.generation, one_line(error)))
            return False
        self._count(outcome.action)
        self._tell()
        return True

    def fail(self, failure: Failure) -> None:
        """End the run by an error: the trace so far is kept."""
        if not self.wants(failure.generation):
            return
        self._next_generation()
        self.warned.emit(failure.message)
        kept = "The trace so far is kept; press Start to go on."
        self._to(Phase.FAILED, f"Stopped by an error: {failure.message} {kept}")

    def wants(self, generation: int) -> bool:
        """Whether a run of this generation is going on (any thread may ask)."""
        return generation == self._generation and self._phase is Phase.RUNNING

    def situation(self) -> Situation:
        """Return the history and the state that a policy is to act on (any thread may ask)."""
        trace = self.trace
        if trace is None:
            raise TaskError("the trace was closed")
        return trace.situation()

    # ------------------------------------------------------------------------- recording
    def record(self, folder: Path | None) -> None:
        """Write the session's clicks, those so far included, to a journal; None stops writing.

        The next sessions are recorded too.

        Raises
        ------
        BcannotError
            The journal cannot be made; nothing is recorded.
        """
        self._records.switch(folder)
        self._tell()

    @property
    def recording(self) -> Recording | None:
        """The journal that is being written."""
        return self._records.current

    def _open_recording(self, folder: Path) -> Recording | None:
        if self.trace is None:
            return None
        header = self.trace.header(recorded_with="napari-bcannot")
        recording = Recording(folder, header, self.warned.emit)
        recording.write(self.trace.session.clicks)
        return recording

    def _write(self, token: ClickToken) -> None:
        if self.recording is not None:
            self.recording.write([token])

    # -------------------------------------------------------------------------- internal
    def _press(self, button: str) -> None:
        trace = self.trace
        if trace is None or trace.terminated:
            return
        self._take_over()
        trace.press(button)
        if trace.terminated:
            self._to(Phase.FINISHED, "Done. Save the trace, or press Start or edit to go on.")
        else:
            self._tell()

    def _person_acts(self) -> TraceSession | None:
        """Return the session ready for a person's click: after Done it is opened again."""
        trace = self.trace
        if trace is not None and trace.terminated:
            self._reopen(trace)
            self._phase, self._said = Phase.MANUAL, "The trace is open again."
        return trace

    def _reopen(self, trace: TraceSession) -> None:
        """Go on after Done: a new session, so also a new journal."""
        self._records.end()
        trace.reopen()
        self._records.anew()

    def _take_over(self) -> None:
        if self._phase is Phase.RUNNING:
            self._halt("You took over. Press Start to let the policy go on from here.")

    def _halt(self, message: str) -> None:
        self._next_generation()
        self._to(Phase.PAUSED, message)

    def _count(self, action: str) -> None:
        run, trace = self._run, self.trace
        run.clicks += 1
        run.idle_clicks = run.idle_clicks + 1 if action == "none" else 0
        if trace is None:
            return
        if trace.terminated:
            self._next_generation()
            self._phase = Phase.FINISHED
            self._said = "Done by the policy. Save the trace, or press Start or edit to go on."
        elif run.once:
            self._halt(f"One step: {action.replace('_', ' ')}.")
        elif run.idle_clicks >= IDLE_CLICKS:
            self._halt(f"Paused: the policy's last {IDLE_CLICKS} clicks did nothing.")
        elif run.clicks >= CLICKS_PER_SECTION * trace.sections:
            self._halt(f"Paused: {run.clicks} clicks without Done.")

    def _next_generation(self) -> int:
        self._generation += 1
        return self._generation

    def _to(self, phase: Phase, message: str) -> None:
        self._phase, self._said = phase, message
        self._tell()

    def _tell(self) -> None:
        self.changed.emit(self.snapshot())
