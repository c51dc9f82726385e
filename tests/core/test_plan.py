"""The plan machinery: mistakes, scripts and labels laid over a plan."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.annotators import (
    BEHAVIOURS,
    STRATEGIES,
    Behaviour,
    Flag,
    Intent,
    Mistake,
    Phase,
    PlanAnnotator,
    make_annotator,
    pack_flags,
    unpack_flags,
)
from bcannot_core.annotators.behaviour import Hand
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.session.session import Session
from bcannot_core.tasks.colored_dot_tracking import ColoredDotTracking
from bcannot_core.tasks.registry import make_task

CALM = Behaviour(overshoot=0, verify=0, notice_late=0, strategy="direct").with_mistakes(0)
WANTED = 12


@settings(deadline=None)
@given(st.integers(0, 15), st.sampled_from(list(Phase)), st.one_of(st.none(), st.integers(0, 510)))
def test_labels_survive_packing(events: int, phase: Phase, position: int | None) -> None:
    flags = pack_flags(Flag(events), phase, position)
    assert 0 <= flags <= 0xFFFF
    assert unpack_flags(flags) == (Flag(events), phase, position)
    assert flags & Flag.MISTAKE == events & 1


def test_labels_that_do_not_fit() -> None:
    assert unpack_flags(pack_flags(Flag.NONE, Phase.PLACE, 100_000)).position == 510
    assert unpack_flags(7 << 4).phase is Phase.NONE
    for call in (lambda: pack_flags(16), lambda: pack_flags(0, Phase.PLACE, -1)):
        with pytest.raises(UsageError):
            call()
    with pytest.raises(UsageError):
        unpack_flags(1 << 16)


def new_session() -> Session:
    return Session(make_task("colored_dot_tracking", 0))


class Plan(PlanAnnotator[ColoredDotTracking]):
    """Places twelve points at (10 i, 20), each in the first section; a wrong one lies at y 99."""

    task_type = ColoredDotTracking
    kinds = (Mistake.NEAR_MISS, Mistake.WRONG_CLASS)

    def plan(self, state: Any) -> Intent:
        if any(spot.y != 20 for spot in state.placed):
            return Intent("undo", None, Phase.CORRECT, len(state.placed) - 1)
        if state.section:
            return Intent("previous_section")
        i = len(state.placed)
        if i == WANTED:
            return Intent("done", None, Phase.FINISH)
        return Intent("place", (10 * i, 20), Phase.PLACE, i, fallible=True)

    def wrong(self, intent: Intent, state: Any, kind: Mistake) -> Iterator[Intent]:
        if kind is Mistake.WRONG_CLASS:
            yield Intent("toggle", "mip", Phase.NAVIGATE, intent.position)
            yield Intent("toggle", "mip", Phase.NAVIGATE, intent.position)
        yield intent._replace(target=(5, 99))

    def opening(self, state: Any) -> Iterator[Intent]:
        yield Intent("next_section")
        yield Intent("previous_section")

    def aside(self, intent: Intent, state: Any) -> Iterator[Intent]:
        yield Intent("toggle", "mip")
        yield Intent("toggle", "mip")

    def onward(self, intent: Intent, state: Any) -> Iterator[Intent]:
        yield Intent("next_section")

    def closing(self, state: Any) -> Iterator[Intent]:
        yield Intent("toggle", "mip")
        yield Intent("toggle", "mip")


def run(behaviour: Behaviour, seed: int = 0) -> tuple[Session, list[tuple[Any, Any]]]:
    session = new_session()
    Plan(session, np.random.default_rng(seed), behaviour).run()
    return session, [(click.action, unpack_flags(click.flags)) for click in session.clicks]


def test_a_calm_annotator_explores_places_verifies_and_ends() -> None:
    session, steps = run(CALM)
    explore, verify = (Flag.NONE, Phase.EXPLORE, None), (Flag.VERIFY, Phase.VERIFY, None)
    assert steps == [
        ("next_section", explore),
        ("previous_section", explore),
        *[("place", (Flag.NONE, Phase.PLACE, i)) for i in range(WANTED)],
        ("toggle", verify),
        ("toggle", verify),
        ("done", (Flag.NONE, Phase.FINISH, None)),
    ]
    with pytest.raises(TaskError, match="has ended"):
        Plan(session, np.random.default_rng(0), CALM).act()


@pytest.mark.parametrize("share", [0.05, 0.15, 0.3])
def test_mistakes_have_the_share_asked_for_and_are_mended(share: float) -> None:
    counts: Counter[str] = Counter()
    behaviour = Behaviour(overshoot=0, strategy="steady").with_mistakes(share)
    for seed in range(60):
        session, steps = run(behaviour, seed)
        assert [spot.x for spot in session.state.placed] == [10 * i for i in range(WANTED)]
        for i, (action, labels) in enumerate(steps):
            if labels.phase is Phase.PLACE:
                counts["placed"] += 1
                counts["wrong"] += bool(labels.events & Flag.MISTAKE)
            if action == "undo":
                assert labels.events == Flag.CORRECTION
                assert any(s[1].events & Flag.MISTAKE for s in steps[max(0, i - 2) : i])
    placed = counts["placed"]
    assert abs(counts["wrong"] / placed - share) < 4 * (share * (1 - share) / placed) ** 0.5 + 0.01


def test_a_mistake_noticed_late_is_followed_by_more_and_then_mended() -> None:
    steps = run(Behaviour(notice_late=1.0, strategy="direct", verify=0).with_mistakes(0.5), 1)[1]
    first = next(i for i, (_, labels) in enumerate(steps) if labels.events & Flag.MISTAKE)
    while steps[first][0] == "toggle":
        assert steps[first][1].events == Flag.MISTAKE
        first += 1
    assert [action for action, _ in steps[first : first + 3]] == ["place", "next_section", "undo"]
    assert steps[first + 1][1] == (Flag.MISTAKE, Phase.NAVIGATE, None)
    assert steps[first + 2][1].events == Flag.CORRECTION
    again = next(s for s in steps[first + 3 :] if not s[1].events & Flag.MISTAKE)
    assert again[1].events & Flag.CORRECTION


def test_never_more_than_three_mistakes_in_a_row() -> None:
    rows = [0]
    for seed in range(20):
        for _, labels in run(Behaviour(strategy="direct", verify=0).with_mistakes(0.9), seed)[1]:
            if labels.phase is Phase.PLACE:
                rows = [*rows, rows[-1] + 1 if labels.events & Flag.MISTAKE else 0]
    assert max(rows) == 3


def test_kinds_are_drawn_by_their_rates() -> None:
    behaviour = Behaviour(near_miss=0.3, far_miss=0.1, wrong_object=0.1, strategy="direct")
    annotator = Plan(new_session(), np.random.default_rng(0), behaviour)
    first = Counter(next(annotator._drawn_kinds()) for _ in range(4000))
    assert first[Mistake.NEAR_MISS] / 4000 == pytest.approx(0.75, abs=0.03)
    assert set(annotator._drawn_kinds()) == {Mistake.NEAR_MISS, Mistake.WRONG_CLASS}
    lopsided = Plan(new_session(), np.random.default_rng(0), Behaviour(near_miss=0, wrong_object=0))
    assert set(lopsided._drawn_kinds()) == {Mistake.NEAR_MISS, Mistake.WRONG_CLASS}


def test_scripts_are_dropped_when_somebody_else_clicks() -> None:
    session = new_session()
    annotator = Plan(session, np.random.default_rng(0), CALM)
    annotator.step()
    session.apply(session.click_for("next_section"), "person")
    annotator.act()
    assert (annotator.action, session.state.section) == ("previous_section", 2)
    assert unpack_flags(annotator.flags).phase is Phase.NAVIGATE
    annotator.run()
    assert [click.action for click in session.clicks].count("place") == WANTED


def test_asking_twice_without_clicking_gives_the_plan() -> None:
    session = new_session()
    annotator = Plan(session, np.random.default_rng(0), CALM)
    annotator.act()
    annotator.act()
    assert annotator.action == "place"


def test_asides_follow_placements_as_often_as_the_behaviour_verifies() -> None:
    steps = run(Behaviour(verify=1.0, overshoot=0, strategy="direct").with_mistakes(0))[1]
    actions = [action for action, _ in steps]
    assert actions[2:8] == ["place", "toggle", "toggle"] * 2
    assert steps[3][1] == (Flag.VERIFY, Phase.VERIFY, None)


def test_strategies_are_drawn_by_their_shares_unless_one_is_named() -> None:
    drawn = Counter(
        make_annotator(new_session(), seed).strategy.name
        for seed in range(600)  # type: ignore[attr-defined]
    )
    total = sum(s.share for s in STRATEGIES.values())
    assert total == pytest.approx(1)
    for strategy in STRATEGIES.values():
        assert drawn[strategy.name] / 600 == pytest.approx(strategy.share / total, abs=0.07)
    assert sum(s.share * s.mistakes for s in STRATEGIES.values()) == pytest.approx(1)
    named = {name: habits.strategy for name, habits in BEHAVIOURS.items()}
    assert named == {
        "default": "", "cautious": "cautious", "hasty": "hasty", "efficient": "efficient",
        "flawless": "direct",
    }  # fmt: skip
    with pytest.raises(UsageError, match="bold"):
        Behaviour(strategy="bold")


@settings(deadline=None)
@given(st.floats(0, 0.9))
def test_the_share_of_mistakes_keeps_the_mix_of_kinds(share: float) -> None:
    scaled = Behaviour().with_mistakes(share)
    assert scaled.mistakes == pytest.approx(share)
    assert scaled.near_miss == pytest.approx(share * 4 / 9)
    assert BEHAVIOURS["flawless"].with_mistakes(share).near_miss == share


def test_a_share_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="from 0 to 0"):
        Behaviour().with_mistakes(0.95)


def test_hands_jitter_within_their_limits() -> None:
    hand = Hand(np.random.default_rng(0), Behaviour())
    spots = {hand.around((100.4, 50.0), 2.0, 3.0) for _ in range(500)}
    assert len(spots) > 15
    assert all((x - 100.4) ** 2 + (y - 50) ** 2 <= 9 for x, y in spots)
    assert hand.around((100.4, 50.6), 0.0, 3.0) == (100, 51)
    rings = [hand.ring((0, 0), 6, 9) for _ in range(500)]
    assert all(5 < (x * x + y * y) ** 0.5 < 10 for x, y in rings)
    assert {np.sign(x) for x, _ in rings} == {-1, 0, 1}
    assert {hand.choice("abc") for _ in range(50)} == set("abc")


def test_annotators_of_other_tasks_are_refused() -> None:
    assert ColoredDotTracking.id == "colored_dot_tracking"
    session = new_session()
    session.task.id = "unheard_of"  # type: ignore[misc]
    with pytest.raises(TaskError, match="unheard_of"):
        make_annotator(session)
