"""The scripted annotator of behavioural tracking."""

from collections import Counter
from functools import partial

import annotating
import numpy as np
import pytest
from annotating import click_at_random, taken_over, wrong_share

from bcannot_core.annotators import BEHAVIOURS, Behaviour, Flag, Phase, make_annotator, unpack_flags
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.worlds.behavior_animals import KINDS

annotated = partial(annotating.annotated, "animal_behavior_tracking")


@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, Behaviour().with_mistakes(0.3)])
def test_every_behaviour_ends_in_success(behaviour: Behaviour | str) -> None:
    for seed, kind in enumerate(KINDS):
        session = annotated(seed, behaviour, kind=kind, frames=4)
        assert session.task.score(session.state)["success"], kind


@pytest.mark.parametrize(
    "options", [{"frames": 1}, {"crowding": 1.0, "animals": 8}, {"variant": "split"}]
)
def test_other_worlds_and_screens(options: dict[str, object]) -> None:
    for seed, kind in enumerate(KINDS):
        session = annotated(seed, kind=kind, **{"frames": 3, **options})
        assert session.task.score(session.state)["success"], kind


def test_the_oracle_neither_errs_nor_looks_around() -> None:
    session = annotated(4, "flawless", animals=5, frames=4)
    counts = Counter(click.action for click in session.clicks)
    assert counts["place"] == 40
    assert counts["select"] == 5 + 3 * 4, "the last animal of a frame is the first of the next"
    assert counts["next_frame"] == 3
    assert counts["undo"] == counts["previous_frame"] == counts["none"] == 0
    assert not any(click.flags & 15 for click in session.clicks)


def test_numbers_go_from_left_to_right_whatever_goes_wrong() -> None:
    for seed in range(5):
        session = annotated(seed, Behaviour().with_mistakes(0.3), frames=3)
        truth = session.task.world.ends_xy
        for number, ends in enumerate(session.state.marks[0]):
            assert np.hypot(*(np.array(ends[0]) - truth[0, number, 0])) <= 3.1


def test_numbers_given_by_somebody_else_are_kept() -> None:
    session = Session(make_task("animal_behavior_tracking", 1, animals=5, frames=3))
    truth = np.rint(session.task.world.ends_xy).astype(int)
    for number, animal in enumerate((4, 2, 0)):
        session.apply(session.click_for(f"animal_{number}"))
        session.apply(session.click_for(tuple(truth[0, animal, 0].tolist())))
    make_annotator(session, 0, "flawless").run(500)
    assert session.task.score(session.state)["success"]
    for number, animal in enumerate((4, 2, 0)):
        front = np.array(session.state.marks[2][number][0])
        assert np.hypot(*(front - truth[2, animal, 0])) <= 3.5
    assert Counter(click.action for click in session.clicks)["undo"] == 0


def test_labels_name_the_phase_and_the_mark() -> None:
    session = annotated(3, "flawless", animals=4, frames=3)
    placed = [unpack_flags(click.flags) for click in session.clicks if click.action == "place"]
    assert all(label.phase is Phase.PLACE for label in placed)
    assert sorted(label.position for label in placed) == list(range(24))
    assert unpack_flags(session.clicks[-1].flags).phase is Phase.FINISH


def test_mistakes_are_marks_away_from_their_end() -> None:
    session = Session(make_task("animal_behavior_tracking", 2, animals=6))
    annotator = make_annotator(session, 2, Behaviour().with_mistakes(0.3))
    truth = session.task.world.ends_xy
    misses = []
    while not session.terminated:
        outcome = annotator.step()
        before, after = outcome.state_before, outcome.state_after
        if outcome.action != "place":
            continue
        point = np.array(after.marks[before.frame][before.animal][before.end])
        error = float(np.hypot(*(point - truth[before.frame, before.animal, before.end])))
        assert (error > 3.0) == bool(unpack_flags(annotator.flags).events & Flag.MISTAKE)
        misses += [error] if error > 3 else []
    assert min(misses) < 12
    assert max(misses) > 40
    assert session.task.score(session.state)["success"]


def test_usual_episodes_are_long_and_have_some_mistakes() -> None:
    usual = [annotated(seed) for seed in range(8)]
    assert 0.05 <= wrong_share(usual) <= 0.15
    assert 300 <= np.mean([len(session.clicks) for session in usual]) <= 480


def test_it_takes_over_from_anybody() -> None:
    for seed, kind in enumerate(KINDS):
        session = Session(make_task("animal_behavior_tracking", seed, kind=kind, frames=4))
        click_at_random(session, seed, 150)
        assert taken_over(session, seed), kind
