"""The state machine, a person and a policy in one session: no Qt here."""

import numpy as np
import pytest

from bcannot_core.errors import VolumeUnreachableError
from bcannot_core.volumes.swc import read_swc
from napari_bcannot.controller import IDLE_CLICKS, TraceController
from napari_bcannot.nodes import Place, Remove
from napari_bcannot.snapshot import Phase
from napari_bcannot.turns import Failure, Proposal, Seat, take_turns


def run(controller, policy, *, turns=1000, before_accept=lambda n: None, seat=None, once=False):
    """Start the policy and give its turns to the controller, as the GUI thread would."""
    generation = controller.start(once=once)
    assert generation is not None
    accepted = []
    for n, turn in enumerate(take_turns(controller, lambda: seat or Seat(policy), generation)):
        before_accept(n)
        if isinstance(turn.result, Failure):
            controller.fail(turn.result)
        else:
            accepted.append(controller.accept(turn.result))
        turn.ack.set()
        if n + 1 >= turns:
            break
    return accepted


def actions(controller):
    return [(token.actor, token.action) for token in controller.trace.session.clicks]


def test_the_start_point_becomes_the_first_node_by_a_persons_click(make_controller, make_tube):
    controller = make_controller()
    snapshot = controller.snapshot()
    assert snapshot.phase is Phase.MANUAL
    assert snapshot.nodes == {0: make_tube().at(0)}
    assert actions(controller) == [("person", "place")]


def test_a_policy_traces_the_neurite_and_presses_done(make_controller, make_tube, pixel_policy):
    tube = make_tube()
    controller = make_controller(sections=6)
    run(controller, pixel_policy)
    snapshot = controller.snapshot()
    assert snapshot.phase is Phase.FINISHED
    assert snapshot.nodes == {z: tube.at(z) for z in range(6)}
    assert actions(controller)[-1] == ("policy", "done")
    assert {actor for actor, _ in actions(controller)[1:]} == {"policy"}
    assert snapshot.confidence == pixel_policy.confidence


def test_a_policy_is_told_what_the_person_did_in_between(make_controller, make_tube, pixel_policy):
    controller = make_controller(sections=6)
    y, x = make_tube().at(2)

    def meddle(n):
        if n == 4:  # on section 2, the policy's node was just placed there
            controller.edit([Place((2, y + 20.0, x + 20.0))])

    accepted = run(controller, pixel_policy, before_accept=meddle)
    assert accepted[4] is False, "the click chosen before the person acted was made all the same"
    assert (
        "trust",
        (controller.trace.session.clicks[5].x, controller.trace.session.clicks[5].y),
    ) in (pixel_policy.log)
    # the policy saw the misplaced node and put it right before it went on
    assert actions(controller)[5:7] == [("person", "place"), ("policy", "place")]
    assert controller.snapshot().nodes[2] == make_tube().at(2)
    assert controller.snapshot().phase is Phase.FINISHED


def test_the_frames_the_policy_sees_of_the_past_are_those_of_the_past(
    make_controller, make_tube, pixel_policy
):
    controller = make_controller(sections=3)
    run(controller, pixel_policy)
    before = len(pixel_policy.frames)
    again = type(pixel_policy)()
    controller.undo()
    run(controller, again)
    for mine, theirs in zip(again.frames[:before], pixel_policy.frames, strict=False):
        assert (mine == theirs).all()


@pytest.mark.parametrize("command", ["undo", "next_section", "done"])
def test_a_person_who_takes_over_pauses_the_policy(make_controller, pixel_policy, command):
    controller = make_controller(sections=6)
    accepted = run(
        controller,
        pixel_policy,
        before_accept=lambda n: getattr(controller, command)() if n == 3 else None,
    )
    assert accepted[-1] is False
    expected = Phase.FINISHED if command == "done" else Phase.PAUSED
    assert controller.snapshot().phase is expected


def test_moving_to_another_section_pauses_and_the_policy_goes_on_from_there(
    make_controller, make_tube, pixel_policy
):
    controller = make_controller(sections=6)
    run(controller, pixel_policy, before_accept=lambda n: controller.go_to(0) if n == 5 else None)
    assert controller.snapshot().phase is Phase.PAUSED
    assert controller.snapshot().z == 0
    run(controller, pixel_policy)
    assert controller.snapshot().phase is Phase.FINISHED
    assert controller.snapshot().nodes == {z: make_tube().at(z) for z in range(6)}


def test_a_step_is_one_click(make_controller, pixel_policy):
    controller = make_controller()
    count = len(controller.trace.session.clicks)
    run(controller, pixel_policy, once=True)
    assert len(controller.trace.session.clicks) == count + 1
    assert controller.snapshot().phase is Phase.PAUSED


def test_results_of_a_paused_run_are_dropped(make_controller, pixel_policy):
    controller = make_controller()
    generation = controller.start()
    turn = next(take_turns(controller, lambda: Seat(pixel_policy), generation))
    controller.pause()
    clicks = list(controller.trace.session.clicks)
    assert not controller.accept(turn.result)
    controller.start()
    assert not controller.accept(turn.result), "a result of the run before was taken for a new one"
    controller.fail(Failure(generation, "late"))
    assert controller.snapshot().phase is Phase.RUNNING
    assert list(controller.trace.session.clicks) == clicks


def test_undo_and_redo_go_across_person_and_policy(make_controller, make_tube, pixel_policy):
    controller = make_controller(sections=4)
    run(controller, pixel_policy, turns=4)
    controller.pause()
    placed = controller.snapshot().nodes
    assert len(placed) == 3
    for _ in range(3):
        controller.undo()
    assert controller.snapshot().nodes == {}
    assert not controller.snapshot().can_undo
    for _ in range(3):
        controller.redo()
    assert controller.snapshot().nodes == placed
    assert not controller.snapshot().can_redo
    kinds = [action for _, action in actions(controller)]
    assert kinds.count("undo") == 3, "undo has to be an event of the log"


def test_after_done_the_trace_can_be_edited_and_continued(make_controller, make_tube, pixel_policy):
    controller = make_controller(sections=5)
    run(controller, pixel_policy, turns=4)
    controller.done()
    assert controller.snapshot().phase is Phase.FINISHED
    nodes = controller.snapshot().nodes
    run(controller, pixel_policy)
    assert controller.snapshot().nodes == {z: make_tube().at(z) for z in range(5)}
    controller.undo()
    assert controller.snapshot().phase is Phase.MANUAL
    assert len(controller.snapshot().nodes) == 4
    assert nodes.items() <= controller.snapshot().nodes.items()
    assert [a for _, a in actions(controller)].count("done") == 0


def test_edits_elsewhere_leave_the_section_in_view(make_controller, make_tube):
    controller = make_controller()
    controller.edit([Place((3, 100.0, 100.0)), Place((5, 110.0, 100.0)), Remove(0)])
    assert controller.snapshot().z == 0
    assert controller.snapshot().nodes == {3: (100.0, 100.0), 5: (110.0, 100.0)}


@pytest.mark.parametrize("zyx", [(0, -500.0, 10.0), (99, 10.0, 10.0), (0, 10.0, 1e6)])
def test_what_cannot_be_done_is_refused_and_said(make_controller, zyx):
    controller = make_controller()
    before = controller.snapshot().nodes
    controller.edit([Place(zyx)])
    assert controller.snapshot().nodes == before
    assert len(controller.warnings) == 1
    assert "\n" not in controller.warnings[0]


def test_a_place_far_outside_the_canvas_is_reached_by_panning(make_controller, make_tube):
    tube = make_tube(shape=(4, 900, 900))
    controller = make_controller(tube=tube)
    controller.edit([Place((0, 850.0, 820.0))])
    assert controller.snapshot().nodes == {0: (850.0, 820.0)}
    assert ("person", "pan") in actions(controller)


def test_a_server_that_stops_answering_leaves_the_trace_to_be_continued(
    make_controller, make_tube, pixel_policy, monkeypatch
):
    controller = make_controller(sections=6)
    volume = controller.trace.volume
    read = volume.section_grey

    def unreachable(z, *bounds):
        if z >= 2:
            raise VolumeUnreachableError("no answer from\nthe server")
        return read(z, *bounds)

    monkeypatch.setattr(volume, "section_grey", unreachable)
    run(controller, pixel_policy)
    snapshot = controller.snapshot()
    assert snapshot.phase is Phase.FAILED
    assert snapshot.nodes == {z: make_tube().at(z) for z in range(2)}
    assert controller.warnings == ["no answer from the server"]
    monkeypatch.setattr(volume, "section_grey", read)
    run(controller, pixel_policy)
    assert controller.snapshot().nodes == {z: make_tube().at(z) for z in range(6)}


class Stubborn:
    """Proposes the same click forever."""

    def __init__(self, click):
        self.click_xy = click
        self.confidence = 0.1

    def reset(self):
        pass

    def observe(self, frame, click, *, trusted):
        pass

    def propose(self, frame):
        return self

    def heatmap(self):
        raise AssertionError("nobody wants it")


def test_a_policy_that_clicks_without_effect_is_paused(make_controller):
    controller = make_controller()
    accepted = run(controller, Stubborn((0, 0)))
    assert len(accepted) == IDLE_CLICKS
    assert controller.snapshot().phase is Phase.PAUSED


def test_a_policy_that_never_ends_is_paused(make_controller):
    controller = make_controller(sections=3)
    place = controller.trace.session.click_for((128, 128))
    accepted = run(controller, Stubborn(place))
    assert len(accepted) == 3 * 8
    assert "without Done" in controller.snapshot().text


def test_a_policy_for_another_screen_fails_with_a_message(make_controller):
    controller = make_controller()
    run(controller, Stubborn((5000, 5)))
    assert controller.snapshot().phase is Phase.FAILED
    assert "5000" in controller.warnings[0]


def test_without_a_trace_nothing_starts():
    controller = TraceController()
    warnings = []
    controller.warned.connect(warnings.append)
    assert controller.start() is None
    for command in ("undo", "redo", "done", "next_section", "pause", "stop"):
        getattr(controller, command)()
    controller.edit([Remove(3)])
    assert controller.snapshot().phase is Phase.IDLE
    assert len(warnings) == 1


def test_closing_ends_the_run(make_controller, pixel_policy):
    controller = make_controller()
    generation = controller.start()
    turns = take_turns(controller, lambda: Seat(pixel_policy), generation)
    turn = next(turns)
    controller.close("bye")
    assert not controller.accept(turn.result)
    turn.ack.set()
    assert next(turns, None) is None
    assert controller.snapshot().text == "bye"


def test_stopping_hands_the_trace_to_the_person(make_controller, pixel_policy):
    controller = make_controller()
    run(controller, pixel_policy, turns=2)
    controller.stop()
    assert controller.snapshot().phase is Phase.MANUAL


# --------------------------------------------------------------------------------------- swc
def test_the_trace_is_saved_in_nanometres(make_controller, make_tube, pixel_policy, tmp_path):
    controller = make_controller(sections=3)
    run(controller, pixel_policy)
    controller.trace.save_swc(tmp_path / "n.swc", "default")
    skeleton = read_swc(tmp_path / "n.swc")
    tube = make_tube()
    assert skeleton.zyx_nm.tolist() == [
        [30.0 * z, 10.0 * tube.at(z)[0], 10.0 * tube.at(z)[1]] for z in range(3)
    ]
    assert skeleton.parents.tolist() == [-1, 0, 1]
    assert skeleton.header["policy"] == "default"


def test_a_proposal_is_a_value():
    assert Proposal.__dataclass_params__.frozen


# ----------------------------------------------------------------------------------- heatmap
@pytest.mark.parametrize("start", [(0, 100, 110), (0, 3, 4), (0, 195, 215)])
def test_the_heatmap_is_cut_to_the_volume_and_stays_in_place(make_trace, start):
    trace = make_trace(start=start, nm_per_px=8.0)
    frame_xy = trace.session.click_at(start[1:])
    heat = np.zeros(trace.render(trace.session.state).shape[:2], dtype=np.float32)
    heat[frame_xy[1], frame_xy[0]] = 1.0
    view, z, picture = trace.canvas_of(trace.session.state, heat)
    y, x = np.argwhere(picture == 1.0)[0]
    assert z == start[0]
    assert np.allclose(view.to_volume((float(x), float(y))), start[1:], atol=0.5)
    for corner in ((0, 0), picture.shape[::-1]):
        yx = view.to_volume(np.subtract(corner, 1 if corner != (0, 0) else 0))
        assert -0.5 < yx[0] < 199.5
        assert -0.5 < yx[1] < 219.5
