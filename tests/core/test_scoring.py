"""Metrics: matched points, keypoints, regions and graphs."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.draw import polygon2mask

from bcannot_core.errors import UsageError
from bcannot_core.tasks.scoring import (
    f1_score,
    graph_score,
    mask_iou,
    match_points,
    pck,
    point_score,
    polygon_iou,
    polygon_mask,
)

points = hnp.arrays(np.int64, st.tuples(st.integers(0, 4), st.just(2)), elements=st.integers(0, 12))


def best_by_trying(placed: np.ndarray, truth: np.ndarray, radius: float) -> tuple[int, float]:
    """Return (most pairs, their least total distance) over all matchings."""
    small, large = (placed, truth) if len(placed) <= len(truth) else (truth, placed)
    best = (0, 0.0)
    for chosen in itertools.permutations(range(len(large)), len(small)):
        distances = [math.dist(small[i], large[j]) for i, j in enumerate(chosen)]
        near = [d for d in distances if d <= radius]
        best = max(best, (len(near), -sum(near)))
    return best[0], -best[1]


@settings(deadline=None)
@given(points, points)
def test_the_most_pairs_are_made_and_then_the_nearest(
    placed: np.ndarray, truth: np.ndarray
) -> None:
    match = match_points(placed, truth, 5.0)
    count, total = best_by_trying(placed, truth, 5.0)
    assert len(match.pairs) == count
    assert match.distances.sum() == pytest.approx(total)
    for (i, j), distance in zip(match.pairs, match.distances, strict=True):
        assert distance <= 5.0
        assert math.dist(placed[i], truth[j]) == pytest.approx(distance)
    assert len(set(match.pairs[:, 0])) == len(set(match.pairs[:, 1])) == count


def test_one_far_pair_does_not_cost_two_near_ones() -> None:
    match = match_points([[0, 0], [4, 0]], [[4, 0], [8, 0]], 5.0)
    assert match.pairs.tolist() == [[0, 0], [1, 1]]


def test_the_metrics_of_a_match_by_hand() -> None:
    match = match_points([[0, 0], [10, 0], [50, 50]], [[3, 0], [10, 4], [90, 0], [0, 90]], 5.0)
    assert point_score(match) == {
        "precision": pytest.approx(2 / 3),
        "recall": 0.5,
        "f1": pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5)),
        "rmse_px": pytest.approx(math.sqrt((9 + 16) / 2)),
        "found": 2,
        "missed": 2,
        "false": 1,
    }


def test_points_of_different_groups_never_match() -> None:
    placed, truth = [[0, 0], [0, 0]], [[0, 0], [0, 1]]
    match = match_points(placed, truth, 5.0, [1, 2], [2, 3])
    assert match.pairs.tolist() == [[1, 0]]
    allowed = np.array([[False, True], [False, False]])
    assert match_points(placed, truth, 5.0, allowed=allowed).pairs.tolist() == [[0, 1]]
    with pytest.raises(UsageError, match="together"):
        match_points(placed, truth, 5.0, [1, 2])


def test_nothing_placed_and_nothing_wanted() -> None:
    assert f1_score(0, 0, 0) == (1.0, 1.0, 1.0)
    assert f1_score(0, 0, 3) == (0.0, 0.0, 0.0)
    assert f1_score(0, 2, 0) == (0.0, 1.0, 0.0)
    nothing = match_points([], [[1, 1]], 5.0)
    assert (nothing.precision, nothing.recall, nothing.rmse) == (0.0, 0.0, 5.0)
    assert match_points([], [], 5.0).f1 == 1.0


def test_keypoints_count_within_the_radius_and_when_placed() -> None:
    truth = np.array([[0, 0], [10, 10], [20, 20], [30, 30]])
    placed = np.array([[3, 0], [10, 13.01], [math.nan, math.nan], [30, 30]])
    assert pck(placed, truth, 3.0) == 0.5
    assert pck([], [], 3.0) == 1.0
    with pytest.raises(UsageError, match="3 keypoints were given for 4"):
        pck(placed[:3], truth)


@settings(deadline=None)
@given(st.lists(st.floats(2, 20), min_size=3, max_size=9), st.floats(5, 25), st.floats(5, 25))
def test_polygons_cover_the_pixels_that_scikit_image_says(
    radii: list[float], cx: float, cy: float
) -> None:
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False) + 0.1234
    vertices = np.stack([cx + radii * np.cos(angles), cy + radii * np.sin(angles)], axis=1)
    ours = polygon_mask(vertices, (32, 30))
    theirs = polygon2mask((32, 30), vertices[:, ::-1])
    assert np.count_nonzero(ours != theirs) <= 1  # centres on an edge may go either way


def test_overlap_of_squares_by_hand() -> None:
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]]) - 0.5
    assert polygon_mask(square, (20, 20)).sum() == 100
    assert polygon_iou(square, square + np.array([5, 0]), (20, 20)) == pytest.approx(50 / 150)
    assert polygon_iou(square[:2], square, (20, 20)) == 0.0
    nothing = np.zeros((4, 4), bool)
    assert mask_iou(nothing, nothing) == 1.0


def test_graphs_by_hand() -> None:
    truth, edges = [[0, 0], [50, 0], [100, 0], [100, 50]], [(0, 1), (1, 2), (2, 3)]
    exact = graph_score(truth, [(1, 0), (2, 1), (3, 2), (2, 3)], truth, edges)
    assert exact["node_f1"] == exact["edge_f1"] == exact["connectivity"] == 1.0
    # Node 1 is missing; a false node joins 0 to 3 where no road is.
    nodes = [[1, 0], [101, 0], [100, 50], [200, 200]]
    score = graph_score(nodes, [(0, 1), (1, 2), (2, 3)], truth, edges)
    assert score["node_precision"] == score["node_recall"] == 0.75
    assert score["edge_precision"] == pytest.approx(1 / 3)
    assert score["edge_recall"] == pytest.approx(1 / 3)
    assert score["connectivity"] == pytest.approx(3 / 6)
    assert graph_score([], [], truth, edges)["connectivity"] == 0.0
