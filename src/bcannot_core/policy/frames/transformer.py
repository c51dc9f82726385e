"""The transformer over steps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bcannot_core.policy.frames.attention import Attend, Attention, Rotation


class Block(nn.Module):
    """One pre-norm layer; its inner units are rectified and squared.

    Parameters
    ----------
    width, heads : int
        Size.
    layers : int
        How many there are: each adds less to the stream at first, the more there are.
    """

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.rise = nn.Linear(width, 4 * width)
        self.fall = nn.Linear(4 * width, width)
        for last in (self.attention.out, self.fall):
            nn.init.normal_(last.weight, std=0.02 / (2 * layers) ** 0.5)
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, turn: Rotation, layer: int, attend: Attend) -> Tensor:
        """Map (n, tokens, width) to the same."""
        q, k, v = self.attention.project(self.norm1(x), turn)
        x = x + self.attention.merge(attend(layer, q, k, v))
        mixed: Tensor = x + self.fall(F.relu(self.rise(self.norm2(x)), inplace=True).square())
        return mixed


class StepsTransformer(nn.Module):
    """Layers over the tokens of steps.

    Parameters
    ----------
    width, layers, heads : int
        Size.
    """

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.head_width = width // heads
        self.blocks = nn.ModuleList(Block(width, heads, layers) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.checkpointing = False

    def forward(
        self, x: Tensor, turn: Rotation, attend: Attend, seen: list[Tensor] | None = None
    ) -> Tensor:
        """Map (n, tokens, width) to the same, normed; ``seen`` collects the stream per layer."""
        for layer, block in enumerate(self.blocks):
            if seen is not None:
                seen.append(x)
            if self.checkpointing and torch.is_grad_enabled():
                x = torch.utils.checkpoint.checkpoint(
                    block, x, turn, layer, attend, use_reentrant=False
                )
            else:
                x = block(x, turn, layer, attend)
        if seen is not None:
            seen.append(x)
        normed: Tensor = self.norm(x)
        return normed
