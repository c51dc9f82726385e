"""The baselines, on neurites whose scores can be worked out by hand."""

from typing import Any

import numpy as np
import pytest

from bcannot_core.evaluation.baselines import BASELINES, CentreBaseline, Clicker, StayBaseline
from bcannot_core.evaluation.tracing import EvaluationOptions, evaluate_tracing
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tracing import TraceOptions
from bcannot_core.volumes import Contrast, Volume

SECTIONS = 10


def square_neurite(drift: int = 0, ends: int = SECTIONS) -> np.ndarray:
    """A cross-section of 21 × 21 voxels that moves along x; 0 … 10 voxels off still hit it."""
    labels = np.zeros((SECTIONS, 80, 160), np.uint32)
    for z in range(ends):
        labels[z, 30:51, 50 + drift * z : 71 + drift * z] = 3
    return labels


def baseline_scores(labels: np.ndarray) -> dict[str, Any]:
    em = Volume.from_array(
        (labels > 0).astype(np.uint8) * 200, voxel_nm=(10, 10, 10), contrast=Contrast(0, 255)
    )
    ids = Volume.from_array(labels, voxel_nm=(10, 10, 10), labels=True)
    trace = TraceOptions(SECTIONS)
    options = EvaluationOptions(episodes=2, min_sections=4, forced=0, trace=trace)
    report = evaluate_tracing(StayBaseline(), em, ids, options)
    centre = {**report["baseline:centre"]}
    assert report["baseline:stay"] == {name: report[name] for name in centre}
    assert report["baseline:stay"] == centre  # the first node is the centre, and the view stays
    return centre


def make_session(sections: int = 4) -> Session:
    values = np.random.default_rng(0).integers(0, 255, (8, 600, 600), dtype=np.uint8)
    em = Volume.from_array(values, voxel_nm=(30, 10, 10), contrast=Contrast(0, 255))
    return Session(NeuronTracing(TracingWorld(em, (0, 300, 300)), TracingConfig(sections)))


def watching(kind: type[Clicker], session: Session) -> Clicker:
    baseline = kind()
    baseline.watch(session.task.layout(), session.task.sections)
    baseline.reset()
    return baseline


def test_a_straight_neurite_is_traced_without_fault() -> None:
    score = baseline_scores(square_neurite())
    for name in ("skeleton_accuracy", "coverage", "done_rate", "placement_at_5px", "product"):
        assert score[name] == 1.0
    assert (score["mistakes"], score["undos"], score["steps_mean"]) == (0, 0, 2 * SECTIONS)


def test_a_slanted_neurite_is_lost_where_it_leaves_the_centre() -> None:
    score = baseline_scores(square_neurite(drift=3))
    assert score["skeleton_accuracy"] == 0.4  # 0, 3, 6, 9 of at most 10 voxels off
    assert score["mistakes"] == 0.6
    # the reference point trails the middle by 5: 0, 0, 1, 4 | 7, 10 | 13, …
    assert (score["placement_at_5px"], score["placement_at_10px"]) == (0.4, 0.6)
    assert (score["coverage"], score["first_node_accuracy"], score["done_rate"]) == (1, 1, 1)
    assert (score["product"], score["faultless"]) == (0.4, 0)


def test_beyond_a_neurites_end_every_node_is_wrong() -> None:
    score = baseline_scores(square_neurite(ends=7))
    assert (score["skeleton_accuracy"], score["coverage"], score["mistakes"]) == (0.7, 1, 0.3)
    assert score["done_rate"] == 1


@pytest.mark.parametrize("kind", [CentreBaseline, StayBaseline])
def test_a_baseline_places_goes_on_and_is_done_in_the_last_section(kind: type[Clicker]) -> None:
    session = make_session(3)
    baseline = watching(kind, session)
    actions = [session.apply(baseline.act(session.frame())).action for _ in range(6)]
    assert actions == ["place", "next_section", "place", "next_section", "place", "done"]
    assert [node[1:] for node in session.task.nodes_zyx(session.state)] == [(300, 300)] * 3


class Wanderer(StayBaseline):
    """Stays, but places its first node elsewhere."""

    first = (0, 0)

    def place(self) -> tuple[int, int]:
        x, y = self.centre
        return super().place() if self._last else (x + self.first[0], y + self.first[1])


def places_of(baseline: Clicker, session: Session) -> list[tuple[float, float]]:
    for _ in range(2 * session.task.sections):
        session.apply(baseline.act(session.frame()))
    return [(y, x) for _, y, x in session.task.nodes_zyx(session.state)]


def test_staying_keeps_to_the_last_node() -> None:
    session = make_session()
    baseline = watching(Wanderer, session)
    baseline.first = (40, -30)
    assert places_of(baseline, session) == [(270, 340)] * 4


def test_staying_notices_that_the_view_re_centred() -> None:
    session = make_session()
    baseline = watching(StayBaseline, session)
    x, y = baseline.centre
    baseline.place = lambda: baseline._last or (x + 80, y)  # type: ignore[method-assign]
    session.apply(baseline.act(session.frame()))
    baseline.act(session.frame())
    assert session.state.view == (0, 80)
    assert StayBaseline.place(baseline) == baseline.centre


def test_a_reset_forgets_the_session() -> None:
    session = make_session(2)
    baseline = watching(StayBaseline, session)
    first = places_of(baseline, session)
    baseline.reset()
    assert places_of(baseline, make_session(2)) == first


def test_the_baselines_have_the_names_of_the_report() -> None:
    assert {name: kind().name for name, kind in BASELINES.items()} == {
        "baseline:centre": "baseline:centre",
        "baseline:stay": "baseline:stay",
    }
