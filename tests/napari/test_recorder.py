"""What happens to the neurites of a list stands in the session's folder, at once."""

import errno
from pathlib import Path

import pytest

from bcannot_core.sittings import SittingReader, SittingWriter, list_sittings, look_at
from napari_bcannot.neurites import Status
from napari_bcannot.nodes import Place
from napari_bcannot.recording import Recording
from napari_bcannot.turns import Proposal


def read(controller):
    return SittingReader.open(controller.recording)


def clicks_of(reader, name):
    neurite = next(one for one in reader.neurites if one.facts.name == name)
    return reader.journal(neurite).clicks


def test_every_click_of_every_neurite_is_recorded(make_controller, make_trace, tmp_path):
    controller = make_controller(sections=4)
    controller.record(tmp_path)
    controller.begin(make_trace(start=(2, 60, 60), sections=5))
    controller.edit([Place((3, 70.0, 70.0))])
    controller.undo()
    first, second = controller.neurites
    controller.activate(first)
    controller.next_section()
    reader = read(controller)
    for neurite in (first, second):
        clicks = clicks_of(reader, neurite.name)
        assert clicks == tuple(neurite.trace.session.clicks)
        assert len(clicks) > 1
    assert reader.facts.active == controller.recorder.number_of(first)
    header = reader.journal(reader.neurites[1]).header
    assert header.config["sections"] == 5
    assert header.data["fingerprint"] == first.trace.volume.fingerprint()
    controller.close()


def test_what_becomes_of_neurites_is_recorded(make_controller, make_trace, tmp_path):
    controller = make_controller(sections=4)
    controller.record(tmp_path)
    (first,) = controller.neurites
    branch = controller.branch(1, 0)
    controller.rename(first, "axon")
    controller.neurites.set_status(branch, Status.CHECK, "likely mistake")
    reader = read(controller)
    one, two = reader.neurites
    assert one.facts.name == "axon"
    assert two.facts.parent == (one.number, 0.0)
    assert (two.facts.status, two.facts.note) == ("to check", "likely mistake")
    controller.remove(branch)
    assert [each.number for each in read(controller).neurites] == [one.number]
    controller.undo()
    assert [each.number for each in read(controller).neurites] == [one.number, two.number]
    folder = controller.recording
    controller.close()
    # letting go of a session removes nothing from it
    reader = SittingReader.open(folder)
    assert reader.facts.closed
    assert len(reader.neurites) == 2


def test_after_done_the_neurite_goes_on_in_a_new_journal(make_controller, tmp_path):
    controller = make_controller(sections=4)
    controller.record(tmp_path)
    controller.done()
    controller.edit([Place((1, 95.0, 90.0))])
    reader = read(controller)
    (neurite,) = reader.neurites
    assert [t.action for t in reader.journal(neurite, 0).clicks] == ["place", "done"]
    assert reader.journal(neurite).clicks == tuple(controller.trace.session.clicks)
    controller.close()


def test_how_sure_the_policy_was_is_recorded(make_controller, tmp_path):
    controller = make_controller(sections=4)
    controller.record(tmp_path)
    controller.next_section()
    generation = controller.start()
    trace = controller.trace
    at = trace.session.click_at((92.0, 83.0))
    state, count = trace.session.state, len(trace.history)
    assert controller.accept(Proposal(generation, count, state, at, 0.625, None))
    reader = read(controller)
    contents = reader.journal(reader.neurites[0])
    assert contents.clicks[-1].actor == "policy"
    assert contents.confidences[-1] == 0.625
    controller.close()


def test_recording_switched_on_late_has_what_was_before(make_controller, make_trace, tmp_path):
    controller = make_controller()
    controller.begin(make_trace(start=(1, 60, 60)))
    controller.next_section()
    controller.record(tmp_path)
    reader = read(controller)
    assert [len(clicks_of(reader, n.name)) for n in controller.neurites] == [1, 2]
    folder = controller.recording
    controller.record(None)
    controller.next_section()
    assert controller.recording is None
    assert len(clicks_of(SittingReader.open(folder), "neurite 2")) == 2


def test_each_session_has_its_own_folder(make_controller, make_trace, tmp_path):
    controller = make_controller()
    controller.record(tmp_path)
    controller.close()
    controller.begin(make_trace())
    assert len(list_sittings(tmp_path)) == 2
    assert [info.state for info in list_sittings(tmp_path)] == ["recording", "closed"]
    controller.close()


def go_on(make_controller, make_trace, root):
    """Record a click, end the session and go on with it; its folder and the trace beside."""
    controller = make_controller(sections=4)
    controller.record(root)
    folder, token = controller.recording, controller.trace.session.clicks[0]
    controller.close()
    trace = make_trace(sections=4)
    trace.replay([token])
    controller.recorder.go_on(SittingWriter.resume(folder), {trace: 1})
    controller.neurites.add(trace, name="back")
    return controller, folder, trace


def test_a_recorded_session_goes_on_in_its_folder(make_controller, make_trace, tmp_path):
    controller, folder, trace = go_on(make_controller, make_trace, tmp_path)
    controller.next_section()
    assert controller.recording == folder
    reader = read(controller)
    assert len(reader.facts.neurites) == 1
    assert reader.journal(reader.neurites[0]).clicks == tuple(trace.session.clicks)
    controller.begin(make_trace(start=(1, 60, 60)))
    assert [n.number for n in read(controller).neurites] == [1, 2]
    controller.close()


def test_a_session_that_is_gone_on_with_says_when_the_disk_is_full(
    make_controller, make_trace, tmp_path, monkeypatch
):
    controller, _, _ = go_on(make_controller, make_trace, tmp_path)

    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("bcannot_core.session.line_file._write_all", full)
        controller.next_section()
        assert len(controller.warnings) == 1
        assert "No space left" in controller.warnings[0]
    controller.close()


def test_others_may_write_events_of_their_own(make_controller, tmp_path):
    controller = make_controller()
    controller.recorder.note("decision", verdict="lost")  # nothing is recorded yet: no error
    controller.record(tmp_path)
    (neurite,) = controller.neurites
    controller.recorder.note("decision", neurite, verdict="accept", z=3)
    event = next(e for e in read(controller).events if e.kind == "decision")
    assert event.fields == {"neurite": 1, "verdict": "accept", "z": 3}
    controller.close()


def test_a_full_disk_is_said_once_and_tracing_goes_on(make_controller, tmp_path, monkeypatch):
    from bcannot_core.session import line_file

    controller = make_controller(sections=4)
    controller.record(tmp_path)
    folder, write = controller.recording, line_file._write_all

    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(line_file, "_write_all", full)
    for _ in range(3):
        controller.next_section()
    assert controller.trace.section == 4
    assert len(controller.warnings) == 1
    assert "No space left" in controller.warnings[0]
    monkeypatch.setattr(line_file, "_write_all", write)
    clicks = tuple(controller.trace.session.clicks)
    controller.close()
    assert clicks_of(SittingReader.open(folder), "neurite 1") == clicks
    assert look_at(folder).state == "closed"


def test_a_folder_that_cannot_be_made_is_refused(make_controller, make_trace, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    controller = make_controller()
    with pytest.raises(Exception, match="choose another place"):
        controller.record(blocked / "sessions")
    assert controller.recording is None


def test_two_journals_of_one_second_have_names_of_their_own(make_trace, tmp_path: Path):
    header = make_trace().header()
    paths = set()
    for _ in range(3):
        recording = Recording(tmp_path, header, lambda message: None)
        paths.add(recording.path)
        recording.close()
    assert len(paths) == 3
