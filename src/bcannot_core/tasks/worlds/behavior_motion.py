"""How several animals move in one arena: wandering, keeping clear of walls and of each other."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Places = NDArray[np.complex128]  # x + y i
SUBSTEPS = 3
_TURNS = np.radians([-34.0, -20.0, -9.0, 0.0, 9.0, 20.0, 34.0])
_TURNED = np.exp(1j * _TURNS)
_CLEAR_PX = 9.0
_TRIES = 4


def wander(
    rng: np.random.Generator, count: int, frames: int, length: float, speed: float, reach: float
) -> Points:
    """Return the body axes of animals that wander about.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where all randomness comes from.
    count, frames : int
        How many animals and frames.
    length : float
        Body length, pixels.
    speed : float
        Way per frame, pixels.
    reach : float
        Half the width of the arena, whose middle is the origin.

    Returns
    -------
    float64 (frames, count, knots, 2)
        Body axes from the front to the back, evenly spaced, (x, y) from the arena's middle.
        Different animals keep clear of each other where a few tries allow it.
    """
    best = _axes(_heads(rng, count, frames, length, speed, reach), frames, length)
    clearest = _clearance(best)
    for _ in range(_TRIES):
        if clearest >= _CLEAR_PX:
            break
        axes = _axes(_heads(rng, count, frames, length, speed, reach), frames, length)
        clear = _clearance(axes)
        if clear > clearest:
            best, clearest = axes, clear
    return best


def _heads(
    rng: np.random.Generator, count: int, frames: int, length: float, speed: float, reach: float
) -> Points:
    """Return the ways of the heads, (steps, count, 2), with a straight run before the start."""
    at = _starts(rng, count, reach - 0.3 * length)
    heading = rng.uniform(0, 2 * np.pi, count)
    pace = speed / SUBSTEPS * rng.uniform(0.7, 1.25, count)
    bend = np.minimum(0.5, pace / (0.2 * length))  # no body bends more sharply than that
    whim = rng.normal(0, 0.12, (frames * SUBSTEPS, count))
    rests = rng.random((frames, count)) < 0.12
    here: Places = at.copy().view(np.complex128)[:, 0]
    feelers = np.concatenate([0.5 * length * _TURNED, length * _TURNED])  # where it looks
    way = [here]
    for step in range(frames * SUBSTEPS):
        forward = np.exp(1j * heading)
        spots = here[:, None] + forward[:, None] * feelers
        near = _crowding(spots, here - (0.45 * length) * forward, length) + _walls(spots, reach)
        cost = 0.35 * np.abs(_TURNS - 4 * whim[step][:, None])
        cost += near[:, : len(_TURNS)] + near[:, len(_TURNS) :]
        heading = heading + bend * (_TURNS[cost.argmin(axis=1)] + 0.6 * whim[step])
        moved = np.where(rests[step // SUBSTEPS], 0.15 * pace, pace)
        here = here + np.exp(1j * heading) * moved
        way.append(here)
    return np.stack(way)[..., None].view(np.float64)


def _starts(rng: np.random.Generator, count: int, reach: float) -> Points:
    """Return places spread over the arena, one in each of as many cells of a grid."""
    side = int(np.ceil(np.sqrt(count + 1)))
    cells = rng.permutation(side * side)[:count]
    cell = np.stack([cells % side, cells // side], axis=-1) + 0.5
    return np.asarray((cell + rng.uniform(-0.2, 0.2, (count, 2))) / side * 2 * reach - reach)


def _crowding(spots: Places, middles: Places, length: float) -> NDArray[np.float64]:
    """Return how crowded spots are by the other animals' middles, (count, spots)."""
    apart = spots[:, :, None] - middles
    gap = apart.real**2 + apart.imag**2
    near = np.exp(gap * (-1.0 / (0.7 * length) ** 2))
    own = np.arange(len(middles))
    near[own, :, own] = 0.0
    return np.asarray(4.0 * near.sum(axis=-1))


def _walls(spots: Places, reach: float) -> NDArray[np.float64]:
    over = np.maximum(np.abs(spots.real) - reach, 0.0)
    over += np.maximum(np.abs(spots.imag) - reach, 0.0)
    return np.asarray(over * 0.5)


def _axes(way: Points, frames: int, length: float, knots: int = 9) -> Points:
    """Return body axes that follow the ways of the heads."""
    lead = way[0] - (way[1] - way[0]) / np.maximum(
        np.linalg.norm(way[1] - way[0], axis=-1, keepdims=True), 1e-6
    ) * (1.2 * length)
    way = np.concatenate([lead[None], way])
    along = np.concatenate(
        [np.zeros((1, way.shape[1])), np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=-1), 0)]
    )
    back = np.linspace(0, length, knots)
    out = np.empty((frames, way.shape[1], knots, 2))
    steps = 1 + SUBSTEPS * np.arange(1, frames + 1)
    for animal in range(way.shape[1]):
        at = along[steps, animal][:, None] - back[None]
        for axis in (0, 1):
            out[:, animal, :, axis] = np.interp(at, along[:, animal], way[:, animal, axis])
    return out


def _clearance(axes: Points) -> float:
    """Return the least distance between ends and middles of one animal and of the others."""
    count = axes.shape[1]
    if count < 2:
        return np.inf
    ends = axes[:, :, [0, axes.shape[2] // 2, -1]]
    gaps = np.linalg.norm(ends[:, :, None, :, None] - ends[:, None, :, None, :], axis=-1)
    own = np.arange(count)
    gaps[:, own, own] = np.inf
    return float(gaps.min())
