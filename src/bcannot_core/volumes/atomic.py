"""Writing files whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


def write_atomic(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name beside it, then rename it into place.

    Parameters
    ----------
    path : Path
        The file; what was there before stays until the new one is complete.
    fill : callable
        Gets the open binary file and writes into it.

    Raises
    ------
    OSError
        The file cannot be written; nothing has changed and no temporary file is left.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("xb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
