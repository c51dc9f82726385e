"""What the readers of untrusted skeleton files share: limits and errors."""

from pathlib import Path

from bcannot_core.errors import VolumeFormatError, VolumeNotFoundError

MAX_BYTES = 2**30
MAX_NODES = 5_000_000
MAX_NEURITES = 200_000
MAX_TEXT = 4_096
"""Longest name, comment or header value; longer ones are cut."""


def check_file(path: Path, what: str, limit: int = MAX_BYTES) -> None:
    """Refuse a file that is not there, no file, or too large.

    Raises
    ------
    VolumeNotFoundError, VolumeFormatError
        As said.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise VolumeFormatError(f"{path} is a folder, not {what}")
    except FileNotFoundError as error:
        raise VolumeNotFoundError(f"there is no file {path}") from error
    except OSError as error:
        raise VolumeFormatError(f"{path} cannot be read: {error.strerror}") from error
    if size > limit:
        raise VolumeFormatError(f"{path} has {size} bytes, more than {limit}: split it")


def clean(text: str) -> str:
    """Return a text from a file as one line of printable characters, not too long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:MAX_TEXT]).split())
