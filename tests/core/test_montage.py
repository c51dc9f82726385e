"""The picture of traces."""

import numpy as np
import pytest

from bcannot_core.evaluation.montage import (
    CROP_PX,
    GAP_PX,
    OFF_TARGET,
    ON_TARGET,
    OUTLINE,
    TITLE_PX,
    ZOOM,
    Strip,
    montage,
)
from bcannot_core.tasks.neurites import NeuritePath, follow_neurite
from bcannot_core.volumes import Volume

DEPTH, SIDE = 6, 60


def volume() -> Volume:
    grey = np.full((DEPTH, SIDE, SIDE), 100, np.uint8)
    return Volume.from_array(grey, voxel_nm=(30, 10, 10))


def truth() -> NeuritePath:
    ids = np.zeros((DEPTH, SIDE, SIDE), np.uint32)
    ids[:, 20:41, 20:41] = 7
    return follow_neurite(Volume.from_array(ids, labels=True), (0, 30, 30), DEPTH)


def nodes(y: float, x: float, count: int = DEPTH) -> np.ndarray:
    return np.array([(z, y, x) for z in range(count)], float)


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(-1).any())


def test_nodes_inside_and_outside_have_their_colours() -> None:
    good = montage(volume(), [Strip("good", nodes(30, 30), truth())])
    bad = montage(volume(), [Strip("bad", nodes(5, 5), truth())])
    assert has(good, ON_TARGET) and not has(good, OFF_TARGET)
    assert has(bad, OFF_TARGET) and not has(bad, ON_TARGET)


def test_another_branch_of_the_neurite_is_on_target_as_in_scores() -> None:
    ids = np.zeros((DEPTH, SIDE, SIDE), np.uint32)
    ids[:, 20:41, 20:41] = 7
    ids[:, 2:9, 2:9] = 7
    labels = Volume.from_array(ids, labels=True)
    path = follow_neurite(labels, (0, 30, 30), DEPTH)
    branch = montage(volume(), [Strip("branch", nodes(5, 5), path, labels)])
    beside = montage(volume(), [Strip("beside", nodes(12, 12), path, labels)])
    assert has(branch, ON_TARGET) and not has(branch, OFF_TARGET)
    assert has(beside, OFF_TARGET) and not has(beside, ON_TARGET)


def test_the_outline_is_that_of_the_cross_section() -> None:
    picture = montage(volume(), [Strip("a", nodes(30, 30, 1), truth())], columns=1)
    top, left = GAP_PX + TITLE_PX, GAP_PX
    tile = picture[top : top + CROP_PX * ZOOM, left : left + CROP_PX * ZOOM]
    rows, columns = np.nonzero((tile == OUTLINE).all(-1))
    corner = CROP_PX // 2 - 10
    assert (rows.min(), columns.min()) == (corner * ZOOM, corner * ZOOM)
    assert (rows.max(), columns.max()) == ((corner + 21) * ZOOM - 1, (corner + 21) * ZOOM - 1)


def test_without_truth_there_is_no_outline() -> None:
    picture = montage(volume(), [Strip("a", nodes(30, 30))])
    assert has(picture, ON_TARGET) and not has(picture, OUTLINE)


@pytest.mark.parametrize(("strips", "columns"), [(1, 3), (4, 10)])
def test_size_depends_on_rows_and_columns_alone(strips: int, columns: int) -> None:
    tile = CROP_PX * ZOOM
    picture = montage(volume(), [Strip("a", nodes(0, 59))] * strips, columns)
    height = strips * (tile + TITLE_PX + GAP_PX) + GAP_PX
    assert picture.shape == (height, columns * (tile + GAP_PX) + GAP_PX, 3)
