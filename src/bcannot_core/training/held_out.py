"""Scores on sessions held out: how often the person would have had to correct the policy."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tasks.tracing_moves import clicks_to_place
from bcannot_core.training.lessons import Corrected

if TYPE_CHECKING:
    from bcannot_core.tasks.trace_state import TraceState

NEAR_PX = 10.0
"""A proposal so near to the node of the session needs no correction."""
_WRONG_PX = 6.0

Click = tuple[int, int]


class Scored(Protocol):
    """What is needed of a policy."""

    def reset(self) -> None:
        """Forget the session."""
        ...

    def propose(self, frame: NDArray[np.uint8]) -> Any:
        """Return a proposal with a ``click_xy``, without taking it as made."""
        ...

    def observe(self, frame: NDArray[np.uint8], click: Click, *, trusted: bool = False) -> None:
        """Take in a click."""
        ...

    def takes_as_one(self, a_xy: Click, b_xy: Click) -> bool:
        """Whether two pixels of the frame lie in one region of what is followed."""
        ...


@dataclass(frozen=True)
class HeldOutScore:
    """How a policy does on sessions that it did not learn from.

    Attributes
    ----------
    right : float
        Share of the sections in which the policy's first proposal is a node on the neurite: within
        10 px of the session's, or in one region with it as the policy sees it, and not where a
        node was taken back.
    corrections_per_100 : float
        Sections in a hundred that would have to be corrected.
    sessions, sections : int
        How many were looked at.
    """

    right: float
    corrections_per_100: float
    sessions: int
    sections: int

    def to_json(self) -> dict[str, float]:
        """Return plain values."""
        return asdict(self)


def score_held_out(
    policy: Scored,
    sessions: Sequence[Corrected],
    keep_on: Callable[[], bool] = lambda: True,
) -> HeldOutScore | None:
    """Walk through sessions with a policy that proposes and a person who puts it right.

    Parameters
    ----------
    policy : Policy
        Proposes.
    sessions : sequence of Corrected
        Their nodes are what is right.
    keep_on : callable
        Asked before every section; False gives up.

    Returns
    -------
    HeldOutScore or None
        None where it was given up, or there is nothing to score.

    Raises
    ------
    VolumeError
        A volume cannot be read.
    """
    right = []
    for session in sessions:
        policy.reset()
        live = Session(session.task)
        for i, section in enumerate(range(max(session.nodes, default=-1) + 1)):
            if not keep_on():
                return None
            hit = _section(policy, live, session, section)
            if i and section in session.nodes:
                right.append(hit)
    if not right:
        return None
    share = float(np.mean(right))
    return HeldOutScore(round(share, 4), round(100 * (1 - share), 2), len(sessions), len(right))


def _section(policy: Scored, live: Session, session: Corrected, section: int) -> bool:
    """Do one section; return whether the proposal was good, after which the right node stands."""
    task = session.task
    node = session.nodes.get(section)
    if section:
        _click(policy, live, live.click_for("next_section"))
    if node is None:
        return False
    proposal = policy.propose(live.frame().copy()).click_xy
    placed = _placed(task, live, proposal)
    if placed is not None and _is_right(policy, live, session, placed, proposal):
        _click(policy, live, proposal)
        return True
    for click in clicks_to_place(live, (task.z_of(section), *task.point(node))):
        _click(policy, live, click, trusted=True)
    return False


def _is_right(
    policy: Scored, live: Session, session: Corrected, placed: tuple[int, int], proposal: Click
) -> bool:
    """Whether a proposal lies on the neurite, as far as the session tells."""
    section = live.state.section
    missed = session.wrong.get(section, ())
    if any(np.hypot(*np.subtract(placed, at)) <= _WRONG_PX for at in missed):
        return False
    node = session.nodes[section]
    if np.hypot(*np.subtract(placed, node)) <= NEAR_PX:
        return True
    there = live.click_at(session.task.point(node))
    return there is not None and policy.takes_as_one(proposal, there)


def _placed(task: NeuronTracing, live: Session, click: Click) -> tuple[int, int] | None:
    """Return where on the lattice a click would put a node, None where it would not."""
    state: TraceState = live.state
    hit = live.screen.hit(*click)
    if hit.canvas_xy is None or task.action_for(hit, state).name != "place":
        return None
    return task.offset(task.view(state).to_volume(hit.canvas_xy))


def _click(policy: Scored, live: Session, click: Click, *, trusted: bool = False) -> None:
    policy.observe(live.frame().copy(), click, trusted=trusted)
    live.apply(click, "person")
