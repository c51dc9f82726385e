"""Laying one picture over another: averages of subpixels, transparency, soft shadows."""

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Channel = NDArray[np.uint16]


def halved(fine: NDArray[np.uint32], height: int, width: int) -> NDArray[np.uint16]:
    """Return the means of 2 × 2 subpixels, uint16 (height, width, 4)."""
    parts = fine.view(np.uint8).reshape(height, 2, 8 * width)
    rows = np.add(parts[:, 0], parts[:, 1], dtype=np.uint16)
    pixels = rows.view(np.uint64)  # the four bytes of a subpixel at once
    out = (pixels[:, ::2] + pixels[:, 1::2]).view(np.uint16)
    out += np.uint16(2)
    out >>= np.uint16(2)
    return out.reshape(height, width, 4)


def _clip(shape: tuple[int, ...], left: int, top: int, hw: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the slices of a picture and of a patch at (left, top) that overlap."""
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = max(min(left + hw[1], shape[1]), x0), max(min(top + hw[0], shape[0]), y0)
    return (
        slice(y0, y1), slice(x0, x1),
        slice(y0 - top, y1 - top), slice(x0 - left, x1 - left),
    )  # fmt: skip


def compose(picture: Picture, layer: NDArray[np.uint16], left: int, top: int) -> None:
    """Lay a layer, colours multiplied by alpha, (h, w, 4), onto a picture at a place."""
    rows, columns, from_rows, from_columns = _clip(picture.shape, left, top, layer.shape)
    below = picture[rows, columns]
    if not below.size:
        return
    above = layer[from_rows, from_columns]
    free = np.uint16(255) - above[..., 3]
    for channel in range(3):  # much faster than all at once, because of the broadcasting
        shining = below[..., channel] * free
        shining += np.uint16(128)
        shining += shining >> np.uint16(8)  # with the next shift a division by 255
        shining >>= np.uint16(8)
        shining += above[..., channel]
        np.minimum(shining, np.uint16(255), out=shining)
        below[..., channel] = shining


def darken(picture: Picture, cover: Channel, left: int, top: int, by: float) -> None:
    """Lay a soft shadow of a shape onto a picture."""
    height, width = cover.shape
    soft = np.zeros((height + 8, width + 8), dtype=np.uint16)
    soft[4:-4, 4:-4] = cover
    for _ in range(4):  # four sums of neighbours each way, 1 4 6 4 1
        soft = soft[:-1] + soft[1:]
    for _ in range(4):
        soft = soft[:, :-1] + soft[:, 1:]
    soft >>= np.uint16(8)
    rows, columns, from_rows, from_columns = _clip(picture.shape, left - 2, top - 2, soft.shape)
    below = picture[rows, columns]
    keep = np.uint16(256) - (soft[from_rows, from_columns] * np.uint16(int(by * 256)) >> 8)
    for channel in range(3):
        dark = below[..., channel] * keep
        dark >>= np.uint16(8)
        below[..., channel] = dark
