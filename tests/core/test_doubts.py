"""Looking again at a session: what a policy thinks of each node."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from bcannot_core.annotators.labels import Flag
from bcannot_core.errors import DatasetError, VolumeUnreachableError
from bcannot_core.evaluation.reviewed import evaluate_review, queue_report
from bcannot_core.evaluation.tracing import EvaluationOptions
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.tracing_moves import click_all, clicks_to_place, clicks_to_section
from bcannot_core.tracing import TraceOptions
from bcannot_core.tracing.clues import FAR_PX, Clues, find_clues
from bcannot_core.tracing.doubts import (
    ELSEWHERE,
    LIKELY_MISTAKE,
    LOW_CONFIDENCE,
    NOT_FOLLOWED,
    Doubt,
    find_doubts,
    weigh_clues,
)
from bcannot_core.tracing.review import ReviewQueue
from bcannot_core.volumes import Contrast, Volume

LAYOUT = build_layout(NeuronTracing.buttons, get_variant("original"))
SECTIONS, NEAR, OTHER = 10, 70, 110
"""Two straight neurites run at x = 70 and x = 110, y = 80."""


def labels() -> np.ndarray:
    ids = np.zeros((SECTIONS, 160, 160), np.uint32)
    for label, x in ((7, NEAR), (8, OTHER)):
        ids[:, 75:86, x - 5 : x + 6] = label
    return ids


def volumes() -> tuple[Volume, Volume]:
    grey = np.where(labels() > 0, 220, 40).astype(np.uint8)
    em = Volume.from_array(grey, voxel_nm=(10, 10, 10), contrast=Contrast(0, 255))
    return em, Volume.from_array(labels(), voxel_nm=(10, 10, 10), labels=True)


@dataclass
class Choice:
    click_xy: tuple[int, int]
    confidence: float


@dataclass
class Follower:
    """Follows the bright blob nearest to the last click on the canvas; certain near to it."""

    slip_at: int | None = None
    trusted: list[bool] = field(default_factory=list)

    confidence = 0.9

    def reset(self) -> None:
        self.at: tuple[float, float] | None = None
        self.placed = 0

    def propose(self, frame: np.ndarray) -> Choice:
        self.frame = frame.copy()
        return Choice(self._blob(), 0.9)

    def observe(self, frame: np.ndarray, click: tuple[int, int], *, trusted: bool = False) -> None:
        self.trusted.append(trusted)
        canvas = LAYOUT.canvas
        if canvas.x <= click[0] < canvas.x + canvas.w and canvas.y <= click[1]:
            self.at = click
            self.placed += 1

    def belief(self, click: tuple[int, int]) -> float:
        x, y = self._blob()
        return float(np.exp(-np.hypot(click[0] - x, click[1] - y) / 8))

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        """Trace: a node, the next section, Done; at ``slip_at`` into the neighbour."""
        self.propose(frame)
        hits = (frame[LAYOUT.canvas.slices] == (255, 210, 0)).all(-1)
        if hits.any():
            bar = frame[LAYOUT.progress.slices]
            full = (bar[bar.shape[0] // 2, -3] == bar[bar.shape[0] // 2, 2]).all()
            return LAYOUT.buttons["done" if full else "next_section"].centre
        x, y = self._blob()
        click = (x + (OTHER - NEAR if self.placed == self.slip_at else 0), y)
        self.observe(frame, click)
        return click

    def _blob(self) -> tuple[int, int]:
        canvas = LAYOUT.canvas
        bright = self.frame[canvas.slices].min(-1) > 150
        start = self.at or (canvas.x + canvas.w // 2, canvas.y + canvas.h // 2)
        ys, xs = np.nonzero(bright)
        distance = np.hypot(xs + canvas.x - start[0], ys + canvas.y - start[1])
        near = distance.argmin()
        same = np.abs(xs - xs[near]) <= 12
        return round(xs[same].mean()) + canvas.x, round(ys[same].mean()) + canvas.y


def task(direction: int = 1, start: Any = None) -> NeuronTracing:
    z = 0 if direction > 0 else SECTIONS - 1
    world = TracingWorld(volumes()[0], start or (z, 80, NEAR), volumes()[1])
    return NeuronTracing(world, TracingConfig(SECTIONS, direction=direction))


def place_all(session: Session, xs: list[int | None], actor: str = "policy") -> None:
    """Place a node in each section, None for none."""
    for i, x in enumerate(xs):
        if x is not None:
            point = (session.task.z_of(i), 80, x)
            click_all(session, clicks_to_place(session, point), actor)


def look(session: Session, policy: Any = None, **options: Any) -> list[Clues]:
    return find_clues(session.task, tuple(session.clicks), policy or Follower(), **options)


def slipped(at: int = 5) -> list[int | None]:
    return [NEAR] * at + [OTHER] * (SECTIONS - at)


def test_what_was_placed_right_is_seen_so_and_nobody_is_trusted() -> None:
    session = Session(task())
    place_all(session, [NEAR] * SECTIONS)
    policy = Follower()
    clues = look(session, policy)
    assert [clue.section for clue in clues] == list(range(SECTIONS))
    for clue in clues:
        assert clue.belief > 0.7
        assert (clue.confidence, clue.actor, clue.mistake) == (0.9, "policy", None)
        assert clue.apart_px < 2
    assert len(policy.trusted) == len(session.clicks)
    assert not any(policy.trusted)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_slip_is_seen_at_its_node_and_doubted_from_there_on(direction: int) -> None:
    session = Session(task(direction))
    place_all(session, slipped(5))
    clues = look(session)
    assert [c.section for c in clues if c.belief < 0.3] == [5]
    assert clues[5].apart_px == pytest.approx(OTHER - NEAR, abs=2)
    found = find_doubts(session.task, tuple(session.clicks), Follower())
    worst = max(found, key=lambda doubt: doubt.own)
    assert (worst.section, worst.why) == (5, ELSEWHERE)
    assert worst.zyx == (session.task.z_of(5), 80.0, OTHER)
    queue = ReviewQueue()
    queue.put("a", found)
    place = queue.places()[0]
    assert (place.first.section, place.last_section) == (5, SECTIONS - 1)


def test_what_speaks_against_a_node_is_told_and_a_person_is_doubted_less() -> None:
    clean = Clues(3, (0, 0), "policy", False, 0.99, 0.0, 0.99, 0.01)
    worse = {
        LOW_CONFIDENCE: replace(clean, confidence=0.6),
        ELSEWHERE: replace(clean, apart_px=40.0),
        NOT_FOLLOWED: replace(clean, belief=0.0, confidence=0.999),
        LIKELY_MISTAKE: replace(clean, mistake=0.99, confidence=0.999),
    }
    world = task()
    (usual,) = weigh_clues(world, [clean])
    assert usual.own < 0.05
    assert usual.zyx == (3.0, 80.0, float(NEAR))
    for why, clue in worse.items():
        doubt, less = weigh_clues(world, [clue, replace(clue, vetted=True)])
        assert doubt.why == why
        assert doubt.own > less.own
        same = replace(clean, confidence=clue.confidence)
        assert doubt.own > weigh_clues(world, [same])[0].own or why == LOW_CONFIDENCE
    (silent,) = weigh_clues(world, [replace(clean, belief=None, mistake=None)])
    assert silent.own == pytest.approx(usual.own, abs=0.01)


def test_gaps_moves_and_undone_nodes_are_followed() -> None:
    session = Session(task())
    place_all(session, [NEAR, NEAR, None, NEAR, OTHER])
    session.undo()
    place_all(session, [None] * 4 + [NEAR], "person")
    click_all(session, clicks_to_section(session, 1))
    session.apply(session.click_for("remove"), "person")
    clues = look(session)
    assert [(clue.section, clue.actor) for clue in clues] == [
        (0, "policy"), (3, "policy"), (4, "person"),
    ]  # fmt: skip
    assert all(clue.belief > 0.7 for clue in clues[:2])
    session.undo()
    assert [clue.section for clue in look(session)] == [0, 1, 3, 4]


def test_a_policy_that_would_not_place_a_node_is_not_confident_of_it() -> None:
    class Leaver(Follower):
        def propose(self, frame: np.ndarray) -> Choice:
            super().propose(frame)
            return Choice(LAYOUT.buttons["done"].centre, 0.8)

    session = Session(task())
    place_all(session, [NEAR, NEAR])
    first = look(session, Leaver())[0]
    assert (first.confidence, first.apart_px) == (0.0, FAR_PX)


def test_what_a_person_placed_or_accepted_is_vetted() -> None:
    session = Session(task())
    place_all(session, [NEAR])
    place_all(session, [None, NEAR], "person")
    click_all(session, clicks_to_section(session, 2), "policy")
    accepted = clicks_to_place(session, (2, 80, NEAR))[-1]
    session.apply(accepted, "policy", int(Flag.VERIFY))
    assert [clue.vetted for clue in look(session)] == [False, True, True]


def test_the_mistake_probe_is_asked_of_the_frame_after_a_placement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Tap:
        latest = "the stream"

        def __enter__(self) -> "Tap":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    class Probe:
        def score(self, stream: str) -> float:
            assert stream == Tap.latest
            return 0.25

    monkeypatch.setattr("bcannot_core.tracing.clues._tap", lambda *_: Tap())
    session = Session(task())
    place_all(session, [NEAR, NEAR, NEAR])
    clues = look(session, probe=Probe())
    assert [clue.mistake for clue in clues] == [0.25, 0.25, None], "nothing came after the last"


def test_nothing_is_said_of_a_trace_without_nodes_or_that_is_no_more_wanted() -> None:
    session = Session(task())
    assert look(session) == []
    place_all(session, [NEAR])
    assert len(look(session)) == 1
    left = iter([True])
    place_all(session, [None, NEAR])
    assert look(session, keep_on=lambda: next(left, False)) == []


def test_clicks_of_another_session_are_refused() -> None:
    session = Session(task())
    place_all(session, [NEAR])
    token = session.clicks[0]._replace(action="remove")
    with pytest.raises(DatasetError, match="'remove' when it was recorded"):
        find_clues(task(), [token], Follower())


# ------------------------------------------------------------------------- the measurement


def test_the_queue_of_a_policy_that_slips_has_its_misplaced_nodes_at_the_head() -> None:
    em, ids = volumes()
    options = EvaluationOptions(
        episodes=2, min_sections=SECTIONS, forced=0, trace=TraceOptions(SECTIONS)
    )

    class Slipping(Follower):
        """Slips near the end: from one neurite into the other, from that one for one section."""

        def reset(self) -> None:
            super().reset()
            self.slip_at = 8

    found = evaluate_review(Slipping(), em, ids, options)
    assert (found["traces"], found["nodes"]) == (2, 2 * SECTIONS)
    assert found["misplaced"] == 3
    assert found["found_in_first"]["20"] == 1.0
    assert found["most_possible_in_first"]["10"] == pytest.approx(2 / 3, abs=1e-3)
    assert found["auc"] > 0.95
    review = found["review"]
    assert review["looks"] >= 2
    assert review["splits"] == 1
    assert review["mended"] >= 2
    assert review["mended_share"] == pytest.approx(review["mended"] / 3, abs=1e-3)


def test_shares_and_the_area_are_those_of_the_ranking() -> None:
    queue = ReviewQueue()
    own = [0.01] * 10
    own[9] = 0.9
    queue.put("a", [Doubt(i, (i, 0.0, 0.0), one, "") for i, one in enumerate(own)])
    wrong = {("a", i): i in (4, 9) for i in range(10)}
    report = queue_report(queue, wrong)
    assert report["found_in_first"] == {"5": 0.5, "10": 0.5, "20": 0.5}
    assert report["most_possible_in_first"]["20"] == 1.0
    assert report["auc"] == 0.75
    assert report["review"]["looks"] >= 1


def test_a_person_finds_by_halves_where_a_trace_left_its_neurite() -> None:
    queue = ReviewQueue()
    queue.put("a", [Doubt(i, (i, 0.0, 0.0), 0.3, "") for i in range(64)])
    queue.put("b", [Doubt(i, (i, 0.0, 0.0), 0.01, "") for i in range(64)])
    wrong = {(name, i): name == "a" and i >= 20 for name in "ab" for i in range(64)}
    review = queue_report(queue, wrong)["review"]
    assert (review["splits"], review["mended"], review["mended_share"]) == (1, 44, 1.0)
    assert review["looks"] <= 13 + 8


def test_a_queue_without_mistakes_has_no_share_of_them() -> None:
    queue = ReviewQueue()
    queue.put("a", [Doubt(0, (0.0, 0.0, 0.0), 0.5, "")])
    report = queue_report(queue, {("a", 0): False})
    assert report["found_in_first"]["10"] is None
    assert report["auc"] is None


def test_a_volume_that_fails_ends_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    em, ids = volumes()

    def fail(*_: Any) -> Any:
        raise VolumeUnreachableError("the server is gone")

    monkeypatch.setattr(em, "section_grey", fail)
    options = EvaluationOptions(episodes=1, min_sections=2, forced=0, trace=TraceOptions(3))
    with pytest.raises(VolumeUnreachableError, match="the server is gone"):
        evaluate_review(Follower(), em, ids, options)
