"""What the pages of a Parquet file hold, by their own headers.

A decoder makes room for what the header of each page says, whatever the footer promised, and a page
of some bytes may say that it holds two thousand million values. So the headers are read first.
Their form: ``parquet.thrift``, in the compact protocol of Thrift.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _STRUCT = *range(9), 12
_KIND, _UNCOMPRESSED, _COMPRESSED = 1, 2, 3  # fields of a header
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3  # kinds of page
_INNER = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}  # the field with what only this kind has
_VALUES = 1  # a field of these
_MAX_FIELD = 100
_MAX_DEPTH = 4
_MAX_I32 = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says that it takes: bytes when decompressed, and values."""

    decompressed: int
    values: int


def pages(data: bytes | mmap, start: int, values: int) -> Iterator[Page]:
    """Yield the pages of a column in a row group, as many as a decoder would read.

    Parameters
    ----------
    data : bytes or mmap
        The file.
    start : int
        Where the first page begins.
    values : int
        The values that the column is said to have.

    Raises
    ------
    ValueError
        There is no such page header.
    """
    while values > 0:
        header = _Header(data, start)
        fields = header.fields()
        kind, inner = fields.get(_KIND), fields.get(_INNER.get(_whole(fields.get(_KIND)), 0))
        count = _whole(inner.get(_VALUES)) if isinstance(inner, dict) else 0
        if kind in _INNER and not isinstance(inner, dict):
            raise ValueError("a page does not say how many values it has")
        yield Page(_whole(fields.get(_UNCOMPRESSED)), count)
        if kind in (_DATA, _DATA_V2):
            values -= count
        start = header.at + _whole(fields.get(_COMPRESSED))


_Fields = dict[int, "int | _Fields"]


def _whole(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MAX_I32:
        raise ValueError(f"a page header says {value} where a size belongs")
    return value


class _Header:
    """Reads numbers and structures from a place on; other fields are passed over."""

    def __init__(self, data: bytes | mmap, at: int) -> None:
        self._data = data
        self.at = at

    def fields(self, depth: int = 0) -> _Fields:
        if depth > _MAX_DEPTH:
            raise ValueError("a page header is nested too deeply")
        found: _Fields = {}
        number = 0
        while (byte := self._byte()) & 15 != _STOP:
            kind, step = byte & 15, byte >> 4
            number = number + step if step else self._signed()
            if not 0 < number <= _MAX_FIELD:
                raise ValueError(f"a page header has a field {number}")
            if kind == _I32:
                found[number] = self._signed()
            elif kind == _STRUCT:
                found[number] = self.fields(depth + 1)
            else:
                self._pass_over(kind)
        return found

    def _pass_over(self, kind: int) -> None:
        if kind in (_I16, _I64):
            self._varint()
        elif kind == _BINARY:
            size = _whole(self._varint())
            self.at += size
        elif kind in (_BYTE, _DOUBLE):
            self.at += 1 if kind == _BYTE else 8
        elif kind not in (_TRUE, _FALSE):
            raise ValueError(f"a page header has a field of kind {kind}")

    def _byte(self) -> int:
        if not 0 <= self.at < len(self._data):
            raise ValueError("a page header is cut off")
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a page header has a number that does not end")

    def _signed(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
