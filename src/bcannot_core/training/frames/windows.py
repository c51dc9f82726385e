"""The window source: batches of windows, drawn ahead by worker processes into shared memory."""

import multiprocessing
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from bcannot_core.errors import DatasetError
from bcannot_core.training.frames.cutting import Arrays, Cutter, Row
from bcannot_core.training.frames.schedule import Schedule
from bcannot_core.training.workers import end_with_parent

AHEAD = 3

_Asked = tuple[int, Sequence[int], list[Future[list[Row]]]]
"""A slot, the numbers of the windows for it, and what the workers will say of them."""


@dataclass(frozen=True)
class Batch:
    """Windows with what they are of.

    Attributes
    ----------
    arrays : Arrays
        Frames, clicks, targets and weights; where workers draw them they are valid until the next
        batch is asked for.
    rows : tuple of Row
        Task and actions of each window.
    numbers : sequence of int
        The windows' numbers.
    slot : int
        Which piece of shared memory the arrays are in, 0 without workers.
    """

    arrays: Arrays
    rows: tuple[Row, ...]
    numbers: Sequence[int]
    slot: int = 0


class WindowSource:
    """Makes batches of numbered windows.

    Parameters
    ----------
    cutter : Cutter
        What the windows follow from.
    windows : int
        Windows in a batch.
    workers : int
        Processes that draw; 0 draws in this one. The windows are the same ones.
    """

    def __init__(self, cutter: Cutter, windows: int, workers: int = 0) -> None:
        self.cutter, self.windows = cutter, windows
        self._schedule: Schedule | None = None
        self._pools: list[ProcessPoolExecutor] = []
        self.slots: list[Arrays] = []
        if workers < 1:
            self._schedule = cutter.schedule()
            self.slots.append(cutter.empty(windows))
            return
        shared = _shared_folder(AHEAD * sum(_bytes(*w) for w in cutter.shapes(windows).values()))
        with TemporaryDirectory(prefix="bcannot-", dir=shared, ignore_cleanup_errors=True) as name:
            paths = [Path(name) / f"slot-{i}" for i in range(AHEAD)]
            self.slots += [_mapped(path, cutter, windows, "w+") for path in paths]
            spawn = multiprocessing.get_context("spawn")
            arguments = (cutter, paths, windows)
            self._pools += [
                ProcessPoolExecutor(1, spawn, initializer=_begin, initargs=arguments)
                for _ in range(min(workers, windows))
            ]
            try:  # once every worker has opened the files nobody needs their names
                for future in [pool.submit(_ready) for pool in self._pools]:
                    future.result()
            except BrokenExecutor as error:
                self.close()
                raise DatasetError(
                    f"the workers that draw windows did not start: {error}"
                ) from error

    def batches(self, numbers: Iterable[Sequence[int]]) -> Iterator[Batch]:
        """Yield a batch for each sequence of window numbers.

        Workers draw the following ones in the meantime; a batch's arrays are theirs again when
        the next one is asked for.

        Raises
        ------
        DatasetError
            An episode cannot be opened, or a worker died.
        """
        if self._schedule is not None:
            for wanted in numbers:
                rows = tuple(_write(self.cutter, self._schedule, self.slots[0], wanted))
                yield Batch(self.slots[0], rows, wanted)
            return
        coming, pending = enumerate(numbers), deque[_Asked]()
        try:
            while True:
                while len(pending) < AHEAD and (following := next(coming, None)) is not None:
                    pending.append(self._ask(following[0] % AHEAD, following[1]))
                if not pending:
                    return
                slot, wanted, futures = pending[0]
                yield Batch(self.slots[slot], self._rows(futures), wanted, slot)
                pending.popleft()
        except BrokenExecutor as error:
            raise DatasetError(
                "a worker that draws windows died, perhaps for want of memory: use fewer, "
                "or a smaller data.lanes"
            ) from error
        finally:
            for _, _, futures in pending:
                for future in futures:
                    future.cancel()

    def _ask(self, slot: int, numbers: Sequence[int]) -> _Asked:
        """Divide a batch among the workers: a row, and so a lane, always goes to the same one."""
        every = len(self._pools)
        return (
            slot,
            numbers,
            [
                pool.submit(_draw, slot, numbers[i::every], i, every)
                for i, pool in enumerate(self._pools)
            ],
        )

    def _rows(self, futures: Sequence[Future[list[Row]]]) -> tuple[Row, ...]:
        parts = [future.result() for future in futures]
        every = len(parts)
        return tuple(parts[i % every][i // every] for i in range(self.windows))

    def close(self) -> None:
        """Stop the workers."""
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)
        self._pools.clear()
        self.slots.clear()

    def __enter__(self) -> "WindowSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bytes(shape: tuple[int, ...], kind: type[np.generic]) -> int:
    """Return the bytes of an array, up to a whole number of cache lines."""
    return -(-int(np.prod(shape)) * np.dtype(kind).itemsize // 64) * 64


def _shared_folder(size: int) -> Path | None:
    """Return a folder in memory with room for so many bytes; None for that of temporary files."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and shutil.disk_usage(folder).free > 2 * size else None


def _mapped(path: Path, cutter: Cutter, windows: int, mode: Literal["r+", "w+"]) -> Arrays:
    """Return the arrays of a batch in a file that several processes have mapped."""
    shapes = cutter.shapes(windows)
    size = sum(_bytes(*what) for what in shapes.values())
    memory, arrays, offset = np.memmap(path, np.uint8, mode, shape=(size,)), {}, 0
    for name, (shape, kind) in shapes.items():
        arrays[name] = np.ndarray(shape, kind, memory, offset)
        offset += _bytes(shape, kind)
    return Arrays(**arrays)


def _write(
    cutter: Cutter,
    schedule: Schedule,
    arrays: Arrays,
    numbers: Sequence[int],
    row: int = 0,
    every: int = 1,
) -> Iterator[Row]:
    for i, number in enumerate(numbers):
        yield cutter.write(schedule.window(number), arrays, row + i * every)


@dataclass(frozen=True)
class _Workplace:
    cutter: Cutter
    schedule: Schedule
    slots: tuple[Arrays, ...]


_workplaces: list[_Workplace] = []


def _begin(cutter: Cutter, paths: Sequence[Path], windows: int) -> None:
    """Keep in this worker process what windows follow from, and open the shared memory."""
    end_with_parent()
    slots = tuple(_mapped(path, cutter, windows, "r+") for path in paths)
    _workplaces[:] = [_Workplace(cutter, cutter.schedule(), slots)]


def _ready() -> bool:
    return bool(_workplaces)


def _draw(slot: int, numbers: Sequence[int], row: int, every: int) -> list[Row]:
    """Write windows into every so many-th row of a slot, in a worker."""
    [here] = _workplaces
    return list(_write(here.cutter, here.schedule, here.slots[slot], numbers, row, every))
