"""How fast windows are made and learnt from: whether data keep up with training."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.training.frames.cutting import Arrays, Cutter, numbered
from bcannot_core.training.frames.distributed import World
from bcannot_core.training.frames.recipe import FramesRecipe
from bcannot_core.training.frames.sources import make_source
from bcannot_core.training.frames.trainer import Trainer
from bcannot_core.training.frames.windows import Batch, WindowSource

_WARM_UP = 3


def bench_windows(
    recipe: FramesRecipe, datasets: Sequence[Path] = (), *, batches: int = 40, workers: int = 1
) -> dict[str, Any]:
    """Measure how fast windows are made, without anybody learning from them.

    Parameters
    ----------
    recipe : FramesRecipe
        Which windows.
    datasets : sequence of Path
        Episodes to cut them from; without any the recipe's tasks are done live.
    batches : int
        How many batches to time, after a few that are not.
    workers : int
        Processes that draw; 0 draws here.

    Returns
    -------
    dict
        ``windows_per_s``, ``frames_per_s`` (those of padding left out), ``workers``.
    """
    cutter, windows = Cutter.of_recipe(recipe, make_source(datasets, recipe.data)), recipe.windows
    warm = 4
    with WindowSource(cutter, windows, workers) as source:
        coming = source.batches(numbered(u, windows, 0, 1) for u in range(warm + batches))
        for _ in range(warm):
            next(coming)
        began = time.perf_counter()
        frames = sum(len(row.actions) for batch in coming for row in batch.rows)
        seconds = time.perf_counter() - began
    return {
        "windows_per_s": batches * windows / seconds,
        "frames_per_s": frames / seconds,
        "workers": workers,
    }


def bench_training(
    recipe: FramesRecipe,
    datasets: Sequence[Path] = (),
    *,
    updates: int = 20,
    device: torch.device | None = None,
    workers: int = 1,
) -> dict[str, Any]:
    """Measure updates on windows drawn as training goes on, and on the same ones drawn before.

    They must be the same ones: an update takes as long as its frames have tiles that changed. The
    clock runs once every lane has a session: to begin one takes longer than to go on with it.

    Parameters
    ----------
    recipe : FramesRecipe
        What is trained.
    datasets : sequence of Path
        As above.
    updates : int
        How many to time, after a few that are not; so many batches are kept in memory.
    device : torch.device, optional
        Where; the CPU by default.
    workers : int
        Processes that draw.

    Returns
    -------
    dict
        ``updates_per_s``, ``updates_per_s_cached`` (mean of a run before and one after),
        ``ratio``, ``frames_per_s`` (those of padding left out) and ``parameters``.
    """
    world = World(device or torch.device("cpu"))
    cutter = Cutter.of_recipe(recipe, make_source(datasets, recipe.data))
    opening = cutter.lanes // recipe.windows
    recipe = replace(recipe, updates=opening + _WARM_UP + updates)
    runs = [_timed(recipe, cutter, world, updates, drawing) for drawing in (None, workers, None)]
    before, live, after = (updates / run.seconds for run in runs)
    cached = (before + after) / 2
    return {
        "updates_per_s": live,
        "updates_per_s_cached": cached,
        "ratio": live / cached,
        "frames_per_s": runs[0].frames / runs[1].seconds,
        "parameters": sum(p.numel() for p in FramesNet(recipe.config).parameters()),
        "workers": workers,
    }


class _Timed(NamedTuple):
    """How long updates took, and how many frames they had; 0 where that was not counted."""

    seconds: float
    frames: int


def _timed(
    recipe: FramesRecipe, cutter: Cutter, world: World, updates: int, workers: int | None
) -> _Timed:
    """Time the last updates; with None for workers, on windows drawn before."""
    torch.manual_seed(0)
    net = FramesNet(recipe.config).to(world.device)
    trainer = Trainer(net, recipe, cutter, world, workers=workers or 0)
    drawn = _DrawnBefore(trainer.source)
    if workers is None:
        trainer.update = recipe.updates - updates - _WARM_UP
        trainer.source = drawn
    ends: list[float] = []
    try:
        trainer.run(lambda _entry: ends.append(time.perf_counter()))
    finally:
        trainer.close()
    return _Timed(ends[-1] - ends[-1 - updates], sum(drawn.frames[-updates * trainer.parts :]))


class _DrawnBefore(WindowSource):
    """Draws all batches before it gives the first."""

    def __init__(self, source: WindowSource) -> None:
        self.cutter, self.windows, self.slots = source.cutter, source.windows, source.slots
        self.frames: list[int] = []  # of each batch
        self._source = source

    def batches(self, numbers: Iterable[Sequence[int]]) -> Iterator[Batch]:
        kept = [_kept(batch) for batch in self._source.batches(numbers)]
        self.frames = [sum(len(row.actions) for row in batch.rows) for batch in kept]
        yield from kept

    def close(self) -> None:
        self._source.close()


def _kept(batch: Batch) -> Batch:
    """Return a batch whose arrays nobody draws on again."""
    copies = {field.name: getattr(batch.arrays, field.name).copy() for field in fields(Arrays)}
    return replace(batch, arrays=Arrays(**copies))
