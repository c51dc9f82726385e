"""Baselines for any task: clicks at random, and the scripted annotator itself.

The annotators know the ground truth: they say what can be reached, and they try the evaluation out.
"""

from collections.abc import Callable, Sequence

import numpy as np

from bcannot_core.annotators import Annotator, Behaviour, make_annotator
from bcannot_core.errors import UsageError
from bcannot_core.evaluation.actors import Actors, Click, Frame
from bcannot_core.session import Session

PREFIX = "baseline:"


class RandomActors(Actors):
    """Clicks anywhere on the frame, each pixel as likely as any other.

    Parameters
    ----------
    rows : int
        Sessions at once.
    seed : int
        Of the clicks.
    """

    name = "baseline:random"

    def __init__(self, rows: int = 1, seed: int = 0) -> None:
        self.rows = rows
        self._seed = seed
        self._begun = 0
        self._rngs = [np.random.default_rng(seed) for _ in range(rows)]

    def begin(self, row: int, session: Session) -> None:
        """Give the session draws of its own, by how many have begun before."""
        self._rngs[row] = np.random.default_rng((self._seed, self._begun))
        self._begun += 1

    def act(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Draw a pixel for every living row."""
        return [
            (int(rng.integers(frame.shape[1])), int(rng.integers(frame.shape[0])))
            if lives
            else (0, 0)
            for rng, frame, lives in zip(self._rngs, frames, alive, strict=True)
        ]

    def propose(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Draw a pixel for every living row."""
        return self.act(frames, alive)

    def observe(
        self, frames: Sequence[Frame], clicks: Sequence[Click], alive: Sequence[bool]
    ) -> None:
        """Take no notice."""


class AnnotatorActors(Actors):
    """The scripted annotator as a policy.

    Parameters
    ----------
    rows : int
        Sessions at once.
    behaviour : Behaviour or str
        Its mistakes and habits; ``"default"`` is the task's own.
    seed : int
        Of its randomness.
    """

    def __init__(
        self, rows: int = 1, behaviour: Behaviour | str = "default", seed: int = 0
    ) -> None:
        self.rows = rows
        self.name = f"baseline:{'flawless' if behaviour == 'flawless' else 'annotator'}"
        self._behaviour, self._seed = behaviour, seed
        self._begun = 0
        self._annotators: list[Annotator | None] = [None] * rows

    def begin(self, row: int, session: Session) -> None:
        """Make the annotator of a session."""
        rng = np.random.default_rng((self._seed, self._begun))
        self._annotators[row] = make_annotator(session, rng, self._behaviour)
        self._begun += 1

    def act(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Let the annotators of the living rows act; they look at the state, not at the frame."""
        return [
            annotator.act() if lives and annotator is not None else (0, 0)
            for annotator, lives in zip(self._annotators, alive, strict=True)
        ]

    def propose(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Let the annotators of the living rows act."""
        return self.act(frames, alive)

    def observe(
        self, frames: Sequence[Frame], clicks: Sequence[Click], alive: Sequence[bool]
    ) -> None:
        """Let the annotators look on: what they would have begun now is dropped."""
        for annotator, lives in zip(self._annotators, alive, strict=True):
            if lives and annotator is not None:
                annotator.act()


SCRIPTED: dict[str, Callable[[int, int], Actors]] = {
    "baseline:random": RandomActors,
    "baseline:annotator": lambda rows, seed: AnnotatorActors(rows, "default", seed),
    "baseline:flawless": lambda rows, seed: AnnotatorActors(rows, "flawless", seed),
}


def scripted_actors(name: str, rows: int = 1, seed: int = 0) -> Actors:
    """Make a baseline by name.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    if name not in SCRIPTED:
        raise UsageError(f"there is no {name!r}: choose one of {', '.join(SCRIPTED)}")
    return SCRIPTED[name](rows, seed)
