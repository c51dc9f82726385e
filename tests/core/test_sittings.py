"""Session folders: what was recorded is there, whatever happened to the process or the disk."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sitting import grey_volume, recorded, trace_in

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.replay import replay
from bcannot_core.errors import DatasetError, JournalError
from bcannot_core.sittings import (
    NeuriteFacts,
    SittingReader,
    SittingWriter,
    Timeline,
    delete_sitting,
    export_sittings,
    in_use,
    interrupted,
    list_sittings,
    look_at,
)
from bcannot_core.sittings.lines import RECORD, read_record
from bcannot_core.sittings.timeline import SHAPE
from bcannot_core.sittings.track import Track


def read(folder: Path) -> SittingReader:
    return SittingReader.open(folder)


# -------------------------------------------------------------------------------- recording
def test_every_click_is_in_the_folder_before_the_next_one(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path)
    tracer = trace_in(writer)
    for z in range(4):
        tracer.place((z, 60, 60 + z), "policy" if z % 2 else "person")
        contents = read(writer.folder).journal(read(writer.folder).neurites[0])
        assert contents.clicks == tuple(tracer.session.clicks)
    assert {token.actor for token in contents.clicks} == {"person", "policy"}
    assert all(later >= at for at, later in zip(contents.times, contents.times[1:], strict=False))
    writer.close()


def test_the_record_tells_what_became_of_each_neurite(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path, meta={"made_with": "test"})
    one, two, three = (trace_in(writer, f"neurite {n}") for n in (1, 2, 3))
    writer.change(one.number, name="axon", colour="#ffffff")
    writer.change(two.number, status="to check", note="likely mistake", parent=[one.number, 3])
    writer.remove(three.number)
    writer.remove(one.number)
    writer.restore(one.number)
    writer.activate(two.number)
    writer.close()
    reader = read(writer.folder)
    first, second = reader.neurites
    assert (first.facts.name, first.facts.colour) == ("axon", "#ffffff")
    assert (second.facts.status, second.facts.note) == ("to check", "likely mistake")
    assert second.facts.parent == (one.number, 3.0)
    assert reader.facts.active == two.number
    assert reader.facts.closed
    assert reader.facts.neurites[three.number].removed
    assert reader.record.header.meta == {"made_with": "test"}


def test_events_of_others_are_kept_and_change_nothing(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path)
    tracer = trace_in(writer)
    writer.note("decision", neurite=tracer.number, z=3, verdict="accept")
    writer.close()
    reader = read(writer.folder)
    decision = next(event for event in reader.events if event.kind == "decision")
    assert decision.fields == {"neurite": 1, "z": 3, "verdict": "accept"}
    assert len(reader.neurites) == 1


def test_how_sure_the_policy_was_is_kept_with_its_click(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path)
    tracer = trace_in(writer)
    tracer.place((0, 60, 60))
    token = tracer.session.clicks[-1]
    writer.click(tracer.number, token._replace(actor="policy"), 0.87654)
    writer.close()
    contents = read(writer.folder).journal(read(writer.folder).neurites[0])
    assert contents.confidences[-2:] == (None, 0.8765)


def test_a_neurite_that_goes_on_after_done_has_one_history(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path)
    tracer = trace_in(writer)
    tracer.place((0, 60, 60))
    tracer.press("done")
    tracer.begin_again()
    tracer.place((1, 61, 61))
    writer.close()
    reader = read(writer.folder)
    (neurite,) = reader.neurites
    assert len(neurite.journals) == 2
    assert reader.journal(neurite).clicks == tuple(tracer.session.clicks)
    assert [token.action for token in reader.journal(neurite, 0).clicks][-1] == "done"


def test_sessions_of_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    writers = [SittingWriter.begin(tmp_path) for _ in range(3)]
    assert len({writer.folder for writer in writers}) == 3
    for writer in writers:
        writer.close()


def test_many_neurites_need_few_open_files(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path)
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    tracers = [trace_in(writer, f"neurite {n}") for n in range(60)]
    if sys.platform == "linux":
        writer._syncer._sync_all()
        assert len(os.listdir("/proc/self/fd")) - before <= 12
    for tracer in tracers:  # also those whose journal was closed meanwhile
        tracer.place((1, 60, 60))
    writer.close()
    reader = read(writer.folder)
    for neurite, tracer in zip(reader.neurites, tracers, strict=True):
        assert reader.journal(neurite).clicks == tuple(tracer.session.clicks)


def test_a_full_disk_stops_nothing_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bcannot_core.session import line_file

    told: list[str] = []
    writer = SittingWriter.begin(tmp_path, on_error=lambda error: told.append(str(error)))
    tracer = trace_in(writer)
    write = line_file._write_all

    def full(file: Any, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(line_file, "_write_all", full)
    tracer.place((0, 60, 60))
    tracer.place((1, 60, 60))
    writer.change(tracer.number, name="renamed")
    late = trace_in(writer, "neurite 2")
    assert len(told) == 1
    assert "No space left" in told[0]
    monkeypatch.setattr(line_file, "_write_all", write)
    late.place((0, 60, 60))
    tracer.place((2, 60, 60))
    writer.close()
    reader = read(writer.folder)
    assert [one.facts.name for one in reader.neurites] == ["renamed", "neurite 2"]
    for neurite, made in zip(reader.neurites, (tracer, late), strict=True):
        assert reader.journal(neurite).clicks == tuple(made.session.clicks)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="choose another place"):
        SittingWriter.begin(tmp_path / "file")


# ------------------------------------------------------------------------------------ crash
def test_a_session_that_was_not_ended_counts_as_interrupted(tmp_path: Path) -> None:
    done = recorded(tmp_path)
    cut = recorded(tmp_path, close=False)
    assert look_at(done).state == "closed"
    assert look_at(cut).state == "interrupted"
    found = interrupted(tmp_path)
    assert found is not None
    assert found.folder == cut


def test_a_resumed_session_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = recorded(tmp_path, close=False)
    before = read(folder)
    writer = SittingWriter.resume(folder)
    assert writer.id == before.id
    clicks = before.journal(before.neurites[0]).clicks
    writer.click(1, clicks[0])
    number = trace_in(writer, "neurite 3").number
    assert number == 3
    writer.close()
    after = read(folder)
    assert after.facts.closed
    assert after.journal(after.neurites[0]).clicks == (*clicks, clicks[0])


def test_nobody_else_can_go_on_with_a_session_that_is_recorded(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path)
    assert in_use(writer.folder)
    assert look_at(writer.folder).state == "recording"
    with pytest.raises(JournalError, match="is being recorded"):
        SittingWriter.resume(writer.folder)
    with pytest.raises(JournalError, match="is being recorded"):
        delete_sitting(writer.folder)
    look = f"import sys; from pathlib import Path; from bcannot_core.sittings.lock import in_use; \
sys.exit(0 if in_use(Path({str(writer.folder)!r})) else 3)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
    assert in_use(writer.folder)  # the other process's look took nothing away
    writer.close()
    assert not in_use(writer.folder)
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 3


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_process_leaves_everything_and_no_lock(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from sitting import trace_in
        from bcannot_core.sittings import SittingWriter
        writer = SittingWriter.begin(Path({str(tmp_path)!r}))
        tracer = trace_in(writer)
        z = 0
        while True:
            tracer.place((z % 12, 60, 60 + z % 30))
            writer.note("mark", z=z)
            z += 1
            print(z, len(tracer.session.clicks), flush=True)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(40)]
        child.send_signal(signal.SIGKILL)
        said += child.stdout.readlines()
    marks, clicks = (int(word) for word in [s for s in said if s.endswith(b"\n")][-1].split())
    (info,) = list_sittings(tmp_path)
    assert info.state == "interrupted"
    reader = read(info.folder)
    assert sum(event.kind == "mark" for event in reader.events) in (marks, marks + 1)
    assert len(reader.journal(reader.neurites[0]).clicks) >= clicks


@settings(deadline=None, max_examples=40)  # each writes a session
@given(cut=st.integers(1, 400))
def test_a_record_cut_at_any_byte_reads_back_up_to_its_last_whole_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = recorded(tmp_path_factory.mktemp("cut"), clicks=1, close=False)
    path = folder / RECORD
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    kept = whole[:-cut].count(b"\n")
    if kept == 0:
        with pytest.raises(JournalError, match="no whole first line"):
            read_record(path)
        return
    assert len(read_record(path).events) == kept - 1
    SittingWriter.resume(folder).close()
    assert [event.kind for event in read_record(path).events][-2:] == ["resumed", "closed"]


@pytest.mark.parametrize(
    "line",
    [
        {"event": "neurite", "neurite": 9, "journal": "../../evil.jsonl", "name": "x"},
        {"event": "neurite", "neurite": 9, "journal": "/etc/passwd", "name": "x"},
        {"event": "neurite", "neurite": 1, "journal": "neurite-009.jsonl", "name": "x"},
        {"event": "neurite", "neurite": True, "journal": "neurite-009.jsonl", "name": "x"},
        {"event": "neurite", "neurite": 9, "journal": "neurite-009.jsonl", "name": 5},
        {"event": "changed", "neurite": 7, "name": "x"},
        {"event": "journal", "neurite": 1, "journal": "a.jsonl", "carried": -1},
        {"event": "changed", "neurite": 1, "parent": [1]},
        {"event": "active"},
    ],
)
def test_a_record_that_makes_no_sense_is_refused(tmp_path: Path, line: dict[str, Any]) -> None:
    folder = recorded(tmp_path)
    path = folder / RECORD
    index = len(read_record(path).events)
    with path.open("a") as file:
        file.write(json.dumps({"i": index, "at": 1, **line}) + "\n")
    with pytest.raises(JournalError, match=f"event {index}"):
        SittingReader.open(folder)
    assert look_at(folder).state == "damaged"


# ---------------------------------------------------------------------------------- listing
def test_sessions_are_listed_latest_first_with_what_they_hold(tmp_path: Path) -> None:
    folders = [recorded(tmp_path, clicks) for clicks in (1, 2)]
    infos = list_sittings(tmp_path)
    assert [info.folder for info in infos] == sorted(folders, reverse=True)
    two = next(info for info in infos if info.folder == folders[1])
    reader = read(folders[1])
    clicks = [token for n in reader.neurites for token in reader.journal(n).clicks]
    assert two.clicks == len(clicks)
    assert two.by_person == sum(token.actor == "person" for token in clicks)
    assert two.neurites == ("neurite 1", "neurite 2")
    assert two.volumes == ("grey",)


def test_what_did_not_change_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path)
    writer = SittingWriter.begin(tmp_path)
    trace_in(writer)
    known = list_sittings(tmp_path)
    writer.discard()
    opened: list[Path] = []
    plain = SittingReader.open
    monkeypatch.setattr(
        SittingReader, "open", lambda folder: (opened.append(folder), plain(folder))[1]
    )
    states = {info.folder: info.state for info in list_sittings(tmp_path, known)}
    assert opened == [writer.folder]
    assert states[writer.folder] == "interrupted"


def test_a_damaged_session_is_listed_and_can_be_deleted(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    (folder / RECORD).write_text("nonsense\n")
    (info,) = list_sittings(tmp_path)
    assert info.state == "damaged"
    assert "no session record" in info.problem
    delete_sitting(folder)
    assert list(tmp_path.iterdir()) == []


def test_only_sessions_are_deleted(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data.tif").write_text("")
    link = tmp_path / "link"
    link.symlink_to(recorded(tmp_path / "root"))
    for folder in (precious, link, tmp_path / "missing"):
        with pytest.raises(JournalError, match="nothing was deleted"):
            delete_sitting(folder)
    assert (precious / "data.tif").exists()
    assert list_sittings(tmp_path / "missing") == []


# ----------------------------------------------------------------------------------- export
def test_exported_sessions_replay_click_for_click(tmp_path: Path) -> None:
    volume = grey_volume()
    writer = SittingWriter.begin(tmp_path / "sessions")
    tracer = trace_in(writer, volume=volume)
    for z in range(3):
        tracer.place((z, 60 + z, 60))
    gone = trace_in(writer, "gone")
    gone.place((0, 60, 60))
    writer.remove(gone.number)
    trace_in(writer, "empty")
    writer.fingerprint(volume.address, volume.fingerprint())
    writer.close()
    done = export_sittings([writer.folder], tmp_path / "set")
    assert (done.sessions, done.episodes, done.problems) == (1, 1, ())
    (episode,) = open_dataset(tmp_path / "set")
    assert episode.clicks == tuple(tracer.session.clicks)
    assert episode.data is not None
    assert episode.data.fingerprint == volume.fingerprint()
    assert episode.meta["name"] == "neurite 1"
    assert episode.meta["session"] == writer.id
    *_, last = replay(episode, volume=volume)
    assert last.click == tracer.session.clicks[-1]


def test_exporting_again_replaces_what_was_there(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "sessions")
    other = recorded(tmp_path / "sessions")
    export_sittings([folder, other], tmp_path / "set")
    writer = SittingWriter.resume(folder)
    trace_in(writer, "neurite 3").place((0, 60, 60))
    writer.close()
    moved = folder.rename(tmp_path / "moved")
    export_sittings([moved], tmp_path / "set")
    dataset = open_dataset(tmp_path / "set")
    assert len(dataset) == 5
    assert len(dataset.shards) == 2


def test_an_unreadable_neurite_does_not_hold_up_the_others(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "sessions")
    (folder / "neurite-001.jsonl").write_text("nonsense\n")
    done = export_sittings([folder], tmp_path / "set")
    assert done.episodes == 1
    assert "neurite 1" in done.problems[0]
    with pytest.raises(DatasetError, match="neurite 1"):
        list(read(folder).episodes())


# --------------------------------------------------------------------------------- timeline
def test_the_timeline_shows_what_stood_at_each_moment(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path)
    one = trace_in(writer)
    one.place((0, 60, 60))
    two = trace_in(writer, "neurite 2", (2, 40, 40))
    two.place((2, 44, 40), "policy")
    one.place((1, 66, 60))
    one.press("undo")
    writer.change(one.number, name="axon")
    writer.remove(two.number)
    writer.close()
    timeline = Timeline(read(writer.folder))
    assert not timeline.problems
    assert timeline.at(0).neurites == ()
    last = timeline.at(len(timeline))
    assert [one.facts.name for one in last.neurites] == ["axon"]
    assert np.allclose(last.neurites[0].nodes_zyx, one.nodes)
    undo = next(i for i, m in enumerate(timeline.moments) if m.action == "undo")
    before, after = timeline.at(undo), timeline.at(undo + 1)
    assert np.allclose(before.acted_on.nodes_zyx, [(0, 60, 60), (1, 66, 60)])
    assert np.allclose(after.acted_on.nodes_zyx, [(0, 60, 60)])
    assert after.acted_on.facts.name == "neurite 1"
    both = {drawn.number: drawn for drawn in after.neurites}
    assert np.allclose(both[2].nodes_zyx, [(2, 44, 40)])
    actors = [(m.actor, m.action) for m in timeline.moments if m.kind == "click"]
    assert ("policy", "place") in actors


@pytest.mark.parametrize(
    "shape", [[10**30, 10**10, 10**10], [2**31, 2**31, 1], [0, 9, 9], [2**31 + 1, 1, 1]]
)
def test_a_shape_that_no_volume_has_is_a_problem_of_its_neurite(
    tmp_path: Path, shape: list[int]
) -> None:
    folder = recorded(tmp_path)
    journal = folder / "neurite-001.jsonl"
    first, _, rest = journal.read_text(encoding="utf-8").partition("\n")
    header = json.loads(first)
    header["meta"][SHAPE] = shape
    journal.write_text(f"{json.dumps(header)}\n{rest}", encoding="utf-8")
    timeline = Timeline(read(folder))
    assert len(timeline.problems) == 1
    assert "neurite 1: its volume has the shape" in timeline.problems[0]
    assert [one.number for one in timeline.at(len(timeline)).neurites] == [2]


def test_the_timeline_keeps_going_after_done(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path)
    tracer = trace_in(writer)
    tracer.place((0, 60, 60))
    tracer.press("done")
    tracer.begin_again()
    tracer.place((1, 61, 61))
    writer.close()
    timeline = Timeline(read(writer.folder))
    actions = [moment.action for moment in timeline.moments if moment.kind == "click"]
    assert actions == ["place", "done", "next_section", "place"]
    assert np.allclose(timeline.at(len(timeline)).neurites[0].nodes_zyx, tracer.nodes)


def test_interrupted_sessions_without_clicks_are_not_offered(tmp_path: Path) -> None:
    writer = SittingWriter.begin(tmp_path)
    writer.discard()
    assert interrupted(tmp_path) is None


def test_a_track_that_is_missing_is_no_reason_to_refuse_the_session(tmp_path: Path) -> None:
    folder = recorded(tmp_path, close=False)
    (folder / "neurite-001.jsonl").unlink()
    writer = SittingWriter.resume(folder)
    second = read(folder).neurites[1]
    token = read(folder).journal(second).clicks[0]
    writer.click(second.number, token)
    writer.close()
    with pytest.raises(JournalError):
        Track.resume(folder / "neurite-001.jsonl")
    assert NeuriteFacts("a").to_fields()["parent"] is None


def test_sessions_that_were_closed_are_not_read_to_find_an_interrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = recorded(tmp_path, close=False)
    for _ in range(3):
        recorded(tmp_path)
    opened: list[Path] = []
    plain = SittingReader.open
    monkeypatch.setattr(
        SittingReader, "open", lambda folder: (opened.append(folder), plain(folder))[1]
    )
    found = interrupted(tmp_path)
    assert found is not None
    assert opened == [found.folder] == [first]
    SittingWriter.resume(first).close()
    assert interrupted(tmp_path) is None


def test_journals_without_times_and_shape_are_shown_too(tmp_path: Path) -> None:
    """As another program might write them: only what the format asks for."""
    folder = recorded(tmp_path, clicks=2)
    for path in folder.glob("neurite-*.jsonl"):
        head, *lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line.pop("at")
        path.write_text("".join(json.dumps(line) + "\n" for line in (head, *lines)))
    timeline = Timeline(read(folder))
    assert timeline.problems == []
    assert [len(one.nodes_zyx) for one in timeline.at(len(timeline)).neurites] == [2, 2]
    path = folder / "neurite-001.jsonl"
    path.write_text(path.read_text().replace('"shape_zyx"', '"other"'))
    (problem,) = Timeline(read(folder)).problems  # its volume is not at hand
    assert problem.startswith("neurite 1:")
