"""Animals whose limbs are tracked, in motion: bird, spider, snake and flying insect."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.creatures import (
    Layer, coat, heading_walk, ink, leg_joints, posed, stain, strides, unit,
)  # fmt: skip
from bcannot_core.tasks.worlds.limb_anatomy import BIRD, SNAKE, SPIDER, Animal
from bcannot_core.tasks.worlds.limb_insect import insect
from bcannot_core.tasks.worlds.ribbons import Ribbons, inks, oval, ribbons, samples, width_profile

Points = NDArray[np.float64]
_CENTRE = 128.0
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
    return np.asarray(_CENTRE + reach * np.sin(2 * np.pi * waves[0] * t + waves[1]))


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
    """A bird in flapping flight, seen from above at a slant; its camera flies along."""
    scale = size * rng.uniform(0.92, 1.06)
    heading = heading_walk(rng, frames, rng.uniform(0, 2 * np.pi), 0.05)
    tilt = rng.uniform(0.2, 0.5)
    centre = _steady(rng, frames, 8.0)
    speed = rng.uniform(4.0, 7.0)
    travel = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], -1) * speed, axis=0)
    phase = rng.uniform(0, 2 * np.pi) + np.arange(frames) * rng.uniform(0.75, 1.05)
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
    colours = [ink(rng, c) for c in _BIRDS[rng.integers(len(_BIRDS))]]
    body, wing, tip, head, beak = colours
    back = posed(
        np.tile([-1.0, 0.0, 0.0], (len(points), 1, 1)), heading, np.zeros((1, 2)), tilt
    )
    wings = np.stack([points[:, 5:9], points[:, 9:13]], axis=1)
    along, wide = samples(100 * scale), samples(27 * scale)
    u, v = np.linspace(0, 1, along), np.linspace(-1, 1, wide)
    chord = width_profile(
        ((0, 15 * scale), (0.3, 22 * scale), (0.62, 18 * scale), (0.85, 14 * scale), (1, 2)),
        along, wide, 0.16,
    )  # fmt: skip
    feather = 1 - 0.14 * np.abs(np.sin(u * np.pi * 19))
    chord[:, v > 0] *= feather[:, None]
    fan = np.clip((u - 0.45) / 0.55, 0, 1)[None, None, :, None] * 0.9
    arm = unit(wings[:, :, -1:] - wings[:, :, -2:-1])
    across = unit(back[:, None] * (1 - 0.6 * fan) + arm * fan)
    rgb = coat(rng, wing, along, wide, 0.07)
    rgb *= (1 - 0.22 * np.abs(np.sin(u * np.pi * 19)) ** 6)[:, None, None] ** (v > 0)[None, :, None]
    rgb = stain(rgb, (u[:, None] - 0.72) * 6 + v[None] * 0.8, tip)
    rgb = stain(rgb, 0.55 * (v[None] < -0.1) + 0 * u[:, None], body)
    spread = ribbons(
        wings, chord, inks(rgb, round_=0.12, lit=0.12), smooth=False, across=across
    )
    along, wide = samples(66 * scale), samples(19 * scale)
    u = np.linspace(0, 1, along)
    trunk = width_profile(
        ((0, 4 * scale), (0.3, 8.5 * scale), (0.55, 9 * scale), (0.74, 6 * scale),
         (0.84, 6.6 * scale), (0.95, 5 * scale), (1, 1)), along, wide,
    )  # fmt: skip
    rgb = stain(coat(rng, body, along, wide, 0.1), (u[:, None] - 0.72) * 14, head)
    front = points[:, 1] + (points[:, 1] - points[:, 2]) * 0.3
    middle = (points[:, 2] + points[:, 3]) / 2
    spine = np.stack([points[:, 3], middle, points[:, 2], front], axis=1)
    torso = ribbons(spine[:, None], trunk, inks(rgb))
    along, wide = samples(28 * scale), samples(24 * scale)
    rays = 1 - 0.2 * np.abs(np.sin(np.linspace(-1, 1, wide) * 3 * np.pi)) ** 4
    rgb = coat(rng, wing, along, wide, 0.05) * rays[None, :, None]
    rgb = stain(rgb, (np.linspace(0, 1, along)[:, None] - 0.72) * 8, tip)
    fantail = width_profile(
        ((0, 4 * scale), (0.85, 11 * scale), (1, 9 * scale)), along, wide
    )
    tail = ribbons(points[:, None, [3, 4]], fantail, inks(rgb, round_=0.1), smooth=False)
    along, wide = samples(14 * scale), samples(5 * scale)
    bill = width_profile(((0, 2.6 * scale), (1, 0.5)), along, wide)
    nose = ribbons(
        points[:, None, [1, 0]], bill, inks(coat(rng, beak, along, wide, 0.03)), smooth=False
    )
    return tail, spread, nose, torso


def spider(rng: np.random.Generator, frames: int, vigour: float, size: float) -> Animal:
    """A spider that walks, seen from above; its legs step in two alternating sets of four."""
    scale = size * rng.uniform(0.85, 1.0)
    heading = heading_walk(rng, frames, rng.uniform(0, 2 * np.pi), 0.07)
    speed, period = rng.uniform(3.0, 5.0) * vigour, rng.uniform(5.0, 7.5)
    step = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * speed
    centre = _CENTRE + np.cumsum(step, axis=0)
    centre -= (centre[0] + centre[-1]) / 2 - _CENTRE
    angles = np.radians([38, 72, 112, 146]) + rng.normal(0, 0.05, 4)
    reach = np.array([76, 62, 54, 72]) * scale * rng.uniform(0.93, 1.05, 4)
    hip_at = np.array([[12, 8], [6, 9], [0, 9], [-5, 8]]) * scale
    duty = 0.64
    stride = duty * period * speed
    feet, hips, sides = [], [], []
    for side in (1, -1):
        for leg in range(4):
            offset = ((leg + (side < 0)) % 2) * 0.5 + 0.06 * leg
            moved = stride * strides(np.arange(frames) / period + offset, duty)
            rest = reach[leg] * np.array([np.cos(angles[leg]), np.sin(angles[leg])])
            feet.append(np.stack([rest[0] + moved, np.full(frames, side * rest[1])], axis=-1))
            hips.append(np.tile([hip_at[leg][0], side * hip_at[leg][1]], (frames, 1)))
            sides.append(np.tile([0.35 - 0.25 * leg, side * 1.0], (frames, 1)))
    lengths = np.repeat(np.tile(reach * 1.12, 2)[None], frames, axis=0)
    legs = leg_joints(np.stack(hips, 1), np.stack(feet, 1), np.stack(sides, 1), lengths)
    sway = 1.2 * np.sin(2 * np.pi * np.arange(frames) / period)
    body = np.tile(np.array([[18.0, 0], [-6, 0], [-38, 0]]) * scale, (frames, 1, 1))
    body[:, :, 1] += sway[:, None] * np.array([0.3, 0.0, -1.0])
    flat = np.concatenate([body, legs.reshape(frames, -1, 2)], axis=1)
    points = posed(np.concatenate([flat, 0 * flat[..., :1]], axis=-1), heading, centre)
    all_legs = points[:, 3:].reshape(frames, 8, 4, 2)
    groups = _spider_groups(rng, points[:, :3], all_legs, scale)
    marked = np.concatenate([points[:, :3], all_legs[:, :, 1:].reshape(frames, 24, 2)], axis=1)
    layers = (Layer(groups, (3, 4, 0.45)),)
    return Animal(SPIDER, marked.astype(np.float32), layers, np.zeros((frames, 2)))


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
    coat_, pale, dark = (ink(rng, c, 8) for c in _SPIDERS[rng.integers(len(_SPIDERS))])
    along, wide = samples(88 * scale), samples(4.6 * scale)
    u = np.linspace(0, 1, along)[:, None]
    rgb = coat(rng, coat_, along, wide, 0.1)
    for joint in (1 / 3, 2 / 3, 1.0):
        rgb = stain(rgb, 1.4 - np.abs(u - joint + 0.02) * 55, dark)
        rgb = stain(rgb, 1.2 - np.abs(u - joint + 0.12) * 22, pale)
    thin = width_profile(
        ((0, 2.3 * scale), (0.3, 2.4 * scale), (0.36, 1.8 * scale), (0.66, 1.5 * scale),
         (0.7, 1.2 * scale), (1, 0.7)), along, wide,
    )  # fmt: skip
    order = [3, 7, 2, 6, 1, 5, 0, 4]
    limbs = ribbons(legs[:, order], thin, inks(rgb, round_=0.5), smooth=False)
    eyes, waist, end = (body[:, k] for k in range(3))
    along, wide = samples(36 * scale), samples(27 * scale)
    u, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
    rgb = coat(rng, coat_, along, wide, 0.16)
    chevron = np.abs((u * 5 + np.abs(v) * 0.9) % 1 - 0.5)
    rgb = stain(rgb, (chevron < 0.16) * (np.abs(v) < 0.62) * (0.15 < u) * 0.8, pale)
    rgb = stain(rgb, 1.1 - np.abs(v) * 7 - 0 * u, dark)
    shape = oval(along, wide, 12.5 * scale, 2.3) * (0.8 + 0.35 * u)
    rear = waist + (end - waist) * 0.03
    abdomen = ribbons(np.stack([rear, (rear + end) / 2, end], 1)[:, None], shape, inks(rgb))
    along, wide = samples(28 * scale), samples(20 * scale)
    u, v = np.linspace(0, 1, along)[:, None], np.linspace(-1, 1, wide)[None]
    rgb = coat(rng, coat_ * 0.92, along, wide, 0.12)
    rgb = stain(rgb, 1.2 - np.abs(np.abs(v) - 0.45) * 6 - 0 * u, pale)
    eye = np.hypot((u - 0.93) * 11, (np.abs(v) - 0.3) * 3.2)
    rgb = stain(rgb, (1.0 - eye) * 3, np.array([12, 12, 14]))
    shape = oval(along, wide, 10 * scale, 2.4) * (1.05 - 0.28 * u)
    tip = eyes + (eyes - waist) * 0.1
    back = waist + (waist - eyes) * 0.05
    chest = ribbons(np.stack([back, (back + tip) / 2, tip], 1)[:, None], shape, inks(rgb))
    return limbs, abdomen, chest


_SNAKES = (
    ((158, 132, 88), (92, 62, 38), (206, 188, 146)),
    ((112, 118, 84), (52, 56, 40), (168, 170, 126)),
    ((176, 98, 58), (96, 40, 30), (226, 178, 128)),
    ((132, 128, 122), (58, 56, 56), (196, 192, 184)),
)
"""Colours of snakes: ground, saddles, their rims."""


def snake(rng: np.random.Generator, frames: int, vigour: float, size: float) -> Animal:
    """A snake that crawls: its body follows the winding path of its head."""
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
    ahead = np.arange(frames)
    travel = np.stack([np.polyval(np.polyfit(ahead, m, 2), ahead) for m in middle.T], axis=-1)
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
