"""The policy's side of the controller: its runs, its proposals, and when they wait for a person.

Every run has a generation. Pausing, stopping or failing starts another generation, so that
whatever the worker still sends is recognised as stale and dropped.
"""

from abc import ABC, abstractmethod

from psygnal import Signal

from bcannot_core.annotators.labels import Flag
from bcannot_core.errors import ClickError, TaskError
from bcannot_core.tracing.stop_rule import Reason, Stop, StopRules, likely_mistake, stop_before
from napari_bcannot.neurites import Neurite, NeuriteList, Status
from napari_bcannot.run_count import RunCount
from napari_bcannot.snapshot import Mode, Phase, Snapshot
from napari_bcannot.tracing import TraceSession
from napari_bcannot.turns import Failure, Proposal, Situation, one_line

ASKED = frozenset({"place", "remove", "undo", "done"})
"""What a policy does only with a person's consent in assist mode; it navigates by itself."""
HOW = "Enter accepts, a click corrects."


class PolicyTurns(ABC):
    """A policy's runs in the active neurite.

    Attributes
    ----------
    changed : Signal
        Emits a `Snapshot` after every change.
    warned : Signal
        Emits a one-line message that the person should read.
    resumed : Signal
        Emits the generation of a run that goes on after a person accepted or corrected: a worker
        is wanted for it.
    rules : StopRules or None
        When a policy that traces by itself waits for a person.
    """

    changed = Signal(Snapshot)
    warned = Signal(str)
    resumed = Signal(int)

    def __init__(self) -> None:
        self.neurites = NeuriteList()
        self.proposal: Proposal | None = None
        self.rules: StopRules | None = None
        self.wants_heatmap = False
        self._mode = Mode.AUTO
        self._phase = Phase.IDLE
        self._generation = 0
        self._run = RunCount()
        self._stop: Stop | None = None
        self._said = ""

    @property
    def trace(self) -> TraceSession | None:
        """The active neurite's session."""
        active = self.neurites.active
        return None if active is None else active.trace

    @property
    def mode(self) -> Mode:
        """Whether the person traces, the policy assists, or the policy traces."""
        return self._mode

    def use_mode(self, mode: Mode) -> None:
        """Change who traces; a policy at work goes on in the new way, or stops for `Mode.HAND`."""
        self._mode = mode
        if mode is Mode.HAND and self._phase in (Phase.RUNNING, Phase.WAITING, Phase.PAUSED):
            self._next_generation()
            self._to(Phase.MANUAL, "The trace is yours: click to place nodes.")
        else:
            self._tell()

    # ------------------------------------------------------------------------------- runs
    def start(self, *, once: bool = False) -> int | None:
        """Begin or go on with a policy's run; ``once`` for a single click.

        Returns
        -------
        int or None
            The run's generation; None where there is nothing to run on.
        """
        active = self.neurites.active
        if active is None:
            self.warned.emit("Pick a start point first: press 'Pick start point', then click.")
            return None
        if self._phase is Phase.RUNNING:
            return None
        if self._mode is Mode.HAND:
            self.warned.emit("By hand, the policy does nothing: choose Assist or Auto first.")
            return None
        if active.trace.terminated:
            self._reopen(active)
        self._run = RunCount(once=once)
        generation = self._next_generation()
        self.neurites.set_status(active, Status.OPEN)
        doing = "proposing nodes" if self._mode is Mode.ASSIST else "tracing"
        self._to(Phase.RUNNING, f"The policy is {doing}…")
        return generation

    def pause(self) -> None:
        """Hold the policy; `start` goes on."""
        if self._phase in (Phase.RUNNING, Phase.WAITING):
            self._halt("Paused. Press Start to go on.")

    def stop(self) -> None:
        """End the policy's run; the trace stays and is the person's."""
        if self._phase in (Phase.RUNNING, Phase.WAITING, Phase.PAUSED):
            self._next_generation()
            self._to(Phase.MANUAL, "Stopped. The trace is yours to edit.")

    def wants(self, generation: int) -> bool:
        """Whether a run of this generation is going on (any thread may ask)."""
        return generation == self._generation and self._phase is Phase.RUNNING

    @property
    def wants_watcher(self) -> bool:
        """Whether somebody should look on for mistakes (any thread may ask)."""
        return self.rules is not None and self._mode is Mode.AUTO

    def situation(self) -> Situation:
        """Return the history and the state that a policy is to act on (any thread may ask)."""
        trace = self.trace
        if trace is None:
            raise TaskError("the trace was closed")
        return trace.situation()

    # -------------------------------------------------------------------------- proposals
    def accept(self, proposal: Proposal) -> bool:
        """Make the policy's click, unless it is stale or has to wait for the person.

        Returns
        -------
        bool
            Whether the click was made.
        """
        trace = self.trace
        stale = trace is None or not self.wants(proposal.generation)
        if trace is None or stale or proposal.base != len(trace.history):
            return False
        if proposal.alarm is not None and self.rules is not None and self._mode is Mode.AUTO:
            self.doubt(proposal.generation, likely_mistake(proposal.state, proposal.alarm))
            return False
        self.proposal = proposal
        try:
            stop = self._reason_to_wait(trace, proposal)
            if stop is not None:
                self._wait(stop)
                return False
            self._click(trace, proposal)
        except ClickError as error:
            self.fail(Failure(proposal.generation, one_line(error)))
            return False
        return True

    def accept_proposal(self) -> bool:
        """Make the click that waits for the person; the policy goes on from there.

        Returns
        -------
        bool
            Whether there was one.
        """
        trace, proposal = self.trace, self.proposal
        if trace is None or proposal is None or self._phase is not Phase.WAITING:
            return False
        if trace.session.state != proposal.state:  # the person has looked at other sections
            trace.go_to(trace.task.z_of(proposal.state.section))
        self._stop = None
        self._phase = Phase.RUNNING
        if trace.session.state == proposal.state:
            self._click(trace, proposal, Flag.VERIFY)
        self._go_on()
        return True

    def reject_proposal(self) -> None:
        """Turn down the click that waits; the person goes on, and Start gives back."""
        if self._phase is Phase.WAITING:
            self._halt("Turned down. Click where the node belongs, or press Start to go on.")

    def fail(self, failure: Failure) -> None:
        """End the run by an error: the trace so far is kept."""
        if not self.wants(failure.generation):
            return
        self._next_generation()
        self.warned.emit(failure.message)
        kept = "The trace so far is kept; press Start to go on."
        self._to(Phase.FAILED, f"Stopped by an error: {failure.message} {kept}")

    def doubt(self, generation: int, stop: Stop) -> None:
        """Pause a run because of something that a watcher saw (any reason, told to the person)."""
        if self.wants(generation):
            self._stop = stop
            self._mark(Status.CHECK, stop.text)
            self._halt(f"Paused: {stop.text}. Correct it, or press Start to go on.", stop)

    @property
    def ghost_zyx(self) -> tuple[float, float, float] | None:
        """Where the node would come that the policy proposes, voxels; None where none waits."""
        trace, proposal = self.trace, self.proposal
        if trace is None or proposal is None or self._phase is not Phase.WAITING:
            return None
        return trace.aim_of(proposal.click_xy, proposal.state)

    # --------------------------------------------------------------------------- internal
    def _reason_to_wait(self, trace: TraceSession, proposal: Proposal) -> Stop | None:
        action = trace.action_of(proposal.click_xy)
        if self._mode is Mode.ASSIST and action.name in ASKED:
            what = "a node" if action.name == "place" else action.name.capitalize()
            sure = f" (confidence {proposal.confidence:.2f})"
            return Stop(Reason.ASKS, f"The policy proposes {what} in section {trace.section}{sure}")
        if self.rules is None:
            return None
        state, sure_of = trace.session.state, proposal.confidence
        return stop_before(self.rules, trace.task, state, action, sure_of)

    def _wait(self, stop: Stop) -> None:
        self._next_generation()
        self._stop = stop
        if stop.reason is not Reason.ASKS:
            self._mark(Status.CHECK, stop.text)
        text = stop.text[0].upper() + stop.text[1:]
        self._to(Phase.WAITING, f"{text}. {HOW}")

    def _click(self, trace: TraceSession, proposal: Proposal, flags: Flag = Flag.NONE) -> None:
        outcome = trace.click(proposal.click_xy, "policy", proposal.confidence, int(flags))
        self._count(outcome.action)
        self._tell()

    def _go_on(self) -> None:
        """Let a run that waited go on, unless what the person did ended it."""
        if self._phase is Phase.RUNNING:
            self._stop = None
            self._mark(Status.OPEN)
            generation = self._next_generation()
            self._to(Phase.RUNNING, "The policy goes on…")
            self.resumed.emit(generation)

    def _count(self, action: str) -> None:
        trace = self.trace
        if trace is None:
            return
        over = self._run.count(action, trace.sections)
        if trace.terminated:
            self._next_generation()
            self._phase = Phase.FINISHED
            self._said = "Done by the policy. Save the trace, or press Start or edit to go on."
            self._mark(Status.DONE)
        elif over is not None:
            self._halt(over)

    def _mark(self, status: Status, note: str = "") -> None:
        if self.neurites.active is not None:
            self.neurites.set_status(self.neurites.active, status, note)

    def _reopen(self, neurite: Neurite) -> None:
        """Go on after Done: a new session, so also a new journal."""
        neurite.trace.reopen()
        self.neurites.reopened.emit(neurite)
        self.neurites.set_status(neurite, Status.OPEN)

    def _take_over(self) -> None:
        if self._phase in (Phase.RUNNING, Phase.WAITING):
            self._halt("You took over. Press Start to let the policy go on from here.")

    def _halt(self, message: str, stop: Stop | None = None) -> None:
        self._next_generation()
        self._to(Phase.PAUSED, message)
        self._stop = stop

    def _next_generation(self) -> int:
        self._generation += 1
        return self._generation

    def _to(self, phase: Phase, message: str) -> None:
        if phase is not Phase.WAITING:
            self._stop = None
        self._phase, self._said = phase, message
        self._tell()

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Return what is to be shown."""

    def _tell(self) -> None:
        self.changed.emit(self.snapshot())
