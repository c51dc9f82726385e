"""Cell lineage tracking: what clicks do, what is shown, and how it is scored."""

from typing import Any

import numpy as np
import pytest

import bcannot_core as bc
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.session import Action, Session
from bcannot_core.tasks.cell_lineage import CellLineage, LineageState, Node
from bcannot_core.tasks.lineage_tree import PANEL_HW, draw_tree, node_colour
from bcannot_core.tasks.registry import make_task


def a_session(seed: int = 0, **options: Any) -> Session:
    return Session(make_task("cell_lineage", seed, **options))


def task_of(session: Session) -> CellLineage:
    assert isinstance(session.task, CellLineage)
    return session.task


def go_to(session: Session, frame: int) -> None:
    steps = frame - session.state.frame
    for _ in range(abs(steps)):
        session.apply(session.click_for("next_frame" if steps > 0 else "previous_frame"))


def click(session: Session, xy: tuple[float, float]) -> str:
    return session.apply(session.click_for((round(xy[0]), round(xy[1])))).action


def place_cell(session: Session, cell: int, frame: int | None = None) -> str:
    task = task_of(session)
    frame = task.world.cells[cell].birth if frame is None else frame
    go_to(session, frame)
    return click(session, task.cell_xy(frame, cell))


def annotate(session: Session, divisions: int) -> None:
    """Mark the root and the first so many divisions, all right."""
    task = task_of(session)
    node_of = {0: 0}
    place_cell(session, 0)
    for cell in task.world.divisions[:divisions]:
        go_to(session, cell.last + 1)
        ring = task.ring_xy(session.state.nodes[node_of[cell.index]], session.state.frame)
        assert click(session, ring) == "select"
        for d in cell.daughters:
            node_of[d] = len(session.state.nodes)
            assert place_cell(session, d) == "place"


def test_the_root_comes_first_and_only_once() -> None:
    session = a_session()
    assert click(session, (10, 10)) == "place"
    assert session.state.nodes == (Node(0, 10, 10, None),)
    assert click(session, (200, 200)) == "none"
    assert click(session, (13, 12)) == "select"
    assert session.state.selected == 0


def test_a_division_takes_a_parent_and_two_daughters() -> None:
    session = a_session()
    annotate(session, 1)
    state = session.state
    assert [node.parent for node in state.nodes] == [None, 0, 0]
    assert state.families == ((1, 2), (), ())
    assert state.selected is None


def test_a_daughter_is_placed_in_a_later_frame_than_its_parent() -> None:
    session = a_session()
    place_cell(session, 0)
    click(session, task_of(session).cell_xy(0, 0))
    assert session.state.selected == 0
    assert click(session, (50, 50)) == "none"
    go_to(session, 1)
    assert click(session, (50, 50)) == "place"


def test_a_cell_that_has_divided_cannot_be_chosen_again() -> None:
    session = a_session()
    annotate(session, 1)
    task = task_of(session)
    go_to(session, 0)
    assert click(session, task.cell_xy(0, 0)) == "none"
    assert set(task.rings(session.state)) == {0}
    go_to(session, task.world.cells[0].last + 1)
    assert set(task.rings(session.state)) == {1, 2}


def test_a_ring_follows_its_nucleus_and_then_waits() -> None:
    session = a_session(seed=2)
    place_cell(session, 0)
    task, node = task_of(session), session.state.nodes[0]
    last = task.world.cells[0].last
    for frame in range(last + 1):
        x, y = task.cell_xy(frame, 0)
        assert np.hypot(*np.subtract(task.ring_xy(node, frame), (x, y))) <= 1.5
        assert not task.ring_waits(node, frame)
    assert task.ring_xy(node, last + 1) == task.ring_xy(node, last)
    assert task.ring_waits(node, last + 1)


def test_a_ring_on_nothing_stays() -> None:
    session = a_session()
    click(session, (5, 5))
    task, node = task_of(session), session.state.nodes[0]
    assert {task.ring_xy(node, frame) for frame in range(16)} == {(5, 5)}
    assert not task.ring_waits(node, 15)


def test_undo_takes_back_choices_and_placements_and_returns_to_their_frame() -> None:
    session = a_session()
    annotate(session, 1)
    after = session.state
    go_to(session, 12)
    for nodes, selected in ((2, 0), (1, 0), (1, None), (0, None)):
        assert session.apply(session.click_for("undo")).action == "undo"
        assert (len(session.state.nodes), session.state.selected) == (nodes, selected)
    assert session.state.frame == 0
    assert session.apply(session.click_for("undo")).action == "none"
    while session.can_redo:
        session.redo()
    assert (session.state.nodes, session.state.families) == (after.nodes, after.families)
    assert session.state.undos == 4


def test_clicks_off_the_canvas_and_useless_buttons_do_nothing() -> None:
    session = a_session()
    for aim in ("previous_frame", "undo"):
        assert session.apply(session.click_for(aim)).action == "none"
    panel = session.screen.layout.panel
    assert panel is not None
    assert session.apply(panel.centre).action == "none"
    go_to(session, 15)
    assert session.apply(session.click_for("next_frame")).action == "none"
    assert session.state.frame == 15


def test_nothing_happens_after_done() -> None:
    session = a_session()
    session.apply(session.click_for("done"))
    assert session.terminated
    assert session.state.terminated
    assert place_cell(session, 0) == "none"
    assert task_of(session).apply(session.state, Action("place", (3, 3))) is session.state


def test_actions_that_do_not_exist_are_refused() -> None:
    session = a_session()
    with pytest.raises(TaskError, match="rotate"):
        session.task.apply(session.state, Action("rotate"))
    with pytest.raises(TaskError, match="undo"):
        session.task.retrace(session.state, session.state, Action("undo"))


def test_the_number_of_nodes_has_an_end() -> None:
    session = a_session()
    annotate(session, 0)
    rng = np.random.default_rng(0)
    go_to(session, 1)
    for _ in range(600):
        rings = list(task_of(session).rings(session.state))
        if session.state.selected is None and rings:
            node = session.state.nodes[int(rng.choice(rings))]
            click(session, task_of(session).ring_xy(node, session.state.frame))
        click(session, rng.integers(20, 230, 2))
        if rng.random() < 0.2:
            go_to(session, min(15, session.state.frame + 1))
    assert len(session.state.nodes) <= 64
    assert session.task.score(session.state)["success"] is False


def score_after(session: Session) -> dict[str, Any]:
    session.apply(session.click_for("done"))
    return session.task.score(session.state)


def test_everything_right_is_a_success() -> None:
    session = a_session(seed=4)
    annotate(session, 12)
    before = session.task.score(session.state)
    assert before["success"] is False
    score = score_after(session)
    assert score["success"] is True
    for name in ("precision", "recall", "f1", "edge_f1", "division_f1"):
        assert score[name] == 1.0
    assert (score["nodes"], score["divisions"], score["found"]) == (25, 12, 25)
    assert score["rmse_px"] < 1.0
    assert score["root"] is True


def test_half_a_lineage_scores_half() -> None:
    session = a_session(seed=4)
    annotate(session, 6)
    score = score_after(session)
    assert score["success"] is False
    assert (score["precision"], score["edge_precision"]) == (1.0, 1.0)
    assert score["recall"] == pytest.approx(13 / 25)
    assert score["edge_recall"] == pytest.approx(0.5)
    assert score["division_recall"] == pytest.approx(0.5)


def test_nothing_placed_scores_nothing() -> None:
    score = score_after(a_session())
    assert (score["f1"], score["edge_f1"], score["division_f1"]) == (0.0, 0.0, 0.0)
    assert (score["success"], score["done"], score["root"]) == (False, True, False)


def test_daughters_of_the_wrong_parent_are_found_cells_but_wrong_edges() -> None:
    session = a_session(seed=4)
    annotate(session, 1)
    task = task_of(session)
    second, third = task.world.divisions[1:3]
    frame = max(second.last, third.last) + 1
    go_to(session, frame)
    swapped = {second.index: third, third.index: second}
    for node, state_node in enumerate(session.state.nodes[1:], start=1):
        cell = task.cell_under(state_node.frame, (state_node.x, state_node.y), 5.0)
        assert cell in swapped
        click(session, task.ring_xy(session.state.nodes[node], session.state.frame))
        for d in swapped[cell].daughters:
            place_cell(session, d, frame)
    score = score_after(session)
    assert score["precision"] == 1.0
    assert score["edge_precision"] == pytest.approx(2 / 6)
    assert score["division_precision"] == pytest.approx(1 / 3)


def test_a_node_that_is_6_px_off_is_none() -> None:
    session = a_session()
    x, y = task_of(session).cell_xy(0, 0)
    click(session, (x + 6, y + 2))
    score = score_after(session)
    assert (score["found"], score["false"], score["missed"]) == (0, 1, 25)
    assert score["rmse_px"] == 5.0


def test_a_division_marked_late_is_wrong_though_its_edges_are_right() -> None:
    session = a_session(seed=4)
    task = task_of(session)
    place_cell(session, 0)
    a, b = task.world.cells[0].daughters
    late = task.world.cells[a].birth + 2
    go_to(session, late)
    click(session, task.ring_xy(session.state.nodes[0], late))
    place_cell(session, a, late)
    place_cell(session, b, late)
    score = score_after(session)
    assert score["edge_precision"] == 1.0
    assert score["division_precision"] == 0.0


def test_the_screen_says_what_to_do_next() -> None:
    session = a_session()
    task = session.task

    def hint() -> str:
        return str(task.content(session.state).hint)

    assert "first cell" in hint()
    place_cell(session, 0)
    assert "parent" in hint()
    click(session, task_of(session).cell_xy(0, 0))
    assert "division" in hint()
    go_to(session, task_of(session).world.cells[0].last + 1)
    assert "first daughter" in hint()
    place_cell(session, 1)
    assert "second daughter" in hint()
    place_cell(session, 2)
    go_to(session, 15)
    assert "Done" in hint()


def test_the_chosen_parent_stands_out_and_waiting_rings_are_faint() -> None:
    session = a_session()
    place_cell(session, 0)
    task = task_of(session)
    go_to(session, task.world.cells[0].last + 1)
    (faint,) = task.content(session.state).markers
    assert faint.alpha < 1
    click(session, (faint.x, faint.y))
    markers = task.content(session.state).markers
    assert len(markers) == 3
    assert {marker.colour for marker in markers[1:]} == {(255, 255, 255)}


def test_new_daughters_are_joined_to_where_their_parent_was() -> None:
    session = a_session()
    annotate(session, 1)
    task = task_of(session)
    shapes = task.content(session.state).shapes
    parent = task.ring_xy(session.state.nodes[0], session.state.frame)
    assert [(line.x0, line.y0) for line in shapes] == [parent, parent]
    go_to(session, session.state.frame + 3)
    assert task.content(session.state).shapes == ()


def test_the_tree_is_drawn_anew_only_when_it_grew() -> None:
    session = a_session()
    empty = session.task.content(session.state).panel
    go_to(session, 3)
    assert session.task.content(session.state).panel is empty
    go_to(session, 0)
    place_cell(session, 0)
    assert session.task.content(session.state).panel is not empty


def test_a_tree_has_a_branch_for_each_cell() -> None:
    tree = draw_tree([(0, None), (4, 0), (4, 0), (8, 2)], 16)
    assert tree.shape == (*PANEL_HW, 3)
    colours = {tuple(c) for c in tree.reshape(-1, 3).tolist()}
    assert {node_colour(i) for i in range(4)} <= colours
    assert node_colour(4) not in colours
    height = PANEL_HW[0]
    root = (tree == node_colour(0)).all(-1)
    assert root[: height // 3].any()
    assert not root[height // 2 :].any()


def layers_of(state: LineageState | None, task: CellLineage) -> dict[str, Any]:
    return {attributes["name"]: (data, attributes) for data, attributes, _ in task.layers(state)}


def test_layers_show_the_recording_and_hide_the_truth() -> None:
    session = a_session()
    annotate(session, 2)
    task = task_of(session)
    layers = layers_of(session.state, task)
    assert layers["nuclei"][0].shape == (16, 256, 256)
    assert (layers["nuclei"][0][0] == task.content(task.initial_state()).canvas).all()
    tracks, attributes = layers["true lineage"]
    assert attributes["visible"] is False
    assert set(attributes["graph"]) == set(range(1, 25))
    assert attributes["graph"][1] == [0]
    assert np.lexsort((tracks[:, 1], tracks[:, 0])).tolist() == list(range(len(tracks)))
    assert all(len(column) == len(tracks) for column in attributes["properties"].values())
    assert layers["marked cells"][0].shape == (5, 3)
    for name in ("marked cells", "true cells"):
        data, look = layers[name]
        assert look["face_color"] == "transparent", "the nuclei are seen through rings"
        assert look["border_color"].shape == (len(data), 4)
    rings = layers["marked cells"][1]["border_color"]
    assert (rings[1] * 255).round().tolist() == [*node_colour(1), 255]
    marked, attributes = layers["marked lineage"]
    assert set(marked[:, 0]) == set(range(5))
    assert set(attributes["graph"]) == {1, 2, 3, 4}
    assert "marked lineage" not in layers_of(task.initial_state(), task)
    assert "marked cells" not in layers_of(None, task)


def test_options_reach_the_world() -> None:
    task = make_task("cell_lineage", 1, cells=5, frames=9, variant="split")
    assert isinstance(task, CellLineage)
    assert (len(task.world.cells), task.world.frames) == (9, 9)
    assert task.variant.name == "split"
    with pytest.raises(UsageError, match="cells"):
        bc.make("cell_lineage", cells=99).reset(seed=0)
