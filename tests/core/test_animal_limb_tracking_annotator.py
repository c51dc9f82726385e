"""The scripted annotator of limb tracking."""

from collections import Counter
from functools import partial

import annotating
import numpy as np
import pytest
from annotating import click_at_random, taken_over, wrong_share

from bcannot_core.annotators import BEHAVIOURS, Behaviour, Flag, Phase, make_annotator, unpack_flags
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.worlds.limb_anatomy import SPECIES

annotated = partial(annotating.annotated, "animal_limb_tracking")


@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, Behaviour().with_mistakes(0.3)])
def test_every_behaviour_ends_in_success(behaviour: Behaviour | str) -> None:
    for seed, species in enumerate(SPECIES):
        session = annotated(seed, behaviour, species=species, frames=4)
        assert session.task.score(session.state)["success"], species


@pytest.mark.parametrize(
    "options",
    [
        {"frames": 1},
        {"size": 0.5},
        {"deformation": 1.5},
        {"deformation": 0.0},
        {"variant": "split"},
    ],
)
def test_other_worlds_and_screens(options: dict[str, object]) -> None:
    for seed, species in enumerate(SPECIES):
        session = annotated(seed, species=species, **{"frames": 3, **options})
        assert session.task.score(session.state)["success"], species


def test_the_oracle_neither_errs_nor_looks_around() -> None:
    session = annotated(4, "flawless", species="bird", frames=5)
    counts = Counter(click.action for click in session.clicks)
    assert counts["place"] == 5 * 13
    assert counts["next_frame"] == 4
    assert counts["undo"] == counts["previous_frame"] == counts["none"] == 0
    assert not any(click.flags & 15 for click in session.clicks)


def test_labels_name_the_phase_and_the_keypoint() -> None:
    session = annotated(3, "flawless", species="insect", frames=3)
    placed = [unpack_flags(click.flags) for click in session.clicks if click.action == "place"]
    assert all(label.phase is Phase.PLACE for label in placed)
    assert sorted(label.position for label in placed) == list(range(3 * 17))
    assert unpack_flags(session.clicks[-1].flags).phase is Phase.FINISH


def test_mistakes_are_mended_and_of_every_kind() -> None:
    session = Session(make_task("animal_limb_tracking", 2, species="bird"))
    annotator = make_annotator(session, 2, Behaviour().with_mistakes(0.3))
    truth = session.task.world.animal.points_xy
    misses = []
    while not session.terminated:
        outcome = annotator.step()
        before, after = outcome.state_before, outcome.state_after
        if outcome.action != "place" or unpack_flags(annotator.flags).phase is not Phase.PLACE:
            continue
        point = np.array(after.poses[before.frame][before.keypoint])
        error = float(np.hypot(*(point - truth[before.frame, before.keypoint])))
        assert (error > 2.3) == bool(unpack_flags(annotator.flags).events & Flag.MISTAKE)
        misses += [error] if error > 2.3 else []
    assert min(misses) < 10
    assert max(misses) > 25
    assert session.task.score(session.state)["success"]
    events = Counter(unpack_flags(click.flags).events for click in session.clicks)
    assert events[Flag.CORRECTION] > 10


def test_usual_episodes_are_long_and_have_some_mistakes() -> None:
    usual = [annotated(seed) for seed in range(8)]
    assert 0.05 <= wrong_share(usual) <= 0.15
    assert 300 <= np.mean([len(session.clicks) for session in usual]) <= 500


def test_it_takes_over_from_anybody() -> None:
    for seed, species in enumerate(SPECIES):
        session = Session(make_task("animal_limb_tracking", seed, species=species, frames=4))
        click_at_random(session, seed, 150)
        assert taken_over(session, seed), species
