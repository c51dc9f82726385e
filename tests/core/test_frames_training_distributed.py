"""Two processes learn what one does: DDP, FSDP2, states in shards."""

import json
import os
import socket
import subprocess
import sys

import pytest

from bcannot_core.errors import UsageError
from bcannot_core.training.frames.distributed import World, joined, spread

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

RECIPE = {
    "family": "frames",
    "policy": {
        "size": "tiny",
        "width": 16,
        "layers": 2,
        "heads": 2,
        "context": 3,
        "features": 8,
        "tokens_hw": [2, 2],
        "encoder": {"channels": [4, 4, 8], "blocks": [0, 0, 1]},
    },
    "data": {"tasks": {"exploration_3d": 1.0}, "sample": 1, "lanes": 4},
    "optimizer": {"rate": 0.01},
    "windows": 4,
    "accumulate": 2,
    "updates": 5,
    "precision": "fp32",
    "save_every": 100,
}

# Threads of torch outlive the process group, and one aborted a process once, presumably as the
# interpreter ended under it: the processes leave without that end.
_PROCESS = """
import json, os, sys, torch
from pathlib import Path
from bcannot_core.training.frames.recipe import FramesRecipe
from bcannot_core.training.frames.run import train_frames
from bcannot_core.training.run import RunOptions
torch.set_num_threads(1)
recipe, out, parallel, budget, resume = json.loads(sys.argv[1])
options = RunOptions(Path(out), resume, "cpu", 0, budget, parallel)
train_frames(FramesRecipe.from_json(recipe), [], options)
os._exit(0)
"""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def run(out, size, parallel="ddp", *, budget=None, resume=False, **values):
    arguments = json.dumps([{**RECIPE, **values}, str(out), parallel, budget, resume])
    shared = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, arguments],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        ends = [(process.communicate(timeout=250)[1], process.returncode) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert [code for _, code in ends] == [0] * size, ends
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["stage"] == "frames"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "alone", 1)


def same(one, other):
    assert [entry["update"] for entry in one] == [entry["update"] for entry in other]
    for a, b in zip(one, other, strict=True):
        assert a["total"] == pytest.approx(b["total"], abs=2e-4)
        assert a["by_action"] == pytest.approx(b["by_action"], abs=2e-3)
        assert a["gradient"] == pytest.approx(b["gradient"], rel=1e-2)


def test_two_processes_with_whole_networks_equal_one(alone, tmp_path):
    same(run(tmp_path / "run", 2, accumulate=1), alone)


def test_two_processes_with_shared_parameters_equal_one(alone, tmp_path):
    out = tmp_path / "run"
    same(run(out, 2, "fsdp"), alone)
    assert not (out / "state-frames" / "state.safetensors").exists()
    assert list((out / "state-frames").glob("*.safetensors"))
    assert not list(out.rglob("*.pt")) and not list(out.rglob(".metadata"))


def test_a_run_in_shards_goes_on_where_it_was(alone, tmp_path):
    out = tmp_path / "run"
    assert len(run(out, 2, "fsdp", budget=0.0)) == 1
    same(run(out, 2, "fsdp", resume=True), alone)


def test_a_world_of_one_needs_no_process_group(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined("cpu") as world:
        assert (world.rank, world.size, world.main) == (0, 1, True)
        assert world.gather(3) == [3]
        assert not torch.distributed.is_initialized()
    net = torch.nn.Linear(2, 2)
    assert spread(net, world, "fsdp") is net
    with pytest.raises(UsageError, match="fsdp"):
        spread(net, World(), "pipeline")
