"""How good a review's queue is: what share of the misplaced nodes stands at its head.

A policy traces neurites by itself; its sessions are looked at again, and the nodes of all traces
are ranked, worst first. The ground truth says which of them are misplaced.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bcannot_core.errors import VolumeUnreachableError
from bcannot_core.evaluation.tracing import EvaluationOptions, Progress, draw_paths, task_on
from bcannot_core.tasks.neurites import LabelSource
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tasks.trace_state import TraceState
from bcannot_core.tasks.tracing_world import on_target
from bcannot_core.tracing import Tracer
from bcannot_core.tracing.doubts import Doubt, find_doubts
from bcannot_core.tracing.review import Key, Place, ReviewQueue
from bcannot_core.volumes import Volume

if TYPE_CHECKING:
    from bcannot_core.probes.directions import MistakeProbe

PERCENT = (5, 10, 20)
Wrong = dict[tuple[Key, int], bool]


def evaluate_review(
    policy: Any,
    volume: Volume,
    labels: LabelSource,
    options: EvaluationOptions | None = None,
    *,
    probe: "MistakeProbe | None" = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Let a policy trace, look at its traces again with it, and see where the queue has mistakes.

    Parameters
    ----------
    policy : Policy
        Traces, and looks again.
    volume, labels : Volume
        Same shape; 0 is background in the labels.
    options : EvaluationOptions, optional
        How many traces of what; nothing is forced here.
    probe : MistakeProbe, optional
        Of this policy, for placements.
    progress : callable, optional
        Called with (traces done, traces).

    Returns
    -------
    dict
        ``nodes``, how many are ``misplaced``, ``found_in_first`` by percent of the queue, as
        shares of the misplaced, beside ``most_possible_in_first``; ``auc`` of the ranking; and
        ``review``: what a person mends in the queue, who looks at a tenth of the nodes and, where
        one is wrong, goes back by halves to where its trace left the neurite.

    Raises
    ------
    TaskError
        No neurite of the volume qualifies.
    VolumeUnreachableError
        The volume could not be read.
    """
    options = options or EvaluationOptions()
    paths = draw_paths(labels, options)
    queue = ReviewQueue()
    wrong: Wrong = {}
    for i, path in enumerate(paths):
        task = task_on(volume, labels, path, options)
        tracer = Tracer.begin(task, policy)
        trace = tracer.run()
        if trace.stopped == "unreachable":
            raise VolumeUnreachableError(trace.problem)
        state: TraceState = tracer.session.state
        doubts = find_doubts(task, tuple(tracer.session.clicks), policy, probe)
        queue.put(i, doubts)
        wrong |= _wrong(i, task, state)
        if progress is not None:
            progress(i + 1, len(paths))
    return {"traces": len(paths), **queue_report(queue, wrong)}


def _wrong(trace: Key, task: NeuronTracing, state: TraceState) -> Wrong:
    return {
        (trace, section): not on_target(task, section, node)
        for section, node in state.nodes.items()
    }


def queue_report(queue: ReviewQueue, wrong: Wrong) -> dict[str, Any]:
    """Return what share of the misplaced nodes stands how early in a queue.

    Parameters
    ----------
    queue : ReviewQueue
        Nothing is decided yet; afterwards a review has been played in it.
    wrong : mapping
        Whether the node of a (trace, section) is misplaced.
    """
    ranked = queue.ranked()
    hits = np.array([wrong[key, doubt.section] for key, doubt, _ in ranked], dtype=bool)
    total = int(hits.sum())
    report: dict[str, Any] = {"nodes": len(hits), "misplaced": total}
    for name, order in (("found_in_first", hits), ("most_possible_in_first", np.sort(hits)[::-1])):
        report[name] = {
            str(percent): _share(int(order[: _part(len(hits), percent)].sum()), total)
            for percent in PERCENT
        }
    report["auc"] = _auc(hits)
    report["review"] = _play_review(queue, wrong, _part(len(hits), 10), total)
    return report


def _part(count: int, percent: int) -> int:
    return math.ceil(count * percent / 100)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _auc(hits: Sequence[bool] | Any) -> float | None:
    """Return how likely a misplaced node stands before one that is right; None without either."""
    ranks = np.flatnonzero(hits)
    wrong, right = len(ranks), len(hits) - len(ranks)
    if not wrong or not right:
        return None
    after = (len(hits) - 1 - ranks).sum() - wrong * (wrong - 1) / 2
    return round(float(after / (wrong * right)), 4)


def _play_review(queue: ReviewQueue, wrong: Wrong, most: int, total: int) -> dict[str, Any]:
    """Let a person who knows look at the worst places, until so many nodes were looked at."""
    person = _Person(queue, dict(wrong))
    while person.looks < most:
        places = queue.places()
        if not places:
            break
        person.decide(places[0])
    return {
        "looks": person.looks,
        "splits": person.splits,
        "mended": person.mended,
        "mended_share": _share(person.mended, total),
    }


@dataclass
class _Person:
    """Looks at nodes and counts the looks: where a trace left its neurite is found by halving."""

    queue: ReviewQueue
    wrong: Wrong
    looks: int = 0
    splits: int = 0
    mended: int = 0

    def decide(self, place: Place) -> None:
        """Accept the worst node of a place; or find where it went wrong and mend it there."""
        trace, worst = place.trace, place.worst.section
        if not self._look(trace, worst):
            self.queue.accept(trace, worst)
            return
        here = sorted(section for key, section in self.wrong if key == trace)
        low, high = -1, here.index(worst)
        while high - low > 1:
            middle = (low + high) // 2
            if self._look(trace, here[middle]):
                high = middle
            else:
                low = middle
        if high + 1 < len(here) and not self._look(trace, here[high + 1]):
            self._mend(trace, [here[high]])
            self.queue.correct(trace, here[high], _elsewhere(place.worst))
        else:
            self.splits += 1
            self._mend(trace, here[high:])
            self.queue.split(trace, here[high])
        if low >= 0:
            self.queue.accept(trace, here[low])

    def _look(self, trace: Key, section: int) -> bool:
        self.looks += 1
        return self.wrong[trace, section]

    def _mend(self, trace: Key, sections: Sequence[int]) -> None:
        self.mended += sum(self.wrong.pop((trace, section)) for section in sections)


def _elsewhere(doubt: Doubt) -> tuple[float, float, float]:
    z, y, x = doubt.zyx
    return z, y + 0.5, x
