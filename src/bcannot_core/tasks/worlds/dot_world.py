"""Dots of light in a stack of sections, and their pictures.

Each dot is a Gaussian in all three directions, as a point source looks through a microscope. The
background is dim and noisy; the noise grows with the light (photon noise).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE = 256
BANK = 512
_PHOTONS = 4.0


class Dot(NamedTuple):
    """A dot: its section, its place in canvas pixels, its size and its colour."""

    z: int
    y: float
    x: float
    sigma: float
    brightness: float
    colour: tuple[float, float, float]
    colour_name: str


@dataclass(frozen=True, eq=False)
class DotWorld:
    """A curve of dots.

    Attributes
    ----------
    dots : tuple of Dot
        In the order of their colours.
    kind : str
        Kind of the curve.
    crops : tuple of tuple of int
        Where each section's noise is taken from.
    """

    dots: tuple[Dot, ...]
    kind: str
    crops: tuple[tuple[int, int], ...]

    @property
    def sections(self) -> int:
        """How many sections there are."""
        return len(self.crops)


@lru_cache(maxsize=8)
def _noise_bank(background: float, noise: float) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a field of background with noise, and the noise alone in grey levels."""
    field = np.random.default_rng(16).standard_normal((BANK, BANK, 3), dtype=np.float32)
    grain = field * np.float32(255 * noise)
    grey = np.clip(np.rint(grain + np.float32(255 * background)), 0, 255).astype(np.uint8)
    grain.flags.writeable = grey.flags.writeable = False
    return grey, grain


class DotPictures:
    """Sections of a world and their maximum projection, drawn when first looked at.

    Parameters
    ----------
    world : DotWorld
        What is shown.
    background, noise : float
        Grey value of the background, and the standard deviation of its noise.
    sigma_sections : float
        How deep dots are.
    """

    def __init__(
        self, world: DotWorld, background: float, noise: float, sigma_sections: float
    ) -> None:
        self._world = world
        self._background = background
        self._noise = noise
        self._sigma_sections = sigma_sections
        self._sections: list[NDArray[np.uint8] | None] = [None] * world.sections
        self._projection: NDArray[np.uint8] | None = None
        self._stamps: dict[int, tuple[slice, slice, NDArray[np.float32]]] = {}

    def section(self, z: int) -> NDArray[np.uint8]:
        """Return a section, uint8 (h, w, 3), read-only; the same object every time."""
        picture = self._sections[z]
        if picture is None:
            picture = self._sections[z] = self._draw(z)
        return picture

    def projection(self) -> NDArray[np.uint8]:
        """Return the brightest of each pixel over all sections, as :meth:`section`."""
        if self._projection is None:
            brightest = self.section(0).copy()
            for z in range(1, self._world.sections):
                np.maximum(brightest, self.section(z), out=brightest)
            brightest.flags.writeable = False
            self._projection = brightest
        return self._projection

    def _draw(self, z: int) -> NDArray[np.uint8]:
        grey, grain = _noise_bank(self._background, self._noise)
        top, left = self._world.crops[z]
        picture = grey[top : top + SIDE, left : left + SIDE].copy()
        light: dict[int, float] = {}
        for i, dot in enumerate(self._world.dots):
            depth = (z - dot.z) / self._sigma_sections
            if abs(depth) <= 3:
                light[i] = 255 * dot.brightness * math.exp(-depth * depth / 2)
        for part in _apart([(self._stamp(i), share) for i, share in light.items()]):
            rows, columns, signal = part
            noise = grain[top : top + SIDE, left : left + SIDE][rows, columns]
            shot = np.sqrt(1 + signal * np.float32(_PHOTONS / 255))
            value = signal + noise * shot + np.float32(255 * self._background)
            np.rint(value, out=value)
            picture[rows, columns] = np.clip(value, 0, 255, out=value).astype(np.uint8)
        picture.flags.writeable = False
        return picture

    def _stamp(self, i: int) -> tuple[slice, slice, NDArray[np.float32]]:
        """Return where a dot shines, and its colours there at full light."""
        stamp = self._stamps.get(i)
        if stamp is None:
            dot = self._world.dots[i]
            reach = math.ceil(3.2 * dot.sigma)
            y, x = round(dot.y), round(dot.x)
            ys = np.arange(max(0, y - reach), min(SIDE, y + reach + 1))
            xs = np.arange(max(0, x - reach), min(SIDE, x + reach + 1))
            gy = np.exp(-((ys - dot.y) ** 2) / (2 * dot.sigma**2))
            gx = np.exp(-((xs - dot.x) ** 2) / (2 * dot.sigma**2))
            spot = np.rint(gy[:, None] * gx[None] * 4096) / 4096
            colour = np.array(dot.colour)
            rows, columns = slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1)
            stamp = (rows, columns, (spot[..., None] * colour).astype(np.float32))
            self._stamps[i] = stamp
        return stamp


Patch = tuple[slice, slice, NDArray[np.float32]]


def _apart(stamps: list[tuple[Patch, float]]) -> list[Patch]:
    """Return patches of light that do not overlap: those that do are added up in one."""
    patches: list[Patch] = []
    for (rows, columns, colours), share in stamps:
        patch: Patch = (rows, columns, colours * np.float32(share))
        while True:
            other = next((p for p in patches if _overlap(p, patch)), None)
            if other is None:
                break
            patches = [p for p in patches if p is not other]
            patch = _union(other, patch)
        patches.append(patch)
    return patches


def _overlap(a: Patch, b: Patch) -> bool:
    return bool(
        a[0].start < b[0].stop
        and b[0].start < a[0].stop
        and a[1].start < b[1].stop
        and b[1].start < a[1].stop
    )


def _union(a: Patch, b: Patch) -> Patch:
    rows = slice(min(a[0].start, b[0].start), max(a[0].stop, b[0].stop))
    columns = slice(min(a[1].start, b[1].start), max(a[1].stop, b[1].stop))
    both = np.zeros((rows.stop - rows.start, columns.stop - columns.start, 3), np.float32)
    for r, c, colours in (a, b):
        both[
            r.start - rows.start : r.stop - rows.start,
            c.start - columns.start : c.stop - columns.start,
        ] += colours
    return rows, columns, both
