"""Learning from lessons: in every batch the person's tissue, and labelled tissue of other kinds.

Of the labelled tissue a part is as the policy knew it, lest it forget; another part is dressed in
the look of the person's. All go through the network together, so that its normalisation serves all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bcannot_core.policy.glance import GlanceNet, GlanceOutput, click_log_prob
from bcannot_core.policy.precision import autocast
from bcannot_core.training.blocks import make_block
from bcannot_core.training.dressing import dressing_of
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

_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class LearnRecipe:
    """How a policy learns from a person's sessions.

    Attributes
    ----------
    seed : int
        Seed of everything drawn.
    updates : int
        Optimizer updates.
    lessons, dressed, rehearsal : int
        Glances of an update: at the person's tissue, at labelled tissue dressed in its look, and at
        labelled tissue as it is.
    lanes : int
        Neurites followed at the same time, of each kind.
    pool, refresh : int
        Lessons and blocks in use, and updates after which one of each is replaced.
    near_corrections : float
        Share of lessons that begin shortly before a correction.
    corrected_weight : float
        How much more a section counts in which a person put the policy right.
    held_out : float
        Share of the sessions that are kept apart, to score the policy on.
    share : float
        Where the weights that are kept lie, between those of the policy it began with (0) and
        those learned (1). Between them much is gained and little forgotten.
    """

    seed: int = 0
    updates: int = 1400
    lessons: int = 10
    dressed: int = 8
    rehearsal: int = 16
    lanes: int = 48
    pool: int = 24
    refresh: int = 6
    near_corrections: float = 0.4
    corrected_weight: float = 3.0
    held_out: float = 0.2
    share: float = 0.5
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
        self._dressing = dressing_of(lessons)
        count = recipe.lanes
        seeds = np.random.SeedSequence((recipe.seed, 7)).spawn(3 * count + 1)
        self._rng = np.random.default_rng(seeds[0])
        draws = [np.random.default_rng(s) for s in seeds[1:]]
        self._pool: list[Lesson] = []
        self._plain: list[Block] = []
        self._dressed: list[Block] = []
        self._made = 0
        self._learning = [LessonLane(net.config, rng) for rng in draws[:count]]
        old = [Lane(net.config, rng, _ENDS) for rng in (draws[count:] if tissues else [])]
        self._rehearsing = [(lane, self._plain) for lane in old[:count]]
        self._rehearsing_dressed = [(lane, self._dressed) for lane in old[count:]]

    def fill(self) -> None:
        """Make the first lessons and blocks, and start the lanes."""
        for _ in range(min(self.recipe.pool, 2 * len(self._lessons))):
            self._take_lesson()
        for _ in self._tissues:
            self._take_block()
        for learning in self._learning:
            self._begin(learning)
        for lane, blocks in (*self._rehearsing, *self._rehearsing_dressed):
            self._restart(lane, blocks)

    def _take_lesson(self) -> None:
        """Take another view of a lesson into the pool; those with corrections come more often."""
        weights = np.array([len(x.marks) + 10.0 * x.corrections for x in self._lessons])
        chosen = self._lessons[self._rng.choice(len(weights), p=weights / weights.sum())]
        self._pool.append(varied(chosen, self._rng))
        del self._pool[: -self.recipe.pool]

    def _take_block(self) -> None:
        """Take another block into the pools, as it is and dressed."""
        block = make_block(self._tissues, self.recipe.seed, self._made, self.recipe.augmentation)
        self._made += 1
        self._plain.append(block)
        self._dressed.append(self._dressing.dressed(block, self._rng))
        for blocks in (self._plain, self._dressed):
            del blocks[: -self.recipe.pool // 2]

    def _begin(self, lane: LessonLane) -> None:
        lesson = self._pool[self._rng.integers(len(self._pool))]
        lane.start(lesson, self.recipe.near_corrections)

    def _restart(self, lane: Lane, blocks: Sequence[Block]) -> None:
        i = int(self._rng.integers(len(blocks)))
        lane.start(blocks[i], i)

    def one_update(self, done: float | None = None) -> dict[str, float]:
        """Make one update; return its losses.

        Parameters
        ----------
        done : float, optional
            How much has been done, 0 to 1, where time counts rather than the number of updates.
        """
        learning = self._drawn(self._learning, self.recipe.lessons)
        rehearsing = self._drawn(self._rehearsing, self.recipe.rehearsal)
        rehearsing += self._drawn(self._rehearsing_dressed, self.recipe.dressed)
        batch = self._seen([*learning, *(lane for lane, _ in rehearsing)])
        count = len(learning)
        hints, targets = [x.hint() for x in learning], [lane.target() for lane, _ in rehearsing]
        beliefs = self._taught(batch[:count])
        self.net.train()
        with autocast(self.device):
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
                self._begin(lane)
        rest = zip(rehearsing, targets, clicks[count:], believed[count:], strict=True)
        for (old, blocks), target, click, belief in rest:
            if not old.advance(belief, click, target, _GUIDED):
                self._restart(old, blocks)
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

    def _drawn(self, lanes: Sequence[_Kind], count: int) -> list[_Kind]:
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
        with torch.inference_mode(), autocast(self.device):
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
