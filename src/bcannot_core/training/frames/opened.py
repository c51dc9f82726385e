"""Open episodes: every state is kept, so that any of its frames is drawn when it is asked for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators import make_annotator
from bcannot_core.annotators.behaviour import LENIENT
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import Replay
from bcannot_core.episodes.specification import RANDOM_VARIANT
from bcannot_core.episodes.worlds import build_task
from bcannot_core.screen import Screen, random_variant
from bcannot_core.session.clicks import ClickToken, Outcome
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import make_task
from bcannot_core.training.frames.retarget import retarget
from bcannot_core.training.imitation import imitated

ORACLE = "oracle"
"""``meta["labels"]`` of episodes in which the lenient annotator says what would be right."""

_ORACLE_SEED = 5
_HABITS = 3  # a stream of randomness apart from the world's, which has the seed alone


class OpenEpisode:
    """A session that is over, as arrays over its steps, with its frames drawn when asked for.

    Attributes
    ----------
    task_id : str
        Its task.
    clicks : int32 (t, 2)
        What was clicked, (x, y) in frame pixels.
    rects : int32 (t, 4)
        Left, top, right (exclusive), bottom (exclusive) of where a click is right: a button, or
        the one pixel of a placement.
    wanted : bool (t,)
        Whether the click is to be imitated.
    actions : tuple of str
        What the right click does.
    """

    def __init__(
        self,
        session: Session,
        states: Sequence[Any],
        labels: Sequence[ClickToken],
        fresh: Sequence[bool] | None = None,
    ) -> None:
        self._task: Any = session.task
        self._states = states
        self._screen = session.screen
        self.task_id = session.task.id
        self.clicks = np.array([c[:2] for c in session.clicks], dtype=np.int32).reshape(-1, 2)
        rects = [target_rect(session.screen, (label.x, label.y)) for label in labels]
        self.rects = np.array(rects, dtype=np.int32).reshape(-1, 4)
        self.wanted = imitated(self.task_id, labels)
        if fresh is not None:
            self.wanted &= np.array(fresh, dtype=np.bool_)
        self.actions = tuple(label.action for label in labels)

    def __len__(self) -> int:
        return len(self._states)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of its frames."""
        return self._screen.size_wh

    def frame(self, step: int) -> NDArray[np.uint8]:
        """Return what was seen before a click; changes with the next call."""
        return self._screen.draw(self._task.content(self._states[step]))


def target_rect(screen: Screen, click_xy: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom (exclusive) of where a click does the same."""
    x, y = click_xy
    button = screen.layout.buttons.get(screen.hit(x, y).target)
    if button is None:
        return x, y, x + 1, y + 1
    return button.x, button.y, button.right, button.bottom


def open_recorded(episode: Episode, variant: str | None = None) -> OpenEpisode:
    """Replay an episode without drawing it.

    Parameters
    ----------
    episode : Episode
        What to open. Where its ``meta`` says so, the lenient annotator labels every step.
    variant : str, optional
        Show it on another interface.

    Raises
    ------
    DatasetError, VolumeError
        It cannot be replayed.
    """
    asked = episode.meta.get("labels") == ORACLE
    shown = episode.variant if variant is None else variant
    task = build_task(replace(episode, variant=shown), labels=asked)
    if shown != episode.variant:
        episode = retarget(episode, shown, task=task)
    run = Replay(episode, task=task, copy=False)
    states = kept_states(run.session)
    if asked:
        labels, fresh = _replay_with_oracle(run)
        return OpenEpisode(run.session, states, labels, fresh)
    run.finish()
    return OpenEpisode(run.session, states, run.session.clicks)


def open_live(
    task_id: str, seed: int, variants: Sequence[str], behaviours: Sequence[str]
) -> OpenEpisode:
    """Let the scripted annotator do an episode in a new world.

    Parameters
    ----------
    task_id : str
        Which task.
    seed : int
        Decides the world, which variant and behaviour of those given, and every click.
    variants, behaviours : sequence of str
        Names to draw from; the variant ``"random"`` has all of its axes drawn.
    """
    rng = np.random.default_rng((seed, _HABITS))
    session = live_session(task_id, seed, variants, rng)
    behaviour = str(rng.choice(behaviours))
    states = kept_states(session)
    make_annotator(session, rng, behaviour).run()
    return OpenEpisode(session, states, session.clicks)


def live_session(
    task_id: str, seed: int, variants: Sequence[str], rng: np.random.Generator
) -> Session:
    """Begin a session in the world of a seed, on an interface drawn from some."""
    variant = str(rng.choice(variants))
    if variant == RANDOM_VARIANT:
        variant = random_variant(rng).name
    return Session(make_task(task_id, seed, variant=variant))


def kept_states(session: Session) -> list[Any]:
    """Return a list that takes in the state before every click of a session from now on."""
    states: list[Any] = []

    def keep(outcome: Outcome, _token: ClickToken) -> None:
        states.append(outcome.state_before)

    session.subscribe(keep)
    return states


def _replay_with_oracle(run: Replay) -> tuple[list[ClickToken], list[bool]]:
    """Replay a session; return what the lenient annotator would have clicked, and what is fresh.

    To mend a mistake is fresh once: as long as it is left as it is, the same click stays right, and
    would outweigh all others.
    """
    session, labels, fresh, left = run.session, list[ClickToken](), list[bool](), False
    oracle = make_annotator(session, _ORACLE_SEED, LENIENT)
    for click in run.episode.clicks:
        x, y = oracle.act()
        action = session.task.action_for(session.screen.hit(x, y), session.state).name
        labels.append(ClickToken(x, y, "annotator", int(oracle.flags), 0, action))
        fresh.append(not (oracle.mends and left))
        made = session.apply((click.x, click.y), click.actor, click.flags, click.ms)
        left = oracle.mends and made.action != action
    return labels, fresh
