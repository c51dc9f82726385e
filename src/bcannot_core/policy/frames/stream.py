"""Streaming: several sessions in lockstep, one step at a time, with a sliding cache."""

import torch
from torch import Tensor

from bcannot_core.policy.frames.attention import Place, allowed, attend, rotation
from bcannot_core.policy.frames.clicks import ClickDistribution
from bcannot_core.policy.frames.encoders import Memory
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.precision import autocast


class FramesStream:
    """The network's side of ``n`` sessions that step together.

    Keys and values of the newest ``context`` steps are kept, so that a step costs the same
    whatever came before; the outputs equal those of the whole window. A frame that follows
    without a click takes the place of the one before.

    Parameters
    ----------
    net : FramesNet
        The network, in evaluation mode.
    n : int
        Sessions.
    low_precision : bool, optional
        Compute in bfloat16 where that suffices; by default where the device has it.
    """

    def __init__(self, net: FramesNet, n: int = 1, *, low_precision: bool | None = None) -> None:
        self.net, self.n, self.low_precision = net, n, low_precision
        self._device = next(net.parameters()).device
        self._slots = net.config.context + 1
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._steps = torch.full((self._slots,), -1, device=self._device)
        self._clicked = torch.zeros(n, self._slots, dtype=torch.bool, device=self._device)
        self._began = torch.zeros(n, dtype=torch.long, device=self._device)
        self._time = 0
        self._advance = False
        self._memory = Memory()
        self._cells: Tensor | None = None
        self._last: Tensor | None = None
        self._next: Tensor | None = None

    def reset(self, row: int | None = None) -> None:
        """Begin new sessions in a row, or in all, with the next frame."""
        rows = slice(None) if row is None else row
        self._began[rows] = self._time + 1
        self._advance = True

    @torch.inference_mode()
    def look(self, frames: Tensor, alive: Tensor | None = None) -> ClickDistribution:
        """Take in the next frames and return the distributions of their clicks.

        Parameters
        ----------
        frames : Tensor
            (n, height, width, 3), uint8.
        alive : Tensor, optional
            (n,) bool: rows that are not are not encoded, and their distributions mean nothing.
        """
        if self._advance:
            self._time += 1
            self._last, self._next, self._advance = self._next, None, False
        with autocast(self._device, self.low_precision):
            tokens, self._cells = self._encode(frames, alive)
            x = self.net.block_tokens(tokens)[:, 0]
            if self._last is not None:
                x = torch.cat((self._last[:, None].to(x.dtype), x), 1)
            cls = self._transform(x, leading=int(self._last is not None))
            click: ClickDistribution = self.net.head(cls[:, None], self._cells, frames[:, None])
        return click

    @torch.inference_mode()
    def click(self, clicks: Tensor, rows: Tensor | None = None) -> None:
        """Take in the clicks (n, 2) made on the last frames, in all rows or where True."""
        if self._cells is None:
            return
        with autocast(self._device, self.low_precision):
            self._next = self.net.click_tokens(clicks[:, None], self._cells)[:, 0]
        made = torch.ones_like(self._clicked[:, 0]) if rows is None else rows
        self._clicked[:, self._time % self._slots] = made
        self._advance = True

    def _encode(self, frames: Tensor, alive: Tensor | None) -> tuple[Tensor, Tensor]:
        if alive is None or bool(alive.all()):
            encoded = self.net.encode(frames[:, None], self._memory)
            return encoded.tokens, encoded.cells
        self._memory = Memory()
        encoded = self.net.encode(frames[alive][:, None])
        tokens, cells = (
            part.new_zeros(self.n, *part.shape[1:]).index_copy(0, alive.nonzero()[:, 0], part)
            for part in (encoded.tokens, encoded.cells)
        )
        return tokens, cells

    def _transform(self, x: Tensor, leading: int) -> Tensor:
        """Run the layers on (n, tokens, width), perhaps led by the last clicks; returns [cls]."""
        per_step = self.net.config.tokens_per_step
        slot = self._time % self._slots
        self._steps[slot] = self._time
        self._clicked[:, slot] = False
        where = torch.arange(per_step - 1, device=self._device) + slot * per_step
        steps = torch.full((x.shape[1],), self._time, device=self._device)
        if leading:
            before = (self._time - 1) % self._slots
            where = torch.cat((where.new_tensor([before * per_step + per_step - 1]), where))
            steps[0] -= 1
        is_click = torch.arange(x.shape[1], device=self._device) < leading
        mask = self._mask(Place(steps, is_click), where)

        def attend_to_cache(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = self._cache(layer, k, v)
            keys[:, :, where], values[:, :, where] = k, v.to(values.dtype)
            return attend(q, keys, values, mask, self.net.backend)

        turn = rotation(steps, self.net.transformer.head_width)
        out: Tensor = self.net.transformer(x, turn, attend_to_cache)
        return out[:, leading]

    def _mask(self, queries: Place, where: Tensor) -> Tensor:
        """Return (n, 1, queries, keys): what may be seen of the cache, and always itself."""
        per_step = self.net.config.tokens_per_step
        keys = Place(
            self._steps.repeat_interleave(per_step),
            torch.arange(self._slots * per_step, device=self._device) % per_step == per_step - 1,
        )
        live = (self._steps >= self._began[:, None]) & (self._steps >= 0)
        present = torch.stack([live] * (per_step - 1) + [live & self._clicked], -1).flatten(1)
        mask = allowed(queries, keys, self.net.config.context) & present[:, None]
        itself = torch.arange(keys.step.shape[0], device=self._device) == where[:, None]
        return (mask | itself)[:, None]

    def _cache(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if layer == len(self._keys):
            n, heads, _, width = k.shape
            size = (n, heads, self._slots * self.net.config.tokens_per_step, width)
            self._keys.append(k.new_zeros(size))
            self._values.append(v.new_zeros(size))
        return self._keys[layer], self._values[layer]
