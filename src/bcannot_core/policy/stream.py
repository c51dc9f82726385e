"""Streaming inference: one step at a time, with cached keys and values that slide."""

import torch
from torch import Tensor

from bcannot_core.policy.model import ClickLogits, LayerCache, StepInputs, StepTransformer
from bcannot_core.policy.precision import autocast


class TransformerStream:
    """The transformer's side of one session.

    A step costs the same whatever came before: keys and values of the newest ``context`` steps are
    kept. Within one context the outputs equal those of the whole window.

    Parameters
    ----------
    net : StepTransformer
        The network, in evaluation mode.
    """

    def __init__(self, net: StepTransformer) -> None:
        self.net = net
        self._caches = [LayerCache() for _ in net.blocks]
        self._cached = 0
        self._time = -1
        self._click: Tensor | None = None

    @torch.inference_mode()
    def look(self, inputs: StepInputs) -> ClickLogits:
        """Take in one step (n = t = 1) and return the logits of its click."""
        net = self.net
        device = inputs.coarse.device
        with autocast(device):
            block, _, cells = net.embed(inputs)
            tokens = block[:, 0]
            self._time += 1
            times = torch.full((tokens.shape[1],), self._time, device=device)
            leading = 0
            if self._click is not None:
                tokens = torch.cat((net.embed_clicks(self._click)[:, None], tokens), dim=1)
                times = torch.cat((times[:1] - 1, times))
                leading = 1
            mask = self._mask(tokens.shape[1], leading, device)
            x = net.transform(tokens, times, mask, self._caches)
            logits = net.head(x[:, None, leading], cells)
        self._slide(tokens.shape[1])
        self._click = None
        return logits

    def click(self, scaled_xy: Tensor) -> None:
        """Take in the click of the last step, (1, 2) in 0…1 of the frame's size."""
        self._click = scaled_xy

    def _mask(self, count: int, leading: int, device: torch.device) -> Tensor:
        """Let the last click see the cache; the block sees less far back, but that click."""
        keys = self._cached + count
        mask = torch.ones(count, keys, dtype=torch.bool, device=device)
        if leading:
            mask[0, self._cached + 1 :] = False
            per_step, context = self.net.tokens_per_step, self.net.config.context
            too_old = max(0, self._cached + 1 - (context - 1) * per_step)
            mask[1:, :too_old] = False
        return mask

    def _slide(self, added: int) -> None:
        """Drop the steps that no later token looks back on."""
        per_step, context = self.net.tokens_per_step, self.net.config.context
        keep = context * per_step - 1
        for cache in self._caches:
            cache.forget(keep)
        self._cached = min(self._cached + added, keep)
