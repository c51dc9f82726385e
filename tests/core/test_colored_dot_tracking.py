"""Colored dot tracking: what clicks mean, what is shown, how it is scored."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.session import Action
from bcannot_core.session.session import Session
from bcannot_core.tasks.colored_dot_tracking import ColoredDotTracking, DotState, Placed
from bcannot_core.tasks.edits import finished
from bcannot_core.tasks.registry import make_task

BUTTONS = ("next_section", "previous_section", "mip", "undo", "done")


def make_session(seed: int = 0, **options: Any) -> Session:
    return Session(make_task("colored_dot_tracking", seed, **options))


def click(session: Session, *aims: str | tuple[int, int]) -> list[str]:
    return [session.apply(session.click_for(aim)).action for aim in aims]


def solved(task: ColoredDotTracking, **changes: Any) -> DotState:
    spots = [Placed(dot.z, round(dot.y), round(dot.x)) for dot in task.world.dots]
    return replace(finished(DotState(placed=tuple(spots), edits=len(spots))), **changes)


def dot_task(seed: int = 0, **options: Any) -> ColoredDotTracking:
    task = make_task("colored_dot_tracking", seed, **options)
    assert isinstance(task, ColoredDotTracking)
    return task


def test_sections_are_walked_and_end_at_the_stack() -> None:
    session = make_session(sections=3)
    assert click(session, "previous_section") == ["none"]
    assert click(session, *["next_section"] * 3) == ["next_section", "next_section", "none"]
    assert session.state.section == 2
    assert session.task.content(session.state).disabled == {"next_section", "undo"}


def test_a_click_places_the_next_dot_in_the_section_shown() -> None:
    session = make_session()
    assert click(session, "next_section", (100, 50), (0, 255)) == ["next_section", "place", "place"]
    assert session.state.placed == (Placed(1, 50, 100), Placed(1, 255, 0))
    assert [click_.action for click_ in session.clicks] == ["next_section", "place", "place"]


def test_nothing_is_placed_on_the_projection() -> None:
    session = make_session()
    assert click(session, "mip", (100, 50), "next_section") == ["toggle", "none", "none"]
    content = session.task.content(session.state)
    assert content.pressed == {"mip"}
    assert {"next_section", "previous_section"} <= content.disabled
    assert click(session, "mip", (100, 50)) == ["toggle", "place"]


def test_undo_returns_to_the_section_of_the_edit() -> None:
    session = make_session()
    assert click(session, "undo") == ["none"]
    click(session, "next_section", (9, 8), "next_section", "mip")
    assert click(session, "undo") == ["undo"]
    state = session.state
    assert (state.section, state.mip, state.placed, state.undos, state.edits) == (
        1,
        False,
        (),
        1,
        1,
    )


def test_redo_goes_back_to_the_section_and_places_again() -> None:
    session = make_session()
    click(session, "next_section", "next_section", (9, 8), "undo", *["next_section"] * 3, "mip")
    assert [outcome.action for outcome in session.redo()][-1] == "place"
    assert session.state.placed == (Placed(2, 8, 9),)
    with pytest.raises(TaskError, match="cannot redo 'toggle'"):
        session.task.retrace(session.state, session.state, Action("toggle"))


def test_after_done_nothing_happens() -> None:
    session = make_session()
    click(session, "done")
    assert session.terminated
    assert click(session, "next_section", (5, 5), "mip", "done") == ["none"] * 4


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(BUTTONS[:4]), st.tuples(st.integers(0, 255), st.integers(0, 255))
        ),
        max_size=40,
    )
)
def test_whatever_is_clicked_the_state_follows_the_obvious_model(steps: list[Any]) -> None:
    session = make_session(1, sections=4)
    section, mip, placed, stack = 0, False, [], []
    for step in steps:
        before = session.state
        action = click(session, step)[0]
        assert (action == "none") == (session.state is before)
        if isinstance(step, tuple):
            if not mip:
                stack.append((section, len(placed)))
                placed.append((section, step[1], step[0]))
        elif step == "mip":
            mip = not mip
        elif step == "undo":
            if stack:
                section, count = stack.pop()
                del placed[count:]
                mip = False
        elif not mip:
            section = min(max(section + (1 if step == "next_section" else -1), 0), 3)
        state = session.state
        assert (state.section, state.mip, list(state.placed)) == (section, mip, placed)
        assert session.frame().shape == (436, 426, 3)


def test_the_screen_says_what_comes_next() -> None:
    session = make_session()
    total = len(session.task.world.dots)
    content = session.task.content(session.state)
    assert content.hint == "Click blue to red, next: blue"
    assert content.status == (f"0/{total} dots", "z 1/16")
    click(session, *[(10 * i, 10) for i in range(total)])
    assert session.task.content(session.state).hint == "All placed: press Done"
    click(session, "mip")
    content = session.task.content(session.state)
    assert content.hint == "Projection: look only"
    assert content.status[1] == "all sections"


def test_marks_of_this_section_stand_out() -> None:
    session = make_session()
    click(session, (60, 60), "next_section", (120, 60))
    colours = [marker.colour for marker in session.task.content(session.state).markers]
    assert min(colours[1]) == 255
    assert max(colours[0]) < 128
    click(session, "mip")
    colours = [marker.colour for marker in session.task.content(session.state).markers]
    assert colours[0] == colours[1] == (255, 255, 255)


def test_the_true_dots_succeed() -> None:
    for seed in range(10):
        task = dot_task(seed)
        score = task.score(solved(task))
        assert score["success"] is True
        assert score["f1"] == score["order"] == 1.0
        assert score["rmse_px"] < 0.8
        assert score["found"] == len(task.world.dots)


def test_what_keeps_an_annotation_from_success() -> None:
    task = dot_task()
    spots = solved(task).placed
    z, y, x = spots[0]
    cases: dict[str, tuple[tuple[Placed, ...], dict[str, float]]] = {
        "one missing": (spots[1:], {"missed": 1, "precision": 1.0}),
        "one too many": ((*spots, Placed(0, 0, 0)), {"false": 1, "recall": 1.0}),
        "beside the dot": ((Placed(z, y, x + 7), *spots[1:]), {"missed": 1, "false": 1}),
        "another section": ((Placed((z + 8) % 16, y, x), *spots[1:]), {"missed": 1, "false": 1}),
        "wrong order": ((spots[1], spots[0], *spots[2:]), {"missed": 0, "false": 0}),
    }
    for name, (placed, expected) in cases.items():
        score = task.score(solved(task, placed=placed))
        assert score["success"] is False, name
        assert {key: score[key] for key in expected} == expected, name
    assert task.score(solved(task, placed=(spots[1], spots[0], *spots[2:])))["order"] < 1
    near = tuple(Placed(min(spot.z + 1, 15), spot.y + 3, spot.x - 2) for spot in spots)
    assert task.score(solved(task, placed=near))["success"] is True
    assert task.score(solved(task, terminated=False))["success"] is False
    nothing = task.score(task.initial_state())
    assert (nothing["found"], nothing["f1"], nothing["success"]) == (0, 0.0, False)


def test_layers_show_the_stack_the_truth_and_the_annotation() -> None:
    task = dot_task()
    layers = task.layers(solved(task))
    kinds = {attributes["name"]: (kind, data) for data, attributes, kind in layers}
    stack = kinds["dots"][1]
    assert kinds["dots"][0] == "image"
    assert (stack.shape, stack.dtype) == ((16, 256, 256, 3), np.uint8)
    truth = kinds["true dots"][1]
    assert truth.shape == (len(task.world.dots), 3)
    peaks = stack.max(axis=-1)[tuple(np.rint(truth).astype(int).T)]
    assert peaks.min() > 120
    assert kinds["placed dots"][1].tolist() == [list(spot) for spot in solved(task).placed]
    hidden = {a["name"]: a.get("visible", True) for _, a, _ in layers}
    assert hidden == {"dots": True, "curve": False, "true dots": False, "placed dots": True}
    assert len(task.layers()) == 3
    for data, attributes, kind in layers:
        if kind == "points":
            assert all(len(column) == len(data) for column in attributes["features"].values())


def test_unknown_options_and_actions() -> None:
    with pytest.raises(UsageError, match="no option 'dot'"):
        make_session(dot=3)
    task = dot_task()
    with pytest.raises(TaskError, match="knows no action"):
        task.apply(task.initial_state(), Action("fly"))
