"""Teacher-forced evaluation: what a policy would click at every step of recorded sessions."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators import Flag
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import Replay, Step

Click = tuple[int, int]


class Proposing(Protocol):
    """What is needed of a policy."""

    def reset(self) -> None:
        """Forget the session."""
        ...

    def propose(self, frame: NDArray[np.uint8]) -> Any:
        """Return a proposal with a ``click_xy``, without taking it as made."""
        ...

    def observe(self, frame: NDArray[np.uint8], click: Click) -> None:
        """Take in somebody else's click."""
        ...


def evaluate_teacher_forced(
    policy: Proposing,
    episodes: Iterable[Episode],
    advance: Callable[[int], object] = lambda _n: None,
) -> dict[str, Any]:
    """Compare a policy's proposals with recorded clicks, on the recorded history.

    Clicks that the annotator flagged as mistakes are shown to the policy but not asked of it.

    Parameters
    ----------
    policy : Proposing
        What is evaluated.
    episodes : iterable of Episode
        What is replayed.
    advance : callable
        Called with 1 after every episode.

    Returns
    -------
    dict
        ``episodes``, ``steps``, ``action_accuracy`` (the proposal would have done the same),
        ``action_accuracy_by_type``, and over the recorded placements ``placement_at_5px``,
        ``placement_at_10px`` (a proposal that does not place counts as a miss) and
        ``placement_error_px`` (median over those that do). None where nothing was counted.
    """
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    errors: list[float] = []
    count = 0
    for episode in episodes:
        count += 1
        policy.reset()
        run = Replay(episode, copy=True)
        for step in run:
            proposed: Click = policy.propose(step.frame).click_xy
            clicked = (step.click.x, step.click.y)
            policy.observe(step.frame, clicked)
            if step.click.flags & Flag.MISTAKE:
                continue
            action = _action(run, step, proposed)
            asked[step.click.action] += 1
            right[step.click.action] += action == step.click.action
            if step.click.action == "place":
                errors.append(_distance(proposed, clicked) if action == "place" else np.inf)
        advance(1)
    near = np.array(errors)
    placed = near[near < np.inf]
    return {
        "episodes": count,
        "steps": asked.total(),
        "action_accuracy": _share(right.total(), asked.total()),
        "action_accuracy_by_type": {
            name: _share(right[name], total) for name, total in sorted(asked.items())
        },
        "placement_at_5px": _share(int((near <= 5).sum()), near.size),
        "placement_at_10px": _share(int((near <= 10).sum()), near.size),
        "placement_error_px": round(float(np.median(placed)), 3) if placed.size else None,
    }


def _action(run: Replay, step: Step, click: Click) -> str:
    """Return what a click would have done at a step."""
    task, screen = run.session.task, run.session.screen
    return task.action_for(screen.hit(*click), step.outcome.state_before).name


def _distance(a: Click, b: Click) -> float:
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
