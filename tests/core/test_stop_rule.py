"""When a policy should not go on by itself."""

import numpy as np
import pytest

from bcannot_core.errors import OptionError
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.tracing_moves import click_all, clicks_to_place
from bcannot_core.tracing.stop_rule import Reason, StopRules, likely_mistake, stop_before
from bcannot_core.volumes import Volume

START = (0, 100, 100)


def session(course=(), sections=20):
    volume = Volume.from_array(np.zeros((20, 200, 200), np.uint8), voxel_nm=(30.0, 10.0, 10.0))
    made = Session(NeuronTracing(TracingWorld(volume, START), TracingConfig(sections=sections)))
    for z, (y, x) in enumerate(course):
        click_all(made, clicks_to_place(made, (z, y, x)))
    return made


def ask(made, click, sure=0.9, **rules):
    action = made.task.action_for(made.screen.hit(*click), made.state)
    return stop_before(StopRules(**rules), made.task, made.state, action, sure)


def place(made, yx):
    return made.click_at(yx)


def test_a_sure_step_along_the_course_needs_nobody():
    made = session([(100, 100), (102, 103)])
    made.apply(made.click_for("next_section"))
    assert ask(made, place(made, (104, 106))) is None


def test_low_confidence_asks_and_says_how_low():
    made = session([(100, 100)])
    stop = ask(made, place(made, (100, 101)), 0.21, confidence=0.3)
    assert stop.reason is Reason.CONFIDENCE
    assert "0.21" in stop.text
    assert "section 1" in stop.text
    assert ask(made, place(made, (100, 101)), 0.21, confidence=0.0) is None
    assert ask(made, place(made, (100, 101)), None) is None


@pytest.mark.parametrize(("far", "asks"), [(20, False), (38, False), (60, True)])
def test_a_jump_is_measured_against_the_neurites_course(far, asks):
    made = session([(100, 100), (100, 101)])
    made.apply(made.click_for("next_section"))
    stop = ask(made, place(made, (100, 101 + far)), jump_px=40.0)
    assert (stop is not None) == asks
    assert stop is None or stop.reason is Reason.JUMP


def test_a_neurite_that_always_moves_far_may_go_on_doing_so():
    made = session([(100, 20)])
    for x in (60, 100, 140):  # of its course nothing is known after one node
        made.apply(made.click_for("next_section"))
        assert ask(made, place(made, (100, x)), jump_px=30.0) is None
        made.apply(place(made, (100, x)))


def test_a_way_over_several_sections_may_be_longer():
    made = session([(100, 100), (100, 100)])
    for _ in range(3):
        made.apply(made.click_for("next_section"))
    assert ask(made, place(made, (100, 145)), jump_px=20.0) is None
    assert ask(made, place(made, (100, 180)), jump_px=20.0).reason is Reason.JUMP


def test_the_border_of_the_volume_asks():
    made = session([(100, 20)])
    made.apply(made.click_for("next_section"))
    stop = ask(made, place(made, (100, 2)), border_px=3.0)
    assert stop.reason is Reason.BORDER
    assert ask(made, place(made, (100, 3)), border_px=3.0) is None
    assert ask(made, place(made, (100, 2)), border_px=0.0) is None


def test_a_neurite_along_the_border_is_asked_about_once():
    made = session([(100, 20), (100, 2)])
    made.apply(made.click_for("next_section"))
    assert ask(made, place(made, (100, 1)), border_px=3.0) is None


def test_done_asks_unless_the_trace_is_at_its_last_section():
    made = session([(100, 100)], sections=2)
    done = made.click_for("done")
    assert ask(made, done).reason is Reason.END
    assert ask(made, done, end=False) is None
    made.apply(made.click_for("next_section"))
    assert ask(made, done) is None


def test_navigation_never_asks():
    made = session([(100, 100)])
    for button in ("next_section", "undo", "remove"):
        assert ask(made, made.click_for(button), 0.0) is None


def test_a_mistake_probe_gives_a_reason():
    stop = likely_mistake(session([(100, 100)]).state, 0.87)
    assert stop.reason is Reason.MISTAKE
    assert "0.87" in stop.text


@pytest.mark.parametrize(
    "wrong", [{"confidence": 1.2}, {"jump_px": -1}, {"border_px": float("nan")}]
)
def test_rules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(OptionError):
        StopRules(**wrong)
