"""Row groups of a shard, read in bounded memory whatever the file makes of few bytes."""

import contextlib
import io
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bcannot_core.episodes.pages import Page, pages
from bcannot_core.episodes.schema import CLICK_NUMBERS, CLICK_TEXTS, SCHEMA, check_schema
from bcannot_core.errors import DatasetError

_MAX_ROWS = 65_536
_MAX_BYTES = 1 << 29
_MAX_VALUES = 1 << 27
_MAX_TEXT_BYTES = 1 << 28
_MAX_TEXT = 1 << 24
_VALUES_A_ROW = 8  # three at most, and as many again in a dictionary: beside the clicks
_CLICKS = (*CLICK_NUMBERS, *CLICK_TEXTS)


def group_rows(file: pq.ParquetFile, path: Path) -> Iterator[int]:
    """Yield the rows of each row group, after seeing that it promises to take bounded memory.

    Raises
    ------
    DatasetError
        It does not.
    """
    for i in range(file.num_row_groups):
        group = file.metadata.row_group(i)
        if not (0 <= group.num_rows <= _MAX_ROWS and group.total_byte_size <= _MAX_BYTES):
            raise DatasetError(
                f"{path}: row group {i} has {group.num_rows} rows, {group.total_byte_size} bytes, "
                f"more than {_MAX_ROWS} and {_MAX_BYTES}"
            )
        yield int(group.num_rows)


@contextlib.contextmanager
def open_shard(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a shard; its texts are read as codes into a dictionary, as they are in the file.

    Raises
    ------
    DatasetError
        The file is no shard of this version.
    ArrowException, OSError
        It cannot be read.
    """
    checked: dict[str, Any] = {"page_checksum_verification": True}
    with pq.ParquetFile(
        path, thrift_string_size_limit=1 << 24, thrift_container_size_limit=1 << 20, **checked
    ) as file:
        check_schema(file.schema_arrow, str(path))
        texts = [leaf for _, name, leaf in _leaves(file, SCHEMA.names) if _is_text(name)]
        metadata = file.metadata
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=texts, **checked) as file:
        yield file


def read_group(file: pq.ParquetFile, path: Path, number: int, columns: Sequence[str]) -> pa.Table:
    """Read some of the columns of a row group.

    Parameters
    ----------
    file : ParquetFile
        The shard, by :func:`open_shard`.
    path : path
        Where it is.
    number : int
        The row group, from 0.
    columns : sequence of str
        Names of columns.

    Raises
    ------
    DatasetError
        It would take more memory than a row group may.
    ArrowException, OSError
        The file is damaged.
    """
    _check_pages(file, path, number, columns)
    table = file.read_row_group(number, columns=list(columns))
    _check_texts(table, f"{path}: row group {number}")
    fields = [field.with_type(SCHEMA.field(field.name).type) for field in table.schema]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def _leaves(file: pq.ParquetFile, columns: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Yield number, name and path of the columns as Parquet counts them."""
    for i in range(len(file.schema)):
        leaf = file.schema.column(i).path
        name = leaf.partition(".")[0]
        if name in columns:
            yield i, name, leaf


def _is_text(name: str) -> bool:
    return name in CLICK_TEXTS or pa.types.is_string(SCHEMA.field(name).type)


def _check_pages(file: pq.ParquetFile, path: Path, number: int, columns: Sequence[str]) -> None:
    _check_footer(file, path, number, columns)
    group = file.metadata.row_group(number)
    size = total = 0
    with path.open("rb") as raw, _bytes(raw, path) as data:
        for i, name, _ in _leaves(file, columns):
            most = _MAX_VALUES - total
            if name not in _CLICKS:
                most = min(most, _VALUES_A_ROW * group.num_rows)
            values = 0
            for page in _pages(data, group.column(i), path):
                size, values = size + page.decompressed, values + page.values
                if size > _MAX_BYTES or values > most:
                    raise DatasetError(
                        f"{path}: row group {number} has {size} bytes or more as far as column "
                        f"{name!r}, {values} values or more in it: more than {_MAX_BYTES} or {most}"
                    )
            total += values


class _Silent(io.RawIOBase):
    """A file of some size that gives nothing, and knows whether it was asked."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0
        self.asked = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        self.asked = True
        return b""


def _check_footer(file: pq.ParquetFile, path: Path, number: int, columns: Sequence[str]) -> None:
    """See that pyarrow can make something of what the footer says of the columns.

    Where it cannot, it raises an error as it reads them, but ends the process where it is asked
    about them. So it reads them first, from a file that gives nothing: it has understood the
    footer when it asks for bytes.
    """
    silent = _Silent(path.stat().st_size)
    try:
        with pq.ParquetFile(silent, metadata=file.metadata, pre_buffer=True) as hollow:
            hollow.read_row_group(number, columns=list(columns))
    except (pa.ArrowException, OSError):
        if not silent.asked:
            raise


def _bytes(raw: BinaryIO, path: Path) -> mmap.mmap:
    try:
        return mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # there are none
        raise DatasetError(f"{path} is damaged or no dataset shard: {error}") from error


def _pages(data: mmap.mmap, chunk: Any, path: Path) -> Iterator[Page]:
    starts = (chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
    try:
        yield from pages(data, min(starts), chunk.num_values)
    except ValueError as error:
        raise DatasetError(f"{path} is damaged or no dataset shard: {error}") from error


def _check_texts(table: pa.Table, where: str) -> None:
    """See that texts are not too long, each and together, before they are made of their codes."""
    total = 0
    for name, column in zip(table.column_names, table.columns, strict=True):
        for chunk in column.chunks if _is_text(name) else ():
            texts = chunk.flatten() if pa.types.is_list(chunk.type) else chunk
            longest, size = _text_sizes(texts)
            total += size
            if longest > _MAX_TEXT or total > _MAX_TEXT_BYTES:
                raise DatasetError(
                    f"{where} has texts of {total} bytes as far as column {name!r}, one of "
                    f"{longest}: more than {_MAX_TEXT_BYTES} or {_MAX_TEXT}"
                )


def _text_sizes(texts: pa.DictionaryArray) -> tuple[int, int]:
    """Return at least the bytes of the longest text and of all together; exactly if they matter."""
    longest = texts.dictionary.nbytes
    if longest * len(texts) <= _MAX_TEXT:
        return longest, longest * len(texts)
    lengths = pc.binary_length(texts.dictionary).cast(pa.int64())
    return pc.max(lengths).as_py() or 0, pc.sum(lengths.take(texts.indices)).as_py() or 0
