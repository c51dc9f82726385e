"""What everything that follows a neurite in training has in common: where it is, what it sees."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcannot_core.policy.config import GlanceConfig
from bcannot_core.policy.retina import OUTSIDE_GREY, crop, normalise
from bcannot_core.screen.sprites import ring_offsets
from bcannot_core.tasks.neuron_tracing import NODE_RADIUS, PREVIOUS_ALPHA, PREVIOUS_COLOUR

Yx = tuple[int, int]


@dataclass(frozen=True)
class Past:
    """An earlier view: its section, the corner of the glance, and what was believed of it."""

    z: int
    corner_yx: Yx
    belief: NDArray[np.float32]
    marked: bool


class Follower(ABC):
    """Stands in a section of a picture and looks around.

    Parameters
    ----------
    config : GlanceConfig
        Size of the glance.
    rng : numpy.random.Generator
        Draws whatever is drawn.
    """

    def __init__(self, config: GlanceConfig, rng: np.random.Generator) -> None:
        self.config, self.rng = config, rng
        self.z = self.age = 0
        self.focus: Yx = (0, 0)
        self.past: list[Past] = []
        self.marks = False

    @property
    @abstractmethod
    def grey(self) -> NDArray[np.uint8]:
        """What is seen, (z, y, x)."""

    @property
    def corner(self) -> Yx:
        """Top left pixel (y, x) of the glance."""
        half = self.config.size // 2
        return self.focus[0] - half, self.focus[1] - half

    def inputs(self, out: NDArray[np.float32]) -> None:
        """Write what the network sees into a zeroed (inputs, size, size) array."""
        views = self.config.views
        y0, x0 = self.corner
        crop(self.grey[self.z], (x0, y0), out[0], OUTSIDE_GREY)
        if self._marked():
            self._mark(out[0], 0, 0)
        normalise(out[0])
        for i, lag in enumerate(self.config.lags):
            if lag > len(self.past):
                continue
            past = self.past[lag - 1]
            crop(self.grey[past.z], (x0, y0), out[1 + i], OUTSIDE_GREY)
            if past.marked:
                self._mark(out[1 + i], past.corner_yx[0] - y0, past.corner_yx[1] - x0)
            normalise(out[1 + i])
            corner = (x0 - past.corner_yx[1], y0 - past.corner_yx[0])
            crop(past.belief, corner, out[1 + views + i], 0)

    def _marked(self) -> bool:
        """Whether the screen shows the node of the section before."""
        return self.marks and self.age > 0

    def _mark(self, grey: NDArray[np.float32], down: int, right: int) -> None:
        """Draw the node of the section before, as the screen does, where a glance was centred."""
        half, size = self.config.size // 2, self.config.size
        dy, dx = ring_offsets(NODE_RADIUS)
        ys, xs = dy + half + down, dx + half + right
        seen = (ys >= 0) & (ys < size) & (xs >= 0) & (xs < size)
        ys, xs = ys[seen], xs[seen]
        grey[ys, xs] += PREVIOUS_ALPHA * (PREVIOUS_COLOUR[1] - grey[ys, xs])
