"""Which of an annotator's clicks are imitated: mistakes and beginnings of detours are only seen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators import MISTAKE, OVERSHOOT, VERIFY
from bcannot_core.session import ClickToken

_TRACING = "neuron_tracing"
_TRACING_DETOURS = {"next_section": MISTAKE | OVERSHOOT, "previous_section": MISTAKE | VERIFY}
_DETOURS = VERIFY | OVERSHOOT


def imitated_in_tracing(action: str, flags: int) -> bool:
    """Whether a click of a tracing session is to be imitated.

    Going back to check is a detour as long as it goes back; the way forward again is not.
    """
    return not _TRACING_DETOURS.get(action, MISTAKE) & flags


def imitated(task_id: str, clicks: Sequence[ClickToken]) -> NDArray[np.bool_]:
    """Return which clicks of a session are to be imitated.

    Not mistakes, up to the click that mends them, and not the click that begins a detour (going
    one too far, checking earlier work): once on a detour, the way back is worth learning.

    Parameters
    ----------
    task_id : str
        The session's task.
    clicks : sequence of ClickToken
        All of its clicks, in order.

    Returns
    -------
    bool (n,)
        One for each click.
    """
    if task_id == _TRACING:
        return np.array([imitated_in_tracing(c.action, c.flags) for c in clicks], dtype=np.bool_)
    wanted = np.empty(len(clicks), dtype=np.bool_)
    before = 0
    for i, click in enumerate(clicks):
        begins = click.flags & _DETOURS and not before & _DETOURS
        wanted[i] = not (click.flags & MISTAKE or begins)
        before = click.flags
    return wanted
