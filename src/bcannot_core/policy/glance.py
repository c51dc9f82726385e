"""The glance network: a small U-shape on views kept in register.

From the present view, earlier views and what was believed of them it predicts, at full
resolution, which pixels belong to the object in question (an auxiliary output, and the memory
that is carried to the next view), where the next click goes, and whether the object is there.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bcannot_core.policy.config import GlanceConfig


class GlanceOutput(NamedTuple):
    """Logits of a batch: belief and heat (n, size, size), present (n,), features (n, c)."""

    belief: Tensor
    heat: Tensor
    present: Tensor
    features: Tensor


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with batch normalisation and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        inner = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(x + self.norm2(self.conv2(inner)), inplace=True)


class GlanceNet(nn.Module):
    """The glance network.

    Parameters
    ----------
    config : GlanceConfig
        Its size.
    """

    def __init__(self, config: GlanceConfig) -> None:
        super().__init__()
        a, b, c = config.channels
        self.config = config
        self.stem = nn.Conv2d(4 * config.inputs, a, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(a)
        self.down0 = ResidualBlock(a)
        self.pool0 = nn.Conv2d(a, b, 2, 2)
        self.down1 = ResidualBlock(b)
        self.pool1 = nn.Conv2d(b, c, 2, 2)
        self.deep = nn.Sequential(ResidualBlock(c), ResidualBlock(c))
        self.lift1 = nn.Conv2d(c, b, 1)
        self.up1 = ResidualBlock(b)
        self.lift0 = nn.Conv2d(b, a, 1)
        self.up0 = ResidualBlock(a)
        self.out = nn.Conv2d(a, 8, 1)
        self.present = nn.Linear(c, 1)

    def forward(self, inputs: Tensor) -> GlanceOutput:
        """Map (n, inputs, size, size) to the outputs."""
        x = F.pixel_unshuffle(inputs, 2).contiguous(memory_format=torch.channels_last)
        x = F.relu(self.stem_norm(self.stem(x)), inplace=True)
        fine = self.down0(x)
        middle = self.down1(self.pool0(fine))
        deep = self.deep(self.pool1(middle))
        middle = self.up1(middle + F.interpolate(self.lift1(deep), scale_factor=2))
        fine = self.up0(fine + F.interpolate(self.lift0(middle), scale_factor=2))
        maps = F.pixel_shuffle(self.out(fine), 2).float()
        features = deep.mean((2, 3)).float()
        present: Tensor = self.present(features)
        return GlanceOutput(maps[:, 0], maps[:, 1], present[:, 0].float(), features)


def click_log_prob(output: GlanceOutput) -> Tensor:
    """Return (n, size, size) log probabilities of the click, inside what is believed.

    The heat alone may leave some probability on the far side of a membrane; the belief does not
    know the centre. Their product has the strengths of both.
    """
    joint = output.heat + F.logsigmoid(output.belief)
    return F.log_softmax(joint.flatten(1), dim=1).view_as(joint)
