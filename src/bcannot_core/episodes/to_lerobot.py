"""Export to LeRobotDataset v3: a row for each step, frames as video or as exact pictures.

The format: ``data/chunk-NNN/file-NNN.parquet`` has a row for each frame of many episodes,
``videos/KEY/chunk-NNN/file-NNN.mp4`` their frames one after the other,
``meta/episodes/chunk-NNN/file-NNN.parquet`` says where each episode is, and ``meta/info.json``,
``meta/stats.json`` and ``meta/tasks.parquet`` describe the whole.
"""

import json
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bcannot_core.episodes import lerobot_format as form
from bcannot_core.episodes.episode import Episode, to_json
from bcannot_core.episodes.folders import write_episodes
from bcannot_core.episodes.lerobot_stats import FrameStats, add_up, of_column
from bcannot_core.episodes.replay import replay
from bcannot_core.episodes.to_webdataset import png_bytes
from bcannot_core.episodes.video import Video
from bcannot_core.errors import UsageError

_VIDEO_OPTIONS = ("-g", "4", "-bf", "0", "-crf", "18")


@dataclass(frozen=True)
class LeRobotOptions:
    """How episodes are written.

    Attributes
    ----------
    fps : int
        Frames a second that the steps are said to have been taken with.
    images : bool
        Keep frames as PNG in the rows, exactly, rather than as video.
    data_mb, video_mb : float
        A file of rows, or of video, is closed after the episode with which it has become so large.
    """

    fps: int = 10
    images: bool = False
    data_mb: float = form.DATA_MB
    video_mb: float = form.VIDEO_MB

    def __post_init__(self) -> None:
        if self.fps < 1:
            raise UsageError(f"{self.fps} frames a second: choose 1 or more")


def export_lerobot(
    episodes: Iterable[Episode],
    out: str | os.PathLike[str],
    options: LeRobotOptions | None = None,
    *,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write episodes as a LeRobotDataset v3.

    ``observation.images.screen`` is the frame before a click, ``action`` the click (x, y) in frame
    pixels, ``observation.state`` the click before (the middle of the screen at first),
    ``next.reward`` 1 for the last click of an episode that succeeded. ``click.action``,
    ``click.actor``, ``click.flags`` and ``click.ms`` are those of the click token. An episode's
    ``bcannot`` in ``meta/episodes`` has what it was made of.

    Parameters
    ----------
    episodes, out, progress
        What to write and a new folder for it, as for
        :func:`~bcannot_core.episodes.folders.write_episodes`, with its result and errors.
    options : LeRobotOptions, optional
        How to write.

    Raises
    ------
    UsageError
        There are no frames, too, their sizes differ, or video is asked for and imageio-ffmpeg is
        missing.
    """

    def begin(folder: Path, stack: ExitStack) -> _Writer:
        return _Writer(folder, options or LeRobotOptions(), stack)

    return write_episodes(episodes, Path(out), "a LeRobotDataset", begin, progress)


class _Writer:
    """What has been written so far."""

    def __init__(self, folder: Path, options: LeRobotOptions, stack: ExitStack) -> None:
        self.folder, self.options = folder, options
        self._stack = stack
        self._tasks: dict[str, int] = {}
        self._records: list[dict[str, Any]] = []
        self._stats: list[dict[str, dict[str, Any]]] = []
        self._frames = 0
        self._size_wh: tuple[int, int] | None = None
        self._data: pq.ParquetWriter | None = None
        self._data_file, self._video_file = form.FileNumber(), form.FileNumber()
        self._video: Video | None = None
        self._video_frames = 0

    def add(self, episode: Episode) -> None:
        """Write one episode; one without clicks has no frames and is left out."""
        if not len(episode):
            return
        text = form.instruction(episode.task)
        task = self._tasks.setdefault(text, len(self._tasks))
        pictures: list[bytes] = []
        seen = FrameStats(len(episode))
        first = self._video_frames
        for step in replay(episode, copy=False):
            self._see(step.frame)
            seen.add(step.frame)
            if self.options.images:
                pictures.append(png_bytes(step.frame))
            else:
                self._video_for(step.frame).add(step.frame)
                self._video_frames += 1
        columns = self._columns(episode, task)
        stats = {name: of_column(values) for name, values in columns.items() if values.dtype != "O"}
        self._stats.append({form.SCREEN: seen.result(), **stats})
        self._write_rows(columns, pictures)
        record = {
            "episode_index": len(self._records),
            "tasks": [text],
            "length": len(episode),
            "data/chunk_index": self._data_file.chunk,
            "data/file_index": self._data_file.file,
            "dataset_from_index": self._frames,
            "dataset_to_index": self._frames + len(episode),
            "bcannot": to_json(
                {
                    "task": episode.task,
                    "variant": episode.variant,
                    "seed": episode.seed,
                    "config": episode.config,
                    "data": None if episode.data is None else episode.data.to_dict(),
                    "meta": episode.meta,
                }
            ),
        }
        if not self.options.images:
            where = f"videos/{form.SCREEN}"
            record |= {
                f"{where}/chunk_index": self._video_file.chunk,
                f"{where}/file_index": self._video_file.file,
                f"{where}/from_timestamp": first / self.options.fps,
                f"{where}/to_timestamp": self._video_frames / self.options.fps,
            }
        self._records.append(record)
        self._frames += len(episode)
        self._close_large_files()

    def _see(self, frame: NDArray[np.uint8]) -> None:
        size_wh = frame.shape[1], frame.shape[0]
        self._size_wh = self._size_wh or size_wh
        if size_wh != self._size_wh:
            raise UsageError(
                f"frames of {size_wh[0]}×{size_wh[1]} and {self._size_wh[0]}×{self._size_wh[1]} do "
                "not go into one LeRobotDataset: export the tasks one by one"
            )

    def _columns(self, episode: Episode, task: int) -> dict[str, NDArray[Any]]:
        """Return the values of every feature but the frames."""
        n, clicks = len(episode), episode.clicks
        xy = np.array([(click.x, click.y) for click in clicks], dtype=np.float32)
        width, height = self._size_wh or (0, 0)
        before = np.concatenate([np.array([[width // 2, height // 2]], dtype=np.float32), xy[:-1]])
        done = np.arange(n) == n - 1
        return {
            form.STATE: before,
            form.ACTION: xy,
            "click.action": np.array([click.action for click in clicks], dtype=object),
            "click.actor": np.array([click.actor for click in clicks], dtype=object),
            "click.flags": np.array([click.flags for click in clicks], dtype=np.int64),
            "click.ms": np.array([click.ms for click in clicks], dtype=np.int64),
            "next.done": done,
            "next.reward": (done & bool(episode.meta.get("success"))).astype(np.float32),
            "timestamp": (np.arange(n) / self.options.fps).astype(np.float32),
            "frame_index": np.arange(n),
            "episode_index": np.full(n, len(self._records)),
            "index": np.arange(self._frames, self._frames + n),
            "task_index": np.full(n, task),
        }

    def _write_rows(self, columns: dict[str, NDArray[Any]], pictures: list[bytes]) -> None:
        """Write an episode's rows as a row group of their own."""
        table = form.rows(columns, pictures)
        if self._data is None:
            path = self._place(form.DATA_PATH, self._data_file)
            options = {"compression": "snappy", "use_dictionary": True}
            self._data = self._stack.enter_context(pq.ParquetWriter(path, table.schema, **options))
        self._data.write_table(table)

    def _video_for(self, frame: NDArray[np.uint8]) -> Video:
        if self._video is None:
            path = self._place(form.VIDEO_PATH, self._video_file)
            size_wh = frame.shape[1], frame.shape[0]
            video = Video(path, size_wh, self.options.fps, _VIDEO_OPTIONS)
            self._video = self._stack.enter_context(video)
        return self._video

    def _place(self, template: str, number: form.FileNumber) -> Path:
        name = template.format(
            video_key=form.SCREEN, chunk_index=number.chunk, file_index=number.file
        )
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _close_large_files(self) -> None:
        if self._data is not None and self._large(form.DATA_PATH, self._data_file):
            self._data.close()
            self._data, self._data_file = None, self._data_file.next()
        if self._video is not None and self._large(form.VIDEO_PATH, self._video_file):
            self._video.close()
            self._video, self._video_file = None, self._video_file.next()
            self._video_frames = 0

    def _large(self, template: str, number: form.FileNumber) -> bool:
        most_mb = self.options.data_mb if template == form.DATA_PATH else self.options.video_mb
        path = self._place(template, number)
        return path.exists() and path.stat().st_size >= most_mb * 2**20

    def finish(self) -> None:
        """Write what describes the whole."""
        if self._size_wh is None:
            raise UsageError("there are no steps to export")
        for record, stats in zip(self._records, self._stats, strict=True):
            record |= {
                f"stats/{name}/{figure}": value
                for name, of in stats.items()
                for figure, value in of.items()
            }
        records = [
            {**record, "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
            for record in self._records
        ]
        path = self._place(form.EPISODES_PATH, form.FileNumber())
        pq.write_table(pa.Table.from_pylist(records), path, compression="snappy")
        pq.write_table(form.task_table(list(self._tasks)), self.folder / form.TASKS_PATH)
        info = form.info(
            self._size_wh,
            fps=self.options.fps,
            images=self.options.images,
            totals={"episodes": len(records), "frames": self._frames, "tasks": len(self._tasks)},
        )
        for name, body in ((form.INFO_PATH, info), (form.STATS_PATH, add_up(self._stats))):
            (self.folder / name).write_text(json.dumps(body, indent=4) + "\n", encoding="utf-8")
