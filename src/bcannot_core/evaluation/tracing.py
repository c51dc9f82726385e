"""Closed-loop evaluation of neurite tracing on a labelled volume.

Neurites are drawn uniformly; the policy traces each through the screen, and what it placed is
compared with the ground truth. Two baselines trace the same neurites.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError, VolumeError, VolumeUnreachableError
from bcannot_core.evaluation.baselines import BASELINES, Clicker
from bcannot_core.evaluation.forced import forced_mistakes
from bcannot_core.evaluation.vlm.client import VlmError
from bcannot_core.tasks.neurites import LabelSource, NeuritePath, sample_neurites
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingWorld
from bcannot_core.tracing import Trace, TraceOptions, Tracer
from bcannot_core.volumes import Volume

_METRICS = (
    "skeleton_accuracy",
    "coverage",
    "placement_at_5px",
    "placement_at_10px",
    "first_node_accuracy",
)
_RESAMPLES = 1_000

Progress = Callable[[int, int], None]


class EvaluatedPolicy(Protocol):
    """What is evaluated: a policy that acts, and takes in what others did."""

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

    def observe(self, frame: NDArray[np.uint8], click: tuple[int, int]) -> None:
        """Take in somebody else's click."""
        ...


@dataclass(frozen=True)
class EvaluationOptions:
    """How many episodes of what.

    Attributes
    ----------
    episodes : int
        Neurites to trace.
    seed : int
        Draws the neurites.
    min_sections : int
        How long a neurite must be, unless it reaches the volume's border.
    forced : int
        Episodes in which a mistake is forced on the policy, to see whether it is undone.
    trace : TraceOptions
        Sections, scale, direction.

    Raises
    ------
    UsageError
        There is no episode, or a negative number of anything.
    """

    episodes: int = 60
    seed: int = 0
    min_sections: int = 20
    forced: int = 20
    trace: TraceOptions = field(default_factory=TraceOptions)

    def __post_init__(self) -> None:
        """Refuse what cannot be evaluated."""
        lowest = {"episodes": 1, "seed": 0, "min_sections": 1, "forced": 0}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise UsageError(f"{name} is {getattr(self, name)}: give at least {low}")


def evaluate_tracing(
    policy: EvaluatedPolicy,
    volume: Volume,
    labels: LabelSource,
    options: EvaluationOptions | None = None,
    *,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate a policy in closed loop.

    Parameters
    ----------
    policy : Policy
        What acts.
    volume, labels : Volume
        Same shape; 0 is background in the labels.
    options : EvaluationOptions, optional
        How many episodes of what.
    progress : callable, optional
        Called with (episodes done, episodes).

    Returns
    -------
    dict
        Means over episodes: the keys of the contract, ``product`` (accuracy × coverage) with a
        bootstrapped 95 % interval over the ``neurites``, their ``sections_mean``,
        ``baseline:centre`` and ``baseline:stay``, and a list ``per_episode``. ``mistakes`` is the
        share of placements off target, undone ones included; ``undos`` the mean number in an
        episode. Where an endpoint or the volume fails for good, what was finished by then, and
        ``interrupted``: why.

    Raises
    ------
    TaskError
        No neurite of the volume qualifies, or it has a single section.
    VolumeError, VlmError
        The volume or an endpoint fails before anything is finished.
    """
    options = options or EvaluationOptions()
    paths = draw_paths(labels, options)
    scores: list[dict[str, Any]] = []
    seconds, clicks, interrupted = 0.0, 0, ""
    for i, path in enumerate(paths):
        begun = time.perf_counter()
        try:
            score, trace = _run(task_on(volume, labels, path, options), policy)
        except (VlmError, VolumeError) as error:
            if not scores:
                raise
            interrupted = str(error)
            break
        seconds += time.perf_counter() - begun
        clicks += trace.clicks
        scores.append({**score, "label": path.label})
        if progress is not None:
            progress(i + 1, len(paths))
    paths = paths[: len(scores)]
    report = _summary(scores)
    report["ms_per_action"] = round(1e3 * seconds / max(1, clicks), 3)
    report["product_interval_95"] = _interval(scores, options.seed)
    report["neurites"] = len({path.label for path in paths})
    report["sections_mean"] = round(float(np.mean([len(path) for path in paths])), 1)
    try:
        for name, baseline in BASELINES.items():
            rows = [_run(task_on(volume, labels, path, options), baseline())[0] for path in paths]
            report[name] = _summary(rows)
    except VolumeError as error:
        interrupted = interrupted or str(error)
    if options.forced and not interrupted:
        tasks = [task_on(volume, labels, path, options) for path in paths[: options.forced]]
        report["forced_mistakes"] = forced_mistakes(policy, tasks, options.seed)
        interrupted = report["forced_mistakes"].pop("interrupted", "")
    report["per_episode"] = scores
    return report | ({"interrupted": interrupted} if interrupted else {})


def draw_paths(labels: LabelSource, options: EvaluationOptions) -> list[NeuritePath]:
    """Return the neurites of an evaluation, drawn uniformly."""
    sections = min(options.trace.sections, labels.shape[0])
    drawn = sample_neurites(
        labels,
        np.random.default_rng(options.seed),
        min_sections=min(options.min_sections, sections),
        sections=sections,
        direction=options.trace.direction,
    )
    return [next(drawn) for _ in range(options.episodes)]


def task_on(
    volume: Volume, labels: LabelSource, path: NeuritePath, options: EvaluationOptions
) -> NeuronTracing:
    """Return the task of tracing one of the neurites that were drawn."""
    y, x = path.points_yx[0]
    world = TracingWorld(volume, (path.z0, float(y), float(x)), labels, path)
    return NeuronTracing(world, options.trace.config())


def _run(task: NeuronTracing, policy: EvaluatedPolicy | Clicker) -> tuple[dict[str, Any], Trace]:
    if isinstance(policy, Clicker):
        policy.watch(task.layout(), task.sections)
    tracer = Tracer.begin(task, policy)
    trace = tracer.run()
    if trace.stopped == "unreachable":
        raise VolumeUnreachableError(trace.problem)
    score = task.score(tracer.session.state)
    score["steps"] = trace.clicks
    score["stopped"] = trace.stopped
    score["start_zyx"] = list(trace.start_zyx)
    return score, trace


def _summary(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    report: dict[str, Any] = {"episodes": len(scores)}
    for name in _METRICS:
        report[name] = round(float(np.mean([s[name] for s in scores])), 4)
    report["done_rate"] = round(float(np.mean([s["done"] for s in scores])), 4)
    placements = sum(s["placements"] for s in scores)
    report["mistakes"] = round(sum(s["mistakes"] for s in scores) / max(1, placements), 4)
    report["undos"] = round(float(np.mean([s["undos"] for s in scores])), 3)
    report["steps_mean"] = round(float(np.mean([s["steps"] for s in scores])), 2)
    report["product"] = round(report["skeleton_accuracy"] * report["coverage"], 4)
    report["faultless"] = round(
        float(np.mean([s["skeleton_accuracy"] == 1 and s["coverage"] == 1 for s in scores])), 4
    )
    return report


def _interval(scores: Sequence[dict[str, Any]], seed: int) -> list[float]:
    """Return the bootstrapped 95 % interval of accuracy × coverage.

    Neurites are drawn with all their traces: two traces of one are not independent.
    """
    rng = np.random.default_rng(seed)
    accuracy = np.array([s["skeleton_accuracy"] for s in scores])
    coverage = np.array([s["coverage"] for s in scores])
    _, group = np.unique([s["label"] for s in scores], return_inverse=True)
    groups = [np.flatnonzero(group == i) for i in range(group.max() + 1)]
    products = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(len(groups), size=len(groups))
        chosen = np.concatenate([groups[i] for i in drawn])
        products.append(accuracy[chosen].mean() * coverage[chosen].mean())
    return [round(float(q), 4) for q in np.quantile(products, (0.025, 0.975))]
