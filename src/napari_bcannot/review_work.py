"""Looking at neurites again with a policy: what runs off the GUI thread. No Qt, no napari here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bcannot_core.errors import CheckpointError
from bcannot_core.session import ClickToken
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tracing.doubts import Doubt, find_doubts
from bcannot_core.volumes import Volume
from napari_bcannot.neurites import Neurite

if TYPE_CHECKING:
    from bcannot_core.probes.directions import MistakeProbe
    from bcannot_core.session import Session

LEAST_NODES = 2
"""A neurite with fewer nodes says nothing that could be looked at again."""

EDITS = ("place", "remove", "undo")


@dataclass(frozen=True)
class Glance:
    """A neurite as it is when it is to be looked at again: what a worker needs."""

    number: int
    volume: Volume
    start_zyx: tuple[float, float, float]
    config: TracingConfig
    clicks: tuple[ClickToken, ...]
    session: "Session"


@dataclass(frozen=True)
class Looked:
    """What came of looking at a neurite again: its doubts, and of which clicks of which session."""

    number: int
    session: "Session"
    clicks: int
    doubts: Sequence[Doubt]


def glance_at(neurite: Neurite) -> Glance:
    """Return what a worker needs to look at a neurite again."""
    trace = neurite.trace
    clicks = tuple(trace.session.clicks)
    return Glance(
        neurite.number, trace.volume, trace.start_zyx, trace.task.config, clicks, trace.session
    )


def look_again(
    glances: Iterable[Glance],
    policy: Any,
    probe: "MistakeProbe | None" = None,
    keep_on: Callable[[], bool] = lambda: True,
) -> Iterator[Looked]:
    """Look at neurites again, one after the other.

    Parameters
    ----------
    glances : iterable of Glance
        The neurites.
    policy : LookingPolicy
        Looks on; nobody else uses it meanwhile.
    probe : MistakeProbe, optional
        Of this policy.
    keep_on : callable
        Asked again and again; False ends it.

    Raises
    ------
    BcannotError
        A volume cannot be read.
    """
    for glance in glances:
        world = TracingWorld(glance.volume, glance.start_zyx)
        task = NeuronTracing(world, glance.config)
        doubts = find_doubts(task, glance.clicks, policy, probe, keep_on)
        if not keep_on():
            return
        yield Looked(glance.number, glance.session, len(glance.clicks), doubts)


def load_looker(name: str) -> tuple[Any, "MistakeProbe | None"]:
    """Load a policy that looks again, and its mistake probe where it has one that fits.

    Raises
    ------
    CheckpointError
        There is no such policy.
    """
    from bcannot_core.policy.policy import Policy  # imports torch, which takes seconds
    from bcannot_core.probes.directions import MistakeProbe

    policy = Policy.load(name)
    try:
        return policy, MistakeProbe.load(name, "mistaken_placement")
    except CheckpointError:
        return policy, None


def clicks_that_count(session: "Session") -> int:
    """Return how many clicks a session has up to its last edit: looking round changes nothing."""
    clicks = session.clicks
    for i in range(len(clicks) - 1, -1, -1):
        if clicks[i].action in EDITS:
            return i + 1
    return 0
