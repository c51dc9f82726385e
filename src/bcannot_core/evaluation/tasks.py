"""Closed-loop evaluation on any task: many sessions in lockstep, on worlds made for it.

The scripted annotator works in the same worlds, so that lengths and shares of mistakes can be
compared with those of the data that it makes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bcannot_core.annotators import make_annotator
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.evaluation.actors import Actors, as_actors
from bcannot_core.evaluation.judged import EpisodeResult, JudgedSeat
from bcannot_core.evaluation.lockstep import Seat, Timing, play
from bcannot_core.evaluation.metrics import summarise
from bcannot_core.evaluation.recovery import ForcedSeat, recovery_report
from bcannot_core.evaluation.vlm.client import VlmError
from bcannot_core.session import Session
from bcannot_core.tasks.base import TaskBase
from bcannot_core.tasks.registry import make_task, task_class

STEP_LIMITS: Mapping[str, int] = {
    "animal_behavior_tracking": 1130,
    "animal_limb_tracking": 1040,
    "cell_lineage": 212,
    "colored_dot_tracking": 302,
    "exploration_3d": 40,
    "multichannel_alignment": 110,
    "neuron_tracking": 210,
    "road_network": 130,
    "shape_matching": 60,
    "spectral_plume": 130,
}
"""Twice the longest of many scripted episodes; more where a world takes the annotator longer."""

_LEAST_LIMIT = 40
_LONGEST = 100_000
_STREAM = 0x5C0E  # sets the worlds apart from those of datasets of the same seed
_ANNOTATOR, _FORCED = 1, 2

Progress = Callable[[int], object]
Keep = Callable[[Session, EpisodeResult], object]


@dataclass(frozen=True)
class TaskEvaluation:
    """What to evaluate on.

    Attributes
    ----------
    task : str
        Task id.
    episodes : int
        Worlds, each worked on once.
    seed : int
        Draws the worlds: the same seed, the same worlds.
    variant : str
        Interface variant.
    options : mapping
        Of the task.
    limit : int, optional
        Clicks after which an episode is cut off; by default twice the longest scripted one.
    patience : int
        Clicks in a row without effect after which it is cut off, too; 0 for never.
    forced : int
        Episodes with a forced mistake, in the first of the worlds.
    forced_own_history : bool
        Whether the policy works by itself until the forced mistake; by default the scripted
        annotator does, and the policy looks on.
    annotator : bool
        Whether the scripted annotator works in the same worlds.

    Raises
    ------
    UsageError
        There is no such task, no episode, or a negative number of anything.
    """

    task: str
    episodes: int = 60
    seed: int = 0
    variant: str = "original"
    options: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    patience: int = 60
    forced: int = 20
    forced_own_history: bool = False
    annotator: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be evaluated."""
        task_class(self.task)
        lowest = {"episodes": 1, "seed": 0, "patience": 0, "forced": 0, "limit": 1}
        for name, low in lowest.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise UsageError(f"{name} is {value}: give at least {low}")

    def world_seed(self, number: int) -> int:
        """Return the seed of an episode's world, 63 bits."""
        words = np.random.SeedSequence(self.seed, spawn_key=(_STREAM, number))
        return int(words.generate_state(1, np.uint64)[0] >> np.uint64(1))

    def make(self, number: int) -> TaskBase:
        """Make the task of an episode."""
        return make_task(
            self.task, self.world_seed(number), **{**self.options, "variant": self.variant}
        )


def evaluate_task(
    policy: Any,
    evaluation: TaskEvaluation,
    *,
    progress: Progress = lambda _n: None,
    keep: Keep = lambda _session, _result: None,
) -> dict[str, Any]:
    """Let a policy work on a task and score it.

    Parameters
    ----------
    policy : Actors or policy
        What acts; a policy has ``reset``, ``act`` and ``observe``.
    evaluation : TaskEvaluation
        On what.
    progress : callable
        Called with 1 after every episode, those with forced mistakes included.
    keep : callable
        Given every session that is over, and its result.

    Returns
    -------
    dict
        Means over episodes: the task's own metrics, for tasks with points ``precision``,
        ``recall``, ``f1`` and ``rmse_px``, ``success_rate``, ``done_rate``, ``stuck_rate``,
        ``steps_mean``, ``undos``; over placements ``mistakes``, ``mistakes_mended`` and
        ``placement_at_1px`` to ``placement_at_10px`` (from where the flawless annotator would have
        placed at that moment); ``ms_per_action``; ``intervals_95`` of all of them; the same of the
        scripted annotator under ``annotator``; ``forced_mistakes``; and a list ``per_episode``.
        Where an endpoint fails for good, what was finished by then, and ``interrupted``: why.

    Raises
    ------
    VlmError
        An endpoint fails before anything is finished.
    """
    actors = as_actors(policy)
    results: list[EpisodeResult] = []
    scripted: list[EpisodeResult] = []

    def ended(seat: Any) -> None:
        result = seat.result()
        results.append(result)
        keep(seat.session, result)
        progress(1)

    timing, failure = _played(actors, _seats(evaluation, scripted), ended)
    if failure is not None and not results:
        raise failure
    results.sort(key=lambda result: result.number)
    report = summarise(results, evaluation.seed)
    report["ms_per_action"] = round(timing.ms_per_action, 3)
    finished = {result.number for result in results}
    done = [own for own in scripted if own.number in finished]
    if done:
        report["annotator"] = summarise(done, evaluation.seed)
    if evaluation.forced and failure is None:
        report["forced_mistakes"], failure = _forced(actors, evaluation, progress)
    report["per_episode"] = [asdict(result) for result in results]
    if failure is not None:
        report["interrupted"] = str(failure)
    return report


def _played(
    actors: Actors, seats: Iterator[Seat], ended: Callable[[Any], object]
) -> tuple[Timing, VlmError | None]:
    """Play; an endpoint that fails for good takes nothing away that was finished before."""
    timing = Timing()
    try:
        play(actors, seats, ended, timing)
    except VlmError as error:
        return timing, error
    return timing, None


def force_mistakes(
    policy: Any, evaluation: TaskEvaluation, *, progress: Progress = lambda _n: None
) -> dict[str, Any]:
    """Force a mistake in each of the first ``evaluation.forced`` worlds.

    Returns
    -------
    dict
        As of :func:`~bcannot_core.evaluation.recovery.recovery_report`.

    Raises
    ------
    VlmError
        An endpoint fails.
    """
    report, failure = _forced(as_actors(policy), evaluation, progress)
    if failure is not None:
        raise failure
    return report


def _forced(
    actors: Actors, evaluation: TaskEvaluation, progress: Progress
) -> tuple[dict[str, Any], VlmError | None]:
    """Return the report of forced mistakes, and why there are no more of them."""
    over: list[tuple[int, ForcedSeat]] = []
    numbers: dict[int, int] = {}

    def seats() -> Iterator[ForcedSeat]:
        for number in range(evaluation.forced):
            seat = _forced_seat(evaluation, number)
            numbers[id(seat)] = number
            yield seat

    def ended(seat: Any) -> None:
        over.append((numbers[id(seat)], seat))
        progress(1)

    _, failure = _played(actors, seats(), ended)
    return recovery_report([seat for _, seat in sorted(over, key=lambda one: one[0])]), failure


def _seats(evaluation: TaskEvaluation, scripted: list[EpisodeResult]) -> Iterator[JudgedSeat]:
    """Yield the sessions; the annotator's results in their worlds go into ``scripted``."""
    for number in range(evaluation.episodes):
        task = evaluation.make(number)
        own = _scripted(task, evaluation, number) if evaluation.annotator else None
        if own is not None:
            scripted.append(own)
        yield JudgedSeat(
            Session(task),
            _limit(evaluation, own),
            evaluation.patience,
            number=number,
            seed=evaluation.world_seed(number),
        )


def _scripted(task: TaskBase, evaluation: TaskEvaluation, number: int) -> EpisodeResult | None:
    """Let the scripted annotator do an episode; None where the task has none."""
    seed = evaluation.world_seed(number)
    seat = JudgedSeat(Session(task), _LONGEST, number=number, seed=seed)
    try:
        annotator = make_annotator(seat.session, np.random.default_rng((seed, _ANNOTATOR)))
    except TaskError:
        return None
    while not seat.over:
        seat.apply(annotator.act(), own=False)
    return seat.result()


def _limit(evaluation: TaskEvaluation, own: EpisodeResult | None) -> int:
    if evaluation.limit is not None:
        return evaluation.limit
    usual = STEP_LIMITS.get(evaluation.task, _LEAST_LIMIT)
    return max(usual, 2 * own.steps if own is not None else usual)


def _forced_seat(evaluation: TaskEvaluation, number: int) -> ForcedSeat:
    """Return a session in which a mistake is forced after a drawn number of placements."""
    task = evaluation.make(number)
    rng = np.random.default_rng((evaluation.world_seed(number), _FORCED))
    own = _scripted(task, evaluation, number)
    placements = 1 if own is None else max(1, own.judged - own.mistakes)
    limit = _limit(evaluation, own)
    if own is not None and not evaluation.forced_own_history:
        limit = max(limit, 2 * own.steps)
    return ForcedSeat(
        Session(task),
        limit,
        int(rng.integers(placements)),
        rng,
        own_history=evaluation.forced_own_history,
    )
