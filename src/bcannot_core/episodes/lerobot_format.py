"""Names, schemas and descriptions of LeRobotDataset v3."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bcannot_core.episodes.video import CODEC, PIXEL_FORMAT
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.tasks.registry import task_class

VERSION = "v3.0"
SCREEN = "observation.images.screen"
STATE, ACTION = "observation.state", "action"
INFO_PATH, STATS_PATH = "meta/info.json", "meta/stats.json"
TASKS_PATH = "meta/tasks.parquet"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FILES_IN_CHUNK = 1000
DATA_MB, VIDEO_MB = 100, 200

_TYPES: Mapping[str, Any] = {
    "float32": pa.float32(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
}


class FileNumber(NamedTuple):
    """Which file of which chunk."""

    chunk: int = 0
    file: int = 0

    def next(self) -> Self:
        """Return the file after it."""
        over, file = divmod(self.file + 1, FILES_IN_CHUNK)
        return self._replace(chunk=self.chunk + over, file=file)


def features(size_wh: tuple[int, int], *, fps: int, images: bool) -> dict[str, dict[str, Any]]:
    """Return what ``info.json`` says of the columns."""
    width, height = size_wh
    screen: dict[str, Any] = {
        "dtype": "image" if images else "video",
        "shape": [height, width, 3],
        "names": ["height", "width", "channels"],
    }
    if not images:
        screen["info"] = {
            "video.height": height,
            "video.width": width,
            "video.codec": CODEC,
            "video.pix_fmt": PIXEL_FORMAT,
            "video.is_depth_map": False,
            "video.fps": fps,
            "video.channels": 3,
            "has_audio": False,
        }
    return {SCREEN: screen, **_COLUMNS}


def _feature(dtype: str, names: Sequence[str] | None = None) -> dict[str, Any]:
    return {
        "dtype": dtype,
        "shape": [1 if names is None else len(names)],
        "names": None if names is None else list(names),
    }


_COLUMNS: Mapping[str, dict[str, Any]] = {
    STATE: _feature("float32", ("x", "y")),
    ACTION: _feature("float32", ("x", "y")),
    "click.action": _feature("string"),
    "click.actor": _feature("string"),
    "click.flags": _feature("int64"),
    "click.ms": _feature("int64"),
    "next.done": _feature("bool"),
    "next.reward": _feature("float32"),
    "timestamp": _feature("float32"),
    "frame_index": _feature("int64"),
    "episode_index": _feature("int64"),
    "index": _feature("int64"),
    "task_index": _feature("int64"),
}


def info(
    size_wh: tuple[int, int], *, fps: int, images: bool, totals: Mapping[str, int]
) -> dict[str, Any]:
    """Return ``info.json``."""
    return {
        "codebase_version": VERSION,
        "robot_type": "bcannot",
        **{f"total_{name}": count for name, count in totals.items()},
        "chunks_size": FILES_IN_CHUNK,
        "data_files_size_in_mb": DATA_MB,
        "video_files_size_in_mb": VIDEO_MB,
        "fps": fps,
        "splits": {"train": f"0:{totals['episodes']}"},
        "data_path": DATA_PATH,
        "video_path": None if images else VIDEO_PATH,
        "features": features(size_wh, fps=fps, images=images),
    }


def rows(columns: Mapping[str, NDArray[Any]], pictures: Sequence[bytes]) -> pa.Table:
    """Return an episode's rows; pictures as PNG files where there are any."""
    arrays: dict[str, pa.Array] = {}
    if pictures:
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        named = [{"bytes": body, "path": f"frame-{i:06d}.png"} for i, body in enumerate(pictures)]
        arrays[SCREEN] = pa.array(named, kind)
    for name, values in columns.items():
        kind = _TYPES[_COLUMNS[name]["dtype"]]
        if values.ndim == 1:
            arrays[name] = pa.array(values, kind)
        else:
            flat = pa.array(np.ravel(values), kind)
            arrays[name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.table(arrays)


def task_table(tasks: Sequence[str]) -> pa.Table:
    """Return the instructions with their numbers; for pandas the instruction is the index."""
    column = {"field_name": "task_index", "name": "task_index", "pandas_type": "int64"}
    index = {"field_name": "task", "name": "task", "pandas_type": "unicode"}
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {**column, "numpy_type": "int64", "metadata": None},
            {**index, "numpy_type": "object", "metadata": None},
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": list(tasks)})
    return table.replace_schema_metadata({b"pandas": json.dumps(pandas).encode()})


def instruction(task_id: str) -> str:
    """Return what a task asks for in words: the first line of its module's text, or its id."""
    try:
        home = sys.modules[task_class(task_id).__module__]
    except (UsageError, TaskError):
        return task_id
    return (home.__doc__ or task_id).strip().partition("\n")[0]
