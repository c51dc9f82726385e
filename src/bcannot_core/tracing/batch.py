"""Many traces: in this process, in several, or on a cluster."""

import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, as_completed

from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingWorld
from bcannot_core.tracing.trace import Trace
from bcannot_core.tracing.tracer import TraceOptions, Tracer, TracingPolicy, load_policy
from bcannot_core.volumes import Volume, open_volume

Start = tuple[float, float, float]


def trace_many(
    volume: Volume,
    starts: Sequence[Start],
    policy: TracingPolicy | str = "default",
    options: TraceOptions | None = None,
    *,
    executor: Executor | None = None,
) -> Iterator[tuple[int, Trace]]:
    """Trace from many start points; yield (index, trace) as they finish.

    Parameters
    ----------
    volume : Volume
        Where. With an executor it is opened anew, by its address, in every process.
    starts : sequence of tuple
        Voxels (z, y, x).
    policy : Policy or str
        The policy; its name or folder where an executor is given.
    options : TraceOptions, optional
        Of all traces.
    executor : Executor, optional
        For example a process pool, or ``client.get_executor()`` of a dask cluster.

    Raises
    ------
    UsageError
        A start point lies outside the volume; nothing is traced then.
    """
    options = options or TraceOptions()
    worlds = [TracingWorld(volume, start) for start in starts]
    if executor is None:
        acting = load_policy(policy)
        for i, world in enumerate(worlds):
            yield i, Tracer.begin(NeuronTracing(world, options.config()), acting).run()
        return
    name = policy if isinstance(policy, str) else str(getattr(policy, "name", ""))
    contrast = (volume.contrast.lo, volume.contrast.hi)
    futures = {
        executor.submit(_trace_remote, volume.address, contrast, world.start_zyx, name, options): i
        for i, world in enumerate(worlds)
    }
    for future in as_completed(futures):
        yield futures[future], future.result()


def _trace_remote(
    address: str, contrast: tuple[float, float], start: Start, policy: str, options: TraceOptions
) -> Trace:
    volume, acting = _opened(address, contrast, policy)
    return Tracer.begin(NeuronTracing(TracingWorld(volume, start), options.config()), acting).run()


@functools.lru_cache(maxsize=2)
def _opened(
    address: str, contrast: tuple[float, float], policy: str
) -> tuple[Volume, TracingPolicy]:
    """Open volume and policy once in each process."""
    from bcannot_core.volumes import Contrast

    return open_volume(address, contrast=Contrast(*contrast)), load_policy(policy)
