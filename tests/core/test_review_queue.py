"""The queue of a review: how doubts are passed on, ranked, and settled by decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.errors import JournalError
from bcannot_core.tracing.doubts import Doubt, pass_on
from bcannot_core.tracing.review import Decision, ReviewQueue, Verdict

shares = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def doubts(*own: float, first: int = 0) -> list[Doubt]:
    return [
        Doubt(first + i, (float(first + i), 10.0, 20.0), one, f"reason {first + i}")
        for i, one in enumerate(own)
    ]


def marks(queue: ReviewQueue) -> list[tuple[object, int]]:
    return [(place.trace, place.first.section) for place in queue.places()]


# ------------------------------------------------------------------------------- passing on


def test_a_doubt_is_passed_on_to_the_nodes_that_follow() -> None:
    misplaced, begins = pass_on([0.0, 0.8, 0.0, 0.0], [False] * 4)
    assert misplaced[0] < 0.05
    assert min(misplaced[1:]) > 5 * misplaced[0]
    assert begins == [0, 1, 1, 1]


def test_a_node_that_is_right_ends_the_doubts_before_it() -> None:
    misplaced, begins = pass_on([0.5, 0.5, 0.1], [False, True, False])
    assert misplaced[1] == 0.0
    assert misplaced[2] < misplaced[0]
    assert begins == [0, 1, 2]


def test_a_much_greater_doubt_begins_a_place_of_its_own() -> None:
    misplaced, begins = pass_on([0.2, 0.01, 0.6, 0.01], [False] * 4)
    assert begins == [0, 0, 2, 2]
    assert misplaced[2] > misplaced[1]


def test_without_any_sign_doubts_grow_with_the_way_but_not_for_ever() -> None:
    misplaced, _ = pass_on([0.01] * 300, [False] * 300)
    assert misplaced[0] < misplaced[30] < misplaced[60]
    assert misplaced[60] == pytest.approx(misplaced[299])


@given(shares)
def test_doubts_are_probabilities_and_grow_with_what_speaks_against_a_node(
    own: list[float],
) -> None:
    misplaced, begins = pass_on(own, [False] * len(own))
    assert all(0 <= one <= 1 for one in misplaced)
    assert all(begin <= i for i, begin in enumerate(begins))
    more, _ = pass_on([min(1.0, one + 0.1) for one in own], [False] * len(own))
    assert all(b >= a - 1e-12 for a, b in zip(misplaced, more, strict=True))


# ------------------------------------------------------------------------------- the queue


def test_places_of_all_traces_come_worst_first() -> None:
    queue = ReviewQueue()
    queue.put("a", doubts(0.01, 0.3, 0.01))
    queue.put("b", doubts(0.01, 0.01, 0.9, 0.01))
    assert marks(queue)[:2] == [("b", 2), ("a", 1)]
    worst = queue.places()[0]
    assert (worst.nodes, worst.last_section, worst.first.why) == (2, 3, "reason 2")
    assert worst.worst.section == 2
    assert [place.doubt for place in queue.places(worst.doubt)] == [worst.doubt]
    assert [(key, doubt.section) for key, doubt, _ in queue.ranked()][:2] == [("b", 2), ("b", 3)]


def test_accepting_a_place_takes_its_doubt_from_the_nodes_that_shared_it() -> None:
    queue = ReviewQueue()
    queue.put("a", doubts(0.01, 0.9, 0.05, 0.4))
    queue.accept("a", 1)
    ranked = {doubt.section: misplaced for _, doubt, misplaced in queue.ranked()}
    assert 1 not in ranked
    assert ranked[2] < ranked[3]
    assert marks(queue)[0] == ("a", 3)


def test_accepting_a_node_takes_most_doubt_from_those_before_it() -> None:
    queue = ReviewQueue()
    queue.put("a", doubts(0.01, 0.6, 0.5, 0.5))
    before = queue.places()[0]
    assert (before.first.section, before.worst.section) == (1, 3), "the end of a run is looked at"
    queue.accept("a", 3)
    assert queue.places()[0].doubt < before.doubt / 2


def test_after_a_correction_the_next_node_is_doubted() -> None:
    queue = ReviewQueue()
    queue.put("a", doubts(0.01, 0.9, 0.01, 0.01))
    queue.correct("a", 1, (1.0, 50.0, 50.0))
    assert marks(queue)[0] == ("a", 2)
    assert queue.places()[0].first.own == 0.9
    queue.correct("a", 2, None)
    assert marks(queue)[0] == ("a", 3)
    assert {doubt.section for _, doubt, _ in queue.ranked()} == {0, 3}


def test_a_split_takes_the_rest_from_the_trace() -> None:
    queue = ReviewQueue()
    queue.put("a", doubts(0.01, 0.2, 0.9, 0.9))
    queue.split("a", 2)
    assert {doubt.section for _, doubt, _ in queue.ranked()} == {0, 1}


def test_looking_again_keeps_what_was_accepted_where_the_node_stayed() -> None:
    queue = ReviewQueue()
    queue.put("a", doubts(0.5, 0.5))
    queue.accept("a", 0)
    queue.put("a", doubts(0.5, 0.6))
    assert {doubt.section for _, doubt, _ in queue.ranked()} == {1}
    moved = [Doubt(0, (0.0, 11.0, 20.0), 0.5, "moved"), *doubts(0.6, first=1)]
    queue.put("a", moved)
    assert {doubt.section for _, doubt, _ in queue.ranked()} == {0, 1}


def test_decisions_on_traces_that_are_not_there_do_nothing() -> None:
    queue = ReviewQueue()
    queue.accept("a", 0)
    queue.correct("a", 0, None)
    queue.split("a", 0)
    queue.drop("a")
    assert queue.places() == []
    queue.put("a", doubts(0.5))
    queue.correct("a", 7, None)
    assert marks(queue) == [("a", 0)]
    queue.drop("a")
    assert "a" not in queue


# ------------------------------------------------------------------------------- verdicts


def test_verdicts_come_back_from_what_is_recorded() -> None:
    made = Verdict(
        3, (4.0, 5.5, 6.0), Decision.CORRECT, 0.5, "unusual jump", (4.0, 7.0, 8.0), "beside"
    )
    assert Verdict.from_fields(made.to_fields()) == made
    taken = Verdict("n", (4.0, 5.5, 6.0), Decision.SPLIT, 0.25)
    assert Verdict.from_fields(taken.to_fields()) == taken


@pytest.mark.parametrize(
    "change",
    [
        {"neurite": True},
        {"neurite": None},
        {"zyx": [1, 2]},
        {"zyx": [1, 2, float("nan")]},
        {"zyx": "abc"},
        {"decision": "maybe"},
        {"doubt": "x"},
        {"doubt": None},
        {"moved_to": [1]},
        {"moved_to": 4},
    ],
)
def test_what_is_no_verdict_is_refused(change: dict[str, object]) -> None:
    fields = Verdict(3, (4.0, 5.5, 6.0), Decision.ACCEPT, 0.5).to_fields() | change
    with pytest.raises(JournalError, match="review"):
        Verdict.from_fields(fields)


def test_earlier_verdicts_settle_nodes_that_are_where_they_were() -> None:
    queue = ReviewQueue()
    queue.put("a", doubts(0.5, 0.5, 0.5, 0.5))
    right, moved = (0.0, 10.0, 20.0), (1.0, 10.0, 20.0)
    queue.settle([
        Verdict("a", right, Decision.ACCEPT, 0.5),
        Verdict("a", (1.0, 0.0, 0.0), Decision.CORRECT, 0.5, moved_to=moved),
        Verdict("a", (2.0, 99.0, 20.0), Decision.ACCEPT, 0.5),
        Verdict("a", (3.0, 10.0, 20.0), Decision.CORRECT, 0.5),
        Verdict("gone", (3.0, 10.0, 20.0), Decision.ACCEPT, 0.5),
    ])  # fmt: skip
    assert {doubt.section for _, doubt, _ in queue.ranked()} == {2, 3}
