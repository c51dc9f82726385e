"""Fields of circles, stars, triangles and squares on light paper, and the template to match."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen.themes import Colour

SHAPES = ("circle", "star", "triangle", "square")
FIELD_HW = (300, 256)
PANEL_HW = (96, 96)
TEMPLATE_RADIUS = 32
LEAST_RADIUS = 10
_TURN_STEP = 6
_EDGE = 5
_TRIES = 400
_RIM, _RIM_PX = 0.72, 2.0  # how bright the rim is, and how wide
_SYMMETRY = {"circle": 180, "star": 72, "triangle": 120, "square": 90}
_DARKEST = 24
_INNER = 0.44
_STRETCHES = (1.0, 0.94, 1.06, 0.88, 1.12)

COLOURS: tuple[Colour, ...] = (
    (196, 72, 62),
    (58, 116, 178),
    (64, 142, 88),
    (206, 146, 42),
    (126, 88, 162),
    (52, 146, 150),
    (92, 98, 112),
)
PAPERS: tuple[Colour, ...] = ((224, 220, 210), (214, 220, 226), (222, 224, 216), (226, 218, 220))


@dataclass(frozen=True, slots=True)
class Item:
    """An object of the field.

    Attributes
    ----------
    shape : str
        One of ``SHAPES``.
    x, y, radius : int
        Centre and radius of its circumscribed circle, canvas pixels.
    turn : int
        Degrees clockwise.
    stretch : float
        Width over height.
    colour : tuple of int
        Its colour.
    """

    shape: str
    x: int
    y: int
    radius: int
    turn: int
    stretch: float
    colour: Colour

    def contains(self, x: int, y: int) -> bool:
        """Whether a canvas pixel lies on the object."""
        reach = self.radius + 1
        dx, dy = x - self.x, y - self.y
        if abs(dx) > reach or abs(dy) > reach:
            return False
        mask = shape_mask(self.shape, self.radius, self.turn, self.stretch)
        return bool(mask[dy + reach, dx + reach] >= 128)


@dataclass(frozen=True, eq=False)
class FieldWorld:
    """A field and the shape that is asked for.

    Attributes
    ----------
    template : str
        The shape to match.
    items : tuple of Item
        All objects, in reading order.
    picture : uint8 (300, 256, 3)
        The field.
    panel : uint8 (96, 96, 3)
        The template's picture.
    """

    template: str
    items: tuple[Item, ...]
    picture: NDArray[np.uint8]
    panel: NDArray[np.uint8]

    @property
    def wanted(self) -> frozenset[int]:
        """Indices of the objects that match."""
        return frozenset(i for i, item in enumerate(self.items) if item.shape == self.template)

    def item_at(self, x: int, y: int) -> int | None:
        """Return the index of the object under a canvas pixel, None for paper."""
        for i, item in enumerate(self.items):
            if item.contains(x, y):
                return i
        return None


@dataclass(frozen=True, slots=True)
class FieldLook:
    """What makes a field hard.

    Attributes
    ----------
    objects, matches : int
        How many objects, and how many of them match.
    crowding : float
        0 for wide gaps, 1 for objects that nearly touch.
    size_spread : float
        0 for objects of one size, 1 for sizes from 10 to 19 px.
    deformation : float
        0 for regular shapes, 1 for shapes stretched by up to 12 %.
    contrast, noise : float
        Of the objects against the paper (0 to 1); standard deviation in grey values of 0 to 1.
    """

    objects: int
    matches: int
    crowding: float
    size_spread: float
    deformation: float
    contrast: float
    noise: float


def sample_field(rng: np.random.Generator, look: FieldLook) -> FieldWorld:
    """Draw a field and a template."""
    u = rng.random(4).tolist()
    template = SHAPES[int(u[0] * len(SHAPES))]
    others = [shape for shape in SHAPES if shape != template]
    middle = 14.5
    spread = 4.5 * look.size_spread
    draws = rng.random((look.objects, 7)).tolist()
    radii = sorted(
        (round(middle + spread * (2 * d[0] - 1)) for d in draws), reverse=True
    )  # the large ones first, while there is room
    places = _places(rng, radii, 3 + 9 * (1 - look.crowding))
    kinds = [template] * look.matches
    kinds += [others[int(d[1] * len(others))] for d in draws[look.matches :]]
    order = rng.permutation(look.objects).tolist()
    paper = PAPERS[int(u[1] * len(PAPERS))]
    stretches = _STRETCHES[: 1 + 2 * round(2 * look.deformation)]
    items = []
    for (x, y, radius), k, d in zip(places, order, draws, strict=True):
        turn = int(d[2] * _SYMMETRY[kinds[k]] / _TURN_STEP) * _TURN_STEP
        stretch = stretches[int(d[3] * len(stretches))]
        colour = _faded(COLOURS[int(d[4] * len(COLOURS))], paper, look.contrast)
        items.append(Item(kinds[k], x, y, radius, turn, stretch, colour))
    items.sort(key=lambda item: (item.y // 40, item.x))
    picture = _paper(paper, look.noise, rng)
    for item in items:
        _stamp(picture, item)
    picture.flags.writeable = False
    return FieldWorld(template, tuple(items), picture, template_picture(template))


def _places(rng: np.random.Generator, radii: list[int], gap: float) -> list[tuple[int, int, int]]:
    """Throw circles one by one where none lies yet; the gap shrinks as room runs out."""
    throws = rng.random((_TRIES, 2)).tolist()
    placed: list[tuple[int, int, int]] = []
    for radius in radii:
        room = gap
        while True:
            spot = _free_spot(throws, placed, radius, room)
            if spot is not None:
                placed.append(spot)
                break
            if not throws:
                throws = rng.random((_TRIES, 2)).tolist()
            room *= 0.8
            if room < 1:
                radius = max(LEAST_RADIUS // 2, radius - 1)
    return placed


def _free_spot(
    throws: list[list[float]], placed: list[tuple[int, int, int]], radius: int, gap: float
) -> tuple[int, int, int] | None:
    height, width = FIELD_HW
    low = radius + _EDGE
    for _ in range(min(60, len(throws))):
        a, b = throws.pop()
        x, y = low + int(a * (width - 2 * low)), low + int(b * (height - 2 * low))
        for u, v, r in placed:
            if (x - u) ** 2 + (y - v) ** 2 < (radius + r + gap) ** 2:
                break
        else:
            return x, y, radius
    return None


def _faded(colour: Colour, paper: Colour, contrast: float) -> Colour:
    r, g, b = (int(p + contrast * (c - p) + 0.5) for c, p in zip(colour, paper, strict=True))
    return r, g, b


@lru_cache(maxsize=4)
def _noise(sd: float) -> NDArray[np.uint8]:
    """Return a large patch of grain, wrapped around so that it can be added to a uint8 picture."""
    height, width = FIELD_HW
    grain = np.random.default_rng(47).standard_normal((2 * height, 2 * width, 1))
    grey = np.clip(np.rint(grain * (255 * sd)), -127, _DARKEST).astype(np.int8)
    return np.repeat(grey.view(np.uint8), 3, axis=2)


@lru_cache(maxsize=8)
def _plain(paper: Colour) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(paper, dtype=np.uint8), (*FIELD_HW, 3)).copy()


def _paper(paper: Colour, noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = FIELD_HW
    y, x = int(rng.integers(height)), int(rng.integers(width))
    return _plain(paper) + _noise(noise)[y : y + height, x : x + width]


def _stamp(picture: NDArray[np.uint8], item: Item) -> None:
    keep, ink = _ink(item.shape, item.radius, item.turn, item.stretch)
    reach = keep.shape[0] // 2
    rows = slice(item.y - reach, item.y + reach + 1)
    part = picture[rows, item.x - reach : item.x + reach + 1]
    part[:] = (part * keep + ink * np.array(item.colour, dtype=np.uint16)) >> 8


@lru_cache(maxsize=4096)
def _ink(
    shape: str, radius: int, turn: int, stretch: float
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Return what a shape lets through and how much ink it has, in 256ths, (h, w, 1).

    The rim is darker, so that shapes stand out from paper of their own brightness.
    """
    depth = _depth(shape, radius, turn, stretch)
    body = np.clip(depth - (_RIM_PX - 0.5), 0.0, 1.0)
    cover = np.rint(np.clip(depth + 0.5, 0.0, 1.0) * 256).astype(np.uint16)
    ink = np.rint(cover * (_RIM + (1 - _RIM) * body)).astype(np.uint16)
    return np.repeat(256 - cover[..., None], 3, axis=2), ink[..., None]


@lru_cache(maxsize=4096)
def shape_mask(shape: str, radius: int, turn: int, stretch: float) -> NDArray[np.uint8]:
    """Return how much of each pixel a shape covers, uint8 (2 r + 3, 2 r + 3), read-only."""
    depth = _depth(shape, radius, turn, stretch)
    mask: NDArray[np.uint8] = (np.clip(depth + 0.5, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    mask.flags.writeable = False
    return mask


@lru_cache(maxsize=4096)
def _depth(shape: str, radius: int, turn: int, stretch: float) -> NDArray[np.float64]:
    """Return how far pixels lie inside a shape, negative outside, (2 r + 3, 2 r + 3).

    ``radius`` is that of the circumscribed circle; circles are made smaller, so that all shapes of
    a radius have about the same area.
    """
    reach = radius + 1
    at = np.arange(-reach, reach + 1, dtype=np.float64)
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    x = (at[None, :] * c + at[:, None] * s) / stretch
    y = at[:, None] * c - at[None, :] * s
    return _depths(x, y, _BODIES[shape] * radius, shape)


_BODIES: Mapping[str, float] = {"circle": 0.82, "star": 1.0, "triangle": 1.0, "square": 0.96}


def _depths(
    x: NDArray[np.float64], y: NDArray[np.float64], radius: float, shape: str
) -> NDArray[np.float64]:
    """Return how far points lie inside a shape, negative outside, in pixels."""
    if shape == "circle":
        return radius - np.sqrt(x * x + y * y)
    if shape == "square":
        half = radius * math.sqrt(0.5)
        return half - np.maximum(np.abs(x), np.abs(y))
    if shape == "triangle":
        slanted = math.sqrt(0.75) * np.abs(x) - 0.5 * y
        return radius / 2 - np.maximum(y, slanted)
    # A star is ten mirrored copies of one edge, from a tip at (0, -r) to an inner corner.
    sector = math.pi / 5
    size = np.sqrt(x * x + y * y)
    angle = np.arctan2(x, -y)
    folded = np.abs((angle + sector) % (2 * sector) - sector)
    px, py = size * np.sin(folded), size * np.cos(folded)
    corner = (_INNER * radius * math.sin(sector), _INNER * radius * math.cos(sector))
    ex, ey = corner[0], corner[1] - radius
    length = math.hypot(ex, ey)
    return (ex * (py - radius) - ey * px) / -length


@lru_cache(maxsize=8)
def template_picture(shape: str) -> NDArray[np.uint8]:
    """Return the picture of a template: the regular shape, upright, dark on white."""
    height, width = PANEL_HW
    picture = np.full((height, width, 3), 250, dtype=np.uint8)
    item = Item(shape, width // 2, height // 2, TEMPLATE_RADIUS, 0, 1.0, (52, 58, 70))
    _stamp(picture, item)
    picture.flags.writeable = False
    return picture


def shape_outline(item: Item) -> NDArray[np.float64]:
    """Return the corners (y, x) of an object, (n, 2); circles have 24."""
    corners = {"circle": 24, "star": 10, "triangle": 3, "square": 4}[item.shape]
    angles = np.arange(corners) * (2 * math.pi / corners)
    sizes = np.full(corners, _BODIES[item.shape] * item.radius)
    if item.shape == "square":
        angles = angles + math.pi / 4
    if item.shape == "star":
        sizes[1::2] *= _INNER
    x, y = sizes * np.sin(angles) * item.stretch, -sizes * np.cos(angles)
    c, s = math.cos(math.radians(item.turn)), math.sin(math.radians(item.turn))
    return np.stack([item.y + x * s + y * c, item.x + x * c - y * s], axis=1)
