"""Ribbons: textured bodies, limbs and wings that follow a spine, drawn by sampling.

A ribbon is a spine, a width on each side of it, and a texture along and across. Its texture's
samples lie closer than the subpixels of a buffer of twice the resolution, so that each is simply
written there; averaging 2 × 2 subpixels gives smooth edges. Everything that moves is worked out for
all frames at once; drawing a frame is a few array operations for each group of like ribbons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.compositing import Picture, compose, darken, halved

Floats = NDArray[np.float32]
LIGHTS = 5
_PER_PX = 3.4  # samples per pixel: subpixels are 1/2, and curved spines stretch the outer side
_SUN = np.array([-0.55, -0.83], dtype=np.float32)  # where the light comes from, (x, y)


@dataclass(frozen=True, eq=False)
class Ribbons:
    """A group of ribbons of one texture size, over all frames.

    Attributes
    ----------
    centre : float32 (frames, ribbons, along, 2)
        Spines, (x, y) in pixels.
    across : float32 (frames, ribbons, along, 2)
        Unit vectors from the spine towards positive offsets.
    offsets : float32 (ribbons or 1, along, wide)
        Distance of each sample from the spine, pixels.
    inks : uint32 (ribbons or 1, LIGHTS, along, wide)
        Colours, four bytes (r, g, b, alpha), multiplied by alpha, for each direction of light.
    light : intp (frames, ribbons, along)
        Which of them is seen.
    """

    centre: Floats
    across: Floats
    offsets: Floats
    inks: NDArray[np.uint32]
    light: NDArray[np.intp]

    @cached_property
    def extents(self) -> Floats:
        """Least x and y, largest x and y of the samples in each frame, (frames, 4)."""
        low, high = self.offsets.min(axis=-1), self.offsets.max(axis=-1)
        least, most = [], []
        for axis in (0, 1):
            centre, across = self.centre[..., axis], self.across[..., axis]
            rims = centre + across * low, centre + across * high
            least.append(np.minimum(*rims).min(axis=(1, 2)))
            most.append(np.maximum(*rims).max(axis=(1, 2)))
        return np.stack([*least, *most], axis=-1)

    @cached_property
    def _columns(self) -> Floats:
        """The offsets sample by sample across, (wide, ribbons × along)."""
        count, along = self.light.shape[1:]
        whole = np.broadcast_to(self.offsets, (count, along, self.offsets.shape[-1]))
        return np.ascontiguousarray(whole.reshape(count * along, -1).T)

    @cached_property
    def _rows(self) -> NDArray[np.intp]:
        """Which rows of all textures are seen, (frames, ribbons × along)."""
        frames, count, along = self.light.shape
        first = np.arange(count)[:, None] * LIGHTS if len(self.inks) > 1 else 0
        rows: NDArray[np.intp] = (self.light + first) * along + np.arange(along)
        return rows.reshape(frames, count * along)

    def subpixels(self, frame: int, left: int, top: int, width: int) -> NDArray[np.intp]:
        """Return the subpixel of each sample, (ribbons × along × wide,).

        Parameters
        ----------
        frame : int
            Which frame.
        left, top, width : int
            Of the buffer, in pixels.
        """
        x, y = ((self.centre[frame] - (left, top)) * 2).astype(np.float32).reshape(-1, 2).T
        u, v = (self.across[frame] * 2).reshape(-1, 2).T
        at = _along_lines(y, v, self._columns)
        at *= 2 * width
        at += _along_lines(x, u, self._columns)
        return at.T.astype(np.intp, order="C").ravel()

    def colours(self, frame: int) -> NDArray[np.uint32]:
        """Return the colour of each sample, (ribbons × along × wide,)."""
        textures = self.inks.reshape(-1, self.inks.shape[-1])
        seen: NDArray[np.uint32] = textures.take(self._rows[frame], axis=0).ravel()
        return seen


def _along_lines(start: Floats, step: Floats, offsets: Floats) -> NDArray[np.int32]:
    at = offsets * step
    at += start
    return at.astype(np.int32)


def samples(length_px: float) -> int:
    """Return how many samples cover a length without holes."""
    return max(4, int(np.ceil(length_px * _PER_PX)))


@lru_cache(maxsize=256)
def _weights(n: int, along: int, smooth: bool) -> tuple[Floats, Floats]:
    """Return the matrices from n control points to positions and tangents along a curve."""
    t = np.linspace(0.0, n - 1, along)
    k = np.minimum(t.astype(np.int64), n - 2)
    f = t - k
    if smooth:
        at = (
            -f + 2 * f**2 - f**3,
            2 - 5 * f**2 + 3 * f**3,
            f + 4 * f**2 - 3 * f**3,
            -(f**2) + f**3,
        )
        by = (-1 + 4 * f - 3 * f**2, -10 * f + 9 * f**2, 1 + 8 * f - 9 * f**2, -2 * f + 3 * f**2)
        position, tangent = [a / 2 for a in at], [b / 2 for b in by]
    else:
        one = np.ones_like(f)
        position, tangent = [0 * one, 1 - f, f, 0 * one], [0 * one, -one, one, 0 * one]
    out = []
    rows = np.arange(along)
    for parts in (position, tangent):
        matrix = np.zeros((along, n + 2))
        for j, part in enumerate(parts):
            np.add.at(matrix, (rows, k + j), part)
        # Beyond its ends a curve goes on straight: p(-1) = 2 p(0) - p(1).
        matrix[:, 1] += 2 * matrix[:, 0]
        matrix[:, 2] -= matrix[:, 0]
        matrix[:, n] += 2 * matrix[:, n + 1]
        matrix[:, n - 1] -= matrix[:, n + 1]
        out.append(matrix[:, 1 : n + 1].astype(np.float32))
    return out[0], out[1]


def curve(points: NDArray[np.floating], along: int, smooth: bool = True) -> tuple[Floats, Floats]:
    """Return points and unit tangents along curves through control points.

    Parameters
    ----------
    points : float (..., n, 2)
        Control points, evenly spaced in the curve's parameter.
    along : int
        How many points are wanted.
    smooth : bool
        A Catmull-Rom spline; straight pieces otherwise.

    Returns
    -------
    float32 (..., along, 2), float32 (..., along, 2)
    """
    position, tangent = _weights(points.shape[-2], along, smooth)
    points = np.asarray(points, dtype=np.float32)
    directions = tangent @ points
    lengths = np.sqrt((directions**2).sum(axis=-1, keepdims=True))
    return position @ points, directions / np.maximum(lengths, np.float32(1e-6))


def left_of(directions: Floats) -> Floats:
    """Return unit vectors a quarter turn from directions, (x, y) to (y, -x)."""
    return np.stack([directions[..., 1], -directions[..., 0]], axis=-1)


def ribbons(
    points: NDArray[np.floating],
    offsets: NDArray[np.floating],
    inks: NDArray[np.uint32],
    *,
    smooth: bool = True,
    across: NDArray[np.floating] | None = None,
) -> Ribbons:
    """Lay textures along curves.

    Parameters
    ----------
    points : float (frames, ribbons, n, 2)
        Control points of the spines.
    offsets : float (ribbons, along, wide) or (along, wide)
        Distance of each sample from the spine, pixels.
    inks : uint32 (ribbons, LIGHTS, along, wide) or (LIGHTS, along, wide)
        From :func:`inks`.
    smooth : bool
        Whether the spines bend smoothly.
    across : float (frames, ribbons, along, 2), optional
        Where positive offsets lie; a quarter turn from the spine otherwise.
    """
    offsets = offsets[None] if offsets.ndim == 2 else offsets
    inks = inks[None] if inks.ndim == 3 else inks
    centre, directions = curve(points, offsets.shape[1], smooth)
    side = left_of(directions) if across is None else np.asarray(across, dtype=np.float32)
    light = ((side @ _SUN + 1) * (LIGHTS / 2)).astype(np.intp).clip(0, LIGHTS - 1)
    return Ribbons(centre, side, np.asarray(offsets, dtype=np.float32), inks, light)


def inks(
    rgb: NDArray[np.floating],
    alpha: float | NDArray[np.floating] = 1.0,
    *,
    round_: float = 0.45,
    lit: float = 0.3,
) -> NDArray[np.uint32]:
    """Shade a texture as a body lit from each direction.

    Parameters
    ----------
    rgb : float (along, wide, 3)
        Colours, 0 to 255.
    alpha : float or float (along, wide)
        Opacity, 0 to 1.
    round_ : float
        How much darker the edges are.
    lit : float
        How much brighter the side towards the light, and darker the other.

    Returns
    -------
    uint32 (LIGHTS, along, wide)
    """
    wide = rgb.shape[1]
    v = np.linspace(-1, 1, wide, dtype=np.float32)
    towards = np.linspace(-1, 1, LIGHTS, dtype=np.float32)[:, None]
    shade = (1 - np.float32(round_) * v**2 + np.float32(lit) * towards * v)[:, None]
    out = np.empty((LIGHTS, *rgb.shape[:2], 4), dtype=np.uint8)
    cover = np.broadcast_to(np.asarray(alpha, dtype=np.float32), rgb.shape[:2])
    whole = bool((cover == 1).all())
    for channel in range(3):  # much faster than all at once, because of the broadcasting
        colours = rgb[..., channel].astype(np.float32) * shade
        np.clip(colours, 0, 255, out=colours)
        out[..., channel] = colours if whole else colours * cover
    out[..., 3] = cover * 255
    return out.view(np.uint32)[..., 0]


def width_profile(
    knots: Sequence[tuple[float, float]], along: int, wide: int, other: float = 1.0
) -> Floats:
    """Return offsets of a ribbon whose half width runs through (position 0 to 1, px) knots.

    Parameters
    ----------
    knots : sequence of (float, float)
        Position along and half width.
    along, wide : int
        Samples of the texture.
    other : float
        Width of the negative side as a share of that of the positive one.
    """
    at, width = np.array(knots, dtype=np.float32).T
    half = np.interp(np.linspace(0, 1, along), at, width)
    v = np.linspace(-1, 1, wide)
    return np.asarray(half[:, None] * np.where(v < 0, v * other, v), dtype=np.float32)


def oval(along: int, wide: int, half_px: float, blunt: float = 2.0) -> Floats:
    """Return offsets of an oval along its whole spine; larger ``blunt`` is more of a box."""
    u = np.linspace(-1, 1, along)
    half = half_px * np.maximum(0.0, 1 - np.abs(u) ** blunt) ** (1 / blunt)
    return np.asarray(half[:, None] * np.linspace(-1, 1, wide), dtype=np.float32)


def paint(
    picture: Picture, groups: Sequence[Ribbons], frame: int, shadow: tuple[int, int, float] | None
) -> None:
    """Draw groups of ribbons as one layer onto an RGB picture, later ones over earlier ones.

    Parameters
    ----------
    picture : uint8 (h, w, 3)
        Changed in place.
    groups : sequence of Ribbons
        The layer.
    frame : int
        Which frame of them.
    shadow : tuple of (int, int, float), optional
        Where its shadow falls, (dx, dy), and how dark it is.
    """
    extents = np.stack([group.extents[frame] for group in groups])
    left, top = (int(c) - 2 for c in np.floor(extents[:, :2].min(axis=0)))
    right, bottom = (int(c) + 3 for c in np.floor(extents[:, 2:].max(axis=0)))
    width, height = right - left, bottom - top
    fine = np.zeros(4 * height * width, dtype=np.uint32)
    for group in groups:
        fine[group.subpixels(frame, left, top, width)] = group.colours(frame)
    layer = halved(fine, height, width)
    if shadow is not None:
        darken(picture, layer[..., 3], left + shadow[0], top + shadow[1], shadow[2])
    compose(picture, layer, left, top)
