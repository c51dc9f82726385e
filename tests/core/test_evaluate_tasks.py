"""Closed-loop evaluation of any task: scores, mistakes, forced mistakes, lockstep."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from bcannot_core.annotators import Flag, make_annotator, unpack_flags
from bcannot_core.errors import UsageError
from bcannot_core.evaluation.actors import Actors, OneByOne
from bcannot_core.evaluation.intervals import mean_interval, ratio_interval
from bcannot_core.evaluation.judged import JudgedSeat
from bcannot_core.evaluation.metrics import point_figures
from bcannot_core.evaluation.oracle import Oracle
from bcannot_core.evaluation.plume_oracle import PlumeOracle
from bcannot_core.evaluation.scripted import AnnotatorActors, RandomActors, scripted_actors
from bcannot_core.evaluation.tasks import STEP_LIMITS, TaskEvaluation, evaluate_task
from bcannot_core.session import Session
from bcannot_core.tasks.registry import list_tasks, make_task

QUICK = ("exploration_3d", "shape_matching")


def evaluation(task: str = "shape_matching", **options: Any) -> TaskEvaluation:
    return TaskEvaluation(task, **{"episodes": 3, "forced": 0, "seed": 5, **options})


class Fixed:
    """Clicks the same pixel for ever."""

    name = "fixed"

    def __init__(self, click: tuple[int, int] = (0, 0)) -> None:
        self.click = click
        self.resets = 0
        self.observed: list[tuple[int, int]] = []

    def reset(self) -> None:
        self.resets += 1

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        assert frame.shape == (436, 426, 3) and frame.dtype == np.uint8
        return self.click

    def observe(self, frame: np.ndarray, click: tuple[int, int]) -> None:
        self.observed.append(click)


class Unfinished(AnnotatorActors):
    """The flawless annotator, but for Done."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows, "flawless")

    def act(self, frames: Sequence[Any], alive: Sequence[bool]) -> list[tuple[int, int]]:
        clicks = super().act(frames, alive)
        names = [None if a is None else a.action for a in self._annotators]
        return [(0, 0) if n == "done" else c for n, c in zip(names, clicks, strict=True)]


# ---------------------------------------------------------------------------------------- scores


@pytest.mark.parametrize("task", QUICK)
def test_a_flawless_policy_succeeds_and_mends_what_is_forced_on_it(task: str) -> None:
    found = evaluate_task(scripted_actors("baseline:flawless", 2), evaluation(task, forced=3))
    assert found["episodes"] == 3
    assert found["success_rate"] == found["done_rate"] == 1.0
    assert found["mistakes"] == 0.0 and found["undos"] == 0.0
    forced = found["forced_mistakes"]
    assert forced["episodes"] == 3
    assert forced["undo_rate"] == forced["mended_rate"] == 1.0
    assert forced["answers"].keys() <= {"undo", "select"}
    assert found["intervals_95"]["success_rate"] == [1.0, 1.0]
    assert [one["number"] for one in found["per_episode"]] == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("task", [t for t in list_tasks() if t != "neuron_tracing"])
def test_every_task_can_be_evaluated(task: str) -> None:
    found = evaluate_task(scripted_actors("baseline:flawless", 2), evaluation(task, forced=2))
    assert found["success_rate"] == 1.0
    assert found["mistakes"] == 0.0
    assert found["forced_mistakes"]["episodes"] == 2
    assert found["forced_mistakes"]["undo_rate"] == 1.0
    assert max(one["steps"] for one in found["per_episode"]) <= STEP_LIMITS[task] / 2


def test_point_tasks_have_the_keys_of_the_contract() -> None:
    found = evaluate_task(
        scripted_actors("baseline:flawless", 2), evaluation("colored_dot_tracking", episodes=2)
    )
    keys = {"precision", "recall", "f1", "rmse_px", "success_rate", "episodes", "done_rate"}
    assert keys | {"mistakes", "undos", "steps_mean", "ms_per_action"} <= found.keys()
    assert found["f1"] == found["placement_at_5px"] == 1.0


def test_a_policy_that_never_presses_done_is_cut_off() -> None:
    found = evaluate_task(Unfinished(2), evaluation(patience=7))
    assert found["done_rate"] == found["success_rate"] == 0.0
    assert found["recall"] == 1.0 and found["stuck_rate"] == 1.0
    patient = evaluate_task(Unfinished(2), evaluation(patience=0, limit=35))
    assert patient["steps_mean"] == 35 and patient["stuck_rate"] == 0.0


def test_random_clicks_make_mistakes_and_do_not_succeed() -> None:
    found = evaluate_task(RandomActors(2), evaluation("neuron_tracking", episodes=4))
    assert found["success_rate"] == 0.0 and found["f1"] == 0.0
    assert found["placements_judged"] and found["mistakes"] == 1.0
    assert found["annotator"]["success_rate"] == 1.0
    assert 0 < found["annotator"]["mistakes"] < 0.3


def test_a_policy_that_ignores_a_forced_mistake_does_not_undo_it() -> None:
    policy = Fixed()
    found = evaluate_task(policy, evaluation(episodes=1, forced=3))
    forced = found["forced_mistakes"]
    assert forced["undo_rate"] == forced["mended_rate"] == 0.0
    assert forced["answers"] == {"none": 3}
    assert policy.resets == 4
    assert len(policy.observed) >= 3  # the annotator's clicks, and the wrong ones


def test_a_forced_mistake_waits_for_the_policy_to_get_there() -> None:
    ahead = evaluation(episodes=1, forced=3, forced_own_history=True)
    policy = Fixed()
    assert evaluate_task(scripted_actors("baseline:flawless", 2), ahead)["forced_mistakes"][
        "undo_rate"
    ] == 1.0  # fmt: skip
    got = evaluate_task(policy, evaluation(episodes=1, forced=2, forced_own_history=True, limit=9))
    assert got["forced_mistakes"]["episodes"] <= 2


# ------------------------------------------------------------------------------------- lockstep


@pytest.mark.parametrize("make", [lambda n: AnnotatorActors(n), lambda n: RandomActors(n, 3)])
def test_results_do_not_depend_on_how_many_go_at_once(make: Callable[[int], Actors]) -> None:
    results = [evaluate_task(make(rows), evaluation(episodes=5)) for rows in (1, 3, 8)]
    for one in results:
        del one["ms_per_action"]
    assert results[0] == results[1] == results[2]


def test_policies_one_by_one_are_begun_for_every_session() -> None:
    policies = [Fixed((5, 5)), Fixed((6, 6))]
    evaluate_task(OneByOne(policies), evaluation(episodes=5, limit=3))
    assert [policy.resets for policy in policies] == [3, 2]


def test_the_worlds_follow_from_the_seed_alone() -> None:
    one, other = evaluation(seed=1), evaluation(seed=1, episodes=9)
    assert [one.world_seed(n) for n in range(3)] == [other.world_seed(n) for n in range(3)]
    assert one.world_seed(0) != evaluation(seed=2).world_seed(0)


@pytest.mark.parametrize("options", [{"episodes": 0}, {"limit": 0}, {"task": "no_such"}])
def test_what_cannot_be_evaluated_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        evaluation(**options)


# -------------------------------------------------------------------------------------- judging


@pytest.mark.parametrize("task", ["colored_dot_tracking", "neuron_tracking", "cell_lineage"])
def test_what_is_judged_a_mistake_is_what_the_annotator_calls_one(task: str) -> None:
    flagged = judged = 0
    for seed in range(3):
        seat = JudgedSeat(Session(make_task(task, seed)), 10_000)
        annotator = make_annotator(seat.session, seed, "hasty")
        while not seat.over:
            click = annotator.act()
            known, counted = seat.mistakes, seat.judged
            outcome = seat.apply(click, own=True)
            if seat.judged == counted:
                continue
            wrong = bool(unpack_flags(annotator.flags).events & Flag.MISTAKE)
            assert (seat.mistakes > known) == wrong, (seed, outcome.action)
            flagged += wrong
            judged += 1
        assert seat.mended == seat.mistakes
    assert flagged >= 3 and judged > 4 * flagged


def test_what_stands_on_a_mistake_is_not_judged() -> None:
    seat = JudgedSeat(Session(make_task("shape_matching", 3)), 100)
    oracle = Oracle(seat.session)
    task: Any = seat.session.task
    wrong = [i for i in range(len(task.world.items)) if i not in task.wanted]
    at = [(task.world.items[i].x, task.world.items[i].y) for i in wrong[:2]]
    for xy in at:
        seat.apply(seat.session.click_for(xy), own=True)
    assert (seat.placements, seat.judged, seat.mistakes) == (2, 1, 1)
    assert oracle.wanted().action == "undo" and oracle.mends()
    seat.apply(seat.session.click_for("undo"), own=True)
    assert seat.mended == 0
    seat.apply(seat.session.click_for("undo"), own=True)
    assert seat.mended == 1 and seat.undos == 2


def test_marks_of_many_things_are_judged_one_by_one() -> None:
    seat = JudgedSeat(Session(make_task("animal_limb_tracking", 3)), 100)
    task: Any = seat.session.task
    truth = task.points_xy[0]
    oracle = Oracle(seat.session)

    def place(far: float) -> None:
        x, y = truth[seat.session.state.keypoint]
        click = seat.session.click_for((round(float(x) + (far if x < 128 else -far)), round(y)))
        assert seat.apply(click, own=True).action == "place"

    for far in (0, 60, 0, 60):
        place(far)
    assert (seat.judged, seat.mistakes, oracle.faults()) == (4, 2, 2)
    seat.apply(seat.session.click_for("undo"), own=True)
    assert seat.mended == 1 and oracle.mends()


def test_a_forced_mistake_is_not_mended_by_going_on() -> None:
    """The next neuron placed right leaves the wrong one as it is."""
    session = Session(make_task("neuron_tracking", 4))
    annotator = make_annotator(session, 0, "flawless")
    oracle = Oracle(session)
    while annotator.act() and annotator.action != "place":
        session.apply(annotator.act())
    wrong = [(5, 5), (250, 250)]
    names = [session.apply(session.click_for(xy)).action for xy in wrong]
    assert "place" in names and oracle.mends()
    other = next(b for b in session.screen.layout.buttons if b.endswith("_3"))
    session.apply(session.click_for(other))
    assert oracle.mends()


def test_done_does_not_mend_anything() -> None:
    seat = JudgedSeat(Session(make_task("shape_matching", 3)), 100)
    task: Any = seat.session.task
    wrong = next(item for i, item in enumerate(task.world.items) if i not in task.wanted)
    seat.apply(seat.session.click_for((wrong.x, wrong.y)), own=True)
    seat.apply(seat.session.click_for("done"), own=True)
    result = seat.result()
    assert result.done and result.mistakes == 1 and result.mended == 0


def test_an_outline_of_a_plume_may_begin_anywhere() -> None:
    session = Session(make_task("spectral_plume", 2))
    task: Any = session.task
    oracle = PlumeOracle(session)
    outline = task.world.plumes[0].outline_xy
    steps = np.linspace(0, len(outline), 9)[:-1].astype(int)
    for turn in (steps, steps[::-1], np.roll(steps, 3)):
        state = session.state
        for x, y in outline[turn].round().astype(int):
            hit = session.screen.hit(*session.click_for((int(x), int(y))))
            state = task.apply(state, task.action_for(hit, state))
            assert not oracle.mends(state)
        far = (3, 3) if np.hypot(*(outline[0] - 3)) > 20 else (250, 250)
        hit = session.screen.hit(*session.click_for(far))
        assert oracle.mends(task.apply(state, task.action_for(hit, state)))


# -------------------------------------------------------------------------------------- figures


def test_intervals_hold_the_mean_and_narrow() -> None:
    few, many = [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0] * 25
    low, high = mean_interval(few)
    assert low < 0.5 < high
    close, near = mean_interval(many)
    assert low < close < 0.5 < near < high
    assert mean_interval([2.0]) == [2.0, 2.0]


def test_the_interval_of_a_ratio_draws_whole_episodes() -> None:
    assert ratio_interval([1, 2], [2, 4]) == [0.5, 0.5]
    assert ratio_interval([0, 0], [0, 0]) == [0.0, 1.0]
    low, high = ratio_interval([0, 10], [10, 10])
    assert (low, high) == (0.0, 1.0)


def test_points_under_other_names() -> None:
    assert point_figures({"node_precision": 0.5, "node_recall": 1, "node_f1": 0.7}) == {
        "precision": 0.5,
        "recall": 1.0,
        "f1": 0.7,
    }
    limbs = point_figures({"pck_5px": 0.4, "completion": 0.8, "error_px": 2.0})
    assert limbs["precision"] == 0.5 and limbs["f1"] == pytest.approx(0.4 / 0.9)
    assert limbs["rmse_px"] == 2.0
    assert point_figures({"pck_5px": 0.0, "completion": 0.0})["precision"] == 0.0
    assert point_figures({"class_accuracy": 1.0}) == {}
