"""What holds for the scripted annotators of all tasks that are registered.

Neuron tracing has its own tests: its worlds are volumes.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

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
MOST_CLICKS = 4000

# Mean clicks of an episode: the shortest and the longest tasks, all others between them.
LENGTHS = {
    "exploration_3d": (5, 10),
    "animal_limb_tracking": (300, 500),
    "animal_behavior_tracking": (300, 480),
    "colored_dot_tracking": (71, 125),
}
BETWEEN = (7, 420)


@dataclass(frozen=True)
class Tally:
    """What came of some episodes of a task."""

    failed: tuple[int, ...]
    lengths: tuple[int, ...]
    placed: int
    wrong: int
    events: Counter[Flag]
    actions: Counter[str]

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
    failed, lengths = [], []
    placed = wrong = 0
    events: Counter[Flag] = Counter()
    actions: Counter[str] = Counter()
    for seed in range(episodes):
        session = Session(make_task(task_id, seed))
        annotator_for(session, seed, behaviour).run(MOST_CLICKS)
        if not session.task.score(session.state)["success"]:
            failed.append(seed)
        lengths.append(len(session.clicks))
        for click in session.clicks:
            labels = unpack_flags(click.flags)
            actions[click.action] += 1
            events.update(flag for flag in Flag if flag & labels.events)
            placed += labels.phase is Phase.PLACE
            wrong += labels.phase is Phase.PLACE and bool(labels.events & Flag.MISTAKE)
    return Tally(tuple(failed), tuple(lengths), placed, wrong, events, actions)


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
    assert tally(task_id, 3, behaviour).failed == ()


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


@pytest.mark.slow
@EACH_TASK
def test_five_hundred_episodes(task_id: str) -> None:
    found = tally(task_id, MANY)
    assert found.failed == ()
    assert 0.05 <= found.share <= 0.15
    low, high = LENGTHS.get(task_id, BETWEEN)
    assert low <= np.mean(found.lengths) <= high
