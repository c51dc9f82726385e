"""The state of a run on disk: tensors and plain values, replaced as a whole; and its log."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bcannot_core.errors import CheckpointError
from bcannot_core.policy.tensors import written

_VALUES = "state.json"
_TENSORS = "state.safetensors"


def save_state(folder: Path, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a state; the one before stays until the new one is whole.

    Raises
    ------
    CheckpointError, OSError
        The disk is full, or cannot be written to.
    """
    with replacing(folder) as scratch:
        whole = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        with written(folder / _TENSORS):
            save_file(whole, scratch / _TENSORS)
        (scratch / _VALUES).write_text(json.dumps(values), encoding="utf-8")


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of another one when it was filled.

    What a kill leaves behind is put right by :func:`load_state`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    old = scratch.with_name(scratch.name + "-old")
    try:
        yield scratch
        if folder.exists():
            folder.replace(old)
        scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def load_state(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Return the state of a run, None where there is none yet.

    What a kill left while a state was being replaced is put right first.

    Raises
    ------
    CheckpointError
        It is there but not readable.
    """
    tidy(folder)
    if not folder.is_dir():
        return None
    try:
        values = json.loads((folder / _VALUES).read_text(encoding="utf-8"))
        return values, load_file(folder / _TENSORS)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} is not readable: {error}; remove it to start anew"
        ) from error


def tidy(folder: Path) -> None:
    """Bring back a state that was moved aside and not yet replaced; remove half-written ones."""
    left = sorted(folder.parent.glob(f".{folder.name}-*"))
    for path in left:
        if path.name.endswith("-old") and not folder.exists():
            path.replace(folder)
    for path in left:
        shutil.rmtree(path, ignore_errors=True)


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
        if path.exists():
            self._replace([line for line in self._lines() if _is_whole(line)])

    def rewind(self, stage: str, update: int) -> None:
        """Drop lines of a stage at or after an update."""
        if not self.path.exists():
            return
        kept = []
        for line in self._lines():
            entry = json.loads(line)
            if entry.get("stage") != stage or entry.get("update", -1) < update:
                kept.append(line)
        self._replace(kept)

    def _lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8", errors="replace").splitlines()

    def _replace(self, lines: list[str]) -> None:
        scratch = self.path.with_name(f".{self.path.name}-new")
        scratch.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        scratch.replace(self.path)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append an entry."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def environment() -> dict[str, Any]:
    """Return what a log begins with: versions and threads."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads()}
