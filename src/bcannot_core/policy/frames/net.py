"""The frames policy's network: encoder, transformer over steps, click head. Torch alone."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from bcannot_core.policy.frames.attention import (
    Backend,
    rotation,
    window_attend,
    window_places,
)
from bcannot_core.policy.frames.clicks import ClickDistribution
from bcannot_core.policy.frames.config import CELL, FramesConfig
from bcannot_core.policy.frames.encoders import ConvEncoder, Encoded, Memory
from bcannot_core.policy.frames.heads import make_head
from bcannot_core.policy.frames.transformer import StepsTransformer
from bcannot_core.policy.frames.vit import VitEncoder

_HARMONICS = 10


class FramesNet(nn.Module):
    """Everything of a frames policy that is learnt.

    Parameters
    ----------
    config : FramesConfig
        Its sizes.
    """

    family: ClassVar[str] = "frames"

    def __init__(self, config: FramesConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.backend: Backend = "auto"
        self.encoder = make_encoder(config)
        self.places = nn.Parameter(torch.randn(math.prod(config.tokens_hw), width) * 0.02)
        self.cls = nn.Parameter(torch.randn(width) * 0.02)
        self.token_norm = nn.LayerNorm(width)
        self.click = nn.Linear(4 * _HARMONICS, width)
        self.clicked = nn.Linear(config.features, width)
        self.transformer = StepsTransformer(width, config.layers, config.heads)
        self.head = make_head(config)

    def forward(
        self,
        frames: Tensor,
        clicks: Tensor,
        targets: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> ClickDistribution:
        """Map whole windows to the distributions of their clicks.

        Parameters
        ----------
        frames : Tensor
            (n, t, height, width, 3), uint8.
        clicks : Tensor
            (n, t, 2), x and y in pixels: what was clicked on each frame; seen by later steps.
        targets : Tensor, optional
            (n, t, 4) rectangles: in training the pointer looks near them; no step's probabilities
            are told what they are otherwise.
        noise : Tensor, optional
            (n, t, 2) in 0…1: where exactly that look is taken; drawn if not given.
        """
        encoded = self.encode(frames)
        cls = self.read(encoded, clicks)[:, :, 0]
        click: ClickDistribution = self.head(cls, encoded.cells, frames, targets, noise)
        return click

    def cls_stream(self, frames: Tensor, clicks: Tensor) -> Tensor:
        """Return the residual stream at [cls] before each layer and at the end.

        Returns
        -------
        Tensor
            (n, t, layers + 1, width), float32.
        """
        seen: list[Tensor] = []
        self.read(self.encode(frames), clicks, seen)
        per_step = self.config.tokens_per_step
        return torch.stack([x[:, ::per_step].float() for x in seen], 2)

    # Parts, which streaming shares --------------------------------------------------------------

    def encode(self, frames: Tensor, memory: Memory | None = None) -> Encoded:
        """Map (n, t, h, w, 3) to tokens (n, t, k, width) and cells (n, t, c, rows, columns)."""
        encoded: Encoded = self.encoder(frames, memory)
        return encoded

    def block_tokens(self, tokens: Tensor) -> Tensor:
        """Map a frame's tokens (n, t, k, width) to its block (n, t, 1 + k, width)."""
        frame = self.token_norm(tokens) + self.places
        cls = self.cls.to(frame.dtype).expand(*frame.shape[:2], 1, -1)
        return torch.cat((cls, frame), 2)

    def click_tokens(self, clicks: Tensor, cells: Tensor) -> Tensor:
        """Map clicks (n, t, 2) and the cells of their frames to tokens (n, t, width)."""
        length = 4.0 * 2.0 ** torch.arange(_HARMONICS, device=clicks.device)
        angles = 2 * math.pi * clicks.float()[..., None] / length
        waves = torch.cat((angles.sin(), angles.cos()), -1).flatten(-2)
        rows, columns = cells.shape[-2:]
        x, y = clicks.div(CELL, rounding_mode="floor").unbind(-1)
        index = (y.clamp(0, rows - 1) * columns + x.clamp(0, columns - 1))[..., None, None]
        if self.config.head == "pointer":  # which teaches them; spares a sum over all cells
            cells = cells.detach()
        by_place = cells.permute(0, 1, 3, 4, 2).flatten(2, 3)
        there = by_place.gather(2, index.expand(-1, -1, 1, cells.shape[2]))[:, :, 0]
        token: Tensor = self.click(waves) + self.clicked(there)
        return token

    def read(self, encoded: Encoded, clicks: Tensor, seen: list[Tensor] | None = None) -> Tensor:
        """Return the transformer's output (n, t, tokens per step, width)."""
        block = self.block_tokens(encoded.tokens)
        last = self.click_tokens(clicks, encoded.cells)[:, :, None].to(block.dtype)
        x = torch.cat((block, last), 2)
        n, t, per_step, width = x.shape
        places = window_places(t, per_step, x.device)
        turn = rotation(places.step, self.transformer.head_width)
        attend = window_attend(places, self.config.context, self.backend)
        out: Tensor = self.transformer(x.flatten(1, 2), turn, attend, seen)
        return out.view(n, t, per_step, width)


def make_encoder(config: FramesConfig) -> ConvEncoder | VitEncoder:
    """Return the encoder that a configuration asks for."""
    return VitEncoder(config) if config.encoder.kind == "vit" else ConvEncoder(config)
