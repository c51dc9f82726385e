"""From windows in shared memory to tensors on the device, ahead of when they are needed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bcannot_core.training.frames.cutting import Row
from bcannot_core.training.frames.windows import Batch, WindowSource

_NOISE = 13  # this stream of randomness


class DeviceBatch(NamedTuple):
    """A batch of n windows of t steps on the device.

    Attributes
    ----------
    frames : uint8 (n, t, h, w, 3)
    clicks : int64 (n, t, 2)
    rects : int64 (n, t, 4)
    weights : float32 (n, t)
    noise : float32 (n, t, 2)
        Uniform numbers in 0…1, which follow from the windows' numbers.
    weight : float
        Sum of the weights.
    rows : tuple of Row
        Task and actions of each window.
    """

    frames: Tensor
    clicks: Tensor
    rects: Tensor
    weights: Tensor
    noise: Tensor
    weight: float
    rows: tuple[Row, ...]


def feed(
    source: WindowSource, numbers: Iterable[Sequence[int]], device: torch.device
) -> Iterator[DeviceBatch]:
    """Yield batches on a device; their frames are valid until the next one is asked for.

    On CUDA the next batch is copied while the present one is computed with. Elsewhere, where
    nothing asks for batches of one shape, steps that none of the windows has are left out.

    Parameters
    ----------
    source : WindowSource
        Makes the windows.
    numbers : iterable
        Of the windows of each batch.
    device : torch.device
        Where to.
    """
    batches, seed = source.batches(numbers), source.cutter.seed
    if device.type != "cuda":
        for batch in batches:
            yield _on(device, batch, seed, longest(batch))
        return
    _pin(source)
    copying = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    computing = torch.cuda.current_stream(device)
    following = _copied(next(batches, None), device, seed, copying)
    while following is not None:
        present, copied = following
        copied.synchronize()  # what it was copied from may be drawn on again
        following = _copied(next(batches, None), device, seed, copying)
        computing.wait_event(copied)
        for value in present:
            if isinstance(value, Tensor):
                value.record_stream(computing)
        yield present


def longest(batch: Batch) -> int:
    """Return the steps of a batch's longest window."""
    return max(len(row.actions) for row in batch.rows)


def _on(device: torch.device, batch: Batch, seed: int, steps: int) -> DeviceBatch:
    """Move the first steps of a batch."""
    arrays = batch.arrays
    noise = np.stack(
        [
            np.random.default_rng((seed, _NOISE, number)).random((steps, 2), np.float32)
            for number in batch.numbers
        ]
    )

    def move(array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array[:, :steps]).to(device, non_blocking=True)

    return DeviceBatch(
        move(arrays.frames),
        move(arrays.clicks).long(),
        move(arrays.rects).long(),
        move(arrays.weights.copy()),
        move(noise),
        float(arrays.weights.sum()),
        batch.rows,
    )


def _copied(
    batch: Batch | None, device: torch.device, seed: int, stream: torch.cuda.Stream
) -> tuple[DeviceBatch, torch.cuda.Event] | None:
    """Begin to copy a batch; return it with what tells that it is there."""
    if batch is None:
        return None
    with torch.cuda.stream(stream):
        moved = _on(device, batch, seed, batch.arrays.weights.shape[1])
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(stream)
    return moved, event


def _pin(source: WindowSource) -> None:
    """Let the device read the shared memory directly; copies are slower where it cannot."""
    for arrays in source.slots:
        frames = arrays.frames
        runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
        runtime.cudaHostRegister(frames.ctypes.data, frames.nbytes, 0)
