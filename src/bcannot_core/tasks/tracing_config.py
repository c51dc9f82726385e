"""What a trace is made of: its configuration and its world."""

import math
from dataclasses import dataclass, field

from bcannot_core.errors import OptionError, UsageError
from bcannot_core.screen import get_variant
from bcannot_core.tasks.neurites import LabelSource, NeuritePath
from bcannot_core.tasks.section_picture import VolumeLike

_LARGEST_NM = 1e6


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """How a trace is asked for and shown.

    Parameters
    ----------
    sections : int
        How many sections, the start point's included; fewer where the volume ends before.
    nm_per_px : float
        Size of a canvas pixel, nm.
    direction : int
        +1 for growing z, -1 for shrinking z.
    variant : str
        Interface variant.
    """

    sections: int = 50
    nm_per_px: float = 10.0
    direction: int = 1
    variant: str = "original"

    def __post_init__(self) -> None:
        if not self.sections >= 1:
            raise OptionError(f"sections is {self.sections}: ask for at least 1", "sections", low=1)
        if not 0 < self.nm_per_px <= _LARGEST_NM:
            message = f"nm_per_px is {self.nm_per_px}: give a positive size in nm, 1e6 at most"
            raise OptionError(message, "nm_per_px", low=0.0, high=_LARGEST_NM)
        if self.direction not in (-1, 1):
            message = f"direction is {self.direction}: give 1 or -1"
            raise OptionError(message, "direction", choices=(1, -1))
        get_variant(self.variant)


@dataclass(frozen=True)
class TracingWorld:
    """The data of a trace.

    Parameters
    ----------
    volume : Volume
        What is looked at.
    start_zyx : tuple of float
        Start point in voxels; rounded to the nearest one.
    labels : Volume, optional
        Neuron ids of the same shape, for the score.
    path : NeuritePath, optional
        The neurite's course where it is known already; followed when needed otherwise.
    """

    volume: VolumeLike
    start_zyx: tuple[float, float, float]
    labels: LabelSource | None = None
    path: NeuritePath | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        shape = tuple(self.volume.shape)
        start = tuple(self.start_zyx)
        if len(start) != 3 or not all(math.isfinite(c) for c in start):
            raise UsageError(f"start point {start} is not three numbers (z, y, x)")
        rounded = tuple(math.floor(c + 0.5) for c in start)
        if not all(0 <= c < n for c, n in zip(rounded, shape, strict=True)):
            raise UsageError(
                f"start point {start} lies outside the volume of shape {shape} (z, y, x)"
            )
        if self.labels is not None and tuple(self.labels.shape) != shape:
            raise UsageError(f"labels have shape {tuple(self.labels.shape)}, the volume {shape}")
        object.__setattr__(self, "start_zyx", rounded)
