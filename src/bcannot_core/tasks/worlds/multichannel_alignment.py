"""Worlds of an alignment: one scene, two channels, the warp between them and good landmarks."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds import photographs
from bcannot_core.tasks.worlds.alignment_scenes import MARGIN, PAINTED, Scene, photo_scene
from bcannot_core.tasks.worlds.alignment_warp import SIDE, Warp, sample_warp, sample_warped

SOURCES = ("natural", "voronoi", "perlin")
EDGE = 14
APART = 20.0
_GREEN, _MAGENTA = (0.42, 1.0, 0.5), (1.0, 0.42, 0.92)
_CANDIDATES = 90
_WIDE, _NARROWER = 44.0, 0.75


@dataclass(frozen=True, eq=False)
class AlignmentWorld:
    """Two channels and what relates them.

    Attributes
    ----------
    source : str
        What the scene is: one of ``SOURCES``, or the name of a picture.
    channels : tuple of uint8 (256, 256)
        Channels A and B, grey.
    warp : Warp
        Where points of channel B lie in channel A.
    landmarks_a, landmarks_b : float64 (n, 2)
        Salient points (x, y) of channel A in reading order, and their matches in channel B.
    """

    source: str
    channels: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    warp: Warp
    landmarks_a: NDArray[np.float64]
    landmarks_b: NDArray[np.float64]

    @cached_property
    def pictures(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The channels in colour, green and magenta, uint8 (256, 256, 3), read-only."""
        first = _table(_GREEN).take(self.channels[0], axis=0)
        second = _table(_MAGENTA).take(self.channels[1], axis=0)
        first.flags.writeable = second.flags.writeable = False
        return first, second


@dataclass(frozen=True, slots=True)
class AlignmentLook:
    """What makes an alignment hard: ``warp_px``, ``rotation_deg``, ``shift_px``, ``noise``."""

    warp_px: float
    rotation_deg: float
    shift_px: float
    noise: float


def sample_alignment(
    rng: np.random.Generator, source: str, folder: str, landmarks: int, look: AlignmentLook
) -> AlignmentWorld:
    """Draw a world.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all randomness.
    source : str
        One of ``SOURCES``, ``"mixed"`` for any of them, or ``"folder"``.
    folder : str
        Of the user's pictures, for the source ``"folder"``.
    landmarks : int
        How many landmarks to choose.
    look : AlignmentLook
        Warp and noise.
    """
    if source == "mixed":
        source = SOURCES[int(rng.integers(len(SOURCES)))]
    name, scene = _scene(rng, source, folder)
    warp = sample_warp(rng, look.warp_px, look.rotation_deg, look.shift_px)
    inner = slice(MARGIN, MARGIN + SIDE)
    first = _noisy(scene.first[inner, inner], look.noise, rng)
    second = _noisy(sample_warped(scene.second, warp, MARGIN), look.noise, rng)
    chosen = _choose(scene.corners - MARGIN, warp, landmarks, rng)
    return AlignmentWorld(name, (first, second), warp, chosen, warp.to_b(chosen))


def _scene(rng: np.random.Generator, source: str, folder: str) -> tuple[str, Scene]:
    if source in PAINTED:
        return source, PAINTED[source](rng)
    if source == "folder":
        files = photographs.list_folder(folder)
        path = files[int(rng.integers(len(files)))]
        return path.name, photo_scene(rng, photographs.read_photo(path))
    name = photographs.BUNDLED[int(rng.integers(len(photographs.BUNDLED)))]
    return name, photo_scene(rng, photographs.bundled_photo(name))


@lru_cache(maxsize=4)
def _table(tint: tuple[float, float, float]) -> NDArray[np.uint8]:
    grey = np.arange(256, dtype=np.float64)[:, None]
    table: NDArray[np.uint8] = np.rint(grey * np.array(tint)).astype(np.uint8)
    return table


@lru_cache(maxsize=4)
def _grain(sd: float) -> NDArray[np.int16]:
    grain = np.random.default_rng(53).standard_normal((2 * SIDE, 2 * SIDE))
    return np.rint(grain * (255 * sd)).astype(np.int16)


def _noisy(picture: NDArray[np.uint8], sd: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    y, x = rng.integers(0, SIDE, 2).tolist()
    noisy = picture + _grain(sd)[y : y + SIDE, x : x + SIDE]
    out: NDArray[np.uint8] = np.clip(noisy, 0, 255).astype(np.uint8)
    out.flags.writeable = False
    return out


def _choose(
    corners: NDArray[np.float64], warp: Warp, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Choose landmarks well apart and inside both channels, in reading order."""
    cells = max(3, math.isqrt(2 * count) + 1)
    spare = (np.indices((cells, cells)).reshape(2, -1).T[:, ::-1] + rng.random((cells**2, 2))) * (
        SIDE / cells
    )
    points = np.floor(np.concatenate([corners[:_CANDIDATES], spare]) + 0.5)
    both = np.concatenate([points, warp.to_b(points, 1.0)], axis=1)
    seen = ((both >= EDGE) & (both < SIDE - EDGE)).all(axis=1)
    candidates = points[seen].tolist()
    chosen: list[list[float]] = []
    apart = _WIDE
    while len(chosen) < count:
        for x, y in candidates:
            if len(chosen) < count and all(
                (x - u) ** 2 + (y - v) ** 2 >= apart**2 for u, v in chosen
            ):
                chosen.append([x, y])
        apart *= _NARROWER
        if apart < APART and len(chosen) < count:
            break
    chosen.sort(key=lambda p: (p[1] // 64, p[0]))
    return np.array(chosen, dtype=np.float64).reshape(-1, 2)
