import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_bcannot.nodes import Place, Remove, diff_rows, nodes_to_rows, rows_to_edges

coordinate = st.integers(0, 500).map(float)
nodes = st.dictionaries(st.integers(0, 40), st.tuples(coordinate, coordinate), max_size=12)


def apply(edits, before):
    after = dict(before)
    for edit in edits:
        if isinstance(edit, Place):
            after[edit.zyx[0]] = edit.zyx[1:]
        else:
            del after[edit.z]
    return after


@given(nodes, nodes)
def test_the_edits_lead_from_one_content_to_the_other(before, after):
    edits = diff_rows(nodes_to_rows(before), nodes_to_rows(after))
    assert apply(edits, before) == after


@given(nodes)
def test_no_change_is_no_edit(content):
    rows = nodes_to_rows(content)
    assert diff_rows(rows, rows[::-1].copy()) == []


def test_of_several_new_points_in_a_section_the_last_one_counts():
    before = nodes_to_rows({3: (5.0, 5.0)})
    after = np.vstack([before, [(3, 10, 10), (3, 20, 30)]])
    assert diff_rows(before, after) == [Place((3, 20.0, 30.0))]


def test_a_node_moved_to_another_section_leaves_its_own():
    before = nodes_to_rows({3: (5.0, 5.0), 4: (6.0, 6.0)})
    after = np.array([(7, 5.0, 5.0), (4, 6.0, 6.0)])
    assert diff_rows(before, after) == [Remove(3), Place((7, 5.0, 5.0))]


def test_points_between_sections_belong_to_the_nearest_and_nan_to_none():
    after = np.array([(2.4, 1, 1), (np.nan, 2, 2), (np.inf, 2, 2)])
    assert diff_rows(np.zeros((0, 3)), after) == [Place((2, 1.0, 1.0))]


def test_edges_start_at_the_later_node_and_point_to_the_one_before():
    edges = rows_to_edges(nodes_to_rows({1: (10, 20), 2: (12, 24), 4: (0, 0)}))
    assert edges.tolist() == [[[2, 12, 24], [-1, -2, -4]], [[4, 0, 0], [-2, 12, 24]]]
    assert rows_to_edges(nodes_to_rows({1: (10, 20)})).shape == (0, 2, 3)
