"""Where episodes of neuron tracing are drawn: labelled volumes, turned at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bcannot_core.episodes.worlds import open_shared
from bcannot_core.errors import UsageError
from bcannot_core.tasks.neurites import sample_neurites, start_candidates
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.volumes import Region
from bcannot_core.volumes.address import parse_address
from bcannot_core.volumes.formats.synthetic import prepare_synthetic

Axes = tuple[int, int, int]
_Choice = TypeVar("_Choice")

ALL_AXES: tuple[Axes, ...] = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
"""Every slicing axis and both ways to lay out its sections; for isotropic volumes."""


@dataclass(frozen=True)
class Source:
    """A labelled volume to trace in.

    Attributes
    ----------
    volume, labels : str
        Addresses of the grey values and of the ids; the same one where a file holds both.
    weight : float
        How often it is drawn, relative to the other sources.
    """

    volume: str
    labels: str
    weight: float = 1.0


@dataclass(frozen=True)
class Orientation:
    """How a source is turned before it is sliced; drawn anew for each episode.

    Attributes
    ----------
    axes : tuple
        Orders of the axes to draw from; the first of each is the slicing axis.
    flips : bool
        Whether each axis runs backwards half of the time.
    steps : tuple of int
        Every how many sections is one kept, to draw from.
    """

    axes: tuple[Axes, ...] = ((0, 1, 2), (0, 2, 1))
    flips: bool = True
    steps: tuple[int, ...] = (1,)


def draw_tracing(
    sources: Sequence[Source],
    orientation: Orientation,
    min_sections: int,
    config: TracingConfig,
    rng: np.random.Generator,
) -> NeuronTracing:
    """Turn a source and draw a neurite in it.

    Raises
    ------
    UsageError
        There is nothing to draw from.
    TaskError, VolumeError
        A volume cannot be read or has no neurite that is long enough.
    """
    weights = np.array([source.weight for source in sources], dtype=float)
    if not (np.all(weights >= 0) and np.isfinite(weights).all() and weights.sum() > 0):
        raise UsageError(f"source weights {weights.tolist()} are not usable: give positive numbers")
    source = sources[int(rng.choice(len(weights), p=weights / weights.sum()))]
    axes = pick(rng, orientation.axes)
    a, b, c = (bool(flip) for flip in rng.integers(2, size=3) * orientation.flips)
    step = (pick(rng, orientation.steps), 1, 1)
    volume = Region(open_shared(source.volume), None, axes, (a, b, c), step)
    labels = Region(open_shared(source.labels, labels=True), None, axes, (a, b, c), step)
    sections = min(config.sections, volume.shape[0])
    path = next(
        sample_neurites(
            labels,
            rng,
            min_sections=min(min_sections, sections),
            sections=sections,
            direction=config.direction,
            candidates=_candidates(source.labels, axes[0], a, step[0]),
        )
    )
    y, x = (float(v) for v in path.points_yx[0])
    return NeuronTracing(TracingWorld(volume, (path.z0, y, x), labels, path), config)


@lru_cache(maxsize=64)
def _candidates(address: str, axis: int, flip: bool, step: int) -> Mapping[int, NDArray[np.int64]]:
    """Return where neurites can start; how each section is laid out makes no difference."""
    first, second = (other for other in range(3) if other != axis)
    labels = open_shared(address, labels=True)
    turned = Region(labels, None, (axis, first, second), (flip, False, False), (step, 1, 1))
    return start_candidates(turned)


def generate_missing(address: str) -> None:
    """Generate a volume that is to be generated and is not on this disk yet.

    Raises
    ------
    UsageError
        The address is malformed.
    """
    parsed = parse_address(address)
    if parsed.kind == "synthetic":
        prepare_synthetic(parsed.location)


def pick(rng: np.random.Generator, choices: Sequence[_Choice]) -> _Choice:
    """Return one of some choices, drawn evenly.

    Raises
    ------
    UsageError
        There is none.
    """
    if not choices:
        raise UsageError(
            "nothing to draw from: name at least one variant, behaviour, axis and step"
        )
    return choices[int(rng.integers(len(choices)))]
