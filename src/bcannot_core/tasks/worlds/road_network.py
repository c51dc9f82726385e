"""The world of road network construction: an aerial picture with its road graph."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.screen import get_variant
from bcannot_core.tasks.base import check_range
from bcannot_core.tasks.worlds.road_graph import RoadGraph, grow_graph
from bcannot_core.tasks.worlds.road_picture import draw_roads


@dataclass(frozen=True, slots=True)
class RoadNetworkConfig:
    """How hard a road network is.

    Parameters
    ----------
    least_nodes, most_nodes : int
        Intersections and end points, from 4 to 14.
    most_edges : int
        At most so many roads between them, up to 17.
    disorder : float
        0 for towns with streets at right angles, 1 for roads in any direction; a random degree
        up to this one is drawn for each world.
    curvature : float
        How far roads bend, 0 to 1.
    buildings : float
        Density of the buildings along the roads, 0 to 1.
    trees : float
        Density of the trees, some of which hide the edges of roads, 0 to 1.
    contrast : float
        Of the roads against the land, 0.3 to 1.
    noise : float
        Standard deviation of the sensor's noise, grey levels, 0 to 30.
    variant : str
        Interface variant.
    """

    least_nodes: int = 10
    most_nodes: int = 14
    most_edges: int = 17
    disorder: float = 1.0
    curvature: float = 0.5
    buildings: float = 0.6
    trees: float = 0.5
    contrast: float = 1.0
    noise: float = 5.0
    variant: str = "original"

    def __post_init__(self) -> None:
        check_range("least_nodes", self.least_nodes, 4, 14)
        check_range("most_nodes", self.most_nodes, 4, 14)
        check_range("most_edges", self.most_edges, 3, 17)
        for name in ("disorder", "curvature", "buildings", "trees"):
            check_range(name, getattr(self, name), 0.0, 1.0)
        check_range("contrast", self.contrast, 0.3, 1.0)
        check_range("noise", self.noise, 0.0, 30.0)
        if self.least_nodes > self.most_nodes:
            raise UsageError(
                f"least_nodes is {self.least_nodes}, most_nodes {self.most_nodes}: "
                "the first must not exceed the second"
            )
        if self.most_edges < self.most_nodes:
            raise UsageError(
                f"most_edges is {self.most_edges}: give at least most_nodes, {self.most_nodes}"
            )
        get_variant(self.variant)


@dataclass(frozen=True)
class RoadWorld:
    """An aerial picture and the graph of its roads.

    Attributes
    ----------
    graph : RoadGraph
        The ground truth.
    picture : uint8 (256, 256, 3)
        The picture, read-only.
    """

    graph: RoadGraph
    picture: NDArray[np.uint8] = field(repr=False)

    @cached_property
    def nodes_xy(self) -> NDArray[np.float64]:
        """Intersections and end points, float64 (n, 2), canvas pixels (x, y)."""
        return np.array(self.graph.nodes, dtype=np.float64).reshape(-1, 2)


def make_world(rng: np.random.Generator, config: RoadNetworkConfig) -> RoadWorld:
    """Return a random world."""
    nodes = int(rng.integers(config.least_nodes, config.most_nodes + 1))
    disorder = config.disorder * float(rng.random())
    graph = grow_graph(rng, nodes, config.most_edges, disorder)
    picture = draw_roads(rng, graph, config)
    picture.flags.writeable = False
    return RoadWorld(graph, picture)
