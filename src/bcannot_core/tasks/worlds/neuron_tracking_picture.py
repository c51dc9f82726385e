"""Pictures of fluorescent neurons: cell bodies and neurites through a point-spread function."""

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.fluorescence import (
    SIDE,
    Photons,
    Picture,
    add_spot,
    expose,
    grey,
    lit_background,
    spot,
)
from bcannot_core.tasks.worlds.neuron_tracking import NeuronTrackingConfig, NeuronWorld

_BACKGROUND = 7.0
_BODY = 60.0
_HALO = 0.16
_NEURITE = 1.9
_NEURITE_SIGMA = 10  # eighths of a pixel
_NEURITE_REACH = 3
_GRANULE = 14.0
_GLOW = 3.0
_FALL_OFF = 0.3


class NeuronPictures:
    """The pictures of a world, each drawn when it is first looked at.

    Parameters
    ----------
    world : NeuronWorld
        What is seen.
    config : NeuronTrackingConfig
        Noise and contrast.
    """

    def __init__(self, world: NeuronWorld, config: NeuronTrackingConfig) -> None:
        self._world = world
        self._config = config
        self._greys: list[Picture | None] = [None] * world.groups
        self._greens: list[Picture | None] = [None] * world.groups

    def grey(self, group: int) -> Picture:
        """Return a group's picture, uint8 (256, 256), read-only."""
        picture = self._greys[group]
        if picture is None:
            picture = self._greys[group] = self._draw(group)
        return picture

    def green(self, group: int) -> Picture:
        """Return it in green, uint8 (256, 256, 3), read-only; always the same object."""
        picture = self._greens[group]
        if picture is None:
            picture = _LOOK_UP.take(self.grey(group), axis=0, mode="clip")
            picture.flags.writeable = False
            self._greens[group] = picture
        return picture

    def all(self) -> Picture:
        """Return all groups, uint8 (groups, 256, 256)."""
        return np.stack([self.grey(g) for g in range(self._world.groups)])

    def _draw(self, group: int) -> Picture:
        world, config = self._world, self._config
        photons = lit_background(_BACKGROUND, _FALL_OFF).copy()
        for y, x in world.axis_yx[group].tolist():
            add_spot(photons, (y, x), 26.0, _GLOW)
        _add_neurites(photons, world.neurites_yx[group], _NEURITE * config.contrast)
        for y, x in world.granules_yx[group].tolist():
            add_spot(photons, (y, x), 1.5, _GRANULE)
        bodies = np.concatenate([world.yx[group], world.others_yx[group]]).tolist()
        for i, (y, x) in enumerate(bodies):
            depth = float(world.depth[i])
            sigma = float(world.sigma[i]) * (1 + 0.25 * depth)
            height = _BODY * config.contrast * float(world.brightness[group, i]) * (1 - 0.3 * depth)
            add_spot(photons, (y, x), sigma, height)
            add_spot(photons, (y, x), 2.6 * sigma, _HALO * height)
        rng = np.random.default_rng((world.noise_seed, group))
        return grey(expose(photons, rng, config.noise), 2.9, -6.0)


def _add_neurites(photons: Photons, yx: NDArray[np.float64], height: float) -> None:
    """Add thin lines of blurred points, all at once."""
    whole = spot(_NEURITE_SIGMA, 0, 0)
    rim = whole.shape[0] // 2 - _NEURITE_REACH
    stamp = whole[rim:-rim, rim:-rim] * np.float32(height)
    at = np.arange(-_NEURITE_REACH, _NEURITE_REACH + 1)
    around = (at[:, None] * SIDE + at).ravel()
    rows, columns = np.floor(yx + 0.5).astype(np.int64).T
    pixels = ((rows * SIDE + columns)[:, None] + around).ravel()
    # Equally long lists: ufunc.at of numpy 2.4 reads beyond an operand that it must broadcast.
    np.add.at(photons.reshape(-1), pixels, np.tile(stamp.ravel(), len(rows)))


def _green_look_up() -> NDArray[np.uint8]:
    level = np.arange(256)
    return np.stack([level * level // 700, level, level // 4], axis=1).astype(np.uint8)


_LOOK_UP = _green_look_up()
