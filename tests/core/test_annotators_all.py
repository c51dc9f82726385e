"""What holds for the scripted annotators of all tasks that are registered.

Neuron tracing has its own tests: its worlds are volumes.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from annotating import (
    MOST_CLICKS,
    annotated,
    click_anywhere,
    click_at_random,
    labels_of,
    taken_over,
    wrong_share,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import bcannot_core as bc
from bcannot_core.annotators import (
    BEHAVIOURS,
    STRATEGIES,
    Behaviour,
    Flag,
    Phase,
    PlanAnnotator,
    make_annotator,
    unpack_flags,
)
from bcannot_core.errors import TaskError
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import make_task

TASKS = [task for task in bc.list_tasks() if task != "neuron_tracing"]
EACH_TASK = pytest.mark.parametrize("task_id", TASKS)
FEW, MANY = 12, 500

# Mean clicks of an episode: the shortest and the longest tasks, all others between them.
LENGTHS = {
    "exploration_3d": (5, 10),
    "animal_limb_tracking": (300, 500),
    "animal_behavior_tracking": (300, 480),
    "colored_dot_tracking": (71, 125),
}
BETWEEN = (7, 420)

# What five hundred episodes are held to beyond that.
USUAL_LENGTHS = {
    "animal_limb_tracking": (390, 450),
    "animal_behavior_tracking": (360, 420),
    "road_network": (40, 65),
    "spectral_plume": (20, 45),
}
WITHOUT_FAULT = {"cell_lineage": "edge_f1", "neuron_tracking": "identity_f1"}
DRAWN = ("road_network", "spectral_plume")
ON_VIDEO = ("animal_limb_tracking", "animal_behavior_tracking")


@dataclass(frozen=True)
class Tally:
    """What came of some episodes of a task.

    ``shares`` are those of mistakes by hundreds of episodes; ``least`` is the lowest score of the
    metric that is always 1 in the task, 1 where there is none.
    """

    failed: tuple[int, ...]
    lengths: tuple[int, ...]
    placed: int
    wrong: int
    events: Counter[Flag]
    actions: Counter[str]
    shares: tuple[float, ...]
    least: float

    @property
    def share(self) -> float:
        """Share of the placements that are mistakes."""
        return self.wrong / self.placed


@EACH_TASK
def test_another_task_is_refused(task_id: str) -> None:
    annotator = type(make_annotator(Session(make_task(task_id, 0)), 0))
    tracing = Session(make_task("neuron_tracing", 0, sections=4))
    with pytest.raises(TaskError, match=f"is no {task_id}: choose its annotator"):
        annotator(tracing, np.random.default_rng(0), Behaviour())


def annotator_for(session: Session, seed: int, behaviour: Behaviour | str) -> PlanAnnotator:
    annotator = make_annotator(session, seed, behaviour)
    assert isinstance(annotator, PlanAnnotator)
    return annotator


def default_of(task_id: str) -> Behaviour:
    return annotator_for(Session(make_task(task_id, 0)), 0, "default").default_behaviour


@cache
def tally(task_id: str, episodes: int = FEW, behaviour: Behaviour | str = "default") -> Tally:
    failed, lengths, scores = [], [], []
    placed, wrong = np.zeros(episodes, int), np.zeros(episodes, int)
    events: Counter[Flag] = Counter()
    actions: Counter[str] = Counter()
    for seed in range(episodes):
        session = Session(make_task(task_id, seed))
        annotator_for(session, seed, behaviour).run(MOST_CLICKS)
        score = session.task.score(session.state)
        scores.append(score.get(WITHOUT_FAULT.get(task_id, ""), 1.0))
        if not score["success"]:
            failed.append(seed)
        lengths.append(len(session.clicks))
        for click in session.clicks:
            labels = unpack_flags(click.flags)
            actions[click.action] += 1
            events.update(flag for flag in Flag if flag & labels.events)
            placed[seed] += labels.phase is Phase.PLACE
            wrong[seed] += labels.phase is Phase.PLACE and bool(labels.events & Flag.MISTAKE)
    hundreds = range(0, episodes, 100)
    shares = tuple(wrong[i : i + 100].sum() / placed[i : i + 100].sum() for i in hundreds)
    counts = int(placed.sum()), int(wrong.sum())
    return Tally(tuple(failed), tuple(lengths), *counts, events, actions, shares, min(scores))


@EACH_TASK
def test_episodes_end_in_success_with_mistakes_on(task_id: str) -> None:
    found = tally(task_id)
    assert found.failed == ()
    low, high = LENGTHS.get(task_id, BETWEEN)
    assert low * 0.8 <= np.mean(found.lengths) <= high * 1.2


def test_one_placement_in_ten_is_a_mistake_that_is_taken_back() -> None:
    every = [tally(task_id) for task_id in TASKS]
    share = sum(found.wrong for found in every) / sum(found.placed for found in every)
    assert 0.05 <= share <= 0.15


@EACH_TASK
@pytest.mark.parametrize("behaviour", [name for name in BEHAVIOURS if name != "default"])
def test_every_named_behaviour_succeeds(task_id: str, behaviour: str) -> None:
    assert tally(task_id, 6 if task_id in DRAWN else 3, behaviour).failed == ()


@pytest.mark.parametrize("task_id", DRAWN)
def test_many_mistakes_of_the_usual_kinds_are_mended(task_id: str) -> None:
    assert tally(task_id, 6, "default").failed == ()
    assert tally(task_id, 6, Behaviour().with_mistakes(0.3)).failed == ()


@pytest.mark.parametrize("task_id", DRAWN)
def test_it_takes_over_from_anybody(task_id: str) -> None:
    for seed in range(6):
        session = Session(make_task(task_id, seed))
        click_at_random(session, seed, 80)
        assert taken_over(session, seed), seed


@EACH_TASK
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_succeeds(task_id: str, strategy: str) -> None:
    behaviour = replace(default_of(task_id), strategy=strategy)
    assert tally(task_id, 2, behaviour).failed == ()


@EACH_TASK
def test_without_mistakes_nothing_is_taken_back(task_id: str) -> None:
    found = tally(task_id, 4, default_of(task_id).with_mistakes(0.0))
    assert found.failed == ()
    assert found.events[Flag.MISTAKE] == 0
    assert found.actions["undo"] == 0
    oracle = tally(task_id, 4, "flawless")
    assert oracle.events[Flag.MISTAKE] == oracle.events[Flag.OVERSHOOT] == 0
    assert sum(oracle.lengths) <= sum(found.lengths)


@EACH_TASK
def test_three_in_ten_can_be_mistakes(task_id: str) -> None:
    often = replace(default_of(task_id), strategy="steady").with_mistakes(0.3)
    # 3D exploration has one decision an episode.
    found = tally(task_id, 150 if task_id == "exploration_3d" else FEW, often)
    assert found.failed == ()
    assert 0.2 <= found.share <= 0.36


@EACH_TASK
def test_mistakes_are_corrected_before_done(task_id: str) -> None:
    for seed in range(6):
        session = Session(make_task(task_id, seed))
        annotator_for(session, seed, default_of(task_id).with_mistakes(0.3)).run(MOST_CLICKS)
        labels = [unpack_flags(click.flags) for click in session.clicks]
        last = max((i for i, k in enumerate(labels) if k.events & Flag.MISTAKE), default=-1)
        mended = [i for i, k in enumerate(labels) if k.events & Flag.CORRECTION]
        assert last == -1 or mended[-1] > last
        assert labels[-1].phase is Phase.FINISH


@EACH_TASK
def test_every_click_is_labelled(task_id: str) -> None:
    session = Session(make_task(task_id, 1))
    annotator_for(session, 1, "default").run(MOST_CLICKS)
    labels = [unpack_flags(click.flags) for click in session.clicks]
    assert all(k.phase is not Phase.NONE for k in labels)
    assert all(click.ms > 0 for click in session.clicks)
    decisions = (Phase.PLACE, Phase.CORRECT)  # a choice is corrected by the right choice
    right = [k for k in labels if k.phase in decisions and not k.events & Flag.MISTAKE]
    assert right
    assert all(k.position is not None for k in labels if k.phase is Phase.PLACE)


@EACH_TASK
def test_the_same_seed_clicks_the_same(task_id: str) -> None:
    runs = []
    for seed in (5, 5, 6):
        session = Session(make_task(task_id, 5))
        annotator_for(session, seed, "default").run(MOST_CLICKS)
        runs.append(list(session.clicks))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@EACH_TASK
def test_it_takes_over_after_random_clicks_and_in_between(task_id: str) -> None:
    for seed in range(4):
        session = Session(make_task(task_id, seed))
        annotator = annotator_for(session, seed, "default")
        layout, rng = session.screen.layout, np.random.default_rng(seed)
        for turn in range(3):
            for x, y in rng.integers(0, layout.size_wh, (25, 2)).tolist():
                if not layout.buttons["done"].contains(x, y):
                    session.apply((x, y), "person")
            for _ in range(10 * turn):
                if not session.terminated:
                    annotator.step()
        annotator.run(MOST_CLICKS)
        assert session.task.score(session.state)["success"], seed


@EACH_TASK
def test_acting_changes_nothing_and_may_be_repeated(task_id: str) -> None:
    session = Session(make_task(task_id, 2))
    annotator = annotator_for(session, 2, "default")
    for _ in range(30):
        if session.terminated:
            break
        before = session.state
        for _ in range(3):
            click = annotator.act()
        assert session.state is before
        session.apply(click, "annotator")
        assert session.clicks[-1].action == annotator.action
    annotator.run(MOST_CLICKS)
    assert session.task.score(session.state)["success"]


@EACH_TASK
def test_every_click_does_what_the_annotator_means(task_id: str) -> None:
    for seed in range(2 if task_id in ON_VIDEO else 8):
        session = Session(make_task(task_id, seed))
        annotator = annotator_for(session, seed, "default")
        while not session.terminated:
            assert annotator.step().action == annotator.action


@EACH_TASK
def test_nothing_is_left_to_click_in_an_ended_session(task_id: str) -> None:
    session = annotated(task_id, 0, "flawless")
    with pytest.raises(TaskError, match="ended"):
        make_annotator(session).act()


SHARES = {
    "cell_lineage": (12, 0.08, {}),
    "neuron_tracking": (12, 0.08, {}),
    "animal_limb_tracking": (6, 0.06, {"frames": 6}),
    "animal_behavior_tracking": (8, 0.06, {"frames": 6}),
}


@pytest.mark.parametrize("task_id", SHARES)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_share_of_mistakes_can_be_chosen(task_id: str, share: float) -> None:
    seeds, tolerance, options = SHARES[task_id]
    kinds = Behaviour() if task_id in ON_VIDEO else default_of(task_id)
    behaviour = replace(kinds, strategy="steady").with_mistakes(share)
    sessions = [annotated(task_id, seed, behaviour, **options) for seed in range(seeds)]
    assert wrong_share(sessions) == pytest.approx(share, abs=tolerance)
    assert all(session.task.score(session.state)["success"] for session in sessions)


@pytest.mark.parametrize("task_id", ["cell_lineage", "neuron_tracking"])
def test_strategies_differ_in_what_they_look_at(task_id: str) -> None:
    def looks(strategy: str) -> int:
        behaviour = replace(default_of(task_id), strategy=strategy)
        sessions = [annotated(task_id, seed, behaviour) for seed in range(6)]
        return sum(x.phase is Phase.EXPLORE for session in sessions for x in labels_of(session))

    assert looks("direct") == 0
    assert looks("thorough") > looks("efficient")


SHORT = {
    "cell_lineage": {"cells": 6, "frames": 10},
    "neuron_tracking": {"groups": 3},
}


@pytest.mark.parametrize("task_id", SHORT)
@given(
    seed=st.integers(0, 20),
    clicks=st.lists(st.tuples(st.integers(0, 425), st.integers(0, 435)), max_size=40),
    known=st.integers(0, 60),
)
@settings(deadline=None, max_examples=15)
def test_it_goes_on_from_whatever_others_left(
    task_id: str, seed: int, clicks: list[tuple[int, int]], known: int
) -> None:
    session = Session(make_task(task_id, seed, **SHORT[task_id]))
    annotator = annotator_for(session, seed, "default")
    for _ in range(known):
        if not session.terminated:
            annotator.step()
    ended = session.terminated
    click_anywhere(session, clicks)
    annotator.run(MOST_CLICKS)
    score = session.task.score(session.state)
    assert score["success"] is True or ended
    assert task_id != "neuron_tracking" or score["identity_f1"] == 1.0


@pytest.mark.slow
@EACH_TASK
def test_five_hundred_episodes(task_id: str) -> None:
    found = tally(task_id, MANY)
    assert found.failed == ()
    assert 0.05 <= found.share <= 0.15
    low, high = USUAL_LENGTHS.get(task_id, LENGTHS.get(task_id, BETWEEN))
    assert low <= np.mean(found.lengths) <= high
    assert found.least == 1.0
    if task_id in WITHOUT_FAULT:
        assert all(0.05 <= share <= 0.15 for share in found.shares)
    if task_id in ON_VIDEO:
        assert found.actions["none"] == 0
