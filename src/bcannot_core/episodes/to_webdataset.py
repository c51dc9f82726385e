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
from bcannot_core.episodes.folders import whole_folder
from bcannot_core.episodes.replay import replay
from bcannot_core.errors import UsageError

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
    episodes : iterable of Episode
        What to write.
    out : path
        A folder, which gets ``bcannot-NNNNNN.tar``.
    shard_bytes : int
        A shard is closed after the episode with which it has become so large.
    progress : callable, optional
        Called with 1 after each episode.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        There are no episodes.
    DatasetError
        An episode cannot be replayed or a file cannot be written; nothing is left behind.
    """
    out = Path(out)
    with whole_folder(out, "tar files") as aside, ExitStack() as stack:
        number, shard = 0, None
        index = -1
        for index, episode in enumerate(episodes):
            if shard is None or shard.offset >= shard_bytes:
                if shard is not None:
                    shard.close()
                path = aside / f"bcannot-{number:06d}.tar"
                number += 1
                shard = stack.enter_context(tarfile.open(path, "w", format=tarfile.USTAR_FORMAT))
            for name, body in _members(index, episode):
                member = tarfile.TarInfo(name)
                member.size = len(body)
                shard.addfile(member, io.BytesIO(body))
            if progress is not None:
                progress(1)
        if index < 0:
            raise UsageError("there are no episodes to export")
    return out


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
