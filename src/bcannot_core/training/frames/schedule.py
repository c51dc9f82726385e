"""Which window has which number: a pure function of the seed, so that runs are repeated exactly.

Windows are numbered. Window ``i`` belongs to lane ``i % lanes``; a lane has one episode open at a
time and gives a few windows of it, one in every round over the lanes, before it opens the next. So
windows of one episode lie far apart, an episode is opened once for all of them, and whoever knows
the number can make the window, in any process, without those before it.
"""

from dataclasses import dataclass, field

import numpy as np

from bcannot_core.training.frames.opened import OpenEpisode
from bcannot_core.training.frames.recipe import DataRecipe
from bcannot_core.training.frames.sources import EpisodeSource

_WINDOWS = 7  # this stream of randomness


@dataclass(frozen=True)
class Cut:
    """A window of an episode.

    Attributes
    ----------
    episode : OpenEpisode
        Where it is from.
    first : int
        Its first step.
    length : int
        How many steps it has.
    """

    episode: OpenEpisode
    first: int
    length: int


@dataclass
class _Visit:
    """What a lane has open: the windows of its latest episode, and how many came before."""

    number: int
    given: int = 0
    opened: int = 0
    cuts: list[Cut] = field(default_factory=list)


class Schedule:
    """Finds windows by their numbers; opens episodes as they are needed.

    Parameters
    ----------
    source : EpisodeSource
        What episodes are drawn from.
    recipe : DataRecipe
        How windows are cut.
    context : int
        Steps of a window.
    seed : int
        Decides every window.
    lanes : int
        Episodes that are open at the same time.
    """

    def __init__(
        self, source: EpisodeSource, recipe: DataRecipe, context: int, seed: int, lanes: int
    ) -> None:
        self._source, self._recipe = source, recipe
        self._context, self._seed, self._lanes = context, seed, lanes
        self._visits: dict[int, _Visit] = {}

    def window(self, number: int) -> Cut:
        """Return a window by its number.

        Raises
        ------
        DatasetError, TaskError, VolumeError
            An episode cannot be opened.
        """
        most = self._recipe.per_episode
        lane = number % self._lanes
        which, turn = divmod(number // self._lanes + lane % most, most)
        visit = self._visits.get(lane)
        if visit is None or visit.number != which or turn < visit.given:
            visit = self._visits[lane] = _Visit(which)
        while turn >= visit.given + len(visit.cuts):
            self._open_next(visit, lane)
        return visit.cuts[turn - visit.given]

    def _open_next(self, visit: _Visit, lane: int) -> None:
        rng = np.random.default_rng((self._seed, _WINDOWS, lane, visit.number, visit.opened))
        pick = self._source.pick(rng)
        try:
            episode = self._source.open(pick)
        except Exception as error:
            error.add_note(f"in episode {pick.number} of {pick.task}")
            raise
        visit.given += len(visit.cuts)
        visit.opened += 1
        firsts = first_steps(
            len(episode), self._context, rng, self._recipe.per_episode, self._recipe.overlap
        )
        visit.cuts = [
            Cut(episode, first, min(self._context, len(episode) - first)) for first in firsts
        ]


def first_steps(
    steps: int, context: int, rng: np.random.Generator, most: int, overlap: bool
) -> list[int]:
    """Return the first steps of an episode's windows, in random order.

    Windows tile the episode from a random place, or lie anywhere where they may overlap. Those
    that would begin before the episode begin with it; the last one reaches over the end. So the
    end comes at any place in a window: if it always came last, a policy would learn to press Done
    as soon as its context is full.

    Parameters
    ----------
    steps : int
        Of the episode.
    context : int
        Of a window.
    rng : numpy.random.Generator
        Draws them.
    most : int
        How many at most; never more than are needed to cover the episode.
    overlap : bool
        Whether they may overlap at will.
    """
    if steps <= context:
        return [0]
    if overlap:
        count = min(most, -(-steps // context))
        drawn = rng.integers(-(context // 2), steps, size=count)
    else:
        drawn = rng.permutation(np.arange(int(rng.integers(context)) - context, steps, context))
    firsts = dict.fromkeys(max(0, int(first)) for first in drawn)
    return list(firsts)[:most]
