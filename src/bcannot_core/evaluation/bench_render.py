"""How many frames a second an environment gives on one core while a scripted annotator acts."""

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np


class Environment(Protocol):
    """What is measured of an environment."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        ...

    def step(self, click: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out a click and draw the frame that follows."""
        ...


class Annotator(Protocol):
    """What is measured of an annotator."""

    def act(self) -> tuple[int, int]:
        """Return the next click."""
        ...


def measure_render(
    env: Environment,
    new_annotator: Callable[[int], Annotator],
    seconds: float = 3.0,
    seed: int = 0,
) -> dict[str, float | int]:
    """Let an annotator work in an environment for a while and count the frames.

    Everything counts: making the worlds, choosing clicks, carrying them out, drawing.

    Parameters
    ----------
    env : Environment
        One task.
    new_annotator : callable
        Makes an annotator for the episode that has begun, from a seed.
    seconds : float
        How long to measure, at least; the first episode is not counted.
    seed : int
        Seed of the first episode; the next have the next numbers.

    Returns
    -------
    dict
        ``frames_per_s``, ``frames_per_cpu_s`` (the same on a core of its own, where other
        programs take part of the time), ``step_us`` (median time of a step and its drawing),
        ``frames``, ``episodes``.
    """
    _episode(env, new_annotator, seed)
    frames, episodes = 0, 0
    step_s: list[float] = []
    begin, begin_cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < seconds:
        episodes += 1
        times = _episode(env, new_annotator, seed + episodes)
        frames += len(times) + 1
        step_s += times
    elapsed, elapsed_cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    return {
        "frames_per_s": frames / elapsed,
        "frames_per_cpu_s": frames / max(elapsed_cpu, 1e-9),
        "step_us": float(np.median(step_s)) * 1e6,
        "frames": frames,
        "episodes": episodes,
    }


def _episode(env: Environment, new_annotator: Callable[[int], Annotator], seed: int) -> list[float]:
    """Run one episode; return the duration of each step in seconds."""
    env.reset(seed=seed)
    annotator = new_annotator(seed)
    times: list[float] = []
    over = False
    while not over:
        click = annotator.act()
        begin = time.perf_counter()
        _, _, terminated, truncated, _ = env.step(click)
        times.append(time.perf_counter() - begin)
        over = terminated or truncated
    return times
