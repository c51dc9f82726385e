"""A vision transformer on patches of 14 pixels with registers, as DINOv2 has it.

Architecture: Oquab et al., *DINOv2*, 2023; registers: Darcet et al., *Vision Transformers Need
Registers*, 2023. Parameters are named here as this package names them; :mod:`.vit_weights` reads
those of others.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bcannot_core.policy.frames.config import CELL, EncoderConfig, FramesConfig
from bcannot_core.policy.frames.encoders import Encoded, Memory, cell_grid, conv, pooled

PATCH = 14
_GRID = 37
"""Rows and columns of the position embedding, DINOv2's for 518 pixels."""

_MEAN = (0.485, 0.456, 0.406)
_SD = (0.229, 0.224, 0.225)


class VitBlock(nn.Module):
    """A pre-norm layer with scaled branches.

    Parameters
    ----------
    width, heads : int
        Size.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.scale1 = nn.Parameter(torch.full((width,), 0.1))
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.rise = nn.Linear(width, 4 * width)
        self.fall = nn.Linear(4 * width, width)
        self.scale2 = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, tokens, width) to the same."""
        n, count, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.scale1 * self.out(seen)
        mixed: Tensor = x + self.scale2 * self.fall(F.gelu(self.rise(self.norm2(x))))
        return mixed


class Vit(nn.Module):
    """The vision transformer itself.

    Parameters
    ----------
    config : EncoderConfig
        Its size.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.width
        self.registers_count = config.registers
        self.patch = nn.Conv2d(3, width, PATCH, stride=PATCH)
        self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.registers = nn.Parameter(torch.randn(1, config.registers, width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, _GRID**2, width) * 0.02)
        self.blocks = nn.ModuleList(VitBlock(width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.checkpointing = False

    def forward(self, pixels: Tensor) -> Tensor:
        """Map normalised (n, 3, h, w), multiples of 14, to patches (n, width, rows, columns)."""
        x = self.patch(pixels)
        n, width, rows, columns = x.shape
        x = x.flatten(2).transpose(1, 2) + self.placed(rows, columns).to(x.dtype)
        lead = torch.cat((self.cls, self.registers), 1).to(x.dtype).expand(n, -1, -1)
        x = torch.cat((lead, x), 1)
        for block in self.blocks:
            if self.checkpointing and torch.is_grad_enabled():
                x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        patches: Tensor = self.norm(x)[:, 1 + self.registers_count :]
        return patches.transpose(1, 2).reshape(n, width, rows, columns)

    def placed(self, rows: int, columns: int) -> Tensor:
        """Return the position embedding (1, rows · columns, width) for a grid of another size."""
        if (rows, columns) == (_GRID, _GRID):
            return self.places
        grid = self.places.view(1, _GRID, _GRID, -1).permute(0, 3, 1, 2)
        grid = F.interpolate(
            grid.float(), (rows, columns), mode="bicubic", antialias=True, align_corners=False
        )
        return grid.flatten(2).transpose(1, 2)


class VitEncoder(nn.Module):
    """Frames through a vision transformer; any frame size.

    Tokens are means of patches. The cells have the patches' features, and next to them what a small
    convolution sees at the cells' own resolution.

    Parameters
    ----------
    config : FramesConfig
        The policy's.
    """

    def __init__(self, config: FramesConfig) -> None:
        super().__init__()
        width = config.encoder.width
        self.tokens_hw = config.tokens_hw
        self.vit = Vit(config.encoder)
        self.token = nn.Linear(width, config.width)
        self.lift = nn.Conv2d(width, config.features, 1)
        self.near = nn.Conv2d(3, config.features, CELL, stride=CELL)
        self.cells = conv(config.features, config.features, 3, padding=1)

    def forward(self, frames: Tensor, memory: Memory | None = None) -> Encoded:
        """Map (n, t, h, w, 3) uint8 frames of sessions to features."""
        nt, (height, width) = frames.shape[:2], frames.shape[2:4]
        colours = (frames.flatten(0, 1).float() / 255).unbind(-1)
        normed = [(c - m) / sd for c, m, sd in zip(colours, _MEAN, _SD, strict=True)]
        pixels = torch.stack(normed, 1)
        patches = self.vit(F.pad(pixels, (0, -width % PATCH, 0, -height % PATCH)))
        tokens = self.token(pooled(patches, self.tokens_hw))
        cells = self._cells(pixels, patches)
        return Encoded(*(x.view(*nt, *x.shape[1:]) for x in (tokens, cells)))

    def _cells(self, pixels: Tensor, patches: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        rows, columns = cell_grid(height, width)
        near = self.near(F.pad(pixels, (0, -width % CELL, 0, -height % CELL)))
        index = [
            ((torch.arange(count, device=pixels.device) + 0.5) * CELL / PATCH).long()
            for count in (rows, columns)
        ]
        wide = self.lift(patches)[:, :, index[0][:, None], index[1]]
        return F.relu(self.cells(F.relu(near + wide)))
