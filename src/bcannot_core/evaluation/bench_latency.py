"""How long one action of a policy takes, drawing included, early and late in a session."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

EARLY_STEP = 10
LATE_STEP = 500
WINDOW = 16
WARM_UP = 5


class Actor(Protocol):
    """What is measured of a policy."""

    def reset(self) -> None:
        """Forget the history."""
        ...

    def act(self, frame: NDArray[np.uint8]) -> tuple[int, int]:
        """Return the click for a frame."""
        ...


class Clickable(Protocol):
    """What is measured of a session."""

    @property
    def terminated(self) -> bool:
        """Whether Done was pressed."""
        ...

    def frame(self) -> NDArray[np.uint8]:
        """Draw the present state."""
        ...

    def apply(self, click_xy: tuple[int, int], actor: str = ...) -> Any:
        """Carry out a click."""
        ...


class Run(NamedTuple):
    """A run of actions.

    Attributes
    ----------
    seconds : (steps,) float64
        For drawing the frame, choosing the click and carrying it out.
    actions : tuple of str
        What each click did.
    """

    seconds: NDArray[np.float64]
    actions: tuple[str, ...]


def action_times(
    policy: Actor,
    new_session: Callable[[], Clickable],
    steps: int,
    advance: Callable[[int], object] = lambda _n: None,
) -> Run:
    """Let a policy act for a number of steps and time each of them.

    When it presses Done, a new session begins, and the policy keeps its history: the history is
    what may make an action slow.

    Parameters
    ----------
    policy : Actor
        Is reset first.
    new_session : callable
        Makes a session for the policy to act on.
    steps : int
        How many actions.
    advance : callable
        Called after every action.
    """
    policy.reset()
    session = new_session()
    times, actions = np.zeros(steps), []
    for step in range(steps):
        if session.terminated:
            session = new_session()
        begin = time.perf_counter()
        click = policy.act(session.frame())
        outcome = session.apply(click, actor="policy")
        times[step] = time.perf_counter() - begin
        actions.append(outcome.action)
        advance(1)
    return Run(times, tuple(actions))


def measure_latency(
    policy: Actor,
    new_session: Callable[[], Clickable],
    repeats: int = 3,
    advance: Callable[[int], object] = lambda _n: None,
) -> dict[str, float | int]:
    """Measure the latency of one action, and how it grows with the history.

    Parameters
    ----------
    policy : Actor
        The policy.
    new_session : callable
        Makes a session for it.
    repeats : int
        Runs of 510 steps; the figures are medians over all of them.
    advance : callable
        Called after every action, ``repeats * run_length()`` times in all.

    Returns
    -------
    dict
        ``median_ms``, ``p95_ms``, ``first_ms``, ``step10_ms``, ``step500_ms``,
        ``ratio_step500_step10``, ``steps``.
    """
    action_times(policy, new_session, WARM_UP)
    runs = [action_times(policy, new_session, run_length(), advance) for _ in range(repeats)]
    after = action_times(policy, new_session, _window(EARLY_STEP).stop)
    # The end of each run is compared with the beginning of the next, which follows it at once:
    # so whatever else the machine does weighs on both alike.
    pairs = [
        _compared(run, following) for run, following in zip(runs, [*runs[1:], after], strict=True)
    ]
    every = np.stack([run.seconds for run in runs])
    early, late = np.median(pairs, axis=0)
    return {
        "median_ms": float(np.median(every)) * 1e3,
        "p95_ms": float(np.percentile(every, 95)) * 1e3,
        "first_ms": float(np.median(every[:, 0])) * 1e3,
        "step10_ms": float(early) * 1e3,
        "step500_ms": float(late) * 1e3,
        "ratio_step500_step10": float(np.median([late / early for early, late in pairs])),
        "steps": int(every.size),
    }


def _compared(run: Run, following: Run) -> tuple[float, float]:
    """Return seconds of a step early in a run, and late in the one before.

    Actions take different times (a node is looked for, the next section is not), and some are
    more frequent late than early: so the same actions are compared, and their medians averaged.
    Where no action is in both, all are compared.
    """
    early, late = _by_action(following, EARLY_STEP), _by_action(run, LATE_STEP)
    shared = early.keys() & late.keys()
    return _mean_median(early, shared or early.keys()), _mean_median(late, shared or late.keys())


def _mean_median(found: Mapping[str, Sequence[float]], actions: Collection[str]) -> float:
    return float(np.mean([np.median(found[action]) for action in sorted(actions)]))


def _by_action(run: Run, step: int) -> dict[str, list[float]]:
    """Return the seconds of the steps around a step, by what they did."""
    found: dict[str, list[float]] = {}
    around = _window(step)
    for action, seconds in zip(run.actions[around], run.seconds[around], strict=True):
        found.setdefault(action, []).append(float(seconds))
    return found


def _window(step: int) -> slice:
    """Return the steps around a step."""
    return slice(step - WINDOW // 2, step + WINDOW // 2)


def run_length() -> int:
    """Return how many actions one run has."""
    return LATE_STEP + WINDOW // 2
