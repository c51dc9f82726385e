"""The scripted annotator of cell lineages: plans, mistakes, corrections and habits."""

from collections import Counter
from typing import Any

import annotating
import numpy as np
import pytest
from annotating import labels_of

import bcannot_core as bc
from bcannot_core.annotators import Behaviour
from bcannot_core.annotators.labels import Flag, Phase, unpack_flags
from bcannot_core.session import Session


def annotated(seed: int, behaviour: Behaviour | str = "default", **options: Any) -> Session:
    return annotating.annotated("cell_lineage", seed, behaviour, annotator_seed=seed + 1, **options)


def mistaken(session: Session) -> int:
    return sum(bool(label.events & Flag.MISTAKE) for label in labels_of(session))


def test_ten_seeds_succeed_with_mistakes_on() -> None:
    sessions = [annotated(seed) for seed in range(10)]
    for session in sessions:
        assert session.task.score(session.state)["success"] is True
        assert session.task.score(session.state)["edge_f1"] == 1.0
    assert sum(mistaken(session) for session in sessions) > 10
    assert 40 < np.mean([len(session.clicks) for session in sessions]) < 130


def test_the_oracle_clicks_what_is_needed_and_no_more() -> None:
    session = annotated(3, "flawless")
    actions = Counter(token.action for token in session.clicks)
    last = session.task.world.divisions[-1].last + 1  # type: ignore[attr-defined]
    assert actions == {"place": 25, "select": 12, "next_frame": last, "done": 1}
    assert mistaken(session) == 0


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
    mistakes = [x for x in labels_of(session) if x.events & Flag.MISTAKE]
    assert any(x.phase is not Phase.PLACE for x in mistakes)
    assert session.task.score(session.state)["edge_f1"] == 1.0


def test_positions_follow_the_divisions() -> None:
    session = annotated(1, "flawless")
    places = [x.position for x in labels_of(session) if x.phase is Phase.PLACE]
    assert places == sorted(places)  # type: ignore[type-var]
    assert set(places) == set(range(13))


def test_an_environment_is_worked_in_like_a_session() -> None:
    one = annotated(8)
    env = bc.make("cell_lineage")
    env.reset(seed=8)
    bc.make_annotator(env, 9).run(2000)
    assert list(env.session.clicks) == list(one.clicks)
