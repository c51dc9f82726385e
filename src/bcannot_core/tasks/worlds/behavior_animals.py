"""Animals whose behaviour is tracked: insects with antennae, fish, and elongated crawlers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.creatures import Layer, coat, ink, leg_joints, stain, strides, unit
from bcannot_core.tasks.worlds.ribbons import (
    Floats,
    Ribbons,
    curve,
    inks,
    left_of,
    oval,
    ribbons,
    samples,
    width_profile,
)  # fmt: skip

Points = NDArray[np.float64]
KINDS = ("insect", "fish", "crawler")
GROUNDS: dict[str, Sequence[str]] = {
    "insect": ("dish", "sand", "leaf", "stone"),
    "fish": ("water", "dish", "sand"),
    "crawler": ("dish", "sand", "bark", "litter"),
}
"""Where they are filmed."""


class Habit(NamedTuple):
    """How large and how fast a kind is: ranges in pixels, and pixels a frame."""

    length: tuple[float, float]
    speed: tuple[float, float]


HABITS = {
    "insect": Habit((33.0, 40.0), (6.0, 10.0)),
    "fish": Habit((38.0, 46.0), (7.0, 12.0)),
    "crawler": Habit((46.0, 56.0), (4.0, 7.0)),
}

_INSECTS = (
    ((104, 62, 36), (52, 30, 22)),  # ant
    ((52, 58, 66), (26, 28, 32)),  # ground beetle
    ((156, 108, 54), (84, 54, 30)),  # cricket
    ((136, 40, 34), (30, 24, 24)),  # fire bug
)
_FISH = (
    ((126, 134, 128), (66, 74, 84), (212, 214, 204)),
    ((206, 142, 62), (164, 92, 40), (240, 214, 160)),
    ((92, 112, 96), (46, 58, 54), (170, 182, 150)),
)
_CRAWLERS = (
    ((206, 194, 158), (164, 136, 96), (120, 78, 46)),  # larva
    ((108, 140, 70), (62, 90, 44), (170, 120, 50)),  # caterpillar
    ((126, 78, 52), (74, 44, 34), (160, 70, 40)),  # millipede
)
"""Colours: ground, marks, head."""


def _phases(rng: np.random.Generator, frames: int, count: int, rate: float) -> Points:
    """Return the phase of each animal's gait, cycles, (frames, count)."""
    return np.asarray(
        rng.random(count) + np.arange(frames)[:, None] * rate * rng.uniform(0.85, 1.15, count)
    )


def _individual(
    rng: np.random.Generator, count: int, base: Floats, make: Callable[[Floats], NDArray[np.uint32]]
) -> NDArray[np.uint32]:
    """Return a texture for each animal, varied in brightness."""
    return np.stack([make(base * rng.uniform(0.8, 1.2)) for _ in range(count)])


def insects(
    rng: np.random.Generator, axes: Points, length: float, vigour: float
) -> tuple[Points, tuple[Layer, ...]]:
    """Insects with six legs in a tripod gait, and antennae that feel about.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where looks and gaits come from.
    axes : float (frames, count, knots, 2)
        Body axes from front to back, canvas pixels.
    length : float
        Body length, pixels.
    vigour : float
        How vigorous the gait is.

    Returns
    -------
    float (frames, count, knots, 2), tuple of Layer
        Body axes as they are drawn, and how they are drawn.
    """
    frames, count = axes.shape[:2]
    front, back = axes[:, :, 0], axes[:, :, -1]
    stiff = front + (back - front) * (length / np.maximum(
        np.linalg.norm(back - front, axis=-1, keepdims=True), 1e-6
    ))  # fmt: skip
    body = front[:, :, None] + (stiff - front)[:, :, None] * np.linspace(0, 1, 5)[:, None]
    ahead = unit(front - stiff)
    left = np.stack([ahead[..., 1], -ahead[..., 0]], axis=-1)
    phase = _phases(rng, frames, count, 0.45)
    base, marks = (ink(rng, c) for c in _INSECTS[rng.integers(len(_INSECTS))])
    legs = _six_legs(body, ahead, left, phase, length, vigour)
    feelers = _antennae(body, ahead, left, phase, length, vigour)
    along, wide = samples(0.62 * length), samples(1.9)
    thin = width_profile(((0, 0.95), (0.5, 0.75), (1, 0.5)), along, wide)
    limbs = ribbons(legs, thin, inks(coat(rng, marks, along, wide, 0.1)), smooth=False)
    thread = width_profile(((0, 0.6), (1, 0.4)), along, 5)
    horns = ribbons(feelers, thread, inks(coat(rng, marks, along, 5, 0.1)))
    return body, (Layer((limbs, horns, _insect_body(rng, body, base, marks, length)), (1, 2, 0.4)),)


def _six_legs(
    body: Points, ahead: Points, left: Points, phase: Points, length: float, vigour: float
) -> Points:
    """Return the joints of all legs, (frames, 6 × count, 4, 2)."""
    frames, count = phase.shape
    legs = []
    for side in (1, -1):
        for leg, (at, out) in enumerate(((0.08, 0.5), (-0.02, 0.1), (-0.1, -0.62))):
            swing = strides(phase + 0.5 * ((leg + (side < 0)) % 2), 0.6)[..., None]
            hip = body[:, :, 1] + ahead * (0.1 - 0.13 * leg) * length + left * side * 0.06 * length
            reach = np.cos(out) * 0.4 * length
            foot = hip + left * side * reach
            foot = foot + ahead * ((at + out * 0.3) * length + swing * 0.28 * length * vigour)
            stretched = np.full((frames, count), 0.5 * length)
            legs.append(leg_joints(hip, foot, left * side, stretched))
    return np.concatenate(legs, axis=1)


def _antennae(
    body: Points, ahead: Points, left: Points, phase: Points, length: float, vigour: float
) -> Points:
    """Return the curves of two antennae for each animal, (frames, 2 × count, 3, 2)."""
    curves = []
    for side in (1, -1):
        feel = 0.12 * vigour * np.sin(2 * np.pi * (0.7 * phase + 0.3 * side))[..., None]
        root = body[:, :, 0] - ahead * 0.03 * length + left * side * 0.04 * length
        elbow = root + ahead * 0.2 * length + left * side * 0.08 * length
        tip = root + ahead * (0.42 + feel) * length + left * side * (0.2 - feel) * length
        curves.append(np.stack([root, elbow, tip], axis=2))
    return np.concatenate(curves, axis=1)


def _insect_body(
    rng: np.random.Generator, body: Points, base: Floats, marks: Floats, length: float
) -> Ribbons:
    along, wide = samples(length), samples(0.36 * length)
    u, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
    half = 0.17 * length
    shape = width_profile(
        ((0, 0.3 * half), (0.04, 0.66 * half), (0.12, 0.84 * half), (0.2, 0.34 * half),
         (0.27, 0.6 * half), (0.38, 0.66 * half), (0.47, 0.26 * half), (0.58, 0.8 * half),
         (0.74, half), (0.9, 0.72 * half), (1, 0.1 * half)), along, wide,
    )  # fmt: skip

    def make(colour: Floats) -> NDArray[np.uint32]:
        rgb = coat(rng, colour, along, wide, 0.14)
        rgb = stain(rgb, (np.abs((u - 0.48) * 9 % 1 - 0.5) - 0.36) * 7 * (u > 0.5) + 0 * v, marks)
        rgb = stain(rgb, (u < 0.2) * 0.7 + 0 * v, marks)
        eye = np.hypot((u - 0.1) * 22, (np.abs(v) - 0.75) * 3)
        return inks(stain(rgb, (1 - eye) * 3, np.array([14, 14, 16])), round_=0.5)

    return ribbons(body, shape, _individual(rng, body.shape[1], base, make))


def fish(
    rng: np.random.Generator, axes: Points, length: float, vigour: float
) -> tuple[Points, tuple[Layer, ...]]:
    """Fish from above: the wave of the body grows towards the tail; see :func:`insects`."""
    frames, count, knots = axes.shape[:3]
    phase = _phases(rng, frames, count, 0.37)
    u = np.linspace(0, 1, knots)
    wave = np.sin(2 * np.pi * (phase[..., None] - 0.85 * u)) * (0.02 + 0.1 * u**2)
    across = left_of(curve(axes, knots)[1])
    spine = axes + across * (vigour * length * wave)[..., None]
    base, marks, pale = (ink(rng, c) for c in _FISH[rng.integers(len(_FISH))])
    along, wide = samples(length), samples(0.26 * length)
    s, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
    half = 0.115 * length
    shape = width_profile(
        ((0, 0.25 * half), (0.05, 0.68 * half), (0.2, half), (0.38, 0.95 * half),
         (0.62, 0.5 * half), (0.78, 0.2 * half), (0.82, 0.16 * half), (0.9, 0.3 * half),
         (1, 0.42 * half)), along, wide,
    )  # fmt: skip

    def make(colour: Floats) -> NDArray[np.uint32]:
        rgb = coat(rng, colour, along, wide, 0.16)
        rgb = stain(rgb, 1.0 - np.abs(np.abs(v) - 0.42) * 7 + 0 * s, marks)
        rgb = stain(rgb, 0.7 * (np.abs(v) > 0.8) + 0 * s, pale)
        rgb = stain(rgb, 0.5 * (s > 0.82) * (np.sin(v * 14) > 0) + 0 * v, pale)
        eye = np.hypot((s - 0.09) * 26, (np.abs(v) - 0.74) * 3.4)
        rgb = stain(rgb, (1.25 - eye) * 3, pale)
        return inks(stain(rgb, (0.85 - eye) * 4, np.array([10, 10, 12])), round_=0.45)

    trunk = ribbons(spine, shape, _individual(rng, count, base, make))
    fins = _fins(rng, spine, phase, length, pale)
    return spine, (Layer((fins, trunk), (4, 6, 0.3)),)


def _fins(
    rng: np.random.Generator, spine: Points, phase: Points, length: float, colour: Floats
) -> Ribbons:
    """Return the pectoral fins, two for each fish."""
    at, on = spine[:, :, 2], unit(spine[:, :, 1] - spine[:, :, 3])
    left = np.stack([on[..., 1], -on[..., 0]], axis=-1)
    beat = 0.05 * np.sin(4 * np.pi * phase)[..., None]
    fins = []
    for side in (1, -1):
        tip = at + left * side * (0.2 + beat) * length - on * (0.13 - beat) * length
        fins.append(np.stack([at, (at + tip) / 2, tip], axis=2))
    along, wide = samples(0.24 * length), samples(0.1 * length)
    shape = oval(along, wide, 0.045 * length)
    return ribbons(
        np.concatenate(fins, axis=1), shape, inks(coat(rng, colour, along, wide, 0.1), 0.75)
    )


def crawlers(
    rng: np.random.Generator, axes: Points, length: float, vigour: float
) -> tuple[Points, tuple[Layer, ...]]:
    """Larvae, caterpillars and millipedes, ringed, with a wave of legs; see :func:`insects`."""
    frames, count, knots = axes.shape[:3]
    phase = _phases(rng, frames, count, 0.3)
    u = np.linspace(0, 1, knots)
    across = left_of(curve(axes, knots)[1])
    sway = 0.022 * vigour * np.sin(2 * np.pi * (phase[..., None] - 1.2 * u)) * (0.3 + u)
    spine = axes + across * (length * sway)[..., None]
    base, marks, head = (ink(rng, c) for c in _CRAWLERS[rng.integers(len(_CRAWLERS))])
    along, wide = samples(length), samples(0.18 * length)
    s, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
    half = 0.078 * length
    rings = 0.9 + 0.1 * np.abs(np.cos(s * np.pi * 12))
    shape = width_profile(
        ((0, 0.35 * half), (0.04, 0.8 * half), (0.12, 0.9 * half), (0.5, half), (0.85, 0.85 * half),
         (0.96, 0.55 * half), (1, 0.15 * half)), along, wide,
    ) * rings  # fmt: skip

    def make(colour: Floats) -> NDArray[np.uint32]:
        rgb = coat(rng, colour, along, wide, 0.12)
        rgb = stain(rgb, (np.abs(np.cos(s * np.pi * 12)) < 0.25) * 0.75 + 0 * v, marks)
        rgb = stain(rgb, (1.0 - np.abs(np.abs(v) - 0.5) * 9) * 0.6 + 0 * s, marks)
        rgb = stain(rgb, (0.13 - s) * 60 + 0 * v, head)
        eye = np.hypot((s - 0.05) * 34, (np.abs(v) - 0.55) * 3.2)
        return inks(stain(rgb, (1 - eye) * 3, np.array([12, 12, 12])), round_=0.55)

    trunk = ribbons(spine, shape, _individual(rng, count, base, make))
    feet = _feet_wave(rng, spine, phase, length, marks)
    return spine, (Layer((feet, trunk), (1, 2, 0.4)),)


def _feet_wave(
    rng: np.random.Generator, spine: Points, phase: Points, length: float, colour: Floats
) -> Ribbons:
    """Return short legs along the body that step one after the other."""
    frames, count = phase.shape
    pairs = 9
    at, on = curve(spine, pairs + 2)
    at, on = at[:, :, 1:-1], on[:, :, 1:-1]
    step = np.sin(2 * np.pi * (2 * phase[..., None] - np.arange(pairs) / 4.0))[..., None]
    legs = []
    for side in (1, -1):
        tip = at + left_of(on) * (side * 0.125 * length) - on * step * (0.025 * length)
        legs.append(np.stack([at, tip], axis=-2))
    both = np.stack(legs, axis=3).reshape(frames, count * pairs * 2, 2, 2)
    along = samples(0.13 * length)
    shape = width_profile(((0, 0.9), (1, 0.6)), along, 6)
    return ribbons(both, shape, inks(coat(rng, colour, along, 6, 0.1)), smooth=False)


Maker = Callable[[np.random.Generator, Points, float, float], tuple[Points, tuple[Layer, ...]]]
MAKERS: dict[str, Maker] = {"insect": insects, "fish": fish, "crawler": crawlers}
"""Makers by kind: generator, body axes, length, vigour."""
