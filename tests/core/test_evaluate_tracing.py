"""Closed-loop evaluation: what an oracle, the baselines and a lazy policy score on plain worlds."""

from itertools import cycle
from typing import Any

import numpy as np
import pytest

from bcannot_core.annotators import make_annotator
from bcannot_core.errors import TaskError, UsageError, VolumeUnreachableError
from bcannot_core.evaluation.tracing import (
    EvaluationOptions,
    _interval,
    draw_paths,
    evaluate_tracing,
)
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingWorld
from bcannot_core.tracing import TraceOptions
from bcannot_core.volumes import Contrast, Region, Volume

KEYS = {
    "episodes",
    "skeleton_accuracy",
    "coverage",
    "done_rate",
    "placement_at_5px",
    "placement_at_10px",
    "first_node_accuracy",
    "mistakes",
    "undos",
    "steps_mean",
    "ms_per_action",
}
"""What scripts may rely on."""


def box_neurite(
    shape: tuple[int, int, int],
    *,
    drift: int = 0,
    ends: int | None = None,
    half: tuple[int, int] = (10, 10),
    x: int = 60,
) -> np.ndarray:
    """One neurite of rectangular cross-section that drifts along x, and ends where told."""
    labels = np.zeros(shape, np.uint32)
    y = shape[1] // 2
    for z in range(shape[0] if ends is None else ends):
        at = x + drift * z
        labels[z, y - half[0] : y + half[0] + 1, at - half[1] : at + half[1] + 1] = 7
    return labels


def volumes(labels: np.ndarray, voxel_nm: Any = (10, 10, 10)) -> tuple[Volume, Volume]:
    """Grey values that show the labels, and the labels."""
    grey = np.where(labels > 0, 200, 60).astype(np.uint8)
    grey += np.random.default_rng(0).integers(0, 20, labels.shape, dtype=np.uint8)
    em = Volume.from_array(grey, voxel_nm=voxel_nm, contrast=Contrast(0, 255))
    return em, Volume.from_array(labels, voxel_nm=voxel_nm, labels=True)


def asked(sections: int, episodes: int = 2, **options: Any) -> EvaluationOptions:
    values = {"min_sections": 2, "forced": 0, "trace": TraceOptions(sections), **options}
    return EvaluationOptions(episodes=episodes, **values)


class Oracle:
    """The scripted annotator as a policy: works in a twin of the session that is evaluated."""

    name = "oracle"
    confidence = 1.0

    def __init__(
        self, em: Volume, labels: Volume, options: EvaluationOptions, behaviour: str = "flawless"
    ) -> None:
        self.options, self.behaviour, self.count = options, behaviour, 0
        self.paths = cycle(draw_paths(labels, options))
        self.em, self.labels = em, labels
        self.sessions: list[Session] = []

    def reset(self) -> None:
        path = next(self.paths)
        y, x = path.points_yx[0]
        world = TracingWorld(self.em, (path.z0, float(y), float(x)), self.labels)
        self.session = Session(NeuronTracing(world, self.options.trace.config()))
        self.sessions.append(self.session)
        self.annotator = make_annotator(self.session, len(self.sessions), self.behaviour)

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        assert np.array_equal(frame, self.session.frame())
        click = self.annotator.act()
        self.session.apply(click, "policy")
        return click

    def observe(self, frame: np.ndarray, click: tuple[int, int]) -> None:
        assert np.array_equal(frame, self.session.frame())
        self.session.apply(click, "annotator")

    def actions(self) -> set[str]:
        return {click.action for session in self.sessions for click in session.clicks}


class Idle(Oracle):
    """Presses Done at once."""

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        return self.session.click_for("done")


def evaluate(labels: np.ndarray, options: EvaluationOptions, policy: Any = Oracle) -> Any:
    em, ids = volumes(labels)
    acting = policy(em, ids, options)
    return evaluate_tracing(acting, em, ids, options), acting


def test_traces_of_one_neurite_do_not_count_as_independent() -> None:
    scores = [
        {"label": label, "skeleton_accuracy": accuracy, "coverage": 1.0}
        for label, accuracy in ((1, 1.0), (2, 0.0))
        for _ in range(30)
    ]
    assert _interval(scores, seed=0) == [0.0, 1.0]
    apart = [{**score, "label": i} for i, score in enumerate(scores)]
    low, high = _interval(apart, seed=0)
    assert 0.3 < low < 0.45 < 0.55 < high < 0.7


# ----------------------------------------------------------------------------- the oracle


def test_the_oracle_is_perfect_and_all_keys_are_there() -> None:
    labels = box_neurite((12, 80, 160), drift=4)
    report, _ = evaluate(labels, asked(12, episodes=3, forced=2))
    assert set(report) >= KEYS
    perfect = ("skeleton_accuracy", "coverage", "done_rate", "first_node_accuracy", "product")
    assert [report[name] for name in perfect] == [1.0] * 5
    assert report["placement_at_5px"] == report["placement_at_10px"] == report["faultless"] == 1.0
    assert (report["episodes"], report["mistakes"], report["undos"]) == (3, 0, 0)
    assert report["product_interval_95"] == [1.0, 1.0]
    assert report["steps_mean"] == 24
    assert (report["neurites"], report["sections_mean"]) == (1, 12)
    assert report["ms_per_action"] > 0
    assert report["forced_mistakes"]["undo_rate"] == 1.0
    for name in ("baseline:centre", "baseline:stay"):
        assert set(report[name]) >= KEYS - {"ms_per_action"}
    assert [one["start_zyx"] for one in report["per_episode"]] == [[0, 40, 60]] * 3
    assert {one["stopped"] for one in report["per_episode"]} == {"done"}


def test_the_oracle_stops_where_the_neurite_ends() -> None:
    labels = box_neurite((12, 80, 160), ends=7)
    report, _ = evaluate(labels, asked(12, min_sections=7))
    assert report["skeleton_accuracy"] == report["coverage"] == report["done_rate"] == 1.0
    assert report["steps_mean"] == 7 * 2 + 1  # on to the section after the end, and Done there
    assert report["baseline:centre"]["skeleton_accuracy"] == pytest.approx(7 / 12, abs=1e-4)


def test_a_neurite_that_leaves_the_window_is_followed_by_recentring() -> None:
    labels = box_neurite((20, 80, 420), drift=15)
    report, oracle = evaluate(labels, asked(20, min_sections=20))
    assert report["product"] == 1.0
    assert oracle.actions() == {"place", "next_section", "done"}
    assert all(session.state.view[1] > 128 for session in oracle.sessions)
    assert report["baseline:centre"]["skeleton_accuracy"] == pytest.approx(1 / 20)


def test_a_neurite_that_runs_in_the_section_is_followed_by_panning() -> None:
    # each step leads beyond the window
    labels = box_neurite((8, 80, 1000), drift=110, half=(8, 60), x=80)
    report, oracle = evaluate(labels, asked(8, min_sections=8))
    assert report["product"] == 1.0
    assert "pan" in oracle.actions()
    assert report["steps_mean"] > 16


def test_every_third_section_is_traced_through_a_region() -> None:
    em, ids = volumes(box_neurite((36, 80, 160), drift=2))
    thick, thick_ids = Region(em, step=(3, 1, 1)), Region(ids, step=(3, 1, 1))
    assert (thick.shape[0], thick.voxel_nm) == (12, (30, 10, 10))
    options = asked(12, min_sections=12)
    report = evaluate_tracing(Oracle(thick, thick_ids, options), thick, thick_ids, options)
    assert (report["product"], report["steps_mean"]) == (1.0, 24)
    # 6 px a section instead of 2: on the neurite for 2 sections instead of 6
    assert report["baseline:centre"]["skeleton_accuracy"] == pytest.approx(2 / 12, abs=1e-4)


def test_backwards_and_at_another_scale() -> None:
    em, ids = volumes(box_neurite((10, 80, 160), drift=4), voxel_nm=(30, 8, 8))
    options = asked(10, min_sections=10, trace=TraceOptions(10, 12.0, -1))
    report = evaluate_tracing(Oracle(em, ids, options), em, ids, options)
    assert (report["product"], report["done_rate"]) == (1.0, 1.0)
    assert [one["start_zyx"][0] for one in report["per_episode"]] == [9, 9]


# ----------------------------------------------------------------------------- other policies


def test_mistakes_that_are_undone_count_as_mistakes_but_not_against_the_skeleton() -> None:
    labels = box_neurite((12, 80, 160), half=(8, 8))
    em, ids = volumes(labels)
    options = asked(12, episodes=8, min_sections=12)
    oracle = Oracle(em, ids, options, "hasty")
    report = evaluate_tracing(oracle, em, ids, options)
    placements = sum(one["placements"] for one in report["per_episode"])
    wrong = sum(one["mistakes"] for one in report["per_episode"])
    assert report["product"] == report["done_rate"] == 1.0
    assert wrong > 0 and report["mistakes"] == pytest.approx(wrong / placements, abs=1e-4)
    clicks = [click.action for session in oracle.sessions for click in session.clicks]
    assert report["undos"] == pytest.approx(clicks.count("undo") / 8)
    assert report["steps_mean"] == pytest.approx(len(clicks) / 8, abs=0.01)


def test_a_policy_that_does_nothing_scores_nothing() -> None:
    report, _ = evaluate(box_neurite((6, 80, 160)), asked(6, forced=2), Idle)
    nothing = ("skeleton_accuracy", "coverage", "first_node_accuracy", "placement_at_10px")
    assert [report[name] for name in nothing] == [0] * 4
    assert (report["done_rate"], report["steps_mean"], report["faultless"]) == (1.0, 1, 0)
    assert report["forced_mistakes"] == {"episodes": 0, "undo_rate": 0.0, "answers": {}}


# ----------------------------------------------------------------------------- which neurites


def many_neurites() -> np.ndarray:
    labels = np.zeros((10, 160, 160), np.uint32)
    for i in range(16):
        y, x = divmod(i, 4)
        labels[:, 40 * y + 5 : 40 * y + 30, 40 * x + 5 : 40 * x + 30] = i + 1
    return labels


def starts(seed: int) -> list[tuple[int, ...]]:
    _, ids = volumes(many_neurites())
    paths = draw_paths(ids, asked(5, episodes=12, seed=seed))
    return [(path.label, path.z0, *map(int, path.points_yx[0])) for path in paths]


def test_a_seed_draws_the_same_neurites_and_another_draws_others() -> None:
    assert starts(3) == starts(3)
    assert starts(3) != starts(4)
    assert len({label for label, *_ in starts(3)}) > 4
    assert all(0 <= z <= 5 for _, z, _, _ in starts(3))


def test_a_seed_gives_the_same_report() -> None:
    def report() -> dict[str, Any]:
        found, _ = evaluate(many_neurites(), asked(5, episodes=3, forced=3, seed=5))
        return {name: value for name, value in found.items() if name != "ms_per_action"}

    assert report() == report()


def test_progress_is_told_after_every_episode() -> None:
    em, ids = volumes(box_neurite((4, 80, 160)))
    options, told = asked(4, episodes=3), []
    evaluate_tracing(Oracle(em, ids, options), em, ids, options, progress=lambda *n: told.append(n))
    assert told == [(1, 3), (2, 3), (3, 3)]


# ----------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("wrong", [{"episodes": 0}, {"forced": -1}, {"seed": -1}])
def test_impossible_options_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        EvaluationOptions(**wrong)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.zeros((8, 40, 40), np.uint32), asked(8), "no neurite"),
        (box_neurite((12, 80, 160), ends=4), asked(12, min_sections=8), "no neurite"),
        (box_neurite((1, 80, 160)), asked(8), "one section"),
    ],
)
def test_volumes_without_neurites_to_trace_are_refused(
    labels: np.ndarray, options: EvaluationOptions, message: str
) -> None:
    em, ids = volumes(labels)
    with pytest.raises(TaskError, match=message):
        evaluate_tracing(Idle, em, ids, options)  # type: ignore[arg-type]


def test_labels_of_another_shape_are_refused() -> None:
    em, _ = volumes(box_neurite((8, 80, 160)))
    _, ids = volumes(box_neurite((8, 80, 170)))
    with pytest.raises(UsageError, match="shape"):
        evaluate_tracing(Idle, em, ids, asked(8))  # type: ignore[arg-type]


def test_a_volume_that_fails_is_no_fault_of_the_policy() -> None:
    labels = box_neurite((8, 80, 160))
    _, ids = volumes(labels)

    class Failing:
        shape, dtype = labels.shape, np.dtype(np.uint8)
        chunks = (1, 80, 160)

        def __getitem__(self, key: tuple[slice, slice, slice]) -> np.ndarray:
            if key[0].start >= 4:
                raise OSError("the connection was reset")
            return (labels[key] * 20).astype(np.uint8)

    em = Volume.from_array(Failing(), voxel_nm=(10, 10, 10), contrast=Contrast(0, 255))
    options = asked(8)
    with pytest.raises(VolumeUnreachableError, match="connection was reset"):
        evaluate_tracing(Oracle(em, ids, options), em, ids, options)
