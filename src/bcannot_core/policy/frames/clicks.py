"""Distributions of the next click over the pixels of a frame."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

NEVER = -1e9
"""Logit of what cannot be, finite to keep gradients finite."""

TARGET_SD_PX = 1.5
"""Standard deviation of the target around a placement."""


class ClickDistribution(ABC):
    """The next click of (n, t) steps, each on a frame of ``height`` × ``width`` pixels.

    Rectangles are (n, t, 4): left, top, right, bottom in pixels, the latter two exclusive. A
    placement is a rectangle of one pixel; of a button every pixel is as good.
    """

    height: int
    width: int

    @abstractmethod
    def hit_log_prob(self, rects: Tensor) -> Tensor:
        """Return the log probability (n, t) of clicking inside rectangles."""

    @abstractmethod
    def target_log_prob(self, rects: Tensor) -> Tensor:
        """Return what training maximises, (n, t).

        That is :meth:`hit_log_prob`, and for placements the mean log probability under a
        Gaussian around the pixel.
        """

    @abstractmethod
    def mode(self) -> Tensor:
        """Return the most probable click (n, t, 2), x and y."""

    @abstractmethod
    def sample(self, temperature: float, generator: torch.Generator | None = None) -> Tensor:
        """Draw clicks (n, t, 2); temperature 0 gives :meth:`mode`."""

    @abstractmethod
    def heatmap(self, i: int) -> Tensor:
        """Return the probability of every pixel (height, width) of step ``i`` of the n · t."""

    @abstractmethod
    def confidence(self) -> Tensor:
        """Return 0…1 (n, t): the probability of the surroundings of :meth:`mode`."""


def draw(logits: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
    """Draw indices (...) from logits (..., k); temperature 0 takes the largest."""
    if temperature <= 0:
        return logits.argmax(-1)
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
    noise = -(-uniform.clamp(1e-9, 1 - 1e-7).log()).log()
    return (logits / temperature + noise).argmax(-1)


def gaussian(centre: Tensor, positions: Tensor, sd: float = TARGET_SD_PX) -> Tensor:
    """Return weights (..., k), sum 1, of positions around centres (...)."""
    offsets = positions - centre[..., None]
    return torch.softmax(-(offsets**2) / (2 * sd**2), -1)


def is_placement(rects: Tensor) -> Tensor:
    """Return which rectangles (..., 4) hold a single pixel."""
    return (rects[..., 2] - rects[..., 0] == 1) & (rects[..., 3] - rects[..., 1] == 1)
