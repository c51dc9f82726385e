"""Export to WebDataset: tar files of steps, a PNG of the frame and a JSON of the click for each."""

import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bcannot_core.episodes.episode import Episode, to_json
from bcannot_core.episodes.folders import write_episodes
from bcannot_core.episodes.replay import replay

SHARD_BYTES = 256 * 2**20
_PNG_EFFORT = 4


def export_webdataset(
    episodes: Iterable[Episode],
    out: str | os.PathLike[str],
    *,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write episodes as tar files that the webdataset package reads.

    A sample is one step; its key is ``EPISODE-STEP``, counted from 0. ``png`` is the frame before
    the click, exactly as it was seen, ``json`` the click with what its episode is. The steps of
    an episode follow each other and lie in one shard.

    Parameters
    ----------
    episodes, out, progress
        What to write and the folder that gets ``bcannot-NNNNNN.tar``, as for
        :func:`~bcannot_core.episodes.folders.write_episodes`, with its result and errors.
    shard_bytes : int
        A shard is closed after the episode with which it has become so large.
    """

    def begin(folder: Path, stack: ExitStack) -> _Writer:
        return _Writer(folder, stack, shard_bytes)

    return write_episodes(episodes, Path(out), "tar files", begin, progress)


class _Writer:
    """Tar files under way."""

    def __init__(self, folder: Path, stack: ExitStack, shard_bytes: int) -> None:
        self._folder, self._stack, self._shard_bytes = folder, stack, shard_bytes
        self._shard: tarfile.TarFile | None = None
        self._shards = self._episodes = 0

    def add(self, episode: Episode) -> None:
        """Write one episode."""
        shard = self._shard or self._begin_shard()
        for name, body in _members(self._episodes, episode):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            shard.addfile(member, io.BytesIO(body))
        self._episodes += 1
        if shard.offset >= self._shard_bytes:
            shard.close()
            self._shard = None

    def _begin_shard(self) -> tarfile.TarFile:
        path = self._folder / f"bcannot-{self._shards:06d}.tar"
        tar = tarfile.TarFile(path, "w", format=tarfile.USTAR_FORMAT)
        shard = self._stack.enter_context(tar)
        self._shard, self._shards = shard, self._shards + 1
        return shard

    def finish(self) -> None:
        """Leave the last shard to the stack, which closes it."""


def _members(index: int, episode: Episode) -> Iterator[tuple[str, bytes]]:
    last = len(episode) - 1
    of_episode = {
        "episode": index,
        "task": episode.task,
        "variant": episode.variant,
        "seed": episode.seed,
        "config": dict(episode.config),
        "meta": dict(episode.meta),
    }
    for number, step in enumerate(replay(episode, copy=False)):
        key = f"{index:08d}-{number:06d}"
        body: dict[str, Any] = {**step.click._asdict(), "step": number, "last": number == last}
        yield f"{key}.png", png_bytes(step.frame)
        yield f"{key}.json", to_json({**of_episode, **body}).encode()


def png_bytes(frame: NDArray[np.uint8]) -> bytes:
    """Return a frame as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, format="PNG", compress_level=_PNG_EFFORT)
    return file.getvalue()
