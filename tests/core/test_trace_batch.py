"""Many traces: one after the other, in threads, in processes, on a dask cluster."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bcannot_core.errors import (
    TaskError,
    UsageError,
    VolumeNotFoundError,
    VolumeUnreachableError,
)
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tracing import Trace, TraceOptions, batch, trace, trace_many
from bcannot_core.volumes import Contrast, Volume, open_volume

torch.set_num_threads(1)

LAYOUT = build_layout(NeuronTracing.buttons, get_variant("original"))
STARTS = [(2, 20, 70), (0, 70, 20), (4, 30, 30)]
OPTIONS, BRIEF = TraceOptions(sections=4), TraceOptions(sections=2)


class Walker:
    """Places the canvas's centre in four sections."""

    name = "walker"
    confidence = 0.5

    def __init__(self) -> None:
        self.acted, self.thread = 0, threading.get_ident()

    def reset(self) -> None:
        self.acted = 0

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        assert threading.get_ident() == self.thread
        self.acted += 1
        if self.acted % 2:
            canvas = LAYOUT.canvas
            return canvas.x + canvas.w // 2, canvas.y + canvas.h // 2
        return LAYOUT.buttons["done" if self.acted == 8 else "next_section"].centre


class Inline(Executor):
    """Works when it is asked to, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (VolumeUnreachableError, VolumeNotFoundError) as error:
            future.set_exception(error)
        return future


@pytest.fixture
def volume(labelled_npz: Path) -> Volume:
    return open_volume(labelled_npz)


@pytest.fixture(scope="module")
def placing_policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained policy that always clicks on the canvas, where its glance likes it best."""
    from bcannot_core.policy.config import GlanceConfig, PolicyConfig
    from bcannot_core.policy.glance_policy import GlancePolicy
    from bcannot_core.policy.network import PolicyNet

    torch.manual_seed(0)
    canvas = LAYOUT.canvas
    config = PolicyConfig(
        frame_wh=LAYOUT.size_wh,
        canvas_xywh=(canvas.x, canvas.y, canvas.w, canvas.h),
        width=16,
        layers=1,
        heads=2,
        glance=GlanceConfig(size=16, lags=(1,), channels=(8, 8, 8)),
    )
    net = PolicyNet(config)
    torch.nn.init.zeros_(net.steps.gate.weight)
    torch.nn.init.constant_(net.steps.gate.bias, 9)
    folder = tmp_path_factory.mktemp("policies") / "placing"
    GlancePolicy(net, device="cpu").save(folder)
    return str(folder)


@pytest.fixture
def walkers(monkeypatch: pytest.MonkeyPatch) -> list[Walker]:
    """Loading any policy gives a new walker; they are listed."""
    made: list[Walker] = []

    def load(_: str) -> Walker:
        made.append(Walker())
        return made[-1]

    monkeypatch.setattr(batch, "load_policy", load)
    monkeypatch.setattr(batch, "_mine", threading.local())
    return made


def plain(found: Trace) -> tuple[Any, ...]:
    """All of a trace, to compare."""
    nodes, sure = found.nodes_zyx.tolist(), found.confidence.tolist()
    about = (found.start_zyx, found.voxel_nm, found.volume, found.policy)
    return (nodes, sure, *about, found.stopped, found.problem, found.clicks)


def by_index(found: Any) -> list[tuple[Any, ...]]:
    traces = dict(found)
    assert sorted(traces) == list(range(len(STARTS)))
    return [plain(traces[i]) for i in range(len(STARTS))]


def test_every_start_point_gives_its_trace_as_soon_as_it_is_done(volume: Volume) -> None:
    policy = Walker()
    found = trace_many(volume, STARTS, policy, OPTIONS)
    i, first = next(found)
    assert (i, policy.acted) == (0, 8)
    assert first.nodes_zyx.tolist() == [[2 + z, 20, 70] for z in range(4)]
    rest = dict(found)
    assert {i: one.nodes_zyx[-1].tolist() for i, one in rest.items()} == {
        1: [3, 70, 20],
        2: [7, 30, 30],
    }


def test_a_policy_forgets_the_trace_before(volume: Volume, placing_policy: str) -> None:
    policy = batch.load_policy(placing_policy)
    twice = [plain(found) for _, found in trace_many(volume, [STARTS[0]] * 2, policy, BRIEF)]
    alone = trace(volume, STARTS[0], placing_policy, BRIEF.sections)
    assert twice == [plain(alone)] * 2
    assert (len(alone), alone.stopped, alone.policy) == (1, "limit", "placing")


@pytest.mark.parametrize("executor", [None, Inline()])
def test_nothing_is_traced_when_a_start_point_is_wrong(
    volume: Volume, walkers: list[Walker], executor: Executor | None
) -> None:
    with pytest.raises(UsageError, match="outside the volume"):
        next(trace_many(volume, [*STARTS, (0, 20, 96)], "any", OPTIONS, executor=executor))
    assert not walkers


@pytest.mark.parametrize("executor", [None, Inline()])
def test_a_volume_with_one_section_is_refused(
    walkers: list[Walker], executor: Executor | None
) -> None:
    flat = Volume.from_array(np.zeros((1, 40, 40), np.uint8))
    with pytest.raises(TaskError, match="one section"):
        next(trace_many(flat, [(0, 5, 5)], "any", OPTIONS, executor=executor))
    assert not walkers


def test_a_loaded_policy_cannot_go_to_other_processes(volume: Volume) -> None:
    with pytest.raises(UsageError, match="name or folder"):
        next(trace_many(volume, STARTS, Walker(), OPTIONS, executor=Inline()))


def test_a_volume_that_workers_cannot_open_is_named(walkers: list[Walker]) -> None:
    memory = Volume.from_array(np.ones((4, 40, 40), np.uint8), address="memory")
    with pytest.raises(VolumeNotFoundError, match="memory"):
        next(trace_many(memory, [(0, 5, 5)], "any", OPTIONS, executor=Inline()))


def test_a_worker_that_does_not_reach_the_volume_spoils_only_its_trace(
    volume: Volume, walkers: list[Walker], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = batch._opened
    calls: list[str] = []

    def flaky(address: str, contrast: tuple[float, float]) -> Volume:
        calls.append(address)
        if len(calls) == 2:
            raise VolumeUnreachableError(f"{address} cannot be reached")
        return opened(address, contrast)

    monkeypatch.setattr(batch, "_opened", flaky)
    found = dict(trace_many(volume, STARTS, "some/walker", OPTIONS, executor=Inline()))
    assert [found[i].stopped for i in range(3)] == ["done", "unreachable", "done"]
    assert (len(found[1]), found[1].start_zyx, found[1].clicks) == (0, (0, 70, 20), 0)
    assert "cannot be reached" in found[1].problem
    assert (found[1].volume, found[1].voxel_nm) == (volume.address, volume.voxel_nm)
    assert found[1].policy == "walker"


def test_threads_share_the_volume_but_not_the_memory_of_a_policy(
    volume: Volume, walkers: list[Walker], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2, timeout=60)
    act = Walker.act

    def act_together(self: Walker, frame: np.ndarray) -> tuple[int, int]:
        together.wait()
        return act(self, frame)

    monkeypatch.setattr(Walker, "act", act_together)
    with ThreadPoolExecutor(2) as pool:
        found = dict(trace_many(volume, STARTS[:2], "any", OPTIONS, executor=pool))
    assert len(walkers) == 2
    assert [found[i].nodes_zyx[0].tolist() for i in range(2)] == [[2, 20, 70], [0, 70, 20]]
    assert [len(found[i]) for i in range(2)] == [4, 4]


def test_a_thread_loads_its_policy_once(volume: Volume, walkers: list[Walker]) -> None:
    by_index(trace_many(volume, STARTS, "any", OPTIONS, executor=Inline()))
    assert len(walkers) == 1


def test_the_workers_use_the_contrast_of_the_caller(
    volume: Volume, walkers: list[Walker], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    act = Walker.act

    def look(self: Walker, frame: np.ndarray) -> tuple[int, int]:
        seen.append(int(frame[LAYOUT.canvas.slices][120:136, 120:136].max()))
        return act(self, frame)

    monkeypatch.setattr(Walker, "act", look)
    dark = volume.with_contrast(Contrast(0, 100_000))
    list(trace_many(dark, STARTS[:1], "any", OPTIONS, executor=Inline()))
    assert seen[0] < 2  # before there is a node


@pytest.mark.slow
def test_other_processes_find_the_same_traces(volume: Volume, placing_policy: str) -> None:
    here = by_index(trace_many(volume, STARTS, placing_policy, BRIEF))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        there = by_index(trace_many(volume, STARTS, placing_policy, BRIEF, executor=pool))
    assert there == here
    assert len({str(nodes) for nodes, *_ in here}) == len(STARTS)


@pytest.mark.slow
def test_a_dask_cluster_finds_the_same_traces(volume: Volume, placing_policy: str) -> None:
    distributed = pytest.importorskip("distributed")
    here = by_index(trace_many(volume, STARTS, placing_policy, BRIEF))
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        executor = client.get_executor()
        there = by_index(trace_many(volume, STARTS, placing_policy, BRIEF, executor=executor))
    assert there == here
