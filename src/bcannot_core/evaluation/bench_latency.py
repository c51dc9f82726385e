"""How long one action of a policy takes, drawing included, early and late in a session."""

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

EARLY_STEP = 10
LATE_STEP = 500
WINDOW = 10
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


def action_times(
    policy: Actor,
    new_session: Callable[[], Clickable],
    steps: int,
    advance: Callable[[int], object] = lambda _n: None,
) -> NDArray[np.float64]:
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

    Returns
    -------
    (steps,) float64
        Seconds for drawing the frame, choosing the click and carrying it out.
    """
    policy.reset()
    session = new_session()
    times = np.zeros(steps)
    for step in range(steps):
        if session.terminated:
            session = new_session()
        begin = time.perf_counter()
        click = policy.act(session.frame())
        session.apply(click, actor="policy")
        times[step] = time.perf_counter() - begin
        advance(1)
    return times


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
    runs = np.stack(
        [action_times(policy, new_session, run_length(), advance) for _ in range(repeats)]
    )
    after = action_times(policy, new_session, _window(EARLY_STEP).stop)
    # The end of each run is compared with the beginning of the next, which follows it at once:
    # so whatever else the machine does weighs on both alike.
    late = [float(np.median(run[_window(LATE_STEP)])) for run in runs]
    early = [float(np.median(run[_window(EARLY_STEP)])) for run in [*runs[1:], after]]
    ratio = float(np.median([b / a for a, b in zip(early, late, strict=True)]))
    return {
        "median_ms": float(np.median(runs)) * 1e3,
        "p95_ms": float(np.percentile(runs, 95)) * 1e3,
        "first_ms": float(np.median(runs[:, 0])) * 1e3,
        "step10_ms": float(np.median(early)) * 1e3,
        "step500_ms": float(np.median(late)) * 1e3,
        "ratio_step500_step10": ratio,
        "steps": int(runs.size),
    }


def _window(step: int) -> slice:
    """Return the steps around a step."""
    return slice(step - WINDOW // 2, step + WINDOW // 2)


def run_length() -> int:
    """Return how many actions one run has."""
    return LATE_STEP + WINDOW // 2
