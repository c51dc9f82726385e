"""The columns of a dataset shard, and episodes to and from them. ``docs/formats.md`` lists them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bcannot_core.episodes.episode import MAX_CLICKS, DataRef, Episode, to_json
from bcannot_core.errors import DatasetError
from bcannot_core.session.clicks import ClickToken

FORMAT = "bcannot-dataset"
VERSION = 1
_FORMAT_KEY = b"bcannot.format"
_VERSION_KEY = b"bcannot.version"

CLICK_NUMBERS = {"x": pa.uint16(), "y": pa.uint16(), "flags": pa.uint16(), "ms": pa.uint32()}
CLICK_TEXTS = ("actor", "action")

SCHEMA = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("variant", pa.string(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("config", pa.string(), nullable=False),
        pa.field("volume", pa.string()),
        pa.field("labels", pa.string()),
        pa.field("start_zyx", pa.list_(pa.int64())),
        pa.field("voxel_nm", pa.list_(pa.float64())),
        pa.field("contrast", pa.list_(pa.float64())),
        pa.field("fingerprint", pa.string()),
        pa.field("steps", pa.int32(), nullable=False),
        *(pa.field(name, pa.list_(kind), nullable=False) for name, kind in CLICK_NUMBERS.items()),
        *(pa.field(name, pa.list_(pa.string()), nullable=False) for name in CLICK_TEXTS),
        pa.field("meta", pa.string(), nullable=False),
    ],
    metadata={_FORMAT_KEY: FORMAT.encode(), _VERSION_KEY: str(VERSION).encode()},
)


@dataclass(frozen=True)
class Row:
    """An episode ready to be stored: checked, its clicks in columns."""

    scalars: dict[str, Any]
    numbers: dict[str, NDArray[Any]]
    texts: dict[str, list[str]]

    def __len__(self) -> int:
        return int(self.scalars["steps"])


def encode(episode: Episode) -> Row:
    """Check an episode and put it in columns.

    Raises
    ------
    DatasetError
        A value does not fit its column.
    """
    if len(episode) > MAX_CLICKS:
        raise DatasetError(f"an episode has {len(episode)} clicks, more than {MAX_CLICKS}")
    if not 0 <= episode.seed < 1 << 63:
        raise DatasetError(f"an episode's seed is {episode.seed}: choose one from 0 to 2**63 - 1")
    data = episode.data
    scalars: dict[str, Any] = {
        "task": episode.task,
        "variant": episode.variant,
        "seed": int(episode.seed),
        "config": to_json(episode.config),
        "volume": None if data is None else data.volume,
        "labels": None if data is None else data.labels,
        "start_zyx": None if data is None else [int(c) for c in data.start_zyx],
        "voxel_nm": None if data is None else [float(c) for c in data.voxel_nm],
        "contrast": None if data is None else [float(c) for c in data.contrast],
        "fingerprint": None if data is None else data.fingerprint,
        "steps": len(episode),
        "meta": to_json(episode.meta),
    }
    numbers = {name: _column(episode.clicks, name, kind) for name, kind in CLICK_NUMBERS.items()}
    texts = {name: [getattr(click, name) for click in episode.clicks] for name in CLICK_TEXTS}
    return Row(scalars, numbers, texts)


def _column(clicks: Sequence[ClickToken], name: str, kind: Any) -> NDArray[Any]:
    dtype = np.dtype(kind.to_pandas_dtype())
    values = [getattr(click, name) for click in clicks]
    try:
        column = np.array(values, dtype=np.int64)
    except (OverflowError, TypeError, ValueError):
        column = np.array([-1], dtype=np.int64)
    if column.shape != (len(values),) or np.any((column < 0) | (column > np.iinfo(dtype).max)):
        wrong = next((v for v in values if not _fits(v, int(np.iinfo(dtype).max))), values)
        raise DatasetError(f"a click's {name} is {wrong!r}: it must be 0 to {np.iinfo(dtype).max}")
    return column.astype(dtype)


def _fits(value: object, most: int) -> bool:
    return hasattr(value, "__index__") and 0 <= int(value) <= most


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table of ``SCHEMA``."""
    offsets = pa.array(np.cumsum([0, *(len(row) for row in rows)]), pa.int32())
    columns: dict[str, Any] = {}
    for name, kind in CLICK_NUMBERS.items():
        values = np.concatenate([row.numbers[name] for row in rows])
        columns[name] = pa.ListArray.from_arrays(offsets, pa.array(values, kind))
    for name in CLICK_TEXTS:
        texts = [text for row in rows for text in row.texts[name]]
        columns[name] = pa.ListArray.from_arrays(offsets, pa.array(texts, pa.string()))
    for field in SCHEMA:
        if field.name not in columns:
            columns[field.name] = pa.array([row.scalars[field.name] for row in rows], field.type)
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def check_schema(schema: pa.Schema, name: str) -> None:
    """See that a shard has this format, this version and these columns.

    Raises
    ------
    DatasetError
        It has not.
    """
    metadata = schema.metadata or {}
    if metadata.get(_FORMAT_KEY) != FORMAT.encode():
        raise DatasetError(f"{name} is a Parquet file but not a shard of a bcannot dataset")
    version = metadata.get(_VERSION_KEY, b"").decode("utf-8", "replace")
    if version != str(VERSION):
        raise DatasetError(
            f"{name} has dataset version {version!r}, this program reads {VERSION}: "
            "generate it anew or use the program that wrote it"
        )
    for field in SCHEMA:
        position = schema.get_field_index(field.name)
        if position < 0 or schema.field(position).type != field.type:
            found = "missing" if position < 0 else f"of type {schema.field(position).type}"
            raise DatasetError(f"{name}: column {field.name!r} is {found}, not {field.type}")


class RowGroup:
    """Rows read from a shard; episodes are built one at a time.

    Raises
    ------
    DatasetError
        The columns of the clicks do not fit each other.
    """

    def __init__(self, table: pa.Table, name: str) -> None:
        self._name = name
        table = table.combine_chunks()
        scalars = table.select([name for name in SCHEMA.names if name not in _CLICK_COLUMNS])
        self._scalars: list[dict[str, Any]] = scalars.to_pylist()
        self._numbers: dict[str, NDArray[Any]] = {}
        self._texts: dict[str, tuple[NDArray[Any], list[Any]]] = {}
        self._offsets = np.zeros(table.num_rows + 1, dtype=np.int64)
        steps = table.column("steps").to_numpy()
        if table.num_rows:
            self._offsets[1:] = np.cumsum(steps)
            for column in _CLICK_COLUMNS:
                self._add(column, table.column(column).chunk(0))

    def _add(self, column: str, lists: Any) -> None:
        offsets = lists.offsets.to_numpy()
        values = lists.flatten()
        if lists.null_count or values.null_count:
            raise DatasetError(f"{self._name}: column {column!r} has empty entries")
        if not np.array_equal(offsets - offsets[0], self._offsets):
            raise DatasetError(
                f"{self._name}: column {column!r} does not have 'steps' values a row"
            )
        if column in CLICK_TEXTS:
            coded = values.dictionary_encode()
            self._texts[column] = (coded.indices.to_numpy(), coded.dictionary.to_pylist())
        else:
            self._numbers[column] = values.to_numpy()

    def __len__(self) -> int:
        return len(self._scalars)

    def __iter__(self) -> Iterator[Episode]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Episode:
        part = slice(int(self._offsets[index]), int(self._offsets[index + 1]))
        columns: dict[str, list[Any]] = {n: v[part].tolist() for n, v in self._numbers.items()}
        for name, (codes, vocabulary) in self._texts.items():
            columns[name] = [vocabulary[code] for code in codes[part].tolist()]
        clicks = tuple(map(ClickToken, *(columns[name] for name in ClickToken._fields)))
        row = self._scalars[index]
        return Episode(
            task=row["task"],
            config=self._mapping(row["config"]),
            data=None if row["volume"] is None else DataRef.from_dict(row),
            variant=row["variant"],
            seed=row["seed"],
            clicks=clicks,
            meta=self._mapping(row["meta"]),
        )

    def _mapping(self, text: str) -> dict[str, Any]:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError, TypeError):
            value = None
        if not isinstance(value, dict):
            raise DatasetError(f"{self._name}: {str(text)[:80]!r} is not a JSON object")
        return value


_CLICK_COLUMNS = (*CLICK_NUMBERS, *CLICK_TEXTS)
