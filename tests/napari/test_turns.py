"""A policy's turns, driven without Qt."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from bcannot_core.errors import VolumeUnreachableError
from napari_bcannot.turns import (
    HISTORY_STEPS,
    Failure,
    Proposal,
    Seat,
    Situation,
    Step,
    one_line,
    take_turns,
)


class Recorder:
    """A policy that always clicks (1, 1) and tells what it was told."""

    def __init__(self):
        self.log = []

    def reset(self):
        self.log.append("reset")

    def observe(self, frame, click, *, trusted):
        self.log.append(("trust" if trusted else "observe", frame[0, 0, 0].item(), click))

    def propose(self, frame):
        self.log.append(("propose", frame[0, 0, 0].item()))
        return SimpleNamespace(click_xy=(1, 1), confidence=0.5)

    def heatmap(self):
        return np.ones((2, 2), dtype=np.float32)


def render(state):
    return np.full((2, 2, 3), state, dtype=np.uint8)


def step(state, click=(1, 1), actor="policy"):
    return Step(state, click, actor)


def ask(seat, history, now, **options):
    return seat.propose(Situation(history, now, render), 1, **{"heatmap": False} | options)


def test_a_policy_that_starts_in_the_middle_is_shown_what_happened_before():
    seat = Seat(policy := Recorder())
    history = [step(1, (0, 1)), step(2, (0, 2), "person")]
    proposal = ask(seat, history, 3, heatmap=True)
    assert policy.log == ["reset", ("observe", 1, (0, 1)), ("trust", 2, (0, 2)), ("propose", 3)]
    assert (proposal.base, proposal.click_xy, proposal.confidence) == (2, (1, 1), 0.5)
    assert proposal.heatmap.shape == (2, 2)
    assert ask(seat, history, 3).heatmap is None


def test_only_what_is_new_is_shown_later():
    seat = Seat(policy := Recorder())
    history = [step(2)]
    ask(seat, history, 3)
    policy.log.clear()
    history += [step(3), step(4, (8, 8), "person")]
    ask(seat, history, 5)
    assert policy.log == [("observe", 3, (1, 1)), ("trust", 4, (8, 8)), ("propose", 5)]


def test_a_dropped_proposal_is_never_observed():
    seat = Seat(policy := Recorder())
    history = [step(2)]
    ask(seat, history, 3)
    ask(seat, [*history, step(3, (8, 8), "person")], 4)
    assert [entry for entry in policy.log if entry[0] != "propose"] == [
        "reset",
        ("observe", 2, (1, 1)),
        ("trust", 3, (8, 8)),
    ]


@pytest.mark.parametrize("other", [[], [step(2)], [step(7), step(8), step(9)]])
def test_another_session_starts_from_a_fresh_policy(other):
    seat = Seat(policy := Recorder())
    ask(seat, [step(2), step(3)], 4)
    policy.log.clear()
    ask(seat, other, 5)
    assert policy.log == ["reset", *[("observe", s.state, (1, 1)) for s in other], ("propose", 5)]


def test_a_long_history_is_shown_from_its_end():
    seat = Seat(policy := Recorder())
    ask(seat, [step(i) for i in range(200)], 3)
    observed = [entry for entry in policy.log if entry[0] == "observe"]
    assert len(observed) == HISTORY_STEPS
    assert observed[-1] == ("observe", 199, (1, 1))


def test_a_failure_while_catching_up_starts_from_a_fresh_policy_the_next_time():
    seat = Seat(policy := Recorder())
    history = [step(3)]

    def broken(state):
        raise VolumeUnreachableError("gone")

    ask(seat, history, 4)
    history.append(step(4))
    with pytest.raises(VolumeUnreachableError):
        seat.propose(Situation(history, 5, broken), 1, heatmap=False)
    policy.log.clear()
    ask(seat, history, 5)
    assert policy.log == ["reset", ("observe", 3, (1, 1)), ("observe", 4, (1, 1)), ("propose", 5)]


class Desk:
    wants_heatmap = True
    wants_watcher = False

    def __init__(self, error=None):
        self.generation = 1
        self.error = error

    def wants(self, generation):
        return generation == self.generation

    def situation(self):
        if self.error:
            raise self.error
        return Situation([], 3, render)


def test_the_worker_waits_for_the_acknowledgement_and_ends_when_it_is_unwanted():
    desk = Desk()
    turns = take_turns(desk, lambda: Seat(Recorder()), 1)
    turn = next(turns)
    assert isinstance(turn.result, Proposal)
    assert turn.result.heatmap.shape == (2, 2)
    waiting = threading.Thread(target=lambda: next(turns, None))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive(), "it went on without an acknowledgement"
    desk.generation = 2
    waiting.join(5)
    assert not waiting.is_alive()
    assert next(turns, None) is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (VolumeUnreachableError("no\n answer"), "no answer"),
        (RuntimeError("out of memory"), "RuntimeError: out of memory"),
        (OSError("disk"), "OSError: disk"),
    ],
)
def test_errors_become_a_failure_of_that_generation(error, message):
    (turn,) = take_turns(Desk(error), lambda: Seat(Recorder()), 1)
    assert turn.result == Failure(1, message)


def test_errors_that_nobody_raised_on_purpose_are_logged(caplog):
    list(take_turns(Desk(VolumeUnreachableError("no answer")), lambda: Seat(Recorder()), 1))
    assert not caplog.records
    list(take_turns(Desk(OSError("disk")), lambda: Seat(Recorder()), 1))
    assert caplog.records[0].exc_info[0] is OSError


def test_a_policy_that_cannot_be_loaded_is_a_failure():
    def sit_down():
        raise RuntimeError("no such device")

    (turn,) = take_turns(Desk(), sit_down, 1)
    assert turn.result == Failure(1, "RuntimeError: no such device")


def test_messages_fit_on_one_line():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(MemoryError()) == "MemoryError"
