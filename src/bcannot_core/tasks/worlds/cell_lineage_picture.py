"""Pictures of dividing cells: nuclei with a fluorescent stain, seen through a microscope."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.cell_lineage import CellLineageConfig, LineageWorld
from bcannot_core.tasks.worlds.fluorescence import (
    SIDE,
    Photons,
    Picture,
    Recording,
    add_patch,
    add_spot,
    expose,
    illumination,
    lit_background,
    mottle,
)

_BACKGROUND = 9.0
_NUCLEUS = 62.0
_EDGE_PX = 2.2
_FALL_OFF = 0.35
_GAIN = 1.95
_MOTTLE_SEED = 20
_FAR = 99  # frames to a division, or since one, that there is not

Floats = NDArray[np.float64]


class LineagePictures(Recording):
    """The pictures of a recording of cells.

    Parameters
    ----------
    world : LineageWorld
        What is seen.
    config : CellLineageConfig
        Noise and contrast.
    """

    def __init__(self, world: LineageWorld, config: CellLineageConfig) -> None:
        super().__init__(world.frames)
        self._world = world
        self._config = config
        self._ground = lit_background(_BACKGROUND, _FALL_OFF).copy()
        for i, (y, x) in enumerate(world.debris_yx.tolist()):
            add_spot(self._ground, (y, x), 1.8 + 0.5 * (i % 3), 0.45 * _NUCLEUS * config.contrast)
        self._forms, self._bright = _forms(world)

    def _draw(self, index: int) -> Picture:
        photons = self._ground.copy()
        self._add_nuclei(photons, index)
        at = self._world.noise_seed + index * _STEP
        return expose(photons, at, self._config.noise, _GAIN, 0.0)

    def _add_nuclei(self, photons: Photons, frame: int) -> None:
        """Add all nuclei of a frame; their shapes are worked out together."""
        world = self._world
        alive = world.alive(frame)
        yx = world.yx[frame, alive]
        pixels = np.floor(yx + 0.5)
        fall = illumination(yx[:, 0] - SIDE / 2, yx[:, 1] - SIDE / 2, _FALL_OFF)
        bright = self._bright[frame, alive] * fall * (_NUCLEUS * self._config.contrast)
        forms = self._forms[frame, alive]
        reach = int(float(forms[:, :2].max()) + _EDGE_PX) + 1
        stains = _stains(forms, yx - pixels, bright, reach)
        side = 2 * reach + 1
        texture, corners = _chromatin(), world.texture[alive] % (SIDE - side)
        places = zip(stains, pixels.astype(np.int64).tolist(), corners.tolist(), strict=True)
        for stain, (row, column), (top, left) in places:
            stain *= texture[top : top + side, left : left + side]
            add_patch(photons, stain, row, column)


_STEP = 0x9E3779B1  # from frame to frame of the noise


@lru_cache(maxsize=1)
def _chromatin() -> NDArray[np.float32]:
    """Return how much of the stain there is, 1 on average; read-only."""
    field: NDArray[np.float32] = 1.0 + np.float32(0.28) * mottle(_MOTTLE_SEED, 1.6)
    field.flags.writeable = False
    return field


def _stains(forms: Floats, offsets_yx: Floats, bright: Floats, reach: int) -> NDArray[np.float32]:
    """Draw ellipses with soft edges.

    Parameters
    ----------
    forms : (n, 4)
        Half axes along and across, sine and cosine of the direction.
    offsets_yx : (n, 2)
        Of the centres from the middle pixels.
    bright : (n,)
        Height inside; 0 outside.
    reach : int
        The squares have 2 ``reach`` + 1 pixels a side.

    Returns
    -------
    float32 (n, side, side)
    """
    along, across, sin, cos = forms.T[:, :, None, None]
    at = np.arange(-reach, reach + 1)
    v = at[None, :, None] - offsets_yx[:, 0, None, None]
    u = at[None, None, :] - offsets_yx[:, 1, None, None]
    p = (u * (cos / along)).astype(np.float32) + (v * (sin / along)).astype(np.float32)
    q = (v * (cos / across)).astype(np.float32) - (u * (sin / across)).astype(np.float32)
    p *= p
    q *= q
    p += q
    steep = (np.minimum(along, across) / (2 * _EDGE_PX)).astype(np.float32)
    depth = np.sqrt(p, out=p)
    depth *= -steep
    depth += steep + np.float32(0.5)
    np.clip(depth, 0.0, 1.0, out=depth)
    height = bright[:, None, None].astype(np.float32)
    smooth: NDArray[np.float32] = np.multiply(depth, -2 * height, out=q)
    smooth += 3 * height
    smooth *= depth
    smooth *= depth
    return smooth


def _forms(world: LineageWorld) -> tuple[Floats, Floats]:
    """Return what nuclei look like in all frames.

    Nuclei are round between divisions; before one the chromatin condenses into a bright plate
    across the axis, and sisters begin as two bright plates. A nucleus lies along its own axis, at
    birth along its parent's. Sine and cosine are rounded, so that other mathematical libraries
    give the same picture.

    Returns
    -------
    float64 (frames, cells, 4), float64 (frames, cells)
        Half axes along and across, sine and cosine of the direction; relative brightness.
    """
    frame = np.arange(world.frames)[:, None]
    cells = world.cells
    born = np.array([-_FAR if cell.parent is None else cell.birth for cell in cells])
    splits = np.array([cell.last if cell.daughters else world.frames + _FAR for cell in cells])
    radius = np.array([15.0 * 0.94**cell.generation for cell in cells])
    stretch = np.array([1.0 + 0.14 * ((cell.index * 7) % 5 - 2) / 2 for cell in cells])
    age, left = frame - born, splits - frame
    divides, newborn = left == 0, age == 0
    grown = np.minimum(1.0, 0.62 + 0.13 * age)
    along = radius * np.where(divides, 0.48, np.where(newborn, 0.42, grown * stretch))
    across = radius * np.where(divides, 0.92, np.where(newborn, 0.72, grown / stretch))
    bright = 1.0 + 0.1 * np.maximum(0, 3 - age) + 0.25 * (left == 1)
    bright = np.where(divides, 1.75, np.where(newborn, 1.6, bright)) * world.brightness
    own = world.axis
    first = own[[cell.index if cell.parent is None else cell.parent for cell in cells]]
    turn = (own - first + math.pi / 2) % math.pi - math.pi / 2
    angle = np.where(divides, own, first + turn * np.minimum(1.0, age / 4))
    forms = np.stack([along, across, np.sin(angle).round(6), np.cos(angle).round(6)], axis=-1)
    return forms, bright
