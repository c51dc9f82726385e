"""Frames cut into tiles, and which tiles changed since the frame before.

In consecutive frames of a session most pixels are the same: what a tile looks like has to be
computed only where it changed.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

TILE = 32
"""Side of a tile in pixels."""

HALO = 4
"""Pixels that are seen around a tile."""

PATCH = 4
"""Side in pixels of the patches that a tile is made of."""

_GRAIN = 8
_GREY = 128


class Tiled(NamedTuple):
    """Frames with a margin, ready to be cut.

    Attributes
    ----------
    pixels : uint8 (n, t, height, width, 3)
        With a margin of 8 pixels, and up to whole tiles.
    rows, columns : int
        Of tiles.
    """

    pixels: Tensor
    rows: int
    columns: int


def tiled(frames: Tensor) -> Tiled:
    """Give frames (n, t, height, width, 3) a grey margin, and fill them up to whole tiles."""
    n, t, height, width, _ = frames.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    size = rows * TILE + 2 * _GRAIN, columns * TILE + 2 * _GRAIN
    pixels = frames.new_full((n, t, *size, 3), _GREY)
    pixels[:, :, _GRAIN : _GRAIN + height, _GRAIN : _GRAIN + width] = frames
    return Tiled(pixels, rows, columns)


def changed(now: Tensor, before: Tensor, tiles: Tiled) -> Tensor:
    """Return which tiles (n, t, rows, columns) differ between pixels of two :class:`Tiled`."""
    differs = now.flatten(3).view(torch.int64) != before.flatten(3).view(torch.int64)
    words = _GRAIN * 3 // 8
    n, t, height, width = differs.shape
    grains = differs.view(n, t, height // _GRAIN, _GRAIN, width).any(3)
    grains = grains.view(n, t, height // _GRAIN, width // words, words).any(4)
    reach = TILE // _GRAIN + 2
    return F.max_pool2d(grains.float(), reach, TILE // _GRAIN) > 0


def cut(tiles: Tiled, wanted: Tensor | None = None) -> Tensor:
    """Return tiles with their halo as patches of 4 × 4 pixels, uint8 (m, 10, 10, 48).

    All tiles, or those where ``wanted`` (n, t, rows, columns) is True.
    """
    side, first = (TILE + 2 * HALO) // PATCH, _GRAIN - HALO
    n, t, height, width, _ = tiles.pixels.shape
    four = width * 3 // 4  # words of 4 bytes in a row; a row of a patch is 3 of them
    view = tiles.pixels.flatten(3).view(torch.int32)
    view = view.as_strided(
        (n, t, tiles.rows, tiles.columns, side, side, PATCH, 3),
        (t * height * four, height * four, TILE * four, TILE * 3 // 4, PATCH * four, 3, four, 1),
        first * four + first * 3 // 4,
    )
    chosen = view if wanted is None else view[wanted]
    return chosen.reshape(-1, side, side, PATCH * 3).view(torch.uint8)


def sources(fresh: Tensor) -> Tensor:
    """Return, for every tile (n, t, k), which of the fresh ones shows what it shows.

    The fresh ones are counted in order of (n, t, k); the first frame's must all be fresh.
    """
    number = torch.cumsum(fresh.flatten(), 0).view_as(fresh) - 1
    return torch.where(fresh, number, 0).cummax(1).values
