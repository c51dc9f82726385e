"""Episodes rendered for the second stage: what the transformer is told at every step."""

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bcannot_core.annotators import BEHAVIOURS, CORRECTION, MISTAKE, make_annotator
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import Replay
from bcannot_core.episodes.worlds import build_task
from bcannot_core.policy.checkpoint import load_glance, save_checkpoint
from bcannot_core.policy.eye import Eye, Sight
from bcannot_core.policy.network import PolicyNet
from bcannot_core.screen import Screen
from bcannot_core.session import Session
from bcannot_core.training.imitation import imitated_in_tracing
from bcannot_core.training.workers import end_with_parent

_ERRING = replace(BEHAVIOURS["flawless"], near_miss=0.03, far_miss=0.01, wrong_object=0.03)

Point = tuple[int, int]
Corners = tuple[int, ...]


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


Renderer = Callable[[Episode, PolicyNet, torch.device], RenderedEpisode]


def render(episode: Episode, net: PolicyNet, device: torch.device) -> RenderedEpisode:
    """Replay an episode under the eyes of a policy that does not act."""
    eye = Eye(net.glance, net.config, device)
    played = Replay(episode)
    steps = _Steps(played.session.screen)
    for frame, click, outcome in played:
        sight = eye.look(frame)
        point = (click.x, click.y)
        near = outcome.action == "place" and _within_glance(eye, point)
        eye.click(point)
        wanted = imitated_in_tracing(outcome.action, click.flags)
        steps.add(sight, point, point, outcome.action, near=near, wanted=wanted)
    return steps.finish()


def roll_out(episode: Episode, net: PolicyNet, device: torch.device) -> RenderedEpisode:
    """Play an episode's task anew: the glance places the nodes, the flawless annotator labels.

    What the annotator would do is to be imitated, on the frames and glimpses that the policy's own
    clicks lead to. Now and then the annotator errs in the policy's place, so that taking a node
    back is learnt there, too. The roll-out ends with the task, or when a node of the policy's lies
    off target: what comes then can be told by nobody who only sees the screen.
    """
    eye = Eye(net.glance, net.config, device)
    session = Session(build_task(episode, labels=True))
    oracle = make_annotator(session, episode.seed, _ERRING)
    steps, mending = _Steps(session.screen), False
    while not session.terminated:
        sight = eye.look(session.frame().copy())
        wish = oracle.act()
        if oracle.flags & CORRECTION and not mending:
            break
        erred = bool(oracle.flags & MISTAKE)
        mending = erred or (mending and oracle.action != "place")
        click, near = wish, oracle.action == "place" and _within_glance(eye, wish)
        if near and not erred and eye.glimpse is not None:
            own = eye.retina.to_frame(eye.glimpse.peak())
            click = own if _places(session, own) else wish
        eye.click(click)
        steps.add(sight, click, wish, oracle.action, near=near, wanted=not erred)
        session.apply(click, "policy")
    return steps.finish()


class _Steps:
    """Collects the steps of an episode."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._sights: list[Sight] = []
        self._rows: list[tuple[Point, Corners, bool, bool, str]] = []

    def add(
        self, sight: Sight, click: Point, aim: Point, action: str, *, near: bool, wanted: bool
    ) -> None:
        """Add a step: what was seen and clicked, and the click to learn."""
        button = self._screen.layout.buttons.get(self._screen.hit(*aim).target)
        corners = (button.x, button.y, button.right, button.bottom) if button else (*aim, *aim)
        self._sights.append(sight)
        self._rows.append((click, corners, near, wanted, action))

    def finish(self) -> RenderedEpisode:
        """Return the steps as arrays."""
        clicks, rects, near, wanted, actions = zip(*self._rows, strict=True)
        return RenderedEpisode(
            np.stack([s.coarse for s in self._sights]),
            np.stack([s.patch for s in self._sights]),
            np.stack([s.summary for s in self._sights]),
            np.array(clicks, dtype=np.int32),
            np.array(rects, dtype=np.int32),
            np.array(near),
            np.array(wanted),
            tuple(actions),
        )


def _places(session: Session, click: Point) -> bool:
    """Whether a click would place a node: near the border of the canvas it pans."""
    hit = session.screen.hit(*click)
    return session.task.action_for(hit, session.state).name == "place"


def _within_glance(eye: Eye, click_xy: tuple[int, int]) -> bool:
    if eye.glimpse is None:
        return False
    x, y = eye.retina.to_frame(eye.glimpse.origin_xy)
    size = eye.config.glance.size
    return 0 <= click_xy[0] - x < size and 0 <= click_xy[1] - y < size


_nets: list[PolicyNet] = []


def _load(folder: Path) -> None:
    """Keep the network in this worker process."""
    end_with_parent()
    torch.set_num_threads(1)
    _nets[:] = [_ready(load_glance(folder)).requires_grad_(False)]


def _ready(net: PolicyNet) -> PolicyNet:
    """Make a network look as a policy does; in another memory layout the last bits differ."""
    net.glance.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.eval()


def _in_worker(how: Renderer, episode: Episode) -> RenderedEpisode:
    return how(episode, _nets[0], torch.device("cpu"))


def render_all(
    episodes: Sequence[Episode], net: PolicyNet, workers: int, how: Renderer = render
) -> Iterator[RenderedEpisode]:
    """Render or roll out episodes in order: here, or in two worker processes and more."""
    if workers < 2:
        device = next(net.parameters()).device
        _ready(net)
        for episode in episodes:
            yield how(episode, net, device)
        return
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "policy"
        save_checkpoint(net, folder, card="", training={}, half=False)
        with ProcessPoolExecutor(workers, context, initializer=_load, initargs=(folder,)) as pool:
            yield from pool.map(partial(_in_worker, how), episodes, chunksize=4)
