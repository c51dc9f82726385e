"""Ground truth: following one neurite, reference points, drawing neurites."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import TaskError
from bcannot_core.tasks.neurites import (
    CrossSection,
    KnownSections,
    follow_neurite,
    sample_neurites,
    start_candidates,
    well_inside,
)


def reference_point(mask, previous):
    y, x = CrossSection(0, (0, 0), mask).reference_point(previous)
    return int(y), int(x)


class Labels:
    """Labels in memory that note which boxes were read."""

    def __init__(self, array):
        self.array = np.asarray(array)
        self.shape = self.array.shape
        self.reads = []

    def read(self, z0, z1, y0, y1, x0, x1):
        assert 0 <= z0 < z1 <= self.shape[0]
        assert 0 <= y0 < y1 <= self.shape[1]
        assert 0 <= x0 < x1 <= self.shape[2]
        self.reads.append((y1 - y0) * (x1 - x0))
        return self.array[z0:z1, y0:y1, x0:x1]


def disc(shape, y, x, radius):
    ys, xs = np.indices(shape)
    return np.hypot(ys - y, xs - x) <= radius


def make_tube(depth=8, shape=(100, 120), radius=6, drift=2, label=7, ends=None):
    """A disc that drifts along x; the neurite stops before section ``ends``."""
    array = np.zeros((depth, *shape), np.uint32)
    for z in range(depth if ends is None else ends):
        array[z][disc(shape, 50, 30 + drift * z, radius)] = label
    return array


def test_a_drifting_neurite_is_followed_to_the_end_of_the_volume():
    array = make_tube()
    path = follow_neurite(Labels(array), (0, 50, 30), 50)
    assert (path.label, path.z0, path.direction, path.ends) == (7, 0, 1, False)
    assert len(path) == 8
    for z, (section, point) in enumerate(zip(path.sections, path.points_yx, strict=True)):
        assert section.z == z
        assert section.contains(tuple(point))
        y, x = section.origin_yx
        whole = np.zeros(array.shape[1:], bool)
        whole[y : y + section.mask.shape[0], x : x + section.mask.shape[1]] = section.mask
        assert (whole == (array[z] == 7)).all()
    assert path.points_yx.dtype == np.float32


def test_backwards_and_its_index():
    path = follow_neurite(Labels(make_tube()), (6, 50, 42), 3, direction=-1)
    assert [section.z for section in path.sections] == [6, 5, 4]
    assert [path.index(z) for z in (7, 6, 5, 4, 3)] == [None, 0, 1, 2, None]
    forward = follow_neurite(Labels(make_tube()), (2, 50, 34), 3)
    assert [forward.index(z) for z in (1, 2, 4, 5)] == [None, 0, 2, None]


def test_a_neurite_that_ends_says_so():
    path = follow_neurite(Labels(make_tube(ends=5)), (0, 50, 30), 50)
    assert (len(path), path.ends) == (5, True)
    asked_for_less = follow_neurite(Labels(make_tube(ends=5)), (0, 50, 30), 5)
    assert (len(asked_for_less), asked_for_less.ends) == (5, False)


def test_it_follows_the_piece_that_overlaps_most():
    array = np.zeros((2, 40, 40), np.uint32)
    array[0, 10:20, 10:30] = 3
    array[1, 10:20, 5:14] = 3  # 40 px of overlap, 90 px in size
    array[1, 10:20, 20:26] = 3  # 60 px of overlap and size
    path = follow_neurite(Labels(array), (0, 15, 15), 2)
    assert path.sections[1].origin_yx == (10, 20)
    assert path.sections[1].mask.shape == (10, 6)


def test_pieces_that_touch_at_a_corner_are_one():
    array = np.zeros((1, 20, 20), np.uint32)
    array[0, 5:10, 5:10] = array[0, 10:15, 10:15] = 2
    path = follow_neurite(Labels(array), (0, 6, 6), 1)
    assert path.sections[0].mask.sum() == 50


def test_another_neurite_in_its_place_is_the_end():
    array = make_tube(ends=3)
    array[3:][array[3:] == 0] = 9
    assert len(follow_neurite(Labels(array), (0, 50, 30), 50)) == 3


def test_only_as_much_is_read_as_the_neurite_needs():
    labels = Labels(make_tube(shape=(900, 900)))
    follow_neurite(labels, (0, 50, 30), 8)
    assert max(labels.reads) < 150 * 150


def test_a_cross_section_wider_than_any_window_is_found_whole():
    array = np.zeros((2, 700, 700), np.uint32)
    array[:, 340:345, 3:690] = 4
    array[:, 10:340, 600:604] = 4
    path = follow_neurite(Labels(array), (0, 342, 10), 2)
    assert [section.mask.sum() for section in path.sections] == [(array[0] == 4).sum()] * 2
    assert path.sections[1].origin_yx == (10, 3)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ((8, 50, 30), "outside"),
        ((-1, 50, 30), "outside"),
        ((0, 50, 120), "outside"),
        ((0, 5, 5), "is 0: choose a point inside"),
    ],
)
def test_a_start_beside_every_neurite_is_refused(start, says):
    with pytest.raises(TaskError, match=says):
        follow_neurite(Labels(make_tube()), start, 5)


def test_a_start_in_another_neurite_than_named_is_refused():
    with pytest.raises(TaskError, match="is 7"):
        follow_neurite(Labels(make_tube()), (0, 50, 30), 5, label=3)


# -- reference points ----------------------------------------------------------------------------


def test_the_reference_point_of_a_disc_is_its_centre():
    assert reference_point(disc((41, 41), 20, 22, 9), None) == (20, 22)


def test_the_reference_point_stays_close_to_the_one_before():
    mask = np.zeros((30, 200), bool)
    mask[10:21] = True  # 11 px thick: at least 3 px from the border
    assert reference_point(mask, (15, 40)) == (15, 40)
    assert reference_point(mask, (0, 40)) == (12, 40)
    assert reference_point(mask, (15, 900))[1] == 197


def test_it_leaves_a_protrusion_for_the_body():
    mask = disc((60, 120), 30, 30, 20)
    mask[29:32, 30:110] = True
    y, x = reference_point(mask, (30, 100))
    assert well_inside(mask)[y, x]
    assert x < 45


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.none() | st.tuples(st.floats(-50, 100), st.floats(-50, 100)))
def test_it_always_lies_well_inside(seed, previous):
    mask = np.random.default_rng(seed).random((24, 31)) < 0.8
    y, x = reference_point(mask, previous)
    inside = well_inside(mask)
    assert inside[y, x]
    assert not (inside & ~mask).any()
    if previous is not None:
        ys, xs = np.nonzero(inside)
        nearest = np.hypot(ys - previous[0], xs - previous[1]).min()
        assert np.hypot(y - previous[0], x - previous[1]) == pytest.approx(nearest)


def test_a_mask_that_fills_its_box_has_its_border_there():
    assert well_inside(np.ones((5, 5), bool)).sum() == 9


@given(st.floats(-3, 12), st.floats(-3, 12))
def test_a_cross_section_contains_the_nearest_voxels(y, x):
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:4] = True
    inside = 4 <= round(y) < 6 and 3 <= round(x) < 6
    assert CrossSection(0, (3, 2), mask).contains((y, x)) == inside


# -- drawing -------------------------------------------------------------------------------------


def make_forest():
    """A thick, a thin and a tiny neurite, and one that ends soon."""
    array = np.zeros((30, 80, 80), np.uint32)
    array[:, 5:45, 5:45] = 1
    array[:, 60:64, 10:13] = 2
    array[:, 60:63, 30:33] = 3  # 9 px: never counts
    array[:6, 60:70, 60:70] = 4
    return array


def test_a_neurite_counts_where_it_has_twelve_voxels():
    found = start_candidates(Labels(make_forest()))
    assert list(found) == [1, 2, 4]
    assert found[4].tolist() == list(range(6))


def test_neurites_are_drawn_uniformly_whatever_their_calibre():
    paths = islice(sample_neurites(Labels(make_forest()), np.random.default_rng(0)), 60)
    drawn = [path.label for path in paths]
    assert set(drawn) == {1, 2}, "4 ends too soon"
    assert drawn.count(2) == 30, "they take turns"
    assert drawn[::2] != [1] * 30, "in an order drawn anew"


def test_those_that_go_on_to_the_border_count_and_starts_leave_room():
    rng = np.random.default_rng(1)
    paths = list(
        islice(sample_neurites(Labels(make_forest()), rng, min_sections=5, sections=12), 40)
    )
    assert {path.label for path in paths} == {1, 2, 4}
    assert all(len(path) == 12 for path in paths if path.label != 4)
    assert all(path.z0 + 12 <= 30 for path in paths)
    assert all(path.sections[0].mask.sum() >= 12 for path in paths)


def test_without_room_for_all_sections_a_start_leaves_room_for_the_least():
    labels = Labels(make_forest())
    drawn = sample_neurites(labels, np.random.default_rng(1), sections=99, min_sections=20)
    paths = list(islice(drawn, 40))
    assert all(len(path) >= 20 for path in paths)
    assert len({path.z0 for path in paths}) > 5, "not from the first section alone"


def test_drawing_backwards_leaves_room_too():
    rng = np.random.default_rng(1)
    drawn = sample_neurites(Labels(make_forest()), rng, sections=12, min_sections=12, direction=-1)
    for path in islice(drawn, 20):
        assert path.z0 >= 11 or path.label == 4, "4 has no start with as much room"
        assert path.sections[-1].z == max(path.z0 - 11, 0)


def test_the_same_seed_draws_the_same():
    def draw():
        paths = sample_neurites(Labels(make_forest()), np.random.default_rng(5))
        return [(path.label, path.z0, path.points_yx.tobytes()) for path in islice(paths, 8)]

    assert draw() == draw()


@pytest.mark.parametrize("array", [np.zeros((4, 20, 20), np.uint32), make_tube(depth=9, ends=3)])
def test_a_volume_without_such_neurites_is_refused(array):
    with pytest.raises(TaskError, match="lower the minimum"):
        next(sample_neurites(Labels(array), np.random.default_rng(0), min_sections=5, sections=8))


def test_what_is_known_of_a_volume_changes_no_path():
    labels = Labels(make_forest())
    known = KnownSections()

    def first_paths(seed, known=None):
        drawn = sample_neurites(labels, np.random.default_rng(seed), min_sections=4, known=known)
        return list(islice(drawn, 6))

    for seed in (0, 1, 0):
        for one, other in zip(first_paths(seed), first_paths(seed, known), strict=True):
            assert (one.label, one.z0, one.ends) == (other.label, other.z0, other.ends)
            assert (one.points_yx == other.points_yx).all()
            for a, b in zip(one.sections, other.sections, strict=True):
                assert (a.z, a.origin_yx) == (b.z, b.origin_yx)
                assert (a.mask == b.mask).all()
    again = [first_paths(2, known) for _ in range(2)]
    assert again[0][0].sections[1] is again[1][0].sections[1], "it is not looked for again"
