"""Pictures of an episode: an animated GIF, a video, or a folder of PNG files."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bcannot_core.annotators.behaviour import Flag
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.folders import whole_folder
from bcannot_core.episodes.replay import Replay
from bcannot_core.episodes.video import Video
from bcannot_core.errors import DatasetError, UsageError
from bcannot_core.session.clicks import ClickToken
from bcannot_core.volumes import Volume

Frames = Iterator[NDArray[np.uint8]]
Progress = Callable[[int, int], None]

_COLOURS = {"person": (255, 255, 255), "policy": (255, 90, 220), "annotator": (60, 255, 120)}
_MISTAKE = (255, 60, 60)
_PALETTE_FRAMES = 8


def export_episode(
    episode: Episode,
    path: str | os.PathLike[str],
    *,
    fps: float = 4.0,
    marks: bool = True,
    volume: Volume | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write an episode as pictures, each click marked on the frame that it was made on.

    Parameters
    ----------
    episode : Episode
        What to replay.
    path : path
        ``.gif`` or ``.mp4``; anything without a suffix is a folder of PNG files.
    fps : float
        Frames a second, 0.1 to 50.
    marks : bool
        Whether to mark clicks: white for a person, pink for a policy, green for an annotator, red
        for an annotator's mistake.
    volume : Volume, optional
        The episode's volume, where its address cannot be opened here.
    progress : callable, optional
        Called with the number of frames done and of all frames.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    UsageError
        The suffix or ``fps`` cannot be, or a video is asked for and imageio-ffmpeg is missing.
    DatasetError
        The episode cannot be replayed or the file cannot be written; nothing is left behind.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".gif", ".mp4", ""):
        raise UsageError(f"cannot write {path}: choose a name ending in .gif or .mp4, or a folder")
    if not 0.1 <= fps <= 50:
        raise UsageError(f"{fps} frames a second: choose 0.1 to 50")
    frames = marked_frames(episode, marks=marks, volume=volume, progress=progress)
    try:
        if suffix == ".gif":
            _write_gif(path, frames, fps, _palette(episode, marks, volume))
        elif suffix == ".mp4":
            _write_mp4(path, frames, fps)
        else:
            _write_folder(path, frames)
    except OSError as error:
        raise DatasetError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def marked_frames(
    episode: Episode,
    *,
    marks: bool = True,
    volume: Volume | None = None,
    progress: Progress | None = None,
) -> Frames:
    """Yield the frames of an episode, clicks marked, and the one after the last click."""
    run = Replay(episode, volume=volume)
    for number, step in enumerate(run, start=1):
        if marks:
            mark_click(step.frame, step.click)
        yield step.frame
        if progress is not None:
            progress(number, len(episode) + 1)
    yield run.session.frame().copy()
    if progress is not None:
        progress(len(episode) + 1, len(episode) + 1)


def mark_click(frame: NDArray[np.uint8], click: ClickToken) -> None:
    """Draw a cross with an open middle on a frame, in place."""
    colour = _MISTAKE if click.flags & Flag.MISTAKE else _COLOURS.get(click.actor, (255, 255, 255))
    height, width = frame.shape[:2]
    for shade, thick in (((0, 0, 0), 1), (colour, 0)):
        for low, high in ((-9, -3), (4, 10)):
            across = slice(max(0, click.x - thick), min(width, click.x + 1 + thick))
            along = slice(max(0, click.y + low), max(0, min(height, click.y + high)))
            frame[along, across] = shade
            across = slice(max(0, click.y - thick), min(height, click.y + 1 + thick))
            along = slice(max(0, click.x + low), max(0, min(width, click.x + high)))
            frame[across, along] = shade


@contextlib.contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Give a file name to write to; the file takes its place when all went well."""
    aside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _palette(episode: Episode, marks: bool, volume: Volume | None) -> Image.Image:
    """Return one palette for all frames, so that what does not change costs nothing."""
    wanted = set(np.linspace(0, len(episode), _PALETTE_FRAMES).astype(int).tolist())
    frames = marked_frames(episode, marks=marks, volume=volume)
    sample = [frame for i, frame in enumerate(frames) if i in wanted]
    return Image.fromarray(np.concatenate(sample)).quantize(256)


def _write_gif(path: Path, frames: Frames, fps: float, palette: Image.Image) -> None:
    plain = Image.Dither.NONE
    pictures = (Image.fromarray(f).quantize(palette=palette, dither=plain) for f in frames)
    with _aside(path) as aside:
        next(pictures).save(
            aside,
            format="GIF",
            save_all=True,
            append_images=pictures,
            duration=max(20, round(1000 / fps)),
            loop=0,
        )


def _write_mp4(path: Path, frames: Frames, fps: float) -> None:
    first = next(frames)
    with _aside(path) as aside, Video(aside, (first.shape[1], first.shape[0]), fps) as video:
        video.add(first)
        for frame in frames:
            video.add(frame)


def _write_folder(path: Path, frames: Frames) -> None:
    with whole_folder(path, "frames") as aside:
        for i, frame in enumerate(frames):
            Image.fromarray(frame).save(aside / f"{i:05d}.png")
