"""A bird in flapping flight, filmed by a camera that flies along."""

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.creatures import (
    Floats,
    Layer,
    coat,
    heading_walk,
    ink,
    posed,
    stain,
    unit,
)
from bcannot_core.tasks.worlds.limb_anatomy import BIRD, Animal
from bcannot_core.tasks.worlds.ribbons import Ribbons, inks, ribbons, samples, width_profile

Points = NDArray[np.float64]
_BIRDS = (
    ((236, 238, 240), (178, 186, 196), (60, 62, 68), (236, 238, 240), (232, 186, 70)),  # gull
    ((118, 88, 62), (104, 76, 54), (62, 46, 36), (132, 100, 72), (214, 176, 66)),  # hawk
    ((74, 74, 86), (62, 62, 74), (36, 36, 44), (92, 92, 106), (136, 128, 118)),  # crow
    ((214, 204, 190), (156, 122, 92), (88, 66, 52), (196, 92, 70), (70, 64, 60)),  # finch
)
"""Colours of birds: body, wing, wing tip, head, beak."""


def _steady(rng: np.random.Generator, frames: int, reach: float) -> Points:
    """Return a smooth drift about the middle of the canvas, (x, y) in pixels."""
    t = np.arange(frames)[:, None] / max(frames - 1, 1)
    waves = rng.uniform(0.3, 1.0, 2), rng.uniform(0, 2 * np.pi, 2)
    return np.asarray(128.0 + reach * np.sin(2 * np.pi * waves[0] * t + waves[1]))


def _wing_joints(
    phase: NDArray[np.float64], scale: float, side: int, vigour: float, lean: float
) -> Points:
    """Return shoulder, elbow, wrist and tip of a wing in the bird's frame, (frames, 4, 3)."""
    fold = 0.5 + 0.5 * np.cos(phase)
    sweep = (-0.15 - 0.4 * fold, 0.16 + 0.36 * fold, -0.16 - 0.62 * fold)
    at = np.zeros((len(phase), 3)) + np.array([15.0, 6.0 * side, 2.0]) * scale
    joints = [at]
    for k, length in enumerate((24.0, 30.0, 44.0)):
        beat = lean * side + 0.12 + vigour * (0.5 + 0.11 * k) * np.sin(phase - 0.45 * k)
        out, forward = np.cos(sweep[k]), np.sin(sweep[k])
        step = np.stack([forward, side * out * np.cos(beat), out * np.sin(beat)], axis=-1)
        at = at + step * length * scale
        joints.append(at)
    return np.stack(joints, axis=1)


def bird(rng: np.random.Generator, frames: int, vigour: float, size: float) -> Animal:
    """Make a bird in flapping flight, seen from above at a slant by a camera that flies along."""
    scale = size * rng.uniform(0.92, 1.06)
    heading = heading_walk(rng, frames, rng.uniform(0, 2 * np.pi), 0.05)
    tilt = rng.uniform(0.2, 0.5)
    centre = _steady(rng, frames, 8.0)
    speed = rng.uniform(4.0, 7.0)
    travel = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], -1) * speed, axis=0)
    phase = np.arange(frames, dtype=np.float64) * rng.uniform(0.75, 1.05)
    phase += rng.uniform(0, 2 * np.pi)
    lean = float(rng.normal(0, 0.08))
    body = np.array(
        [[44.0, 0, 1], [33, 0, 4], [14, 0, 3], [-24, 0, 0], [-50, 0, -1]]
    )[None] * scale + np.zeros((frames, 1, 1))  # fmt: skip
    body[:, :, 2] -= (3.0 * scale * vigour * np.sin(phase))[:, None]
    body[:, :2, 1] += (rng.normal(0, 1.0) * np.sin(phase / 3))[:, None]
    wings = [_wing_joints(phase, scale, side, vigour, lean) for side in (1, -1)]
    for wing in wings:
        wing[..., 2] -= (3.0 * scale * vigour * np.sin(phase))[:, None]
    points = posed(np.concatenate([body, *wings], axis=1), heading, centre, tilt)
    groups = _plumage(rng, points, heading, tilt, scale)
    shadow = (int(rng.integers(24, 40)), int(rng.integers(34, 52)), 0.3)
    return Animal(BIRD, points.astype(np.float32), (Layer(groups, shadow),), travel)


def _plumage(
    rng: np.random.Generator, points: Points, heading: Points, tilt: float, scale: float
) -> tuple[Ribbons, ...]:
    """Return tail, wings, beak and trunk, the later ones above."""
    body, wing, tip, head, beak = (ink(rng, c) for c in _BIRDS[rng.integers(len(_BIRDS))])
    back = posed(np.tile([-1.0, 0.0, 0.0], (len(points), 1, 1)), heading, np.zeros((1, 2)), tilt)
    wings = np.stack([points[:, 5:9], points[:, 9:13]], axis=1)
    spread = _wings(rng, wings, back, (wing, tip, body), scale)
    torso = _trunk(rng, points, (body, head), scale)
    tail = _tail(rng, points, (wing, tip), scale)
    along, wide = samples(14 * scale), samples(5 * scale)
    bill = width_profile(((0, 2.6 * scale), (1, 0.5)), along, wide)
    nose = ribbons(
        points[:, None, [1, 0]], bill, inks(coat(rng, beak, along, wide, 0.03)), smooth=False
    )
    return tail, spread, nose, torso


def _wings(
    rng: np.random.Generator,
    wings: Points,
    back: Points,
    colours: tuple[Floats, Floats, Floats],
    scale: float,
) -> Ribbons:
    """Return wings whose feathers trail from the bones; colours of wing, tip and coverts."""
    along, wide = samples(100 * scale), samples(27 * scale)
    u, v = np.linspace(0, 1, along), np.linspace(-1, 1, wide)
    chord = width_profile(
        ((0, 15 * scale), (0.3, 22 * scale), (0.62, 18 * scale), (0.85, 14 * scale), (1, 2)),
        along, wide, 0.16,
    )  # fmt: skip
    barbs = np.abs(np.sin(u * np.pi * 19))
    chord[:, v > 0] *= (1 - 0.14 * barbs)[:, None]
    fan = np.clip((u - 0.45) / 0.55, 0, 1)[None, None, :, None] * 0.9
    arm = unit(wings[:, :, -1:] - wings[:, :, -2:-1])
    across = unit(back[:, None] * (1 - 0.6 * fan) + arm * fan)
    rgb = coat(rng, colours[0], along, wide, 0.07)
    rgb *= (1 - 0.22 * barbs**6)[:, None, None] ** (v > 0)[None, :, None]
    rgb = stain(rgb, (u[:, None] - 0.72) * 6 + v[None] * 0.8, colours[1])
    rgb = stain(rgb, 0.55 * (v[None] < -0.1) + 0 * u[:, None], colours[2])
    return ribbons(wings, chord, inks(rgb, round_=0.12, lit=0.12), smooth=False, across=across)


def _trunk(
    rng: np.random.Generator, points: Points, colours: tuple[Floats, Floats], scale: float
) -> Ribbons:
    """Return the trunk with the head; colours of both."""
    along, wide = samples(66 * scale), samples(19 * scale)
    shape = width_profile(
        ((0, 4 * scale), (0.3, 8.5 * scale), (0.55, 9 * scale), (0.74, 6 * scale),
         (0.84, 6.6 * scale), (0.95, 5 * scale), (1, 1)), along, wide,
    )  # fmt: skip
    u = np.linspace(0, 1, along)[:, None]
    rgb = stain(coat(rng, colours[0], along, wide, 0.1), (u - 0.72) * 14, colours[1])
    front = points[:, 1] + (points[:, 1] - points[:, 2]) * 0.3
    middle = (points[:, 2] + points[:, 3]) / 2
    spine = np.stack([points[:, 3], middle, points[:, 2], front], axis=1)
    return ribbons(spine[:, None], shape, inks(rgb))


def _tail(
    rng: np.random.Generator, points: Points, colours: tuple[Floats, Floats], scale: float
) -> Ribbons:
    """Return the fan of the tail; colours of its feathers and of their ends."""
    along, wide = samples(28 * scale), samples(24 * scale)
    rays = 1 - 0.2 * np.abs(np.sin(np.linspace(-1, 1, wide) * 3 * np.pi)) ** 4
    rgb = coat(rng, colours[0], along, wide, 0.05) * rays.astype(np.float32)[None, :, None]
    rgb = stain(rgb, (np.linspace(0, 1, along)[:, None] - 0.72) * 8, colours[1])
    shape = width_profile(((0, 4 * scale), (0.85, 11 * scale), (1, 9 * scale)), along, wide)
    return ribbons(points[:, None, [3, 4]], shape, inks(rgb, round_=0.1), smooth=False)
