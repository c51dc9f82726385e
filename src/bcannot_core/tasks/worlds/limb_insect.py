"""A flying insect in motion: bee, dragonfly or butterfly, seen from above as it hovers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.creatures import (
    Floats,
    Layer,
    coat,
    heading_walk,
    ink,
    leg_joints,
    posed,
    stain,
    unit,
)  # fmt: skip
from bcannot_core.tasks.worlds.limb_anatomy import INSECT, Animal
from bcannot_core.tasks.worlds.ribbons import Ribbons, inks, oval, ribbons, samples, width_profile

Points = NDArray[np.float64]


class Build(NamedTuple):
    """How an insect is built, in pixels at size 1."""

    head: float
    thorax: float
    tail: float
    half: float
    fore: tuple[float, float, float]
    hind: tuple[float, float, float]
    clear: float
    base: tuple[int, int, int]
    marks: tuple[int, int, int]
    wing: tuple[int, int, int]


_BUILDS = (
    Build(34, 16, -46, 13, (74, 30, 0.22), (50, 22, -0.42), 0.42,
          (206, 152, 58), (44, 34, 28), (216, 222, 226)),
    Build(34, 18, -82, 6.5, (88, 22, 0.14), (82, 26, -0.2), 0.46,
          (58, 126, 150), (26, 40, 52), (210, 226, 232)),
    Build(24, 10, -30, 6, (82, 62, 0.42), (58, 62, -0.55), 1.0,
          (74, 58, 46), (40, 32, 28), (226, 140, 52)),
)  # fmt: skip
"""Bee, dragonfly, butterfly; wings have a length, a chord and an angle forward (radians)."""


def insect(rng: np.random.Generator, frames: int, vigour: float, size: float) -> Animal:
    """Make a flying insect that hovers before a near background."""
    build = _BUILDS[rng.integers(len(_BUILDS))]
    scale = size * rng.uniform(0.9, 1.08)
    heading = heading_walk(rng, frames, rng.uniform(0, 2 * np.pi), 0.06)
    tilt = rng.uniform(0.15, 0.5)
    t = np.arange(frames)
    wobble = rng.uniform(0.4, 0.9, 2), rng.uniform(0, 2 * np.pi, 2)
    centre = 128.0 + 11.0 * np.sin(t[:, None] * wobble[0] + wobble[1])
    phase = t.astype(np.float64) * rng.uniform(0.9, 1.5) + rng.uniform(0, 2 * np.pi)
    body = _body(build, scale, t, rng)
    roots, tips = _wings(build, scale, phase, vigour)
    feet = _feet(scale, t, rng)
    flat = np.concatenate([body, roots.reshape(frames, -1, 3), tips.reshape(frames, -1, 3)], 1)
    points = posed(np.concatenate([flat, feet.reshape(frames, -1, 3)], 1), heading, centre, tilt)
    body_xy, roots_xy, tips_xy = points[:, :5], points[:, 5:9], points[:, 9:13]
    legs = points[:, 13:].reshape(frames, 6, 4, 2)
    frame = _frame_groups(rng, build, body_xy, legs, scale)
    wings = _wing_groups(rng, build, roots_xy, tips_xy, (heading, tilt), scale)
    if build.clear < 1:
        layers = (Layer(frame, (14, 20, 0.28)), Layer(wings, (14, 20, 0.16)))
    else:  # legs lie above opaque wings, which would hide them
        layers = (Layer(wings, (14, 20, 0.28)), Layer(frame))
    marked = np.concatenate(
        [
            body_xy,
            roots_xy[:, [0]], tips_xy[:, [0, 2]],
            roots_xy[:, [1]], tips_xy[:, [1, 3]],
            legs[:, :, -1],
        ],
        axis=1,
    )  # fmt: skip
    drift = np.cumsum(rng.normal(0, 1.2, (frames, 2)), axis=0)
    return Animal(INSECT, marked.astype(np.float32), layers, drift)


def _body(build: Build, scale: float, t: NDArray[np.int64], rng: np.random.Generator) -> Points:
    """Return tips of the antennae, head, thorax and tail, (frames, 5, 3)."""
    sway = np.sin(t * rng.uniform(0.4, 0.8) + rng.uniform(0, 6, 2)[:, None]).T
    body = np.tile(
        np.array(
            [
                [build.head + 24.0, 13, 2], [build.head + 24.0, -13, 2],
                [build.head, 0, 1], [build.thorax - 6, 0, 2], [build.tail, 0, -2],
            ]
        )
        * scale,
        (len(t), 1, 1),
    )  # fmt: skip
    body[:, 0, 1] += 3.5 * sway[:, 0]
    body[:, 1, 1] += 3.5 * sway[:, 1]
    body[:, 4, 1] += 2.5 * sway[:, 0]
    return body


def _wings(
    build: Build, scale: float, phase: NDArray[np.float64], vigour: float
) -> tuple[Points, Points]:
    """Return roots and tips of fore L, fore R, hind L, hind R, each (frames, 4, 3)."""
    roots, tips = [], []
    for pair, (length, _, forward) in enumerate((build.fore, build.hind)):
        beat = 0.25 + vigour * 0.62 * np.sin(phase - 0.7 * pair)
        sweep = forward + vigour * 0.22 * np.cos(phase - 0.7 * pair)
        for side in (1, -1):
            root = np.array([build.thorax - 9.0 * pair, side * build.half * 0.62, 3]) * scale
            out = np.cos(sweep)
            step = np.stack([np.sin(sweep), side * out * np.cos(beat), out * np.sin(beat)], axis=-1)
            roots.append(np.tile(root, (len(phase), 1)))
            tips.append(root + step * length * scale)
    return np.stack(roots, axis=1), np.stack(tips, axis=1)


def _feet(scale: float, t: NDArray[np.int64], rng: np.random.Generator) -> Points:
    """Return hip, two joints and foot of three left and three right legs, (frames, 6, 4, 3)."""
    legs = []
    for side in (1, -1):
        for hip, foot in zip((20.0, 10.0, 2.0), ((30, 34), (4, 42), (-32, 34)), strict=True):
            swing = np.sin(t * rng.uniform(0.3, 0.7) + rng.uniform(0, 6))
            ends = np.stack([foot[0] + 2.5 * swing, side * (foot[1] + 2.5 * swing)], axis=-1)
            hips = np.tile([hip, side * 7.0], (len(t), 1))
            out = np.tile([0.3 if foot[0] > 0 else 0.2, side * 1.0], (len(t), 1))
            length = np.full(len(t), 1.2 * float(np.hypot(foot[0] - hip, foot[1] - 7)))
            legs.append(leg_joints(hips, ends, out, length) * scale)
    flat = np.stack(legs, axis=1)
    depth = np.broadcast_to(np.array([0.0, -2, -6, -10])[:, None] * scale, (*flat.shape[:-1], 1))
    return np.concatenate([flat, depth], axis=-1)


def _frame_groups(
    rng: np.random.Generator, build: Build, body: Points, legs: Points, scale: float
) -> tuple[Ribbons, ...]:
    """Return legs, antennae, abdomen, thorax and head."""
    base, marks = ink(rng, build.base), ink(rng, build.marks, 6)
    head, chest = body[:, 2], body[:, 3]
    along, wide = samples(52 * scale), samples(2.6)
    rgb = _pale_end(coat(rng, marks, along, wide, 0.1), (236, 206, 150))
    thin = width_profile(((0, 1.5), (0.6, 1.3), (1, 1.2)), along, wide)
    limbs = ribbons(legs, thin, inks(rgb), smooth=False)
    along, wide = samples(26 * scale), samples(2.1 * build.half * scale)
    fur = coat(rng, base * 0.75 + marks * 0.25, along, wide, 0.3)
    shape = oval(along, wide, max(build.half, 7.5) * 1.05 * scale, 2.6)
    reach = unit(head - chest) * 13 * scale
    thorax = ribbons(np.stack([chest - reach, chest, chest + reach], 1)[:, None], shape, inks(fur))
    return (
        limbs,
        _antennae(rng, body, marks, scale),
        _abdomen(rng, body, (base, marks), build.half * scale),
        thorax,
        _head(rng, body, marks, scale),
    )


def _pale_end(rgb: Floats, colour: tuple[int, int, int]) -> Floats:
    """Return a coat with a pale end, so that the tip of a limb is seen."""
    u = np.linspace(0, 1, len(rgb))[:, None]
    return stain(rgb, 1.2 - np.abs(u - 1) * 11, np.array(colour))


def _antennae(rng: np.random.Generator, body: Points, marks: Floats, scale: float) -> Ribbons:
    """Return the antennae, bent outwards, with pale knobs."""
    left, right, head = (body[:, k] for k in range(3))
    along, wide = samples(28 * scale), samples(2.6)
    curves = []
    for tip, turn in ((left, 1.0), (right, -1.0)):
        way = tip - head
        normal = np.stack([way[:, 1], -way[:, 0]], axis=-1) * (0.12 * turn)
        curves.append(np.stack([head, head + 0.55 * way + normal, tip], axis=1))
    rgb = _pale_end(coat(rng, marks, along, wide, 0.1), (240, 226, 190))
    knob = width_profile(((0, 0.9), (0.8, 0.9), (0.93, 1.7), (1, 1.0)), along, wide)
    return ribbons(np.stack(curves, axis=1), knob, inks(rgb))


def _abdomen(
    rng: np.random.Generator, body: Points, colours: tuple[Floats, Floats], half: float
) -> Ribbons:
    """Return the striped abdomen."""
    chest, tail = body[:, 3], body[:, 4]
    length = float(np.sqrt(((chest - tail) ** 2).sum(axis=-1)).max()) + 1
    along, wide = samples(length), samples(2 * half)
    u = np.linspace(0, 1, along)[:, None]
    stripes = (np.sin(u * np.pi * 2 * 5.0) - 0.15) * 5 + np.zeros((1, wide))
    rgb = stain(coat(rng, colours[0], along, wide, 0.12), stripes * (u > 0.12), colours[1])
    shape = oval(along, wide, half, 2.6) * (1.12 - 0.35 * u)
    spine = np.stack([chest, (chest + tail) / 2, tail], 1)[:, None]
    return ribbons(spine, shape, inks(rgb, round_=0.5))


def _head(rng: np.random.Generator, body: Points, marks: Floats, scale: float) -> Ribbons:
    """Return the head with its large eyes."""
    head, chest = body[:, 2], body[:, 3]
    along, wide = samples(15 * scale), samples(15 * scale)
    u, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
    eye = np.hypot((u - 0.55) * 3.2, (np.abs(v) - 0.72) * 3)
    face = coat(rng, marks * 1.2 + 10, along, wide, 0.1)
    face = stain(face, (1.0 - eye) * 3, ink(rng, (150, 60, 40)))
    reach = unit(head - chest) * 7 * scale
    spine = np.stack([head - reach, head, head + reach], 1)[:, None]
    return ribbons(spine, oval(along, wide, 7.2 * scale, 2.2), inks(face))


def _wing_groups(
    rng: np.random.Generator, build: Build, roots: Points, tips: Points,
    pose: tuple[NDArray[np.float64], float], scale: float,
) -> tuple[Ribbons, ...]:  # fmt: skip
    """Return hind and fore wings, clear with veins, or opaque with a pattern."""
    colour, rim = ink(rng, build.wing, 14), ink(rng, build.marks, 6)
    back = posed(np.tile([-1.0, 0.0, 0.0], (len(roots), 1, 1)), pose[0], np.zeros((1, 2)), pose[1])
    groups = []
    for pair in (1, 0):
        length, chord, _ = (build.fore, build.hind)[pair]
        along, wide = samples(length * scale), samples(chord * scale)
        u, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
        shape = width_profile(
            ((0, 0.14 * chord * scale), (0.35, 0.55 * chord * scale), (0.72, 0.66 * chord * scale),
             (0.92, 0.46 * chord * scale), (1, 0.06 * chord * scale)), along, wide, 0.42,
        )  # fmt: skip
        rgb = coat(rng, colour, along, wide, 0.08)
        veins = np.minimum(np.abs((v * 2.2 + 0.7 * u) % 1 - 0.5), np.abs(u * 6 % 1 - 0.5) * 1.6)
        lines = (veins < 0.06) | (v < -0.86)
        if build.clear < 1:
            alpha = np.where(lines, 0.85, build.clear)
        else:
            alpha = np.ones((along, wide))
            edge = (u > 0.84) | (np.abs(v) > 0.84)
            spots = edge & (np.hypot((u * 9 % 1 - 0.5), (v * 3 % 1 - 0.5)) < 0.26)
            rgb = stain(stain(rgb, 1.0 * edge, rim), 1.0 * spots, np.array([240, 236, 224]))
        rgb = stain(rgb, 0.9 * lines, rim)
        two = slice(2 * pair, 2 * pair + 2)
        spine = np.stack([roots[:, two], tips[:, two]], axis=2)
        across = np.broadcast_to(back[:, None], (len(roots), 2, along, 2))
        ink_ = inks(rgb, alpha, round_=0.05, lit=0.1)
        groups.append(ribbons(spine, shape, ink_, smooth=False, across=across))
    return tuple(groups)
