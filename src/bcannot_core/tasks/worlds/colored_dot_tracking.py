"""Worlds of colored dot tracking: dots of light along a curve in space, blue to red.

Each dot is a Gaussian in all three directions, as a point source looks through a microscope. The
background is dim and noisy; the noise grows with the light (photon noise).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.screen import get_variant
from bcannot_core.tasks.base import check_choice, check_range
from bcannot_core.tasks.worlds.curves import CURVES, Strokes, deform, is_closed, resample
from bcannot_core.tasks.worlds.dot_world import BANK, SIDE, Dot, DotWorld
from bcannot_core.tasks.worlds.omniglot import find_characters, read_character

_MARGIN = 22
_APART_SECTIONS = 2
_TRIES = 8

SPECTRUM: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("blue", (0.16, 0.30, 1.00)),
    ("cyan", (0.00, 0.80, 0.95)),
    ("green", (0.15, 0.90, 0.25)),
    ("yellow", (0.98, 0.88, 0.10)),
    ("orange", (1.00, 0.52, 0.05)),
    ("red", (1.00, 0.12, 0.10)),
)
"""Colours along the curve, from its beginning to its end, with their names."""


@dataclass(frozen=True, slots=True)
class ColoredDotConfig:
    """How dots are drawn and shown.

    Parameters
    ----------
    dots : int
        How many dots, 2 to 40.
    spread : int
        Worlds have up to so many dots more or fewer, 0 to 10.
    sections : int
        Sections of the stack, 1 to 64.
    curve : str
        A kind of curve (a key of ``CURVES``), or ``"any"``.
    folder : str
        Take the curves from drawn characters in this folder (the format of Omniglot) instead.
    deformation : float
        How much curves are turned, stretched and bent, 0 to 2.
    spacing_px : float
        Dots at a smaller distance lie in different sections, 0 to 40: less is more crowded.
    sigma_px, sigma_sections : float
        Standard deviations of a dot in the section, 1.5 to 8 px, and across, 0.3 to 3 sections.
    brightness : float
        Of the dots, 0.05 to 1.
    background, noise : float
        Grey value of the background, 0 to 0.8, and the standard deviation of the noise on it,
        0 to 0.3.
    variant : str
        Interface variant.

    Raises
    ------
    UsageError
        A value is out of range.
    """

    dots: int = 16
    spread: int = 2
    sections: int = 16
    curve: str = "any"
    folder: str = ""
    deformation: float = 1.0
    spacing_px: float = 12.0
    sigma_px: float = 4.0
    sigma_sections: float = 0.8
    brightness: float = 0.8
    background: float = 0.17
    noise: float = 0.035
    variant: str = "original"

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        for name, (low, high) in _RANGES.items():
            check_range(name, getattr(self, name), low, high)
        if self.spread >= self.dots:
            raise UsageError(f"spread is {self.spread}: give less than the {self.dots} dots")
        check_choice("curve", self.curve, ("any", *CURVES))
        get_variant(self.variant)


_RANGES: dict[str, tuple[float, float]] = {
    "dots": (2, 40),
    "spread": (0, 10),
    "sections": (1, 64),
    "deformation": (0.0, 2.0),
    "spacing_px": (0.0, 40.0),
    "sigma_px": (1.5, 8.0),
    "sigma_sections": (0.3, 3.0),
    "brightness": (0.05, 1.0),
    "background": (0.0, 0.8),
    "noise": (0.0, 0.3),
}


def make_world(rng: np.random.Generator, config: ColoredDotConfig) -> DotWorld:
    """Draw a world.

    Raises
    ------
    UsageError
        There are no characters in the folder.
    """
    count = config.dots + int(rng.integers(-config.spread, config.spread + 1))
    kind, strokes = _draw_curve(rng, config)
    places = _places(rng, strokes, count)
    for _ in range(_TRIES):
        if _nearest(places) >= config.spacing_px:
            break
        kind, strokes = _draw_curve(rng, config)
        again = _places(rng, strokes, count)
        if _nearest(again) > _nearest(places):
            places = again
    depths = _separate(_depths(rng, count, config.sections), places, config)
    colours = _colours(count)
    sizes = config.sigma_px * rng.uniform(0.85, 1.15, count)
    lights = config.brightness * rng.uniform(0.85, 1.0, count)
    dots = tuple(
        Dot(depths[i], y, x, float(sizes[i]), float(lights[i]), *colours[i])
        for i, (x, y) in enumerate(places.tolist())
    )
    crops = rng.integers(0, BANK - SIDE, (config.sections, 2)).tolist()
    return DotWorld(dots, kind, tuple((y, x) for y, x in crops))


def _draw_curve(rng: np.random.Generator, config: ColoredDotConfig) -> tuple[str, Strokes]:
    if config.folder:
        files = find_characters(config.folder)
        path = files[int(rng.integers(len(files)))]
        strokes = list(read_character(path))
        return path.stem, deform(strokes, rng, config.deformation)
    kinds = list(CURVES)
    kind = config.curve if config.curve != "any" else kinds[int(rng.integers(len(kinds)))]
    return kind, deform(CURVES[kind](rng), rng, config.deformation)


def _places(rng: np.random.Generator, strokes: Strokes, count: int) -> NDArray[np.float64]:
    """Return the dots' places (x, y) along a curve that is fitted into the canvas."""
    gaps = count if is_closed(strokes) else max(count - 1, 1)
    jitter = rng.uniform(-0.18, 0.18, count)
    unit = resample(strokes, (np.arange(count) + jitter) / gaps)
    every = np.concatenate(strokes)
    low, high = every.min(axis=0), every.max(axis=0)
    room = SIDE - 2 * _MARGIN
    scale = rng.uniform(0.78, 1.0) * room / float((high - low).max())
    size = (high - low) * scale
    corner = _MARGIN + rng.uniform(0, 1, 2) * (room - size)
    return np.asarray(corner + (unit - low) * scale, dtype=np.float64)


def _nearest(places: NDArray[np.float64]) -> float:
    """Return the smallest distance of two dots one after the other."""
    return float(np.hypot(*np.diff(places, axis=0).T).min()) if len(places) > 1 else math.inf


def _depths(rng: np.random.Generator, count: int, sections: int) -> list[int]:
    """Return the section of each dot: a smooth way up and down through most of the stack."""
    t = np.linspace(0, 1, count)
    cycles = rng.uniform(1.1, 2.4)
    way = np.sin(2 * np.pi * (cycles * t + rng.random()))
    way += rng.uniform(0.1, 0.5) * np.sin(2 * np.pi * (rng.uniform(1.5, 3) * t + rng.random()))
    span = (sections - 1) * rng.uniform(0.8, 1.0)
    low = rng.uniform(0, sections - 1 - span)
    way = low + (way - way.min()) / max(float(np.ptp(way)), 1e-9) * span
    return [int(z) for z in np.floor(way + 0.5)]


def _separate(
    depths: list[int], places: NDArray[np.float64], config: ColoredDotConfig
) -> list[int]:
    """Move dots to other sections where they would melt into an earlier one."""
    apart = max(config.spacing_px, 3 * config.sigma_px)
    moved: list[int] = []
    for i, z in enumerate(depths):
        near = np.hypot(*(places[:i] - places[i]).T) < apart
        taken = [moved[j] for j in np.flatnonzero(near)]
        others = sorted((abs(s - z), s) for s in range(config.sections))
        free = (s for _, s in others if all(abs(s - t) > _APART_SECTIONS for t in taken))
        moved.append(next(free, z) if taken else z)
    return moved


def _colours(count: int) -> list[tuple[tuple[float, float, float], str]]:
    """Return the colour of each dot and its name."""
    anchors = np.array([colour for _, colour in SPECTRUM])
    at = np.linspace(0, len(SPECTRUM) - 1, count)
    steps = np.arange(len(SPECTRUM))
    mixed = np.stack([np.interp(at, steps, anchors[:, c]) for c in range(3)], axis=1)
    return [
        ((float(r), float(g), float(b)), SPECTRUM[math.floor(place + 0.5)][0])
        for (r, g, b), place in zip(mixed, at, strict=True)
    ]
