"""The scripted annotator of colored dots."""

from collections import Counter

import numpy as np
import pytest

from bcannot_core.annotators import BEHAVIOURS, Behaviour, Flag, Phase, make_annotator, unpack_flags
from bcannot_core.annotators.behaviour import LENIENT
from bcannot_core.annotators.colored_dot_tracking import ColoredDotAnnotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import make_task


def annotated(seed: int, behaviour: Behaviour | str = "default", **options: object) -> Session:
    session = Session(make_task("colored_dot_tracking", seed, **options))
    make_annotator(session, seed, behaviour).run(3000)
    return session


@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, Behaviour().with_mistakes(0.3)])
def test_every_behaviour_ends_in_success(behaviour: Behaviour | str) -> None:
    for seed in range(10):
        session = annotated(seed, behaviour)
        assert session.task.score(session.state)["success"], seed


@pytest.mark.parametrize(
    "options",
    [
        {"dots": 40, "spread": 0, "spacing_px": 0.0},
        {"dots": 2, "spread": 0},
        {"sections": 1},
        {"sections": 64, "sigma_sections": 3.0},
        {"curve": "spiral", "deformation": 2.0},
        {"variant": "split"},
    ],
)
def test_other_worlds_and_screens(options: dict[str, object]) -> None:
    for seed in range(5):
        session = annotated(seed, **options)
        assert session.task.score(session.state)["success"], seed


def test_the_oracle_neither_errs_nor_looks_around() -> None:
    session = annotated(4, "flawless")
    counts = Counter(click.action for click in session.clicks)
    assert counts["place"] == len(session.task.world.dots)
    assert counts["undo"] == counts["toggle"] == 0
    assert not any(click.flags & 15 for click in session.clicks)


def test_labels_name_the_phase_and_the_dot() -> None:
    session = annotated(3)
    placed = [unpack_flags(click.flags) for click in session.clicks if click.action == "place"]
    assert all(labels.phase is Phase.PLACE for labels in placed)
    right = [labels.position for labels in placed if not labels.events & Flag.MISTAKE]
    assert right == list(range(len(session.task.world.dots)))
    assert unpack_flags(session.clicks[-1].flags).phase is Phase.FINISH
    moves = [unpack_flags(c.flags).phase for c in session.clicks if c.action.endswith("_section")]
    assert set(moves) <= {Phase.NAVIGATE, Phase.EXPLORE, Phase.VERIFY}


def test_a_mistake_is_a_wrong_dot_and_taken_back() -> None:
    for seed in range(15):
        session = Session(make_task("colored_dot_tracking", seed))
        annotator = make_annotator(session, seed, Behaviour().with_mistakes(0.3))
        assert isinstance(annotator, ColoredDotAnnotator)
        owed = 0
        while not session.terminated:
            outcome = annotator.step()
            events = unpack_flags(annotator.flags).events
            if outcome.action == "place":
                last = outcome.state_after.placed[-1]
                dot = session.task.world.dots[len(outcome.state_after.placed) - 1]
                near = np.hypot(last.x - dot.x, last.y - dot.y) <= 5 and abs(last.z - dot.z) <= 1
                assert near != bool(events & Flag.MISTAKE)
                assert owed == 0
                owed = bool(events & Flag.MISTAKE)
            elif outcome.action == "undo":
                assert owed == 1
                assert events & Flag.CORRECTION
                owed = 0
        assert owed == 0


def test_it_takes_over_from_anybody() -> None:
    for seed in range(6):
        session = Session(make_task("colored_dot_tracking", seed))
        rng = np.random.default_rng(seed)
        done = session.screen.layout.buttons["done"]
        for x, y in rng.integers(0, (426, 436), (80, 2)).tolist():
            if not done.contains(x, y):
                session.apply((x, y), "person")
        make_annotator(session, seed).run(3000)
        assert session.task.score(session.state)["success"]


def place_dot(session: Session, index: int, aside: int = 0) -> None:
    dot, layout = session.task.world.dots[index], session.screen.layout
    while session.state.section != dot.z:
        ahead = dot.z > session.state.section
        button = layout.buttons["next_section" if ahead else "previous_section"]
        session.apply((button.x + 5, button.y + 5), "policy")
    x, y = layout.canvas.x + round(dot.x) + aside, layout.canvas.y + round(dot.y)
    session.apply((x, y), "policy")


def test_the_lenient_go_on_from_dots_out_of_order() -> None:
    strict, lenient = (Session(make_task("colored_dot_tracking", 5)) for _ in range(2))
    for session, behaviour in ((strict, "flawless"), (lenient, LENIENT)):
        for index in (0, 2, 1, 9):
            place_dot(session, index)
        make_annotator(session, 0, behaviour).run(500)
    assert strict.task.score(strict.state)["order"] == 1.0
    score = lenient.task.score(lenient.state)
    assert score["f1"] == 1.0
    assert score["done"]
    assert score["order"] < 1.0
    assert [click.action for click in lenient.clicks].count("undo") == 0


@pytest.mark.parametrize(("index", "aside"), [(0, 0), (1, 30)])
def test_the_lenient_take_back_what_is_plainly_wrong(index: int, aside: int) -> None:
    session = Session(make_task("colored_dot_tracking", 5))
    place_dot(session, 0)
    place_dot(session, index, aside)  # twice the same, beside it
    annotator = make_annotator(session, 0, LENIENT)
    assert annotator.step().action == "undo"
    assert annotator.mends


@pytest.mark.slow
def test_a_thousand_episodes_have_the_statistics_of_people() -> None:
    counts: Counter[str] = Counter()
    lengths, wrong = [], 0
    for seed in range(1000):
        session = annotated(seed)
        assert session.task.score(session.state)["success"], seed
        counts.update(click.action for click in session.clicks)
        lengths.append(len(session.clicks))
        wrong += sum(
            click.action == "place" and bool(click.flags & Flag.MISTAKE) for click in session.clicks
        )
    total = counts.total()
    moves = counts["next_section"] + counts["previous_section"]
    assert 0.70 <= moves / total <= 0.78
    assert 0.14 <= counts["place"] / total <= 0.21
    assert 0.05 <= counts["toggle"] / total <= 0.10
    assert 0.006 <= counts["undo"] / total <= 0.013
    assert 2.9 <= moves / counts["place"] <= 5.3
    assert 71 <= np.mean(lengths) <= 125
    assert 0.024 <= counts["undo"] / (counts["undo"] + counts["place"]) <= 0.076
    assert 0.05 <= wrong / counts["place"] <= 0.15
    assert counts["undo"] == wrong
