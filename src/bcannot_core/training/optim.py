"""Optimizer, learning rate and running average: what both stages share."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bcannot_core.training.recipe import OptimizerRecipe


class Optimizer:
    """AdamW with its schedule, gradient clipping, and the running average of the weights.

    Parameters
    ----------
    net : nn.Module
        What is trained.
    recipe : OptimizerRecipe
        Rates.
    updates : int
        How many updates there will be.
    """

    def __init__(self, net: nn.Module, recipe: OptimizerRecipe, updates: int) -> None:
        self.net, self.recipe, self.updates = net, recipe, updates
        matrices = [p for p in net.parameters() if p.ndim > 1]
        vectors = [p for p in net.parameters() if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": recipe.decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.99))
        self.average = {name: t.detach().clone() for name, t in net.state_dict().items()}

    def rate(self, update: int) -> float:
        """Return the learning rate of an update, counted from 0."""
        warm = min(1.0, (update + 1) / max(1, self.recipe.warm_up))
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, update / max(1, self.updates))))
        return self.recipe.rate * warm * max(fall, 0.01)

    def step(self, loss: Tensor, update: int) -> float:
        """Update the weights and their average; return the norm of the gradient."""
        for group in self.adamw.param_groups:
            group["lr"] = self.rate(update)
        self.adamw.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip)
        self.adamw.step()
        keep = min(self.recipe.average, (1 + update) / (10 + update))
        with torch.no_grad():
            for name, tensor in self.net.state_dict().items():
                if tensor.dtype.is_floating_point:
                    self.average[name].lerp_(tensor, 1 - keep)
                else:
                    self.average[name].copy_(tensor)
        return float(norm)

    # -- kept in checkpoints -----------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, average and moments by name."""
        found = {f"net.{name}": t for name, t in self.net.state_dict().items()}
        found |= {f"average.{name}": t for name, t in self.average.items()}
        for i, values in self.adamw.state_dict()["state"].items():
            found |= {f"adamw.{i}.{name}": torch.as_tensor(t) for name, t in values.items()}
        return found

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue from what :meth:`tensors` returned."""
        self.net.load_state_dict(dict(_under("net.", tensors)))
        for name, tensor in _under("average.", tensors):
            self.average[name].copy_(tensor)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("adamw.", tensors):
            i, _, key = name.partition(".")
            moments.setdefault(int(i), {})[key] = tensor
        described = self.adamw.state_dict()
        self.adamw.load_state_dict({**described, "state": moments})


def _under(prefix: str, tensors: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), tensor
