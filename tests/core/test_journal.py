"""The journal: what was appended is there, whatever happens to the process or the disk."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.errors import JournalError
from bcannot_core.session.clicks import ClickToken
from bcannot_core.session.journal import Journal, JournalHeader, JournalRecorder, read_journal
from bcannot_core.session.journal_lines import MAX_EVENT_BYTES, encode_event, encode_header

HEADER = JournalHeader(
    "neuron_tracing",
    {"sections": 50, "nm_per_px": 10.0},
    {"volume": "cells.tif", "start_zyx": [3, 40, 50]},
    "original",
    7,
    {"who": "Ångström"},
)


def token(i: int = 0, **changes: object) -> ClickToken:
    """A valid token that differs from event to event."""
    plain = ClickToken(
        i % 426, i * 7 % 436, "person", i % 16, i * 13, ["place", "next_section"][i % 2]
    )
    return plain._replace(**changes)  # type: ignore[arg-type]


def journal_with(path: Path, events: int) -> list[ClickToken]:
    tokens = [token(i) for i in range(events)]
    with Journal.create(path, HEADER) as journal:
        for each in tokens:
            journal.append(each)
    return tokens


tokens = st.builds(
    ClickToken,
    x=st.integers(0, 65535),
    y=st.integers(0, 65535),
    actor=st.sampled_from(["person", "policy", "annotator"]),
    flags=st.integers(0, 65535),
    ms=st.integers(0, 2**32 - 1),
    action=st.text(max_size=40),
)


@given(events=st.lists(tokens, max_size=20), data=st.data())
def test_a_cut_at_any_byte_reads_back_up_to_the_last_whole_line(
    tmp_path_factory: pytest.TempPathFactory, events: list[ClickToken], data: st.DataObject
) -> None:
    lines = [encode_header(HEADER), *(encode_event(i, e) for i, e in enumerate(events))]
    whole = b"".join(lines)
    cut = data.draw(st.integers(len(lines[0]), len(whole)))
    path = tmp_path_factory.mktemp("cut") / "a.jsonl"
    path.write_bytes(whole[:cut])
    found = read_journal(path)
    kept = whole[:cut].count(b"\n") - 1
    assert found.header == HEADER
    assert found.clicks == tuple(events[:kept])
    assert found.torn_bytes == cut - sum(map(len, lines[: kept + 1]))


def test_opening_repairs_a_torn_tail_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    events = journal_with(path, 5)
    path.write_bytes(path.read_bytes()[:-9])
    with Journal.open(path) as journal:
        assert journal.repaired_bytes > 0
        assert len(journal) == 4
        journal.append(token(99))
    found = read_journal(path)
    assert found.clicks == (*events[:4], token(99))
    assert found.torn_bytes == 0


def test_an_event_is_in_the_file_before_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = Journal.create(path, HEADER)
    for i in range(3):
        journal.append(token(i))
        assert len(read_journal(path).clicks) == i + 1
    journal.close()


RECORD = """
    import sys
    from bcannot_core.session.clicks import ClickToken
    from bcannot_core.session.journal import Journal, JournalHeader
    out = sys.stdout
    journal = Journal.create(sys.argv[1], JournalHeader("neuron_tracing"))
    for i in range(10_000):
        journal.append(ClickToken(i % 426, i // 426, "person", 0, i, "place"))
        out.write(f"{i + 1}\\n"); out.flush()
"""


def test_kill_at_random_moments_loses_nothing_but_the_event_in_flight(tmp_path: Path) -> None:
    rng = random.Random(5)
    script = tmp_path / "record.py"
    script.write_text(textwrap.dedent(RECORD))
    interrupted = 0
    for run in range(50):
        path = tmp_path / f"{run}.jsonl"
        process = subprocess.Popen(
            [sys.executable, str(script), str(path)], stdout=subprocess.PIPE, env=os.environ
        )
        assert process.stdout is not None
        with process.stdout as stream:
            lines = [stream.readline() for _ in range(rng.randrange(1, 8000))]
            process.send_signal(signal.SIGKILL)
            told = int([*lines, *stream.read().splitlines()][-1])
        interrupted += process.wait() == -signal.SIGKILL
        found = read_journal(path)
        assert told <= len(found.clicks) <= told + 1
        assert [c.ms for c in found.clicks] == list(range(len(found.clicks)))
    assert interrupted >= 45


class FullDisk:
    """A file on a disk with so many bytes left; writes what fits, as the system does."""

    def __init__(self, journal: Journal, room: int) -> None:
        self._file, self.room = journal._file, room
        self.closed = False
        journal._file = self  # type: ignore[assignment]

    def write(self, data: memoryview) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._file.write(data[: self.room])
        self.room -= written
        return written

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def close(self) -> None:
        self.closed = True
        self._file.close()


def test_a_full_disk_keeps_events_in_memory_until_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = Journal.create(path, HEADER)
    disk = FullDisk(journal, room=100)
    recorder = JournalRecorder(journal, on_error=(errors := []).append)
    for i in range(10):
        recorder(None, token(i))
    assert journal.pending == 9
    assert len(errors) == 1
    assert "No space left" in str(errors[0])
    assert read_journal(path).clicks == (token(0),)
    disk.room = 10_000
    recorder(None, token(10))
    assert recorder.error is None
    assert read_journal(path).clicks == tuple(token(i) for i in range(11))
    journal.close()


def test_saving_elsewhere_takes_everything_along(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "a.jsonl", HEADER)
    journal.append(token(0))
    FullDisk(journal, room=0)
    with pytest.raises(JournalError, match="1 events are kept"):
        journal.append(token(1))
    journal.save_as(tmp_path / "b.jsonl")
    journal.append(token(2))
    journal.close()
    assert read_journal(tmp_path / "b.jsonl").clicks == tuple(token(i) for i in range(3))
    assert read_journal(tmp_path / "a.jsonl").clicks == (token(0),)


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_limit_of_the_system_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    code = """
        import resource, signal, sys
        from bcannot_core.errors import JournalError
        from bcannot_core.session.clicks import ClickToken
        from bcannot_core.session.journal import Journal, JournalHeader
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        journal = Journal.create(sys.argv[1], JournalHeader("neuron_tracing"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        failed = 0
        for i in range(100):
            try:
                journal.append(ClickToken(i, 0))
            except JournalError:
                failed += 1
        assert failed == journal.pending > 50, (failed, journal.pending)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        journal.close()
    """
    path = tmp_path / "a.jsonl"
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path)], check=True)
    assert [click.x for click in read_journal(path).clicks] == list(range(100))


def test_another_program_writing_the_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = Journal.create(path, HEADER)
    with path.open("ab") as other:
        other.write(b"?")
    with pytest.raises(JournalError, match="another program"):
        journal.append(token())
    with pytest.raises(JournalError, match="another program"):
        journal.close()
    assert path.read_bytes() == encode_header(HEADER) + b"?"
    journal.discard()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_a_deleted_file_is_noticed_and_its_events_can_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = Journal.create(path, HEADER)
    journal.append(token(0))
    path.unlink()
    with pytest.raises(JournalError, match="deleted"):
        journal.append(token(1))
    journal.save_as(path)
    journal.close()
    assert read_journal(path).clicks == (token(0), token(1))


def test_a_journal_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal_with(path, 1)
    before = path.read_bytes()
    with pytest.raises(JournalError, match="exists"):
        Journal.create(path, HEADER)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": -1}, "x is -1"),
        ({"y": 70_000}, "y is 70000"),
        ({"x": 1.5}, "x is 1.5"),
        ({"ms": 2**32}, "ms is"),
        ({"action": None}, "action is None"),
        ({"action": "a" * MAX_EVENT_BYTES}, "more than"),
    ],
)
def test_a_token_that_cannot_be_stored_leaves_the_journal_as_it_was(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = tmp_path / "a.jsonl"
    with Journal.create(path, HEADER) as journal:
        with pytest.raises(JournalError, match=message):
            journal.append(token(**changes))
        journal.append(token(1))
    assert read_journal(path).clicks == (token(1),)


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_lines(path: Path, lines: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize(
    ("line", "changes", "message"),
    [
        (0, {"format": "csv"}, "is not a journal"),
        (0, {"version": 2}, "has version 2, this program reads 1"),
        (0, {"task": 5}, "task is 5"),
        (0, {"config": []}, "config is"),
        (0, {"seed": True}, "seed is True"),
        (1, {"i": 3}, "line 2: event 3 stands where event 0 should"),
        (2, {"x": "1"}, "line 3: x is '1'"),
        (2, {"flags": -1}, "flags is -1"),
    ],
)
def test_damage_before_the_last_line_is_refused_in_one_line(
    tmp_path: Path, line: int, changes: dict[str, object], message: str
) -> None:
    path = tmp_path / "a.jsonl"
    journal_with(path, 4)
    lines = lines_of(path)
    lines[line] |= changes
    write_lines(path, lines)
    with pytest.raises(JournalError, match=message) as error:
        read_journal(path)
    assert "\n" not in str(error.value)


def test_fields_that_are_not_known_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    events = journal_with(path, 3)
    write_lines(path, [line | {"mood": "good"} for line in lines_of(path)])
    assert read_journal(path).header == HEADER
    assert read_journal(path).clicks == tuple(events)


@pytest.mark.parametrize("garbage", [b"\x00" * 5000, b"{", b"[1]\n", b"{" * 500 + b"\n"])
def test_garbage_at_the_end_is_torn_and_in_the_middle_it_is_damage(
    tmp_path: Path, garbage: bytes
) -> None:
    path = tmp_path / "a.jsonl"
    events = journal_with(path, 3)
    good = path.read_bytes()
    path.write_bytes(good + garbage)
    assert read_journal(path).clicks == tuple(events)
    assert read_journal(path).torn_bytes == len(garbage)
    path.write_bytes(good + garbage + b"".join(good.splitlines(keepends=True)[1:3]))
    with pytest.raises(JournalError, match="damaged at line 5"):
        read_journal(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 100_000, b"\n", b"null\n", b"PAR1" * 50])
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="journal"):
        read_journal(path)


def test_missing_files_and_folders_are_errors_of_the_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="No such file"):
        read_journal(tmp_path / "a.jsonl")
    with pytest.raises(JournalError, match="cannot create"):
        Journal.create(tmp_path / "no" / "a.jsonl", HEADER)
    with pytest.raises(JournalError):
        read_journal(tmp_path)


def test_a_header_that_json_does_not_know_is_refused(tmp_path: Path) -> None:
    for config in ({"a": float("nan")}, {"a": object()}, {"a": "b" * 70_000}):
        with pytest.raises(JournalError, match="header"):
            Journal.create(tmp_path / "a.jsonl", JournalHeader("t", config))
    assert not (tmp_path / "a.jsonl").exists()
