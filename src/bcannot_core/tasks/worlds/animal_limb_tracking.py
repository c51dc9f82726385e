"""Worlds of limb tracking: one animal filmed as it flies, walks or crawls."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen import get_variant
from bcannot_core.tasks.base import check_choice, check_range
from bcannot_core.tasks.worlds.camera import Camera
from bcannot_core.tasks.worlds.creatures import Filmed
from bcannot_core.tasks.worlds.habitats import HABITATS
from bcannot_core.tasks.worlds.limb_anatomy import FRAMES, SPECIES, Animal
from bcannot_core.tasks.worlds.limb_animals import ANIMALS, GROUNDS

SIZE = 256
_REACH = {"bird": 120, "spider": 4, "snake": 96, "insect": 16}


@dataclass(frozen=True, slots=True)
class LimbConfig:
    """How hard the video is.

    Parameters
    ----------
    species : str
        ``"bird"``, ``"spider"``, ``"snake"`` or ``"insect"``; ``"any"`` draws one.
    frames : int
        Frames of the video; 0 for as many as make episodes of all species about 420 clicks long.
    noise : float
        Noise of the camera, grey levels.
    contrast : float
        Contrast of the picture, 1 as it is.
    deformation : float
        How vigorous the movements are, 1 is usual.
    size : float
        Size of the animal, 1 is usual.
    variant : str
        Interface variant.
    """

    species: str = "any"
    frames: int = 0
    noise: float = 4.0
    contrast: float = 1.0
    deformation: float = 1.0
    size: float = 1.0
    variant: str = "original"

    def __post_init__(self) -> None:
        check_choice("species", self.species, ("any", *SPECIES))
        check_range("frames", self.frames, 0, 200)
        check_range("noise", self.noise, 0.0, 60.0)
        check_range("contrast", self.contrast, 0.1, 1.5)
        check_range("deformation", self.deformation, 0.0, 1.5)
        check_range("size", self.size, 0.5, 1.1)
        get_variant(self.variant)


@dataclass(frozen=True, eq=False)
class LimbWorld(Filmed):
    """A filmed animal.

    Attributes
    ----------
    animal : Animal
        What moves, with its keypoints in every frame.
    """

    animal: Animal

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.animal.points_xy)


def sample_world(rng: np.random.Generator, config: LimbConfig) -> LimbWorld:
    """Film an animal drawn at random."""
    species = SPECIES[rng.integers(len(SPECIES))]
    if config.species != "any":
        species = config.species
    frames = config.frames or FRAMES[species]
    animal = ANIMALS[species](rng, frames, config.deformation, config.size)
    grounds = GROUNDS[species]
    habitat = grounds[int(rng.integers(len(grounds)))]
    corners = _corners(rng, animal.travel_xy, _REACH[species])
    extent = corners.max(axis=0) + SIZE
    side = int(extent.max())
    ground = HABITATS[habitat](rng, (side, side))
    camera = Camera(rng, ground, corners, config.noise, config.contrast)
    return LimbWorld(camera, habitat, animal.layers, animal)


def _corners(
    rng: np.random.Generator, travel: NDArray[np.float64], reach: int
) -> NDArray[np.int64]:
    """Return where the camera's window is, at most ``reach`` pixels apart, the least at 0."""
    shake = np.round(np.cumsum(rng.normal(0, 0.25, travel.shape), axis=0))
    moved = np.round(travel) + (shake if reach < 50 else 0)
    moved = moved - moved.min(axis=0)
    span = moved.max()
    if span > reach:
        moved = np.round(moved * (reach / span))
    return np.asarray(moved, dtype=np.int64)
