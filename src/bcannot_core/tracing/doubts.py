"""How likely each node of a trace is misplaced, from the clues of a policy that looks again.

A trace that left its neurite usually stays outside: what speaks against a node is passed on to the
nodes after it. The weights were chosen on made tissue and on tissue that a policy was trained on,
and so that a doubt of 0.5 there means one misplaced node in two. The clearest sign is a
place that the policy does not quite take for a part of the neurite.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bcannot_core.session import ClickToken
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tracing.clues import Clues, LookingPolicy, find_clues

if TYPE_CHECKING:
    from bcannot_core.probes.directions import MistakeProbe

STAYS = 0.98
"""How much of a doubt is passed on to the next node, if that one gives no greater reason."""

GROWS, MOST_GROWTH = 0.1, 5.0
"""By how much the log odds of being outside grow with each node, and at most: the further from what
is known to be right, the likelier the trace was left without a sign."""

FRESH = 2.0
"""A node that is so many times as doubtful as the one before begins a doubt of its own."""

VETTED = 0.3
"""How much is left of what speaks against a node that a person placed or accepted."""

_BIAS = 1.0
_UNSURE, _OFF, _MISTAKEN = 1.0, 25.0, 1.5
_MOST_OFF = 0.2  # less belief than that says no more: other reasons are to be heard, too
_USUAL_LOGIT = -4.0
_AGREE_PX = 12.0
_LEAST = 1e-3
_SLOPE, _OFFSET = 0.67, -2.83

LOW_CONFIDENCE = "low confidence"
ELSEWHERE = "the policy would go elsewhere"
NOT_FOLLOWED = "not on what was followed"
LIKELY_MISTAKE = "likely mistake"
"""What may speak against a node, as people read it."""


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
    for clue in clues:
        against = _against(clue)
        own = 1 / (1 + math.exp(-(_BIAS + _UNSURE * _USUAL_LOGIT + sum(against.values()))))
        why = max(against, key=lambda name: against[name])
        zyx = (float(task.z_of(clue.section)), *task.point(clue.node))
        left = VETTED if clue.vetted else 1.0
        doubts.append(Doubt(clue.section, zyx, left * own, why, clue.actor))
    return doubts


def _against(clue: Clues) -> dict[str, float]:
    """Return what speaks against a node, in parts of log odds; nothing much is 0."""
    agree = math.exp(-((clue.apart_px / _AGREE_PX) ** 2))
    unsure = _UNSURE * (_logit(1 - clue.confidence) - _USUAL_LOGIT)
    in_all = _UNSURE * (_logit(1 - clue.confidence * agree) - _USUAL_LOGIT)
    belief = 1.0 if clue.belief is None else clue.belief
    return {
        LOW_CONFIDENCE: unsure,
        ELSEWHERE: in_all - unsure,
        NOT_FOLLOWED: _OFF * min(1 - belief, _MOST_OFF),
        LIKELY_MISTAKE: _MISTAKEN * (clue.mistake or 0.0),
    }


def _logit(probability: float) -> float:
    bounded = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(bounded / (1 - bounded))


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
        Index of the node at which this doubt began.
    """
    misplaced: list[float] = []
    begins: list[int] = []
    before, begin, since = 0.0, 0, 0
    for i, (one, right) in enumerate(zip(own, settled, strict=True)):
        if right:
            before, begin, since = 0.0, i, 0
            misplaced.append(0.0)
        else:
            if one > FRESH * before:
                begin = i
            before = max(one, STAYS * before)
            odds = _logit(before) + min(GROWS * since, MOST_GROWTH)
            misplaced.append(1 / (1 + math.exp(-(_SLOPE * odds + _OFFSET))))
        begins.append(begin)
        since += 1
    return misplaced, begins
