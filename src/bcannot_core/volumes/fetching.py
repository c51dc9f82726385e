"""Fetches what is looked at on background threads; looking itself never waits for a server."""

import atexit
import logging
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from numpy.typing import NDArray

from bcannot_core.errors import BcannotError, VolumeFormatError
from bcannot_core.volumes.base import Box, box_shape
from bcannot_core.volumes.multiscale import Pyramid, Task

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 8
RETRY_S = 10.0
"""After a failure nothing is asked of the server for so long, unless the person says so."""
SLOW_S = 4.0
"""When nothing has come for so long the server is called slow."""
AHEAD, BEHIND = 6, 2
"""So many sections are fetched in the direction of travel, and back, once the picture is there."""
END_S = 10.0
"""How long the end of the process waits for what is being read."""
CHEAP_BLOCKS = 2
"""So few blocks of a local file are read at once instead of in the background."""

Look = tuple[int, Box]
"""A level of the pyramid and a box of it."""

_DETAILS = re.compile(r": [A-Z_]{5,}: ")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FetchState:
    """How the fetching goes.

    Attributes
    ----------
    waiting, total : int
        Blocks that are still missing in the picture, and how many it lacked at first.
    message : str
        What is wrong, for the person; empty where nothing is.
    failed : bool
        Whether the server failed: nothing is fetched until `Fetcher.retry`.
    slow : bool
        Whether nothing has come for some seconds.
    """

    waiting: int = 0
    total: int = 0
    message: str = ""
    failed: bool = False
    slow: bool = False

    @property
    def busy(self) -> bool:
        """Whether something is being fetched for the picture."""
        return self.waiting > 0 and not self.failed


_AT_WORK: "WeakKeyDictionary[threading.Thread, Fetcher]" = WeakKeyDictionary()


@atexit.register
def end_fetching(timeout_s: float = END_S) -> None:
    """Fetch nothing any more and wait for the threads at work, for so long at most.

    Python ends threads of this kind where they stand when it exits; in the middle of a read of
    tensorstore that would abort the process.
    """
    end = time.monotonic() + timeout_s
    for thread, fetcher in list(_AT_WORK.items()):
        fetcher.close()
        thread.join(max(0.0, end - time.monotonic()))


class Fetcher:
    """Looks at a pyramid without waiting, and fetches what the picture lacks.

    The newest look counts: what an older one still lacks is not fetched any more. Threads are
    started when there is something to do and end when there is not.

    Parameters
    ----------
    pyramid : Pyramid
        What is looked at.
    threads : int
        How many blocks are fetched at once.

    Attributes
    ----------
    woken : callable or None
        Called, by whoever looks, when fetching begins.
    version : int
        Goes up when the picture has changed and should be looked at again.
    """

    def __init__(self, pyramid: Pyramid, threads: int = THREADS) -> None:
        self.pyramid = pyramid
        self.woken: Callable[[Fetcher], None] | None = None
        self.version = 0
        self._limit = threads
        self._lock = threading.Lock()
        self._wishes: dict[str, list[Task]] = {"view": [], "overview": [], "ahead": []}
        self._lacking: dict[str, set[Task]] = {"view": set(), "overview": set()}
        self._running: set[Task] = set()
        self._threads = 0
        self._total = 0
        self._came = time.monotonic()
        self._failed_at: float | None = None
        self._message = ""
        self._view: Look | None = None
        self._looked_at = -1
        self._travel = 1
        self._looks_ahead = False
        self._halted: Look | None = None
        self._fetched: dict[str, tuple[Look, set[Task]]] = {}
        self._closed = False

    def __deepcopy__(self, memo: dict[int, Any]) -> "Fetcher":
        """Return this fetcher: napari copies what layers carry."""
        return self

    # ------------------------------------------------------------------------------ looking
    def look(self, level: int, box: Box) -> NDArray[Any]:
        """Return a box as far as it is known and begin to fetch what it lacks; never waits long.

        Parameters
        ----------
        level : int
            Of the pyramid.
        box : tuple of int
            Half-open bounds, inside the level.
        """
        picture, missing = self.pyramid.peek(level, box)
        overview = self._is_overview(level)
        if not missing and self._view == (level, box):
            return picture
        if missing and self._is_cheap(missing):
            return self.pyramid.read(level, box)
        self._wish(level, box, overview=overview)
        return picture

    def read(self, level: int, box: Box) -> NDArray[Any]:
        """Return a box exactly; takes as long as it takes.

        Raises
        ------
        VolumeError
            It cannot be read.
        """
        return self.pyramid.read(level, box)

    def _is_cheap(self, missing: list[Task]) -> bool:
        local = not any(source.concurrent for source in self.pyramid.sources)
        return local and len(missing) <= CHEAP_BLOCKS and self._failed_at is None

    def _is_overview(self, level: int) -> bool:
        """Whether a look is for the small picture beside the layer's name.

        napari looks at the coarsest level after each look at the one that it shows.
        """
        before, self._looked_at = self._looked_at, level
        last = len(self.pyramid.levels) - 1
        return last > 0 and level == last and before != last

    def _wish(self, level: int, box: Box, *, overview: bool) -> None:
        plan = self.pyramid.plan(level, box)
        with self._lock:
            if self._closed or self._rests((level, box)):
                return
            kind = "overview" if overview else "view"
            if plan is None:
                self._message = "This is too much to fetch at once: zoom in, or show it in 2-D."
                self._wishes[kind], self._lacking[kind] = [], set()
                return
            tasks = self._not_fetched_before(kind, (level, box), plan[1])
            if kind == "view":
                self._travel = self._direction(level, box)
                self._view, self._message = (level, box), ""
                self._wishes["ahead"], self._looks_ahead = [], True
            if set(tasks) - self._lacking[kind]:
                self._total = 0
                self._came = time.monotonic()
            self._wishes[kind] = [t for t in tasks if t not in self._running]
            self._lacking[kind] = set(tasks)
            self._total = max(self._total, self._waiting())
            self._start_thread()
            begun = self._waiting() > 0
        if begun and self.woken is not None:
            self.woken(self)

    def _not_fetched_before(self, kind: str, look: Look, tasks: list[Task]) -> list[Task]:
        """Return what has not been fetched for this look yet.

        What came and is gone again did not fit into the cache beside what else is looked at: to
        fetch it again would go on for ever.
        """
        before, fetched = self._fetched.get(kind, (None, set()))
        if before != look:
            fetched = set()
            self._fetched[kind] = (look, fetched)
        return [task for task in tasks if task not in fetched]

    def _rests(self, look: Look) -> bool:
        """Whether this look fetches nothing: after a failure for a while, or it was cancelled."""
        if self._failed_at is not None:
            if time.monotonic() - self._failed_at < RETRY_S:
                return True
            self._failed_at = None
        same = look == self._halted or look[0] == len(self.pyramid.levels) - 1
        if self._halted is not None and self._halted == self._view and same:
            return True
        self._halted = None
        return False

    def _direction(self, level: int, box: Box) -> int:
        """Return 1 or -1: which way the person goes through the sections."""
        before = self._view
        axis = _thin_axis(box)
        if before is None or before[0] != level or axis is None:
            return 1
        return self._travel if (d := box[2 * axis] - before[1][2 * axis]) == 0 else (1, -1)[d < 0]

    def _ahead(self) -> list[Task]:
        """Return the missing blocks of the neighbouring sections, the next one first."""
        if self._view is None or (axis := _thin_axis(self._view[1])) is None:
            return []
        level, box = self._view
        source = self.pyramid.sources[self.pyramid.levels[level].source]
        tasks: dict[Task, None] = {}
        for step in sorted(range(-BEHIND, AHEAD + 1), key=abs):
            at = box[2 * axis] + self._travel * step
            if step and 0 <= at < self.pyramid.levels[level].shape[axis]:
                there = _as_box((*box[: 2 * axis], at, at + 1, *box[2 * axis + 2 :]))
                plan = self.pyramid.plan(level, there)
                tasks |= dict.fromkeys(plan[1] if plan and plan[0] == level else ())
        return list(tasks)[: max(1, source.budget_bytes // 4 // source.kept_bytes)]

    # ------------------------------------------------------------------------------ control
    def state(self) -> FetchState:
        """Return how the fetching goes."""
        with self._lock:
            waiting = self._waiting()
            slow = waiting > 0 and time.monotonic() - self._came > SLOW_S
            failed = self._failed_at is not None
            return FetchState(waiting, max(self._total, waiting), self._message, failed, slow)

    @property
    def retry_due(self) -> bool:
        """Whether a failed server should be asked again by now."""
        return self._failed_at is not None and time.monotonic() - self._failed_at >= RETRY_S

    def retry(self) -> None:
        """Ask the server again for what the picture lacks, at the next look."""
        with self._lock:
            self._failed_at, self._message, self._halted = None, "", None
            self._fetched.clear()
            self._came = time.monotonic()
            self.version += 1
        if self.woken is not None:
            self.woken(self)

    def cancel(self) -> None:
        """Fetch no more for this picture; another one is fetched again."""
        with self._lock:
            self._clear()
            self._halted = self._view

    def close(self) -> None:
        """Fetch nothing any more."""
        with self._lock:
            self._closed = True
            self._clear()

    @property
    def idle(self) -> bool:
        """Whether no thread is at work."""
        return self._threads == 0

    def _clear(self) -> None:
        self._drop_wishes()
        for kind in self._lacking:
            self._lacking[kind] = set()
        self._total = 0

    def _drop_wishes(self) -> None:
        self._looks_ahead = False
        for wishes in self._wishes.values():
            wishes.clear()

    def _waiting(self) -> int:
        return len(self._lacking["view"] | self._lacking["overview"])

    # ------------------------------------------------------------------------------ threads
    def _start_thread(self) -> None:
        """Start one thread where there is work for it; each starts the next one.

        Starting all at once would hold up whoever looks.
        """
        wanted = sum(len(tasks) for tasks in self._wishes.values()) + self._looks_ahead
        if self._threads < min(self._limit, wanted + len(self._running)):
            self._threads += 1
            thread = threading.Thread(target=self._work, name="bcannot-fetch", daemon=True)
            _AT_WORK[thread] = self
            thread.start()

    def _work(self) -> None:
        task = self._take()
        while task is not None:
            self._fetch(task)
            task = self._take()

    def _take(self) -> Task | None:
        """Return what to fetch next; None, and one thread less, where there is nothing."""
        with self._lock:
            task = self._next()
            if task is None:
                self._threads -= 1
            else:
                self._running.add(task)
                self._start_thread()
            return task

    def _next(self) -> Task | None:
        for kind, wishes in self._wishes.items():
            if kind == "ahead" and self._looks_ahead and not self._running:
                wishes[:] = self._ahead()
                self._looks_ahead = False
            while wishes:
                task = wishes.pop(0)
                if task in self._running:
                    continue
                if self.pyramid.lacks(task):
                    return task
                self._arrived(task)
        return None

    def _fetch(self, task: Task) -> None:
        problem: Exception | None = None
        try:
            self.pyramid.load(task)
        except VolumeFormatError as error:
            self.pyramid.sources[task.source].blacken(task.block)
            problem = error
        except Exception as error:  # noqa: BLE001  any array may be behind a volume
            with self._lock:
                self._running.discard(task)
                self._fail(error)
            return
        with self._lock:
            self._running.discard(task)
            if problem is not None:
                self._message = f"A part is damaged and shown black: {_short(problem)}"
            self._arrived(task)

    def _arrived(self, task: Task) -> None:
        self._came = time.monotonic()
        for kind, lacking in self._lacking.items():
            if task in lacking:
                lacking.discard(task)
                if kind in self._fetched:
                    self._fetched[kind][1].add(task)
                self.version += 1

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, BcannotError):
            _LOG.error("an unexpected error while fetching", exc_info=error)
        if self._closed or self._failed_at is not None:
            return
        self._drop_wishes()
        if self._waiting():
            self._failed_at = time.monotonic()
            self._message = _short(error)
            self.version += 1


def _thin_axis(box: Box) -> int | None:
    """Return the axis across which a box is one section, or None."""
    return next((axis for axis, size in enumerate(box_shape(box)) if size == 1), None)


def _as_box(values: tuple[int, ...]) -> Box:
    z0, z1, y0, y1, x0, x1 = values
    return z0, z1, y0, y1, x0, x1


def _short(error: BaseException) -> str:
    """Return an error's message on one line, without what a network library adds to it."""
    text = " ".join(str(error).split()) or type(error).__name__
    return _DETAILS.split(text)[0]
