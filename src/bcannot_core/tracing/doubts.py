"""How likely each node of a trace is misplaced, from the clues of a policy that looks again.

A trace that left its neurite usually stays outside: what speaks against a node is passed on to the
nodes after it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bcannot_core.session import ClickToken
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tasks.trace_state import Offset
from bcannot_core.tracing.clues import Clues, LookingPolicy, find_clues

if TYPE_CHECKING:
    from bcannot_core.probes.directions import MistakeProbe

STAYS = 0.95
"""How likely a trace that is outside its neurite is still so in the next section."""

_BIAS = -4.0
_WEIGHTS = {
    "low confidence": 2.0,
    "not on what was followed": 1.0,
    "likely mistake": 1.0,
    "not found on the way back": 1.5,
    "unusual jump": 0.5,
}
"""What speaks against a node, as people read it, and how much: see ``benchmarks/review.py``."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is doubted of one node.

    Attributes
    ----------
    section : int
        Place among the task's sections.
    zyx : tuple of float
        The node, voxels.
    own : float
        How likely the trace leaves its neurite here, 0…1.
    why : str
        What speaks against the node most, in a few words.
    actor : str
        Who placed it.
    """

    section: int
    zyx: tuple[float, float, float]
    own: float
    why: str
    actor: str = "policy"


def find_doubts(
    task: NeuronTracing,
    clicks: Iterable[ClickToken],
    policy: LookingPolicy,
    probe: "MistakeProbe | None" = None,
    keep_on: Callable[[], bool] = lambda: True,
) -> list[Doubt]:
    """Look at a session again and return what is doubted of each of its nodes, in order.

    The parameters and errors are those of :func:`~bcannot_core.tracing.clues.find_clues`.
    """
    return weigh_clues(task, find_clues(task, clicks, policy, probe, keep_on))


def weigh_clues(task: NeuronTracing, clues: Sequence[Clues]) -> list[Doubt]:
    """Return what is doubted of each node of a trace."""
    doubts = []
    for i, clue in enumerate(clues):
        against = _against(clue, clues[i - 1] if i else None)
        shares = {name: _WEIGHTS[name] * value for name, value in against.items()}
        own = 1 / (1 + math.exp(-(_BIAS + sum(shares.values()))))
        why = max(shares, key=lambda name: shares[name])
        zyx = (float(task.z_of(clue.section)), *task.point(clue.node))
        doubts.append(Doubt(clue.section, zyx, own, why, clue.actor))
    return doubts


def pass_on(own: Sequence[float], settled: Sequence[bool]) -> tuple[list[float], list[int]]:
    """Pass doubts on from node to node of a trace.

    Parameters
    ----------
    own : sequence of float
        How likely the trace leaves its neurite at each node.
    settled : sequence of bool
        Which nodes are known to be right.

    Returns
    -------
    misplaced : list of float
        How likely each node is outside the neurite.
    begins : list of int
        Index of the node at which most of this doubt began.
    """
    misplaced: list[float] = []
    begins: list[int] = []
    before, begin, share = 0.0, 0, 0.0
    for i, (one, right) in enumerate(zip(own, settled, strict=True)):
        if right:
            before, begin, share = 0.0, i, 0.0
        else:
            passed = STAYS * before
            before = one + (1 - one) * passed
            share *= STAYS
            if one >= share:
                begin, share = i, one
        misplaced.append(before)
        begins.append(begin)
    return misplaced, begins


def _against(clue: Clues, before: Clues | None) -> dict[str, float]:
    """Return what speaks against a node, each from 0 to 1 or a little more."""
    back = before.back if before is not None else None
    jump = 0.0 if before is None else _way(before.node, clue.node)
    gap = 1 if before is None else clue.section - before.section
    return {
        "low confidence": 1 - clue.onward.confidence,
        "not on what was followed": 1 - _or(clue.onward.belief, 1.0),
        "likely mistake": _or(clue.mistake, 0.0),
        "not found on the way back": 0.0 if back is None else 1 - _or(back.belief, 1.0),
        "unusual jump": min(jump / (16.0 * gap), 2.0),
    }


def _way(one: Offset, other: Offset) -> float:
    return math.dist(one, other)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
