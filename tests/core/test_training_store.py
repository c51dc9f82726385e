"""States and logs of a run on disk, and what a kill may leave of them."""

import json

import pytest
import torch

from bcannot_core.errors import CheckpointError
from bcannot_core.training import store
from bcannot_core.training.store import RunLog, load_state, save_state


def make_tensors(value=1.0):
    wide = torch.full((4, 6), value)
    return {"a": wide[:, ::2], "step": torch.tensor(value), "none": torch.zeros(0, 1, 1)}


def write(folder, value=1.0, **values):
    save_state(folder, {"update": int(value), **values}, make_tensors(value))


def read(folder):
    values, tensors = load_state(folder)
    assert {name: t.tolist() for name, t in tensors.items()} == {
        name: t.tolist() for name, t in make_tensors(float(values["update"])).items()
    }
    return values["update"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_state_comes_back(tmp_path):
    folder = tmp_path / "run" / "state"
    assert load_state(folder) is None
    write(folder, rng={"state": 2**127 + 1, "inc": 3})
    assert read(folder) == 1
    assert load_state(folder)[0]["rng"] == {"state": 2**127 + 1, "inc": 3}
    write(folder, 2)
    assert read(folder) == 2
    assert names(folder.parent) == ["state"]


def test_a_failed_save_leaves_the_state_before(tmp_path, monkeypatch):
    write(tmp_path / "state")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "save_file", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "state", 2)
    assert read(tmp_path / "state") == 1
    assert names(tmp_path) == ["state"]


def test_a_full_disk_is_said_in_one_line_and_leaves_the_state_before(tmp_path, full_disk):
    write(tmp_path / "state")
    large = {"a": torch.zeros(1 << 16)}
    with full_disk(), pytest.raises(CheckpointError, match="is the disk full"):
        save_state(tmp_path / "state", {"update": 2}, large)
    assert read(tmp_path / "state") == 1
    assert names(tmp_path) == ["state"]


def test_a_kill_between_two_renames_loses_nothing(tmp_path):
    write(tmp_path / "state", 4)
    write(tmp_path / ".state-abc", 5)
    (tmp_path / "state").replace(tmp_path / ".state-abc-old")
    assert read(tmp_path / "state") == 4
    assert names(tmp_path) == ["state"]


def test_what_a_kill_left_half_written_is_removed(tmp_path):
    write(tmp_path / "state", 4)
    (tmp_path / ".state-abc").mkdir()
    (tmp_path / ".state-abc" / "state.safetensors").write_bytes(b"half")
    write(tmp_path / ".state-xyz-old", 3)
    assert read(tmp_path / "state") == 4
    assert names(tmp_path) == ["state"]


@pytest.mark.parametrize("name", ["state.json", "state.safetensors"])
@pytest.mark.parametrize("how", ["truncated", "missing"])
def test_a_damaged_state_is_refused(tmp_path, name, how):
    write(tmp_path / "state")
    path = tmp_path / "state" / name
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match="remove it to start anew"):
        load_state(tmp_path / "state")


def make_log(path, text=""):
    lines = [{"stage": "run"}] + [{"stage": "glance", "update": i} for i in range(4)]
    lines += [{"stage": "run"}, {"stage": "steps", "update": 3}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + text)
    return RunLog(path)


def entries(log):
    return [json.loads(line) for line in log.path.read_text().splitlines()]


def test_a_log_is_cut_back_to_where_a_stage_goes_on(tmp_path):
    log = make_log(tmp_path / "log.jsonl")
    log.rewind("glance", 2)
    log.write({"stage": "glance", "update": 2})
    stages = [(entry["stage"], entry.get("update")) for entry in entries(log)]
    assert stages == [
        ("run", None),
        ("glance", 0),
        ("glance", 1),
        ("run", None),
        ("steps", 3),
        ("glance", 2),
    ]
    assert names(tmp_path) == ["log.jsonl"]


@pytest.mark.parametrize("torn", ['{"stage": "steps", "upd', '{"stage": "st', "17\n", "\ufffd"])
def test_a_torn_line_is_dropped_and_spoils_no_other(tmp_path, torn):
    log = make_log(tmp_path / "log.jsonl", torn)
    log.write({"stage": "run", "again": True})
    assert len(entries(log)) == 8
    assert entries(log)[-1] == {"stage": "run", "again": True}


def test_a_log_begins_with_nothing(tmp_path):
    log = RunLog(tmp_path / "new" / "log.jsonl")
    log.rewind("glance", 0)
    log.write({"a": 1})
    assert entries(log) == [{"a": 1}]
