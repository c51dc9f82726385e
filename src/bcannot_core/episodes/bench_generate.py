"""How many episodes a second are generated, by one process and by several."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.generate import generate_episodes
from bcannot_core.episodes.specification import Specification


def measure_generate(
    spec: Specification,
    episodes: int = 512,
    seed: int = 0,
    workers: Sequence[int] = (1, 2),
    progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Generate the same dataset with different numbers of workers.

    Parameters
    ----------
    spec : GenerateSpec or Mixture
        What to generate.
    episodes : int
        How many episodes each time.
    seed : int
        Of the dataset.
    workers : sequence of int
        Numbers of processes.
    progress : callable, optional
        Called with the number of episodes that were made since it was called last.

    Returns
    -------
    dict
        ``runs``: for each number of workers ``workers``, ``wall_s`` (starting the processes
        included), ``episodes_per_s``, ``clicks_per_s`` (both from the first result on, when the
        processes are at work); ``speedup``: the last run's rate over the first run's;
        ``same_bytes``: whether all wrote the same files; ``bytes_per_click``, ``clicks``,
        ``episodes``.
    """
    runs: list[dict[str, Any]] = []
    written: list[dict[str, bytes]] = []
    clicks = 0
    for count in workers:
        with tempfile.TemporaryDirectory(prefix="bcannot-bench-") as folder:
            stamps = _Stamps(progress)
            begin = time.perf_counter()
            generate_episodes(spec, episodes, seed, folder, workers=count, progress=stamps)
            wall = time.perf_counter() - begin
            clicks = int(open_dataset(folder).column("steps").sum())
            written.append({path.name: path.read_bytes() for path in Path(folder).iterdir()})
        rate = stamps.rate(episodes, begin)
        runs.append(
            {
                "workers": count,
                "wall_s": wall,
                "episodes_per_s": rate,
                "clicks_per_s": rate * clicks / episodes,
            }
        )
    size = sum(map(len, written[0].values()))
    return {
        "runs": runs,
        "speedup": runs[-1]["episodes_per_s"] / runs[0]["episodes_per_s"],
        "same_bytes": all(files == written[0] for files in written),
        "bytes_per_click": size / max(1, clicks),
        "clicks": clicks,
        "episodes": episodes,
    }


class _Stamps:
    """Notes when episodes were there."""

    def __init__(self, progress: Callable[[int], object] | None) -> None:
        self._progress = progress
        self._first: tuple[int, float] | None = None
        self._last = (0, 0.0)

    def __call__(self, there: int, _all: int) -> None:
        if self._progress is not None:
            self._progress(there - self._last[0])
        self._last = there, time.perf_counter()
        self._first = self._first or self._last

    def rate(self, episodes: int, begin: float) -> float:
        """Return episodes a second, from the first result on where there was another."""
        first, when = self._first or (0, begin)
        last, then = self._last
        if last > first:
            return (last - first) / max(1e-9, then - when)
        return episodes / max(1e-9, then - begin)
