"""Aerial pictures of road graphs: fields and woods, roads with markings, houses, trees."""

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.land import (
    Plane,
    Rotation,
    Strip,
    box_mask,
    field_map,
    noise,
    window,
)
from bcannot_core.tasks.worlds.road_graph import Edge, RoadGraph

if TYPE_CHECKING:
    from bcannot_core.tasks.worlds.road_network import RoadNetworkConfig

Rgb = tuple[float, float, float]
_FAR = 99.0
_VERGE = np.float32(4.5)  # how far it reaches beyond a road's edge
_NEAR_ROAD = 15.0  # how far from a road's middle its distance is known
_LAND: dict[str, list[tuple[Rgb, Rgb]]] = {
    "country": [
        ((112, 128, 72), (104, 120, 66)), ((150, 142, 92), (141, 132, 84)),
        ((88, 112, 62), (82, 104, 58)), ((138, 118, 86), (128, 108, 78)),
        ((124, 138, 84), (116, 130, 78)), ((168, 158, 108), (158, 148, 98)),
    ],
    "suburb": [
        ((96, 122, 72), (92, 118, 70)), ((110, 130, 82), (106, 126, 79)),
        ((118, 122, 88), (114, 118, 86)), ((84, 112, 66), (81, 108, 64)),
    ],
    "town": [
        ((122, 126, 100), (118, 122, 98)), ((100, 120, 80), (97, 117, 78)),
        ((136, 130, 112), (132, 126, 110)), ((128, 132, 116), (125, 128, 113)),
    ],
}  # fmt: skip
_ROOFS: tuple[Rgb, ...] = (
    (158, 92, 72), (142, 82, 66), (124, 112, 104), (104, 104, 110), (168, 128, 98), (196, 192, 184),
    (92, 84, 80),
)  # fmt: skip
_WOOD: Rgb = (52, 76, 46)
_HEDGE: Rgb = (84, 96, 60)


class Look(NamedTuple):
    """What a scene is made of, drawn once for each."""

    land: str
    asphalt: float
    kerb: bool
    gravel: bool
    bows: tuple[float, ...]


def road_half_width(graph: RoadGraph, edge: Edge) -> float:
    """Return half the width of a road, px."""
    return 5.6 if edge in graph.main else 4.4


def strips(graph: RoadGraph, bows: tuple[float, ...]) -> list[Strip]:
    """Return the roads of a graph as strips of land."""
    return [
        Strip(graph.nodes[a], graph.nodes[b], bow)
        for (a, b), bow in zip(graph.edges, bows, strict=True)
    ]


def draw_roads(
    rng: np.random.Generator, graph: RoadGraph, config: "RoadNetworkConfig"
) -> NDArray[np.uint8]:
    """Return an aerial picture of a road graph, uint8 (256, 256, 3)."""
    look = _draw_look(rng, graph, config)
    planes = _land(rng, look)
    roads = strips(graph, look.bows)
    beyond, paint = _road_distances(rng, graph, roads)
    _pave(rng, planes, beyond, paint, look, config.contrast)
    if config.buildings > 0:
        _build(rng, planes, beyond, graph, roads, config.buildings)
    if config.trees > 0:
        _plant(rng, planes, beyond, graph, config.trees)
    return _expose(rng, planes, config.noise)


def _draw_look(rng: np.random.Generator, graph: RoadGraph, config: "RoadNetworkConfig") -> Look:
    land = ("country", "suburb", "town")[int(rng.integers(3))]
    bows = []
    for a, b in graph.edges:
        length = math.dist(graph.nodes[a], graph.nodes[b])
        most = min(7.0, 0.09 * length) * config.curvature
        bows.append(float(rng.uniform(-most, most)) if length > 34 else 0.0)
    return Look(
        land,
        asphalt=float(rng.uniform(70, 108)) if land != "country" else float(rng.uniform(92, 122)),
        kerb=land != "country",
        gravel=land == "country" and bool(rng.random() < 0.5),
        bows=tuple(bows),
    )


def _land(rng: np.random.Generator, look: Look) -> Plane:
    """Return the red, green and blue plane of the land without roads, (3, 256, 256)."""
    pairs = _LAND[look.land]
    palette: list[Rgb] = [colour for pair in pairs for colour in pair] + [_HEDGE]
    kinds = [(2 * i, 2 * i + 1) for i in range(len(pairs))]
    fields = field_map(rng, kinds, border=len(palette) - 1 if look.land == "country" else None)
    index = Rotation.by(float(rng.uniform(0, math.pi))).take(fields)
    colours = np.array(palette, dtype=np.float32).T
    texture = noise(rng, "patch") * np.float32(5) + noise(rng, "grain") * np.float32(4)
    texture += noise(rng, "broad") * np.float32(6)
    planes = np.empty((3, 256, 256), dtype=np.float32)
    for plane, levels in zip(planes, colours, strict=True):
        np.add(np.take(levels, index), texture, out=plane)
    wood = noise(rng, "broad") + noise(rng, "patch") * np.float32(0.3)
    wood = np.minimum(np.maximum((wood - np.float32(rng.uniform(1.0, 1.9))) * 4, 0), 1)
    if wood.any():
        crowns = noise(rng, "grain") * np.float32(11)
        for plane, level in zip(planes, _WOOD, strict=True):
            plane += wood * (np.float32(level) + crowns - plane)
    return planes


def _levels(colour: Rgb) -> Plane:
    """Return a colour to be mixed with planes, float32 (3, 1, 1)."""
    return np.array(colour, dtype=np.float32)[:, None, None]


def _road_distances(
    rng: np.random.Generator, graph: RoadGraph, roads: list[Strip]
) -> tuple[Plane, NDArray[np.bool_]]:
    """Return how far each pixel lies beyond the nearest road's edge, and where paint is."""
    beyond = np.full((256, 256), _FAR, dtype=np.float32)
    paint = np.zeros((256, 256), dtype=bool)
    for edge, road in zip(graph.edges, roads, strict=True):
        half = road_half_width(graph, edge)
        found = road.distances(_NEAR_ROAD)
        if found is None:
            continue
        part, distance, along, offset = found
        near = beyond[part.slices]
        np.minimum(near, distance - np.float32(half), out=near)
        if edge in graph.main:
            dashes = ((along.astype(np.int32) & 7) < 4) & (np.abs(offset) < 0.6)
            dashes &= (along > 11) & (along < road.length - 11)
            paint[part.slices] |= dashes
    for node, (x, y) in enumerate(graph.nodes):
        if graph.degree(node) == 1 and node not in graph.leaves and rng.random() < 0.6:
            part_of = window(x, y, (x - 14, y - 14, x + 14, y + 14))
            if part_of is not None:
                circle = np.sqrt(part_of.dx * part_of.dx + part_of.dy * part_of.dy)
                near = beyond[part_of.slices]
                np.minimum(near, circle - np.float32(7.5), out=near)
    for node in graph.leaves:
        _lead_out(graph, node, beyond)
    return beyond, paint


def _lead_out(graph: RoadGraph, node: int, beyond: Plane) -> None:
    """Let a road that leaves the picture go on to its border."""
    edge = next(edge for edge in graph.edges if node in edge)
    (x, y), (ox, oy) = graph.nodes[node], graph.nodes[sum(edge) - node]
    length = math.dist((x, y), (ox, oy))
    out = (x + (x - ox) / length * 14, y + (y - oy) / length * 14)
    found = Strip((x, y), out).distances(_NEAR_ROAD)
    if found is not None:
        near = beyond[found[0].slices]
        np.minimum(near, found[1] - np.float32(road_half_width(graph, edge)), out=near)


def _pave(
    rng: np.random.Generator,
    planes: Plane,
    beyond: Plane,
    paint: NDArray[np.bool_],
    look: Look,
    contrast: float,
) -> None:
    """Lay verges, kerbs, asphalt and markings over the land."""
    at = np.flatnonzero(beyond < _VERGE)
    near = beyond.reshape(-1)[at]
    surface = np.minimum(np.maximum(np.float32(0.5) - near, 0), 1) * np.float32(contrast)
    verge = np.minimum((_VERGE - near) * np.float32(0.5), 1) * np.float32(0.55)
    kerb = np.minimum(np.maximum(np.float32(2.4) - near, 0), 1) * np.float32(0.8 * contrast)
    asphalt: Rgb = (look.asphalt, look.asphalt, look.asphalt + 4)
    if look.gravel:
        asphalt = (look.asphalt + 68, look.asphalt + 54, look.asphalt + 26)
    rough = noise(rng, "grain").reshape(-1)[at] * np.float32(3)
    kerbs: Rgb = (172, 168, 160)
    grass: Rgb = (104, 124, 74)
    for channel, plane in enumerate(planes):
        part = plane.reshape(-1)[at]
        part += verge * (np.float32(grass[channel]) - part)
        if look.kerb:
            part += kerb * (np.float32(kerbs[channel]) - part)
        part += surface * (np.float32(asphalt[channel]) + rough - part)
        plane.reshape(-1)[at] = part
        if not look.gravel:
            plane[paint] = plane[paint] * (1 - 0.75 * contrast) + 222 * 0.75 * contrast


def _build(
    rng: np.random.Generator,
    planes: Plane,
    beyond: Plane,
    graph: RoadGraph,
    roads: list[Strip],
    density: float,
) -> None:
    """Put houses along the roads, with shadows to the lower right."""
    taken = beyond < 2.5
    for edge, road in zip(graph.edges, roads, strict=True):
        lots = int(road.length // 17)
        draws = rng.random((max(lots, 1) * 2, 5))
        for i in range(2 * lots):
            want, size, deep, roof, shift = draws[i].tolist()
            if want > density:
                continue
            half = (4.5 + 3.5 * size, 3.5 + 2.5 * deep)
            x, y, ux, uy = road.at((i // 2 + 0.35 + 0.3 * shift) / lots)
            off = road_half_width(graph, edge) + 4.5 + half[1] + 3 * shift
            side = 1 if i % 2 else -1
            _house(planes, taken, (x - uy * off * side, y + ux * off * side),
                   half, math.atan2(uy, ux), _ROOFS[int(roof * len(_ROOFS))])  # fmt: skip


def _house(
    planes: Plane,
    taken: NDArray[np.bool_],
    at: tuple[float, float],
    half: tuple[float, float],
    angle: float,
    roof: Rgb,
) -> None:
    """Draw a house with a saddle roof where nothing else stands."""
    x, y = at
    if not (6 < x < 250 and 6 < y < 250):
        return
    found = box_mask(x, y, half, angle)
    if found is None:
        return
    part, inside, across = found
    if taken[part.slices][inside].any():
        return
    taken[part.slices] |= inside
    shadow = (slice(part.rows.start + 2, part.rows.stop + 2),
              slice(part.columns.start + 2, part.columns.stop + 2))  # fmt: skip
    lit = np.where(across < 0, np.float32(1.08), np.float32(0.86))
    below = planes[:, *shadow]
    dark = inside[: below.shape[1], : below.shape[2]]
    np.multiply(below, np.float32(0.55), out=below, where=dark)
    np.copyto(planes[:, *part.slices], lit * _levels(roof), where=inside)


@cache
def _crown(radius: int, kind: int) -> tuple[Plane, Plane]:
    """Return the opacity and the light of a tree's crown, float32 squares."""
    rng = np.random.default_rng((97, radius, kind))
    at = np.arange(-radius - 1, radius + 2, dtype=np.float32)
    square = at[:, None] ** 2 + at[None] ** 2
    ragged = rng.uniform(-0.9, 0.9, square.shape).astype(np.float32)
    opacity = np.minimum(np.maximum(radius + 0.5 - np.sqrt(square) + ragged, 0), 1)
    light = 1 - (at[:, None] + at[None]) * np.float32(0.28 / radius) + ragged * np.float32(0.14)
    return opacity.astype(np.float32), light.astype(np.float32)


def _plant(
    rng: np.random.Generator,
    planes: Plane,
    beyond: Plane,
    graph: RoadGraph,
    density: float,
) -> None:
    """Scatter trees, off the roads' middles and off their nodes."""
    count = int(90 * density * rng.uniform(0.6, 1.2))
    xs, ys = rng.integers(8, 248, (2, count))
    draws = rng.random((count, 2)).tolist()
    keep = beyond[ys, xs] > 0.8
    nodes = np.array(graph.nodes, dtype=np.float32)
    apart = (xs[:, None] - nodes[:, 0]) ** 2 + (ys[:, None] - nodes[:, 1]) ** 2
    keep &= apart.min(axis=1) > 14**2
    for i in np.flatnonzero(keep).tolist():
        size, tint = draws[i]
        radius = 2 + int(size * 4)
        opacity, light = _crown(radius, int(tint * 4))
        y, x = int(ys[i]) - radius - 1, int(xs[i]) - radius - 1
        side = opacity.shape[0]
        below = slice(y + 2, y + 2 + side), slice(x + 2, x + 2 + side)
        here = slice(y, y + side), slice(x, x + side)
        shade = opacity * np.float32(-0.4)
        shadow = planes[:, *below]
        shadow += shadow * shade[: shadow.shape[1], : shadow.shape[2]]
        crown = planes[:, *here]
        crown += opacity * (light * _levels((58 + 26 * tint, 88 + 18 * tint, 48)) - crown)


def _expose(rng: np.random.Generator, planes: Plane, sd: float) -> NDArray[np.uint8]:
    """Return the picture of a sensor with noise."""
    out = np.empty((*planes.shape[1:], 3), dtype=np.uint8)
    grain = noise(rng, "white") * np.float32(sd)
    for channel, plane in enumerate(planes):
        plane += grain
        np.maximum(plane, 0, out=plane)
        np.minimum(plane, 255, out=plane)
        out[..., channel] = plane
    return out
