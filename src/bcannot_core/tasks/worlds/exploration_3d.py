"""Objects of five spheres, and their pictures from any side.

Every object has five spheres of one colour, so that neither their number nor their look gives it
away. It is first seen along a direction from which an object of another kind, its *twin*, has the
same projection: a square pyramid from above is a plus. Projection is parallel, except for a
little perspective, and the light comes from the upper left.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen.themes import Colour

Choice = TypeVar("Choice")
Vector = tuple[float, float, float]
Rotation = tuple[Vector, Vector, Vector]
"""Rows of a rotation matrix; x points right, y down, z at the viewer."""

SIDE = 256
SPHERES = 5
_NEAR = 0.08
_DARKEST = 15
_LIGHT = (-0.46, -0.58, 0.67)
_HALFWAY = (-0.252, -0.317, 0.914)
_SUB = 4
_T = math.sqrt(1 / 3)
_R3 = math.sqrt(3) / 2
_C72, _S72 = (math.sqrt(5) - 1) / 4, math.sqrt(10 + 2 * math.sqrt(5)) / 4
_C144, _S144 = (math.sqrt(5) + 1) / 4, math.sqrt(10 - 2 * math.sqrt(5)) / 4

SHAPES: Mapping[str, tuple[Vector, ...]] = {
    "line": ((-1, 0, 0), (-0.5, 0, 0), (0, 0, 0), (0.5, 0, 0), (1, 0, 0)),
    "plus": ((0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)),
    "pentagon": ((0, -1, 0), (_S72, -_C72, 0), (-_S72, -_C72, 0), (_S144, _C144, 0),
                 (-_S144, _C144, 0)),
    "zigzag": ((-1, 0, 0), (-0.5, 0.5, 0), (0, 0, 0), (0.5, -0.5, 0), (1, 0, 0)),
    "methane": ((0, 0, 0), (_T, _T, _T), (_T, -_T, -_T), (-_T, _T, -_T), (-_T, -_T, _T)),
    "square_pyramid": ((0, 0, 0.8), (0.9, 0, -0.2), (-0.9, 0, -0.2), (0, 0.9, -0.2),
                       (0, -0.9, -0.2)),
    "bipyramid": ((0, 0, 0.95), (0, 0, -0.95), (1, 0, 0), (-0.5, _R3, 0), (-0.5, -_R3, 0)),
    "helix": ((-1, 0, 0.5), (-0.5, 0.5, 0), (0, 0, -0.5), (0.5, -0.5, 0), (1, 0, 0.5)),
}  # fmt: skip
"""Centres of the spheres of each kind; the first four kinds are planar."""

PLANAR = ("line", "plus", "pentagon", "zigzag")

SIGHTS: Mapping[str, tuple[tuple[Vector, str], ...]] = {
    "line": (((0, 0, 1), "zigzag"), ((0, 0, 1), "pentagon")),
    "plus": (((0, 0, 1), "square_pyramid"), ((0, 0, 1), "methane")),
    "pentagon": (((0, 1, 0), "line"),),
    "zigzag": (((0, 1, 0), "line"), ((0, 0, 1), "helix")),
    "methane": (((0, 0, 1), "plus"), ((_T, _T, _T), "bipyramid")),
    "square_pyramid": (((0, 0, 1), "plus"), ((0, 0, -1), "methane")),
    "bipyramid": (((0, 0, 1), "methane"),),
    "helix": (((0, 0, 1), "zigzag"),),
}
"""Directions towards the viewer from which a kind looks like its twin."""

COLOURS: tuple[Colour, ...] = (
    (86, 156, 214),
    (214, 122, 86),
    (110, 184, 108),
    (196, 168, 74),
    (170, 122, 204),
    (84, 186, 182),
    (204, 104, 140),
    (168, 172, 180),
)


@dataclass(frozen=True, eq=False)
class ObjectWorld:
    """An object and how it is first seen.

    Attributes
    ----------
    shape, twin : str
        Its kind, a key of ``SHAPES``; the kind that it looks like at first.
    spheres : tuple of tuple of float
        Centres (x, y, z), in units of ``scale``.
    orientation : Rotation
        The first view: object to viewer.
    scale, radius : float
        Canvas pixels of a unit; radius of a sphere in canvas pixels.
    colour : tuple of int
        Of the spheres.
    backdrop : uint8 (256, 256, 3)
        What is behind them.
    """

    shape: str
    twin: str
    spheres: tuple[Vector, ...]
    orientation: Rotation
    scale: float
    radius: float
    colour: Colour
    backdrop: NDArray[np.uint8]

    def seen(self, orientation: Rotation) -> list[Vector]:
        """Return the centres as seen: canvas pixels (x, y), and z towards the viewer in units."""
        half = SIDE / 2
        out = []
        for sphere in self.spheres:
            x, y, z = turned(orientation, sphere)
            scale = self.scale * (1 + _NEAR * z)
            out.append((half + scale * x, half + scale * y, z))
        return out


def turned(rotation: Rotation, vector: Vector) -> Vector:
    """Return a vector turned by a rotation."""
    x, y, z = vector
    a, b, c = rotation
    return (
        a[0] * x + a[1] * y + a[2] * z,
        b[0] * x + b[1] * y + b[2] * z,
        c[0] * x + c[1] * y + c[2] * z,
    )


def compose(second: Rotation, first: Rotation) -> Rotation:
    """Return the rotation that does ``first``, then ``second``."""
    columns = [turned(second, column) for column in zip(*first, strict=True)]
    x, y, z = zip(*columns, strict=True)
    return x, y, z


def about(axis: str, degrees: float) -> Rotation:
    """Return a rotation about the viewer's ``"x"``, ``"y"`` or ``"z"`` axis.

    About y, the near side goes to the right; about x, it goes down; about z, clockwise.
    """
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if axis == "y":
        return (c, 0, s), (0, 1, 0), (-s, 0, c)
    if axis == "x":
        return (1, 0, 0), (0, c, s), (0, -s, c)
    return (c, -s, 0), (s, c, 0), (0, 0, 1)


def facing(sight: Vector) -> Rotation:
    """Return a rotation that turns a unit vector towards the viewer."""
    helper: Vector = (1, 0, 0) if abs(sight[0]) < 0.9 else (0, 1, 0)
    right = _unit(_cross(helper, sight))
    return right, _cross(sight, right), sight


def _cross(a: Vector, b: Vector) -> Vector:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def _unit(a: Vector) -> Vector:
    size = math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])
    return a[0] / size, a[1] / size, a[2] / size


def sample_object(
    rng: np.random.Generator, view_jitter: float, deformation: float, noise: float, contrast: float
) -> ObjectWorld:
    """Draw an object, its look and its first view.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all randomness.
    view_jitter : float
        Standard deviation of the first view about the ambiguous one, degrees.
    deformation : float
        Standard deviation of the centres about the ideal ones, in units.
    noise : float
        Standard deviation of the backdrop's noise, in grey values of 0 to 1.
    contrast : float
        Brightness of the spheres, 0 to 1.
    """
    u = rng.random(8).tolist()
    normals = rng.standard_normal(2 + 3 * SPHERES).tolist()
    shape = _pick(tuple(SHAPES), u[0])
    sight, twin = _pick(SIGHTS[shape], u[1])
    tilts = [max(-2.0, min(2.0, n)) * view_jitter for n in normals[:2]]
    view = compose(about("z", 360 * u[2]), facing(sight))
    view = compose(about("y", tilts[1]), compose(about("x", tilts[0]), view))
    shifts = [max(-2.0, min(2.0, n)) * deformation for n in normals[2:]]
    spheres = tuple(
        (x + shifts[3 * i], y + shifts[3 * i + 1], z + shifts[3 * i + 2])
        for i, (x, y, z) in enumerate(SHAPES[shape])
    )
    r, g, b = _pick(COLOURS, u[5])
    colour = (int(r * contrast), int(g * contrast), int(b * contrast))
    scale = 74 + 18 * u[3]
    radius = scale * (0.17 + 0.05 * u[4])
    backdrop = _backdrop(int(u[6] * 4), noise, rng)
    return ObjectWorld(shape, twin, spheres, view, scale, radius, colour, backdrop)


def _pick(options: tuple[Choice, ...], share: float) -> Choice:
    return options[min(int(share * len(options)), len(options) - 1)]


@lru_cache(maxsize=8)
def _vignette(tone: int) -> NDArray[np.uint8]:
    """Return a dark backdrop, lighter in the middle, uint8 (256, 256, 3)."""
    at = (np.arange(SIDE) - SIDE / 2 + 0.5) / (SIDE / 2)
    fall = 1 - 0.27 * (at[:, None] ** 2 + at[None, :] ** 2)
    base = np.array(((38, 41, 50), (44, 42, 40), (36, 44, 44), (42, 40, 48))[tone])
    return (base * fall[..., None] + 0.5).astype(np.uint8)


@lru_cache(maxsize=4)
def _noise(sd: float) -> NDArray[np.uint8]:
    """Return a large patch of noise of grey values, kept small enough for the darkest backdrop.

    Negative values are wrapped around: added to a uint8 picture, they darken it.
    """
    grain = np.random.default_rng(31).standard_normal((2 * SIDE, 2 * SIDE, 1), dtype=np.float32)
    grey = np.clip(np.rint(grain * np.float32(255 * sd)), -_DARKEST, 127).astype(np.int8)
    return np.repeat(grey.view(np.uint8), 3, axis=2)


def _backdrop(tone: int, noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    y, x = rng.integers(0, SIDE, 2).tolist()
    out = _vignette(tone) + _noise(noise)[y : y + SIDE, x : x + SIDE]
    out.flags.writeable = False
    return out


def draw(world: ObjectWorld, orientation: Rotation) -> NDArray[np.uint8]:
    """Return the object's picture, uint8 (256, 256, 3), read-only; near spheres hide far ones."""
    picture = world.backdrop.copy()
    for x, y, z in sorted(world.seen(orientation), key=_depth):
        reach = max(3, int(world.radius * (1 + _NEAR * z) + 0.5))
        light, keep = _sphere(reach, world.colour)
        left, top = int(x + 0.5) - reach, int(y + 0.5) - reach
        part = picture[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
        mixed = part * keep
        mixed += light
        mixed >>= 8
        part[:] = mixed
    picture.flags.writeable = False
    return picture


def _depth(seen: Vector) -> float:
    return seen[2]


@lru_cache(maxsize=512)
def _sphere(radius: int, colour: Colour) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Return a shaded sphere: its light in 256ths, and what it lets through of 256."""
    fine = (np.arange((2 * radius + 1) * _SUB) + 0.5) / _SUB - radius - 0.5
    inside = fine[:, None] ** 2 + fine[None, :] ** 2 <= radius**2
    side = 2 * radius + 1
    cover = inside.reshape(side, _SUB, side, _SUB).sum(axis=(1, 3)) * (256 // _SUB**2)
    y, x = np.meshgrid(*[np.arange(-radius, radius + 1) / (radius + 0.5)] * 2, indexing="ij")
    z = np.sqrt(np.maximum(0.0, 1 - x * x - y * y))
    lambert = np.maximum(0.0, _LIGHT[0] * x + _LIGHT[1] * y + _LIGHT[2] * z)
    shine = np.maximum(0.0, _HALFWAY[0] * x + _HALFWAY[1] * y + _HALFWAY[2] * z)
    for _ in range(5):
        shine = shine * shine
    shade = (0.22 + 0.9 * lambert) * (0.55 + 0.45 * z)
    lit = np.minimum(255.0, shade[..., None] * np.array(colour) + 110 * shine[..., None])
    light = (np.rint(lit) * cover[..., None]).astype(np.uint16)
    keep = np.repeat((256 - cover[..., None]).astype(np.uint16), 3, axis=2)
    return light, keep
