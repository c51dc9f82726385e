"""Click heads: x and y apart, as the reference has it, and a pointer map, coarse to fine."""

import math

import torch
from torch import Tensor, nn

from bcannot_core.policy.frames.clicks import (
    NEVER,
    ClickDistribution,
    draw,
    gaussian,
    is_placement,
)
from bcannot_core.policy.frames.config import FramesConfig
from bcannot_core.policy.frames.pointer import PointerHead

_NEAR_PX = 8


class IndependentClick(ClickDistribution):
    """Independent distributions of x and y.

    Parameters
    ----------
    x_logits, y_logits : Tensor
        (n, t, width) and (n, t, height).
    """

    def __init__(self, x_logits: Tensor, y_logits: Tensor) -> None:
        self.width, self.height = x_logits.shape[-1], y_logits.shape[-1]
        self.x, self.y = (torch.log_softmax(a.float(), -1) for a in (x_logits, y_logits))

    def hit_log_prob(self, rects: Tensor) -> Tensor:
        """Return the log probability (n, t) of clicking inside rectangles."""
        return _within(self.x, rects[..., 0], rects[..., 2]) + _within(
            self.y, rects[..., 1], rects[..., 3]
        )

    def target_log_prob(self, rects: Tensor) -> Tensor:
        """Return what training maximises, (n, t)."""
        soft = _around(self.x, rects[..., 0]) + _around(self.y, rects[..., 1])
        return torch.where(is_placement(rects), soft, self.hit_log_prob(rects))

    def mode(self) -> Tensor:
        """Return the most probable click (n, t, 2)."""
        return torch.stack((self.x.argmax(-1), self.y.argmax(-1)), -1)

    def sample(self, temperature: float, generator: torch.Generator | None = None) -> Tensor:
        """Draw clicks (n, t, 2)."""
        return torch.stack([draw(a, temperature, generator) for a in (self.x, self.y)], -1)

    def heatmap(self, i: int) -> Tensor:
        """Return the probability of every pixel (height, width)."""
        x, y = self.x.flatten(0, -2)[i].exp(), self.y.flatten(0, -2)[i].exp()
        return y[:, None] * x

    def confidence(self) -> Tensor:
        """Return the probability of the 17 × 17 pixels around the mode."""
        mode = self.mode()
        return self.hit_log_prob(torch.cat((mode - _NEAR_PX, mode + _NEAR_PX + 1), -1)).exp()


def _within(log_prob: Tensor, first: Tensor, end: Tensor) -> Tensor:
    positions = torch.arange(log_prob.shape[-1], device=log_prob.device)
    inside = (positions >= first[..., None]) & (positions < end[..., None])
    return torch.logsumexp(log_prob.masked_fill(~inside, NEVER), -1)


def _around(log_prob: Tensor, pixel: Tensor) -> Tensor:
    positions = torch.arange(log_prob.shape[-1], device=log_prob.device)
    return (gaussian(pixel, positions) * log_prob).sum(-1)


class IndependentHead(nn.Module):
    """Logits of x over the frame's width and of y over its height, from [cls] alone.

    Parameters
    ----------
    config : FramesConfig
        The policy's; its frame is the largest that the head can click on.
    """

    def __init__(self, config: FramesConfig) -> None:
        super().__init__()
        width, height = config.frame_wh
        self.x = nn.Linear(config.width, width)
        self.y = nn.Linear(config.width, height)
        for axis in (self.x, self.y):
            nn.init.normal_(axis.weight, std=0.3 / math.sqrt(config.width))
            nn.init.zeros_(axis.bias)

    def forward(
        self,
        cls: Tensor,
        cells: Tensor,
        frames: Tensor,
        targets: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> IndependentClick:
        """Map [cls] (n, t, width) to clicks on frames (n, t, h, w, 3).

        Raises
        ------
        ValueError
            The frames are larger than those that the head was made for.
        """
        height, width = frames.shape[2:4]
        if width > self.x.out_features or height > self.y.out_features:
            raise ValueError(
                f"the independent head clicks on frames of up to {self.x.out_features} × "
                f"{self.y.out_features} px, not {width} × {height}: use the pointer head"
            )
        return IndependentClick(self.x(cls)[..., :width], self.y(cls)[..., :height])


def make_head(config: FramesConfig) -> IndependentHead | PointerHead:
    """Return the head that a configuration asks for."""
    return PointerHead(config) if config.head == "pointer" else IndependentHead(config)
