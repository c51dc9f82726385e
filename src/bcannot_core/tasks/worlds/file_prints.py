"""Fingerprints of the user's files that worlds are drawn from."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bcannot_core.errors import UsageError

_BLOCK = 16_384


def fingerprint_files(root: str | Path, files: Sequence[Path]) -> str:
    """Return a short hash of files: their places below a folder, sizes, and parts of each.

    Of a file longer than 48 kB the beginning, the middle and the end count.

    Parameters
    ----------
    root : str or Path
        The folder; where it lies does not count.
    files : sequence of Path
        The files in it, in the order in which they are drawn from.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    UsageError
        A file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=8)
    top = Path(root).expanduser()
    for path in files:
        try:
            size = path.stat().st_size
            name = path.relative_to(top).as_posix()
            digest.update(repr((name, size)).encode("utf-8", "surrogateescape"))
            with path.open("rb") as file:
                for start in sorted({0, max(0, (size - _BLOCK) // 2), max(0, size - _BLOCK)}):
                    file.seek(start)
                    digest.update(file.read(_BLOCK))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
