"""Stepping through frames: what tasks on recordings have in common."""

from functools import lru_cache

from bcannot_core.session import Aim

NEXT, PREVIOUS, UNDO = "next_frame", "previous_frame", "undo"
STEPS = frozenset({NEXT, PREVIOUS})


@lru_cache(maxsize=8)
def _unusable(at_first: bool, at_last: bool, can_undo: bool) -> frozenset[str]:
    off = {PREVIOUS: at_first, NEXT: at_last, UNDO: not can_undo}
    return frozenset(name for name, useless in off.items() if useless)


def unusable(frame: int, frames: int, can_undo: bool) -> frozenset[str]:
    """Return which of the buttons next, previous and Undo do nothing in a frame."""
    return _unusable(frame == 0, frame + 1 >= frames, can_undo)


def stepped(frame: int, action: str, frames: int) -> int:
    """Return the frame after ``next_frame`` or ``previous_frame``."""
    return min(max(frame + (1 if action == NEXT else -1), 0), frames - 1)


def steps_between(frame: int, to: int) -> list[Aim]:
    """Return the clicks that lead from one frame to another."""
    return [NEXT if to > frame else PREVIOUS] * abs(to - frame)
