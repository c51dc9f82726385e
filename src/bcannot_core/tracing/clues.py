"""What speaks for and against each node of a trace: a policy looks at the session again.

It looks on from the start to the end and trusts nobody, and then follows the trace back from its
last node: a trace that slipped into a neighbour is often easy to follow onwards and hard to follow
back.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import DatasetError
from bcannot_core.session import ClickToken, Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingWorld
from bcannot_core.tasks.trace_state import Offset, TraceState
from bcannot_core.tasks.tracing_moves import clicks_to_place, clicks_to_section

if TYPE_CHECKING:
    from bcannot_core.probes.directions import MistakeProbe

FAR_PX = 64.0
"""The most that two places are counted apart; also where the policy would have placed no node."""


class LookingPolicy(Protocol):
    """What is needed of a policy: see ``bcannot_core.policy.policy.Policy``."""

    def reset(self) -> None:
        """Forget the session."""
        ...

    def propose(self, frame: NDArray[np.uint8]) -> Any:
        """Choose a click; it has ``click_xy`` and ``confidence``."""
        ...

    def observe(
        self, frame: NDArray[np.uint8], click: tuple[int, int], *, trusted: bool = False
    ) -> None:
        """Take in a click."""
        ...

    def belief(self, click: tuple[int, int], /) -> float | None:
        """Return how likely a place belongs to the neurite."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What a policy thought of a node when it saw its section.

    Attributes
    ----------
    confidence : float
        Of its own proposal to place a node, 0…1; 0 where it would have done something else.
    apart_px : float
        From there to the node, canvas pixels, at most ``FAR_PX``.
    belief : float or None
        How likely the node's place belongs to the neurite; None where the policy does not say.
    """

    confidence: float
    apart_px: float
    belief: float | None


@dataclass(frozen=True, slots=True)
class Clues:
    """What is known of one node.

    Attributes
    ----------
    section : int
        Place among the task's sections.
    node : Offset
        The node, canvas pixels (y, x) from the start point.
    actor : str
        Who placed it.
    onward : Sight
        Following the trace from its start.
    mistake : float or None
        What the mistake probe says of the placement, 0…1; None without a probe.
    back : Sight or None
        Following the trace back from its end; None for the last node.
    """

    section: int
    node: Offset
    actor: str
    onward: Sight
    mistake: float | None
    back: Sight | None


def find_clues(
    task: NeuronTracing,
    clicks: Iterable[ClickToken],
    policy: LookingPolicy,
    probe: "MistakeProbe | None" = None,
    keep_on: Callable[[], bool] = lambda: True,
) -> list[Clues]:
    """Look at a session again, and return the clues to each of its nodes, in order.

    Parameters
    ----------
    task : NeuronTracing
        The session's task; used by nobody else meanwhile.
    clicks : iterable of ClickToken
        The session's clicks.
    policy : LookingPolicy
        Looks on; its memory is lost.
    probe : MistakeProbe, optional
        Of this policy, for placements.
    keep_on : callable
        Asked before every click; False ends the search, with no clues.

    Raises
    ------
    VolumeError
        The volume cannot be read.
    DatasetError
        A click does not do what it did.
    """
    session = Session(task)
    onward = _look_on(session, clicks, policy, probe, keep_on)
    state: TraceState = session.state
    back = _look_back(task, list(state.nodes.items()), policy, keep_on)
    if not keep_on():
        return []
    return [
        Clues(section, node, *onward[section, node], back.get(section))
        for section, node in state.nodes.items()
    ]


_Seen = dict[tuple[int, Offset], tuple[str, Sight, float | None]]


def _look_on(
    session: Session,
    clicks: Iterable[ClickToken],
    policy: LookingPolicy,
    probe: "MistakeProbe | None",
    keep_on: Callable[[], bool],
) -> _Seen:
    """Follow a session click by click; what is seen of a node put there again is seen anew."""
    seen: _Seen = {}
    placed: tuple[int, Offset] | None = None
    policy.reset()
    with _tap(policy, probe) as tap:
        for token in [*clicks, None]:
            if not keep_on():
                break
            frame = session.frame().copy()
            sight = _see(session, frame, token, policy)
            if placed is not None and probe is not None and tap is not None:
                actor, before, _ = seen[placed]
                seen[placed] = actor, before, probe.score(tap.latest)
            placed = None
            if token is None:
                break
            policy.observe(frame, (token.x, token.y))
            action = session.apply((token.x, token.y), token.actor, token.flags, token.ms).action
            if action != token.action:
                raise DatasetError(
                    f"a click was {token.action!r} when it was recorded and is {action!r} now"
                )
            if action == "place" and sight is not None:
                placed = _last_placed(session)
                seen[placed] = token.actor, sight, None
    return seen


def _see(
    session: Session, frame: NDArray[np.uint8], token: ClickToken | None, policy: LookingPolicy
) -> Sight | None:
    """Let the policy look at a frame; return what it thinks of a click on the canvas."""
    proposal = policy.propose(frame)
    if token is None or session.screen.hit(token.x, token.y).canvas_xy is None:
        return None
    return _sight(session, proposal, (token.x, token.y), policy)


def _sight(session: Session, proposal: Any, click: tuple[int, int], policy: LookingPolicy) -> Sight:
    hit = session.screen.hit(*proposal.click_xy)
    places = session.task.action_for(hit, session.state).name == "place"
    apart = min(math.dist(proposal.click_xy, click), FAR_PX) if places else FAR_PX
    return Sight(proposal.confidence if places else 0.0, apart, policy.belief(click))


def _last_placed(session: Session) -> tuple[int, Offset]:
    record = session.state.last_placement
    return record.section, record.node


def _tap(policy: LookingPolicy, probe: "MistakeProbe | None") -> Any:
    if probe is None:
        return nullcontext()
    from bcannot_core.probes.taps import ClsTap  # imports torch

    return ClsTap(policy)


def _look_back(
    task: NeuronTracing,
    nodes: list[tuple[int, Offset]],
    policy: LookingPolicy,
    keep_on: Callable[[], bool],
) -> dict[int, Sight]:
    """Follow nodes from the last one back to the first, each trusted once it was looked at."""
    if len(nodes) < 2:
        return {}
    (first, _), (last, end) = nodes[0], nodes[-1]
    world = TracingWorld(task.world.volume, (task.z_of(last), *task.point(end)))
    config = replace(task.config, sections=last - first + 1, direction=-task.config.direction)
    session = Session(NeuronTracing(world, config))
    seen: dict[int, Sight] = {}
    policy.reset()
    for section, node in reversed(nodes):
        if not keep_on():
            break
        zyx = task.z_of(section), *task.point(node)
        for frame, click in _going(session, clicks_to_section(session, zyx[0])):
            policy.observe(frame, click, trusted=True)
        if section != last:
            proposal = policy.propose(session.frame().copy())
            click_there = session.click_at(zyx[1:])
            if click_there is None:
                seen[section] = Sight(0.0, FAR_PX, 0.0)
            else:
                seen[section] = _sight(session, proposal, click_there, policy)
        for frame, click in _going(session, clicks_to_place(session, zyx)):
            policy.observe(frame, click, trusted=True)
    return seen


def _going(
    session: Session, clicks: Iterable[tuple[int, int]]
) -> Iterator[tuple[NDArray[np.uint8], tuple[int, int]]]:
    """Yield frame and click, and make the click when the caller comes back."""
    for click in clicks:
        yield session.frame().copy(), click
        session.apply(click)
