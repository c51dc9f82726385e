"""Worlds of cell lineage tracking: how a clone of cells divides, moves, and is born.

Cells live on a plane. Each divides after a cycle of its own until the clone has the number asked
for; sisters lie side by side when they appear, then grow and push each other and all others apart.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.screen import get_variant
from bcannot_core.tasks.base import check_range
from bcannot_core.tasks.worlds.fluorescence import SIDE, quantised

_BORDER = 24.0
_NEWBORN = 7.0  # from the division's centre to each sister
_LEAST_LIFE = 2  # frames from birth to division
_ROUNDS = 4
_PUSH = 0.25
_LEAST_APART = 13.5
_MOST_ROUNDS = 40
_GROWTH = 0.18
_TRIES = 10  # places for each fragment

Places = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class CellLineageConfig:
    """How hard the cells are to follow, and how they are shown.

    Parameters
    ----------
    cells : int
        Cells in the last frame, 2 to 16; all come from one.
    frames : int
        Frames of the recording, 4 to 40; two for each generation and two more.
    noise : float
        Factor on the photon noise, 0 to 4.
    contrast : float
        Factor on the brightness of nuclei above the background, 0.3 to 2.
    crowding : float
        How close cells stay, 0 to 1.
    motion : float
        Random movement, pixels a frame, 0 to 4.
    debris : int
        Dead fragments that only look like small cells, 0 to 12.
    variant : str
        Interface variant.

    Raises
    ------
    UsageError
        A value is out of range.
    """

    cells: int = 13
    frames: int = 16
    noise: float = 1.0
    contrast: float = 1.0
    crowding: float = 0.5
    motion: float = 1.2
    debris: int = 3
    variant: str = "original"

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        check_range("cells", self.cells, 2, 16)
        check_range("frames", self.frames, 4, 40)
        check_range("noise", self.noise, 0.0, 4.0)
        check_range("contrast", self.contrast, 0.3, 2.0)
        check_range("crowding", self.crowding, 0.0, 1.0)
        check_range("motion", self.motion, 0.0, 4.0)
        check_range("debris", self.debris, 0, 12)
        need = 2 + _LEAST_LIFE * math.ceil(math.log2(self.cells))
        if self.frames < need:
            raise UsageError(
                f"frames is {self.frames}: give at least {need} for {self.cells} cells"
            )
        get_variant(self.variant)
        for name in ("cells", "frames", "debris"):
            object.__setattr__(self, name, int(getattr(self, name)))  # 13.0 is a whole number, too


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell, from its birth to its division or the end.

    Attributes
    ----------
    index, parent : int
        Its number, in the order of birth, and its parent's (None for the root).
    birth, last : int
        The first and the last frame that show it.
    generation : int
        Divisions since the root.
    daughters : tuple of int
        Two numbers, or none.
    """

    index: int
    parent: int | None
    birth: int
    last: int
    generation: int
    daughters: tuple[int, ...] = ()


@dataclass(frozen=True)
class LineageWorld:
    """A clone of cells over frames.

    Attributes
    ----------
    cells : tuple of Cell
        All cells there ever were.
    yx : float64 (frames, cells, 2)
        Where they are, canvas pixels (y, x); NaN where a cell does not exist.
    axis : float64 (cells,)
        Along which a cell divides, radians.
    brightness : float64 (cells,)
        Relative brightness.
    debris_yx : float64 (n, 2)
        Where the fragments lie.
    texture : int64 (cells, 2)
        Where each nucleus' texture begins.
    noise_seed : int
        Of the pictures' noise.
    """

    cells: tuple[Cell, ...]
    yx: NDArray[np.float64] = field(repr=False)
    axis: NDArray[np.float64] = field(repr=False)
    brightness: NDArray[np.float64] = field(repr=False)
    debris_yx: NDArray[np.float64] = field(repr=False)
    texture: NDArray[np.int64] = field(repr=False)
    noise_seed: int

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return int(self.yx.shape[0])

    @property
    def divisions(self) -> tuple[Cell, ...]:
        """The cells that divide, in the order of their divisions."""
        parents = [cell for cell in self.cells if cell.daughters]
        return tuple(sorted(parents, key=lambda cell: (cell.last, cell.index)))

    def alive(self, frame: int) -> list[int]:
        """Return the cells that a frame shows."""
        return [cell.index for cell in self.cells if cell.birth <= frame <= cell.last]


def sample_world(rng: np.random.Generator, config: CellLineageConfig) -> LineageWorld:
    """Draw a world; the same generator and configuration give the same world."""
    cells = _family(rng, config)
    axis = np.round(rng.uniform(0, math.pi, len(cells)), 4)
    yx = _paths(rng, config, cells, axis)
    brightness = rng.normal(1.0, 0.14, len(cells)).clip(0.7, 1.35).round(3).astype(np.float64)
    texture = rng.integers(0, SIDE, (len(cells), 2))
    debris = _debris(rng, config.debris, yx)
    return LineageWorld(cells, yx, axis, brightness, debris, texture, int(rng.integers(1 << 32)))


def _family(rng: np.random.Generator, config: CellLineageConfig) -> tuple[Cell, ...]:
    """Draw who divides when: cell cycles of unequal length, stretched to the recording.

    The i-th division makes the cells 2 i + 1 and 2 i + 2.
    """
    deepest = (config.frames - 2) // _LEAST_LIFE
    cycles = rng.normal(1.0, 0.2, 2 * config.cells + 1).clip(0.6, 1.5)
    waiting = [(float(cycles[0]), 0, 0)]
    times: list[float] = []
    parents: list[int] = []
    while len(parents) < config.cells - 1:
        time, who, generation = heapq.heappop(waiting)
        times.append(time)
        parents.append(who)
        if generation + 1 < deepest:
            for child in (2 * len(parents) - 1, 2 * len(parents)):
                later = time + float(cycles[child])
                heapq.heappush(waiting, (later, child, generation + 1))
    return _cells(parents, _frames_of(parents, times, config.frames - 2), config.frames)


def _frames_of(parents: Sequence[int], times: Sequence[float], last: int) -> list[int]:
    """Turn times of division into frames, every cell seen for long enough before it divides."""
    below = [0] * len(parents)
    for i in range(len(parents) - 1, 0, -1):
        above = (parents[i] - 1) // 2
        below[above] = max(below[above], below[i] + 1)
    frames: list[int] = []
    for who, time, under in zip(parents, times, below, strict=True):
        birth = frames[(who - 1) // 2] if who else 0
        latest = last - _LEAST_LIFE * under
        frames.append(max(birth + _LEAST_LIFE, min(round(time / times[-1] * last), latest)))
    return frames


def _cells(parents: Sequence[int], when: Sequence[int], frames: int) -> tuple[Cell, ...]:
    cells = [Cell(0, None, 0, frames - 1, 0)]
    for who, frame in zip(parents, when, strict=True):
        pair = (len(cells), len(cells) + 1)
        generation = cells[who].generation + 1
        cells[who] = replace(cells[who], last=frame - 1, daughters=pair)
        cells += [Cell(i, who, frame, frames - 1, generation) for i in pair]
    return tuple(cells)


def _paths(
    rng: np.random.Generator,
    config: CellLineageConfig,
    cells: Sequence[Cell],
    axis: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Let the cells be born side by side, wander, and push each other apart.

    Places are complex numbers, y + x i: half the operations of pairs.
    """
    birth = np.array([cell.birth for cell in cells])
    last = np.array([cell.last for cell in cells])
    parent = np.array([cell.parent or 0 for cell in cells])
    step = np.where(np.arange(len(cells)) % 2, _NEWBORN, -_NEWBORN) * 1j
    step = step * np.exp(-1j * axis[parent])  # sine and cosine of the parent's axis
    wander = rng.normal(0.0, config.motion, (config.frames, len(cells), 2)).view(complex)[..., 0]
    at: Places = np.full((config.frames, len(cells)), complex(math.nan, math.nan))
    at[0, 0] = _rounded(SIDE / 2 * (1 + 1j) + complex(*rng.uniform(-20, 20, 2)))
    size = np.minimum(1.0, 0.45 + _GROWTH * (np.arange(config.frames)[:, None] - birth))
    size *= (76.0 - 36.0 * config.crowding) / 2
    for t in range(1, config.frames):
        old = np.flatnonzero((birth < t) & (last >= t))
        places = at[t - 1, old] + wander[t, old]
        own = size[t, old]
        room = own[:, None] + own
        np.fill_diagonal(room, 0.0)
        for _ in range(_ROUNDS):
            places = places + _PUSH * _shoved(places, room) + _held(places)
        born = np.flatnonzero(birth == t)
        sisters = at[t - 1, parent[born]] + step[born]
        alive = np.concatenate([old, born])
        at[t, alive] = _apart(np.concatenate([_clipped(places), sisters]))
    return at[..., None].view(np.float64)


def _rounded(places: Any) -> Any:
    """Round to 16ths, which later arithmetic keeps exact."""
    return np.round(places * 16.0) / 16.0


def _shoved(places: Places, room: NDArray[np.float64]) -> Places:
    """Return where each one is pushed by those that have less room than they want."""
    apart = places[:, None] - places
    overlap = np.maximum(room / (np.abs(apart) + 1e-6) - 1.0, 0.0)
    pushed: Places = (apart * overlap).sum(axis=1)
    return pushed


def _clipped(places: Places, border: float = _BORDER) -> Places:
    both = np.minimum(np.maximum(places.view(np.float64), border), SIDE - border)
    inside: Places = both.view(np.complex128)
    return inside


def _held(places: Places) -> Places:
    """Return how the dish holds the clone together."""
    return 0.1 * (_clipped(places, 2 * _BORDER) - places)


def _apart(places: Places) -> Places:
    """Move cells that came to lie on each other apart; sisters have room at birth."""
    places = _rounded(places)
    room = _LEAST_APART * (1.0 - np.eye(len(places)))
    for _ in range(_MOST_ROUNDS):
        pushed = _shoved(places, room)
        if not pushed.any():
            break
        places = _rounded(_clipped(places + 0.5 * pushed))
    return places


def _debris(rng: np.random.Generator, count: int, yx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lay fragments where no cell ever comes near."""
    tries = rng.uniform(12, SIDE - 12, (_TRIES * max(1, count), 2))
    y, x = yx[~np.isnan(yx[..., 0])].T
    squared = (tries[:, :1] - y) ** 2 + (tries[:, 1:] - x) ** 2
    near = squared.min(axis=1) < 22.0**2
    return quantised(tries[np.argsort(near, kind="stable")][:count])
