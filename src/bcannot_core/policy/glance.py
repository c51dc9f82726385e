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

AFFINITIES = ((2, 0), (0, 2), (8, 0), (0, 8))
"""Steps (y, x) between pixels of which the network says, in training, whether they belong
together; the last of its affinities is that of a pixel to the same place in the view before."""

_HEAT = 0.3
_CERTAIN = 8.0


class GlanceOutput(NamedTuple):
    """Logits of a batch.

    Attributes
    ----------
    belief, heat : (n, size, size)
        Which pixels belong to the object, and where the next click goes.
    present : (n,)
        Whether the object is there.
    sure : (n,)
        Whether the most probable click will be on the object.
    affinities : (n, k, size, size)
        Whether pixels belong together, whatever the object: an auxiliary output.
    """

    belief: Tensor
    heat: Tensor
    present: Tensor
    sure: Tensor
    affinities: Tensor


_AFFINITY_MAPS = len(AFFINITIES) + 1


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
        self.out = nn.Conv2d(a, 4 * (2 + _AFFINITY_MAPS), 1)
        self.judge = nn.Sequential(nn.Linear(2 * c + 2 * a + 2, 64), nn.ReLU(), nn.Linear(64, 2))

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
        judged = self.judge(self._summary(inputs, maps, fine, deep)).float()
        return GlanceOutput(maps[:, 0], maps[:, 1], judged[:, 0], judged[:, 1], maps[:, 2:])

    def _summary(self, inputs: Tensor, maps: Tensor, fine: Tensor, deep: Tensor) -> Tensor:
        """Return features where the object was, where the click goes, and on the whole."""
        before = inputs[:, 1 + self.config.views].detach().float()
        click = F.softmax((maps[:, 1] + F.logsigmoid(maps[:, 0])).flatten(1), 1).view_as(before)
        now = torch.sigmoid(maps[:, 0])
        totals = torch.stack((before.sum((1, 2)), (now * before).sum((1, 2))), 1)
        figures = torch.log1p(F.relu(totals))
        return torch.cat(
            (
                deep.mean((2, 3)).float(),
                _pooled(deep, before, 8),
                _pooled(fine, before, 2),
                _pooled(fine, click, 2),
                figures,
            ),
            1,
        )


def _pooled(features: Tensor, weights: Tensor, factor: int) -> Tensor:
    """Return the mean of (n, c, h, w) features, weighted by a map ``factor`` times as large."""
    weights = F.avg_pool2d(weights[:, None], factor)
    total = weights.sum((2, 3)) + 1e-3 / factor**2
    return (features.float() * weights).sum((2, 3)) / total


def click_log_prob(output: GlanceOutput) -> Tensor:
    """Return (n, size, size) log probabilities of the click, well inside what is believed.

    The heat knows the centre, but often lies a pixel beyond a membrane. The belief is surest away
    from membranes: its logits count in full, so that a node comes to lie where there is no doubt.
    """
    joint = _HEAT * output.heat + output.belief.clamp(max=_CERTAIN)
    return F.log_softmax(joint.flatten(1), dim=1).view_as(joint)
