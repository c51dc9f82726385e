"""Batches that can be cancelled: in this process, in others, on an executor."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import dask.array
import numpy as np
import psutil
import pytest

from bcannot_core.episodes.generate import _leave_with_parent
from bcannot_core.errors import BcannotError, CheckpointError, UsageError
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tracing import TraceOptions, batch_run, trace
from bcannot_core.tracing.batch_run import BatchPlan, BatchRun
from bcannot_core.tracing.pool import TracingPool, wanted
from bcannot_core.training.workers import end_with_parent
from bcannot_core.volumes import Contrast, Volume, open_volume

STARTS = ((2.0, 20.0, 70.0), (0.0, 70.0, 20.0), (4.0, 30.0, 30.0))
CANVAS = build_layout(NeuronTracing.buttons, get_variant("original")).canvas
BRIEF = TraceOptions(sections=2)
SPAWN = get_context("spawn")


class Still:
    """Moves the first node to and fro for ever; says how often."""

    name, confidence = "still", 0.5

    def __init__(self) -> None:
        self.clicks = 0
        self.on_click = lambda: None

    def reset(self) -> None:
        pass

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        self.clicks += 1
        self.on_click()
        x, y = CANVAS.centre
        return x + self.clicks % 2 * 4, y


@pytest.fixture
def memory() -> Volume:
    """A volume that lies nowhere but in this process."""
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (8, 96, 96), dtype=np.uint8)
    options = {"voxel_nm": (30.0, 10.0, 10.0), "contrast": Contrast(0.0, 300.0)}
    return Volume.from_array(array, address="memory:em", **options)


def test_a_batch_without_workers_traces_here(memory):
    policy = Still()
    plan = BatchPlan(memory, STARTS, "mine", BRIEF, workers=0, load=lambda name: policy)
    found = dict(BatchRun(plan))
    assert [found[i].start_zyx for i in range(3)] == [(2, 20, 70), (0, 70, 20), (4, 30, 30)]
    assert all(one.stopped == "limit" for one in found.values())
    assert policy.clicks == sum(one.clicks for one in found.values())


def test_cancelling_ends_the_trace_at_hand_at_its_next_click(memory):
    policy = Still()
    plan = BatchPlan(memory, STARTS, "mine", BRIEF, workers=0, load=lambda name: policy)
    run = BatchRun(plan)
    policy.on_click = lambda: run.cancel() if policy.clicks == 40 else None
    found = list(run)
    assert [i for i, _ in found] == [0]
    assert policy.clicks == 40
    assert run.cancelled


class Waiting(Executor):
    """Never begins what it is given."""

    def __init__(self) -> None:
        self.futures: list[Future[object]] = []
        self.full = threading.Event()

    def submit(self, fn, /, *args, **kwargs):
        self.futures.append(Future())
        if len(self.futures) == len(STARTS):
            self.full.set()
        return self.futures[-1]

    def shutdown(self, wait=True, *, cancel_futures=False):
        for future in self.futures:
            if not future.cancelled():
                future.cancel()
                future.set_running_or_notify_cancel()


def test_a_clusters_traces_that_wait_are_dropped(labelled_npz: Path):
    waiting = Waiting()

    @contextmanager
    def cluster():
        yield waiting

    run = BatchRun(BatchPlan(open_volume(labelled_npz), STARTS, options=BRIEF, cluster=cluster))
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(run))
    thread.start()
    assert waiting.full.wait(30)
    run.cancel()
    thread.join(30)
    assert not thread.is_alive()
    assert not found
    assert all(future.cancelled() for future in waiting.futures)


def test_a_cluster_does_not_get_what_is_in_memory_here(memory):
    @contextmanager
    def cluster():
        yield Waiting()

    with pytest.raises(UsageError, match="save the layer"):
        next(iter(BatchRun(BatchPlan(memory, STARTS, cluster=cluster))))


def test_too_much_memory_is_not_copied(memory, monkeypatch):
    monkeypatch.setattr(batch_run, "MOST_COPIED_BYTES", 1000)
    with pytest.raises(UsageError, match="save it to one"):
        next(iter(BatchRun(BatchPlan(memory, STARTS))))


def test_a_main_script_without_a_guard_is_not_run_again(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os\n"
        "from bcannot_core.tracing.pool import TracingPool\n"
        "print('main')\n"
        "with TracingPool(1) as pool:\n"
        "    print(pool.submit(os.getpid).result() != os.getpid())\n"
        "print(__file__, __spec__)\n"
    )
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=True
    )
    assert ran.stdout.splitlines() == ["main", "True", f"{script} None"]


def test_a_cancelled_pool_tells_its_processes_and_begins_nothing_more():
    assert wanted()
    with TracingPool(1) as pool:
        assert pool.submit(wanted).result(120)
        pool.cancel()
        with pytest.raises(RuntimeError):
            pool.submit(wanted)
    assert wanted(), "this process is none of the pool's"


def test_a_pool_that_is_left_by_an_error_begins_nothing_more():
    with pytest.raises(KeyboardInterrupt), TracingPool(1) as pool:
        assert pool.submit(wanted).result(120)
        waiting = [pool.submit(time.sleep, 0.2) for _ in range(30)]
        raise KeyboardInterrupt
    assert sum(future.cancelled() for future in waiting) > 20


@pytest.mark.parametrize(
    "pool",
    [
        lambda: TracingPool(1),
        lambda: ProcessPoolExecutor(1, SPAWN, initializer=end_with_parent),
        lambda: ProcessPoolExecutor(1, SPAWN, initializer=_leave_with_parent),
    ],
    ids=["tracing", "training", "generating"],
)
def test_an_interrupt_from_the_keyboard_ends_processes_without_a_word(pool, capfd):
    with pool() as executor:
        pid = executor.submit(os.getpid).result(120)
        process = psutil.Process(pid)
        process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs([process], timeout=60)
    assert not alive
    assert capfd.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
def test_processes_trace_a_copy_of_what_is_in_memory(memory, random_policy: Path, lazy: bool):
    if lazy:  # as napari shows a movie: computed when it is read
        array = dask.array.from_array(memory.array, chunks=(4, 48, 48))
        memory = Volume.from_array(
            array, address="memory:em", voxel_nm=memory.voxel_nm, contrast=memory.contrast
        )
        assert not memory.in_memory
    plan = BatchPlan(memory, STARTS, str(random_policy), BRIEF, workers=2)
    found = dict(BatchRun(plan))
    assert set(found) == {0, 1, 2}
    for i, start in enumerate(STARTS):
        alone = trace(memory, start, str(random_policy), BRIEF.sections)
        assert found[i].nodes_zyx.tolist() == alone.nodes_zyx.tolist()
        assert (found[i].clicks, found[i].voxel_nm) == (alone.clicks, alone.voxel_nm)
    assert not Path(found[0].volume.split("#")[0]).exists(), "the copy was left behind"


@pytest.mark.slow
def test_a_policy_that_is_not_there_ends_the_batch_with_a_message(memory, tmp_path):
    plan = BatchPlan(memory, STARTS, str(tmp_path / "none"), BRIEF)
    with pytest.raises(CheckpointError, match="none"):
        list(BatchRun(plan))


@pytest.mark.slow
def test_a_process_that_dies_is_an_error_with_a_remedy(memory, random_policy, monkeypatch):
    plan = BatchPlan(memory, STARTS, str(random_policy), replace(BRIEF, sections=6))
    run = BatchRun(plan)

    def kill() -> None:
        for process in list(run._executor._processes.values()):
            process.kill()

    submit = TracingPool.submit

    def submit_then_kill(self, fn, /, *args, **kwargs):
        future = submit(self, fn, *args, **kwargs)
        kill()
        return future

    monkeypatch.setattr(TracingPool, "submit", submit_then_kill)
    with pytest.raises(BcannotError, match="memory enough"):
        list(run)
