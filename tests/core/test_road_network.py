"""Road network construction: what clicks do, the score, the screen and the layers."""

import numpy as np
import pytest

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.screen import Line
from bcannot_core.session import Action, Session
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.road_network import RoadNetwork, RoadState


def session(seed: int = 0, **options: object) -> Session:
    return Session(make_task("road_network", seed, **options))


def click(under: Session, *aims: object) -> list[str]:
    return [under.apply(under.click_for(aim)).action for aim in aims]


def perfect_state(task: RoadNetwork, **changes: object) -> RoadState:
    nodes = tuple((round(x), round(y)) for x, y in task.world.graph.nodes)
    return RoadState(**{"nodes": nodes, "edges": task.world.graph.edges, "terminated": True,
                        **changes})  # fmt: skip


def test_nodes_are_placed_in_node_mode_and_joined_in_edge_mode() -> None:
    under = session()
    assert click(under, (50, 60), (120, 60), (120, 140)) == ["place"] * 3
    assert under.state.nodes == ((50, 60), (120, 60), (120, 140))
    assert click(under, "edge_mode", (52, 62), (120, 138)) == ["edge_mode", "select", "connect"]
    assert under.state.edges == ((0, 2),)
    assert under.state.chosen is None
    assert click(under, "node_mode", (200, 200)) == ["node_mode", "place"]


def test_clicks_without_effect_leave_the_state_as_it_was() -> None:
    under = session()
    assert click(under, "node_mode", "edge_mode", "undo") == ["none"] * 3
    click(under, (50, 60), (120, 60))
    before = under.state
    assert click(under, (56, 62)) == ["none"]
    assert click(under, "edge_mode", "edge_mode", (200, 200)) == ["edge_mode", "none", "none"]
    assert under.state.nodes == before.nodes
    click(under, (50, 60), (120, 60), (120, 60))
    assert under.state.edges == ((0, 1),)
    assert under.state.chosen == 1
    assert click(under, (50, 60)) == ["none"]
    assert under.state.edges == ((0, 1),)


def test_a_selection_can_be_let_go() -> None:
    under = session()
    click(under, (50, 60), (120, 60), "edge_mode")
    for again in ((50, 60), (200, 220)):
        assert click(under, (51, 61), again) == ["select", "deselect"]
        assert under.state.chosen is None
    click(under, (51, 61), "node_mode")
    assert under.state.chosen is None


def test_undo_takes_back_the_last_edit_and_returns_to_its_mode() -> None:
    under = session()
    click(under, (50, 60), (120, 60), "edge_mode", (50, 60), (120, 60), "node_mode", (200, 200))
    assert click(under, "undo") == ["undo"]
    assert (under.state.mode, len(under.state.nodes)) == ("node_mode", 2)
    click(under, "undo")
    assert (under.state.mode, under.state.edges, under.state.chosen) == ("edge_mode", (), 0)
    click(under, "undo")
    assert (under.state.mode, under.state.nodes) == ("node_mode", ((50, 60),))
    assert (under.state.edits, under.state.undos) == (4, 3)


def test_everything_undone_can_be_done_again_from_anywhere() -> None:
    under = session()
    click(
        under, (50, 60), (120, 60), (90, 150), "edge_mode", (50, 60), (120, 60), (90, 150), (50, 60)
    )
    goal = under.state
    for _ in range(5):
        under.undo()
    assert under.state.nodes == ()
    while under.can_redo:
        under.redo()
    assert (under.state.nodes, under.state.edges) == (goal.nodes, goal.edges)
    under.undo()
    click(under, (90, 150), (120, 60))
    assert under.state.chosen is None or under.state.edges != goal.edges


def test_a_redo_of_an_edge_starts_from_its_own_node() -> None:
    under = session()
    click(under, (50, 60), (120, 60), (90, 150), "edge_mode", (50, 60), (120, 60))
    under.undo()
    click(under, (200, 30), (90, 150))
    assert under.state.chosen == 2
    under.redo()
    assert under.state.edges == ((0, 1),)
    under.undo()
    click(under, "node_mode")
    under.redo()
    assert under.state.edges == ((0, 1),)
    with pytest.raises(TaskError, match="cannot redo"):
        under.task.retrace(under.state, under.state, Action("node_mode"))


def test_the_true_graph_scores_full_marks_only_when_done() -> None:
    task = make_task("road_network", 3)
    score = task.score(perfect_state(task))
    assert score["success"]
    assert score["node_f1"] == score["edge_f1"] == score["connectivity"] == 1.0
    assert score["node_rmse_px"] < 1
    assert not task.score(perfect_state(task, terminated=False))["success"]


def test_what_is_missing_or_too_much_costs_marks() -> None:
    task = make_task("road_network", 3)
    edges = task.world.graph.edges
    nodes = perfect_state(task).nodes
    fewer = task.score(perfect_state(task, edges=edges[1:]))
    assert fewer["edge_recall"] == pytest.approx((len(edges) - 1) / len(edges))
    assert fewer["edge_precision"] == 1.0
    absent = next(
        (a, b) for b in range(len(nodes)) for a in range(b) if (a, b) not in task.world.graph.edges
    )
    more = task.score(perfect_state(task, edges=(*edges, absent)))
    assert more["edge_precision"] < 1.0
    assert more["edge_recall"] == 1.0
    moved = ((nodes[0][0] + 9, nodes[0][1]), *nodes[1:])
    off = task.score(perfect_state(task, nodes=moved))
    assert off["node_recall"] == pytest.approx((len(nodes) - 1) / len(nodes))
    empty = task.score(RoadState(terminated=True))
    assert empty["node_f1"] == empty["edge_f1"] == empty["connectivity"] == 0.0
    assert not any(score["success"] for score in (fewer, more, off, empty))


def test_the_screen_says_what_to_do_and_shows_what_there_is() -> None:
    under = session()
    task = under.task
    content = task.content(under.state)
    assert content.pressed == {"node_mode"}
    assert content.disabled == {"undo", "edge_mode"}
    assert content.status == ("Nodes 0", "Edges 0")
    assert "junction" in content.hint
    click(under, (50, 60), (120, 60), "edge_mode", (50, 60))
    chosen = task.content(under.state)
    assert chosen.pressed == {"edge_mode"}
    assert chosen.disabled == set()
    assert {(mark.x, mark.y) for mark in chosen.markers} == {(50, 60)}
    assert chosen.hint != content.hint
    click(under, (120, 60))
    joined = task.content(under.state)
    assert joined.status == ("Nodes 2", "Edges 1")
    assert joined.progress == 1.0
    assert [shape[:4] for shape in joined.shapes if isinstance(shape, Line)] == [(50, 60, 120, 60)]
    assert joined.canvas is content.canvas


def test_a_click_on_an_invalid_place_shows_and_undo_wipes_it() -> None:
    under = session(1)
    clean = under.frame().copy()
    click(under, (30, 30))
    assert (under.frame() != clean).any()
    click(under, "undo")
    assert (under.frame() == clean).all()


def test_layers_have_picture_truth_and_graph() -> None:
    under = session(2)
    click(under, (50, 60), (120, 60), "edge_mode", (50, 60), (120, 60))
    graph = under.task.world.graph
    layers = {attributes["name"]: (data, attributes, kind)
              for data, attributes, kind in under.task.layers(under.state)}  # fmt: skip
    picture, attributes, kind = layers["aerial picture"]
    assert (kind, attributes["rgb"], picture.shape) == ("image", True, (256, 256, 3))
    points, attributes, kind = layers["true nodes"]
    assert (kind, attributes["visible"], points.shape) == ("points", False, (len(graph.nodes), 2))
    assert points[0].tolist() == list(graph.nodes[0])[::-1]
    assert len(attributes["features"]["kind"]) == len(graph.nodes)
    lines, attributes, kind = layers["true edges"]
    assert (kind, attributes["visible"], len(lines)) == ("shapes", False, len(graph.edges))
    assert all(line.shape == (2, 2) for line in lines)
    placed, attributes, _ = layers["placed nodes"]
    assert (placed.tolist(), attributes["visible"]) == ([[60, 50], [60, 120]], True)
    assert layers["placed edges"][0][0].tolist() == [[60, 50], [60, 120]]
    assert len(under.task.layers()) == 3
    assert under.task.layers(under.task.initial_state())[-1][0].shape == (0, 2)


def test_options_reach_the_world_and_unknown_ones_are_refused() -> None:
    task = make_task("road_network", 1, least_nodes=5, most_nodes=6, variant="retro")
    assert 5 <= len(task.world.graph.nodes) <= 6
    assert task.variant.name == "retro"
    assert np.array_equal(task.world.nodes_xy, np.array(task.world.graph.nodes))
    with pytest.raises(UsageError, match="no option 'roads'"):
        make_task("road_network", 1, roads=3)
