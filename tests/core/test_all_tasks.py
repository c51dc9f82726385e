"""What holds for every task that is registered, in every interface variant."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import bcannot_core as bc
from bcannot_core.errors import ClickError, UsageError
from bcannot_core.screen import VARIANTS, Layout, Rect, build_layout, random_variant
from bcannot_core.screen.screen import _slots
from bcannot_core.screen.specs import SIZES
from bcannot_core.screen.sprites import fitted
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task, task_class

TASKS = bc.list_tasks()
LAYER_KINDS = {"image", "points", "labels", "shapes", "tracks", "vectors", "surface"}
EACH_TASK = pytest.mark.parametrize("task_id", TASKS)


@cache
def a_task(task_id: str, seed: int = 0, variant: str = "original") -> Any:
    return make_task(task_id, seed, variant=variant)


def frame_hashes(task_id: str, seed: int, clicks: list[tuple[int, int]]) -> str:
    """Return one digest over the first frame and that after each click."""
    session = Session(make_task(task_id, seed))
    digest = hashlib.sha256(session.frame().tobytes())
    for click in clicks:
        session.apply(click)
        digest.update(session.frame().tobytes())
    return digest.hexdigest()


def layout_in(task_id: str, variant: str) -> Layout:
    task = a_task(task_id)
    sizes = (task.canvas_hw, task.window_wh)
    return build_layout(task.buttons, variant, *sizes, panel_hw=task.panel_hw, hint=task.hint_line)


def annotated(task_id: str, seed: int = 0, variant: str = "original") -> Session:
    session = Session(a_task(task_id, seed, variant))
    bc.make_annotator(session, seed=seed).run(3000)
    return session


def played_states(task_id: str, variant: str) -> Iterator[tuple[Session, Any]]:
    """Yield the session and what it shows, all along an annotator's episode."""
    session = Session(a_task(task_id, 1, variant))
    annotator = bc.make_annotator(session, seed=1)
    yield session, session.task.content(session.state)
    while not session.terminated:
        annotator.step()
        yield session, session.task.content(session.state)


@EACH_TASK
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_checks_of_gymnasium_pass(task_id: str, variant: str) -> None:
    check_env(bc.make(task_id, variant))


@EACH_TASK
def test_the_class_has_the_id_that_it_is_found_by(task_id: str) -> None:
    assert task_class(task_id).id == task_id
    assert a_task(task_id).id == task_id
    assert (task_class(task_id).__module__.rpartition(".")[2]) == task_id


@EACH_TASK
def test_options_that_do_not_exist_are_refused_by_name(task_id: str) -> None:
    with pytest.raises(UsageError, match="no_such_option"):
        make_task(task_id, 0, no_such_option=1)


@EACH_TASK
@pytest.mark.parametrize("xy", [(-1, 5), (5, -1), (426, 0), (0, 436), (10_000, 10_000)])
def test_a_click_outside_the_frame_is_an_error_and_changes_nothing(
    task_id: str, xy: tuple[int, int]
) -> None:
    session = Session(a_task(task_id))
    before = session.state
    with pytest.raises(ClickError, match="outside the frame"):
        session.apply(xy)
    assert session.state is before
    assert not session.clicks


@EACH_TASK
def test_the_same_seed_gives_the_same_world_and_others_differ(task_id: str) -> None:
    first = frame_hashes(task_id, 3, [])
    assert first == frame_hashes(task_id, 3, [])
    assert len({first, *(frame_hashes(task_id, seed, []) for seed in (4, 5, 6))}) == 4


@EACH_TASK
def test_the_annotator_succeeds_in_every_variant(task_id: str) -> None:
    for seed, variant in enumerate(VARIANTS):
        session = annotated(task_id, seed, variant)
        score = session.task.score(session.state)
        assert score["success"] is True, (seed, variant, score)
        assert session.clicks[-1].action == "done"


@EACH_TASK
def test_scores_are_plain_values_and_say_whether_it_is_done(task_id: str) -> None:
    session = annotated(task_id)
    task = session.task
    for state in (task.initial_state(), session.state):
        score = task.score(state)
        assert isinstance(score["success"], bool)
        plain = (bool, int, float, str, type(None))
        assert {key for key, value in score.items() if not isinstance(value, plain)} == set()
        json.dumps(score)
    assert task.score(task.initial_state())["success"] is False


@EACH_TASK
def test_layers_are_what_napari_takes(task_id: str) -> None:
    session = annotated(task_id)
    task = session.task
    for layers in (task.layers(), task.layers(session.state)):
        names = [attributes["name"] for _, attributes, _ in layers]
        assert len(set(names)) == len(names)
        kinds = [kind for _, _, kind in layers]
        assert set(kinds) <= LAYER_KINDS
        assert kinds[0] == "image"
    assert len(task.layers(session.state)) >= len(task.layers())


@EACH_TASK
@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_that_is_written_is_cut_off(task_id: str, variant: str) -> None:
    cut = set()
    for session, content in played_states(task_id, variant):
        layout = session.screen.layout
        lines = zip(content.status, _slots(layout.status, len(content.status)), strict=True)
        texts = [*lines, (content.hint, layout.hint), (content.caption, layout.caption)]
        cut |= {text for text, slot in texts if slot and fitted(text, 18, slot.w - 6)[0] != text}
        assert not (content.hint and layout.hint is None)
    assert cut == set()


@EACH_TASK
def test_labels_of_buttons_are_whole_in_any_variant(task_id: str) -> None:
    rng = np.random.default_rng(0)
    names = [*VARIANTS, *(random_variant(rng).name for _ in range(20))]
    cut = set()
    for name in names:
        layout = layout_in(task_id, name)
        for spec in layout.specs:
            icon = layout.variant.button_size == "icon" and spec.kind in ("button", "toggle")
            text = spec.icon or spec.label if icon else spec.label
            width = layout.buttons[spec.id].w - (17 if spec.swatch else 0) - 6
            if fitted(text, SIZES[layout.variant.button_size].text, width)[0] != text:
                cut.add((name, text))
    assert cut == set()


@EACH_TASK
def test_one_can_press_what_looks_as_if_one_could(task_id: str) -> None:
    """A disabled button does nothing; all others do something somewhere in an episode."""
    used = set()
    for session, content in played_states(task_id, "original"):
        for name in session.screen.layout.buttons:
            hit = session.screen.hit(*session.click_for(name))
            action = session.task.action_for(hit, session.state)
            if name in content.disabled:
                assert action.name == "none", name
            elif action.name != "none":
                used.add(name)
    assert used == set(session.screen.layout.buttons)


class RandomClicks(RuleBasedStateMachine):
    """Whatever is clicked, nothing is raised and the task stays as it was."""

    @initialize(
        task_id=st.sampled_from(TASKS),
        seed=st.integers(0, 4),
        variant=st.sampled_from(["original", "split", "minimal_left"]),
    )
    def begin(self, task_id: str, seed: int, variant: str) -> None:
        self.task = a_task(task_id, seed, variant)
        self.session = Session(self.task)
        self.first = self.session.frame().copy()
        self.annotator = bc.make_annotator(self.session, seed=seed)

    def click(self, xy: tuple[int, int]) -> None:
        before = self.session.state
        frame = self.session.frame().copy()
        outcome = self.session.apply(xy)
        if outcome.action == "none":
            assert outcome.state_after is before
            assert (self.session.frame() == frame).all()

    @rule(x=st.integers(0, 425), y=st.integers(0, 435))
    def click_anywhere(self, x: int, y: int) -> None:
        self.click((x, y))

    @rule(x=st.integers(0, 255), y=st.integers(0, 255), times=st.integers(1, 3))
    def click_canvas(self, x: int, y: int, times: int) -> None:
        for _ in range(times):
            self.click(self.session.click_for((x, y)))

    @rule(share=st.floats(0, 1, exclude_max=True), times=st.integers(1, 4))
    def click_button(self, share: float, times: int) -> None:
        names = [name for name in self.session.screen.layout.buttons if name != "done"]
        for _ in range(times):
            self.click(self.session.click_for(names[int(share * len(names))]))

    @rule(times=st.integers(1, 6))
    def annotate(self, times: int) -> None:
        for _ in range(times):
            if not self.session.terminated:
                self.click(self.annotator.act())

    @rule()
    def undo(self) -> None:
        if self.session.can_undo:
            (outcome,) = self.session.undo()
            assert outcome.action == "undo"

    @rule()
    def done(self) -> None:
        if "done" in self.session.screen.layout.buttons and len(self.session.clicks) > 20:
            self.click(self.session.click_for("done"))

    @invariant()
    def frame_is_that_of_the_state(self) -> None:
        fresh = Session(self.task).screen.draw(self.task.content(self.session.state))
        assert (self.session.frame() == fresh).all()

    @invariant()
    def score_is_known(self) -> None:
        assert isinstance(self.task.score(self.session.state)["success"], bool)

    def teardown(self) -> None:
        if hasattr(self, "session"):
            assert (Session(self.task).frame() == self.first).all()
            again = Session(self.task)
            for token in self.session.clicks:
                assert again.apply(token[:2]).action == token.action
            assert (again.frame() == self.session.frame()).all()


RandomClicks.TestCase.settings = settings(deadline=None, max_examples=40, stateful_step_count=20)
TestRandomClicks = RandomClicks.TestCase


@EACH_TASK
def test_after_a_thousand_random_clicks_the_annotator_still_succeeds(task_id: str) -> None:
    rng = np.random.default_rng(len(task_id))
    session = Session(a_task(task_id, 2))
    names = [name for name in session.screen.layout.buttons if name != "done"]
    for _ in range(1000):
        if rng.random() < 0.5:
            xy = (int(rng.integers(426)), int(rng.integers(436)))
        else:
            xy = session.click_for(names[int(rng.integers(len(names)))])
        if session.screen.hit(*xy).target != "done":
            session.apply(xy)
    assert not session.terminated
    assert session.task.score(session.state)["success"] is False
    bc.make_annotator(session, seed=0, behaviour="flawless").run(6000)
    assert session.task.score(session.state)["success"] is True


@pytest.mark.slow
@EACH_TASK
def test_ten_thousand_random_clicks_leave_the_task_whole(task_id: str) -> None:
    rng = np.random.default_rng(7)
    task = a_task(task_id, 1)
    first = Session(task).frame().copy()
    sessions = [Session(task)]
    for x, y in zip(rng.integers(0, 426, 10_000), rng.integers(0, 436, 10_000), strict=True):
        if sessions[-1].terminated:
            sessions.append(Session(task))
        sessions[-1].apply((x, y))
        sessions[-1].frame()
    for session in sessions[-3:]:
        fresh = Session(task).screen.draw(task.content(session.state))
        assert (session.frame() == fresh).all()
        assert isinstance(task.score(session.state)["success"], bool)
    assert (Session(task).frame() == first).all()


_OTHER_PROCESS = """
import json, sys
sys.path.insert(0, {folder!r})
from test_all_tasks import frame_hashes
asked = json.load(sys.stdin)
print(json.dumps([frame_hashes(task_id, seed, clicks) for task_id, seed, clicks in asked]))
"""


def test_another_process_draws_the_same_frames() -> None:
    asked = []
    for task_id in TASKS:
        session = Session(a_task(task_id, 5))
        bc.make_annotator(session, seed=5).run(3000)
        asked.append([task_id, 5, [[token.x, token.y] for token in session.clicks][:150]])
    other = subprocess.run(
        [sys.executable, "-c", _OTHER_PROCESS.format(folder=os.path.dirname(__file__))],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    here = [frame_hashes(task_id, seed, clicks) for task_id, seed, clicks in asked]
    assert json.loads(other.stdout) == here


@EACH_TASK
def test_layouts_keep_their_parts_apart_in_random_variants(task_id: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        layout = layout_in(task_id, random_variant(rng).name)
        covered = np.zeros((layout.size_wh[1], layout.size_wh[0]), dtype=int)
        others = [rect for rect in (layout.panel, layout.caption, layout.hint) if rect]
        for rect in (layout.canvas, layout.status, *others, *layout.buttons.values()):
            assert Rect(0, 0, *layout.size_wh).covers(rect)
            covered[rect.slices] += 1
        assert covered.max() == 1
