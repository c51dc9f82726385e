"""Smooth warps between the two channels of an alignment.

Products of matrices are made of whole numbers that float64 holds exactly, so that the order in
which a library sums them does not matter: the same seed gives the same warp on any machine.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE = 256
_SPACING = 64
_CONTROLS = SIDE // _SPACING + 3
_WEIGHT = 4096
_STEP = 64
_UNIT = _WEIGHT * _WEIGHT * _STEP
_ITERATIONS = 30

Points = NDArray[np.float64]
"""Points (n, 2), canvas pixels (x, y)."""


@dataclass(frozen=True, eq=False)
class Warp:
    """Where each point of channel B lies in channel A: a similarity and a cubic spline.

    Attributes
    ----------
    matrix : float64 (2, 2)
        Rotation and scale about the canvas's centre.
    shift : float64 (2,)
        Translation (x, y), canvas pixels.
    controls : float64 (2, 7, 7)
        Displacements (x, y) at the spline's control points, multiples of 1/64 px.
    """

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    controls: NDArray[np.float64]

    def to_a(self, points_b: Points) -> Points:
        """Return where points of channel B lie in channel A."""
        points = np.asarray(points_b, dtype=np.float64).reshape(-1, 2)
        centred = points - SIDE / 2
        across, down = _weights(points[:, 0]), _weights(points[:, 1])
        bent = np.einsum("nr,crk,nk->nc", down, self.controls, across)
        turned = np.stack([(centred * row).sum(axis=1) for row in self.matrix], axis=1)
        return np.asarray(turned + self.shift + SIDE / 2 + bent)

    def to_b(self, points_a: Points, most_off: float = 0.005) -> Points:
        """Return where points of channel A lie in channel B, by iteration.

        ``most_off`` px off in channel A, they are good enough.
        """
        wanted = np.asarray(points_a, dtype=np.float64).reshape(-1, 2)
        guess = wanted.copy()
        for _ in range(_ITERATIONS):
            miss = wanted - self.to_a(guess)
            guess += miss
            if not miss.size or np.abs(miss).max() < most_off:
                break
        return guess

    def point_to_a(self, x: float, y: float) -> tuple[float, float]:
        """Return where one point of channel B lies in channel A; the quick way for few points."""
        (a, b), (c, d) = self._plain[0]
        shift_x, shift_y = self._plain[1]
        over, down = x - SIDE / 2, y - SIDE / 2
        left, across = _point_weights(x)
        top, along = _point_weights(y)
        bent_x = bent_y = 0.0
        for r, weight in enumerate(along, top):
            row_x, row_y = self._plain[2][0][r], self._plain[2][1][r]
            for k, share in enumerate(across, left):
                bent_x += weight * share * row_x[k]
                bent_y += weight * share * row_y[k]
        return (
            a * over + b * down + shift_x + SIDE / 2 + bent_x,
            c * over + d * down + shift_y + SIDE / 2 + bent_y,
        )

    def point_to_b(self, x: float, y: float) -> tuple[float, float]:
        """Return where one point of channel A lies in channel B, to 0.02 px."""
        u, v = x, y
        for _ in range(_ITERATIONS):
            seen_x, seen_y = self.point_to_a(u, v)
            u, v = u + x - seen_x, v + y - seen_y
            if abs(x - seen_x) + abs(y - seen_y) < 0.02:
                break
        return u, v

    @cached_property
    def _plain(self) -> tuple[list[list[float]], list[float], list[list[list[float]]]]:
        return self.matrix.tolist(), self.shift.tolist(), self.controls.tolist()

    def grid(self, per_px: int = 1, margin: int = 0) -> list[NDArray[np.float64]]:
        """Return where each pixel of channel B lies in channel A.

        Parameters
        ----------
        per_px : int
            How many units of the result make a pixel: a power of two.
        margin : int
            Pixels that the coordinates begin before the canvas.

        Returns
        -------
        list of float64 (256, 256)
            x and y.
        """
        basis = _affine_basis()
        out = []
        for (across, down), shift, controls in zip(
            self.matrix, self.shift, self.controls, strict=True
        ):
            whole = np.zeros((_CONTROLS + 2, _CONTROLS + 2))
            whole[:_CONTROLS, :_CONTROLS] = controls * _STEP
            whole[-2:, -2:] = [[(shift + SIDE / 2 + margin) * _UNIT, across * _UNIT],
                               [down * _UNIT, 0.0]]  # fmt: skip
            out.append(basis @ (np.rint(whole) * (per_px / _UNIT)) @ basis.T)
        return out


def sample_warp(
    rng: np.random.Generator, warp_px: float, rotation_deg: float, shift_px: float
) -> Warp:
    """Draw a warp.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all randomness.
    warp_px : float
        Largest displacement of a control point of the spline.
    rotation_deg : float
        Largest rotation; the scale varies by as many hundredths.
    shift_px : float
        Largest translation along each axis.
    """
    u = (2 * rng.random(4) - 1).tolist()
    angle = math.radians(rotation_deg * u[0])
    scale = 1 + 0.01 * rotation_deg * u[1]
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    controls = np.rint((2 * rng.random((2, _CONTROLS, _CONTROLS)) - 1) * (warp_px * _STEP)) / _STEP
    shift = np.array([shift_px * u[2], shift_px * u[3]])
    return Warp(np.array([[c, -s], [s, c]]), shift, controls)


@lru_cache(maxsize=1)
def _basis() -> NDArray[np.float64]:
    """Return the weights of the control points for each pixel, in 4096ths, (256, 7)."""
    weights = np.rint(_weights(np.arange(SIDE, dtype=np.float64)) * _WEIGHT)
    weights.flags.writeable = False
    return weights


@lru_cache(maxsize=1)
def _affine_basis() -> NDArray[np.float64]:
    """Return the same with a column of ones and one of distances from the centre, (256, 9)."""
    at = np.arange(SIDE) - SIDE / 2
    return np.column_stack([_basis(), np.ones(SIDE), at])


def _weights(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic B-spline's weights of the control points at coordinates, (n, 7)."""
    u = np.clip(at / _SPACING, 0.0, _CONTROLS - 3 - 1e-9)[:, None] + 1
    distance = np.abs(u - np.arange(_CONTROLS))
    far = np.maximum(0.0, 2 - distance)
    near = np.maximum(0.0, 1 - distance)
    return np.asarray((far * far * far - 4 * near * near * near) / 6)


def _point_weights(at: float) -> tuple[int, tuple[float, float, float, float]]:
    """Return the first of four control points about a coordinate, and their weights."""
    u = min(max(at / _SPACING, 0.0), _CONTROLS - 3 - 1e-9)
    first = int(u)
    t = u - first
    s = 1 - t
    return first, (
        s * s * s / 6,
        (4 - 6 * t * t + 3 * t * t * t) / 6,
        (4 - 6 * s * s + 3 * s * s * s) / 6,
        t * t * t / 6,
    )


def sample_warped(picture: NDArray[np.uint8], warp: Warp, margin: int) -> NDArray[np.uint8]:
    """Return channel B: a scene seen through a warp, bilinear, in whole numbers.

    Parameters
    ----------
    picture : uint8 (h, w)
        The scene; its pixel (margin, margin) is the canvas pixel (0, 0) of channel A.
    warp : Warp
        Where channel B's pixels lie.
    margin : int
        What the scene has beyond the canvas.
    """
    height, width = picture.shape
    column, row = (at.astype(np.int32) for at in warp.grid(16, margin))
    np.clip(column, 0, 16 * (width - 1) - 1, out=column)
    np.clip(row, 0, 16 * (height - 1) - 1, out=row)
    right, down = (column & 15).astype(np.uint16), (row & 15).astype(np.uint16)
    at = (row >> 4) * width + (column >> 4)
    flat = picture.reshape(-1)
    pairs = flat.astype(np.uint16)  # of a pixel and its right neighbour, looked up together
    pairs[:-1] |= pairs[1:] << 8
    left, up = 16 - right, 16 - down
    above, below = pairs.take(at), pairs.take(at + width)
    above = left * (above & 255) + right * (above >> 8)
    below = left * (below & 255) + right * (below >> 8)
    return np.asarray((up * above + down * below + 128) >> 8).astype(np.uint8)
