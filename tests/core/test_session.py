"""Sessions: the one reducer, its tokens, listeners, undo and redo."""

import tracemalloc

import numpy as np
import pytest

from bcannot_core.errors import ClickError, TaskError, UsageError
from bcannot_core.screen import ButtonSpec, Content, get_variant
from bcannot_core.session import NONE, Action, ClickToken, Session
from bcannot_core.tasks.base import TaskBase
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.tracing_moves import click_all, clicks_to_section
from bcannot_core.volumes import Contrast, Volume


class Dots(TaskBase):
    """The smallest task with an Undo: a stack of dots."""

    id = "dots"
    buttons = (ButtonSpec("undo", "Undo"),)

    @classmethod
    def sample(cls, rng, **options):
        return cls()

    @property
    def variant(self):
        return get_variant("original")

    def initial_state(self):
        return ()

    def action_for(self, hit, state):
        if hit.kind == "canvas":
            return Action("place", hit.canvas_xy)
        return Action("undo") if hit.target == "undo" and state else NONE

    def apply(self, state, action):
        if action.name == "undo":
            return state[:-1]
        return (*state, action.canvas_xy) if action.name == "place" else state

    def detail(self, before, action, after):
        return {"dots": len(after)}

    def content(self, state):
        return Content(np.full((256, 256), len(state), np.uint8))

    def terminated(self, state):
        return len(state) >= 4

    def score(self, state):
        return {"success": len(state) == 4}

    def layers(self, state=None):
        return []


def make_volume(shape=(8, 600, 700)):
    values = np.arange(np.prod(shape), dtype=np.uint32) * 2654435761 >> 24
    array = (values % 251).astype(np.uint8).reshape(shape)
    return Volume.from_array(array, voxel_nm=(30, 10, 10), contrast=Contrast(0, 255))


def make_session(start=(2, 300, 350), shape=(8, 600, 700), **config):
    return Session(NeuronTracing(TracingWorld(make_volume(shape), start), TracingConfig(**config)))


def visible(session):
    state = session.state
    return state.section, state.view, dict(state.nodes.items()), session.frame().tobytes()


def place(session, x, y, **who):
    return session.apply(session.click_for((x, y)), **who)


def test_a_click_gives_an_outcome_and_a_token():
    session = make_session()
    before = session.state
    x, y = session.click_for((128, 130))
    outcome = session.apply((np.int64(x), np.int32(y)), actor="policy", flags=5, ms=120)
    assert outcome.action == "place"
    assert outcome.detail == {"z": 2, "node_yx": (302.0, 350.0)}
    assert outcome.state_before is before
    assert outcome.state_after is session.state
    assert session.clicks == [ClickToken(x, y, "policy", 5, 120, "place")]
    assert type(session.clicks[0].x) is int


def test_a_click_on_nothing_is_recorded_and_changes_nothing():
    session = make_session()
    before = session.state
    assert session.apply((0, 0)).action == "none"
    assert session.state is before
    assert session.clicks[0].action == "none"


@pytest.mark.parametrize("click", [(426, 0), (-1, 3), (1.5, 2), ("1", 2), (1, 2, 3), 7])
def test_a_click_that_is_none_changes_nothing(click):
    session = make_session()
    before = session.state
    with pytest.raises(ClickError):
        session.apply(click)
    assert session.state is before
    assert session.clicks == []


def test_an_unknown_actor_is_refused():
    session = make_session()
    with pytest.raises(UsageError, match="'robot'"):
        session.apply((0, 0), actor="robot")
    assert session.clicks == []


@pytest.mark.parametrize("change", [{"flags": -1}, {"flags": 1 << 16}, {"ms": -5}, {"ms": 1 << 32}])
def test_what_cannot_be_stored_is_refused(change):
    session = make_session()
    with pytest.raises(UsageError, match="out of range"):
        place(session, 128, 128, **change)
    assert session.clicks == []
    assert session.state.nodes.count == 0


def test_listeners_hear_every_click_until_they_unsubscribe():
    session = make_session()
    heard, other = [], []
    unsubscribe = session.subscribe(lambda outcome, token: heard.append((outcome.action, token)))
    session.subscribe(lambda outcome, token: other.append(session.clicks[-1] is token))
    place(session, 128, 128)
    session.apply(session.click_for("done"), actor="annotator")
    unsubscribe()
    unsubscribe()
    session.apply((0, 0))
    assert [(action, token.actor) for action, token in heard] == [
        ("place", "person"),
        ("done", "annotator"),
    ]
    assert other == [True, True, True]


def test_a_listener_may_not_click():
    session = make_session()
    errors = []

    def click_again(outcome, token):
        try:
            session.apply((0, 0))
        except TaskError as error:
            errors.append(str(error))

    session.subscribe(click_again)
    place(session, 128, 128)
    assert len(errors) == 1
    assert len(session.clicks) == 1


def test_a_failing_listener_leaves_the_session_whole():
    session = make_session()

    def fail(outcome, token):
        raise OSError("disk full")

    unsubscribe = session.subscribe(fail)
    with pytest.raises(OSError, match="disk full"):
        place(session, 128, 128)
    unsubscribe()
    assert session.clicks[0].action == "place"
    assert session.state.nodes.count == 1
    assert session.undo()[0].action == "undo"


def test_clicks_for_names_and_pixels():
    session = make_session()
    layout = session.screen.layout
    assert session.click_for("next_section") == layout.buttons["next_section"].centre
    assert session.click_for((0, 255)) == (layout.canvas.x, layout.canvas.y + 255)
    with pytest.raises(UsageError, match=r"'place'.*next_section"):
        session.click_for("place")
    with pytest.raises(UsageError, match="outside the canvas"):
        session.click_for((256, 0))


def test_click_at_finds_the_pixel_that_shows_a_point():
    session = make_session(nm_per_px=5.0)
    canvas = session.screen.layout.canvas
    assert session.click_at((300, 350)) == (canvas.x + 128, canvas.y + 128)
    assert session.click_at((301.2, 350)) == (canvas.x + 128, canvas.y + 130)
    assert session.click_at((300, 286)) == (canvas.x, canvas.y + 128)
    assert session.click_at((300, 285)) is None
    assert session.click_at((300, 414)) is None


def test_undo_and_redo_restore_what_is_visible():
    session = make_session()
    seen = [visible(session)]
    steps = [(120, 120), "next_section", (200, 100), "next_section", (128, 40), "remove"]
    for step in steps:
        session.apply(session.click_for(step))
        seen.append(visible(session))
    edits = [0, 2, 4, 5]
    for i in reversed(edits):
        assert session.can_undo
        assert [outcome.action for outcome in session.undo()] == ["undo"]
        assert visible(session)[:3] == seen[i][:3]
    assert not session.can_undo
    assert session.undo() == []
    for i in edits:
        assert session.can_redo
        assert session.redo(actor="policy")[-1].action == ("remove" if i == 5 else "place")
        assert visible(session) == seen[i + 1]
    assert not session.can_redo
    assert session.redo() == []


def test_redo_returns_to_where_the_edit_was_made():
    session = make_session()
    place(session, 150, 90)
    expected = visible(session)
    session.undo()
    click_all(session, clicks_to_section(session, 5))
    place(session, 250, 128)
    place(session, 128, 3)
    assert session.state.view != (0, 0)
    outcomes = session.redo(ms=70)
    assert [token.ms for token in session.clicks[-len(outcomes) :]] == [70] + [0] * (
        len(outcomes) - 1
    )
    assert outcomes[-1].action == "place"
    assert {outcome.action for outcome in outcomes[:-1]} == {"previous_section", "pan"}
    assert visible(session) == expected


def test_redo_places_the_same_point_where_the_view_cannot_return():
    session = make_session(start=(0, 100, 10), shape=(4, 200, 200))
    place(session, 128, 131)
    session.undo()
    assert place(session, 240, 128).action == "pan"
    outcomes = session.redo()
    assert outcomes[-1].detail == {"z": 0, "node_yx": (103.0, 10.0)}
    assert session.state.nodes.count == 1
    assert not session.can_redo


def test_a_new_edit_ends_what_could_be_redone():
    session = make_session()
    place(session, 128, 128)
    session.undo()
    place(session, 140, 128)
    assert not session.can_redo


def test_doing_an_undone_edit_again_by_hand_is_its_redo():
    session = make_session()
    place(session, 128, 128)
    session.apply(session.click_for("next_section"))
    place(session, 130, 128)
    session.undo()
    session.undo()
    place(session, 128, 128)
    assert session.can_redo
    assert session.redo()[-1].detail == {"z": 3, "node_yx": (300.0, 352.0)}


def test_navigation_keeps_what_can_be_redone():
    session = make_session()
    place(session, 128, 128)
    session.undo()
    session.apply(session.click_for("next_section"))
    place(session, 3, 128)
    assert session.can_redo


def test_undo_is_an_event_in_the_log():
    session = make_session()
    place(session, 128, 128)
    session.undo(actor="policy", flags=2, ms=9)
    session.redo()
    assert [token.action for token in session.clicks] == ["place", "undo", "place"]
    assert session.clicks[1][2:5] == ("policy", 2, 9)
    assert session.state.undos == 1
    assert session.state.placements == 2


def test_nothing_happens_after_the_end():
    session = make_session()
    place(session, 128, 128)
    session.undo()
    session.apply(session.click_for("done"))
    assert session.terminated
    assert not session.can_undo
    assert not session.can_redo
    assert place(session, 128, 128).action == "none"
    assert session.undo() == session.redo() == []


def test_the_same_clicks_give_the_same_frames():
    session = make_session()
    frames = [session.frame().copy()]
    for step in ((100, 100), "next_section", (60, 128), (3, 9), "undo", "done"):
        session.apply(session.click_for(step))
        frames.append(session.frame().copy())
    again = make_session()
    for i, token in enumerate(session.clicks):
        assert (again.frame() == frames[i]).all()
        again.apply(token[:2], token.actor, token.flags, token.ms)
    assert again.clicks == session.clicks
    assert (again.frame() == frames[-1]).all()


def test_a_task_without_moves_of_its_own_can_be_undone_and_redone():
    session = Session(Dots())
    for x in (10, 20, 30):
        place(session, x, 5)
    session.undo()
    session.undo()
    assert session.state == ((10, 5),)
    assert session.redo()[0].detail == {"dots": 2}
    session.redo()
    assert session.state == ((10, 5), (20, 5), (30, 5))
    assert session.frame()[session.screen.layout.canvas.slices].max() == 3
    assert session.click_at((5, 30)) == session.click_for((30, 5))
    with pytest.raises(TaskError, match="cannot redo"):
        session.task.retrace((), (), Action("undo"))


def test_a_session_of_ten_thousand_clicks_grows_by_little_for_each():
    session = make_session(start=(0, 300, 350), shape=(400, 600, 700), sections=400)
    clicks = [session.click_for(aim) for aim in ((120, 120), "next_section", (130, 130), "undo")]
    tracemalloc.start()
    try:
        for i in range(5_000):
            session.apply(clicks[i % 4])
        half, _ = tracemalloc.get_traced_memory()
        for i in range(5_000):
            session.apply(clicks[i % 4])
        full, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert full / 10_000 < 2_000
    assert full < 2.2 * half
    assert session.state.undos == 2_500
