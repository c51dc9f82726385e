"""Episodes rendered for the second stage: what the transformer is told at every step."""

import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bcannot_core.annotators import MISTAKE, OVERSHOOT, VERIFY
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import Replay
from bcannot_core.policy.checkpoint import load_checkpoint, save_checkpoint
from bcannot_core.policy.eye import Eye
from bcannot_core.policy.network import PolicyNet

_DETOURS = {"next_section": MISTAKE | OVERSHOOT, "previous_section": MISTAKE | VERIFY}


@dataclass(frozen=True)
class RenderedEpisode:
    """One episode as arrays over its steps.

    Attributes
    ----------
    coarse, patch : uint8 (t, h, w, 3)
        Pictures.
    summary : float32 (t, n)
        The glimpses.
    clicks : int32 (t, 2)
        (x, y) in frame pixels.
    rects : int32 (t, 4)
        Left, top, right, bottom of what was hit: any click in there does the same.
    near : bool (t,)
        Whether the click was a placement within the glance.
    wanted : bool (t,)
        Whether the click is to be imitated: not mistakes, nor detours when they begin.
    actions : tuple of str
        What each click did.
    """

    coarse: NDArray[np.uint8]
    patch: NDArray[np.uint8]
    summary: NDArray[np.float32]
    clicks: NDArray[np.int32]
    rects: NDArray[np.int32]
    near: NDArray[np.bool_]
    wanted: NDArray[np.bool_]
    actions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.actions)


def render(episode: Episode, net: PolicyNet, device: torch.device) -> RenderedEpisode:
    """Replay an episode under the eyes of a policy that does not act."""
    eye = Eye(net.glance, net.config, device)
    played = Replay(episode)
    screen = played.session.screen
    sights, clicks, rects, near, wanted, actions = [], [], [], [], [], []
    for frame, click, outcome in played:
        sights.append(eye.look(frame))
        point = (click.x, click.y)
        near.append(outcome.action == "place" and _within_glance(eye, point))
        eye.click(point)
        clicks.append(point)
        button = screen.layout.buttons.get(screen.hit(*point).target)
        corners = (button.x, button.y, button.right, button.bottom) if button else (*point, *point)
        rects.append(corners)
        wanted.append(not _DETOURS.get(outcome.action, MISTAKE) & click.flags)
        actions.append(outcome.action)
    return RenderedEpisode(
        np.stack([s.coarse for s in sights]),
        np.stack([s.patch for s in sights]),
        np.stack([s.summary for s in sights]),
        np.array(clicks, dtype=np.int32),
        np.array(rects, dtype=np.int32),
        np.array(near),
        np.array(wanted),
        tuple(actions),
    )


def _within_glance(eye: Eye, click_xy: tuple[int, int]) -> bool:
    if eye.glimpse is None:
        return False
    x, y = eye.retina.to_frame(eye.glimpse.origin_xy)
    size = eye.config.glance.size
    return 0 <= click_xy[0] - x < size and 0 <= click_xy[1] - y < size


_nets: list[PolicyNet] = []


def _load(folder: Path) -> None:
    """Keep the network in this worker process."""
    torch.set_num_threads(1)
    _nets[:] = [_ready(load_checkpoint(folder)).requires_grad_(False)]


def _ready(net: PolicyNet) -> PolicyNet:
    """Make a network look as a policy does; in another memory layout the last bits differ."""
    net.glance.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.eval()


def _in_worker(episode: Episode) -> RenderedEpisode:
    return render(episode, _nets[0], torch.device("cpu"))


def render_all(
    episodes: Sequence[Episode], net: PolicyNet, workers: int
) -> Iterator[RenderedEpisode]:
    """Render episodes in order: here, or in two worker processes and more."""
    if workers < 2:
        device = next(net.parameters()).device
        _ready(net)
        for episode in episodes:
            yield render(episode, net, device)
        return
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "policy"
        save_checkpoint(net, folder, card="", training={}, half=False)
        with ProcessPoolExecutor(workers, context, initializer=_load, initargs=(folder,)) as pool:
            yield from pool.map(_in_worker, episodes, chunksize=4)
