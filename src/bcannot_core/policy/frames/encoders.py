"""Frame encoders: what they give, and the convolutional one."""

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bcannot_core.policy.frames.config import CELL, EncoderConfig, FramesConfig

_COARSEST = 16


class Encoded(NamedTuple):
    """A batch of frames as features.

    Attributes
    ----------
    tokens : (n, k, width)
        For the transformer.
    cells : (n, c, rows, columns)
        For the pointer: one every 8 pixels, to the frame's edge and perhaps beyond.
    """

    tokens: Tensor
    cells: Tensor


class FrameEncoder(Protocol):
    """What the network asks of an encoder."""

    def __call__(self, frames: Tensor) -> Encoded:
        """Map (n, 3, h, w), uint8 or float in 0…1, to features."""
        ...


def cell_grid(height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of a frame's cells."""
    return -(-height // CELL), -(-width // CELL)


def scaled(frames: Tensor) -> Tensor:
    """Map frames (n, 3, h, w), uint8 or float in 0…1, to about −1…1."""
    if frames.dtype == torch.uint8:
        kind = torch.bfloat16 if torch.is_autocast_enabled(frames.device.type) else torch.float32
        return frames.to(kind) / 127.5 - 1
    return frames * 2 - 1


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of (n, c, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map to the same shape."""
        y = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias)
        return y.permute(0, 3, 1, 2)


class ConvBlock(nn.Module):
    """A residual block of two 3 × 3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.conv2.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same."""
        mixed: Tensor = x + self.conv2(F.relu(self.conv1(self.norm(x))))
        return mixed


class ConvEncoder(nn.Module):
    """Patches of 4 × 4 pixels, then stages at 8 and 16 pixels; any frame size.

    Parameters
    ----------
    config : FramesConfig
        The policy's.
    """

    def __init__(self, config: FramesConfig) -> None:
        super().__init__()
        encoder: EncoderConfig = config.encoder
        fine, middle, coarse = encoder.channels
        self.tokens_hw = config.tokens_hw
        self.stem = nn.Conv2d(3, fine, 4, stride=4)
        self.stage4 = nn.Sequential(*(ConvBlock(fine) for _ in range(encoder.blocks[0])))
        self.down8 = nn.Conv2d(fine, middle, 2, stride=2)
        self.stage8 = nn.Sequential(*(ConvBlock(middle) for _ in range(encoder.blocks[1])))
        self.down16 = nn.Conv2d(middle, coarse, 2, stride=2)
        self.stage16 = nn.Sequential(*(ConvBlock(coarse) for _ in range(encoder.blocks[2])))
        self.lift = nn.Conv2d(coarse, config.features, 1)
        self.cells = nn.Conv2d(middle, config.features, 1)
        self.token = nn.Conv2d(coarse, config.width, 1)

    def forward(self, frames: Tensor) -> Encoded:
        """Map (n, 3, h, w) to features."""
        height, width = frames.shape[-2:]
        missing = (0, -width % _COARSEST, 0, -height % _COARSEST)
        x = F.pad(scaled(frames), missing).contiguous(memory_format=torch.channels_last)
        middle = self.stage8(self.down8(self.stage4(self.stem(x))))
        coarse = self.stage16(self.down16(middle))
        cells = F.relu(self.cells(middle) + F.interpolate(self.lift(coarse), scale_factor=2))
        rows, columns = cell_grid(height, width)
        tokens = F.adaptive_avg_pool2d(self.token(F.relu(coarse)), self.tokens_hw)
        return Encoded(tokens.flatten(2).transpose(1, 2), cells[:, :, :rows, :columns])
