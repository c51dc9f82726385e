"""Learning from lessons: half of every batch is the person's tissue, half what was learned before.

Without the second half the policy would forget; both go through the network together, so that its
normalisation serves both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bcannot_core.policy.glance import GlanceNet, GlanceOutput, click_log_prob
from bcannot_core.training.blocks import make_block
from bcannot_core.training.follower import Follower
from bcannot_core.training.glance_stage import glance_losses
from bcannot_core.training.lanes import Lane
from bcannot_core.training.lesson_lanes import LessonLane, is_near, varied
from bcannot_core.training.lesson_losses import lesson_losses
from bcannot_core.training.lessons import Lesson
from bcannot_core.training.optim import Optimizer
from bcannot_core.training.recipe import OptimizerRecipe
from bcannot_core.training.tissue import Augmentation, Block, Tissue

_ENDS = 0.25
_GUIDED = 0.1


@dataclass(frozen=True)
class LearnRecipe:
    """How a policy learns from a person's sessions.

    Attributes
    ----------
    seed : int
        Seed of everything drawn.
    updates : int
        Optimizer updates.
    lessons, rehearsal : int
        Glances of an update: at the person's tissue, and at tissue with labels as before.
    lanes : int
        Neurites followed at the same time, of either kind.
    pool, refresh : int
        Lessons and blocks in use, and updates after which one of each is replaced.
    near_corrections : float
        Share of lessons that begin shortly before a correction.
    corrected_weight : float
        How much more a section counts in which a person put the policy right.
    held_out : float
        Share of the sessions that are kept apart, to score the policy on.
    """

    seed: int = 0
    updates: int = 700
    lessons: int = 16
    rehearsal: int = 16
    lanes: int = 64
    pool: int = 24
    refresh: int = 6
    near_corrections: float = 0.4
    corrected_weight: float = 3.0
    held_out: float = 0.2
    optimizer: OptimizerRecipe = field(
        default_factory=lambda: OptimizerRecipe(rate=5e-4, warm_up=30, average=0.99)
    )
    augmentation: Augmentation = field(default_factory=Augmentation)


class LessonStage:
    """Lanes through lessons and through labelled tissue, network and optimizer.

    Parameters
    ----------
    net : GlanceNet
        What is trained; its device is used.
    lessons : sequence of Lesson
        What to learn.
    tissues : sequence of Tissue
        What not to forget.
    recipe : LearnRecipe
        How.
    """

    name = "learning"

    def __init__(
        self,
        net: GlanceNet,
        lessons: Sequence[Lesson],
        tissues: Sequence[Tissue],
        recipe: LearnRecipe,
    ) -> None:
        self.net, self.recipe = net, recipe
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = next(net.parameters()).device
        self.optimizer = Optimizer(net, recipe.optimizer, recipe.updates)
        self.teacher = GlanceNet(net.config)
        self.teacher.load_state_dict(self.optimizer.average, assign=True)
        self.teacher.eval().requires_grad_(False)
        self.update = 0
        self._lessons, self._tissues = list(lessons), list(tissues)
        seeds = np.random.SeedSequence((recipe.seed, 7)).spawn(2 * recipe.lanes + 1)
        self._rng = np.random.default_rng(seeds[0])
        draws = [np.random.default_rng(s) for s in seeds[1:]]
        self._pool: list[Lesson] = []
        self._blocks: list[Block] = []
        self._made = 0
        self._learning = [LessonLane(net.config, rng) for rng in draws[: recipe.lanes]]
        self._rehearsing = [Lane(net.config, rng, _ENDS) for rng in draws[recipe.lanes :]]
        if not tissues:
            self._rehearsing = []

    def fill(self) -> None:
        """Make the first lessons and blocks, and start the lanes."""
        for _ in range(min(self.recipe.pool, 2 * len(self._lessons))):
            self._take_lesson()
        for _ in range(min(self.recipe.pool, 2 * len(self._tissues))):
            self._take_block()
        for learning in self._learning:
            self._restart(learning)
        for rehearsing in self._rehearsing:
            self._restart(rehearsing)

    def _take_lesson(self) -> None:
        """Take another view of a lesson into the pool; those with corrections come more often."""
        weights = np.array([len(x.marks) + 10.0 * x.corrections for x in self._lessons])
        chosen = self._lessons[self._rng.choice(len(weights), p=weights / weights.sum())]
        self._pool = [*self._pool, varied(chosen, self._rng)][-self.recipe.pool :]

    def _take_block(self) -> None:
        block = make_block(self._tissues, self.recipe.seed, self._made, self.recipe.augmentation)
        self._made += 1
        self._blocks = [*self._blocks, block][-self.recipe.pool :]

    def _restart(self, lane: "LessonLane | Lane") -> None:
        if isinstance(lane, LessonLane):
            lesson = self._pool[self._rng.integers(len(self._pool))]
            lane.start(lesson, self.recipe.near_corrections)
        else:
            i = int(self._rng.integers(len(self._blocks)))
            lane.start(self._blocks[i], i)

    def one_update(self, done: float | None = None) -> dict[str, float]:
        """Make one update; return its losses.

        Parameters
        ----------
        done : float, optional
            How much has been done, 0 to 1, where time counts rather than the number of updates.
        """
        learning = self._drawn(self._learning, self.recipe.lessons)
        rehearsing = self._drawn(self._rehearsing, self.recipe.rehearsal)
        batch = self._seen([*learning, *rehearsing])
        count = len(learning)
        hints, targets = [x.hint() for x in learning], [x.target() for x in rehearsing]
        beliefs = self._taught(batch[:count])
        self.net.train()
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.net(batch)
        ours, theirs = _split(output, count)
        losses = lesson_losses(ours, hints, beliefs, self.recipe.corrected_weight)
        entry = {"lessons": float(losses["total"].detach())}
        total = losses["total"]
        if targets:
            kept = glance_losses(theirs, targets)["total"]
            entry["rehearsal"] = float(kept.detach())
            total = total + kept
        place = self.update if done is None else max(self.update, int(done * self.recipe.updates))
        norm = self.optimizer.step(total, place)
        clicks, believed = _answers(output, self.net.config.size)
        for lane, hint, click, belief in zip(learning, hints, clicks, believed, strict=False):
            if not lane.advance(belief, click, hint):
                self._restart(lane)
        rest = zip(rehearsing, targets, clicks[count:], believed[count:], strict=True)
        for old, target, click, belief in rest:
            if not old.advance(belief, click, target, _GUIDED):
                self._restart(old)
        self.update += 1
        self._refresh()
        asked = [is_near(c, h) for c, h in zip(clicks, hints, strict=False) if h.node is not None]
        entry |= {"total": float(total.detach()), "gradient": norm}
        entry["right"] = float(np.mean(asked)) if asked else 0.0
        return {name: round(value, 5) for name, value in entry.items()}

    def _refresh(self) -> None:
        """Now and then replace the oldest lesson and the oldest block."""
        every = self.recipe.refresh
        if self.update % every == 0:
            self._take_lesson()
        if self._tissues and self.update % (2 * every) == 0:
            self._take_block()

    def _drawn(self, lanes: "Sequence[Any]", count: int) -> list[Any]:
        """Return the lanes that take the next step: neighbours in time are too much alike."""
        return [lanes[i] for i in self._rng.permutation(len(lanes))[:count]]

    def _seen(self, lanes: Sequence[Follower]) -> Tensor:
        size = self.net.config.size
        inputs = np.zeros((len(lanes), self.net.config.inputs, size, size), np.float32)
        for lane, out in zip(lanes, inputs, strict=True):
            lane.inputs(out)
        batch = torch.from_numpy(inputs).to(self.device)
        return batch.contiguous(memory_format=torch.channels_last)

    def _taught(self, batch: Tensor) -> NDArray[np.float32]:
        """Return what the average of the networks so far believes."""
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16):
            belief = self.teacher(batch).belief
        found: NDArray[np.float32] = torch.sigmoid(belief).cpu().numpy()
        return found

    # -- kept in checkpoints -----------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return weights, optimizer and update; the lanes begin anew where it goes on."""
        return {"update": self.update, "made": self._made}, self.optimizer.tensors()

    def restore(self, values: Mapping[str, Any], tensors: dict[str, Tensor]) -> None:
        """Continue from what :meth:`state` returned, on lanes drawn anew."""
        self.optimizer.restore(tensors)
        self.update, self._made = int(values["update"]), int(values["made"])
        self._rng = np.random.default_rng((self.recipe.seed, 8, self.update))


def _split(output: GlanceOutput, count: int) -> tuple[GlanceOutput, GlanceOutput]:
    return GlanceOutput(*(t[:count] for t in output)), GlanceOutput(*(t[count:] for t in output))


@torch.no_grad()
def _answers(output: GlanceOutput, size: int) -> tuple[list[tuple[int, int]], NDArray[np.float32]]:
    """Return the most probable clicks (y, x) and the beliefs of a batch."""
    best = click_log_prob(output).flatten(1).argmax(1).cpu().numpy()
    clicks = [divmod(int(b), size) for b in best]
    return clicks, torch.sigmoid(output.belief).cpu().numpy()
