"""A batch of traces that can be cancelled: on this machine or on a dask cluster."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bcannot_core.errors import BcannotError, UsageError
from bcannot_core.tracing.batch import Start, trace_many
from bcannot_core.tracing.pool import TracingPool
from bcannot_core.tracing.trace import Trace
from bcannot_core.tracing.tracer import TraceOptions, TracingPolicy
from bcannot_core.volumes import Volume, open_volume
from bcannot_core.volumes.address import lies_in_no_file

MOST_COPIED_BYTES = 4 << 30
"""A larger volume is not copied to a file for the processes."""
DIED = "A tracing process ended by itself: is there memory enough for so many processes?"


@dataclass(frozen=True)
class BatchPlan:
    """What a batch does.

    Attributes
    ----------
    volume : Volume
        Where; one without an address that opens it is copied to a temporary file.
    starts : tuple of (z, y, x)
        Voxels.
    policy : str
        Name or folder.
    options : TraceOptions
        Of all traces.
    workers : int
        Processes on this machine; 0 traces in this process, with ``load``.
    cluster : callable, optional
        Gives a context manager of a cluster's executor: instead of processes.
    load : callable, optional
        Makes the policy where there are no workers.
    """

    volume: Volume
    starts: tuple[Start, ...]
    policy: str = "default"
    options: TraceOptions = field(default_factory=TraceOptions)
    workers: int = 1
    cluster: Callable[[], AbstractContextManager[Executor]] | None = None
    load: Callable[[str], TracingPolicy] | None = None


class BatchRun:
    """A batch under way: iterate over it once, from any thread; cancel it from any other.

    Parameters
    ----------
    plan : BatchPlan
        What is done.
    """

    def __init__(self, plan: BatchPlan) -> None:
        self.plan = plan
        self._cancelled = threading.Event()
        self._executor: Executor | None = None

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Drop the traces that wait; those at hand end at their next click and are dropped, too.

        What a cluster's workers have begun they end by themselves.
        """
        self._cancelled.set()
        self._drop()

    def __iter__(self) -> Iterator[tuple[int, Trace]]:
        """Yield (index of the start point, trace) as they finish.

        Raises
        ------
        BcannotError
            The volume, the policy or the cluster cannot be used, or a process died.
        """
        with ExitStack() as stack:
            traces = self._traces(stack)
            try:
                for i, trace in traces:
                    if self.cancelled:
                        break
                    yield i, trace
            except CancelledError:
                pass
            except BrokenExecutor as error:
                raise BcannotError(f"{DIED} ({error})") from error
            finally:
                self._drop()  # before the pool is left: that waits for what is queued

    def _traces(self, stack: ExitStack) -> Iterator[tuple[int, Trace]]:
        plan = self.plan
        if plan.workers == 0 and plan.cluster is None:
            policy = plan.policy if plan.load is None else plan.load(plan.policy)
            return trace_many(
                plan.volume, plan.starts, policy, plan.options, keep_on=self._keeps_on
            )
        volume = self._reachable(stack)
        if plan.cluster is not None:
            self._executor = stack.enter_context(plan.cluster())
        else:
            self._executor = stack.enter_context(TracingPool(plan.workers))
        if self.cancelled:
            return iter(())
        return trace_many(volume, plan.starts, plan.policy, plan.options, executor=self._executor)

    def _keeps_on(self) -> bool:
        return not self.cancelled

    def _drop(self) -> None:
        executor = self._executor
        if isinstance(executor, TracingPool):
            executor.cancel()
        elif executor is not None:
            executor.shutdown(wait=False)

    def _reachable(self, stack: ExitStack) -> Volume:
        """Return the volume at an address that other processes can open."""
        volume = self.plan.volume
        gone = lies_in_no_file(volume.address) or (volume.in_memory and not _opens(volume))
        if not gone:
            return volume
        if self.plan.cluster is not None:
            raise UsageError(
                "a cluster cannot read a layer that is in this window's memory: save the layer to "
                "a file that its machines see, and open that"
            )
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bcannot-"))
        return self._copy(volume, Path(folder) / "volume.npy")

    def _copy(self, volume: Volume, path: Path) -> Volume:
        depth, height, width = volume.shape
        size = depth * height * width * volume.dtype.itemsize
        if size > MOST_COPIED_BYTES:
            raise UsageError(
                f"{volume.address} is {size >> 30} GiB and lies in no file: save it to one "
                "and open that to trace with several processes"
            )
        try:
            file = np.lib.format.open_memmap(
                path, mode="w+", dtype=volume.dtype, shape=volume.shape
            )
            for z in range(depth):
                if self.cancelled:
                    break
                file[z] = volume.read(z, z + 1, 0, height, 0, width)[0]
            file.flush()
        except OSError as error:
            raise BcannotError(f"{path.parent} has no room for a copy: {error}") from error
        copied = open_volume(str(path), voxel_nm=volume.voxel_nm)
        return copied.with_contrast(volume.contrast)


def _opens(volume: Volume) -> bool:
    """Whether the volume's address opens it, too."""
    try:
        return open_volume(volume.address).shape == volume.shape
    except BcannotError:
        return False
