"""What the controller says is to be shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bcannot_core.tracing.stop_rule import Stop


class Phase(StrEnum):
    """Who is at work."""

    IDLE = "idle"
    """Nobody: there is no session."""
    MANUAL = "manual"
    """The person traces."""
    RUNNING = "running"
    """A policy clicks; what the person does goes in between."""
    WAITING = "waiting"
    """The policy has proposed a click that the person is to accept or to correct."""
    PAUSED = "paused"
    """The policy's run can go on from here."""
    FINISHED = "finished"
    """Done was pressed."""
    FAILED = "failed"
    """The policy's run ended by an error; the trace is kept and can go on."""


class Mode(StrEnum):
    """How a neurite is traced."""

    HAND = "hand"
    """The person alone."""
    ASSIST = "assist"
    """The policy steps through the sections and proposes nodes; the person accepts or corrects."""
    AUTO = "auto"
    """The policy traces until a stop rule holds it, or the person."""


@dataclass(frozen=True)
class Snapshot:
    """What is to be shown: a value, made anew after every change.

    ``ghost_zyx`` is the node that a policy proposes and a person has yet to accept; ``stop`` says
    why the policy waits or paused by itself; ``neurite`` is the name of the active one; ``saves``
    says whether any neurite has nodes to save.
    """

    phase: Phase = Phase.IDLE
    text: str = "Choose a volume and pick a start point."
    section: int = 0
    sections: int = 0
    z: int | None = None
    nodes: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    start_zyx: tuple[float, float, float] | None = None
    can_undo: bool = False
    can_redo: bool = False
    confidence: float | None = None
    mode: Mode = Mode.AUTO
    saves: bool = False
    neurite: str = ""
    ghost_zyx: tuple[float, float, float] | None = None
    stop: Stop | None = None

    @property
    def active(self) -> bool:
        """Whether there is a session."""
        return self.phase is not Phase.IDLE

    @property
    def running(self) -> bool:
        """Whether a policy is clicking."""
        return self.phase is Phase.RUNNING

    @property
    def waiting(self) -> bool:
        """Whether a policy's proposal waits for the person."""
        return self.phase is Phase.WAITING

    @property
    def paused(self) -> bool:
        """Whether a policy's run can go on."""
        return self.phase is Phase.PAUSED

    @property
    def finished(self) -> bool:
        """Whether Done was pressed."""
        return self.phase is Phase.FINISHED
