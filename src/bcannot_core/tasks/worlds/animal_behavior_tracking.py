"""Worlds of behavioural tracking: several animals filmed together from above."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen import get_variant
from bcannot_core.tasks.base import check_choice, check_range
from bcannot_core.tasks.worlds.behavior_animals import GROUNDS, HABITS, KINDS, MAKERS
from bcannot_core.tasks.worlds.behavior_motion import wander
from bcannot_core.tasks.worlds.camera import Camera
from bcannot_core.tasks.worlds.creatures import Filmed
from bcannot_core.tasks.worlds.habitats import HABITATS

SIZE = 256
_MOST_REACH, _LEAST_REACH = 112.0, 84.0


@dataclass(frozen=True, slots=True)
class BehaviorConfig:
    """How hard the video is.

    Parameters
    ----------
    kind : str
        ``"insect"``, ``"fish"`` or ``"crawler"``; ``"any"`` draws one.
    animals : int
        How many there are, 4 to 8; 0 draws it.
    frames : int
        Frames of the video.
    noise : float
        Noise of the camera, grey levels.
    crowding : float
        How small the part of the arena is that they share, 0 to 1.
    contrast : float
        Contrast of the picture, 1 as it is.
    deformation : float
        How vigorous the gaits are, 1 is usual.
    variant : str
        Interface variant.
    """

    kind: str = "any"
    animals: int = 0
    frames: int = 10
    noise: float = 4.0
    crowding: float = 0.0
    contrast: float = 1.0
    deformation: float = 1.0
    variant: str = "original"

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("any", *KINDS))
        if self.animals != 0:
            check_range("animals", self.animals, 4, 8)
        check_range("frames", self.frames, 1, 60)
        check_range("noise", self.noise, 0.0, 60.0)
        check_range("crowding", self.crowding, 0.0, 1.0)
        check_range("contrast", self.contrast, 0.1, 1.5)
        check_range("deformation", self.deformation, 0.0, 1.5)
        get_variant(self.variant)


@dataclass(frozen=True, eq=False)
class BehaviorWorld(Filmed):
    """Filmed animals.

    Attributes
    ----------
    kind : str
        What they are.
    ends_xy : float32 (frames, animals, 2, 2)
        Front and back of each animal in each frame, canvas pixels (x, y). The animals are
        numbered from left to right in the first frame.
    """

    kind: str
    ends_xy: NDArray[np.float32]

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return int(self.ends_xy.shape[0])

    @property
    def animals(self) -> int:
        """How many animals there are."""
        return int(self.ends_xy.shape[1])


def sample_world(rng: np.random.Generator, config: BehaviorConfig) -> BehaviorWorld:
    """Film animals drawn at random."""
    kind = KINDS[rng.integers(len(KINDS))]
    count = int(rng.integers(4, 9))
    kind = kind if config.kind == "any" else config.kind
    count = config.animals or count
    habit = HABITS[kind]
    length, speed = rng.uniform(*habit.length), rng.uniform(*habit.speed)
    reach = _MOST_REACH + (_LEAST_REACH - _MOST_REACH) * config.crowding
    axes = wander(rng, count, config.frames, length, speed, reach)
    axes = axes[:, np.argsort(axes[0, :, 0, 0], kind="stable")] + SIZE / 2
    axes = _kept_inside(axes)
    bodies, layers = MAKERS[kind](rng, axes, length, config.deformation)
    grounds = GROUNDS[kind]
    habitat = grounds[int(rng.integers(len(grounds)))]
    ground = HABITATS[habitat](rng, (SIZE, SIZE))
    corners = np.zeros((config.frames, 2), dtype=np.int64)
    camera = Camera(rng, ground, corners, config.noise, config.contrast)
    ends = bodies[:, :, [0, -1]].astype(np.float32)
    return BehaviorWorld(camera, habitat, layers, kind, ends)


def _kept_inside(axes: NDArray[np.float64], margin: float = 10.0) -> NDArray[np.float64]:
    """Return body axes moved as a whole where an end would leave the canvas."""
    low = np.minimum(axes.min(axis=2, keepdims=True) - margin, 0.0)
    high = np.maximum(axes.max(axis=2, keepdims=True) - (SIZE - 1 - margin), 0.0)
    return np.asarray(axes - low - high)
