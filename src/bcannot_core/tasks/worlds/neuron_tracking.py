"""Worlds of neuron tracking: the same neurons of a small worm, in one recording after another.

Neurons lie along a body that bends, turns, shortens and shifts between the groups of frames; each
keeps its place among the others, not its place in the picture.
"""

import math
from dataclasses import dataclass, field

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
    poses = _poses(rng, config)
    placed = np.stack([_placed(fixed, pose) for pose in poses])
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
    s = np.linspace(0.0, 1.0, _POINTS)[:, None]
    out = []
    for body in bodies:
        side = rng.uniform(-0.5, 0.5)
        joint = np.array([body[0] + 30.0 * rng.uniform(-1, 1), 8.0 * side])
        end = np.array([np.clip(joint[0] + 60.0 * rng.uniform(-1, 1), -_LENGTH, _LENGTH), 4 * side])
        out.append((1 - s) ** 2 * body + 2 * s * (1 - s) * joint + s**2 * end)
    return np.concatenate(out)


@dataclass(frozen=True, slots=True)
class _Pose:
    """How the body lies: bends, turn (radians), stretch, middle, and bumps (where, shift)."""

    bends: tuple[float, float]
    turn: float
    stretch: tuple[float, float]
    middle: tuple[float, float]
    bumps: NDArray[np.float64]


def _poses(rng: np.random.Generator, config: NeuronTrackingConfig) -> list[_Pose]:
    """Let the body change from group to group; every change is drawn back to the middle."""
    far = config.deformation
    turn, bends = rng.uniform(-0.6, 0.6), rng.uniform(-0.5, 0.5, 2)
    stretch, middle = np.ones(2), rng.uniform(-8, 8, 2)
    where = rng.uniform(-1, 1, (4, 2)) * (_LENGTH, _WIDTH)
    shift = np.zeros((4, 2))
    poses = []
    for group in range(config.groups):
        if group:
            turn = 0.85 * turn + far * rng.normal(0, 0.2)
            bends = 0.8 * bends + far * rng.normal(0, 0.32, 2)
            stretch = 1 + 0.6 * (stretch - 1) + far * rng.normal(0, 0.05, 2)
            middle = 0.7 * middle + far * rng.normal(0, 7, 2)
            shift = 0.8 * shift + far * rng.normal(0, 5, (4, 2))
        poses.append(
            _Pose(
                (float(bends[0]), float(bends[1])),
                float(turn),
                (float(stretch[0]), float(stretch[1])),
                (float(middle[0]), float(middle[1])),
                np.concatenate([where, shift], axis=1),
            )
        )
    return poses


def _placed(body: NDArray[np.float64], pose: _Pose) -> NDArray[np.float64]:
    """Map points (along, across) of the straight body to canvas pixels (y, x)."""
    along, across = body[:, 0], body[:, 1]
    for at_along, at_across, by_along, by_across in pose.bumps.tolist():
        near = np.exp(-((along - at_along) ** 2 + (across - at_across) ** 2) / (2 * 40.0**2))
        along, across = along + by_along * near, across + by_across * near
    along, across = along * pose.stretch[0], across * pose.stretch[1]
    t = along / _LENGTH
    rise = 0.5 * _LENGTH * (pose.bends[0] * (t * t - 0.3) + pose.bends[1] * (t**3 - 0.6 * t))
    slope = 0.5 * (2 * pose.bends[0] * t + pose.bends[1] * (3 * t * t - 0.6))
    norm = np.sqrt(1 + slope * slope)
    x, y = along - across * slope / norm, rise + across / norm
    sin, cos = math.sin(pose.turn), math.cos(pose.turn)
    turned = np.stack([y * cos + x * sin, x * cos - y * sin], axis=1)
    inside = np.clip(turned + SIDE / 2 + pose.middle, _BORDER, SIDE - _BORDER)
    return quantised(inside)


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
