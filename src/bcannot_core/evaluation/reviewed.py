"""How good a review's queue is: what share of the misplaced nodes stands at its head.

A policy traces neurites by itself; its sessions are looked at again, and the nodes of all traces
are ranked, worst first. The ground truth says which of them are misplaced.
"""

import math
from collections.abc import Sequence
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
from bcannot_core.tracing.review import Key, ReviewQueue
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
        ``review``: what a person mends who decides about a tenth as many places as there are
        nodes.

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
    """Let a person who knows decide about the worst places, one after the other.

    A node that is right is accepted; one that is not is corrected, or the trace split before it
    where the node after it is wrong, too.
    """
    mended, decisions, splits = 0, 0, 0
    while decisions < most:
        places = queue.places()
        if not places:
            break
        decisions += 1
        trace, section = places[0].trace, places[0].first.section
        later = sorted(s for key, s in wrong if key == trace and s > section)
        if not wrong.get((trace, section)):
            queue.accept(trace, section)
            continue
        if later and wrong[trace, later[0]]:
            splits += 1
            cut = [(trace, s) for s in (section, *later)]
            queue.split(trace, section)
        else:
            cut = [(trace, section)]
            queue.correct(trace, section, _anywhere(places[0].first))
        mended += sum(wrong.pop(node) for node in cut)
    return {
        "decisions": decisions,
        "splits": splits,
        "mended": mended,
        "mended_share": _share(mended, total),
    }


def _anywhere(doubt: Doubt) -> tuple[float, float, float]:
    z, y, x = doubt.zyx
    return z, y + 0.5, x
