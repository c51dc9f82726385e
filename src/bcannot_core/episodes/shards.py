"""Shards of a dataset: Parquet files that are there whole or not at all."""

import contextlib
import errno
import os
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.schema import CLICK_NUMBERS, SCHEMA, encode, to_table
from bcannot_core.errors import DatasetError

SUFFIX = ".parquet"
GROUP_EPISODES = 256
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EXDEV)
_ASIDE = re.compile(r"\.(?P<host>[\w-]+)-(?P<pid>\d+)-[0-9a-f]{12}\.tmp")

# Numbers that hardly repeat go in plain, their bytes apart, so that zstd sees the high bytes, which
# seldom change, by themselves; all else is a code into a dictionary.
_SCATTERED = {f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in CLICK_NUMBERS}
_REPEATING = [
    field.name if not pa.types.is_list(field.type) else f"{field.name}.list.element"
    for field in SCHEMA
    if field.name not in (*CLICK_NUMBERS, "seed", "steps")
]


def write_shard(target: Path, episodes: Iterable[Episode]) -> None:
    """Write episodes as one shard with a given name, replacing one that is there.

    Raises
    ------
    DatasetError
        An episode cannot be stored or the file cannot be written.
    """
    write_tables(target, [to_table([encode(episode) for episode in episodes])])


def write_tables(target: Path, tables: Sequence[pa.Table]) -> None:
    """Write tables of ``SCHEMA``, one after the other, as one shard with a given name.

    How the rows are spread over the tables leaves no trace in the file.

    Raises
    ------
    DatasetError
        The file cannot be written.
    """
    with written_aside(pa.concat_tables(tables).combine_chunks(), target.parent) as aside:
        os.replace(aside, target)


@contextlib.contextmanager
def written_aside(table: pa.Table, folder: Path) -> Iterator[Path]:
    """Write a table to a hidden file of the folder, and take it away again."""
    aside = folder / f".{_host()}-{os.getpid()}-{os.urandom(6).hex()}.tmp"
    try:
        with aside.open("xb") as file:
            pq.write_table(
                table,
                file,
                row_group_size=GROUP_EPISODES,
                compression="zstd",
                compression_level=9,
                use_dictionary=_REPEATING,
                column_encoding=_SCATTERED,
                write_page_checksum=True,
                write_statistics=False,
            )
            file.flush()
            os.fsync(file.fileno())
        yield aside
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"cannot write dataset {folder}: {reason}") from error
    finally:
        aside.unlink(missing_ok=True)


def publish(aside: Path, target: Path) -> None:
    """Put a file in place, never over another: two writers may append at once."""
    try:
        os.link(aside, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError(target) from error
        os.replace(aside, target)


def remove_leftovers(folder: Path) -> None:
    """Remove what writers of this machine that were killed have left in a dataset's folder."""
    for path in folder.glob(".*.tmp"):
        found = _ASIDE.fullmatch(path.name)
        if found is not None and found["host"] == _host() and not _alive(int(found["pid"])):
            path.unlink(missing_ok=True)


def _host() -> str:
    return re.sub(r"[^\w]", "_", socket.gethostname()) or "host"


def _alive(pid: int) -> bool:
    if os.name == "nt":  # signal 0 would end the process there
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
