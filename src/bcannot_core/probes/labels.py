"""What is asked of the stream at every step: labels of the click before it and of the click after.

The [cls] token of step ``t`` has seen the frames up to ``t`` and the clicks before ``t``. What the
click of step ``t - 1`` did is visible in the frame of step ``t`` for the first time. Hence

* ``mistake`` and ``correction`` of row ``t`` are those of the click of step ``t - 1``: the state
  after the click is probed. A row at step 0 has none before it, and what follows the last click
  (Done) is seen by no policy.
* ``phase``, ``position``, ``action`` and ``coming`` of row ``t`` are those of the click of step
  ``t``, which is not made yet.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators import Flag, Phase, unpack_flags
from bcannot_core.episodes.replay import Step

LABELS = np.dtype(
    [
        ("episode", "<i4"),
        ("task", "<U32"),
        ("step", "<i4"),
        ("mistake", "?"),
        ("correction", "?"),
        ("decided", "?"),
        ("before", "<U24"),
        ("coming", "?"),
        ("action", "<U24"),
        ("phase", "i1"),
        ("position", "<i2"),
    ]
)
"""One row a step.

``episode`` is the index among those that are read. Of the click before: ``mistake``,
``correction``, ``decided`` (it was a decision, of phase ``PLACE``) and its action ``before``, empty
at step 0. Of the click that comes: ``coming`` (it is a mistake), ``action``, ``phase`` and
``position``, the index of the object concerned, -1 for none.
"""

Labels = NDArray[np.void]
"""Rows of :data:`LABELS`."""

_PHASES = {
    "place": Phase.PLACE,
    "undo": Phase.CORRECT,
    "remove": Phase.CORRECT,
    "done": Phase.FINISH,
}


class Labeller:
    """Labels the steps of one episode, in order.

    Parameters
    ----------
    episode : int
        Its index.
    task : str
        Its task id.
    """

    def __init__(self, episode: int, task: str) -> None:
        self._about = (episode, task)
        self._rows: list[tuple[Any, ...]] = []
        self._before: tuple[bool, bool, bool, str] = (False, False, False, "")

    def add(self, step: Step) -> None:
        """Label the next step."""
        action = step.click.action
        events, phase, position = unpack_flags(step.click.flags)
        if phase is Phase.NONE:
            phase, position = _derived(step, events)
        mistake = bool(events & Flag.MISTAKE)
        coming = (mistake, action, int(phase), -1 if position is None else position)
        self._rows.append((*self._about, len(self._rows), *self._before, *coming))
        corrected = bool(events & Flag.CORRECTION)
        self._before = (mistake, corrected, phase is Phase.PLACE, action)

    def finish(self) -> Labels:
        """Return the labels, one row a step."""
        return np.array(self._rows, dtype=LABELS)


def _derived(step: Step, events: Flag) -> tuple[Phase, int | None]:
    """Return phase and position where the annotator gives none, as that of neuron tracing."""
    phase = _PHASES.get(step.click.action, Phase.NAVIGATE)
    if phase is Phase.NAVIGATE and events & Flag.VERIFY:
        phase = Phase.VERIFY
    elif phase is Phase.NAVIGATE and events & Flag.CORRECTION:
        phase = Phase.CORRECT
    section = getattr(step.outcome.state_before, "section", None)
    return phase, section if isinstance(section, int) else None
