"""The fine look: a piece of the frame at full resolution, around where the pointer points."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bcannot_core.policy.frames.config import CELL

AROUND = 3
"""Rows and columns of cells around the focus that the fine look decides among."""

WINDOW = AROUND * CELL
MARGIN = 4
CROP = WINDOW + 2 * MARGIN


_FINE = 48


class FineLook(nn.Module):
    """Logits of the pixels around a focus, from the frame's pixels, what is sought, and features.

    Parameters
    ----------
    width : int
        Of what is sought.
    features : int
        Channels of the cells.
    """

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(12, _FINE, 3, padding=1)
        self.sought = nn.Linear(width, 2 * _FINE)
        self.around = nn.Linear(features, _FINE)
        self.conv1 = nn.Conv2d(_FINE, _FINE, 3, padding=1)
        self.wide = nn.Conv2d(_FINE, _FINE, 3, padding=1)
        self.conv2 = nn.Conv2d(_FINE, _FINE, 3, padding=1)
        self.out = nn.Conv2d(_FINE, 4, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, crops: Tensor, sought: Tensor, cells: Tensor) -> Tensor:
        """Map (m, 3, 32, 32), (m, width) and (m, 4, 4, features) to logits (m, 24, 24)."""
        x = F.pixel_unshuffle(crops, 2).contiguous(memory_format=torch.channels_last)
        gain, shift = self.sought(sought)[:, :, None, None].chunk(2, 1)
        context = F.interpolate(self.around(cells).permute(0, 3, 1, 2), scale_factor=4)
        x = F.relu(self.stem(x) * (1 + gain) + shift + context)
        x = x + F.relu(self.conv1(x))
        wide = F.interpolate(F.relu(self.wide(F.avg_pool2d(x, 2))), scale_factor=2)
        x = F.relu(self.conv2(x + wide) * (1 + gain) + shift)
        maps = F.pixel_shuffle(self.out(x), 2)[:, 0]
        return maps[:, MARGIN:-MARGIN, MARGIN:-MARGIN].float()


def crop(frames: Tensor, corner_xy: Tensor) -> Tensor:
    """Cut (m, 3, 32, 32), −1…1, out of uint8 frames (m, h, w, 3); grey beyond their edges."""
    height, width = frames.shape[1:3]
    steps = torch.arange(CROP, device=frames.device)
    x, y = corner_xy[:, :1] + steps, corner_xy[:, 1:] + steps
    index = torch.arange(len(frames), device=frames.device)[:, None, None]
    cut = frames[index, y.clamp(0, height - 1)[:, :, None], x.clamp(0, width - 1)[:, None, :]]
    within = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    return ((cut.float() / 127.5 - 1) * within[..., None]).permute(0, 3, 1, 2)


def around_cells(cells: Tensor, focus: Tensor) -> Tensor:
    """Return the features (m, 4, 4, c) of the cells that a crop of 32 pixels covers.

    The crop reaches half a cell beyond the window, so that the features are means of neighbours.
    """
    rows, columns = cells.shape[-2:]
    steps = torch.arange(-2, 3, device=focus.device)
    x = (focus[:, :1] + steps).clamp(0, columns - 1)
    y = (focus[:, 1:] + steps).clamp(0, rows - 1)
    index = torch.arange(len(cells), device=focus.device)[:, None, None]
    near = cells.permute(0, 2, 3, 1)[index, y[:, :, None], x[:, None, :]]
    return (near[:, :-1, :-1] + near[:, 1:, :-1] + near[:, :-1, 1:] + near[:, 1:, 1:]) / 4
