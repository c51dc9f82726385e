"""Assist mode with a scripted person: what is corrected, what is not, and how it is counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from bcannot_core.evaluation.assisted import AssistedTrace, evaluate_assisted
from bcannot_core.evaluation.tracing import EvaluationOptions
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.tracing_moves import clicks_to_place
from bcannot_core.tracing import TraceOptions
from bcannot_core.volumes import Contrast, Volume

SECTIONS = 8
HALF = 6


def volumes(ends: int | None = None) -> tuple[Volume, Volume]:
    labels = np.zeros((12, 160, 160), np.uint32)
    labels[: 12 if ends is None else ends, 80 - HALF : 81 + HALF, 80 - HALF : 81 + HALF] = 7
    grey = np.where(labels > 0, 200, 60).astype(np.uint8)
    em = Volume.from_array(grey, voxel_nm=(10, 10, 10), contrast=Contrast(0, 255))
    return em, Volume.from_array(labels, voxel_nm=(10, 10, 10), labels=True)


@dataclass
class Choice:
    click_xy: tuple[int, int]


@dataclass
class Proposer:
    """Proposes what is right in a twin of the session, but for faults in some sections, once."""

    em: Volume
    labels: Volume
    faults: Mapping[int, str] = field(default_factory=dict)
    places_after_the_end: bool = False
    observed: list[bool] = field(default_factory=list)

    def reset(self) -> None:
        world = TracingWorld(self.em, (0, 80, 80), self.labels)
        self.task = NeuronTracing(world, TracingConfig(SECTIONS))
        self.session = Session(self.task)
        self.left = dict(self.faults)

    def propose(self, frame: np.ndarray) -> Choice:
        assert np.array_equal(frame, self.session.frame())
        return Choice(self._fault(self.left) or self._right())

    def _fault(self, left: dict[int, str]) -> tuple[int, int] | None:
        state = self.session.state
        fault = left.get(state.section)
        has_node = state.nodes.get(state.section) is not None
        if fault is None or has_node != (fault in ("undo", "remove", "again")):
            return None
        if fault not in ("again", "nothing"):
            del left[state.section]
        if fault == "nothing":
            return 0, 0
        if fault in ("beside", "again"):
            z, (dy, dx) = self.task.z_of(state.section), {"beside": (20, 0), "again": (1, 1)}[fault]
            return clicks_to_place(self.session, (z, 80 + dy, 80 + dx))[-1]
        return self.session.click_for(fault)

    def _right(self) -> tuple[int, int]:
        state = self.session.state
        beyond = state.section >= len(self.task.path)
        if state.nodes.get(state.section) is None and (not beyond or self.places_after_the_end):
            return clicks_to_place(self.session, (self.task.z_of(state.section), 80, 80))[-1]
        if beyond or state.section == self.task.sections - 1:
            return self.session.click_for("done")
        return self.session.click_for("next_section")

    def observe(self, frame: np.ndarray, click: tuple[int, int], *, trusted: bool = False) -> None:
        assert np.array_equal(frame, self.session.frame())
        self.observed.append(trusted)
        self.session.apply(click)


def assist(
    faults: Mapping[int, str] | None = None, *, ends: int | None = None, **options: Any
) -> AssistedTrace:
    em, labels = volumes(ends)
    policy = Proposer(em, labels, faults or {}, **options)
    policy.reset()
    trace = AssistedTrace(policy.task, policy)
    trace.run()
    return trace


def test_what_is_right_is_accepted_as_the_policys() -> None:
    trace = assist()
    assert trace.corrections.total() == 0
    assert trace.accepted == SECTIONS
    assert {click.actor for click in trace.session.clicks} == {"policy"}
    assert trace.task.score(trace.session.state)["success"]
    assert not any(trace.policy.observed)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("beside", "moved"),
        ("next_section", "missing"),
        ("done", "went_on"),
        ("undo", "kept"),
        ("remove", "kept"),
        ("again", "helped"),
        ("nothing", "helped"),
    ],
)
def test_every_wrong_proposal_is_corrected_once(fault: str, kind: str) -> None:
    trace = assist({3: fault})
    assert dict(trace.corrections) == {kind: 1}
    assert trace.where == [(3, kind)]
    score = trace.task.score(trace.session.state)
    assert (score["skeleton_accuracy"], score["coverage"], score["undos"]) == (1.0, 1.0, 0)
    persons = [click for click in trace.session.clicks if click.actor == "person"]
    assert len(persons) == 1
    assert sum(trace.policy.observed) == 1, "the person's click is trusted"


def test_tracing_on_after_the_neurites_end_costs_a_correction_and_stopping_none() -> None:
    assert assist(ends=5).corrections.total() == 0
    trace = assist(ends=5, places_after_the_end=True)
    assert dict(trace.corrections) == {"ended": 1}
    assert max(section for section, _ in trace.session.state.nodes.items()) == 4


def test_corrections_are_counted_per_section_of_the_neurites() -> None:
    em, labels = volumes()
    options = EvaluationOptions(
        episodes=2, min_sections=SECTIONS, forced=0, trace=TraceOptions(SECTIONS)
    )

    class Anywhere(Proposer):
        """Sees where the session that is asked about begins: at the only neurite's centre."""

        def propose(self, frame: np.ndarray) -> Choice:
            return Choice(self._fault(self.left) or self._right())

        def observe(self, frame: np.ndarray, click: Any, *, trusted: bool = False) -> None:
            self.session.apply(click)

    found = evaluate_assisted(Anywhere(em, labels, {2: "beside", 5: "undo"}), em, labels, options)
    assert found["sections"] == 2 * SECTIONS
    assert found["corrections"] == 4
    assert found["by_kind"]["moved"] == found["by_kind"]["kept"] == 2
    assert found["corrections_per_100_sections"] == 100 * 4 / (2 * SECTIONS)
    assert (found["without_correction"], found["accepted"]) == (0.0, 2 * (SECTIONS - 1))
    assert (found["skeleton_accuracy"], found["coverage"]) == (1.0, 1.0)
