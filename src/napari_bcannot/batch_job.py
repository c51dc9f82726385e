"""One run of a batch: what is to be done, doing it on a worker thread, and what it tells."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from bcannot_core.errors import UsageError
from bcannot_core.tasks.neuron_tracing import TracingWorld
from bcannot_core.tracing import Trace, TraceOptions
from bcannot_core.tracing.batch_run import BatchPlan, BatchRun
from napari_bcannot.geometry import Placement, Triple, in_layer, layer_to_world, open_layer

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from bcannot_core.tracing.tracer import TracingPolicy

NODE_PX = 11.0
"""Diameter of a node's ring, in pixels that the policy sees."""


class BatchOrder(NamedTuple):
    """How a batch is to be traced, as the widget's fields say it."""

    layer: Any
    voxel_nm: Triple
    policy: str
    options: TraceOptions
    workers: int = 1
    scheduler: str = ""
    load: "Callable[[str], TracingPolicy] | None" = None


class Begun(NamedTuple):
    """A run has opened its volume, which lies here."""

    placement: Placement
    node_size: float
    """Diameter of a node's ring, in voxels."""
    in_layer: Placement
    """Where its voxels lie among those of the layer's finest level."""


class Arrived(NamedTuple):
    """The trace of a row is there."""

    row: int
    trace: Trace


class Refused(NamedTuple):
    """A row's start point cannot be traced from."""

    row: int
    problem: str


class BatchJob:
    """A run in the background: `work` on any thread, `cancel` on another.

    Parameters
    ----------
    order : BatchOrder
        What is to be done.
    starts : sequence
        (row, start point) of what is traced, in voxels of the layer's finest level.
    """

    def __init__(self, order: BatchOrder, starts: Sequence[tuple[int, Triple]]) -> None:
        self._order, self._starts = order, starts
        self._lock = threading.Lock()
        self._run: BatchRun | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """End the run at the next click."""
        with self._lock:
            self.cancelled = True
            run = self._run
        if run is not None:
            run.cancel()

    def work(self, tell: Callable[[Begun | Arrived | Refused], None]) -> None:
        """Trace; tell what happens as it happens.

        Raises
        ------
        BcannotError
            The volume, the policy or the cluster cannot be used.
        """
        order = self._order
        volume, placement = open_layer(order.layer, order.voxel_nm, order.options.nm_per_px)
        node_size = NODE_PX * order.options.nm_per_px / max(volume.voxel_nm[1:])
        tell(Begun(placement, node_size, in_layer(order.layer, placement)))
        rows, starts = [], []
        for row, zyx in self._starts:
            start = placement.to_voxels(layer_to_world(order.layer, zyx))
            try:
                starts.append(TracingWorld(volume, start).start_zyx)
            except UsageError as error:
                tell(Refused(row, str(error)))
            else:
                rows.append(row)
        cluster = partial(_cluster, order.scheduler) if order.scheduler else None
        plan = BatchPlan(
            volume, tuple(starts), order.policy, order.options, order.workers, cluster, order.load
        )
        with self._lock:
            run = self._run = BatchRun(plan)
        if not self.cancelled and starts:
            for i, trace in run:
                tell(Arrived(rows[i], trace))


def _cluster(scheduler: str) -> "AbstractContextManager[Executor]":
    from bcannot_core.cli.cluster import cluster

    found: Any = cluster(scheduler)
    return found  # type: ignore[no-any-return]
