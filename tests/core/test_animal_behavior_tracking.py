"""Behavioural tracking: what clicks mean, what is shown, how it is scored."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from clicking import click, follows_the_plain_model
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import TaskError
from bcannot_core.screen import Disc, Line
from bcannot_core.session import Action
from bcannot_core.session.session import Session
from bcannot_core.tasks.animal_behavior_tracking import (
    COLOURS,
    AnimalBehaviorTracking,
    BehaviorState,
)
from bcannot_core.tasks.behavior_score import identity_switches, marks_array, owners
from bcannot_core.tasks.edits import finished
from bcannot_core.tasks.registry import make_task

NUMBER = 5


def behavior_task(seed: int = 0, **options: Any) -> AnimalBehaviorTracking:
    given_ = {"kind": "fish", "animals": NUMBER, "frames": 3, **options}
    task = make_task("animal_behavior_tracking", seed, **given_)
    assert isinstance(task, AnimalBehaviorTracking)
    return task


def make_session(**options: Any) -> Session:
    return Session(behavior_task(**options))


def solved(task: AnimalBehaviorTracking, order: Any = None, shift: int = 0) -> BehaviorState:
    ends = np.rint(task.world.ends_xy).astype(int)
    ends = ends[:, list(order) if order is not None else slice(None)] + [shift, 0]
    marks = tuple(
        tuple(tuple((int(x), int(y)) for x, y in pair) for pair in frame) for frame in ends
    )
    return finished(replace(task.initial_state(), marks=marks))


def test_an_animal_is_selected_and_its_ends_are_marked() -> None:
    session = make_session()
    assert click(session, (50, 60)) == ["none"]
    assert click(session, "animal_2", (50, 60), "back", (70, 60)) == [
        "select", "place", "tab", "place",
    ]  # fmt: skip
    assert session.state.marks[0][2] == ((50, 60), (70, 60))
    assert session.state.marks[0][0] == (None, None)
    assert click(session, "animal_2", "back", (70, 60)) == ["none"] * 3
    assert click(session, (71, 61)) == ["place"]
    assert session.state.marks[0][2] == ((50, 60), (71, 61))


def test_frames_keep_the_selection() -> None:
    session = make_session()
    assert click(session, "previous_frame") == ["none"]
    click(session, "animal_1", "back", "next_frame", "next_frame")
    state = session.state
    assert (state.frame, state.animal, state.end) == (2, 1, 1)
    assert click(session, "next_frame") == ["none"]


def test_undo_returns_to_frame_animal_and_tab() -> None:
    session = make_session()
    assert click(session, "undo") == ["none"]
    click(session, "animal_1", "back", (50, 60), "next_frame", "front", "animal_3")
    assert click(session, "undo") == ["undo"]
    state = session.state
    assert (state.frame, state.animal, state.end) == (0, 1, 1)
    assert state.marks == session.task.initial_state().marks
    assert (state.edits, state.undos) == (1, 1)


@pytest.mark.parametrize("away", [(), ("next_frame",), ("front",), ("animal_4", "next_frame")])
def test_redo_goes_back_and_marks_again(away: tuple[str, ...]) -> None:
    session = make_session()
    click(session, "animal_1", "back", (50, 60), "undo", *away)
    assert session.redo()[-1].action == "place"
    assert session.state.marks[0][1] == (None, (50, 60))
    with pytest.raises(TaskError, match="cannot redo 'tab'"):
        session.task.retrace(session.state, session.state, Action("tab"))


def test_after_done_nothing_happens() -> None:
    session = make_session()
    click(session, "animal_0", "done")
    assert session.terminated
    assert click(session, (9, 9), "next_frame", "back", "animal_1", "done") == ["none"] * 5


STEPS = st.one_of(
    st.sampled_from(
        ["next_frame", "previous_frame", "undo", "front", "back"]
        + [f"animal_{i}" for i in range(NUMBER)]
    ),
    st.tuples(st.integers(0, 255), st.integers(0, 255)),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(STEPS, max_size=40))
def test_whatever_is_clicked_the_marks_follow_the_obvious_model(steps: list[Any]) -> None:
    def placed_in(state: BehaviorState) -> Any:
        return {
            (f, i, e): point
            for f, marks in enumerate(state.marks)
            for i, ends in enumerate(marks)
            for e, point in enumerate(ends)
            if point is not None
        }

    follows_the_plain_model(
        make_session(), steps, lambda state: (state.frame, state.animal, state.end), placed_in
    )


def test_the_screen_says_what_comes_next() -> None:
    session = make_session(frames=1)

    def hint() -> str:
        return session.task.content(session.state).hint

    assert hint() == "select an animal"
    click(session, "animal_0")
    assert hint() == "animal 1: click its head"
    click(session, (30, 30))
    assert hint() == "animal 1: choose Back"
    click(session, "back")
    assert hint() == "animal 1: click its tail end"
    click(session, (60, 30))
    assert hint() == "select the next animal"
    content = session.task.content(session.state)
    assert content.ticked == {"animal_0"}
    assert content.pressed == {"animal_0", "back"}
    assert content.status == ("frame 1/1", "2/10")
    for i in range(1, NUMBER):
        click(session, f"animal_{i}", (30, 30 + 30 * i), "front", (60, 30 + 30 * i), "back")
    content = session.task.content(session.state)
    assert content.hint == "all marked: Done"
    assert content.progress == 1.0


def test_marks_are_drawn_and_those_of_the_frame_before_shown() -> None:
    session = make_session()
    click(session, "animal_1", (30, 40), "back", (60, 45))
    shapes = session.task.content(session.state).shapes
    assert Line(60, 45, 30, 40, COLOURS[1]) in shapes
    assert Disc(30, 40, 3, COLOURS[1]) in shapes
    click(session, "next_frame")
    content = session.task.content(session.state)
    assert content.shapes == ()
    assert [marker[:2] for marker in content.markers] == [(30, 40), (60, 45)]
    click(session, "animal_2")
    assert session.task.content(session.state).markers == ()


@pytest.mark.parametrize("kind", ["insect", "fish", "crawler"])
@pytest.mark.parametrize("order", [None, (3, 1, 4, 0, 2)])
def test_the_true_marks_succeed_whatever_the_numbers(kind: str, order: Any) -> None:
    task = behavior_task(kind=kind)
    score = task.score(solved(task, order))
    assert score["success"] is True
    assert score["f1"] == score["completion"] == 1.0
    assert score["rmse_px"] < 0.8
    assert score["swapped_ends"] == score["identity_switches"] == 0
    assert score[f"animal_{NUMBER}_back_error_px"] < 0.8


def test_what_keeps_an_annotation_from_success() -> None:
    task = behavior_task()
    right = solved(task)
    assert task.score(replace(right, terminated=False))["success"] is False
    off = task.score(solved(task, shift=7))
    assert (off["f1"], off["success"]) == (0.0, False)
    assert off["front_error_px"] == pytest.approx(7, abs=0.5)
    front, back = right.marks[0][0]
    marks = (((front, None), *right.marks[0][1:]), *right.marks[1:])
    score = task.score(replace(right, marks=marks))
    assert (score["precision"], score["success"]) == (1.0, False)
    assert score["recall"] == score["completion"] == pytest.approx(29 / 30)
    marks = (((back, front), *right.marks[0][1:]), *right.marks[1:])
    score = task.score(replace(right, marks=marks))
    assert (score["swapped_ends"], score["identity_switches"]) == (2, 0)
    assert score["f1"] == pytest.approx(28 / 30)
    nothing = task.score(task.initial_state())
    assert (nothing["f1"], nothing["front_error_px"], nothing["success"]) == (0.0, 5.0, False)


def test_numbers_that_change_animals_are_told() -> None:
    task = behavior_task()
    right = solved(task)
    one, two, *rest = right.marks[2]
    marks = (*right.marks[:2], (two, one, *rest))
    score = task.score(replace(right, marks=marks))
    assert score["identity_switches"] == 2
    assert score["f1"] == pytest.approx(26 / 30)
    assert score["success"] is False


def test_owners_are_those_that_most_marks_are_on() -> None:
    task = behavior_task()
    truth = task.world.ends_xy
    order = (2, 0, 1, 4, 3)
    placed = marks_array(solved(task, order).marks)
    assert owners(placed, truth).tolist() == list(order)
    assert identity_switches(placed, truth) == 0
    placed[:, 1:] = np.nan
    assert owners(placed, truth).tolist()[0] == 2
    assert sorted(owners(placed, truth).tolist()) == list(range(NUMBER))
    placed[:] = np.nan
    assert owners(placed, truth).tolist() == list(range(NUMBER))


def test_layers_show_video_truth_tracks_and_annotation() -> None:
    task = behavior_task()
    layers = {
        attributes["name"]: (data, attributes, kind)
        for data, attributes, kind in task.layers(solved(task))
    }
    video, look, kind = layers["fish video"]
    assert (kind, video.shape, look["rgb"]) == ("image", (3, 256, 256, 3), True)
    bodies, look, kind = layers["bodies"]
    assert (kind, bodies.shape, look["visible"]) == ("shapes", (15, 2, 3), False)
    np.testing.assert_allclose(bodies[NUMBER + 2, 0], [1, *task.world.ends_xy[1, 2, 0, ::-1]])
    ends, look, kind = layers["fronts and backs"]
    assert (kind, ends.shape, look["visible"]) == ("points", (30, 3), False)
    assert look["features"]["animal"][:4].tolist() == [1, 1, 2, 2]
    assert look["features"]["end"][:2] == ["front", "back"]
    tracks, look, kind = layers["animal tracks"]
    assert (kind, tracks.shape, look["visible"]) == ("tracks", (15, 4), False)
    assert (np.diff(tracks[:, 0]) >= 0).all()
    placed, look, kind = layers["annotation"]
    assert (kind, placed.shape, look["visible"]) == ("points", (30, 3), True)
    assert np.abs(placed - ends).max() <= 0.5
    assert len(task.layers()) == 4
    assert task.layers(task.initial_state())[-1][0].shape == (0, 3)
