"""A camera that films a habitat."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
_SHIFTS = 192  # places of the noise, each way


class Camera:
    """Films a habitat: a window that moves over it, with the noise of a sensor.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the noise comes from.
    ground : uint8 (h, w, 3)
        The whole habitat.
    corners : int (frames, 2)
        Top left corner (x, y) of the window in each frame.
    noise : float
        Standard deviation of the noise, grey levels.
    contrast : float
        Contrast of what is filmed, 1 as it is.
    size : int
        Width and height of the window.
    """

    def __init__(
        self, rng: np.random.Generator, ground: Picture, corners: NDArray[np.int64], noise: float,
        contrast: float = 1.0, size: int = 256,
    ) -> None:  # fmt: skip
        self._ground = ground
        self._corners = corners
        self._size = size
        self._noise = _sensor_noise(size, round(noise, 2))
        self._shifts = rng.integers(0, _SHIFTS, (len(corners), 2)).tolist()
        level = np.arange(256) * contrast + 128 * (1 - contrast)
        self._levels = None if contrast == 1.0 else level.clip(0, 255).astype(np.uint8)

    def background(self, frame: int) -> Picture:
        """Return a copy of what the window shows of the habitat."""
        x, y = self._corners[frame]
        return self._ground[y : y + self._size, x : x + self._size].copy()

    def develop(self, frame: int, picture: Picture) -> Picture:
        """Return a picture with contrast and noise of the sensor, read-only."""
        dy, dx = self._shifts[frame]
        if self._levels is not None:
            picture = self._levels[picture]
        size = self._size
        noisy = (
            picture.reshape(size, 3 * size) + self._noise[dy : dy + size, 3 * dx : 3 * (dx + size)]
        )
        out = np.clip(noisy, 0, 255, out=noisy).astype(np.uint8).reshape(size, size, 3)
        out.flags.writeable = False
        return out


@lru_cache(maxsize=4)
def _sensor_noise(size: int, noise: float) -> NDArray[np.int16]:
    """Return noise of a sensor, the same in the three colours of a pixel, drawn once for all.

    int16 (size + 192, 3 × (size + 192)): pixels side by side, each three times.
    """
    rng = np.random.default_rng(20260)
    field = rng.standard_normal((size + _SHIFTS, size + _SHIFTS), dtype=np.float32)
    field *= np.float32(noise)
    return np.repeat(np.rint(field).astype(np.int16), 3, axis=1)
