"""What 3D exploration, shape matching and multi-channel alignment have in common."""

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import bcannot_core as bc
from bcannot_core.annotators.behaviour import BEHAVIOURS, STRATEGIES
from bcannot_core.annotators.labels import Flag, Phase, unpack_flags
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.screen import VARIANTS
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task, task_class

TASKS = ("exploration_3d", "shape_matching", "multichannel_alignment")
QUICK = {"multichannel_alignment": {"source": "perlin"}}
"""Options that keep the making of worlds short."""


def session_of(task_id: str, seed: int = 0, **options: object) -> Session:
    return Session(make_task(task_id, seed, **(QUICK.get(task_id, {}) | options)))


def annotated(task_id: str, seed: int, behaviour: object = "default", **options: object) -> Session:
    session = session_of(task_id, seed, **options)
    bc.make_annotator(session, seed=seed, behaviour=behaviour).run(2000)  # type: ignore[arg-type]
    return session


def digests(session: Session, clicks: list[tuple[int, int]]) -> list[str]:
    out = [hashlib.sha256(session.frame().tobytes()).hexdigest()]
    for click in clicks:
        session.apply(click)
        out.append(hashlib.sha256(session.frame().tobytes()).hexdigest())
    return out


def random_clicks(session: Session, rng: np.random.Generator, count: int) -> Iterator[None]:
    """Click half of the time on anything, half of the time on a button or the canvas."""
    width, height = session.screen.layout.size_wh
    rects = [*session.screen.layout.buttons.values(), *[session.screen.layout.canvas] * 4]
    for _ in range(count):
        if rng.random() < 0.5:
            click = int(rng.integers(width)), int(rng.integers(height))
        else:
            rect = rects[int(rng.integers(len(rects)))]
            click = rect.x + int(rng.integers(rect.w)), rect.y + int(rng.integers(rect.h))
        session.apply(click)
        yield


@pytest.mark.parametrize("task_id", TASKS)
def test_same_seed_and_clicks_give_the_same_frames(task_id: str) -> None:
    first = annotated(task_id, 5)
    clicks = [(token.x, token.y) for token in first.clicks]
    one, other = (digests(session_of(task_id, 5), clicks) for _ in range(2))
    assert one == other
    assert len(set(one)) > len(clicks) // 3


@pytest.mark.parametrize("task_id", TASKS)
def test_another_seed_gives_another_world(task_id: str) -> None:
    frames = {session_of(task_id, seed).frame().tobytes() for seed in range(6)}
    assert len(frames) == 6


@pytest.mark.parametrize("task_id", TASKS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=6, deadline=None)
def test_random_clicks_never_raise_and_the_annotator_can_take_over(task_id: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    session = session_of(task_id, int(rng.integers(50)))
    before = session.task.initial_state()
    for _ in random_clicks(session, rng, 60):
        if session.terminated:
            break
        session.frame()
    score = session.task.score(session.state)
    assert all(isinstance(value, (bool, int, float)) for value in score.values())
    assert before == session.task.initial_state()
    if not session.terminated:
        bc.make_annotator(session, seed=1, behaviour="flawless").run(500)
        assert session.task.score(session.state)["success"]


@pytest.mark.parametrize("task_id", TASKS)
def test_frames_show_the_state_whatever_was_drawn_before(task_id: str) -> None:
    session = session_of(task_id, 3)
    for _ in random_clicks(session, np.random.default_rng(8), 80):
        shown = session.frame().copy()
        fresh = Session(session.task)
        np.testing.assert_array_equal(shown, fresh.screen.draw(session.task.content(session.state)))
        if session.terminated:
            break


@pytest.mark.parametrize("task_id", TASKS)
def test_check_env(task_id: str) -> None:
    env = bc.make(task_id, variant="minimal_left", **QUICK.get(task_id, {}))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*alternative render modes.*")
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("task_id", TASKS)
def test_every_variant_shows_every_button_and_the_canvas(task_id: str, variant: str) -> None:
    session = session_of(task_id, 1, variant=variant)
    layout = session.screen.layout
    assert set(layout.buttons) == {spec.id for spec in session.task.buttons}
    assert (layout.canvas.h, layout.canvas.w) == task_class(task_id).canvas_hw
    assert session.frame().shape == (436, 426, 3)


@pytest.mark.parametrize("task_id", TASKS)
def test_unknown_options_and_values_out_of_range_are_named(task_id: str) -> None:
    with pytest.raises(UsageError, match="nosuch"):
        make_task(task_id, 0, nosuch=1)
    with pytest.raises(UsageError, match="noise is 7"):
        make_task(task_id, 0, noise=7)
    with pytest.raises(UsageError, match="sepia"):
        make_task(task_id, 0, variant="sepia")


@pytest.mark.parametrize("task_id", TASKS)
@pytest.mark.parametrize("behaviour", ["default", "cautious", "hasty", "efficient", "flawless"])
def test_the_annotator_succeeds(task_id: str, behaviour: str) -> None:
    for seed in range(4):
        session = annotated(task_id, seed, behaviour)
        assert session.task.score(session.state)["success"]
        assert {token.actor for token in session.clicks} == {"annotator"}


@pytest.mark.parametrize("task_id", TASKS)
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_the_annotator_succeeds_with_many_mistakes(task_id: str, strategy: str) -> None:
    behaviour = replace(BEHAVIOURS["default"].with_mistakes(0.3), strategy=strategy)
    for seed in range(3):
        session = annotated(task_id, seed, behaviour)
        assert session.task.score(session.state)["success"]


@pytest.mark.parametrize("task_id", TASKS)
def test_mistakes_are_as_frequent_as_asked_and_followed_by_corrections(task_id: str) -> None:
    shares = []
    for asked in (0.0, 0.3):
        placed = mistaken = corrected = 0
        behaviour = BEHAVIOURS["default"].with_mistakes(asked)
        for seed in range(60 if task_id == "exploration_3d" else 10):
            labels = [unpack_flags(c.flags) for c in annotated(task_id, seed, behaviour).clicks]
            placed += sum(label.phase is Phase.PLACE for label in labels)
            wrong = [bool(label.events & Flag.MISTAKE) for label in labels]
            mistaken += sum(
                bad and label.phase is Phase.PLACE for bad, label in zip(wrong, labels, strict=True)
            )
            corrected += sum(bool(label.events & Flag.CORRECTION) for label in labels)
            if any(wrong):
                last = max(i for i, bad in enumerate(wrong) if bad)
                assert any(label.events & Flag.CORRECTION for label in labels[last + 1 :])
        shares.append(mistaken / placed)
        assert (corrected > 0) == (asked > 0)
    assert shares[0] == 0
    assert 0.15 < shares[1] < 0.45


@pytest.mark.parametrize("task_id", TASKS)
def test_the_annotator_repeats_itself_for_a_seed(task_id: str) -> None:
    one, other = (list(annotated(task_id, 4).clicks) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("task_id", TASKS)
def test_after_done_nothing_changes(task_id: str) -> None:
    session = annotated(task_id, 2)
    state = session.state
    with pytest.raises(TaskError, match="ended"):
        bc.make_annotator(session).act()
    for _ in random_clicks(session, np.random.default_rng(1), 20):
        assert session.state is state


@pytest.mark.parametrize("task_id", TASKS)
def test_undo_and_redo_lead_back_to_the_same_annotation(task_id: str) -> None:
    session = annotated(task_id, 6)
    replayed = session_of(task_id, 6)
    for token in list(session.clicks)[:-1]:
        replayed.apply((token.x, token.y))
    full = replayed.task.score(replayed.state)
    undone = 0
    while replayed.can_undo:
        replayed.undo()
        undone += 1
    assert undone >= 1
    assert not replayed.state.can_undo
    while replayed.can_redo:
        replayed.redo()
    again = replayed.task.score(replayed.state)
    counted = ("turns", "choices", "false_clicks")
    assert {k: v for k, v in again.items() if k not in counted} == {
        k: v for k, v in full.items() if k not in counted
    }


@pytest.mark.parametrize("task_id", TASKS)
def test_layers_have_names_kinds_and_matching_features(task_id: str) -> None:
    session = annotated(task_id, 3)
    task = task_class(task_id).sample(np.random.default_rng(3), **QUICK.get(task_id, {}))
    layers = session.task.layers(session.state)
    assert len(layers) > len(task.layers())
    names = [attributes["name"] for _, attributes, _ in layers]
    assert len(set(names)) == len(names)
    hidden = [attributes["name"] for _, attributes, _ in layers if not attributes.get("visible", 1)]
    assert hidden
    for data, attributes, kind in layers:
        assert kind in {"image", "points", "shapes", "vectors"}
        for column in attributes.get("features", {}).values():
            assert len(column) == len(data)
        if kind == "image":
            assert data.dtype == np.uint8


@pytest.mark.slow
@pytest.mark.parametrize("task_id", TASKS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_check_env_with_every_variant(task_id: str, variant: str) -> None:
    env = bc.make(task_id, variant=variant, **QUICK.get(task_id, {}))
    check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.slow
@pytest.mark.parametrize("task_id", TASKS)
@pytest.mark.parametrize("part", range(5))
def test_the_annotator_succeeds_on_many_seeds(task_id: str, part: int) -> None:
    for seed in range(100 * part, 100 * part + 100):
        session = Session(make_task(task_id, seed))
        bc.make_annotator(session, seed=seed).run(1000)
        assert session.task.score(session.state)["success"], seed
