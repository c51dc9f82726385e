"""Pictures of fluorescent neurons: cell bodies and neurites through a point-spread function."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.fluorescence import (
    SIDE,
    Photons,
    Picture,
    Recording,
    add_patch,
    add_spot,
    expose,
    lit_background,
    spot,
)
from bcannot_core.tasks.worlds.neuron_tracking import NeuronTrackingConfig, NeuronWorld

_BACKGROUND = 7.0
_BODY = 60.0
_HALO = 0.16  # of the height of a cell body
_NEURITE = 1.9
_NEURITE_SIGMA = 10  # eighths of a pixel
_NEURITE_REACH = 2
_GRANULE = 14.0
_GLOW = 3.0
_GLOW_SIGMA = 208  # eighths of a pixel
_GLOW_REACH = 62
_FALL_OFF = 0.3


class NeuronPictures(Recording):
    """The pictures of a world's groups.

    Parameters
    ----------
    world : NeuronWorld
        What is seen.
    config : NeuronTrackingConfig
        Noise and contrast.
    """

    def __init__(self, world: NeuronWorld, config: NeuronTrackingConfig) -> None:
        super().__init__(world.groups)
        self._world = world
        self._config = config
        self._greens: list[Picture | None] = [None] * world.groups

    def green(self, group: int) -> Picture:
        """Return a picture in green, uint8 (256, 256, 3), read-only; always the same object."""
        picture = self._greens[group]
        if picture is None:
            picture = self._greens[group] = _in_green(self.grey(group))
        return picture

    def _draw(self, index: int) -> Picture:
        world, config = self._world, self._config
        photons = lit_background(_BACKGROUND, _FALL_OFF).copy()
        for y, x in world.axis_yx[index].tolist():
            add_patch(photons, _glow(), round(y), round(x))
        _add_neurites(photons, world.neurites_yx[index], _NEURITE * config.contrast)
        for y, x in world.granules_yx[index].tolist():
            add_spot(photons, (y, x), 1.5, _GRANULE)
        bodies = np.concatenate([world.yx[index], world.others_yx[index]]).tolist()
        for i, (y, x) in enumerate(bodies):
            depth = float(world.depth[i])
            sigma = float(world.sigma[i]) * (1 + 0.25 * depth)
            height = _BODY * config.contrast * float(world.brightness[index, i]) * (1 - 0.3 * depth)
            add_spot(photons, (y, x), sigma, height, _HALO)
        return expose(photons, world.noise_seed + index * _STEP, config.noise, 2.9, -6.0)


_STEP = 0x9E3779B1  # from group to group of the noise


@lru_cache(maxsize=1)
def _glow() -> Photons:
    """Return the light of the tissue about a point of the axis."""
    return _middle(spot(_GLOW_SIGMA, 0, 0), _GLOW_REACH) * np.float32(_GLOW)


def _middle(stamp: Photons, reach: int) -> Photons:
    rim = stamp.shape[0] // 2 - reach
    return stamp[rim:-rim, rim:-rim]


def _add_neurites(photons: Photons, yx: NDArray[np.float64], height: float) -> None:
    """Add thin lines of blurred points, all at once."""
    stamp = _middle(spot(_NEURITE_SIGMA, 0, 0), _NEURITE_REACH) * np.float32(height)
    at = np.arange(-_NEURITE_REACH, _NEURITE_REACH + 1)
    around = (at[:, None] * SIDE + at).ravel()
    rows, columns = np.floor(yx + 0.5).astype(np.int64).T
    pixels = ((rows * SIDE + columns)[:, None] + around).ravel()
    # Equally long lists: ufunc.at of numpy 2.4 reads beyond an operand that it must broadcast.
    np.add.at(photons.reshape(-1), pixels, np.tile(stamp.ravel(), len(rows)))


def _in_green(grey: Picture) -> Picture:
    """Return a picture in green, whose brightest parts are nearly white; read-only."""
    picture = np.empty((*grey.shape, 3), dtype=np.uint8)
    squared = np.multiply(grey, grey, dtype=np.uint16)
    squared >>= np.uint16(8)
    squared *= np.uint16(94)
    squared >>= np.uint16(8)
    picture[..., 0] = squared
    picture[..., 1] = grey
    picture[..., 2] = grey >> 2
    picture.flags.writeable = False
    return picture
