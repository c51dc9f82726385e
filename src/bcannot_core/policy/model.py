"""The policy network: frame encoder, block-causal transformer, click head. Depends on torch alone.

A step is a block of tokens ``[cls] frame… patch glance`` followed by one click token. Attention is
bidirectional inside a block and causal across steps; time enters as rotary positions, which are
relative, so that a cache of keys and values can slide. From the ``[cls]`` output come

* the *gate*: does the click go where the glance says, or anywhere else on the screen,
* the *pointer*: a query compared with features of every 8 × 8 px cell of the frame.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bcannot_core.policy.config import PolicyConfig
from bcannot_core.policy.retina import SUMMARY

CELL = 8
_POINTER = 32
_FRAME_GRID = 4
_HARMONICS = 8


class StepInputs(NamedTuple):
    """What the network sees of (n, t) steps.

    ``coarse`` (n, t, 3, h, w) and ``patch`` (n, t, 3, p, p) in 0…1,
    ``summary`` (n, t, s) of the glimpse, ``clicks`` (n, t, 2) in 0…1 of the frame's size.
    """

    coarse: Tensor
    patch: Tensor
    summary: Tensor
    clicks: Tensor


class ClickLogits(NamedTuple):
    """``gate`` (n, t) logits of clicking where the glance says, ``pointer`` (n, t, cells)."""

    gate: Tensor
    pointer: Tensor


def grid_shape(config: PolicyConfig) -> tuple[int, int]:
    """Return rows and columns of the pointer's cells."""
    width, height = config.frame_wh
    return -(-height // CELL), -(-width // CELL)


class FrameEncoder(nn.Module):
    """Convolutions on the coarse frame: 4 × 4 tokens, and features for every pointer cell."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.rows, self.columns = grid_shape(config)
        self.cell1 = nn.Sequential(
            nn.Conv2d(3, 24, 3, stride=CELL // config.coarse, padding=1),
            nn.BatchNorm2d(24),
            nn.ReLU(inplace=True),
            nn.Conv2d(24, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
        )
        self.cells = nn.Conv2d(32, _POINTER, 1)
        self.down = nn.Sequential(
            nn.Conv2d(32, 48, 3, stride=2, padding=1),
            nn.BatchNorm2d(48),
            nn.ReLU(inplace=True),
            nn.Conv2d(48, 96, 3, stride=2, padding=1),
            nn.BatchNorm2d(96),
            nn.ReLU(inplace=True),
            nn.Conv2d(96, config.width, 3, stride=2, padding=1),
            nn.AdaptiveAvgPool2d(_FRAME_GRID),
        )
        self.place = nn.Parameter(torch.randn(_FRAME_GRID**2, config.width) * 0.02)

    def forward(self, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, 3, h, w) to tokens (n, 16, width) and cell features (n, cells, 32)."""
        x = self.cell1(coarse.contiguous(memory_format=torch.channels_last))
        cells = self.cells(x)
        missing = (0, self.columns - cells.shape[3], 0, self.rows - cells.shape[2])
        cells = F.pad(cells, missing)[:, :, : self.rows, : self.columns]
        tokens = self.down(x).flatten(2).transpose(1, 2) + self.place
        return tokens, cells.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head attention with rotary time positions and an optional cache."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Tensor, rotation: Tensor, mask: Tensor, cache: "LayerCache | None"
    ) -> Tensor:
        """Map (n, tokens, width) to the same; ``mask`` (tokens, keys) is True where allowed."""
        n, count, width = x.shape
        q, k, v = self.qkv(x).view(n, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, rotation), rotate(k, rotation)
        if cache is not None:
            k, v = cache.extended(k, v)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mixed: Tensor = self.out(y.transpose(1, 2).reshape(n, count, width))
        return mixed


def rotation_table(times: Tensor, head_width: int) -> Tensor:
    """Return (2, tokens, head_width / 2) cosines and sines of the steps' times."""
    half = head_width // 2
    speed = 100.0 ** (-torch.arange(half, dtype=torch.float32, device=times.device) / half)
    angles = times.to(torch.float32)[:, None] * speed
    return torch.stack((angles.cos(), angles.sin()))


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Apply rotary positions to (n, heads, tokens, head_width)."""
    cos, sin = rotation
    a, b = x.float().chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1).to(x.dtype)


@dataclass
class LayerCache:
    """Keys and values of the steps a layer looks back on."""

    keys: Tensor | None = None
    values: Tensor | None = None

    def extended(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append and return all keys and values."""
        if self.keys is not None and self.values is not None:
            k, v = torch.cat((self.keys, k), dim=2), torch.cat((self.values, v), dim=2)
        self.keys, self.values = k, v
        return k, v

    def forget(self, keep: int) -> None:
        """Keep only the newest ``keep`` tokens."""
        if self.keys is not None and self.values is not None and self.keys.shape[2] > keep:
            self.keys, self.values = self.keys[:, :, -keep:], self.values[:, :, -keep:]


class Block(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, x: Tensor, rotation: Tensor, mask: Tensor, cache: LayerCache | None
    ) -> Tensor:
        """Map (n, tokens, width) to the same."""
        x = x + self.attention(self.norm1(x), rotation, mask, cache)
        mixed: Tensor = x + self.mlp(self.norm2(x))
        return mixed


class StepTransformer(nn.Module):
    """Everything of the policy but the glance network.

    Parameters
    ----------
    config : PolicyConfig
        Its size.
    """

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.frame = FrameEncoder(config)
        self.patch = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(32 * (config.patch // 8) ** 2, width),
        )
        self.summary = nn.Sequential(nn.Linear(SUMMARY, width), nn.GELU(), nn.Linear(width, width))
        self.click = nn.Linear(4 * _HARMONICS, width)
        self.kinds = nn.Parameter(torch.randn(4, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, 1)
        self.query = nn.Linear(width, _POINTER)

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one step, its click included."""
        return _FRAME_GRID**2 + 4

    def embed(self, inputs: StepInputs) -> tuple[Tensor, Tensor, Tensor]:
        """Return block tokens (n, t, 19, width), clicks (n, t, width), cells (n, t, c, 32)."""
        n, t = inputs.coarse.shape[:2]
        frame, cells = self.frame(inputs.coarse.flatten(0, 1))
        patch = self.patch(inputs.patch.flatten(0, 1)) + self.kinds[1]
        glimpse = self.summary(inputs.summary).flatten(0, 1)
        cls = (self.kinds[0] + glimpse + patch)[:, None]
        block = torch.cat((cls, frame, patch[:, None], (glimpse + self.kinds[2])[:, None]), dim=1)
        clicks = self.embed_clicks(inputs.clicks)
        block, cells = (x.reshape(n, t, *x.shape[1:]) for x in (block, cells))
        return block, clicks, cells

    def embed_clicks(self, clicks: Tensor) -> Tensor:
        """Map (..., 2) clicks in 0…1 to tokens (..., width)."""
        scale = 2.0 ** torch.arange(_HARMONICS, device=clicks.device) * torch.pi
        angles = clicks[..., None] * scale
        waves = torch.cat((angles.sin(), angles.cos()), dim=-1).flatten(-2)
        token: Tensor = self.click(waves) + self.kinds[3]
        return token

    def forward(self, inputs: StepInputs) -> ClickLogits:
        """Map whole windows (n, t) to the logits of every step's click."""
        block, clicks, cells = self.embed(inputs)
        n, t = block.shape[:2]
        x = torch.cat((block, clicks[:, :, None]), dim=2).flatten(1, 2)
        times = torch.arange(t, device=x.device).repeat_interleave(self.tokens_per_step)
        mask = block_causal_mask(t, self.tokens_per_step, self.config.context).to(x.device)
        x = self.transform(x, times, mask, None)
        return self.head(x.reshape(n, t, -1, x.shape[2])[:, :, 0], cells)

    def transform(
        self, x: Tensor, times: Tensor, mask: Tensor, caches: list[LayerCache] | None
    ) -> Tensor:
        """Run the layers on (n, tokens, width); returns the normed output."""
        rotation = rotation_table(times, self.config.width // self.config.heads)
        for i, block in enumerate(self.blocks):
            x = block(x, rotation, mask, caches[i] if caches else None)
        normed: Tensor = self.norm(x)
        return normed

    def head(self, cls: Tensor, cells: Tensor) -> ClickLogits:
        """Map (n, t, width) and (n, t, cells, 32) to logits."""
        pointer = torch.einsum("ntq,ntcq->ntc", self.query(cls), cells) * _POINTER**-0.5
        return ClickLogits(self.gate(cls)[..., 0].float(), pointer.float())


def block_causal_mask(steps: int, per_step: int, context: int) -> Tensor:
    """Return (tokens, tokens), True where attention is allowed.

    Block tokens see their own block and earlier steps; a click token sees its own step as well;
    nothing sees the click of its own step or steps further back than ``context``.
    """
    step = torch.arange(steps).repeat_interleave(per_step)
    is_click = torch.arange(steps * per_step) % per_step == per_step - 1
    age = step[:, None] - step[None, :]
    own = (age == 0) & (~is_click[None, :] | is_click[:, None])
    return own | ((age > 0) & (age < context))


def pointer_log_prob(logits: ClickLogits) -> Tensor:
    """Return (n, t, cells) log probabilities of the cell, given that the pointer decides."""
    return F.log_softmax(logits.pointer, dim=-1)


def cells_in(rects: Tensor, config: PolicyConfig) -> Tensor:
    """Return which cells (..., cells) lie wholly in rectangles (..., 4) of the frame.

    Rectangles are left, top, right, bottom, the latter two exclusive. A rectangle that holds no
    whole cell gets the cell of its left top corner.
    """
    rows, columns = grid_shape(config)
    first, last = -(-rects[..., :2] // CELL), rects[..., 2:] // CELL
    none = (last <= first).any(-1, keepdim=True)
    first = torch.where(none, rects[..., :2] // CELL, first)
    last = torch.where(none, first + 1, last)
    x, y = torch.arange(columns), torch.arange(rows)
    in_x = (x >= first[..., :1]) & (x < last[..., :1])
    in_y = (y >= first[..., 1:]) & (y < last[..., 1:])
    return (in_y[..., :, None] & in_x[..., None, :]).flatten(-2)
