"""Generating episodes: scripted annotators at work on many worlds, in many processes.

An episode follows from the specification, the seed and its number alone, whatever the number of
workers. Shards are named after all three; those that are there already are not made again.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bcannot_core.annotators import Behaviour, make_annotator
from bcannot_core.episodes.dataset import open_dataset, write_shard
from bcannot_core.episodes.episode import Episode, to_json
from bcannot_core.episodes.worlds import episode_of, open_shared
from bcannot_core.errors import DatasetError, UsageError
from bcannot_core.session.session import Session
from bcannot_core.tasks.neurites import sample_neurites
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.registry import make_task, task_class
from bcannot_core.volumes import Region

Axes = tuple[int, int, int]
Progress = Callable[[int, int], None]
_Choice = TypeVar("_Choice")

ALL_AXES: tuple[Axes, ...] = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
"""Every slicing axis and both ways to lay out its sections; for isotropic volumes."""

SHARD_EPISODES = 512
_BATCH = 8
_AHEAD = 4


@dataclass(frozen=True)
class Source:
    """A labelled volume to trace in.

    Attributes
    ----------
    volume, labels : str
        Addresses of the grey values and of the ids; the same one where a file holds both.
    weight : float
        How often it is drawn, relative to the other sources.
    """

    volume: str
    labels: str
    weight: float = 1.0


@dataclass(frozen=True)
class Orientation:
    """How a source is turned before it is sliced; drawn anew for each episode.

    Attributes
    ----------
    axes : tuple
        Orders of the axes to draw from; the first of each is the slicing axis.
    flips : bool
        Whether each axis runs backwards half of the time.
    steps : tuple of int
        Every how many sections is one kept, to draw from.
    """

    axes: tuple[Axes, ...] = ((0, 1, 2), (0, 2, 1))
    flips: bool = True
    steps: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class GenerateSpec:
    """What to generate.

    Attributes
    ----------
    task : str
        Task id.
    config : mapping
        Options of the task; for ``neuron_tracing`` fields of ``TracingConfig``.
    variants : tuple of str
        Interface variants to draw from.
    behaviours : tuple
        Behaviours, or names of some, to draw from.
    sources : tuple of Source
        For ``neuron_tracing``: the volumes to draw from; its own generated tissue without any.
    orientation : Orientation
        How sources are turned.
    min_sections : int
        A neurite is traced where it goes on for so many sections, or to the volume's border.
    """

    task: str = "neuron_tracing"
    config: Mapping[str, Any] = field(default_factory=dict)
    variants: tuple[str, ...] = ("original",)
    behaviours: tuple[Behaviour | str, ...] = ("default",)
    sources: tuple[Source, ...] = ()
    orientation: Orientation = Orientation()
    min_sections: int = 20

    def digest(self, seed: int) -> str:
        """Return a short name of this specification with a seed."""
        text = to_json({"spec": asdict(self), "seed": seed})
        return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def generate_episodes(
    spec: GenerateSpec,
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
    spec : GenerateSpec
        What to generate.
    n : int
        How many episodes.
    seed : int
        The same seed gives the same episodes.
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
    task_class(spec.task)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"cannot make dataset {out}: {error.strerror or error}") from error
    firsts = range(0, n, SHARD_EPISODES)
    names = {
        first: out / f"{spec.task}-{spec.digest(seed)}-{first:07d}.parquet" for first in firsts
    }
    sizes = {first: min(SHARD_EPISODES, n - first) for first in firsts}
    missing = [first for first in firsts if _rows(names[first]) < sizes[first]]
    made, there = 0, n - sum(sizes[first] for first in missing)
    numbers = [i for first in missing for i in range(first, first + sizes[first])]
    with ExitStack() as stack:
        if executor is None and workers > 1:
            pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
            executor = stack.enter_context(pool)
        episodes = _in_order(spec, seed, numbers, executor, workers)
        for first in missing:
            shard: list[Episode] = []
            while len(shard) < sizes[first]:
                shard.append(next(episodes))
                made += 1
                if progress is not None:
                    progress(there + made, n)
            write_shard(names[first], shard)
    return made


def _rows(path: Path) -> int:
    """Return how many episodes a shard has; 0 where it is missing or damaged."""
    if not path.exists():
        return 0
    try:
        return len(open_dataset(path))
    except DatasetError:
        return 0


def _in_order(
    spec: GenerateSpec, seed: int, numbers: Sequence[int], executor: Executor | None, workers: int
) -> Iterator[Episode]:
    """Yield the episodes with these numbers, made a few batches ahead by the executor."""
    batches: Iterator[Sequence[int] | None] = iter(
        [numbers[i : i + _BATCH] for i in range(0, len(numbers), _BATCH)]
    )
    if executor is None:
        yield from (generate_episode(spec, episode_seed(seed, number)) for number in numbers)
        return
    waiting: deque[Future[list[Episode]]] = deque()
    try:
        while True:
            while len(waiting) < _AHEAD * workers:
                batch = next(batches, None)
                if batch is None:
                    break
                waiting.append(executor.submit(generate_batch, spec, seed, tuple(batch)))
            if not waiting:
                return
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DatasetError(
            "a worker process died, perhaps for want of memory: use fewer"
        ) from error
    finally:
        for future in waiting:
            future.cancel()


def episode_seed(seed: int, number: int) -> int:
    """Return the seed of one episode of a dataset's seed, 63 bits."""
    words = np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def generate_batch(spec: GenerateSpec, seed: int, numbers: Sequence[int]) -> list[Episode]:
    """Return several episodes by their numbers; what a worker process does."""
    return [generate_episode(spec, episode_seed(seed, number)) for number in numbers]


def generate_episode(spec: GenerateSpec, seed: int) -> Episode:
    """Let a scripted annotator do one episode.

    Parameters
    ----------
    spec : GenerateSpec
        What to generate.
    seed : int
        Decides the world, the interface, the behaviour and every click.

    Raises
    ------
    TaskError, VolumeError
        The world cannot be made.
    """
    rng = np.random.default_rng(seed)
    variant = _pick(rng, spec.variants)
    behaviour = _pick(rng, spec.behaviours)
    if spec.task == NeuronTracing.id and spec.sources:
        task: Any = _tracing(spec, variant, rng)
    else:
        task = make_task(spec.task, seed, variant=variant, **spec.config)
    session = Session(task)
    make_annotator(session, rng, behaviour).run()
    name = behaviour if isinstance(behaviour, str) else "custom"
    meta = {"behaviour": name, "success": bool(task.score(session.state)["success"])}
    return episode_of(session, meta, seed=seed)


def _tracing(spec: GenerateSpec, variant: str, rng: np.random.Generator) -> NeuronTracing:
    """Turn a source and draw a neurite in it."""
    weights = np.array([source.weight for source in spec.sources], dtype=float)
    if not (np.all(weights >= 0) and np.isfinite(weights).all() and weights.sum() > 0):
        raise UsageError(f"source weights {weights.tolist()} are not usable: give positive numbers")
    source = spec.sources[int(rng.choice(len(weights), p=weights / weights.sum()))]
    axes = _pick(rng, spec.orientation.axes)
    a, b, c = (bool(flip) for flip in rng.integers(2, size=3) * spec.orientation.flips)
    step = (_pick(rng, spec.orientation.steps), 1, 1)
    volume = Region(open_shared(source.volume), None, axes, (a, b, c), step)
    labels = Region(open_shared(source.labels, labels=True), None, axes, (a, b, c), step)
    config = TracingConfig(**{**spec.config, "variant": variant})
    sections = min(config.sections, volume.shape[0])
    path = next(
        sample_neurites(
            labels,
            rng,
            min_sections=min(spec.min_sections, sections),
            sections=sections,
            direction=config.direction,
        )
    )
    y, x = (float(v) for v in path.points_yx[0])
    return NeuronTracing(TracingWorld(volume, (path.z0, y, x), labels, path), config)


def _pick(rng: np.random.Generator, choices: Sequence[_Choice]) -> _Choice:
    if not choices:
        raise UsageError(
            "nothing to draw from: name at least one variant, behaviour, axis and step"
        )
    return choices[int(rng.integers(len(choices)))]
