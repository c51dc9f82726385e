"""Neuron tracking: what clicks do, what is shown, and how it is scored."""

from typing import Any

import numpy as np
import pytest

from bcannot_core.errors import TaskError
from bcannot_core.session import Action, Session
from bcannot_core.tasks.neuron_tracking import NeuronTracking, item_id, neuron_colour
from bcannot_core.tasks.registry import make_task


def a_session(seed: int = 0, **options: Any) -> Session:
    return Session(make_task("neuron_tracking", seed, **options))


def task_of(session: Session) -> NeuronTracking:
    assert isinstance(session.task, NeuronTracking)
    return session.task


def press(session: Session, name: str) -> str:
    return session.apply(session.click_for(name)).action


def click(session: Session, xy: tuple[float, float]) -> str:
    return session.apply(session.click_for((round(xy[0]), round(xy[1])))).action


def go_to(session: Session, group: int) -> None:
    while session.state.group != group:
        press(session, "next_frame" if session.state.group < group else "previous_frame")


def place(session: Session, group: int, neuron: int, where: int | None = None) -> str:
    """Place a neuron in a group, where it is or where another one is."""
    go_to(session, group)
    press(session, item_id(neuron))
    return click(session, task_of(session).true_xy(group, neuron if where is None else where))


def annotate(session: Session, groups: int) -> None:
    for group in range(1, groups + 1):
        for neuron in range(task_of(session).world.neurons):
            assert place(session, group, neuron) == "place"


def score_after(session: Session) -> dict[str, Any]:
    press(session, "done")
    return session.task.score(session.state)


def test_nothing_can_be_placed_in_the_reference() -> None:
    session = a_session()
    assert press(session, item_id(0)) == "none"
    assert click(session, (100, 100)) == "none"
    assert press(session, "previous_frame") == "none"
    assert session.state.group == 0


def test_a_neuron_is_chosen_then_placed_and_can_be_moved() -> None:
    session = a_session()
    press(session, "next_frame")
    assert click(session, (100, 100)) == "none"
    assert press(session, item_id(2)) == "select"
    assert press(session, item_id(2)) == "none"
    assert click(session, (100, 100)) == "place"
    assert click(session, (100, 100)) == "none"
    assert click(session, (120, 90)) == "place"
    assert session.state.placed[1][2] == (120, 90)
    assert sum(at is not None for group in session.state.placed for at in group) == 1


def test_another_group_begins_without_a_choice() -> None:
    session = a_session()
    press(session, "next_frame")
    press(session, item_id(1))
    press(session, "next_frame")
    assert session.state.selected is None
    assert click(session, (50, 50)) == "none"


def test_undo_returns_to_the_group_and_the_choice() -> None:
    session = a_session()
    place(session, 1, 3)
    place(session, 2, 0)
    after = session.state
    go_to(session, 4)
    assert press(session, "undo") == "undo"
    assert (session.state.group, session.state.selected) == (2, 0)
    assert press(session, "undo") == "undo"
    assert (session.state.group, session.state.selected) == (1, 3)
    assert press(session, "undo") == "none"
    press(session, "next_frame")
    while session.can_redo:
        assert session.redo()[-1].action == "place"
    assert session.state.placed == after.placed


def test_nothing_happens_after_done() -> None:
    session = a_session()
    press(session, "next_frame")
    press(session, "done")
    assert press(session, item_id(0)) == "none"
    assert task_of(session).apply(session.state, Action("next_frame")) is session.state


def test_actions_that_do_not_exist_are_refused() -> None:
    session = a_session()
    for action in (Action("rotate"), Action("select", None, "neuron_99"), Action("place", (1, 1))):
        with pytest.raises(TaskError, match="knows no action"):
            session.task.apply(session.state, action)
    with pytest.raises(TaskError, match="cannot redo"):
        session.task.retrace(session.state, session.state, Action("undo"))


def test_the_list_has_an_item_for_each_neuron() -> None:
    for count in (2, 7, 12):
        session = a_session(neurons=count, groups=2)
        items = [spec for spec in session.screen.layout.specs if spec.kind == "item"]
        assert [spec.label for spec in items] == [f"Neuron {i + 1}" for i in range(count)]
        assert len({spec.swatch for spec in items}) == count
        annotate(session, 1)
        assert score_after(session)["success"] is True


def test_everything_right_is_a_success() -> None:
    session = a_session(seed=1)
    annotate(session, 4)
    assert session.task.score(session.state)["success"] is False
    score = score_after(session)
    for name in ("precision", "recall", "f1", "identity_f1", "groups_complete"):
        assert score[name] == 1.0
    assert score["success"] is True
    assert score["rmse_px"] < 1.0


def test_half_of_the_groups_score_half() -> None:
    session = a_session(seed=1)
    annotate(session, 2)
    score = score_after(session)
    assert (score["precision"], score["recall"], score["groups_complete"]) == (1.0, 0.5, 0.5)
    assert score["success"] is False


def test_swapped_numbers_are_found_points_but_wrong_identities() -> None:
    session = a_session(seed=1, neurons=6, groups=2)
    annotate(session, 1)
    place(session, 1, 0, where=1)
    place(session, 1, 1, where=0)
    score = score_after(session)
    assert (score["f1"], score["groups_complete"]) == (1.0, 0.0)
    assert score["identity_f1"] == pytest.approx(4 / 6)
    assert score["success"] is False


def test_a_point_counts_in_its_own_group_and_within_5_px() -> None:
    session = a_session(seed=1, neurons=2, groups=3)
    go_to(session, 1)
    press(session, item_id(0))
    x, y = task_of(session).true_xy(2, 0)
    click(session, (x, y))
    assert session.task.score(session.state)["found"] == 0
    x, y = task_of(session).true_xy(1, 0)
    click(session, (x + 6, y))
    assert session.task.score(session.state)["found"] == 0
    click(session, (x + 4, y))
    score = session.task.score(session.state)
    assert (score["found"], score["missed"], score["false"]) == (1, 3, 0)
    assert score["rmse_px"] == pytest.approx(4, abs=0.6)


def test_nothing_placed_scores_nothing() -> None:
    score = score_after(a_session())
    assert (score["f1"], score["identity_f1"], score["success"]) == (0.0, 0.0, False)
    assert score["done"] is True


def content(session: Session) -> Any:
    return session.task.content(session.state)


def test_the_reference_shows_every_neuron_with_its_number() -> None:
    session = a_session()
    shown = content(session)
    count = task_of(session).world.neurons
    assert [shape.text for shape in shown.shapes] == [str(i + 1) for i in range(count)]
    for i, marker in enumerate(shown.markers):
        assert marker.colour == neuron_colour(i)
        away = np.subtract(task_of(session).true_xy(0, i), (marker.x, marker.y))
        assert np.hypot(*away) < 1
    assert {item_id(i) for i in range(count)} <= shown.disabled


def test_a_faint_ring_shows_where_the_chosen_neuron_was() -> None:
    session = a_session()
    press(session, "next_frame")
    assert content(session).markers == ()
    press(session, item_id(4))
    (ghost,) = content(session).markers
    assert ghost.alpha < 1
    assert np.hypot(*np.subtract(task_of(session).true_xy(0, 4), (ghost.x, ghost.y))) < 1
    place(session, 1, 4)
    (ring,) = content(session).markers
    assert ring.alpha == 1
    press(session, "next_frame")
    press(session, item_id(4))
    (ghost,) = content(session).markers
    assert (ghost.x, ghost.y) == (ring.x, ring.y)


def test_placed_neurons_are_ticked_and_the_chosen_one_looks_pressed() -> None:
    session = a_session()
    place(session, 1, 2)
    place(session, 1, 5)
    assert content(session).ticked == {item_id(2), item_id(5)}
    assert content(session).pressed == {item_id(5)}
    go_to(session, 2)
    assert content(session).ticked == content(session).pressed == frozenset()


def test_the_screen_says_what_to_do_next() -> None:
    session = a_session(groups=2)
    hints = [content(session).hint]
    press(session, "next_frame")
    hints.append(content(session).hint)
    press(session, item_id(0))
    hints.append(content(session).hint)
    annotate(session, 1)
    hints.append(content(session).hint)
    for hint, word in zip(hints, ("Learn", "list", "neuron 1", "Done"), strict=True):
        assert word in hint


def test_the_small_reference_has_the_colours_of_the_list() -> None:
    session = a_session()
    panel = content(session).panel
    colours = {tuple(c) for c in panel.reshape(-1, 3).tolist()}
    assert {neuron_colour(i) for i in range(task_of(session).world.neurons)} <= colours
    press(session, "next_frame")
    assert content(session).panel is panel


def test_layers_show_the_groups_and_hide_the_truth() -> None:
    session = a_session()
    place(session, 1, 2)
    place(session, 3, 0)
    task = task_of(session)
    count = task.world.neurons
    layers = {
        attributes["name"]: (data, attributes, kind)
        for data, attributes, kind in task.layers(session.state)
    }
    assert layers["neurons"][0].shape == (5, 256, 256)
    points, attributes, kind = layers["true neurons"]
    assert (points.shape, kind, attributes["visible"]) == ((5 * count, 3), "points", False)
    assert attributes["properties"]["neuron"].tolist() == [*range(1, count + 1)] * 5
    tracks = layers["true identities"][0]
    assert np.lexsort((tracks[:, 1], tracks[:, 0])).tolist() == list(range(len(tracks)))
    second = tracks[tracks[:, 0] == 2][:, 2:]
    assert np.allclose(second, task.world.yx[:, 1])
    assert layers["other neurons"][1]["face_color"] == "transparent"
    placed, attributes, _ = layers["placed neurons"]
    assert attributes["face_color"] == "transparent"
    assert (attributes["border_color"][1] * 255).round().tolist() == [*neuron_colour(0), 255]
    assert placed[:, 0].tolist() == [1, 3]
    assert attributes["properties"]["neuron"].tolist() == [3, 1]
    assert "placed neurons" not in [attributes["name"] for _, attributes, _ in task.layers()]
