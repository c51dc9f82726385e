"""What is to be played: a task's world, its screen and its annotator. No Qt here."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bcannot_core.episodes.player import Habits, Player
from bcannot_core.errors import BcannotError
from bcannot_core.screen import random_variant
from bcannot_core.tasks.registry import make_task
from napari_bcannot.play_snapshot import task_title
from napari_bcannot.play_source import Source

RANDOM_SCREEN = "random"
"""A variant whose axes are all drawn from the seed."""
_SCREEN_STREAM = 3


@dataclass(frozen=True)
class PlaySetup:
    """What is to be played.

    Attributes
    ----------
    task : str
        Task id.
    seed : int
        Of the world, of a random screen and of the annotator.
    variant : str
        Of the interface, or ``"random"``.
    options : mapping
        The task's own, where they are not the defaults.
    source : Source, optional
        What neuron tracing is played in; made tissue by default.
    behaviour : str
        Of the annotator.
    mistakes : float, optional
        Share of the annotator's placements that go wrong, in place of the behaviour's own.
    """

    task: str
    seed: int = 0
    variant: str = "original"
    options: Mapping[str, Any] = field(default_factory=dict)
    source: Source | None = None
    behaviour: str = "default"
    mistakes: float | None = None

    @property
    def screen(self) -> str:
        """The name of the variant; one that is random is drawn from the seed."""
        if self.variant != RANDOM_SCREEN:
            return self.variant
        return random_variant(np.random.default_rng((self.seed, _SCREEN_STREAM))).name

    @property
    def habits(self) -> Habits:
        """How the annotator works."""
        return Habits(self.seed, self.behaviour, self.mistakes)

    @property
    def title(self) -> str:
        """The session in a few words."""
        screen = f" · {self.screen}" if self.variant == RANDOM_SCREEN else ""
        return f"{task_title(self.task)} · seed {self.seed}{screen}"

    def player(self) -> Player:
        """Make the world and begin a session on it; takes a while for large volumes.

        Raises
        ------
        BcannotError
            An option or the seed is not usable, or a volume cannot be read.
        """
        source = {} if self.source is None else self.source.options()
        task = make_task(self.task, self.seed, variant=self.screen, **self.options, **source)
        player = Player.play(task, self.seed, self.habits)
        player.reading()()  # what is shown first: here, and not in the window's thread
        with suppress(BcannotError):  # no annotator, or no ground truth
            player.upcoming(think=True)  # reads the neurite's course
        player.work_as(self.habits)  # afresh
        return player
