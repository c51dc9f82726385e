"""Writing files of tensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from bcannot_core.errors import CheckpointError


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn what safetensors says of a full disk, and of any other, into one of our errors.

    Parameters
    ----------
    path : Path
        What is written.

    Raises
    ------
    CheckpointError
        It cannot be.
    """
    try:
        yield
    except SafetensorError as error:
        raise CheckpointError(f"cannot write {path}: {error}; is the disk full?") from error
