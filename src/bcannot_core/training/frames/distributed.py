"""Training on several processes under ``torchrun``: DDP, FSDP2, and states in shards."""

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.policy import choose_device
from bcannot_core.training.store import load_state, replacing, save_state, tidy

PARALLEL = ("ddp", "fsdp")
_VALUES = "state.json"


@dataclass(frozen=True)
class World:
    """The processes that train together.

    Attributes
    ----------
    device : torch.device
        Of this process.
    rank, size : int
        Which of them this one is, and how many there are.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """Return every process's plain value, in the order of ranks."""
        if self.size == 1:
            return [value]
        gathered: list[Any] = [None] * self.size
        dist.all_gather_object(gathered, value)
        return gathered


@contextmanager
def joined(device: str) -> Iterator[World]:
    """Yield the world: that of torchrun where it started this process, this one alone otherwise.

    Parameters
    ----------
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = choose_device(device)
    if size == 1:
        yield World(chosen)
        return
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    if chosen.type == "cuda":
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    dist.init_process_group(
        "nccl" if chosen.type == "cuda" else "gloo",
        rank=rank,
        world_size=size,
        timeout=timedelta(hours=2),  # the others wait while the first one plays or saves
    )
    world = World(chosen, rank, size)
    try:
        yield world
        world.gather(None)  # no process takes its end down while another still talks to it
    finally:
        dist.destroy_process_group()


def spread(net: nn.Module, world: World, parallel: str) -> nn.Module:
    """Return a network that computes gradients over all processes; parameters keep their names.

    Parameters
    ----------
    net : nn.Module
        On this process's device, the same in all of them.
    world : World
        The processes.
    parallel : str
        ``"ddp"``: each has the whole network. ``"fsdp"``: each has a share of every parameter.

    Raises
    ------
    UsageError
        ``parallel`` is something else.
    """
    if parallel not in PARALLEL:
        raise UsageError(f"parallel is {parallel!r}: choose from {', '.join(PARALLEL)}")
    if world.size == 1:
        return net
    if parallel == "ddp":
        ids = [world.device] if world.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(net, device_ids=ids)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(world.device.type, (world.size,))
    for module in net.modules():
        if isinstance(module, nn.ModuleList):
            for layer in module:
                fully_shard(layer, mesh=mesh)
    fully_shard(net, mesh=mesh)
    return net


@contextmanager
def syncing(net: nn.Module, wanted: bool) -> Iterator[None]:
    """Let the backward pass inside add up gradients over processes, or in this one alone."""
    if isinstance(net, nn.parallel.DistributedDataParallel) and not wanted:
        with net.no_sync():
            yield
        return
    switch = getattr(net, "set_requires_gradient_sync", None)
    if switch is not None:
        switch(wanted)
    yield


def save_run_state(
    folder: Path,
    values: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    world: World,
    *,
    sharded: bool,
) -> None:
    """Write a state to go on from; every process must take part.

    Sharded tensors are written by all processes at once, with torch's distributed checkpoints, in
    safetensors files; the state before stays until the new one is whole.
    """
    if not sharded:
        if world.main:
            save_state(folder, values, tensors)
        world.gather(None)
        return
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    with _replacing_together(folder, world) as scratch:
        writer = HuggingFaceStorageWriter(str(scratch), save_distributed=True)
        with _quiet():
            save(dict(tensors), storage_writer=writer)
        if world.main:
            (scratch / _VALUES).write_text(json.dumps(values), encoding="utf-8")


@contextmanager
def _replacing_together(folder: Path, world: World) -> Iterator[Path]:
    if not world.main:
        yield Path(world.gather(None)[0])
        world.gather(None)
        return
    with replacing(folder) as scratch:
        world.gather(str(scratch))
        yield scratch
        world.gather(None)


def load_run_state(
    folder: Path, tensors: Mapping[str, Tensor], world: World
) -> tuple[dict[str, Any], Mapping[str, Tensor]] | None:
    """Return the values and tensors of a run's state, None where there is none yet.

    Parameters
    ----------
    folder : Path
        Where it was saved.
    tensors : mapping
        Those in use, named as the saved ones; a sharded state is read into them.
    world : World
        The processes; there may be more or fewer than those that saved it.

    Raises
    ------
    CheckpointError
        It is there but not readable.
    """
    if world.main:
        tidy(folder)
    world.gather(None)
    if not folder.is_dir() or list(folder.glob("state.safetensors")):
        return load_state(folder)
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load

    try:
        values = json.loads((folder / _VALUES).read_text(encoding="utf-8"))
        with _quiet():
            load(dict(tensors), storage_reader=HuggingFaceStorageReader(str(folder)))
    except (OSError, ValueError, CheckpointException) as error:
        raise CheckpointError(
            f"{folder} is not readable: {error}; remove it to start anew"
        ) from error
    return values, tensors


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what torch warns of its own doings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
