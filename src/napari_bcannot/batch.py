"""Many traces in the background, without Qt and napari: which start points, what came of them.

`BatchController` holds a list of start points and one job at a time; what still comes
from an older one is dropped.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psygnal import Signal

from bcannot_core.tracing import Trace
from bcannot_core.tracing.starts import NamedStart
from napari_bcannot.batch_job import Arrived, BatchJob, BatchOrder, Begun, Refused
from napari_bcannot.turns import counted

if TYPE_CHECKING:
    from napari_bcannot.geometry import Placement, Triple

MOST_WORKERS = 4
"""More are not proposed: each holds a policy in memory."""
SAID = {
    "done": "done",
    "limit": "too many clicks",
    "stuck": "stuck",
    "unreachable": "broke off",
    "paused": "paused",
}
WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A start point and what came of it."""

    start: NamedStart
    status: str = WAITING
    trace: Trace | None = None
    problem: str = ""
    in_layer: "Placement | None" = None
    """Where the trace's voxels lie among those of the layer: each run reads a level of its own."""

    @property
    def open(self) -> bool:
        """Whether it is still to be traced: not yet, or the volume failed."""
        if self.trace is None:
            return not self.problem
        return self.trace.stopped == "unreachable"

    @property
    def nodes(self) -> int:
        """How many nodes it has."""
        return 0 if self.trace is None else len(self.trace)

    @property
    def nodes_zyx(self) -> "list[Triple]":
        """Its nodes in voxels of the layer's finest level."""
        if self.trace is None or self.in_layer is None:
            return []
        rows = self.trace.nodes_zyx
        return [self.in_layer.to_world((float(z), float(y), float(x))) for z, y, x in rows]

    @property
    def confidence(self) -> float | None:
        """The policy's, on average over the nodes; None without any."""
        if self.trace is None:
            return None
        sure = self.trace.confidence[self.trace.confidence >= 0]
        return float(sure.mean()) if len(sure) else None


class BatchController:
    """The start points of a batch and what came of them.

    Attributes
    ----------
    listed : Signal
        Emits after rows were added or removed.
    row_changed : Signal
        Emits the index of a row.
    changed : Signal
        Emits after anything else: a run began or ended, or the text is another one.
    """

    listed = Signal()
    row_changed = Signal(int)
    changed = Signal()

    def __init__(self) -> None:
        self.rows: list[BatchRow] = []
        self.text = "Add start points from a table or a points layer."
        self._in_layer: Placement | None = None
        self.job: BatchJob | None = None
        self._total = self._came = 0

    @property
    def running(self) -> bool:
        """Whether a run is going on."""
        return self.job is not None

    @property
    def progress(self) -> tuple[int, int]:
        """How many of the run's traces are there, and how many it makes."""
        return self._came, self._total

    @property
    def traced(self) -> list[int]:
        """The rows that have nodes."""
        return [i for i, row in enumerate(self.rows) if row.nodes]

    def add(self, starts: Iterable[NamedStart], source: str) -> None:
        """Add start points; those that are listed already, at the same voxel, are left out."""
        if self.running:
            return
        known = {row.start.zyx for row in self.rows}
        fresh: dict[Triple, NamedStart] = {}
        for start in starts:
            if start.zyx not in known:
                fresh.setdefault(start.zyx, start)
        first = len(self.rows) + 1
        for number, start in enumerate(fresh.values(), start=first):
            named = start if start.name else start._replace(name=f"trace {number}")
            self.rows.append(BatchRow(named))
        self.listed.emit()
        added = f"{counted(len(fresh), 'start point')} added from {source}."
        self.say(added if fresh else f"Nothing new in {source}.")

    def clear(self) -> None:
        """Take all start points away; layers that were made of traces stay."""
        if not self.running:
            self.rows.clear()
            self._came = self._total = 0
            self.listed.emit()
            self.say("Add start points from a table or a points layer.")

    def begin(self, order: BatchOrder) -> BatchJob | None:
        """Begin to trace what is still open.

        Returns
        -------
        BatchJob or None
            To be worked on in the background; None where there is nothing to do.
        """
        todo = [(i, row.start.zyx) for i, row in enumerate(self.rows) if row.open]
        if self.running or not todo:
            return None
        for i, _ in todo:  # what broke off stays until there is more
            self._put(i, replace(self.rows[i], status=WAITING, problem=""))
        self.job = BatchJob(order, todo)
        self._came, self._total = 0, len(todo)
        self.say(f"Getting ready to trace {len(todo)}…")
        return self.job

    def cancel(self) -> None:
        """End the run; what has come stays, the rest can be traced later."""
        if self.job is not None:
            self.job.cancel()
            self._end(f"Cancelled: {self._came} of {self._total} came. Press Trace for the rest.")

    def take(self, job: BatchJob, event: Begun | Arrived | Refused) -> bool:
        """Note what a job tells; False where it is no longer wanted."""
        if job is not self.job:
            return False
        if isinstance(event, Begun):
            self._in_layer = event.in_layer
            self.say(f"Tracing {self._total}…")
            return True
        self._came += 1
        row = self.rows[event.row]
        if isinstance(event, Refused):
            self._put(event.row, replace(row, status="not possible", problem=event.problem))
        else:
            self._put(event.row, _with(row, event.trace, self._in_layer))
        self.say(f"Traced {self._came} of {self._total}.")
        return True

    def finish(self, job: BatchJob) -> None:
        """Note that a job is done."""
        if job is self.job:
            self._end(" ".join([f"Done: {counted(len(self.traced), 'trace')}.", *self._left()]))

    def fail(self, job: BatchJob, message: str) -> None:
        """Note that a job ended by an error; what has come stays."""
        if job is self.job:
            self._end(f"Stopped by an error: {message} Press Trace for the rest.")

    def say(self, text: str) -> None:
        """Tell the person something."""
        self.text = text
        self.changed.emit()

    def _left(self) -> list[str]:
        """Return what there is to say of rows without a whole trace."""
        broken = sum(row.open for row in self.rows)
        refused = sum(row.trace is None and not row.open for row in self.rows)
        said = []
        if broken:
            said.append(f"{broken} broke off: press Trace to try again.")
        if refused:
            said.append(f"{counted(refused, 'start point')} cannot be traced: the list says why.")
        return said

    def _end(self, text: str) -> None:
        self.job = None
        self.say(text)

    def _put(self, i: int, row: BatchRow) -> None:
        self.rows[i] = row
        self.row_changed.emit(i)


def _with(row: BatchRow, trace: Trace, in_layer: "Placement | None") -> BatchRow:
    """Return a row with a trace; where it broke off again, and earlier, with the one before."""
    if trace.stopped == "unreachable" and len(trace) < row.nodes:
        return replace(row, status=SAID[trace.stopped], problem=trace.problem)
    said = SAID.get(trace.stopped, trace.stopped) if len(trace) else "no nodes"
    return replace(row, status=said, trace=trace, problem=trace.problem, in_layer=in_layer)


def usual_workers() -> int:
    """Return how many processes suit this machine."""
    return max(1, min(MOST_WORKERS, (os.cpu_count() or 1) - 1))
