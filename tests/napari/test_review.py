"""The review without a window: what is looked at, decided, recorded, and looked at again."""

from typing import Any

import pytest

from bcannot_core.sittings import SittingReader
from bcannot_core.tracing.doubts import Doubt
from bcannot_core.tracing.review import EVENT, Decision, Verdict
from napari_bcannot.neurites import Neurite, Status
from napari_bcannot.nodes import Place, Remove
from napari_bcannot.restoring import make_again, plan_of, put_back
from napari_bcannot.review import ReviewDesk
from napari_bcannot.review_record import recorded_verdicts
from napari_bcannot.review_work import Looked, clicks_that_count, look_again

NODES = 6


class Sitting:
    """Two neurites of six nodes, and a desk that looks at what it is told."""

    def __init__(self, controller: Any, make_trace: Any, tube: Any) -> None:
        self.controller, self.tube = controller, tube
        controller.begin(make_trace(tube))
        for one in controller.neurites:
            one.trace.adopt([(z, *tube.at(z)) for z in range(1, NODES)], "policy")
        self.desk = ReviewDesk(controller)
        self.verdicts: list[Verdict] = []
        self.shown: list[tuple[str, Any]] = []
        self.desk.decided.connect(lambda _, verdict: self.verdicts.append(verdict))
        self.desk.shown.connect(lambda neurite, zyx: self.shown.append((neurite.name, zyx)))

    @property
    def first(self) -> Neurite:
        return next(iter(self.controller.neurites))

    @property
    def second(self) -> Neurite:
        return list(self.controller.neurites)[1]

    def look(self, **own: list[float]) -> None:
        """Look at what is stale; ``first=[0.1, …]`` says what is doubted of its nodes."""
        wanted = {"first": 0, "second": 1, "third": 2}
        by_number = {list(self.controller.neurites)[wanted[k]].number: v for k, v in own.items()}
        for glance in self.desk.glances():
            doubts = self._doubts(glance.number, by_number.get(glance.number, [0.01] * NODES))
            self.desk.take(Looked(glance.number, glance.session, len(glance.clicks), doubts))
        self.desk.finish()

    def _doubts(self, number: int, own: list[float]) -> list[Doubt]:
        neurite = next(one for one in self.controller.neurites if one.number == number)
        task = neurite.trace.task
        return [
            Doubt(task.section_of(z), (z, *neurite.trace.nodes[z]), one, "low confidence")
            for z, one in zip(neurite.trace.nodes, own, strict=False)
        ]

    @property
    def at(self) -> Any:
        shown = self.desk.snapshot()
        return shown.entries[shown.at] if shown.at >= 0 else None


@pytest.fixture
def sitting(make_controller: Any, make_trace: Any, make_tube: Any) -> Any:
    made = Sitting(make_controller(), make_trace, make_tube())
    yield made
    made.desk.close()


def test_the_worst_place_of_all_neurites_is_shown_first(sitting: Sitting) -> None:
    assert sitting.desk.snapshot().stale == 2
    sitting.look(first=[0.01, 0.4, 0.01], second=[0.01, 0.01, 0.01, 0.9, 0.01, 0.01])
    shown = sitting.desk.snapshot()
    assert (shown.stale, shown.looking, shown.progress) == (0, False, (2, 2))
    assert [(e.name, e.z_from) for e in shown.entries[:2]] == [("neurite 2", 3), ("neurite 1", 1)]
    assert (sitting.at.z_to, sitting.at.why) == (5, "low confidence")
    assert sitting.shown == [("neurite 2", (3.0, *sitting.tube.at(3)))]
    assert sitting.controller.neurites.active is sitting.second
    assert sitting.controller.trace.z == 3


def test_accepting_goes_on_and_is_told(sitting: Sitting) -> None:
    sitting.look(first=[0.01, 0.4, 0.01], second=[0.01, 0.01, 0.01, 0.9])
    sitting.desk.accept("clear enough")
    assert (sitting.at.name, sitting.at.z_from) == ("neurite 1", 1)
    (verdict,) = sitting.verdicts
    assert verdict.decision is Decision.ACCEPT
    assert (verdict.trace, verdict.zyx) == (sitting.second.number, (3.0, *sitting.tube.at(3)))
    assert (verdict.why, verdict.comment) == ("low confidence", "clear enough")
    assert 0.1 < verdict.doubt < 0.9
    assert sitting.desk.snapshot().stale == 0, "looking round changes nothing"


def test_moving_the_node_at_hand_is_a_correction_and_the_trace_is_to_be_looked_at_again(
    sitting: Sitting,
) -> None:
    sitting.look(first=[0.01, 0.01, 0.9, 0.01])
    sitting.desk.comment = "on the membrane"
    y, x = sitting.tube.at(2)
    sitting.controller.edit([Place((2, y + 3, x))])
    (verdict,) = sitting.verdicts
    assert (verdict.decision, verdict.moved_to) == (Decision.CORRECT, (2.0, y + 3, x))
    assert (verdict.zyx, verdict.comment) == ((2.0, y, x), "on the membrane")
    assert sitting.desk.snapshot().stale == 1
    sitting.desk.accept()
    assert len(sitting.verdicts) == 1, "going on after a correction decides nothing more"
    assert (sitting.at.name, sitting.at.z_from) == ("neurite 1", 3), "the next node is doubted now"
    sitting.look()
    assert sitting.desk.snapshot().stale == 0
    assert 2 not in [entry.z_from for entry in sitting.desk.snapshot().entries[:1]]


def test_taking_the_node_away_is_a_correction(sitting: Sitting) -> None:
    sitting.look(first=[0.01, 0.01, 0.9, 0.01])
    sitting.controller.edit([Remove(2)])
    (verdict,) = sitting.verdicts
    assert (verdict.decision, verdict.moved_to) == (Decision.CORRECT, None)
    assert not sitting.desk.at_hand
    assert 2 not in sitting.first.trace.nodes
    assert sitting.desk.next()
    assert sitting.at.z_from == 3


def test_edits_elsewhere_decide_nothing(sitting: Sitting) -> None:
    sitting.look(first=[0.01, 0.01, 0.9, 0.01])
    y, x = sitting.tube.at(4)
    sitting.controller.edit([Place((4, y + 3, x))])
    assert sitting.verdicts == []
    assert sitting.desk.snapshot().stale == 1


def test_a_split_makes_a_neurite_of_the_rest(sitting: Sitting) -> None:
    sitting.look(first=[0.01, 0.01, 0.9, 0.01])
    rest = sitting.desk.split("another cell")
    assert rest is not None
    assert sorted(sitting.first.trace.nodes) == [0, 1]
    assert sorted(rest.trace.nodes) == [2, 3, 4, 5]
    assert rest.status is Status.CHECK
    (verdict,) = sitting.verdicts
    assert (verdict.decision, verdict.comment) == (Decision.SPLIT, "another cell")
    shown = sitting.desk.snapshot()
    assert [one.name for one in sitting.desk.stale()] == [rest.name]
    assert all(entry.z_to <= 1 for entry in shown.entries if entry.name == "neurite 1")


def test_places_can_be_skipped_chosen_and_gone_back_to(sitting: Sitting) -> None:
    sitting.look(first=[0.01, 0.9, 0.01], second=[0.01, 0.01, 0.5])
    assert sitting.at.z_from == 1
    sitting.desk.skip()
    assert (sitting.at.name, sitting.at.z_from) == ("neurite 2", 2)
    sitting.desk.back()
    assert (sitting.at.name, sitting.at.z_from) == ("neurite 1", 1)
    sitting.desk.accept()
    assert sitting.at.name == "neurite 2"
    assert sitting.desk.go(sitting.first.number, 1), "a settled node can be looked at again"
    sitting.controller.edit([Place((1, 100, 90))])
    assert [v.decision for v in sitting.verdicts] == [Decision.ACCEPT, Decision.CORRECT]
    assert not sitting.desk.go(sitting.first.number, 30)
    assert not sitting.desk.go(99, 0)


def test_in_the_end_nothing_is_left_to_look_at(sitting: Sitting) -> None:
    sitting.desk.least = 0.1
    sitting.look(first=[0.01, 0.9, 0.01])
    sitting.desk.accept()
    assert not sitting.desk.at_hand
    assert "Nothing is left" in sitting.desk.snapshot().text
    sitting.desk.accept()
    assert sitting.desk.split() is None
    assert len(sitting.verdicts) == 1


def test_what_comes_too_late_is_left_stale(sitting: Sitting) -> None:
    late = sitting.desk.glances()[0]
    y, x = sitting.tube.at(4)
    sitting.controller.edit([Place((4, y + 3, x))])
    stale = {one.number for one in sitting.desk.stale()}
    sitting.desk.take(Looked(sitting.second.number, late.session, len(late.clicks), []))
    sitting.desk.take(Looked(99, late.session, 0, []))
    assert {one.number for one in sitting.desk.stale()} == stale
    sitting.desk.finish("The server is gone.")
    assert sitting.desk.snapshot().text == "The server is gone."


def test_neurites_that_are_removed_leave_the_queue(sitting: Sitting) -> None:
    sitting.look(first=[0.01, 0.9, 0.01], second=[0.01, 0.01, 0.5])
    sitting.controller.remove(sitting.first)
    assert not sitting.desk.at_hand
    assert {entry.name for entry in sitting.desk.snapshot().entries} == {"neurite 2"}


def test_decisions_stand_in_the_sessions_record(sitting: Sitting, tmp_path: Any) -> None:
    sitting.controller.record(tmp_path)
    sitting.look(first=[0.01, 0.9, 0.01], second=[0.01, 0.01, 0.5])
    sitting.desk.accept("fine")
    sitting.controller.edit([Place((2, 99, 90))])
    folder = sitting.controller.recording
    sitting.controller.record(None)
    events = [event for event in SittingReader.open(folder).events if event.kind == EVENT]
    read = [Verdict.from_fields(event.fields) for event in events]
    assert [(one.trace, one.decision, one.comment) for one in read] == [
        (1, Decision.ACCEPT, "fine"), (2, Decision.CORRECT, ""),
    ]  # fmt: skip
    assert read[1].moved_to == (2.0, 99.0, 90.0)


def test_a_review_that_is_opened_again_knows_what_was_decided(
    sitting: Sitting, tmp_path: Any
) -> None:
    assert recorded_verdicts(sitting.controller.recorder, sitting.controller.neurites) == []
    sitting.controller.record(tmp_path)
    sitting.look(first=[0.01, 0.9, 0.01])
    sitting.desk.accept("fine")
    sitting.controller.recorder.note(EVENT, sitting.first, decision="maybe")
    sitting.controller.recorder.note("other", sitting.first)
    again = ReviewDesk(sitting.controller)
    (known,) = again.verdicts
    assert (known.trace, known.zyx, known.comment) == (1, sitting.verdicts[0].zyx, "fine")
    sitting.desk.close()
    sitting.desk = again
    sitting.look(first=[0.01, 0.9, 0.01])
    assert 1 not in [doubt.section for key, doubt, _ in again.queue.ranked() if key == 1]
    sitting.controller.record(None)


def test_a_review_that_is_open_learns_what_was_decided_in_a_session_that_comes_back(
    sitting: Sitting, tmp_path: Any
) -> None:
    sitting.controller.record(tmp_path)
    sitting.look(first=[0.01, 0.9, 0.01])
    sitting.desk.accept("fine")
    folder = sitting.controller.recording
    sitting.controller.close()
    sitting.desk.verdicts.clear()  # as of a desk that another program had
    restored = make_again(plan_of(folder), sitting.tube.volume())
    put_back(restored, sitting.controller)
    sitting.look(first=[0.01, 0.9, 0.01])
    (known,) = sitting.desk.verdicts
    assert (known.trace, known.comment) == (sitting.first.number, "fine")
    assert 1 not in [d.section for key, d, _ in sitting.desk.queue.ranked() if key == known.trace]
    sitting.look()
    assert len(sitting.desk.verdicts) == 1
    sitting.controller.close()


def test_a_worker_looks_at_each_neurite_until_it_is_told_to_stop(sitting: Sitting) -> None:
    class Bored:
        """Finds nothing of note."""

        def reset(self) -> None:
            self.asked = True

        def propose(self, _frame: Any) -> Any:
            return type("Choice", (), {"click_xy": (200, 200), "confidence": 0.5})()

        def observe(self, _frame: Any, _click: Any, *, trusted: bool = False) -> None:
            self.trusted = trusted

        def belief(self, _click: Any) -> None:
            return None

    found = list(look_again(sitting.desk.glances(), Bored()))
    assert [(one.number, len(one.doubts)) for one in found] == [(1, NODES), (2, NODES)]
    assert found[0].clicks == len(sitting.first.trace.session.clicks)
    assert clicks_that_count(found[0].session) == found[0].clicks
    assert list(look_again(sitting.desk.glances(), Bored(), None, lambda: False)) == []
