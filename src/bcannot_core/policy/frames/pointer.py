"""The pointer head: a map over cells of the frame, then over the pixels where it points.

A query is compared with the features of every cell of 8 × 8 pixels. Around one cell, the *focus*,
a network looks at the frame at full resolution and spreads the probability of the 3 × 3 cells there
over their pixels; in all other cells it is spread evenly. So the whole is a distribution over
pixels, and two equally good targets stay two targets.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bcannot_core.policy.frames.clicks import (
    NEVER,
    ClickDistribution,
    draw,
    gaussian,
    is_placement,
)
from bcannot_core.policy.frames.config import CELL, FramesConfig
from bcannot_core.policy.frames.encoders import cell_grid
from bcannot_core.policy.frames.fine import AROUND, MARGIN, WINDOW, FineLook, around_cells, crop
from bcannot_core.policy.precision import autocast

_WAVES = 8


class PointerHead(nn.Module):
    """A pointer map over the frame, coarse to fine.

    Parameters
    ----------
    config : FramesConfig
        The policy's.
    """

    def __init__(self, config: FramesConfig) -> None:
        super().__init__()
        self.features = config.features
        self.query = nn.Linear(config.width, config.features)
        self.place = nn.Linear(config.width, 4 * _WAVES)
        self.fine = FineLook(config.width, config.features)
        nn.init.normal_(self.place.weight, std=0.02)

    def forward(
        self,
        cls: Tensor,
        cells: Tensor,
        frames: Tensor,
        targets: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> "PointerClick":
        """Map [cls] (n, t, width), cells (n, t, c, rows, columns) and frames to clicks.

        With ``targets`` (n, t, 4) the fine look is taken near them, shifted by ``noise``
        (n, t, 2) in 0…1; without, where the map points.
        """
        rows, columns = cell_grid(*frames.shape[2:4])
        query = (self.query(cls) / math.sqrt(self.features))[..., None]
        logits = (cells.permute(0, 1, 3, 4, 2).flatten(2, 3) @ query).float()
        logits = logits.view(*cells.shape[:2], *cells.shape[3:])[..., :rows, :columns]
        waves = self.place(cls).float()[..., None]
        down, across = waves.split(2 * _WAVES, 2)
        logits = logits + (down * place_waves(rows, cls.device).T).sum(2)[..., None]
        logits = logits + (across * place_waves(columns, cls.device).T).sum(2)[..., None, :]
        click = PointerClick(self, logits, cls, cells, frames)
        click.look(click.best_focus() if targets is None else click.focus_at(targets, noise))
        return click


def place_waves(count: int, device: torch.device) -> Tensor:
    """Return (count, 16) sines and cosines of the cells' positions along an axis."""
    position = (torch.arange(count, device=device) + 0.5) * CELL
    length = 32.0 * 2.0 ** (torch.arange(_WAVES, device=device) * 6 / (_WAVES - 1))
    angles = 2 * math.pi * position[:, None] / length
    return torch.cat((angles.sin(), angles.cos()), -1)


class PointerClick(ClickDistribution):
    """Clicks of a pointer head.

    Parameters
    ----------
    head : PointerHead
        For further fine looks.
    logits : Tensor
        Of the cells, (n, t, rows, columns).
    cls, cells, frames : Tensor
        What the head was given.
    """

    def __init__(
        self, head: PointerHead, logits: Tensor, cls: Tensor, cells: Tensor, frames: Tensor
    ) -> None:
        self.height, self.width = frames.shape[2:4]
        self._head, self._cls, self._cells, self._frames = head, cls, cells, frames
        self.coarse = torch.log_softmax(logits.flatten(-2), -1).view_as(logits)
        self.focus = torch.empty(0)
        self.fine = torch.empty(0)
        self._low = torch.is_autocast_enabled(cls.device.type)  # later looks as the first one

    # Where to look ----------------------------------------------------------------------------

    def best_focus(self) -> Tensor:
        """Return the cell (n, t, 2), x and y, with the most probability around it."""
        return self._nearby(self.coarse.detach())

    def focus_at(self, targets: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return cells near targets; of a large target the own choice, where it is inside."""
        rows, columns = self.coarse.shape[-2:]
        if noise is None:
            noise = torch.rand(*targets.shape[:-1], 2, device=targets.device)
        jitter = (noise * AROUND).long().clamp(max=AROUND - 1) - 1
        middle = (targets[..., :2] + targets[..., 2:] - 1).div(2, rounding_mode="floor")
        there = middle.div(CELL, rounding_mode="floor") + jitter
        own = self.best_focus()
        inside = self._touches(own, targets) & ~is_placement(targets)
        return _clip(torch.where(inside[..., None], own, there), rows, columns)

    def look(self, focus: Tensor) -> None:
        """Look at full resolution around cells (n, t, 2)."""
        self.focus, self.fine = focus, self._fine(focus)

    def _nearby(self, log_prob: Tensor) -> Tensor:
        columns = log_prob.shape[-1]
        around = F.avg_pool2d(log_prob.flatten(0, 1).exp()[:, None], AROUND, 1)
        best = around.flatten(1).argmax(1).view(log_prob.shape[:2])
        row = best.div(columns - 2, rounding_mode="floor")
        return torch.stack((best - row * (columns - 2), row), -1) + 1

    def _touches(self, cell: Tensor, rects: Tensor) -> Tensor:
        first = cell * CELL
        return ((first + CELL > rects[..., :2]) & (first < rects[..., 2:])).all(-1)

    def _fine(self, focus: Tensor) -> Tensor:
        """Return log probabilities (n, t, 24, 24), given that the click is in the window."""
        corner = (focus - 1) * CELL
        crops = crop(self._frames.flatten(0, 1), corner.flatten(0, 1) - MARGIN)
        cells = around_cells(self._cells.detach().flatten(0, 1), focus.flatten(0, 1))
        with autocast(crops.device, self._low):
            logits = self._head.fine(crops, self._cls.flatten(0, 1), cells)
        logits = logits.view(*focus.shape[:2], WINDOW, WINDOW)
        x, y = self._pixels(focus)
        outside = (y >= self.height)[..., :, None] | (x >= self.width)[..., None, :]
        logits = logits.masked_fill(outside, NEVER)
        return torch.log_softmax(logits.flatten(-2), -1).view_as(logits)

    def _pixels(self, focus: Tensor) -> tuple[Tensor, Tensor]:
        """Return x (n, t, 24) and y (n, t, 24) of a window's pixels."""
        steps = torch.arange(WINDOW, device=focus.device)
        corner = (focus - 1) * CELL
        return corner[..., :1] + steps, corner[..., 1:] + steps

    def _window_mask(self) -> Tensor:
        rows, columns = self.coarse.shape[-2:]
        x = torch.arange(columns, device=self.focus.device) - self.focus[..., :1]
        y = torch.arange(rows, device=self.focus.device) - self.focus[..., 1:]
        return (y.abs() <= 1)[..., :, None] & (x.abs() <= 1)[..., None, :]

    # Probabilities ----------------------------------------------------------------------------

    def window_log_prob(self) -> Tensor:
        """Return the log probability (n, t) that the click is among the cells around the focus."""
        return torch.logsumexp(self.coarse.masked_fill(~self._window_mask(), NEVER).flatten(-2), -1)

    def hit_log_prob(self, rects: Tensor) -> Tensor:
        """Return the log probability (n, t) of clicking inside rectangles."""
        rows, columns = self.coarse.shape[-2:]
        across = _share(rects[..., 0], rects[..., 2], columns, self.width)
        down = _share(rects[..., 1], rects[..., 3], rows, self.height)
        share = down[..., :, None] * across[..., None, :]
        apart = torch.where(
            (share > 0) & ~self._window_mask(), self.coarse + share.clamp(min=1e-9).log(), NEVER
        )
        x, y = self._pixels(self.focus)
        in_x = (x >= rects[..., :1]) & (x < rects[..., 2:3])
        in_y = (y >= rects[..., 1:2]) & (y < rects[..., 3:])
        inside = in_y[..., :, None] & in_x[..., None, :]
        near = torch.logsumexp(self.fine.masked_fill(~inside, NEVER).flatten(-2), -1)
        both = torch.cat((apart.flatten(-2), (self.window_log_prob() + near)[..., None]), -1)
        return torch.logsumexp(both, -1)

    def target_log_prob(self, rects: Tensor) -> Tensor:
        """Return what training maximises, (n, t)."""
        x, y = self._pixels(self.focus)
        px, py = rects[..., 0], rects[..., 1]
        weights = gaussian(py, y)[..., :, None] * gaussian(px, x)[..., None, :]
        beyond = (y >= self.height)[..., :, None] | (x >= self.width)[..., None, :]
        weights = weights.masked_fill(beyond, 0)
        weights = weights / weights.sum((-2, -1), keepdim=True).clamp(min=1e-9)
        soft = self.window_log_prob() + (weights * self.fine).sum((-2, -1))
        cell = torch.stack((px, py), -1).div(CELL, rounding_mode="floor")
        seen = ((cell - self.focus).abs() <= 1).all(-1)
        return torch.where(is_placement(rects) & seen, soft, self.hit_log_prob(rects))

    # Clicks -----------------------------------------------------------------------------------

    def mode(self) -> Tensor:
        """Return the most probable click (n, t, 2): the best pixel of the best window."""
        focus = self.best_focus()
        fine = self.fine if torch.equal(focus, self.focus) else self._fine(focus)
        return self._place(focus, fine.flatten(-2).argmax(-1))

    def sample(self, temperature: float, generator: torch.Generator | None = None) -> Tensor:
        """Draw clicks (n, t, 2): a cell, then a pixel near it."""
        if temperature <= 0:
            return self.mode()
        rows, columns = self.coarse.shape[-2:]
        index = draw(self.coarse.flatten(-2), temperature, generator)
        row = index.div(columns, rounding_mode="floor")
        focus = _clip(torch.stack((index - row * columns, row), -1), rows, columns)
        return self._place(focus, draw(self._fine(focus).flatten(-2), temperature, generator))

    def _place(self, focus: Tensor, index: Tensor) -> Tensor:
        row = index.div(WINDOW, rounding_mode="floor")
        return (focus - 1) * CELL + torch.stack((index - row * WINDOW, row), -1)

    def heatmap(self, i: int) -> Tensor:
        """Return the probability of every pixel (height, width)."""
        rows, columns = self.coarse.shape[-2:]
        cells = self.coarse.flatten(0, 1)[i].exp()
        across = _share(torch.tensor(0), torch.tensor(self.width), columns, self.width, area=True)
        down = _share(torch.tensor(0), torch.tensor(self.height), rows, self.height, area=True)
        spread = cells / (down[:, None] * across).to(cells.device)
        heat = spread.repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
        x, y = (int(v) * CELL - CELL for v in self.focus.flatten(0, 1)[i])
        heat[y : y + WINDOW, x : x + WINDOW] = (
            self.window_log_prob().flatten()[i] + self.fine.flatten(0, 1)[i]
        ).exp()
        return heat[: self.height, : self.width]

    def confidence(self) -> Tensor:
        """Return the probability of the window around the mode."""
        around = F.avg_pool2d(self.coarse.detach().flatten(0, 1).exp()[:, None], AROUND, 1)
        return (around.flatten(1).amax(1) * AROUND**2).view(self.coarse.shape[:2])


def _clip(cell: Tensor, rows: int, columns: int) -> Tensor:
    x, y = cell.unbind(-1)
    return torch.stack((x.clamp(1, columns - 2), y.clamp(1, rows - 2)), -1)


def _share(first: Tensor, end: Tensor, count: int, size: int, *, area: bool = False) -> Tensor:
    """Return (..., count): the share of each cell's pixels along an axis that lie in a range.

    With ``area`` the number of a cell's pixels that exist, whatever the range.
    """
    start = torch.arange(count, device=first.device) * CELL
    exists = (size - start).clamp(max=CELL).float()
    if area:
        return exists
    low = torch.maximum(first[..., None], start)
    high = torch.minimum(end[..., None], (start + CELL).clamp(max=size))
    return (high - low).clamp(min=0) / exists
