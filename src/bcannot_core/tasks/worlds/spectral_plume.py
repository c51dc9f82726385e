"""The world of spectral plume finding: a hyperspectral scene with gas plumes and look-alikes."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.screen import get_variant
from bcannot_core.tasks.base import check_choice, check_range
from bcannot_core.tasks.worlds.land import noise, whole_noise
from bcannot_core.tasks.worlds.outlines import Blob, draw_blob
from bcannot_core.tasks.worlds.spectral_materials import (
    BANDS,
    GASES,
    GREY,
    RGB,
    brightness,
    signature,
)
from bcannot_core.tasks.worlds.spectral_scene import BACKGROUNDS, draw_ground

SIDE = 256
_SHIFT, _ONE = 7, 128  # light and absorption are kept in 128ths
_GAP = 5  # px between blobs
_TRIES = 24
_SHRINK = 0.88
_LEAST_SHARE = 0.9  # of a blob's size at which it is placed at first


@dataclass(frozen=True, slots=True)
class SpectralPlumeConfig:
    """How hard a scene is.

    Parameters
    ----------
    least_plumes, most_plumes : int
        Real plumes, 1 to 5.
    least_confounders, most_confounders : int
        Look-alikes of another spectrum, 0 to 8.
    gas : str
        ``"CH4"``, ``"CO2"`` or ``"NH3"``; ``"any"`` to draw one for each world.
    background : str
        ``"highway"``, ``"buildings"`` or ``"fields"``; ``"any"`` to draw one.
    depth : float
        Share of the light that the middle of a plume takes away in its deepest band, 0.2 to 0.7.
    size : float
        Of the blobs, px: standard deviation of their puffs, 4 to 10.
    ragged : float
        Deformation of their outlines, 0 to 1.
    noise : float
        Standard deviation of the sensor's noise, grey levels, 0 to 25.
    variant : str
        Interface variant.
    """

    least_plumes: int = 1
    most_plumes: int = 3
    least_confounders: int = 3
    most_confounders: int = 6
    gas: str = "any"
    background: str = "any"
    depth: float = 0.5
    size: float = 8.5
    ragged: float = 0.6
    noise: float = 4.0
    variant: str = "original"

    def __post_init__(self) -> None:
        for name, low, high in (("plumes", 1, 5), ("confounders", 0, 8)):
            least, most = getattr(self, f"least_{name}"), getattr(self, f"most_{name}")
            check_range(f"least_{name}", least, low, high)
            check_range(f"most_{name}", most, low, high)
            if least > most:
                raise UsageError(
                    f"least_{name} is {least}, most_{name} {most}: "
                    "the first must not exceed the second"
                )
        check_choice("gas", self.gas, ("any", *GASES))
        check_choice("background", self.background, ("any", *BACKGROUNDS))
        check_range("depth", self.depth, 0.2, 0.7)
        check_range("size", self.size, 4.0, 10.0)
        check_range("ragged", self.ragged, 0.0, 1.0)
        check_range("noise", self.noise, 0.0, 25.0)
        get_variant(self.variant)


class Cloud(NamedTuple):
    """A plume or a look-alike in its place.

    Attributes
    ----------
    kind : str
        The gas, ``"smoke"``, or ``"mixture"``.
    plume : bool
        Whether it is one of those that are looked for.
    depths : tuple of float
        Relative depth of absorption in each band.
    at_xy : tuple of int
        Where the blob's window begins.
    blob : Blob
        Its shape.
    """

    kind: str
    plume: bool
    depths: tuple[float, ...]
    at_xy: tuple[int, int]
    blob: Blob

    @property
    def outline_xy(self) -> NDArray[np.float64]:
        """Its outline on the canvas, float64 (n, 2), (x, y)."""
        return self.blob.outline_xy + np.array(self.at_xy, dtype=np.float64)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of its window."""
        (x, y), (height, width) = self.at_xy, self.blob.density.shape
        return slice(y, y + height), slice(x, x + width)

    def mask(self) -> NDArray[np.bool_]:
        """Return what lies within its outline, bool (256, 256)."""
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        mask[self.slices] = self.blob.inside
        return mask


@dataclass(frozen=True)
class PlumeWorld:
    """A scene: ground, clouds and, drawn when they are looked at, its pictures.

    Attributes
    ----------
    gas : str
        What is looked for.
    clouds : tuple of Cloud
        The plumes, then the confounders.
    background : str
        What lies below.
    ground : intp (256, 256)
        Numbers of its materials.
    light : uint16 (256, 256)
        How bright they are, in 128ths.
    grain : tuple of int16 (256, 256)
        Noise of each channel, grey levels.
    config : SpectralPlumeConfig
        What the world was made with.
    """

    gas: str
    clouds: tuple[Cloud, ...]
    background: str
    ground: NDArray[np.intp] = field(repr=False)
    light: NDArray[np.uint16] = field(repr=False)
    grain: tuple[NDArray[np.int16], ...] = field(repr=False)
    config: SpectralPlumeConfig = field(repr=False)
    _drawn: dict[int, NDArray[np.uint8]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def plumes(self) -> tuple[Cloud, ...]:
        """The real plumes."""
        return tuple(cloud for cloud in self.clouds if cloud.plume)

    def band(self, band: int | None) -> NDArray[np.uint8]:
        """Return the picture of a band, uint8 (256, 256); None: true colour, (256, 256, 3).

        The same picture is the same object, read-only.
        """
        key = -1 if band is None else band
        if key not in self._drawn:
            if band is None:
                picture = np.empty((SIDE, SIDE, 3), dtype=np.uint8)
                for channel, row in enumerate(RGB):
                    picture[..., channel] = self._plane(row)
            else:
                picture = self._plane(band).astype(np.uint8)
            picture.flags.writeable = False
            self._drawn[key] = picture
        return self._drawn[key]

    def _plane(self, row: int) -> NDArray[np.int16]:
        """Return one channel: reflectance in the light, absorption, noise; within 0 to 255."""
        plane = brightness()[row].take(self.ground)
        plane *= self.light
        plane >>= _SHIFT
        for cloud in self.clouds:
            # Smoke dims visible light, too; gases are transparent there.
            depth = cloud.depths[row] if row < BANDS else 0.35 * (cloud.kind == "smoke")
            most = round(self.config.depth * depth * _ONE)
            if most > 1:
                part = plane[cloud.slices]
                taken = (cloud.blob.density * np.float32(most)).astype(np.uint16)
                part *= _ONE - taken
                part >>= _SHIFT
        level: NDArray[np.int16] = plane.view(np.int16)
        level += self.grain[row]
        np.maximum(level, 0, out=level)
        np.minimum(level, 255, out=level)
        return level


def make_world(rng: np.random.Generator, config: SpectralPlumeConfig) -> PlumeWorld:
    """Return a random scene."""
    gas = _drawn(rng, config.gas, list(GASES))
    background = _drawn(rng, config.background, list(BACKGROUNDS))
    plumes = int(rng.integers(config.least_plumes, config.most_plumes + 1))
    others = int(rng.integers(config.least_confounders, config.most_confounders + 1))
    ground = draw_ground(rng, background).astype(np.intp)
    light = 1 + noise(rng, "patch") * np.float32(0.025) + noise(rng, "broad") * np.float32(0.04)
    light += noise(rng, "grain") * np.float32(0.03)
    steps = (np.minimum(np.maximum(light, 0.7), 1.4) * _ONE).astype(np.uint16)
    grain = tuple(whole_noise(rng, config.noise) for _ in range(BANDS + 3))
    clouds: list[Cloud] = []
    taken = np.zeros((SIDE, SIDE), dtype=bool)
    for i in range(plumes + others):
        kind, depths = (gas, GASES[gas]) if i < plumes else _confounder(rng, gas)
        at, blob = _place(rng, config, taken)
        clouds.append(Cloud(kind, i < plumes, depths, at, blob))
    return PlumeWorld(gas, tuple(clouds), background, ground, steps, grain, config)


def _drawn(rng: np.random.Generator, value: str, known: list[str]) -> str:
    draw = known[int(rng.integers(len(known)))]
    return draw if value == "any" else value


def _confounder(rng: np.random.Generator, gas: str) -> tuple[str, tuple[float, ...]]:
    """Return the kind and the spectrum of a look-alike.

    Smoke, another gas, or a mixture that is dark in one band of the gas and in bands that are not
    the gas's own.
    """
    draw = rng.random()
    strength = float(rng.uniform(0.85, 1.1))
    if draw < 0.35:
        return "smoke", tuple(strength * depth for depth in GREY)
    if draw < 0.6:
        others = [name for name in GASES if name != gas]
        other = others[int(rng.integers(len(others)))]
        return other, tuple(strength * depth for depth in GASES[other])
    own = signature(GASES[gas])
    foreign = [band for band in range(BANDS) if band not in own]
    dark = {own[int(rng.integers(len(own)))]}
    dark.update(int(b) for b in rng.choice(foreign, int(rng.integers(1, 3)), replace=False))
    return "mixture", tuple(strength * 0.9 if band in dark else 0.0 for band in range(BANDS))


def _place(
    rng: np.random.Generator, config: SpectralPlumeConfig, taken: NDArray[np.bool_]
) -> tuple[tuple[int, int], Blob]:
    """Return a blob in a free place, the smaller the longer the search; marks it as taken."""
    size = config.size * float(rng.uniform(_LEAST_SHARE - 0.15, _LEAST_SHARE + 0.2))
    while True:
        blob = draw_blob(rng, size, config.ragged)
        size *= _SHRINK
        height, width = blob.density.shape
        if min(SIDE - height, SIDE - width) <= 2 * _GAP:
            continue
        corners = rng.integers(_GAP, (SIDE - width - _GAP, SIDE - height - _GAP), (_TRIES, 2))
        for x, y in corners.tolist():
            around = taken[
                max(0, y - _GAP) : y + height + _GAP, max(0, x - _GAP) : x + width + _GAP
            ]
            if not around.any():
                taken[y : y + height, x : x + width] |= blob.density > 0.02
                return (x, y), blob
