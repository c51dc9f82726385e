"""Limb tracking: what clicks mean, what is shown, how it is scored."""

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
from bcannot_core.tasks.animal_limb_tracking import AnimalLimbTracking, LimbState
from bcannot_core.tasks.edits import finished
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.worlds.limb_anatomy import BIRD, SPIDER


def limb_task(seed: int = 0, **options: Any) -> AnimalLimbTracking:
    task = make_task("animal_limb_tracking", seed, **{"species": "bird", "frames": 3, **options})
    assert isinstance(task, AnimalLimbTracking)
    return task


def make_session(**options: Any) -> Session:
    return Session(limb_task(**options))


def solved(task: AnimalLimbTracking, shift: tuple[int, int] = (0, 0)) -> LimbState:
    poses = tuple(
        tuple((round(x) + shift[0], round(y) + shift[1]) for x, y in pose)
        for pose in task.points_xy.tolist()
    )
    return finished(replace(task.initial_state(), poses=poses, keypoint=None))


def test_a_tab_asks_for_its_keypoints_one_after_the_other() -> None:
    session = make_session()
    for k in range(5):
        assert session.state.keypoint == k
        assert click(session, (10 * k + 20, 30)) == ["place"]
    assert session.state.keypoint is None
    assert click(session, (200, 200)) == ["none"]
    assert click(session, "tab_2") == ["tab"]
    assert session.state.keypoint == 9
    assert session.state.poses[0][:5] == tuple((10 * k + 20, 30) for k in range(5))
    assert session.state.poses[1] == (None,) * BIRD.count


def test_an_item_selects_a_keypoint_to_move_it() -> None:
    session = make_session()
    click(session, (20, 30), (40, 30))
    assert click(session, "point_0", (21, 33)) == ["select", "place"]
    assert session.state.poses[0][0] == (21, 33)
    assert session.state.keypoint == 2, "on to the next missing one"
    assert click(session, "point_2", "tab_0") == ["none", "none"]


def test_the_same_place_again_is_no_edit() -> None:
    session = make_session()
    click(session, (20, 30), "point_0")
    assert click(session, (20, 30)) == ["none"]
    assert session.state.edits == 1


def test_frames_keep_the_tab() -> None:
    session = make_session()
    assert click(session, "previous_frame") == ["none"]
    click(session, "tab_1", "next_frame")
    assert (session.state.frame, session.state.tab, session.state.keypoint) == (1, 1, 5)
    click(session, "next_frame")
    assert click(session, "next_frame") == ["none"]


def test_undo_returns_to_frame_tab_and_keypoint() -> None:
    session = make_session()
    assert click(session, "undo") == ["none"]
    click(session, "tab_1", (50, 60), "next_frame", "tab_2")
    assert click(session, "undo") == ["undo"]
    state = session.state
    assert (state.frame, state.tab, state.keypoint) == (0, 1, 5)
    assert state.poses == session.task.initial_state().poses
    assert (state.edits, state.undos) == (1, 1)


AWAY = [(), ("next_frame",), ("tab_2",), ("point_3",), ("tab_0", "next_frame")]


@pytest.mark.parametrize("away", AWAY)
def test_redo_goes_back_and_places_again(away: tuple[str, ...]) -> None:
    session = make_session()
    click(session, "tab_1", (50, 60), (70, 60), "undo", *away)
    assert session.redo()[-1].action == "place"
    assert session.state.poses[0][6] == (70, 60)
    with pytest.raises(TaskError, match="cannot redo 'tab'"):
        session.task.retrace(session.state, session.state, Action("tab"))


def test_after_done_nothing_happens() -> None:
    session = make_session()
    click(session, "done")
    assert session.terminated
    assert click(session, (9, 9), "next_frame", "tab_1", "done") == ["none"] * 4


STEPS = st.one_of(
    st.sampled_from(
        ["next_frame", "previous_frame", "undo", *(f"tab_{t}" for t in range(3))]
        + [f"point_{i}" for i in range(5)]
    ),
    st.tuples(st.integers(0, 255), st.integers(0, 255)),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(STEPS, max_size=40))
def test_whatever_is_clicked_the_poses_follow_the_obvious_model(steps: list[Any]) -> None:
    def placed_in(state: LimbState) -> Any:
        if state.keypoint is not None:
            assert BIRD.tab_of[state.keypoint] == state.tab
        return {(f, k): p for f, pose in enumerate(state.poses) for k, p in enumerate(pose) if p}

    follows_the_plain_model(
        make_session(noise=0.0), steps, lambda state: (state.frame, state.keypoint), placed_in
    )


def test_the_screen_says_what_comes_next() -> None:
    session = make_session(frames=1)
    content = session.task.content(session.state)
    assert content.hint == "click: Body beak"
    assert content.status == ("frame 1/1", "0/13")
    assert content.pressed == {"tab_0", "point_0"}
    assert content.disabled == {"next_frame", "previous_frame", "undo"}
    click(session, *[(20 * k + 20, 40) for k in range(5)])
    content = session.task.content(session.state)
    assert content.hint == "Body complete: next tab"
    assert content.ticked == {"tab_0", *(f"point_{i}" for i in range(5))}
    for tab in (1, 2):
        click(session, f"tab_{tab}", *[(20 * k + 20, 80 * tab) for k in range(4)])
    content = session.task.content(session.state)
    assert content.hint == "frame complete: Done"
    assert content.progress == 1.0
    assert "point_4" in content.disabled


def test_placed_keypoints_are_drawn_and_joined() -> None:
    session = make_session()
    click(session, (20, 30), (60, 35), "next_frame", "previous_frame")
    shapes = session.task.content(session.state).shapes
    assert Disc(20, 30, 2, BIRD.tabs[0].colour) in shapes
    assert Line(20, 30, 60, 35, BIRD.tabs[0].colour) in shapes
    click(session, "next_frame")
    content = session.task.content(session.state)
    assert content.shapes == ()
    assert [marker[:2] for marker in content.markers] == [(20, 30)], "where it was before"


def test_tabs_and_points_are_those_of_the_species() -> None:
    buttons = {spec.id: spec for spec in limb_task(species="spider").buttons}
    assert [buttons[f"tab_{t}"].label for t in range(9)] == [tab.label for tab in SPIDER.tabs]
    assert "point_2" in buttons
    assert "point_3" not in buttons
    snake = {spec.id: spec for spec in limb_task(species="snake").buttons}
    assert snake["point_0"].label == "snout"
    assert "tab_1" not in snake


@pytest.mark.parametrize("species", ["bird", "spider", "snake", "insect"])
def test_the_true_keypoints_succeed(species: str) -> None:
    task = limb_task(species=species)
    score = task.score(solved(task))
    assert score["success"] is True
    assert (score["pck"], score["pck_5px"], score["completion"]) == (1.0, 1.0, 1.0)
    assert score["error_px"] < 0.8
    assert score["placed"] == score["keypoints"] == 3 * task.anatomy.count


def test_what_keeps_an_annotation_from_success() -> None:
    task = limb_task()
    right = solved(task)
    assert task.score(replace(right, terminated=False))["success"] is False
    off = task.score(solved(task, (4, 0)))
    assert (off["pck"], off["pck_5px"], off["success"]) == (0.0, 1.0, False)
    lost = replace(right, poses=((None, *right.poses[0][1:]), *right.poses[1:]))
    score = task.score(lost)
    assert score["completion"] == score["pck"] == pytest.approx(38 / 39)
    assert score["success"] is False
    mirrored = (*right.poses[0][:5], *right.poses[0][9:], *right.poses[0][5:9])
    score = task.score(replace(right, poses=(mirrored, *right.poses[1:])))
    assert score["pck"] == pytest.approx(1 - 8 / 39, abs=0.03)
    assert score["success"] is False
    nothing = task.score(task.initial_state())
    assert (nothing["pck"], nothing["error_px"], nothing["success"]) == (0.0, 3.0, False)


def test_layers_show_video_truth_tracks_and_annotation() -> None:
    task = limb_task()
    layers = {
        attributes["name"]: (data, attributes, kind)
        for data, attributes, kind in task.layers(solved(task))
    }
    video, look, kind = layers["bird video"]
    assert (kind, video.shape, video.dtype, look["rgb"]) == (
        "image",
        (3, 256, 256, 3),
        np.uint8,
        True,
    )
    truth, look, kind = layers["keypoints"]
    assert (kind, truth.shape, look["visible"]) == ("points", (39, 3), False)
    np.testing.assert_allclose(truth[13 + 4], [1, *task.points_xy[1, 4, ::-1]])
    assert look["features"]["keypoint"][4] == "Body tail tip"
    tracks, look, kind = layers["keypoint tracks"]
    assert (kind, tracks.shape, look["visible"]) == ("tracks", (39, 4), False)
    assert (np.diff(tracks[:, 0]) >= 0).all()
    placed, look, kind = layers["annotation"]
    assert (kind, placed.shape, look["visible"]) == ("points", (39, 3), True)
    assert np.abs(placed - truth).max() <= 0.5
    assert len(look["face_color"]) == len(look["features"]["part"]) == 39
    assert len(task.layers()) == 3
    assert task.layers(task.initial_state())[-1][0].shape == (0, 3)
