"""Frame encoders: what they give, and the convolutional one."""

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bcannot_core.policy.frames.config import CELL, FramesConfig
from bcannot_core.policy.frames.tiles import PATCH, Tiled, changed, cut, sources, tiled

_AT_ONCE = 1024
"""Tiles that a processor looks at together: more would neither fit a cache nor be faster."""


class Encoded(NamedTuple):
    """Frames as features.

    Attributes
    ----------
    tokens : (n, t, k, width)
        For the transformer.
    cells : (n, t, c, rows, columns)
        For the pointer: one every 8 pixels, to the frame's edge and perhaps beyond.
    """

    tokens: Tensor
    cells: Tensor


class Features(NamedTuple):
    """Of tiles: at 8 pixels (m, 4, 4, c), at 16 pixels (m, 2, 2, c')."""

    cells: Tensor
    coarse: Tensor


class Memory:
    """What an encoder keeps of the last frames of ``n`` sessions, to compute only what changed."""

    def __init__(self) -> None:
        self.pixels: Tensor | None = None
        self.features: Features | None = None


class FrameEncoder(Protocol):
    """What the network asks of an encoder."""

    def __call__(self, frames: Tensor, memory: Memory | None = None) -> Encoded:
        """Map (n, t, h, w, 3) uint8 frames of sessions to features."""
        ...


def cell_grid(height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of a frame's cells."""
    return -(-height // CELL), -(-width // CELL)


class Patches(nn.Module):
    """A convolution of kernel = stride, as one matrix product: (n, h, w, c) to (n, h/k, w/k, o).

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    size : int
        Side of the kernel.
    """

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.randn(outputs, inputs * size**2))
        self.bias = nn.Parameter(torch.zeros(outputs))
        with torch.no_grad():
            self.weight.mul_((2 / (inputs * size**2)) ** 0.5)

    def cut(self, x: Tensor) -> Tensor:
        """Map (n, h, w, c) to patches (n, h/k, w/k, k · k · c)."""
        n, height, width, _ = x.shape
        k = self.size
        return x.view(n, height // k, k, width // k, -1).transpose(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, h, w, c) to (n, h/k, w/k, o)."""
        return F.linear(self.cut(x).flatten(3), self.weight, self.bias)


class Stem(nn.Linear):
    """Patches of pixels: uint8 in, centred and scaled."""

    def forward(self, x: Tensor) -> Tensor:
        """Map uint8 (..., inputs) to (..., outputs)."""
        low = torch.is_autocast_enabled(x.device.type)
        kind = torch.get_autocast_dtype(x.device.type) if low else self.weight.dtype
        return F.linear((x ^ 128).view(torch.int8).to(kind), self.weight / 64, self.bias)


class Residual(nn.Module):
    """``x + conv(relu(x))`` with a 3 × 3 kernel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv(channels, channels, 3, padding=1, gain=0.7)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same."""
        mixed: Tensor = x + self.conv(F.relu(x))
        return mixed


class Mix(nn.Module):
    """A residual block across tiles: normed over channels, 3 × 3, then 1 × 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.conv1 = conv(channels, channels, 3, padding=1)
        self.conv2 = conv(channels, channels, 1, gain=0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same."""
        y = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        mixed: Tensor = x + self.conv2(F.relu(self.conv1(y), inplace=True))
        return mixed


def conv(inputs: int, outputs: int, size: int, **options: float) -> nn.Conv2d:
    """Return a convolution whose outputs vary as much as its rectified inputs."""
    gain = options.pop("gain", 1.0)
    layer = nn.Conv2d(
        inputs,
        outputs,
        size,
        stride=int(options.get("stride", 1)),
        padding=int(options.get("padding", 0)),
    )
    nn.init.normal_(layer.weight, std=gain * (2 / (inputs * size**2)) ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ConvEncoder(nn.Module):
    """Tiles of 32 pixels through convolutions at 4, 8 and 16 pixels, then across tiles.

    A tile and the 4 pixels around it are seen alone, so that only what changed since the frame
    before needs to be computed: the outputs are those of computing all tiles anew. Any frame size.

    Parameters
    ----------
    config : FramesConfig
        The policy's.

    Attributes
    ----------
    sparse : bool or None
        Compute only what changed; by default where that is faster, on a processor.
    """

    def __init__(self, config: FramesConfig) -> None:
        super().__init__()
        fine, middle, coarse = config.encoder.channels
        blocks = config.encoder.blocks
        self.sparse: bool | None = None
        self.tokens_hw, self.features, self.coarse = config.tokens_hw, config.features, coarse
        self.stem = Stem(3 * PATCH**2, fine)
        self.edge = conv(fine, fine, 3)
        self.stage4 = nn.Sequential(*(Residual(fine) for _ in range(blocks[0])))
        self.down8 = Patches(fine, middle, 2)
        self.stage8 = nn.Sequential(*(Residual(middle) for _ in range(blocks[1])))
        self.cells = Patches(middle, config.features, 1)
        self.down16 = Patches(middle, coarse, 2)
        self.mix = nn.Sequential(*(Mix(coarse) for _ in range(blocks[2])))
        self.lift = conv(coarse, config.features, 1)
        self.token = conv(coarse, config.width, 3, stride=2, padding=1)

    def forward(self, frames: Tensor, memory: Memory | None = None) -> Encoded:
        """Map (n, t, h, w, 3) uint8 frames of sessions to features."""
        tiles = tiled(frames)
        sparse = frames.device.type == "cpu" if self.sparse is None else self.sparse
        if not sparse:
            features = self.look(cut(tiles))
        elif memory is None:
            features = self._changes(tiles)
        else:
            features = self._remembering(tiles, memory)
        return self._across(features, tiles, frames.shape[:2])

    def look(self, patches: Tensor) -> Features:
        """Map tiles (m, 10, 10, 48) to their features, (m, 4, 4, c) and (m, 2, 2, c')."""
        x = F.relu(self.stem(patches), inplace=True)
        x = F.relu(self.edge(x.permute(0, 3, 1, 2)), inplace=True)
        x = self.down8(self.stage4(x).permute(0, 2, 3, 1))
        x = F.relu(self.stage8(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        return Features(self.cells(x), F.relu(self.down16(x), inplace=True))

    def _changes(self, tiles: Tiled) -> Features:
        """Return the features of all tiles, looking only at those that changed."""
        pixels = tiles.pixels
        fresh = torch.ones(
            *pixels.shape[:2], tiles.rows, tiles.columns, dtype=torch.bool, device=pixels.device
        )
        if pixels.shape[1] > 1:
            fresh[:, 1:] = changed(pixels[:, 1:], pixels[:, :-1], tiles)
        rows = sources(fresh.flatten(2)).flatten()
        looked = [self.look(some) for some in torch.split(cut(tiles, fresh), _AT_ONCE)]
        return Features(
            *(torch.cat(parts).index_select(0, rows) for parts in zip(*looked, strict=True))
        )

    def _remembering(self, tiles: Tiled, memory: Memory) -> Features:
        """Return the features of all tiles of single frames, kept from step to step."""
        pixels, before = tiles.pixels, memory.pixels
        if before is None or before.shape != pixels.shape or memory.features is None:
            memory.features = self.look(cut(tiles))
        else:
            fresh = changed(pixels, before, tiles)
            if bool(fresh.any()):
                found = self.look(cut(tiles, fresh))
                where = fresh.flatten().nonzero()[:, 0]
                memory.features = Features(
                    *(
                        kept.index_copy(0, where, new.to(kept.dtype))
                        for kept, new in zip(memory.features, found, strict=True)
                    )
                )
        memory.pixels = pixels
        return memory.features

    def _across(self, features: Features, tiles: Tiled, nt: torch.Size) -> Encoded:
        """Put tiles together and look across them."""
        coarse = self.mix(_assembled(features.coarse, tiles))
        wide = F.interpolate(self.lift(coarse), scale_factor=2)
        cells = F.relu(_assembled(features.cells, tiles) + wide, inplace=True)
        tokens = pooled(self.token(coarse), self.tokens_hw)
        return Encoded(*(x.view(*nt, *x.shape[1:]) for x in (tokens, cells)))


def _assembled(parts: Tensor, tiles: Tiled) -> Tensor:
    """Map tiles (m, side, side, c) to maps (n, c, rows · side, columns · side), channels last."""
    side, channels = parts.shape[-2:]
    x = parts.view(-1, tiles.rows, tiles.columns, side, side, channels).transpose(2, 3)
    return x.reshape(-1, tiles.rows * side, tiles.columns * side, channels).permute(0, 3, 1, 2)


def pooled(x: Tensor, tokens_hw: tuple[int, int]) -> Tensor:
    """Map (n, c, h, w) to means (n, rows · columns, c) over a grid of any size."""
    down, across = (
        _shares(size, count, x.device).to(x.dtype)
        for size, count in zip(x.shape[-2:], tokens_hw, strict=True)
    )
    weights = (down[:, None, :, None] * across[None, :, None, :]).flatten(2).flatten(0, 1)
    return weights @ x.permute(0, 2, 3, 1).flatten(1, 2)


def _shares(size: int, count: int, device: torch.device) -> Tensor:
    """Return (count, size): the share of each place in each of as many equal parts."""
    edge = torch.arange(count + 1, device=device) * (size / count)
    place = torch.arange(size, device=device)
    low, high = edge[:-1, None].maximum(place), edge[1:, None].minimum(place + 1)
    return (high - low).clamp(min=0) * (count / size)
