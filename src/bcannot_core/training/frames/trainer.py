"""The training loop of frames policies: windows in, updates out, the same ones after any stop."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from bcannot_core.errors import UsageError
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.precision import autocast
from bcannot_core.training.frames.cutting import Cutter, Row, numbered
from bcannot_core.training.frames.distributed import World, spread, syncing
from bcannot_core.training.frames.feed import DeviceBatch, feed
from bcannot_core.training.frames.optim import FramesOptimizer, whole
from bcannot_core.training.frames.preparing import prepare, rate_scales
from bcannot_core.training.frames.recipe import FramesRecipe
from bcannot_core.training.frames.tally import Tally
from bcannot_core.training.frames.windows import WindowSource

Progress = Callable[[dict[str, Any]], None]

STAGE = "frames"

_Part = tuple[Tensor, Tensor, tuple[Row, ...]]


class Trainer:
    """A network, its optimizer and the windows it learns from.

    An update is divided into parts: the recipe's micro-batches, or more where there are more
    processes. Every part follows from the number of its update and its own, and the gradient is
    that of the weighted mean over all of them, so that neither stops nor the number of processes
    change what is learnt.

    Parameters
    ----------
    net : FramesNet
        What is trained, on the world's device.
    recipe : FramesRecipe
        How.
    cutter : Cutter
        What windows follow from.
    world : World
        The processes that take part.
    workers : int
        Processes of this one that draw windows.
    parallel : str
        ``"ddp"`` or ``"fsdp"``.

    Raises
    ------
    UsageError
        The windows of an update cannot be divided among the processes.
    """

    def __init__(
        self,
        net: FramesNet,
        recipe: FramesRecipe,
        cutter: Cutter,
        world: World,
        *,
        workers: int = 0,
        parallel: str = "ddp",
    ) -> None:
        self.net, self.recipe, self.world = net, recipe, world
        self.parts = math.lcm(recipe.accumulate, world.size)
        if recipe.windows % self.parts:
            raise UsageError(
                f"recipe.windows is {recipe.windows}: {world.size} processes with "
                f"recipe.accumulate {recipe.accumulate} need a multiple of {self.parts}"
            )
        if parallel == "fsdp" and world.size > 1 and recipe.optimizer.name == "muon":
            raise UsageError("Muon needs whole matrices: choose adamw, or ddp in place of fsdp")
        self.update = 0
        prepare(net, recipe, world.device)
        self._model = spread(net, world, parallel)
        scales = rate_scales(net, recipe.optimizer)
        self.optimizer = FramesOptimizer(net, recipe.optimizer, recipe.updates, scales)
        self.source = WindowSource(cutter, recipe.windows // self.parts, workers)
        self._batches: Iterator[DeviceBatch] | None = None

    def run(self, progress: Progress, until: float | None = None) -> bool:
        """Train until the last update or a time; return whether training is complete."""
        self.net.train()
        late = False
        while self.update < self.recipe.updates and not late:
            began = time.monotonic()
            entry, late = self._one_update(until)
            entry["seconds"] = round(time.monotonic() - began, 3)
            progress({"stage": STAGE, "update": self.update, **entry})
            self.update += 1
        return self.update >= self.recipe.updates

    def close(self) -> None:
        """Stop the workers."""
        self._batches = None
        self.source.close()

    def _numbers(self) -> Iterator[Sequence[int]]:
        for update in range(self.update, self.recipe.updates):
            for part in self._own_parts():
                yield numbered(update, self.recipe.windows, part, self.parts)

    def _own_parts(self) -> range:
        return range(self.world.rank, self.parts, self.world.size)

    def _one_update(self, until: float | None) -> tuple[dict[str, Any], bool]:
        if self._batches is None:
            self._batches = feed(self.source, self._numbers(), self.world.device)
        own, parts, weight = self._own_parts(), list[_Part](), 0.0
        for part in own:
            torch.manual_seed(hash((self.recipe.seed, self.update, part)) & 0x7FFF_FFFF)
            batch = next(self._batches)
            weight += batch.weight
            with syncing(self._model, wanted=part == own[-1]):
                parts.append(self._backward(batch))
        # gradients are means over the processes of sums over windows
        total = max(sum(self.world.gather(weight)), 1e-6)
        norm = self.optimizer.step(self.update, self.world.size * self._unit / total)
        tally = Tally()
        for losses, weights, rows in parts:  # waits for the device, which has its work until now
            tally.add(losses, weights, rows)
        late = until is not None and time.monotonic() >= until
        told = self.world.gather((tally.plain(), late))
        entry = Tally.of(plain for plain, _ in told).entry()
        return {**entry, "gradient": round(float(norm), 4)}, any(is_late for _, is_late in told)

    @property
    def _unit(self) -> float:
        """What sums of losses are divided by to be numbers of a usual size."""
        return float(self.recipe.windows * self.recipe.steps)

    def _backward(self, batch: DeviceBatch) -> _Part:
        """Add a batch's gradients; return its losses and weights (windows, steps)."""
        with autocast(self.world.device, self.recipe.low_precision):
            found = self._model(batch.frames, batch.clicks, batch.rects, batch.noise)
            losses = -found.target_log_prob(batch.rects)
        losses = torch.where(batch.weights > 0, losses, 0.0)
        mean: Tensor = (losses * batch.weights).sum() / self._unit
        mean.backward()  # type: ignore[no-untyped-call]
        return losses.detach(), batch.weights, batch.rows

    # -- kept in checkpoints -----------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that the next update depends on: those in use, not copies."""
        return self.optimizer.tensors()

    def restore(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from an update and what :meth:`tensors` returned then."""
        self.optimizer.restore(tensors)
        self.update = int(values["update"])

    def averaged(self) -> dict[str, Tensor]:
        """Return the averaged weights in full, on the CPU; every process must ask."""
        return {name: whole(t).cpu() for name, t in self.optimizer.average.items()}
