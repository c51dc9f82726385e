"""First stage: the glance network follows neurites, on states that it gets into itself."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bcannot_core.policy.glance import GlanceNet, GlanceOutput, click_log_prob
from bcannot_core.policy.precision import autocast
from bcannot_core.training.blocks import BlockStream
from bcannot_core.training.lanes import Lane, Target
from bcannot_core.training.optim import Optimizer
from bcannot_core.training.recipe import GlanceRecipe
from bcannot_core.training.tissue import Block, Tissue

CLICK_SIGMA = 2.0
ABSENT_WEIGHT = 3.0
_FIRST_BLOCKS = 3
GUIDED_LEAST = 0.1

Progress = Callable[[dict[str, Any]], None]


def glance_losses(output: GlanceOutput, targets: Sequence[Target]) -> dict[str, Tensor]:
    """Return the losses of a batch: mask, overlap, click, presence, confidence and affinities.

    ``total`` is their sum.
    """
    device = output.belief.device
    mask = torch.from_numpy(np.stack([t.mask for t in targets])).to(device, torch.float32)
    weight = torch.from_numpy(np.stack([t.weight for t in targets])).to(device, torch.float32)
    present = torch.tensor([float(t.present) for t in targets], device=device)
    known = torch.tensor([float(t.click_yx is not None) for t in targets], device=device)
    where = torch.tensor([t.click_yx or (0, 0) for t in targets], device=device)
    cross = F.binary_cross_entropy_with_logits(output.belief, mask, reduction="none")
    belief = torch.sigmoid(output.belief) * weight
    shared = (belief * mask).sum((1, 2))
    overlap = 1 - (2 * shared + 20) / (belief.sum((1, 2)) + mask.sum((1, 2)) + 20)
    wanted = bell(where, mask)
    spread = -(wanted * F.log_softmax(output.heat.flatten(1), 1).view_as(mask)).sum((1, 2))
    losses = {
        "mask": 4 * (cross * weight).mean(),
        "overlap": (overlap * present).mean(),
        "click": 0.25 * (spread * known).sum() / known.sum().clamp(min=1),
        "present": 0.3
        * F.binary_cross_entropy_with_logits(
            output.present, present, weight=1 + (ABSENT_WEIGHT - 1) * (1 - present)
        ),
        "sure": 0.1 * F.binary_cross_entropy_with_logits(output.sure, _hits(output, mask)),
        "affinity": 0.5
        * F.binary_cross_entropy_with_logits(
            output.affinities,
            torch.from_numpy(np.stack([t.affinities for t in targets])).to(device, torch.float32),
        ),
    }
    return {**losses, "total": torch.stack(list(losses.values())).sum()}


@torch.no_grad()
def _hits(output: GlanceOutput, mask: Tensor) -> Tensor:
    """Return for every glance whether the most probable click is on the object."""
    best = click_log_prob(output).flatten(1).argmax(1, keepdim=True)
    return mask.flatten(1).gather(1, best)[:, 0]


def bell(where_yx: Tensor, mask: Tensor) -> Tensor:
    """Return a normal distribution around each point, inside the mask."""
    line = torch.arange(mask.shape[1], device=mask.device)
    rows = torch.exp(-((line - where_yx[:, :1]) ** 2) / (2 * CLICK_SIGMA**2))
    columns = torch.exp(-((line - where_yx[:, 1:]) ** 2) / (2 * CLICK_SIGMA**2))
    bell = rows[:, :, None] * columns[:, None, :] * mask
    return bell / (bell.sum((1, 2), keepdim=True) + 1e-6)


class GlanceStage:
    """Lanes, blocks, network and optimizer of the first stage.

    Parameters
    ----------
    net : GlanceNet
        What is trained; its device is used.
    tissues : sequence of Tissue
        Where neurites are followed.
    recipe : GlanceRecipe
        What to do.
    seed : int
        Seed of everything drawn.
    workers : int
        Processes that cut blocks.
    """

    name = "glance"

    def __init__(
        self,
        net: GlanceNet,
        tissues: Sequence[Tissue],
        recipe: GlanceRecipe,
        seed: int,
        workers: int,
    ) -> None:
        self.net, self.recipe = net, recipe
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = next(net.parameters()).device
        self.optimizer = Optimizer(net, recipe.optimizer, recipe.updates)
        self.update = 0
        self._blocks = BlockStream(tissues, seed, recipe.augmentation, workers)
        seeds = np.random.SeedSequence((seed, 1)).spawn(recipe.lanes + 1)
        self._rng = np.random.default_rng(seeds[-1])
        self._lanes = [Lane(net.config, np.random.default_rng(s), recipe.ends) for s in seeds[:-1]]
        self._pool: list[tuple[int, Block]] = []
        self._made = 0

    def run(self, progress: Progress, until: float | None = None) -> bool:
        """Train until the last update or a time; return whether the stage is complete.

        Parameters
        ----------
        progress : callable
            Is given the losses of every update.
        until : float, optional
            ``time.monotonic()`` at which to stop.
        """
        self._fill()
        while self.update < self.recipe.updates:
            progress({"stage": self.name, "update": self.update, **self._one_update()})
            self.update += 1
            if until is not None and time.monotonic() >= until:
                break  # after one update at least, so that every call gets on
        return self.update >= self.recipe.updates

    def close(self) -> None:
        """Stop the workers."""
        self._blocks.close()

    def _fill(self) -> None:
        """Take the first blocks and start the lanes; the pool grows to its size later."""
        if self._pool:
            return
        for _ in range(min(self.recipe.pool, _FIRST_BLOCKS)):
            self._take_block()
        for lane in self._lanes:
            self._restart(lane)

    def _take_block(self) -> None:
        """Take the next block of the stream into the pool, in place of the oldest."""
        entry = (self._made, self._blocks.next())
        self._made += 1
        self._pool.append(entry)
        del self._pool[: -self.recipe.pool]

    def _restart(self, lane: Lane) -> None:
        block_id, block = self._pool[self._rng.integers(len(self._pool))]
        lane.start(block, block_id)

    def _one_update(self) -> dict[str, float]:
        size = self.net.config.size
        lanes = self._drawn()
        inputs = np.zeros((len(lanes), self.net.config.inputs, size, size), np.float32)
        for lane, out in zip(lanes, inputs, strict=True):
            lane.inputs(out)
        targets = [lane.target() for lane in lanes]
        batch = torch.from_numpy(inputs).to(self.device)
        self.net.train()
        with autocast(self.device):
            output = self.net(batch.contiguous(memory_format=torch.channels_last))
        losses = glance_losses(output, targets)
        norm = self.optimizer.step(losses["total"], self.update)
        hits = self._advance(lanes, output, targets)
        if (self.update + 1) % self.recipe.refresh == 0:
            self._take_block()
        found = {name: round(float(value.detach()), 5) for name, value in losses.items()}
        return {**found, "on_target": hits, "gradient": round(norm, 4)}

    def _drawn(self) -> list[Lane]:
        """Return the lanes that take the next step: neighbours in time are too much alike."""
        batch = min(self.recipe.batch, len(self._lanes))
        chosen = self._rng.permutation(len(self._lanes))[:batch]
        return [self._lanes[i] for i in chosen]

    def _advance(
        self, lanes: Sequence[Lane], output: GlanceOutput, targets: Sequence[Target]
    ) -> float:
        """Move every lane on by what the network said; return the share of clicks on target."""
        with torch.no_grad():
            best = click_log_prob(output).flatten(1).argmax(1).cpu().numpy()
            belief = torch.sigmoid(output.belief).cpu().numpy()
        hits = []
        guided = max(GUIDED_LEAST, 1 - self.update / max(1, self.recipe.guided))
        for i, (lane, target) in enumerate(zip(lanes, targets, strict=True)):
            y, x = divmod(int(best[i]), self.net.config.size)
            if target.present:
                hits.append(bool(target.mask[y, x]))
            if not lane.advance(belief[i], (y, x), target, guided):
                self._restart(lane)
        return round(float(np.mean(hits)), 4) if hits else 0.0

    # -- kept in checkpoints -----------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return everything that the next update depends on."""
        values: dict[str, Any] = {
            "update": self.update,
            "made": self._made,
            "pool": [block_id for block_id, _ in self._pool],
            "rng": self._rng.bit_generator.state,
            "lanes": [],
        }
        tensors = self.optimizer.tensors()
        for i, lane in enumerate(self._lanes):
            plain, arrays = lane.state()
            values["lanes"].append(plain)
            tensors |= {f"lane.{i}.{name}": torch.from_numpy(a) for name, a in arrays.items()}
        return values, tensors

    def restore(self, values: Mapping[str, Any], tensors: dict[str, Tensor]) -> None:
        """Continue from what :meth:`state` returned; the blocks in use are made again."""
        self.optimizer.restore(tensors)
        self.update, self._made = int(values["update"]), int(values["made"])
        wanted = set(values["pool"]) | {plain["block_id"] for plain in values["lanes"]}
        blocks = {block_id: self._blocks.at(block_id) for block_id in sorted(wanted)}
        self._pool = [(block_id, blocks[block_id]) for block_id in values["pool"]]
        self._blocks.seek(self._made)
        for i, (lane, plain) in enumerate(zip(self._lanes, values["lanes"], strict=True)):
            prefix = f"lane.{i}."
            arrays = {
                name.removeprefix(prefix): t.numpy()
                for name, t in tensors.items()
                if name.startswith(prefix)
            }
            lane.restore(plain, arrays, blocks[plain["block_id"]])
        self._rng.bit_generator.state = values["rng"]
