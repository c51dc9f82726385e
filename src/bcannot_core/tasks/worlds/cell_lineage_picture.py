"""Pictures of dividing cells: nuclei with a fluorescent stain, seen through a microscope."""

import math

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

_MOST = 24
_AT = np.arange(-_MOST, _MOST + 1, dtype=np.float32)
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
        for index in world.alive(frame):
            self._add_nucleus(photons, world.cells[index], frame)
        for i, (y, x) in enumerate(world.debris_yx.tolist()):
            add_spot(photons, (y, x), 1.8 + 0.5 * (i % 3), 0.45 * _NUCLEUS * config.contrast)
        rng = np.random.default_rng((world.noise_seed, frame))
        return grey(expose(photons, rng, config.noise), 1.95, 0.0)

    def _add_nucleus(self, photons: Photons, cell: Cell, frame: int) -> None:
        world = self._world
        y, x = world.yx[frame, cell.index].tolist()
        row, column = round(y), round(x)
        along, across, height = _shape(cell, frame)
        angle = _direction(world, cell, frame)
        # Rounded, so that other mathematical libraries give the same picture.
        sin, cos = round(math.sin(angle), 6), round(math.cos(angle), 6)
        reach = int(max(along, across) + _EDGE_PX) + 1
        at = _AT[_MOST - reach : _MOST + reach + 1]
        v = (at - np.float32(y - row))[:, None]
        u = (at - np.float32(x - column))[None, :]
        p = (u * np.float32(cos) + v * np.float32(sin)) / np.float32(along)
        q = (v * np.float32(cos) - u * np.float32(sin)) / np.float32(across)
        depth = 1.0 - np.sqrt(p * p + q * q)
        depth *= np.float32(min(along, across) / (2 * _EDGE_PX))
        depth += np.float32(0.5)
        np.clip(depth, 0.0, 1.0, out=depth)
        stain = depth * depth * (3.0 - 2.0 * depth)
        top, left = world.texture[cell.index].tolist()
        stain *= 1.0 + np.float32(0.28) * _mottled(top, left, 2 * reach + 1)
        bright = _NUCLEUS * self._config.contrast * height * float(world.brightness[cell.index])
        bright *= illumination(y - SIDE / 2, x - SIDE / 2, _FALL_OFF)
        add_patch(photons, (stain * np.float32(bright)).astype(np.float32), row, column)


def _mottled(top: int, left: int, side: int) -> NDArray[np.float32]:
    top, left = top % (SIDE - side), left % (SIDE - side)
    return mottle(_MOTTLE_SEED, 1.6)[top : top + side, left : left + side]


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
