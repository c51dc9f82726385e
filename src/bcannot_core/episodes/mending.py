"""How wrong placements are mended: taken back by Undo, or replaced by the right thing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators.labels import Flag, Phase

Mask = NDArray[np.bool_]

_DECISIONS = (Phase.PLACE, Phase.CORRECT)


@dataclass(frozen=True)
class LabelledClicks:
    """The clicks of several episodes, one after the other.

    Attributes
    ----------
    ends : int (episodes,)
        Where each episode's clicks end.
    flags : uint16 (clicks,)
        Labels, as :func:`~bcannot_core.annotators.labels.unpack_flags` reads them.
    edits, places, undos : bool (clicks,)
        Which clicks are edits, which of these place something, and which are Undo.
    """

    ends: NDArray[Any]
    flags: NDArray[np.uint16]
    edits: Mask
    places: Mask
    undos: Mask

    def episode_of(self, clicks: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the episodes of some clicks."""
        return np.searchsorted(self.ends, clicks, side="right")


def taken_back(of: LabelledClicks) -> Mask:
    """Return which clicks an Undo took back; Undo takes back the latest edit."""
    events = np.flatnonzero(of.edits | of.undos)
    back, latest = np.zeros_like(of.undos), -1
    stack: list[int] = []
    for e, click in zip(of.episode_of(events).tolist(), events.tolist(), strict=True):
        if e != latest:
            stack, latest = [], e
        if not of.undos[click]:
            stack.append(click)
        elif stack:
            back[stack.pop()] = True
    return back


def replaced(of: LabelledClicks, wrong: Mask, undone: Mask) -> Mask:
    """Return for which wrong clicks the right thing was chosen or placed later on, and stayed.

    The right click concerns the same object of the same episode; where clicks name no object, it
    is one that places something and that the annotator knew to be a correction.

    Parameters
    ----------
    of : LabelledClicks
        The clicks.
    wrong : bool (clicks,)
        Which of them are wrong placements.
    undone : bool (clicks,)
        Which of them Undo took back.
    """
    named = of.flags >> 7 > 0
    decided = np.isin(of.flags >> 4 & 7, _DECISIONS)
    corrects = of.places & (of.flags & Flag.CORRECTION > 0)
    right = (
        ~(of.undos | undone) & (of.flags & Flag.MISTAKE == 0) & np.where(named, decided, corrects)
    )
    last: dict[tuple[int, int], int] = {}
    for click, episode, what in _concerned(of, right):
        last[episode, what] = click
    mended = np.zeros_like(wrong)
    for click, episode, what in _concerned(of, wrong & ~undone):
        mended[click] = last.get((episode, what), -1) > click
    return mended


def _concerned(of: LabelledClicks, which: Mask) -> Iterator[tuple[int, int, int]]:
    """Yield clicks in order, each with its episode and the object that it concerns."""
    clicks = np.flatnonzero(which)
    objects = of.flags[clicks] >> 7
    yield from zip(clicks.tolist(), of.episode_of(clicks).tolist(), objects.tolist(), strict=True)
