"""The worlds of road networks: graphs and their aerial pictures."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import UsageError
from bcannot_core.tasks.worlds.land import Strip, noise
from bcannot_core.tasks.worlds.road_graph import RoadGraph, grow_graph
from bcannot_core.tasks.worlds.road_network import RoadNetworkConfig, RoadWorld, make_world


def world(seed: int = 0, **options: object) -> RoadWorld:
    return make_world(np.random.default_rng(seed), RoadNetworkConfig(**options))


def road_pixels(found: RoadWorld) -> np.ndarray:
    """The middle of each road, (n, 2) pixels (x, y), clear of its ends."""
    points = []
    for a, b in found.graph.edges:
        (x0, y0), (x1, y1) = found.graph.nodes[a], found.graph.nodes[b]
        points += [(x0 + (x1 - x0) * s, y0 + (y1 - y0) * s) for s in np.linspace(0.3, 0.7, 9)]
    return np.array(points).round().astype(int)


def pieces(graph: RoadGraph) -> int:
    parent = list(range(len(graph.nodes)))
    for a, b in graph.edges:
        old, new = parent[a], parent[b]
        parent = [new if p == old else p for p in parent]
    return len(set(parent))


@given(
    seed=st.integers(0, 10_000),
    nodes=st.integers(4, 14),
    spare=st.integers(0, 3),
    disorder=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_graphs_are_such_as_roads_make(seed: int, nodes: int, spare: int, disorder: float) -> None:
    graph = grow_graph(np.random.default_rng(seed), nodes, nodes + spare, disorder)
    assert len(graph.nodes) == nodes
    assert len(graph.edges) <= nodes + spare
    assert list(graph.edges) == sorted(set(graph.edges))
    assert all(a < b for a, b in graph.edges)
    assert pieces(graph) == 1
    for node, (x, y) in enumerate(graph.nodes):
        assert graph.degree(node) in (1, 3, 4)
        assert 3 <= x <= 252
        assert 3 <= y <= 252
    for one, other in combinations(graph.nodes, 2):
        assert math.dist(one, other) > 20


@pytest.mark.parametrize("seed", range(5))
def test_roads_are_no_shorter_than_their_junctions_are_wide(seed: int) -> None:
    graph = world(seed).graph
    assert min(math.dist(graph.nodes[a], graph.nodes[b]) for a, b in graph.edges) > 20


def test_the_defaults_have_the_counts_of_the_study() -> None:
    graphs = [world(seed).graph for seed in range(60)]
    nodes = {len(graph.nodes) for graph in graphs}
    edges = [len(graph.edges) for graph in graphs]
    assert nodes == {10, 11, 12, 13, 14}
    assert max(edges) <= 17
    assert max(edges) >= 15
    circles = [len(g.edges) - len(g.nodes) + 1 for g in graphs]
    assert sum(count > 0 for count in circles) > 30


def test_the_same_seed_gives_the_same_picture() -> None:
    one, again, other = world(3), world(3), world(4)
    assert (one.picture == again.picture).all()
    assert one.graph == again.graph
    assert (one.picture != other.picture).any()
    assert one.picture.dtype == np.uint8
    assert one.picture.shape == (256, 256, 3)
    assert not one.picture.flags.writeable


def test_roads_can_be_seen() -> None:
    """Asphalt and gravel are grey: less coloured than the land, on the roads and only there."""
    for seed in range(8):
        found = world(seed, trees=0.0, buildings=0.0, curvature=0.0, noise=0.0)
        spread = found.picture.astype(int).max(axis=2) - found.picture.astype(int).min(axis=2)
        x, y = road_pixels(found).T
        level = found.picture.astype(int).sum(axis=2)
        on_road = np.zeros((256, 256), dtype=bool)
        on_road[y, x] = True
        land = abs(level[on_road].mean() - level[~on_road].mean())
        assert spread[y, x].mean() < spread.mean() or land > 60


def test_less_contrast_brings_roads_nearer_to_the_land() -> None:
    def difference(contrast: float) -> float:
        plain = {"trees": 0.0, "buildings": 0.0, "curvature": 0.0, "noise": 0.0}
        found = world(2, contrast=contrast, **plain)
        x, y = road_pixels(found).T
        picture = found.picture.astype(float)
        return float(np.abs(picture[y, x].mean(axis=0) - picture.mean(axis=(0, 1))).sum())

    assert difference(0.3) < difference(1.0)


def test_noise_buildings_and_trees_can_be_had_or_not() -> None:
    plain = world(1, noise=0.0, buildings=0.0, trees=0.0)
    for more in ({"noise": 20.0}, {"buildings": 1.0}, {"trees": 1.0}):
        options = {"noise": 0.0, "buildings": 0.0, "trees": 0.0, **more}
        changed = (world(1, **options).picture != plain.picture).any(axis=2).mean()
        assert changed > 0.02


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"least_nodes": 3}, "least_nodes"),
        ({"most_nodes": 15}, "most_nodes"),
        ({"least_nodes": 13, "most_nodes": 12}, "least_nodes is 13"),
        ({"most_edges": 18}, "most_edges"),
        ({"most_edges": 13}, "most_edges is 13"),
        ({"disorder": 1.5}, "disorder"),
        ({"curvature": -0.1}, "curvature"),
        ({"buildings": 2.0}, "buildings"),
        ({"trees": float("nan")}, "trees"),
        ({"contrast": 0.1}, "contrast"),
        ({"noise": 31.0}, "noise"),
        ({"variant": "sideways"}, "sideways"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        RoadNetworkConfig(**options)


def test_a_bowed_strip_runs_where_it_says() -> None:
    road = Strip((40.0, 60.0), (180.0, 150.0), 7.0)
    found = road.distances(20.0)
    assert found is not None
    part, distance, _, _ = found
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y, ux, uy = road.at(share)
        near = distance[round(y) - part.rows.start, round(x) - part.columns.start]
        assert near < 1.2
        assert math.hypot(ux, uy) == pytest.approx(1.0)
        off = round(y + 10 * ux) - part.rows.start, round(x - 10 * uy) - part.columns.start
        assert distance[off] == pytest.approx(10, abs=1.6)
    assert Strip((300.0, 300.0), (320.0, 320.0)).distances(10.0) is None


@pytest.mark.parametrize("scale", ["white", "grain", "patch", "broad"])
def test_noise_is_normal_and_smooth_to_its_scale(scale: str) -> None:
    rng = np.random.default_rng(0)
    pieces_of = [noise(rng, scale) for _ in range(12)]
    assert abs(np.mean([piece.mean() for piece in pieces_of])) < 0.5
    assert 0.6 < np.mean([piece.std() for piece in pieces_of]) < 1.3
    step = np.mean([np.abs(np.diff(piece, axis=0)).mean() for piece in pieces_of])
    low, high = {"white": (0.9, 1.4), "grain": (0.2, 0.8), "patch": (0.05, 0.3),
                 "broad": (0.0, 0.08)}[scale]  # fmt: skip
    assert low < step < high
    assert (noise(np.random.default_rng(5), scale) == noise(np.random.default_rng(5), scale)).all()
