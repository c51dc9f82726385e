"""Worlds of neuron tracking: the same neurons of a small worm, in one recording after another.

Neurons lie along a body that bends, turns, shortens and shifts between the groups of frames; each
keeps its place among the others, not its place in the picture.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen import get_variant
from bcannot_core.tasks.base import check_range
from bcannot_core.tasks.worlds.fluorescence import SIDE, quantised

_LENGTH, _WIDTH = 98.0, 64.0  # half the body, pixels
_BORDER = 18.0
_LEAST_APART = 15.0
_FEWEST, _MOST = 6, 8
_POINTS = 40  # of a neurite


@dataclass(frozen=True, slots=True)
class NeuronTrackingConfig:
    """How hard the neurons are to tell apart, and how they are shown.

    Parameters
    ----------
    neurons : int or None
        How many neurons are tracked, 2 to 12; None for 6 to 8.
    groups : int
        Groups of frames, the reference included, 2 to 16.
    noise : float
        Factor on the photon noise, 0 to 4.
    contrast : float
        Factor on the brightness of neurons above the background, 0.3 to 2.
    deformation : float
        Factor on how the body changes between groups, 0 to 2.
    crowding : float
        How close neurons lie, 0 to 1.
    others : int
        Neurons that nobody asks for, 0 to 6.
    variant : str
        Interface variant.

    Raises
    ------
    UsageError
        A value is out of range.
    """

    neurons: int | None = None
    groups: int = 5
    noise: float = 1.0
    contrast: float = 1.0
    deformation: float = 1.0
    crowding: float = 0.5
    others: int = 2
    variant: str = "original"

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if self.neurons is not None:
            check_range("neurons", self.neurons, 2, 12)
        check_range("groups", self.groups, 2, 16)
        check_range("noise", self.noise, 0.0, 4.0)
        check_range("contrast", self.contrast, 0.3, 2.0)
        check_range("deformation", self.deformation, 0.0, 2.0)
        check_range("crowding", self.crowding, 0.0, 1.0)
        check_range("others", self.others, 0, 6)
        get_variant(self.variant)
        for name in ("neurons", "groups", "others"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, int(getattr(self, name)))  # 5.0 is whole, too


@dataclass(frozen=True)
class NeuronWorld:
    """Neurons over groups of frames.

    Attributes
    ----------
    yx : float64 (groups, neurons, 2)
        Where the neurons are, canvas pixels (y, x); group 0 is the reference.
    others_yx : float64 (groups, others, 2)
        Neurons that nobody asks for.
    sigma, depth : float64 (neurons + others,)
        Size of a cell body, pixels, and how far out of focus it is, 0 to 1.
    brightness : float64 (groups, neurons + others)
        Relative brightness, which changes with activity and bleaching.
    neurites_yx : float64 (groups, points, 2)
        Points along the neurites.
    granules_yx : float64 (groups, n, 2)
        Small bright granules of the gut.
    axis_yx : float64 (groups, n, 2)
        Points along the body's axis.
    noise_seed : int
        Of the pictures' noise.
    """

    yx: NDArray[np.float64] = field(repr=False)
    others_yx: NDArray[np.float64] = field(repr=False)
    sigma: NDArray[np.float64] = field(repr=False)
    depth: NDArray[np.float64] = field(repr=False)
    brightness: NDArray[np.float64] = field(repr=False)
    neurites_yx: NDArray[np.float64] = field(repr=False)
    granules_yx: NDArray[np.float64] = field(repr=False)
    axis_yx: NDArray[np.float64] = field(repr=False)
    noise_seed: int

    @property
    def groups(self) -> int:
        """How many groups there are, the reference included."""
        return int(self.yx.shape[0])

    @property
    def neurons(self) -> int:
        """How many neurons are tracked."""
        return int(self.yx.shape[1])


def sample_world(rng: np.random.Generator, config: NeuronTrackingConfig) -> NeuronWorld:
    """Draw a world; the same generator and configuration give the same world."""
    drawn = int(rng.integers(_FEWEST, _MOST + 1))
    count = config.neurons or drawn
    total = count + config.others
    bodies = _bodies(rng, total, count, config.crowding)
    granules = rng.uniform((-0.9, -0.5), (0.9, 0.5), (int(rng.integers(4, 9)), 2))
    neurites = _neurites(rng, bodies)
    axis = np.stack([np.linspace(-1, 1, 7), np.zeros(7)], axis=1)
    fixed = np.concatenate([bodies, granules * (_LENGTH, _WIDTH), neurites, axis * _LENGTH])
    placed = _placed(fixed, _poses(rng, config))
    cells = np.stack([_apart(group) for group in placed[:, :total]])
    ends = np.cumsum([total, len(granules), len(neurites)])
    active = np.clip(rng.normal(1.0, 0.16, (config.groups, total)), 0.65, 1.4)
    bleached = 0.975 ** np.arange(config.groups)[:, None]
    bright = rng.uniform(0.6, 1.35, total)
    bright[count:] *= 0.45
    return NeuronWorld(
        yx=cells[:, :count],
        others_yx=cells[:, count:],
        sigma=np.round(rng.uniform(3.3, 4.8, total) * 8) / 8,
        depth=np.round(rng.uniform(0, 1, total), 3),
        brightness=np.round(bright * active * bleached, 3).astype(np.float64),
        neurites_yx=placed[:, ends[1] : ends[2]],
        granules_yx=placed[:, ends[0] : ends[1]],
        axis_yx=placed[:, ends[2] :],
        noise_seed=int(rng.integers(1 << 32)),
    )


def _bodies(
    rng: np.random.Generator, total: int, named: int, crowding: float
) -> NDArray[np.float64]:
    """Place cell bodies (along, across) on the straight body; the named ones in order along it."""
    tries = rng.uniform(-1, 1, (60 * total, 2))
    tries = tries[(tries * tries).sum(1) <= 1.0] * (_LENGTH - 8, _WIDTH - 6)
    apart = 38.0 - 16.0 * crowding
    kept: list[NDArray[np.float64]] = []
    while len(kept) < total:
        for at in tries:
            if all(math.dist(at, other) >= apart for other in kept):
                kept.append(at)
                if len(kept) == total:
                    break
        apart *= 0.85
    bodies = np.array(kept)
    order = np.argsort(bodies[:named, 0], kind="stable")
    return np.concatenate([bodies[:named][order], bodies[named:]])


def _neurites(rng: np.random.Generator, bodies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Send a neurite from each cell body to the bundle that runs along the body's middle."""
    side, near, far = rng.uniform(-1, 1, (3, len(bodies)))
    joint = np.stack([bodies[:, 0] + 30.0 * near, 4.0 * side], axis=1)
    end = np.stack([np.clip(joint[:, 0] + 60.0 * far, -_LENGTH, _LENGTH), 2.0 * side], axis=1)
    s = np.linspace(0.0, 1.0, _POINTS)[:, None]
    lines = (1 - s) ** 2 * bodies[:, None] + 2 * s * (1 - s) * joint[:, None] + s**2 * end[:, None]
    return np.asarray(lines.reshape(-1, 2))


class _Poses(NamedTuple):
    """How the body lies in each group.

    Attributes
    ----------
    bends : float64 (groups, 2)
        First and second bend.
    turn : float64 (groups,)
        Radians.
    stretch, middle : float64 (groups, 2)
        Along and across; (y, x) from the canvas' middle.
    bumps : float64 (4, 2)
        Where it is pushed, along and across.
    shifts : float64 (groups, 4, 2)
        How far.
    """

    bends: NDArray[np.float64]
    turn: NDArray[np.float64]
    stretch: NDArray[np.float64]
    middle: NDArray[np.float64]
    bumps: NDArray[np.float64]
    shifts: NDArray[np.float64]


def _poses(rng: np.random.Generator, config: NeuronTrackingConfig) -> _Poses:
    """Let the body change from group to group; every change is drawn back to the middle."""
    far, groups = config.deformation, config.groups
    turn, bends = rng.uniform(-0.6, 0.6), rng.uniform(-0.5, 0.5, 2)
    middle = rng.uniform(-8, 8, 2)
    where = rng.uniform(-1, 1, (4, 2)) * (_LENGTH, _WIDTH)
    change = far * rng.standard_normal((groups, 15))
    return _Poses(
        bends=_drifting(bends, 0.8, 0.32 * change[:, :2]),
        turn=_drifting(np.array(turn), 0.85, 0.2 * change[:, 2]),
        stretch=1 + _drifting(np.zeros(2), 0.6, 0.05 * change[:, 3:5]),
        middle=_drifting(middle, 0.7, 7.0 * change[:, 5:7]),
        bumps=where,
        shifts=_drifting(np.zeros((4, 2)), 0.8, 5.0 * change[:, 7:].reshape(-1, 4, 2)),
    )


def _drifting(
    first: NDArray[np.float64], kept: float, changes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return values from ``first`` on, of which a share is kept each time, with changes."""
    values = changes.copy()
    values[0] = first
    for i in range(1, len(values)):
        values[i] += kept * values[i - 1]
    return values


def _placed(body: NDArray[np.float64], poses: _Poses) -> NDArray[np.float64]:
    """Map points (along, across) of the straight body to canvas pixels (y, x) in each group."""
    along, across = body.T[:, None]
    for (at_along, at_across), shift in zip(poses.bumps, poses.shifts.swapaxes(0, 1), strict=True):
        near = np.exp(-((along - at_along) ** 2 + (across - at_across) ** 2) / (2 * 40.0**2))
        along, across = along + shift[:, :1] * near, across + shift[:, 1:] * near
    along, across = along * poses.stretch[:, :1], across * poses.stretch[:, 1:]
    t = along / _LENGTH
    first, second = poses.bends[:, :1], poses.bends[:, 1:]
    squared = t * t
    rise = 0.5 * _LENGTH * (first * (squared - 0.3) + second * t * (squared - 0.6))
    slope = first * t + 0.5 * second * (3 * squared - 0.6)
    norm = np.sqrt(1 + slope * slope)
    x, y = along - across * slope / norm, rise + across / norm
    sin, cos = np.sin(poses.turn)[:, None], np.cos(poses.turn)[:, None]
    turned = np.stack([y * cos + x * sin, x * cos - y * sin], axis=-1)
    turned += SIDE / 2 + poses.middle[:, None]
    return quantised(np.clip(turned, _BORDER, SIDE - _BORDER))


def _apart(yx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Push cell bodies that came too close apart."""
    for _ in range(12):
        apart = yx[:, None] - yx[None, :]
        distance = np.sqrt((apart * apart).sum(-1)) + 1e-6
        short = np.maximum(_LEAST_APART + 1.0 - distance, 0.0) / distance
        np.fill_diagonal(short, 0.0)
        if not short.any():
            break
        yx = np.clip(yx + 0.5 * (apart * short[..., None]).sum(1), _BORDER, SIDE - _BORDER)
    return quantised(yx)
