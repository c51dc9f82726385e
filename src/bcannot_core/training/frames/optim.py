"""The optimizers of frames policies behind one recipe, and the running average of the weights."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.training.frames.recipe import OptimRecipe

_NS_STEPS = 5


class FramesOptimizer:
    """AdamW, or Muon for matrices and kernels and AdamW for the rest; clipping; the average.

    All tensors that it keeps are there from the beginning and are changed in place, so that they
    can be read and restored at any time, sharded or not.

    Parameters
    ----------
    net : nn.Module
        What is trained.
    recipe : OptimRecipe
        Rates.
    updates : int
        How many updates there will be.
    scales : mapping of str to float, optional
        Factors on the rate by parameter name, 1 where there is none.

    Raises
    ------
    UsageError
        Muon is asked for and not in this version of torch.
    """

    def __init__(
        self,
        net: nn.Module,
        recipe: OptimRecipe,
        updates: int,
        scales: Mapping[str, float] | None = None,
    ) -> None:
        self.recipe, self.updates = recipe, updates
        self._named = {name: p for name, p in net.named_parameters() if p.requires_grad}
        muon = {n: p for n, p in self._named.items() if recipe.name == "muon" and _is_inner(n, p)}
        others = {n: p for n, p in self._named.items() if n not in muon}
        self._views = {name: p.detach().view(len(p), -1) for name, p in muon.items()}
        self._optimizers: list[tuple[torch.optim.Optimizer, Mapping[str, Tensor]]] = []
        scales = scales or {}
        groups = _groups(others, recipe.decay, scales)
        betas = (recipe.beta1, recipe.beta2)
        adamw = torch.optim.AdamW(groups, lr=recipe.rate, betas=betas, foreach=True)
        self._optimizers.append((adamw, others))
        if muon:
            groups = _groups(self._views, recipe.decay, scales)
            self._optimizers.append((_muon(groups, recipe), self._views))
        self._prime()
        self._weights = dict(net.state_dict())
        self.average = {name: t.detach().clone() for name, t in self._weights.items()}

    def rate(self, update: int) -> float:
        """Return the learning rate of an update, counted from 0.

        It rises along a line, stays, and falls along a cosine.
        """
        recipe, total = self.recipe, max(1, self.updates)
        warm = min(1.0, (update + 1) / max(1.0, recipe.warm_up * total))
        falls = max(1.0, recipe.cool_down * total)
        along = min(1.0, max(0.0, (update - (total - falls)) / falls))
        fall = 0.5 * (1 + math.cos(math.pi * along))
        return recipe.rate * warm * (recipe.lowest + (1 - recipe.lowest) * fall)

    def step(self, update: int, scale: float = 1.0) -> Tensor:
        """Update weights and average from the gradients, which are multiplied by ``scale`` first.

        Returns
        -------
        Tensor
            The norm of the gradient, before it was clipped.
        """
        gradients = [p.grad for p in self._named.values() if p.grad is not None]
        if gradients:
            torch._foreach_mul_(gradients, scale)
        norm = nn.utils.clip_grad_norm_(self._named.values(), self.recipe.clip)
        for name, view in self._views.items():
            grad = self._named[name].grad
            view.grad = None if grad is None else grad.reshape(view.shape)
        for optimizer, _ in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate(update) * group["scale"]
            optimizer.step()
        self._take_average(update)
        self.clear()
        return whole(norm)

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self._named.values():
            parameter.grad = None

    @torch.no_grad()
    def _take_average(self, update: int) -> None:
        keep = min(self.recipe.average, (1 + update) / (10 + update))
        for name, tensor in self._weights.items():
            if tensor.dtype.is_floating_point:
                self.average[name].lerp_(tensor, 1 - keep)
            else:
                self.average[name].copy_(tensor)

    def _prime(self) -> None:
        """Make the optimizers' tensors as their first step would, so that they are there."""
        for optimizer, named in self._optimizers:
            for parameter in named.values():
                state = optimizer.state[parameter]
                if isinstance(optimizer, torch.optim.AdamW):
                    state["step"] = torch.tensor(0.0)
                    state["exp_avg"] = torch.zeros_like(parameter)
                    state["exp_avg_sq"] = torch.zeros_like(parameter)
                else:
                    state["momentum_buffer"] = torch.zeros_like(parameter)

    # -- kept in checkpoints -----------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, average and moments by name: those in use, not copies."""
        return dict(self._tensors())

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in self._weights.items():
            yield f"net.{name}", tensor
        for name, tensor in self.average.items():
            yield f"average.{name}", tensor
        for optimizer, named in self._optimizers:
            for name, parameter in named.items():
                for key, tensor in optimizer.state[parameter].items():
                    yield f"optimizer.{name}.{key}", tensor

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what :meth:`tensors` returned.

        Raises
        ------
        CheckpointError
            They are those of another network or optimizer.
        """
        own = self.tensors()
        if set(own) != set(tensors) or any(own[n].shape != t.shape for n, t in tensors.items()):
            odd = sorted(set(own) ^ set(tensors))[:3] or ["other shapes"]
            raise CheckpointError(
                f"the state is not one of this run's network and optimizer ({', '.join(odd)} …)"
            )
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor in full where it is sharded; every process must ask."""
    full = getattr(tensor, "full_tensor", None)
    return tensor if full is None else full()


def _is_inner(name: str, parameter: Tensor) -> bool:
    """Whether a parameter maps features to features: no bias, embedding, or layer at an end."""
    ends = (
        "stem",
        "patch",
        "places",
        "registers",
        "click.",
        "head.x.",
        "head.y.",
        "place.",
        "fine.out.",
    )
    return parameter.ndim in (2, 4) and not any(end in name for end in ends)


def _groups(
    named: Mapping[str, Tensor], decay: float, scales: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return parameter groups, one for each decay and factor on the rate."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in named.items():
        key = (0.0 if parameter.ndim <= 1 else decay, scales.get(name, 1.0))
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": members, "weight_decay": kept, "scale": scale}
        for (kept, scale), members in groups.items()
    ]


def _muon(groups: list[dict[str, Any]], recipe: OptimRecipe) -> torch.optim.Optimizer:
    found = getattr(torch.optim, "Muon", None)
    if found is None:
        raise UsageError(
            f"torch {torch.__version__} has no Muon: update torch to 2.9, or choose adamw"
        )
    optimizer: torch.optim.Optimizer = found(
        groups,
        lr=recipe.rate,
        momentum=recipe.momentum,
        ns_steps=_NS_STEPS,
        adjust_lr_fn="match_rms_adamw",
    )
    return optimizer
