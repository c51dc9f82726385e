"""Many traces: in this process, in several, or on a cluster."""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from pathlib import Path

import numpy as np

from bcannot_core.errors import UsageError, VolumeUnreachableError
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingWorld
from bcannot_core.tracing.pool import wanted
from bcannot_core.tracing.trace import Trace
from bcannot_core.tracing.tracer import (
    TraceOptions,
    Tracer,
    TracingPolicy,
    check_depth,
    load_policy,
)
from bcannot_core.volumes import Contrast, Volume, open_volume

Start = tuple[float, float, float]

_mine = threading.local()


def trace_many(
    volume: Volume,
    starts: Sequence[Start],
    policy: TracingPolicy | str = "default",
    options: TraceOptions | None = None,
    *,
    executor: Executor | None = None,
    keep_on: Callable[[], bool] = lambda: True,
) -> Iterator[tuple[int, Trace]]:
    """Trace from many start points; yield (index, trace) as they finish.

    Parameters
    ----------
    volume : Volume
        Where. With an executor it is opened anew, by its address, in every process; a process
        that cannot reach it gives empty traces, ``unreachable``.
    starts : sequence of tuple
        Voxels (z, y, x).
    policy : Policy or str
        The policy; with an executor its name or folder, loaded anew in every worker.
    options : TraceOptions, optional
        Of all traces.
    executor : Executor, optional
        For example a :class:`~bcannot_core.tracing.pool.TracingPool`, or
        ``client.get_executor()`` of a dask cluster.

    keep_on : callable
        Without an executor asked before every click; False pauses the trace at hand.

    Raises
    ------
    UsageError
        A start point lies outside the volume, or a loaded policy came with an executor.
    TaskError
        The volume has a single section.
    """
    options = options or TraceOptions()
    check_depth(volume)
    worlds = [TracingWorld(volume, start) for start in starts]
    if executor is None:
        acting = load_policy(policy)
        for i, world in enumerate(worlds):
            yield i, Tracer.begin(NeuronTracing(world, options.config()), acting).run(keep_on)
        return
    if not isinstance(policy, str):
        raise UsageError("a loaded policy cannot be shared: give an executor its name or folder")
    where = (volume.address, (volume.contrast.lo, volume.contrast.hi))
    futures = {
        executor.submit(_trace_remote, *where, world.start_zyx, policy, options): i
        for i, world in enumerate(worlds)
    }
    for future in as_completed(futures):
        i = futures[future]
        try:
            trace = future.result()
        except VolumeUnreachableError as error:
            trace = _untraced(volume, worlds[i], policy, str(error))
        yield i, trace


def _untraced(volume: Volume, world: TracingWorld, policy: str, problem: str) -> Trace:
    """Return the trace of a worker that did not reach the volume."""
    z, y, x = (int(c) for c in world.start_zyx)
    return Trace(
        np.empty((0, 3)),
        np.empty(0, np.float32),
        (z, y, x),
        volume.voxel_nm,
        volume=volume.address,
        policy=Path(policy).name,
        stopped="unreachable",
        problem=problem,
    )


def _trace_remote(
    address: str, contrast: tuple[float, float], start: Start, policy: str, options: TraceOptions
) -> Trace:
    """Trace in a worker; volume and policy are opened there once."""
    world = TracingWorld(_opened(address, contrast), start)
    task = NeuronTracing(world, options.config())
    return Tracer.begin(task, _policy_of_thread(policy)).run(wanted)


@functools.lru_cache(maxsize=2)
def _opened(address: str, contrast: tuple[float, float]) -> Volume:
    """Open a volume once in each process."""
    return open_volume(address).with_contrast(Contrast(*contrast))


def _policy_of_thread(name: str) -> TracingPolicy:
    """Load a policy once in each thread: it remembers its session."""
    if getattr(_mine, "name", None) != name:
        _mine.policy, _mine.name = load_policy(name), name
    policy: TracingPolicy = _mine.policy
    return policy
