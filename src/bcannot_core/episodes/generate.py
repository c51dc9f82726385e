"""Generating datasets: many episodes in many processes, the same ones for the same seed.

An episode follows from the specification, the seed and its number alone, whatever the number of
workers. Shards are named after all three; those that are there already are not made again.
"""

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from contextlib import ExitStack, closing
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import pyarrow as pa
from threadpoolctl import threadpool_limits

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.schema import encode, to_table
from bcannot_core.episodes.shards import SUFFIX, remove_leftovers, write_tables
from bcannot_core.episodes.specification import (
    ALL_AXES,
    GenerateSpec,
    Mixture,
    Orientation,
    Source,
    Specification,
    episode_seed,
    generate_episode,
)
from bcannot_core.errors import DatasetError, UsageError

__all__ = [
    "ALL_AXES",
    "GenerateSpec",
    "Mixture",
    "Orientation",
    "Source",
    "episode_seed",
    "generate_episode",
    "generate_episodes",
]

Progress = Callable[[int, int], None]

SHARD_EPISODES = 512
_BATCH = 16
_AHEAD = 4
_AHEAD_ELSEWHERE = 256


def generate_episodes(
    spec: Specification,
    n: int,
    seed: int,
    out: Path | str,
    *,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> int:
    """Generate episodes into a dataset.

    Parameters
    ----------
    spec : GenerateSpec or Mixture
        What to generate.
    n : int
        How many episodes.
    seed : int
        The same seed gives the same episodes, and on the same machine the same bytes.
    out : path
        The dataset's folder. Shards of the same specification and seed that are there are kept,
        so that an interrupted run goes on.
    workers : int
        Processes; 1 works in this one.
    executor : Executor, optional
        Where to work instead, for example a dask cluster's ``client.get_executor()``.
    progress : callable, optional
        Called with the number of episodes that are there and of all.

    Returns
    -------
    int
        How many episodes were made now.

    Raises
    ------
    UsageError
        A number or the task cannot be.
    TaskError, VolumeError
        A volume cannot be read or has no neurite that is long enough.
    DatasetError
        The dataset cannot be written, or a worker died.
    """
    if n < 1 or workers < 1 or seed < 0:
        raise UsageError(f"cannot generate {n} episodes of seed {seed} with {workers} workers")
    spec.check()
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"cannot make dataset {out}: {error.strerror or error}") from error
    remove_leftovers(out)
    shards = _missing_shards(spec, n, seed, out)
    made, there = 0, n - sum(len(numbers) for numbers in shards.values())
    with ExitStack() as stack:
        ahead = _AHEAD * workers if executor is None else _AHEAD_ELSEWHERE
        if executor is None and workers > 1:
            if shards:
                spec.prepare()
            spawn = get_context("spawn")
            pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_leave_with_parent)
            executor = stack.enter_context(pool)
        todo = [batch for numbers in shards.values() for batch in _cut(numbers)]
        batches = stack.enter_context(closing(_in_order(spec, seed, todo, executor, ahead)))
        for path, numbers in shards.items():
            tables: list[pa.Table] = []
            for batch, table in zip(_cut(numbers), batches, strict=False):
                tables.append(table)
                made += len(batch)
                if progress is not None:
                    progress(there + made, n)
            write_tables(path, tables)
    return made


def count_others(specs: Sequence[Specification], n: int, seed: int, out: Path) -> int:
    """Return how many episodes a dataset has beside the first ``n`` of specifications."""
    asked = {path: len(of) for spec in specs for path, of in _shards(spec, n, seed, out).items()}
    there = (path for path in out.glob(f"*{SUFFIX}") if not path.name.startswith("."))
    return sum(max(0, _rows(path) - asked.get(path, 0)) for path in there)


def _shards(spec: Specification, n: int, seed: int, out: Path) -> dict[Path, range]:
    """Return the shards of episodes, with the numbers of those."""
    name = f"{spec.name}-{spec.digest(seed)}"
    return {
        out / f"{name}-{first:07d}{SUFFIX}": range(first, min(first + SHARD_EPISODES, n))
        for first in range(0, n, SHARD_EPISODES)
    }


def _missing_shards(spec: Specification, n: int, seed: int, out: Path) -> dict[Path, range]:
    shards = _shards(spec, n, seed, out)
    return {path: numbers for path, numbers in shards.items() if _rows(path) < len(numbers)}


def _rows(path: Path) -> int:
    """Return how many episodes a shard has; 0 where it is missing or damaged."""
    if not path.exists():
        return 0
    try:
        return len(open_dataset(path))
    except DatasetError:
        return 0


def _cut(numbers: range) -> list[range]:
    return [numbers[i : i + _BATCH] for i in range(0, len(numbers), _BATCH)]


def _in_order(
    spec: Specification,
    seed: int,
    batches: Sequence[range],
    executor: Executor | None,
    ahead: int,
) -> Generator[pa.Table, None, None]:
    """Yield the batches' tables, made some ahead by the executor."""
    if executor is None:
        yield from (_table(spec, seed, numbers) for numbers in batches)
        return
    coming = iter(batches)
    waiting: deque[Future[bytes]] = deque()
    try:
        while True:
            while len(waiting) < ahead and (batch := next(coming, None)) is not None:
                waiting.append(executor.submit(generate_batch, spec, seed, batch))
            if not waiting:
                return
            with pa.ipc.open_stream(waiting.popleft().result()) as stream:
                yield stream.read_all()
    except lost_workers() as error:
        raise DatasetError(
            "a worker died, perhaps for want of memory: use fewer, or give them more; whole shards "
            "are kept"
        ) from error
    finally:
        for future in waiting:
            future.cancel()


def _leave_with_parent() -> None:
    """Let a worker end with the process that started it, rather than wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches every process: end without a word
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def lost_workers() -> tuple[type[Exception], ...]:
    """Return what a worker that is gone raises; dask has errors of its own, where it is in use."""
    distributed = sys.modules.get("distributed")
    dask = () if distributed is None else (distributed.KilledWorker,)
    return (BrokenExecutor, CancelledError, *dask)


def _table(spec: Specification, seed: int, numbers: range) -> pa.Table:
    """Make episodes in one thread: worlds are small, and every other core has a worker."""
    with threadpool_limits(1):
        return to_table([encode(_episode(spec, seed, number)) for number in numbers])


def _episode(spec: Specification, seed: int, number: int) -> Episode:
    """Make an episode; what goes wrong gets a note of which one it was."""
    try:
        return spec.episode(episode_seed(seed, number))
    except Exception as error:
        error.add_note(f"in episode {number} of {spec.name}, seed {episode_seed(seed, number)}")
        raise


def generate_batch(spec: Specification, seed: int, numbers: range) -> bytes:
    """Return episodes by their numbers as an Arrow stream; what a worker process does."""
    table = _table(spec, seed, numbers)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body
