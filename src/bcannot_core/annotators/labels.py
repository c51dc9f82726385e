"""Labels of an annotator's clicks, packed into the 16 bits of ``ClickToken.flags``.

Bits 0 to 3 are events (:class:`Flag`), bits 4 to 6 the phase (:class:`Phase`), bits 7 to 15 the
data position plus one, 0 where there is none.
"""

from enum import IntEnum, IntFlag
from typing import NamedTuple

from bcannot_core.errors import UsageError

MOST_POSITION = 510
_PHASE_SHIFT, _POSITION_SHIFT = 4, 7


class Flag(IntFlag):
    """Bits of ``ClickToken.flags``: what an annotator knows of its own click."""

    NONE = 0
    MISTAKE = 1
    CORRECTION = 2
    VERIFY = 4
    OVERSHOOT = 8


MISTAKE, CORRECTION, VERIFY, OVERSHOOT = Flag.MISTAKE, Flag.CORRECTION, Flag.VERIFY, Flag.OVERSHOOT


class Phase(IntEnum):
    """What a click is for."""

    NONE = 0
    EXPLORE = 1
    NAVIGATE = 2
    PLACE = 3
    VERIFY = 4
    CORRECT = 5
    FINISH = 6


class ClickLabels(NamedTuple):
    """What the annotator knew of a click.

    Attributes
    ----------
    events : Flag
        Mistake, correction, verification, overshoot.
    phase : Phase
        What the click is for.
    position : int or None
        Index of the object concerned in the task's own order, None for none.
    """

    events: Flag
    phase: Phase
    position: int | None


def pack_flags(events: int, phase: Phase = Phase.NONE, position: int | None = None) -> int:
    """Return the flags of a click.

    Parameters
    ----------
    events : Flag
        Bits of :class:`Flag`.
    phase : Phase
        What the click is for.
    position : int, optional
        Index of the object concerned; what lies beyond 510 is kept as 510.

    Raises
    ------
    UsageError
        The events are no flags, or the position is negative.
    """
    if not 0 <= events < 1 << _PHASE_SHIFT:
        raise UsageError(f"events {int(events)}: choose bits of Flag, 0 to 15")
    if position is None:
        return int(events) | phase << _PHASE_SHIFT
    if position < 0:
        raise UsageError(f"position {position}: give an index from 0 on, or None")
    place = min(int(position), MOST_POSITION) + 1
    return int(events) | phase << _PHASE_SHIFT | place << _POSITION_SHIFT


def unpack_flags(flags: int) -> ClickLabels:
    """Return what the flags of a click say; a phase that does not exist is none.

    Raises
    ------
    UsageError
        The flags have more than 16 bits.
    """
    if not 0 <= flags <= 0xFFFF:
        raise UsageError(f"flags {flags}: a click has 16 bits of them")
    phase = flags >> _PHASE_SHIFT & 7
    place = flags >> _POSITION_SHIFT
    return ClickLabels(
        Flag(flags & 15),
        Phase(phase) if phase <= Phase.FINISH else Phase.NONE,
        place - 1 if place else None,
    )
