"""The scripted annotator of cell lineages: plans, mistakes, corrections and habits."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bcannot_core as bc
from bcannot_core.annotators import Behaviour, make_annotator
from bcannot_core.annotators.cell_lineage import CellLineageAnnotator
from bcannot_core.annotators.labels import ClickLabels, Flag, Phase, unpack_flags
from bcannot_core.errors import TaskError
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task


def annotated(seed: int, behaviour: Behaviour | str = "default", **options: Any) -> Session:
    session = Session(make_task("cell_lineage", seed, **options))
    make_annotator(session, seed + 1, behaviour).run(2000)
    return session


def labels(session: Session) -> list[ClickLabels]:
    return [unpack_flags(token.flags) for token in session.clicks]


def mistaken(session: Session) -> int:
    return sum(bool(label.events & Flag.MISTAKE) for label in labels(session))


def error_share(sessions: list[Session]) -> float:
    placing = [x for session in sessions for x in labels(session) if x.phase is Phase.PLACE]
    return sum(bool(x.events & Flag.MISTAKE) for x in placing) / len(placing)


def test_ten_seeds_succeed_with_mistakes_on() -> None:
    sessions = [annotated(seed) for seed in range(10)]
    for session in sessions:
        assert session.task.score(session.state)["success"] is True
        assert session.task.score(session.state)["edge_f1"] == 1.0
    assert sum(mistaken(session) for session in sessions) > 10
    assert 40 < np.mean([len(session.clicks) for session in sessions]) < 130


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 500, 100))
def test_500_seeds_succeed_and_the_share_of_mistakes_is_as_asked(first: int) -> None:
    sessions = [annotated(seed) for seed in range(first, first + 100)]
    scores = [session.task.score(session.state) for session in sessions]
    assert sum(score["success"] for score in scores) == 100
    assert min(score["edge_f1"] for score in scores) == 1.0
    assert 0.05 <= error_share(sessions) <= 0.15


def test_the_oracle_clicks_what_is_needed_and_no_more() -> None:
    session = annotated(3, "flawless")
    actions = Counter(token.action for token in session.clicks)
    last = session.task.world.divisions[-1].last + 1  # type: ignore[attr-defined]
    assert actions == {"place": 25, "select": 12, "next_frame": last, "done": 1}
    assert mistaken(session) == 0


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_share_of_mistakes_can_be_chosen(share: float) -> None:
    behaviour = CellLineageAnnotator.default_behaviour.with_mistakes(share)
    sessions = [annotated(seed, replace(behaviour, strategy="steady")) for seed in range(12)]
    assert error_share(sessions) == pytest.approx(share, abs=0.08)
    assert all(session.task.score(session.state)["success"] for session in sessions)


@pytest.mark.parametrize("kind", ["near_miss", "far_miss", "wrong_object"])
def test_each_kind_of_mistake_is_what_it_says_and_is_mended(kind: str) -> None:
    rates = {"near_miss": 0.0, "far_miss": 0.0, "wrong_object": 0.0, kind: 0.5}
    session = annotated(2, Behaviour(**rates, notice_late=0.0, verify=0.0))  # type: ignore[arg-type]
    task: Any = session.task
    again = Session(task)
    seen = 0
    for token in session.clicks:
        state = again.state
        outcome = again.apply((token.x, token.y))
        mistaken_place = unpack_flags(token.flags).events & Flag.MISTAKE and token.action == "place"
        # Where there are no other cells, none can be taken for the right one.
        if not mistaken_place or len(task.world.alive(state.frame)) < 4:
            continue
        seen += 1
        node = outcome.state_after.nodes[-1]
        on = task.cell_under(node.frame, (node.x, node.y), 4.5)
        assert (on is not None) == (kind == "wrong_object")
    assert seen > 0
    assert task.score(session.state)["success"] is True


def test_mistakes_are_followed_by_undo_and_a_correction() -> None:
    session = annotated(5, Behaviour(near_miss=0.2, far_miss=0.1, notice_late=0.0, verify=0.0))
    for token, after in zip(session.clicks, session.clicks[1:], strict=False):
        if unpack_flags(token.flags).events & Flag.MISTAKE:
            assert after.action == "undo"
            assert unpack_flags(after.flags).events & Flag.CORRECTION


def test_late_noticed_mistakes_are_mended_too() -> None:
    behaviour = Behaviour(near_miss=0.1, far_miss=0.05, wrong_object=0.15, notice_late=1.0)
    session = annotated(6, behaviour)
    mistakes = [x for x in labels(session) if x.events & Flag.MISTAKE]
    assert any(x.phase is not Phase.PLACE for x in mistakes)
    assert session.task.score(session.state)["edge_f1"] == 1.0


def test_every_click_does_what_the_annotator_means() -> None:
    for seed in range(5):
        session = Session(make_task("cell_lineage", seed))
        annotator = make_annotator(session, seed)
        while not session.terminated:
            outcome = annotator.step()
            assert outcome.action == annotator.action


def test_positions_follow_the_divisions() -> None:
    session = annotated(1, "flawless")
    places = [x.position for x in labels(session) if x.phase is Phase.PLACE]
    assert places == sorted(places)  # type: ignore[type-var]
    assert set(places) == set(range(13))


def test_strategies_differ_in_what_they_look_at() -> None:
    def looks(strategy: str) -> int:
        behaviour = replace(CellLineageAnnotator.default_behaviour, strategy=strategy)
        sessions = [annotated(seed, behaviour) for seed in range(6)]
        return sum(x.phase is Phase.EXPLORE for session in sessions for x in labels(session))

    assert looks("direct") == 0
    assert looks("thorough") > looks("efficient")


@given(
    seed=st.integers(0, 20),
    clicks=st.lists(st.tuples(st.integers(0, 425), st.integers(0, 435)), max_size=30),
    known=st.integers(0, 60),
)
@settings(deadline=None, max_examples=15)
def test_it_goes_on_from_whatever_others_left(
    seed: int, clicks: list[tuple[int, int]], known: int
) -> None:
    session = Session(make_task("cell_lineage", seed, cells=6, frames=10))
    annotator = make_annotator(session, seed)
    for _ in range(known):
        if not session.terminated:
            annotator.step()
    done = session.screen.layout.buttons["done"]
    for xy in clicks:
        if not done.contains(*xy):
            session.apply(xy)
    annotator.run(2000)
    assert session.task.score(session.state)["success"] is True or known > 0


def test_it_refuses_other_tasks_and_ended_ones() -> None:
    session = annotated(0)
    with pytest.raises(TaskError, match="ended"):
        make_annotator(session).act()
    other = Session(make_task("neuron_tracking"))
    with pytest.raises(TaskError, match="neuron_tracking"):
        CellLineageAnnotator(other, np.random.default_rng(0), Behaviour())


def test_the_same_seeds_give_the_same_clicks() -> None:
    one, other = annotated(8), annotated(8)
    assert list(one.clicks) == list(other.clicks)
    env = bc.make("cell_lineage")
    env.reset(seed=8)
    bc.make_annotator(env, 9).run(2000)
    assert list(env.session.clicks) == list(one.clicks)
