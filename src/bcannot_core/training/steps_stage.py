"""Second stage: the transformer learns from sessions which click comes next."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bcannot_core.episodes.episode import Episode
from bcannot_core.errors import DatasetError
from bcannot_core.policy.model import ClickLogits, StepInputs, cells_in, pointer_log_prob
from bcannot_core.policy.network import PolicyNet
from bcannot_core.policy.precision import autocast
from bcannot_core.training.optim import Optimizer
from bcannot_core.training.recipe import StepsRecipe
from bcannot_core.training.rendering import RenderedEpisode, render_all, roll_out

_BLIND = 4
_CONTEXTS = 2
_RAREST = 8.0
_ENDS = 0.25

Progress = Callable[[dict[str, Any]], None]


class StepsStage:
    """Rendered episodes, network and optimizer of the second stage.

    Parameters
    ----------
    net : PolicyNet
        The policy; its glance network is not changed.
    episodes : sequence of Episode
        What to learn from.
    recipe : StepsRecipe
        What to do.
    seed : int
        Seed of everything drawn.
    workers : int
        Processes that render.
    """

    name = "steps"

    def __init__(
        self,
        net: PolicyNet,
        episodes: Sequence[Episode],
        recipe: StepsRecipe,
        seed: int,
        workers: int,
    ) -> None:
        self.net, self.recipe, self.seed = net, recipe, seed
        self.device = next(net.parameters()).device
        self.optimizer = Optimizer(net.steps, recipe.optimizer, recipe.updates)
        self.update = 0
        chosen = _spread(len(episodes), recipe.episodes)
        sessions = [episode for episode in (episodes[i] for i in chosen) if episode.clicks]
        rendered = render_all(sessions, net, workers)
        self.episodes = [episode for episode in rendered if len(episode)]
        labelled = [e for e in episodes if e.data is not None and e.data.labels is not None]
        anew = [labelled[i] for i in _spread(len(labelled), recipe.rollouts)]
        self.episodes += render_all(anew, net, workers, roll_out)
        if not self.episodes:
            raise DatasetError("the datasets hold no clicks to learn from")
        counts = Counter(action for episode in self.episodes for action in episode.actions)
        most = max(counts.values())
        self._weights = {a: min(_RAREST, (most / n) ** 0.5) for a, n in counts.items()}

    def run(self, progress: Progress, until: float | None = None) -> bool:
        """Train until the last update or a time; return whether the stage is complete."""
        self.net.steps.train()
        while self.update < self.recipe.updates:
            progress({"stage": self.name, "update": self.update, **self._one_update()})
            self.update += 1
            if until is not None and time.monotonic() >= until:
                break  # after one update at least, so that every call gets on
        return self.update >= self.recipe.updates

    def close(self) -> None:
        """Nothing to stop."""

    def _one_update(self) -> dict[str, Any]:
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, 2, self.update)))
        windows = [self._window(rng) for _ in range(self.recipe.windows)]
        inputs = self._inputs(windows)
        with autocast(self.device):
            logits = self.net.steps(inputs)
        losses, weights = self._losses(logits, windows)
        loss = (losses * weights).sum() / weights.sum().clamp(min=1)
        norm = self.optimizer.step(loss, self.update)
        by_action = _by_action(losses.detach().cpu(), weights.cpu(), windows)
        return {
            "total": round(float(loss.detach()), 5),
            "by_action": by_action,
            "gradient": round(norm, 4),
        }

    @property
    def _length(self) -> int:
        """Steps of a window: most of them look back on a whole context, as in a long session."""
        return _CONTEXTS * self.net.config.context

    def _window(self, rng: np.random.Generator) -> tuple[RenderedEpisode, int, int]:
        """Return an episode, a window's first step and its length; often near its end.

        The last step of an episode comes at any place in a window. If it always came at the end,
        the policy would learn to press Done as soon as its context is full.
        """
        episode = self.episodes[rng.integers(len(self.episodes))]
        length, seen = self._length, max(1, len(episode) - _BLIND)
        lowest = seen - length if rng.random() < _ENDS else -length // 2
        first = max(0, int(rng.integers(lowest, seen)))
        return episode, first, min(length, len(episode) - first)

    def _inputs(self, windows: Sequence[tuple[RenderedEpisode, int, int]]) -> StepInputs:
        length = self._length
        size = np.array(self.net.config.frame_wh, dtype=np.float32)

        def stacked(name: str) -> Tensor:
            parts = [getattr(e, name)[first : first + n] for e, first, n in windows]
            whole = np.zeros((len(parts), length, *parts[0].shape[1:]), dtype=parts[0].dtype)
            for row, part in zip(whole, parts, strict=True):
                row[: len(part)] = part
            return torch.from_numpy(whole).to(self.device)

        return StepInputs(
            coarse=stacked("coarse").permute(0, 1, 4, 2, 3).float() / 255,
            patch=stacked("patch").permute(0, 1, 4, 2, 3).float() / 255,
            summary=stacked("summary"),
            clicks=stacked("clicks") / torch.from_numpy(size).to(self.device),
        )

    def _losses(
        self, logits: ClickLogits, windows: Sequence[tuple[RenderedEpisode, int, int]]
    ) -> tuple[Tensor, Tensor]:
        """Return losses and weights (windows, steps).

        Where a button was hit, any of its cells will do: the loss is that of hitting it at all.
        """
        shape = logits.gate.shape
        rects = torch.zeros(*shape, 4, dtype=torch.long)
        near, weights = torch.zeros(shape), torch.zeros(shape)
        for i, (episode, first, n) in enumerate(windows):
            rects[i, :n] = torch.from_numpy(episode.rects[first : first + n])
            near[i, :n] = torch.from_numpy(episode.near[first : first + n]).float()
            for t in range(_BLIND if first else 0, n):
                if episode.wanted[first + t]:
                    weights[i, t] = self._weights[episode.actions[first + t]]
        near, weights = near.to(self.device), weights.to(self.device)
        gate = F.binary_cross_entropy_with_logits(logits.gate, near, reduction="none")
        allowed = cells_in(rects, self.net.config).to(self.device)
        hit = pointer_log_prob(logits).masked_fill(~allowed, -torch.inf)
        pointer = torch.where(near > 0, 0.0, -hit.logsumexp(-1))
        return gate + pointer, weights

    # -- kept in checkpoints -----------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return everything that the next update depends on, but the rendered episodes."""
        return {"update": self.update}, self.optimizer.tensors()

    def restore(self, values: Mapping[str, Any], tensors: dict[str, Tensor]) -> None:
        """Continue from what :meth:`state` returned."""
        self.optimizer.restore(tensors)
        self.update = int(values["update"])


def _spread(available: int, wanted: int) -> list[int]:
    """Return ``wanted`` indices spread evenly over what is available, all where it is less."""
    if available <= wanted:
        return list(range(available))
    return [int(i) for i in np.linspace(0, available - 1, wanted)]


def _by_action(
    losses: Tensor, weights: Tensor, windows: Sequence[tuple[RenderedEpisode, int, int]]
) -> dict[str, float]:
    sums: dict[str, float] = {}
    counts: Counter[str] = Counter()
    for i, (episode, first, n) in enumerate(windows):
        for t in range(n):
            if weights[i, t] > 0:
                action = episode.actions[first + t]
                sums[action] = sums.get(action, 0.0) + float(losses[i, t])
                counts[action] += 1
    return {action: round(sums[action] / counts[action], 4) for action in sorted(counts)}
