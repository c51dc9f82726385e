"""A policy's turns, driven without Qt."""

import threading

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

    confidence = 0.5

    def __init__(self):
        self.log = []

    def reset(self):
        self.log.append("reset")

    def observe(self, frame, click):
        self.log.append(("observe", frame[0, 0, 0].item(), click))

    def act(self, frame):
        self.log.append(("act", frame[0, 0, 0].item()))
        return 1, 1

    def heatmap(self):
        return np.ones((2, 2), dtype=np.float32)


def render(state):
    return np.full((2, 2, 3), state, dtype=np.uint8)


def situation(states, clicks=None, now=9):
    clicks = clicks or [(0, s) for s in states]
    history = [Step(s, c) for s, c in zip(states, clicks, strict=True)]
    return Situation(history, now, render)


def test_a_policy_that_starts_in_the_middle_is_shown_what_happened_before():
    seat = Seat(policy := Recorder())
    proposal = seat.propose(situation([1, 2], now=3), generation=7, heatmap=False)
    assert policy.log == ["reset", ("observe", 1, (0, 1)), ("observe", 2, (0, 2)), ("act", 3)]
    assert (proposal.generation, proposal.base, proposal.click_xy) == (7, 2, (1, 1))
    assert proposal.heatmap is None


def test_an_accepted_click_is_not_shown_again():
    seat = Seat(policy := Recorder())
    seat.propose(situation([], now=3), 1, heatmap=False)
    policy.log.clear()
    seat.propose(situation([3], [(1, 1)], now=4), 1, heatmap=False)
    assert policy.log == [("act", 4)]


def test_what_a_person_did_after_an_accepted_click_is_observed_without_a_reset():
    seat = Seat(policy := Recorder())
    seat.propose(situation([], now=3), 1, heatmap=False)
    policy.log.clear()
    seat.propose(situation([3, 4], [(1, 1), (8, 8)], now=5), 1, heatmap=False)
    assert policy.log == [("observe", 4, (8, 8)), ("act", 5)]


@pytest.mark.parametrize("history", [([3], [(8, 8)]), ([], []), ([2], [(1, 1)])])
def test_a_policy_whose_click_was_dropped_is_shown_what_really_happened(history):
    seat = Seat(policy := Recorder())
    seat.propose(situation([], now=3), 1, heatmap=False)
    policy.log.clear()
    seat.propose(situation(*history, now=4), 1, heatmap=False)
    shown = [("observe", state, click) for state, click in zip(*history, strict=True)]
    assert policy.log == ["reset", *shown, ("act", 4)]


def test_a_long_history_is_shown_from_its_end():
    seat = Seat(policy := Recorder())
    seat.propose(situation(list(range(200)), now=3), 1, heatmap=False)
    observed = [entry for entry in policy.log if entry[0] == "observe"]
    assert len(observed) == HISTORY_STEPS
    assert observed[-1] == ("observe", 199, (0, 199))


def test_a_failure_while_catching_up_starts_from_a_fresh_policy_the_next_time():
    seat = Seat(policy := Recorder())

    def broken(state):
        raise VolumeUnreachableError("gone")

    seat.propose(situation([], now=3), 1, heatmap=False)
    with pytest.raises(VolumeUnreachableError):
        seat.propose(Situation([Step(3, (1, 1)), Step(4, (2, 2))], 5, broken), 1, heatmap=False)
    policy.log.clear()
    seat.propose(situation([3, 4], [(1, 1), (2, 2)], now=5), 1, heatmap=False)
    assert policy.log[0] == "reset"


class Desk:
    wants_heatmap = True

    def __init__(self, error=None):
        self.generation = 1
        self.error = error

    def wants(self, generation):
        return generation == self.generation

    def situation(self):
        if self.error:
            raise self.error
        return situation([], now=3)


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
    "error", [VolumeUnreachableError("no\n answer"), RuntimeError("out of memory"), OSError("disk")]
)
def test_errors_become_a_failure_of_that_generation(error):
    (turn,) = take_turns(Desk(error), lambda: Seat(Recorder()), 1)
    assert turn.result == Failure(1, one_line(error))


def test_a_policy_that_cannot_be_loaded_is_a_failure():
    def sit_down():
        raise RuntimeError("no such device")

    (turn,) = take_turns(Desk(), sit_down, 1)
    assert turn.result == Failure(1, "no such device")


def test_messages_fit_on_one_line():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(MemoryError()) == "MemoryError"
