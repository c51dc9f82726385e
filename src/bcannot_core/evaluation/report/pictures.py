"""Pictures of sessions: animations of a success and a failure, and where a policy would click."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.export import mark_click, marked_frames
from bcannot_core.episodes.replay import Replay
from bcannot_core.evaluation.report.drawing import data_uri
from bcannot_core.evaluation.report.page import Picture

Frame = NDArray[np.uint8]

MOST_FRAMES = 40
_COLOURS = 64
_FRAME_MS = 300
_LAST_MS = 1500
_SHRINK = 0.5
_FIRST_STEPS = 60
_REACH = 4.0  # decades of probability that a heatmap shows


def examples(datasets: Sequence[Path]) -> Iterator[tuple[str, Episode]]:
    """Yield for each task the first success and the first failure, with words for it."""
    found: dict[tuple[str, bool], Episode] = {}
    for dataset in datasets:
        for episode in open_dataset(dataset):
            found.setdefault((episode.task, bool(episode.meta.get("success"))), episode)
    for (task, success), episode in sorted(found.items(), key=lambda one: (one[0][0], -one[0][1])):
        yield f"{task}: {'a success' if success else 'a failure'}", episode


def animation(episode: Episode, caption: str) -> Picture:
    """Return an episode as a GIF of at most 40 frames, half its size, clicks marked."""
    wanted = set(np.linspace(0, len(episode), MOST_FRAMES).round().astype(int).tolist())
    frames = [_small(f) for i, f in enumerate(marked_frames(episode)) if i in wanted]
    sheet = np.concatenate([np.asarray(frame) for frame in frames[:: max(1, len(frames) // 8)]])
    palette = Image.fromarray(sheet).quantize(_COLOURS)
    plain = Image.Dither.NONE
    drawn = [frame.quantize(palette=palette, dither=plain) for frame in frames]
    stream = io.BytesIO()
    drawn[0].save(
        stream,
        format="GIF",
        save_all=True,
        append_images=drawn[1:],
        duration=[_FRAME_MS] * (len(drawn) - 1) + [_LAST_MS],
        loop=0,
    )
    steps = f"{caption}, {len(episode)} clicks"
    return Picture(data_uri(stream.getvalue(), "image/gif"), steps)


def heatmaps(policy: Any, episode: Episode, count: int = 4) -> list[Picture]:
    """Return frames of an episode with the policy's probability of the next click over them.

    Parameters
    ----------
    policy : Policy
        Looks on at the episode's history.
    episode : Episode
        What is replayed.
    count : int
        How many frames, evenly over the episode's first 60 steps.
    """
    last = min(len(episode), _FIRST_STEPS) - 1
    wanted = set(np.linspace(0, last, count).round().astype(int).tolist())
    pictures = []
    policy.reset()
    for i, step in enumerate(Replay(episode, copy=True)):
        if i > max(wanted):
            break
        if i in wanted:
            policy.propose(step.frame)
            shown = overlaid(step.frame, policy.heatmap())
            mark_click(shown, step.click)
            pictures.append(_png(shown, f"{episode.task}, step {i + 1}: {step.click.action}"))
        policy.observe(step.frame, (step.click.x, step.click.y))
    return pictures


def overlaid(frame: Frame, heat: NDArray[np.float32]) -> Frame:
    """Return a frame in grey with a probability over it, four decades from its maximum down."""
    grey = frame.mean(axis=2, keepdims=True).repeat(3, axis=2) * 0.6
    most = float(heat.max())
    if most <= 0:
        return np.asarray(grey, dtype=np.uint8)
    decades = np.log10(np.maximum(heat / most, 10.0**-_REACH)) / _REACH + 1
    colour = colormaps["inferno"](decades)[..., :3] * 255
    opacity = np.clip(decades, 0, 1)[..., None]
    return np.asarray(grey * (1 - opacity) + colour * opacity, dtype=np.uint8)


def _small(frame: Frame) -> Image.Image:
    size = (round(frame.shape[1] * _SHRINK), round(frame.shape[0] * _SHRINK))
    return Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR)


def _png(frame: Frame, caption: str) -> Picture:
    stream = io.BytesIO()
    Image.fromarray(frame).quantize(128).save(stream, format="PNG")
    return Picture(data_uri(stream.getvalue(), "image/png"), caption)
