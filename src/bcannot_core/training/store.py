"""The state of a run on disk: tensors and plain values, replaced as a whole; and its log."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bcannot_core.errors import CheckpointError

_VALUES = "state.json"
_TENSORS = "state.safetensors"


def save_state(folder: Path, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a state; the one before stays until the new one is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    old = scratch.with_name(scratch.name + "-old")
    try:
        whole = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        save_file(whole, scratch / _TENSORS)
        (scratch / _VALUES).write_text(json.dumps(values), encoding="utf-8")
        if folder.exists():
            folder.replace(old)
        scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def load_state(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Return the state of a run, None where there is none yet.

    Raises
    ------
    CheckpointError
        It is there but not readable.
    """
    if not folder.is_dir():
        return None
    try:
        values = json.loads((folder / _VALUES).read_text(encoding="utf-8"))
        return values, load_file(folder / _TENSORS)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} is not readable: {error}; remove it to start anew"
        ) from error


class RunLog:
    """A log of a run, one JSON object a line; resuming cuts it back to where it goes on.

    Parameters
    ----------
    path : Path
        The log file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def rewind(self, stage: str, update: int) -> None:
        """Drop lines of a stage at or after an update."""
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines()
        kept = []
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("stage") != stage or entry.get("update", -1) < update:
                kept.append(line)
        self.path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append an entry."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def environment() -> dict[str, Any]:
    """Return what a log begins with: versions and threads."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads()}
