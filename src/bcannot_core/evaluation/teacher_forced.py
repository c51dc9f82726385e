"""Teacher-forced evaluation: what a policy would click at every step of recorded sessions."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators import Flag
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import Replay, Step
from bcannot_core.errors import VolumeError
from bcannot_core.evaluation.actors import Actors, as_actors
from bcannot_core.evaluation.oracle import Oracle, oracle_of
from bcannot_core.evaluation.tally import Answer, Tally
from bcannot_core.evaluation.vlm.client import VlmError
from bcannot_core.session import Action, ClickToken

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
    policy: Proposing | Actors,
    episodes: Iterable[Episode],
    advance: Callable[[int], object] = lambda _n: None,
) -> dict[str, Any]:
    """Compare a policy's proposals with recorded clicks, on the recorded history.

    Clicks that the annotator flagged as mistakes are shown to the policy but not asked of it.

    Parameters
    ----------
    policy : Proposing or Actors
        What is evaluated; actors see as many episodes at once as they have rows.
    episodes : iterable of Episode
        What is replayed.
    advance : callable
        Called with 1 after every episode.

    Returns
    -------
    dict
        ``episodes``, ``steps``, ``action_accuracy`` (the proposal would have done the same),
        ``action_accuracy_by_type``, and over the recorded placements ``placement_at_1px``, 2, 5
        and 10 (a proposal that does not place counts as a miss), ``placement_error_px`` (median
        over those that do) and ``placement_on_target`` (right for the flawless annotator,
        wherever it was recorded). ``decision_accuracy``: the same button, or on the canvas the
        same action within 20 px, which is taken for the same object; ``motor_at_1px`` and so on:
        how near canvas clicks are where the decision is right. ``by_action``: all of this by the
        name of the action; ``buttons``: how often each button was hit when it was due. None where
        nothing was counted. Where an endpoint or a volume fails for good, what was asked by then,
        and ``interrupted``: why.

    Raises
    ------
    VlmError, VolumeError
        An endpoint or a volume fails before any episode is finished.
    """
    actors = as_actors(policy)
    tally = Tally()
    count = 0
    interrupted = {}
    waiting = iter(episodes)
    rows = [_seated(actors, row, waiting) for row in range(actors.rows)]
    while any(rows):
        try:
            for i, row in enumerate(rows):
                if row is not None and row.click is None:
                    count += 1
                    advance(1)
                    rows[i] = _seated(actors, i, waiting)
            _ask(actors, rows, tally)
        except (VlmError, VolumeError) as error:
            if not count:
                raise
            interrupted = {"interrupted": str(error)}
            break
    return {"episodes": count, **tally.report(), **interrupted}


class _Row:
    """An episode being replayed."""

    def __init__(self, episode: Episode) -> None:
        self.run = Replay(episode, copy=False)
        self.steps: Iterator[Step] = iter(self.run)
        self.oracle: Oracle | None = oracle_of(self.run.session)

    @property
    def click(self) -> ClickToken | None:
        """The recorded click that comes next, None after the last."""
        done = len(self.run.session.clicks)
        clicks = self.run.episode.clicks
        return clicks[done] if done < len(clicks) else None

    def action(self, step: Step, click: Click) -> Action:
        """Return what a click would have done at a step."""
        session = self.run.session
        hit = session.screen.hit(*click)
        return session.task.action_for(hit, step.outcome.state_before)

    def button(self, click: Click) -> str:
        hit = self.run.session.screen.hit(*click)
        return hit.target if hit.kind == "button" else ""

    def answer(self, step: Step, proposed: Click) -> Answer:
        """Compare a proposal with the recorded click."""
        clicked = (step.click.x, step.click.y)
        action = self.action(step, proposed)
        button = self.button(clicked)
        return Answer(
            step.click.action,
            button,
            action.name == step.click.action,
            button == self.button(proposed),
            float(np.hypot(proposed[0] - clicked[0], proposed[1] - clicked[1])),
            self._on_target(step, action),
        )

    def _on_target(self, step: Step, action: Action) -> bool | None:
        """Return whether a placement is right; None where that cannot be told."""
        before = step.outcome.state_before
        if step.click.action != "place" or self.oracle is None or self.oracle.mends(before):
            return None
        if action.name != "place":
            return False
        return not self.oracle.mends(self.run.session.task.apply(before, action))


def _seated(actors: Actors, row: int, waiting: Iterator[Episode]) -> _Row | None:
    episode = next(waiting, None)
    if episode is None:
        return None
    seated = _Row(episode)
    actors.begin(row, seated.run.session)
    return seated


def _ask(actors: Actors, rows: list[_Row | None], tally: Tally) -> None:
    """Ask for proposals at one step of every row that has one, then show what was clicked."""
    clicks = [None if row is None else row.click for row in rows]
    asked = [click is not None for click in clicks]
    if not any(asked):
        return
    seen = [None if row is None else row.run.session.frame() for row in rows]
    shown = next(frame for frame in seen if frame is not None)
    frames = [shown if frame is None else frame for frame in seen]
    proposed = actors.propose(frames, asked)
    actors.observe(frames, [(0, 0) if c is None else (c.x, c.y) for c in clicks], asked)
    for row, recorded, click in zip(rows, clicks, proposed, strict=True):
        if row is None or recorded is None:
            continue
        step = next(row.steps)
        if not recorded.flags & Flag.MISTAKE:
            tally.add(row.answer(step, click))
