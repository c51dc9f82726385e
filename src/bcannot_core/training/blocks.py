"""A stream of blocks: the same sequence for a seed, whatever number of workers makes it."""

import multiprocessing
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor

import numpy as np

from bcannot_core.errors import DatasetError
from bcannot_core.training.tissue import Augmentation, Block, Tissue, cut_block
from bcannot_core.training.workers import end_with_parent

_AHEAD = 2
_TRIES = 20
_LEAST_NEURITES = 4

_tissues: list[Tissue] = []


def _share(tissues: list[Tissue]) -> None:
    """Keep the tissues in this worker process; sent once rather than with every block."""
    _tissues[:] = tissues
    end_with_parent()


def _in_worker(seed: int, index: int, augmentation: Augmentation) -> Block:
    return make_block(_tissues, seed, index, augmentation)


def make_block(
    tissues: Sequence[Tissue], seed: int, index: int, augmentation: Augmentation
) -> Block:
    """Return block ``index`` of a seed's stream.

    Raises
    ------
    DatasetError
        The tissues hold no neurite that could be followed.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, index)))
    weights = np.array([tissue.weight for tissue in tissues])
    for _ in range(_TRIES):
        tissue = tissues[rng.choice(len(tissues), p=weights / weights.sum())]
        block = cut_block(tissue, rng, augmentation)
        if len(block.neurites) >= _LEAST_NEURITES:
            break
    if not block.neurites:
        raise DatasetError(
            "the labelled volumes hold no neurite that can be followed: use larger or fuller ones"
        )
    return block


class BlockStream:
    """Blocks one after the other, made ahead by worker processes.

    Parameters
    ----------
    tissues : sequence of Tissue
        Where blocks are cut.
    seed : int
        Which sequence.
    augmentation : Augmentation
        How blocks vary.
    workers : int
        Processes; 0 makes the blocks in this one.
    """

    def __init__(
        self, tissues: Sequence[Tissue], seed: int, augmentation: Augmentation, workers: int
    ) -> None:
        self._tissues, self._seed, self._augmentation = list(tissues), seed, augmentation
        self._next = 0
        self._ahead: deque[Future[Block]] = deque()
        self._pool: ProcessPoolExecutor | None = None
        if workers:
            self._pool = ProcessPoolExecutor(
                workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_share,
                initargs=(self._tissues,),
            )
        self._depth = _AHEAD * max(1, workers)

    def seek(self, index: int) -> None:
        """Continue with block ``index``."""
        self._next = index
        for future in self._ahead:
            future.cancel()
        self._ahead.clear()

    def at(self, index: int) -> Block:
        """Return any block of the stream, made here and now."""
        return make_block(self._tissues, self._seed, index, self._augmentation)

    def next(self) -> Block:
        """Return the next block."""
        index = self._next
        self._next += 1
        if self._pool is None:
            return self.at(index)
        while len(self._ahead) < self._depth:
            wanted = index + len(self._ahead)
            self._ahead.append(
                self._pool.submit(_in_worker, self._seed, wanted, self._augmentation)
            )
        return self._ahead.popleft().result()

    def close(self) -> None:
        """Stop the workers."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
