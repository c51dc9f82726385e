"""Pictures of dividing cells: nuclei with a fluorescent stain, seen through a microscope."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.cell_lineage import Cell, CellLineageConfig, LineageWorld
from bcannot_core.tasks.worlds.fluorescence import (
    SIDE,
    Photons,
    Picture,
    add_patch,
    add_spot,
    expose,
    grey,
    illumination,
    lit_background,
    mottle,
)

_BACKGROUND = 9.0
_NUCLEUS = 62.0
_EDGE_PX = 2.2
_FALL_OFF = 0.35
_MOTTLE_SEED = 20


class LineagePictures:
    """The pictures of a recording, each drawn when it is first looked at.

    Parameters
    ----------
    world : LineageWorld
        What is seen.
    config : CellLineageConfig
        Noise and contrast.
    """

    def __init__(self, world: LineageWorld, config: CellLineageConfig) -> None:
        self._world = world
        self._config = config
        self._pictures: list[Picture | None] = [None] * world.frames

    def get(self, frame: int) -> Picture:
        """Return a frame's picture, uint8 (256, 256), read-only; always the same object."""
        picture = self._pictures[frame]
        if picture is None:
            picture = self._pictures[frame] = self._draw(frame)
        return picture

    def all(self) -> Picture:
        """Return the recording, uint8 (frames, 256, 256)."""
        return np.stack([self.get(t) for t in range(self._world.frames)])

    def _draw(self, frame: int) -> Picture:
        world, config = self._world, self._config
        photons = lit_background(_BACKGROUND, _FALL_OFF).copy()
        self._add_nuclei(photons, frame)
        for i, (y, x) in enumerate(world.debris_yx.tolist()):
            add_spot(photons, (y, x), 1.8 + 0.5 * (i % 3), 0.45 * _NUCLEUS * config.contrast)
        rng = np.random.default_rng((world.noise_seed, frame))
        return grey(expose(photons, rng, config.noise), 1.95, 0.0)

    def _add_nuclei(self, photons: Photons, frame: int) -> None:
        """Add all nuclei of a frame; their shapes are worked out together."""
        world = self._world
        alive = world.alive(frame)
        forms = [_form(world, index, frame) for index in alive]
        yx = world.yx[frame, alive]
        pixels = np.floor(yx + 0.5).astype(np.int64)
        reach = int(max(max(form[:2]) for form in forms) + _EDGE_PX) + 1
        stains = _stains(np.array([form[:4] for form in forms]), yx - pixels, reach)
        side = 2 * reach + 1
        texture = _chromatin()
        places = zip(yx.tolist(), pixels.tolist(), world.texture[alive].tolist(), strict=True)
        for i, ((y, x), (row, column), (top, left)) in enumerate(places):
            bright = forms[i][4] * float(world.brightness[alive[i]]) * self._config.contrast
            bright *= _NUCLEUS * illumination(y - SIDE / 2, x - SIDE / 2, _FALL_OFF)
            top, left = top % (SIDE - side), left % (SIDE - side)
            patch = stains[i] * texture[top : top + side, left : left + side]
            patch *= np.float32(bright)
            add_patch(photons, patch, row, column)


@lru_cache(maxsize=1)
def _chromatin() -> NDArray[np.float32]:
    """Return how much of the stain there is, 1 on average; read-only."""
    field: NDArray[np.float32] = 1.0 + np.float32(0.28) * mottle(_MOTTLE_SEED, 1.6)
    field.flags.writeable = False
    return field


def _stains(
    forms: NDArray[np.float64], offsets_yx: NDArray[np.float64], reach: int
) -> NDArray[np.float32]:
    """Draw ellipses with soft edges.

    Parameters
    ----------
    forms : (n, 4)
        Half axes along and across, sine and cosine of the direction.
    offsets_yx : (n, 2)
        Of the centres from the middle pixels.
    reach : int
        The squares have 2 ``reach`` + 1 pixels a side.

    Returns
    -------
    float32 (n, side, side)
        1 inside, 0 outside.
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
    smooth: NDArray[np.float32] = np.multiply(depth, -2.0, out=q)
    smooth += np.float32(3.0)
    smooth *= depth
    smooth *= depth
    return smooth


def _form(world: LineageWorld, index: int, frame: int) -> tuple[float, ...]:
    """Return a nucleus' half axes, sine and cosine of its direction, and brightness.

    Sine and cosine are rounded, so that other mathematical libraries give the same picture.
    """
    cell = world.cells[index]
    along, across, height = _shape(cell, frame)
    angle = _direction(world, cell, frame)
    return along, across, round(math.sin(angle), 6), round(math.cos(angle), 6), height


def _shape(cell: Cell, frame: int) -> tuple[float, float, float]:
    """Return half axes along and across the cell's axis, and brightness.

    Nuclei are round between divisions; before one the chromatin condenses into a bright plate
    across the axis, and sisters begin as two bright plates.
    """
    radius = 15.0 * 0.94**cell.generation
    to_division = cell.last - frame if cell.daughters else 99
    age = frame - cell.birth if cell.parent is not None else 99
    if to_division == 0:
        return 0.48 * radius, 0.92 * radius, 1.75
    if age == 0:
        return 0.42 * radius, 0.72 * radius, 1.6
    grown = min(1.0, 0.62 + 0.13 * age)
    stretch = 1.0 + 0.14 * ((cell.index * 7) % 5 - 2) / 2
    bright = 1.0 + 0.3 * max(0, 3 - age) / 3 + (0.25 if to_division == 1 else 0.0)
    return radius * grown * stretch, radius * grown / stretch, bright


def _direction(world: LineageWorld, cell: Cell, frame: int) -> float:
    """Return the direction of a nucleus: its own axis, or at birth its parent's."""
    own = float(world.axis[cell.index])
    if cell.parent is None or (cell.daughters and cell.last == frame):
        return own
    age = frame - cell.birth
    born = float(world.axis[cell.parent])
    turn = (own - born + math.pi / 2) % math.pi - math.pi / 2
    return born + turn * min(1.0, age / 4)
