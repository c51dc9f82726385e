"""What speaks for and against each node of a trace: a policy looks at the session again.

It looks on from the start to the end, click by click, and trusts nobody.
"""

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators.labels import Flag, unpack_flags
from bcannot_core.errors import DatasetError
from bcannot_core.session import ClickToken, Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tasks.trace_state import Offset, TraceState

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

    def observe(self, frame: NDArray[np.uint8], click: tuple[int, int]) -> None:
        """Take in a click."""
        ...

    def belief(self, click: tuple[int, int], /) -> float | None:
        """Return how likely a place belongs to the neurite."""
        ...


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
    vetted : bool
        Whether a person placed it, or accepted it as it was proposed.
    confidence : float
        Of what the policy itself would have placed in this section, 0…1; 0 for nothing.
    apart_px : float
        From there to the node, canvas pixels, at most ``FAR_PX``.
    belief : float or None
        How likely the node's place belongs to the neurite; None where the policy does not say.
    mistake : float or None
        What the mistake probe says of the placement, 0…1; None without a probe.
    """

    section: int
    node: Offset
    actor: str
    vetted: bool
    confidence: float
    apart_px: float
    belief: float | None
    mistake: float | None = None


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
    seen: dict[tuple[int, Offset], Clues] = {}
    placed: tuple[int, Offset] | None = None
    policy.reset()
    with _tap(policy, probe) as tap:
        for token in clicks:
            if not keep_on():
                return []
            frame = session.frame().copy()
            clues = _look(session, frame, token, policy)
            if placed is not None and probe is not None:
                seen[placed] = replace(seen[placed], mistake=probe.score(tap.latest))
            policy.observe(frame, (token.x, token.y))
            placed = _make(session, token)
            if placed is not None and clues is not None:
                seen[placed] = replace(clues, section=placed[0], node=placed[1])
    state: TraceState = session.state
    return [seen[item] for item in state.nodes.items()]


def _look(
    session: Session, frame: NDArray[np.uint8], token: ClickToken, policy: LookingPolicy
) -> Clues | None:
    """Let the policy look at a frame; return what it thinks of a click on the canvas."""
    proposal = policy.propose(frame)
    click = token.x, token.y
    if session.screen.hit(*click).canvas_xy is None:
        return None
    hit = session.screen.hit(*proposal.click_xy)
    places = session.task.action_for(hit, session.state).name == "place"
    accepted = bool(unpack_flags(token.flags).events & Flag.VERIFY)
    return Clues(
        0,
        (0, 0),
        token.actor,
        token.actor == "person" or accepted,
        proposal.confidence if places else 0.0,
        min(math.dist(proposal.click_xy, click), FAR_PX) if places else FAR_PX,
        policy.belief(click),
    )


def _make(session: Session, token: ClickToken) -> tuple[int, Offset] | None:
    """Make a click again; return the section and place of the node that it placed."""
    outcome = session.apply((token.x, token.y), token.actor, token.flags, token.ms)
    if outcome.action != token.action:
        raise DatasetError(
            f"a click was {token.action!r} when it was recorded and is {outcome.action!r} now: "
            "the session does not fit its volume"
        )
    record = session.state.last_placement
    return (record.section, record.node) if outcome.action == "place" else None


def _tap(policy: LookingPolicy, probe: "MistakeProbe | None") -> Any:
    if probe is None:
        return nullcontext()
    from bcannot_core.probes.taps import ClsTap  # imports torch

    return ClsTap(policy)
