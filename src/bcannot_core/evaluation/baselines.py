"""Baselines of tracing: they see no tissue, only the screen's own marks.

Both place a node in every section and press Done at the last one. As long as the view does not
move, the canvas centre is where the last node is, so that the two differ little.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen.layout import Layout
from bcannot_core.tasks.neuron_tracing import NODE_COLOUR


class Clicker(ABC):
    """Places a node, goes to the next section, and so on."""

    confidence = 1.0
    name = "baseline"

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None
        self._placed = False
        self._nodes = 0

    def watch(self, layout: Layout, sections: int) -> None:
        """Say where canvas and buttons are, and how many sections there will be."""
        self.layout, self.sections = layout, sections

    def reset(self) -> None:
        """Forget the session."""
        self._last, self._placed, self._nodes = None, False, 0

    def act(self, frame: NDArray[np.uint8]) -> tuple[int, int]:
        """Return the click for a frame."""
        if not self._placed:
            self._placed = True
            self._nodes += 1
            self._last = self.place()
            return self._last
        self._placed = False
        if self._last is not None and not _ring_at(frame, self._last):
            self._last = None  # the view re-centred on the node
        return self.layout.buttons[
            "done" if self._nodes == self.sections else "next_section"
        ].centre

    @abstractmethod
    def place(self) -> tuple[int, int]:
        """Return where the next node goes."""

    @property
    def centre(self) -> tuple[int, int]:
        """The canvas centre."""
        canvas = self.layout.canvas
        return canvas.x + canvas.w // 2, canvas.y + canvas.h // 2


def _ring_at(frame: NDArray[np.uint8], xy: tuple[int, int]) -> bool:
    x, y = xy
    ring = frame[y - 6 : y + 7, x - 6 : x + 7].astype(int)
    return bool((np.abs(ring - NODE_COLOUR).sum(2) < 30).sum() >= 8)


class CentreBaseline(Clicker):
    """Always clicks the canvas centre."""

    name = "baseline:centre"

    def place(self) -> tuple[int, int]:
        """Return the canvas centre."""
        return self.centre


class StayBaseline(Clicker):
    """Always clicks where the last node is."""

    name = "baseline:stay"

    def place(self) -> tuple[int, int]:
        """Return the last node, the canvas centre at first or after the view moved."""
        return self._last or self.centre


BASELINES: dict[str, Callable[[], Clicker]] = {
    "baseline:centre": CentreBaseline,
    "baseline:stay": StayBaseline,
}
