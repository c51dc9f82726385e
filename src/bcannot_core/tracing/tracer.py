"""The tracer: a policy acting in a session until it is done."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import TaskError, VolumeError
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.section_picture import VolumeLike
from bcannot_core.tasks.trace_state import Offset, TraceState
from bcannot_core.tracing.trace import Stop, Trace
from bcannot_core.volumes import Volume

CLICKS_PER_SECTION = 6
SPARE_CLICKS = 20
IDLE_CLICKS = 12


class TracingPolicy(Protocol):
    """What the tracer needs of a policy."""

    @property
    def confidence(self) -> float:
        """Of the last click, 0…1."""
        ...

    def reset(self) -> None:
        """Forget the session."""
        ...

    def act(self, frame: NDArray[np.uint8]) -> tuple[int, int]:
        """Return the click for a frame."""
        ...


@dataclass(frozen=True)
class TraceOptions:
    """How a trace is made.

    Attributes
    ----------
    sections : int
        How many sections, the start point's included.
    nm_per_px : float
        Size of a canvas pixel, nm.
    direction : int
        +1 for growing z, -1 for shrinking z.
    """

    sections: int = 50
    nm_per_px: float = 10.0
    direction: int = 1

    def config(self) -> TracingConfig:
        """Return the task's configuration."""
        return TracingConfig(self.sections, self.nm_per_px, self.direction)


@dataclass
class Tracer:
    """A session under way with a policy.

    When the volume fails in the middle, :meth:`run` returns what there is; run it again to
    continue, with the same session and the same memory of the policy.

    Parameters
    ----------
    session : Session
        Of neuron tracing.
    policy : TracingPolicy
        Is not reset here: :meth:`begin` does, for a new session.
    """

    session: Session
    policy: TracingPolicy
    _sure: dict[tuple[int, Offset], float] = field(default_factory=dict)

    @classmethod
    def begin(cls, task: NeuronTracing, policy: TracingPolicy) -> "Tracer":
        """Begin a trace.

        Raises
        ------
        TaskError
            The volume has a single section.
        """
        check_depth(task.world.volume)
        policy.reset()
        return cls(Session(task), policy)

    def run(self, keep_on: Callable[[], bool] = lambda: True) -> Trace:
        """Let the policy click until it is done, or something else ends it.

        Parameters
        ----------
        keep_on : callable
            Asked before every click; False pauses the trace.
        """
        task: NeuronTracing = self.session.task  # type: ignore[assignment]
        limit = CLICKS_PER_SECTION * task.sections + SPARE_CLICKS
        idle = 0
        while not self.session.terminated:
            if not keep_on():
                return self.trace("paused")
            if len(self.session.clicks) >= limit:
                return self.trace("limit")
            try:
                idle = 0 if self._click() else idle + 1
            except VolumeError as error:
                return self.trace("unreachable", str(error))
            if idle >= IDLE_CLICKS:
                return self.trace("stuck")
        return self.trace("done")

    def _click(self) -> bool:
        """Make one click; return whether it did anything."""
        frame = self.session.frame()
        outcome = self.session.apply(self.policy.act(frame), "policy")
        if outcome.action == "place":
            state: TraceState = outcome.state_after
            node = state.nodes.get(state.section)
            assert node is not None
            self._sure[state.section, node] = self.policy.confidence
        return outcome.action != "none"

    def trace(self, stopped: Stop = "paused", problem: str = "") -> Trace:
        """Return the trace as it stands."""
        task: NeuronTracing = self.session.task  # type: ignore[assignment]
        volume = task.world.volume
        state: TraceState = self.session.state
        nodes = task.nodes_zyx(state)
        sure = [self._sure.get(item, float("nan")) for item in state.nodes.items()]
        return Trace(
            np.array(nodes, dtype=np.float64).reshape(-1, 3),
            np.array(sure, dtype=np.float32),
            task.world.start_zyx,  # type: ignore[arg-type]
            tuple(volume.voxel_nm),  # type: ignore[arg-type]
            volume=getattr(volume, "address", ""),
            policy=getattr(self.policy, "name", ""),
            stopped=stopped,
            problem=problem,
            clicks=len(self.session.clicks),
        )


def trace(
    volume: Volume,
    start: tuple[float, float, float],
    policy: TracingPolicy | str = "default",
    sections: int = 50,
    *,
    nm_per_px: float = 10.0,
    direction: int = 1,
) -> Trace:
    """Trace one neurite.

    Parameters
    ----------
    volume : Volume
        Where.
    start : tuple of float
        A point in the neurite, voxels (z, y, x).
    policy : Policy or str
        The policy, or the name or folder of one.
    sections : int
        How many sections at most.
    nm_per_px : float
        Size of a canvas pixel, nm.
    direction : int
        +1 for growing z, -1 for shrinking z.

    Returns
    -------
    Trace
        What was traced; ``stopped`` says why it ended.

    Raises
    ------
    UsageError
        The start point lies outside the volume, or an option has a wrong value.
    TaskError
        The volume has a single section.
    """
    options = TraceOptions(sections, nm_per_px, direction)
    task = NeuronTracing(TracingWorld(volume, start), options.config())
    return Tracer.begin(task, load_policy(policy)).run()


def check_depth(volume: VolumeLike) -> None:
    """See that a volume has sections to trace through.

    Raises
    ------
    TaskError
        It has a single one.
    """
    if volume.shape[0] < 2:
        raise TaskError("the volume has one section: there is nothing to trace")


def load_policy(policy: TracingPolicy | str) -> TracingPolicy:
    """Return a policy, loaded where it is given by name or folder."""
    if not isinstance(policy, str):
        return policy
    from bcannot_core.policy.policy import Policy

    return Policy.load(policy)
