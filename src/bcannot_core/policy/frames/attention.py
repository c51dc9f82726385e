"""Block-causal attention over steps ``[cls] frame… click``, with rotary relative times.

Tokens of a frame see each other and earlier steps; a click sees its own step as well; nothing sees
the click of its own step, a later step, or a step as far back as the context.
"""

import math
from collections.abc import Callable
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Backend = Literal["auto", "flex", "sdpa", "matmul", "plain"]

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(layer, queries, keys, values) -> outputs: with a window's mask, or a cache of earlier steps."""

_SLOWEST = 100.0
_PARTS = 4
_INNER = range(1, _PARTS)


class Place(NamedTuple):
    """Where tokens stand: their ``step`` (tokens,) and whether they are a ``click`` (tokens,)."""

    step: Tensor
    click: Tensor


def window_places(steps: int, per_step: int, device: torch.device | None = None) -> Place:
    """Return the places of a whole window; the last token of a step is its click."""
    index = torch.arange(steps * per_step, device=device)
    return Place(index // per_step, index % per_step == per_step - 1)


def allowed(queries: Place, keys: Place, context: int) -> Tensor:
    """Return (queries, keys), True where a query may see a key."""
    age = queries.step[:, None] - keys.step[None, :]
    own = (age == 0) & (~keys.click[None, :] | queries.click[:, None])
    return own | ((age > 0) & (age < context))


class Rotation(NamedTuple):
    """Cosines and sines (tokens, head_width / 2) of the steps' times."""

    cos: Tensor
    sin: Tensor


def rotation(steps: Tensor, head_width: int) -> Rotation:
    """Return the rotary angles of steps (tokens,)."""
    half = head_width // 2
    speed = _SLOWEST ** (-torch.arange(half, dtype=torch.float32, device=steps.device) / half)
    angles = steps.to(torch.float32)[:, None] * speed
    return Rotation(angles.cos(), angles.sin())


def rotate(x: Tensor, turn: Rotation) -> Tensor:
    """Apply rotary times to (n, heads, tokens, head_width)."""
    cos, sin = turn.cos.to(x.dtype), turn.sin.to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


def plain_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Return attention written out, in float32: the reference of the fast ones."""
    scores = q.float() @ k.float().transpose(-1, -2) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    return (weights @ v.float()).to(v.dtype)


def matmul_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Return attention in the inputs' precision: on a processor its gradient is the fastest."""
    hidden = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, -torch.inf)
    hidden = hidden.expand(*q.shape[:3], hidden.shape[-1]).flatten(0, 1)
    scores = torch.baddbmm(
        hidden, q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), alpha=q.shape[-1] ** -0.5
    )
    return (torch.softmax(scores, -1) @ v.flatten(0, 1)).view(*v.shape[:2], *q.shape[2:])


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, backend: Backend = "auto") -> Tensor:
    """Map (n, heads, tokens, d) queries, keys and values to outputs, where the mask is True."""
    if backend == "plain":
        return plain_attention(q, k, v, mask)
    if backend == "matmul" or (backend == "auto" and q.device.type == "cpu"):
        return matmul_attention(q, k, v, mask)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def window_attend(places: Place, context: int, backend: Backend) -> Attend:
    """Return the attention of whole windows, with its mask made once for all layers."""
    if backend == "flex":
        attend_flex = flex_attend(places, context)
        return lambda _, q, k, v: attend_flex(q, k, v)
    mask = allowed(places, places, context)
    if backend == "auto" and mask.device.type == "cpu":
        ends = _ends(places)
        return lambda _, q, k, v: _in_parts(q, k, v, mask, ends)
    return lambda _, q, k, v: attend(q, k, v, mask, backend)


def _ends(places: Place) -> list[int]:
    """Return where to part the tokens, between steps, into up to as many as ``_PARTS``."""
    starts = (places.step.diff() != 0).nonzero()[:, 0].add(1).tolist()
    count = len(places.step)
    near = [min(starts, key=lambda s: abs(s - count * i / _PARTS), default=count) for i in _INNER]
    return sorted({*near, count})


def _in_parts(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, ends: list[int]) -> Tensor:
    """Attend part by part, leaving out the keys of later steps."""
    parts = [
        matmul_attention(q[:, :, a:b], k[:, :, :b], v[:, :, :b], mask[a:b, :b])
        for a, b in pairwise([0, *ends])
    ]
    return torch.cat(parts, 2)


def flex_attend(places: Place, context: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return FlexAttention over a window, which skips what the mask leaves empty.

    It is compiled on a GPU, and meant for one; elsewhere it runs uncompiled, slowly.
    """
    flex: Any = import_module("torch.nn.attention.flex_attention")  # costs a second or two
    step, click = places

    def seen(_b: Tensor, _h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        age = step[query] - step[key]
        own = (age == 0) & (~click[key] | click[query])
        return own | ((age > 0) & (age < context))

    count, device = len(step), step.device
    blocks = flex.create_block_mask(seen, None, None, count, count, device=str(device))
    run = _compiled(flex.flex_attention) if device.type == "cuda" else flex.flex_attention
    return lambda q, k, v: run(q, k, v, block_mask=blocks)


@cache
def _compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    compiled: Callable[..., Tensor] = torch.compile(function, dynamic=False)
    return compiled


class Attention(nn.Module):
    """Multi-head attention with normed, rotated queries and keys.

    Parameters
    ----------
    width, heads : int
        Size.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.ones(2, width // heads))

    def project(self, x: Tensor, turn: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """Map (n, tokens, width) to queries, keys and values (n, heads, tokens, d)."""
        n, count, _ = x.shape
        q, k, v = self.qkv(x).view(n, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q = F.rms_norm(q, q.shape[-1:], self.scale[0].to(q.dtype))
        k = F.rms_norm(k, k.shape[-1:], self.scale[1].to(k.dtype))
        return rotate(q, turn), rotate(k, turn), v

    def merge(self, y: Tensor) -> Tensor:
        """Map (n, heads, tokens, d) back to (n, tokens, width)."""
        mixed: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return mixed
