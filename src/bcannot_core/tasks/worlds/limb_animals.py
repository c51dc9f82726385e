"""Animals whose limbs are tracked, in motion: bird, spider, snake and flying insect."""

from collections.abc import Callable, Sequence

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
)  # fmt: skip
from bcannot_core.tasks.worlds.limb_anatomy import SNAKE, SPIDER, Animal
from bcannot_core.tasks.worlds.limb_bird import bird
from bcannot_core.tasks.worlds.limb_insect import insect
from bcannot_core.tasks.worlds.ribbons import Ribbons, inks, oval, ribbons, samples, width_profile

Points = NDArray[np.float64]
_CENTRE = 128.0
_DUTY = 0.64  # share of a step in which a foot stands
_LEAD = 10  # frames known before and after the video


def spider(rng: np.random.Generator, frames: int, vigour: float, size: float) -> Animal:
    """Make a spider that walks, its legs stepping in two alternating sets of four."""
    scale = size * rng.uniform(0.85, 1.0)
    times = np.arange(-_LEAD, frames + _LEAD)
    heading = heading_walk(rng, len(times), rng.uniform(0, 2 * np.pi), 0.07)
    speed, period = rng.uniform(3.0, 5.0) * vigour, rng.uniform(5.0, 7.5)
    step = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * speed
    centre = np.cumsum(step, axis=0)
    shown = slice(_LEAD, _LEAD + frames)
    centre += _CENTRE - (centre[_LEAD] + centre[_LEAD + frames - 1]) / 2
    way = np.column_stack([times, heading, centre])
    legs = _walking_legs(rng, way, frames, period, scale)
    body = np.tile(np.array([[18.0, 0, 0], [-6, 0, 0], [-38, 0, 0]]) * scale, (frames, 1, 1))
    sway = 1.2 * np.sin(2 * np.pi * np.arange(frames) / period)
    body[:, :, 1] += sway[:, None] * np.array([0.3, 0.0, -1.0])
    trunk = posed(body, heading[shown], centre[shown])
    layers = (Layer(_spider_groups(rng, trunk, legs, scale), (3, 4, 0.45)),)
    marked = np.concatenate([trunk, legs[:, :, 1:].reshape(frames, 24, 2)], axis=1)
    return Animal(SPIDER, marked.astype(np.float32), layers, np.zeros((frames, 2)))


def _walking_legs(
    rng: np.random.Generator, way: Points, frames: int, period: float, scale: float
) -> Points:
    """Return hip, knee, ankle and foot of each leg, (frames, 8, 4, 2), canvas pixels.

    A foot stands where it is at rest in the middle of its stance, and swings over to the next
    place. ``way`` has rows of time, heading and centre, from before the first frame to after the
    last one.
    """
    angles = np.radians([38, 72, 112, 146]) + rng.normal(0, 0.05, 4)
    reach = np.array([76, 62, 54, 72]) * scale * rng.uniform(0.93, 1.05, 4)
    hip_at = np.array([[12, 8], [6, 9], [0, 9], [-5, 8]]) * scale
    now, legs = np.arange(frames, dtype=np.float64), []

    def at(times: NDArray[np.float64], forward: float, left: float) -> Points:
        heading, x, y = (np.interp(times, way[:, 0], way[:, k]) for k in (1, 2, 3))
        point = np.tile([forward, left, 0.0], (len(times), 1))
        return posed(point[:, None], heading, np.stack([x, y], axis=-1))[:, 0]

    for side in (1, -1):
        for leg in range(4):
            offset = ((leg + (side < 0)) % 2) * 0.5 + 0.06 * leg
            phase = now / period + offset
            rest = reach[leg] * np.array([np.cos(angles[leg]), side * np.sin(angles[leg])])
            stance = (np.floor(phase) + _DUTY / 2 - offset) * period
            here, there = at(stance, *rest), at(stance + period, *rest)
            swing = np.clip((phase % 1.0 - _DUTY) / (1 - _DUTY), 0, 1)[:, None]
            foot = here + (there - here) * swing * swing * (3 - 2 * swing)
            hip = at(now, hip_at[leg][0], side * hip_at[leg][1])
            out = at(now, hip_at[leg][0] + 0.35 - 0.25 * leg, side * (hip_at[leg][1] + 1.0)) - hip
            legs.append(leg_joints(hip, foot, out, np.full(frames, reach[leg] * 1.12)))
    return np.stack(legs, axis=1)


_SPIDERS = (
    ((96, 74, 54), (146, 116, 84), (52, 40, 32)),
    ((64, 58, 56), (122, 110, 100), (30, 28, 28)),
    ((150, 112, 66), (198, 160, 104), (84, 56, 34)),
    ((122, 72, 50), (178, 116, 80), (64, 36, 28)),
)
"""Colours of spiders: coat, light bands, dark marks."""


def _spider_groups(
    rng: np.random.Generator, body: Points, legs: Points, scale: float
) -> tuple[Ribbons, ...]:
    """Return legs, abdomen and front body, the later ones above."""
    colours = [ink(rng, c, 8) for c in _SPIDERS[rng.integers(len(_SPIDERS))]]
    return (
        _spider_legs(rng, legs, colours, scale),
        _abdomen(rng, body, colours, scale),
        _front_body(rng, body, colours, scale),
    )


def _spider_legs(
    rng: np.random.Generator, legs: Points, colours: Sequence[Floats], scale: float
) -> Ribbons:
    """Return the legs, banded at the joints."""
    along, wide = samples(88 * scale), samples(4.6 * scale)
    u = np.linspace(0, 1, along)[:, None]
    rgb = coat(rng, colours[0], along, wide, 0.1)
    for joint in (1 / 3, 2 / 3, 1.0):
        rgb = stain(rgb, 1.4 - np.abs(u - joint + 0.02) * 55, colours[2])
        rgb = stain(rgb, 1.2 - np.abs(u - joint + 0.12) * 22, colours[1])
    thin = width_profile(
        ((0, 2.3 * scale), (0.3, 2.4 * scale), (0.36, 1.8 * scale), (0.66, 1.5 * scale),
         (0.7, 1.2 * scale), (1, 0.7)), along, wide,
    )  # fmt: skip
    order = [3, 7, 2, 6, 1, 5, 0, 4]
    return ribbons(legs[:, order], thin, inks(rgb, round_=0.5), smooth=False)


def _abdomen(
    rng: np.random.Generator, body: Points, colours: Sequence[Floats], scale: float
) -> Ribbons:
    """Return the abdomen, with pale chevrons along a dark line."""
    waist, end = body[:, 1], body[:, 2]
    along, wide = samples(36 * scale), samples(27 * scale)
    u, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
    rgb = coat(rng, colours[0], along, wide, 0.16)
    chevron = np.abs((u * 5 + np.abs(v) * 0.9) % 1 - 0.5)
    rgb = stain(rgb, (chevron < 0.16) * (np.abs(v) < 0.62) * (u > 0.15) * 0.8, colours[1])
    rgb = stain(rgb, 1.1 - np.abs(v) * 7 - 0 * u, colours[2])
    shape = oval(along, wide, 12.5 * scale, 2.3) * (0.8 + 0.35 * u)
    return ribbons(np.stack([waist, (waist + end) / 2, end], 1)[:, None], shape, inks(rgb))


def _front_body(
    rng: np.random.Generator, body: Points, colours: Sequence[Floats], scale: float
) -> Ribbons:
    """Return the front body with its eyes."""
    eyes, waist = body[:, 0], body[:, 1]
    along, wide = samples(28 * scale), samples(20 * scale)
    u, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
    rgb = coat(rng, colours[0] * 0.92, along, wide, 0.12)
    rgb = stain(rgb, 1.2 - np.abs(np.abs(v) - 0.45) * 6 - 0 * u, colours[1])
    eye = np.hypot((u - 0.93) * 11, (np.abs(v) - 0.3) * 3.2)
    rgb = stain(rgb, (1.0 - eye) * 3, np.array([12, 12, 14]))
    shape = oval(along, wide, 10 * scale, 2.4) * (1.05 - 0.28 * u)
    tip = eyes + (eyes - waist) * 0.1
    back = waist + (waist - eyes) * 0.05
    return ribbons(np.stack([back, (back + tip) / 2, tip], 1)[:, None], shape, inks(rgb))


_SNAKES = (
    ((158, 132, 88), (92, 62, 38), (206, 188, 146)),
    ((112, 118, 84), (52, 56, 40), (168, 170, 126)),
    ((176, 98, 58), (96, 40, 30), (226, 178, 128)),
    ((132, 128, 122), (58, 56, 56), (196, 192, 184)),
)
"""Colours of snakes: ground, saddles, their rims."""


def snake(rng: np.random.Generator, frames: int, vigour: float, size: float) -> Animal:
    """Make a snake that crawls: its body follows the winding path of its head."""
    length = size * rng.uniform(205, 235)
    wave = rng.uniform(88, 112) * size
    bend = rng.uniform(0.75, 0.95) * min(vigour, 1.25)
    speed = rng.uniform(4.0, 6.5) * vigour
    fine = 1.0
    s = np.arange(-length, speed * frames + fine, fine)
    shift, turn = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.0012)
    theta = rng.uniform(0, 2 * np.pi) + turn * s + bend * np.sin(2 * np.pi * s / wave + shift)
    path = np.cumsum(np.stack([np.cos(theta), np.sin(theta)], axis=-1) * fine, axis=0)
    knots = np.linspace(0, 1, 41)
    at = speed * np.arange(frames)[:, None] - length * knots[None]
    spine = np.stack([np.interp(at, s, path[:, d]) for d in (0, 1)], axis=-1)
    middle = (spine.min(axis=1) + spine.max(axis=1)) / 2
    padded = np.pad(middle, ((4, 4), (0, 0)), "edge")
    even = np.full(9, 1 / 9)  # the camera follows the body's middle, but not every wave of it
    travel = np.stack([np.convolve(m, even, "valid") for m in padded.T], axis=-1)
    travel = np.round(travel - travel[0])
    spine = spine - travel[:, None]
    spine += _CENTRE - (spine.min(axis=(0, 1)) + spine.max(axis=(0, 1))) / 2
    groups = _snake_skin(rng, spine, length, size)
    return Animal(SNAKE, spine[:, ::4].astype(np.float32), (Layer(groups, (2, 3, 0.45)),), travel)


def _snake_skin(
    rng: np.random.Generator, spine: Points, length: float, size: float
) -> tuple[Ribbons, ...]:
    ground, saddle, rim = (ink(rng, c, 8) for c in _SNAKES[rng.integers(len(_SNAKES))])
    along, wide = samples(length), samples(13 * size)
    u, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
    rgb = coat(rng, ground, along, wide, 0.12)
    scales = np.sin(u * length * 2.2 + v * 9) * np.sin(u * length * 2.2 - v * 9)
    rgb *= (1 + 0.09 * scales)[..., None].astype(np.float32)
    nearest = np.round(u * 10)
    gap = np.abs(u * 10 - nearest) / 0.26
    inside = np.where((nearest >= 2) & (nearest <= 9), gap**2 + (v / 0.95) ** 2, 9.0)
    rgb = stain(rgb, (1.25 - inside) * 7, rim)
    rgb = stain(rgb, (0.9 - inside) * 6, saddle)
    neck = np.hypot((u - 0.1) * 90, v * 2.2)
    rgb = stain(rgb, (1.1 - neck) * 4, saddle)
    eye = np.hypot((u - 0.03) * 120, (np.abs(v) - 0.72) * 4)
    rgb = stain(rgb, (1 - eye) * 4, np.array([14, 14, 12]))
    half = 6.2 * size
    shape = width_profile(
        ((0, 0.42 * half), (0.012, 0.75 * half), (0.035, 1.02 * half), (0.06, 0.98 * half),
         (0.09, 0.66 * half), (0.14, 0.72 * half), (0.35, half), (0.6, 0.95 * half),
         (0.85, 0.45 * half), (1, 0.5)), along, wide,
    )  # fmt: skip
    return (ribbons(spine[:, None], shape, inks(rgb, round_=0.55)),)


Maker = Callable[[np.random.Generator, int, float, float], Animal]
ANIMALS: dict[str, Maker] = {"bird": bird, "spider": spider, "snake": snake, "insect": insect}
"""Makers of animals by species: generator, frames, vigour of the movement, size."""

GROUNDS: dict[str, Sequence[str]] = {
    "bird": ("sky", "fields", "sea", "grass"),
    "spider": ("bark", "stone", "sand", "leaf"),
    "snake": ("sand", "litter", "stone", "grass"),
    "insect": ("leaf", "grass", "stone", "bark"),
}
"""Where they are filmed."""
