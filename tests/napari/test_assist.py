"""By hand, assist and auto: what waits for the person, and how it goes on. No Qt here."""

import pytest

from bcannot_core.annotators.labels import Flag
from bcannot_core.tracing.stop_rule import Reason, StopRules
from napari_bcannot.neurites import Status
from napari_bcannot.nodes import Place
from napari_bcannot.snapshot import Mode, Phase
from napari_bcannot.turns import Failure, Seat, take_turns


class Worker:
    """Gives a policy's turns to the controller whenever a run begins or goes on."""

    def __init__(self, controller, policy, watcher=None):
        self.controller = controller
        self.seat = Seat(policy, watcher)
        self.wanted = []
        controller.resumed.connect(self.wanted.append)

    def work(self):
        while self.wanted:
            for turn in take_turns(self.controller, lambda: self.seat, self.wanted.pop()):
                if isinstance(turn.result, Failure):
                    self.controller.fail(turn.result)
                else:
                    self.controller.accept(turn.result)
                turn.ack.set()

    def start(self):
        self.wanted.append(self.controller.start())
        self.work()


@pytest.fixture
def assisted(make_controller, pixel_policy):
    """A controller and its worker, the policy's first proposal waiting in section 1."""
    controller = make_controller(sections=4)
    controller.use_mode(Mode.ASSIST)
    worker = Worker(controller, pixel_policy)
    worker.start()
    return controller, worker


def clicked(controller):
    return [(t.actor, t.action) for t in controller.trace.session.clicks]


def test_the_policy_steps_on_and_waits_with_a_node_to_accept(assisted, make_tube):
    controller, _ = assisted
    snapshot = controller.snapshot()
    assert snapshot.waiting
    assert snapshot.z == 1
    assert snapshot.ghost_zyx == (1.0, *map(float, make_tube().at(1)))
    assert snapshot.stop.reason is Reason.ASKS
    assert "0.75" in snapshot.text
    assert clicked(controller) == [("person", "place"), ("policy", "next_section")]


def test_accepting_places_the_node_and_the_policy_goes_on(assisted, make_tube, pixel_policy):
    controller, worker = assisted
    for _ in range(3):
        assert controller.accept_proposal()
        worker.work()
    assert controller.snapshot().nodes == {z: make_tube().at(z) for z in range(4)}
    assert controller.trace.node_info(2).accepted
    assert controller.trace.node_info(2).actor == "policy"
    assert controller.trace.session.clicks[2].flags == Flag.VERIFY
    assert "Done" in controller.snapshot().stop.text
    assert controller.snapshot().ghost_zyx is None
    assert [what for what, _ in pixel_policy.log].count("trust") == 4, "accepting is no trust"
    controller.accept_proposal()
    assert controller.snapshot().phase is Phase.FINISHED
    assert controller.neurites.active.status is Status.DONE
    assert not controller.accept_proposal()


def test_a_click_corrects_and_the_policy_goes_on_from_it(assisted, pixel_policy):
    controller, worker = assisted
    controller.edit([Place((1, 100.0, 100.0))])
    assert controller.trace.node_info(1).corrects
    assert controller.trace.session.clicks[-1].flags == Flag.CORRECTION
    controller.reject_proposal()  # nothing waits any more
    worker.work()
    assert controller.snapshot().waiting
    assert ("trust", tuple(controller.trace.session.clicks[2][:2])) in pixel_policy.log


def test_a_proposal_waits_while_the_person_looks_at_other_sections(assisted, make_tube):
    controller, worker = assisted
    controller.previous_section()
    assert controller.snapshot().waiting
    assert controller.snapshot().z == 0
    controller.accept_proposal()
    assert controller.snapshot().nodes[1] == make_tube().at(1)
    worker.work()
    assert controller.snapshot().z == 2
    assert controller.snapshot().waiting


def test_turning_down_leaves_the_person_to_it(assisted):
    controller, worker = assisted
    controller.reject_proposal()
    assert controller.snapshot().phase is Phase.PAUSED
    assert controller.snapshot().ghost_zyx is None
    assert not worker.wanted
    worker.start()
    assert controller.snapshot().waiting


@pytest.mark.parametrize("command", ["undo", "done", "pause", "stop"])
def test_what_the_person_does_instead_ends_the_waiting(assisted, command):
    controller, worker = assisted
    getattr(controller, command)()
    assert not controller.snapshot().waiting
    assert not worker.wanted


def test_by_hand_the_policy_does_nothing(make_controller, pixel_policy):
    controller = make_controller()
    controller.use_mode(Mode.HAND)
    assert controller.start() is None
    assert "By hand" in controller.warnings[-1]
    assert pixel_policy.log == []


def test_by_hand_a_node_can_lead_on_to_the_next_section(make_controller):
    controller = make_controller()
    controller.use_mode(Mode.HAND)
    controller.advances = True
    controller.edit([Place((0, 100.0, 100.0))])
    assert controller.snapshot().z == 1
    controller.edit([Place((0, 101.0, 100.0))])
    assert controller.snapshot().z == 1, "an edit elsewhere is no reason to go on"


def test_changing_to_by_hand_stops_the_policy(assisted):
    controller, _ = assisted
    controller.use_mode(Mode.HAND)
    assert controller.snapshot().phase is Phase.MANUAL


def test_auto_goes_on_by_itself_until_it_is_in_doubt(make_controller, make_tube, pixel_policy):
    controller = make_controller(sections=6)
    controller.rules = StopRules(confidence=0.5)
    worker = Worker(controller, pixel_policy)
    propose = pixel_policy.propose

    def unsure_once(frame):
        choice = propose(frame)
        choice.confidence = 0.2 if controller.trace.z == 3 else 0.9
        return choice

    pixel_policy.propose = unsure_once
    worker.start()
    snapshot = controller.snapshot()
    assert snapshot.waiting
    assert snapshot.z == 3
    assert snapshot.stop.reason is Reason.CONFIDENCE
    assert len(snapshot.nodes) == 3
    assert controller.neurites.active.status is Status.CHECK
    assert "0.20" in controller.neurites.active.note
    controller.accept_proposal()
    worker.work()
    assert controller.snapshot().phase is Phase.FINISHED
    assert controller.snapshot().nodes == {z: make_tube().at(z) for z in range(6)}
    assert controller.neurites.active.status is Status.DONE


class Watcher:
    """Takes the n-th placement that it is asked about for a mistake."""

    def __init__(self, nth):
        self.nth, self.asked, self.seen = nth, 0, 0

    def reset(self):
        self.seen = 0

    def saw(self, frame, click_xy, following=None):
        self.seen += 1
        if following is None:
            return None
        self.asked += 1
        return 0.9 if self.asked == self.nth else 0.1

    def alarming(self, score):
        return score > 0.5


def test_a_watcher_who_takes_a_node_for_a_mistake_pauses_the_run(make_controller, pixel_policy):
    controller = make_controller(sections=6)
    controller.rules = StopRules()
    watcher = Watcher(nth=2)
    worker = Worker(controller, pixel_policy, watcher)
    worker.start()
    snapshot = controller.snapshot()
    assert snapshot.phase is Phase.PAUSED
    assert snapshot.z == 2
    assert list(snapshot.nodes) == [0, 1, 2]
    assert snapshot.stop.reason is Reason.MISTAKE
    assert "section 3 is likely a mistake (0.90)" in snapshot.text
    assert "likely a mistake" in controller.neurites.active.note
    assert watcher.seen == len(controller.trace.history)
    worker.start()
    assert controller.snapshot().phase is Phase.FINISHED


def test_nobody_looks_on_where_nobody_is_to_be_asked(make_controller, pixel_policy):
    controller = make_controller(sections=6)
    watcher = Watcher(nth=2)
    Worker(controller, pixel_policy, watcher).start()
    assert controller.snapshot().phase is Phase.FINISHED
    assert watcher.seen == 0


def test_a_watcher_called_in_later_is_shown_what_happened_before(make_controller, pixel_policy):
    controller = make_controller(sections=6)
    worker = Worker(controller, pixel_policy, Watcher(nth=1))
    for _ in range(3):
        worker.wanted.append(controller.start(once=True))
        worker.work()
    controller.rules = StopRules()
    worker.start()
    assert controller.snapshot().stop.reason is Reason.MISTAKE
    assert worker.seat.watcher.seen == len(controller.trace.history) > 3


def test_going_over_to_another_neurite_ends_the_waiting(assisted, make_trace):
    controller, _ = assisted
    first = controller.neurites.active
    controller.begin(make_trace(start=(3, 100, 100)))
    assert controller.snapshot().phase is Phase.MANUAL
    assert controller.snapshot().ghost_zyx is None
    controller.activate(first)
    assert not controller.snapshot().waiting
    assert list(first.trace.nodes) == [0]
