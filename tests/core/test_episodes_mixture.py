"""Mixtures, variants and interruptions: the same bytes whatever happens on the way."""

import signal
import subprocess
import sys
import textwrap
from collections import Counter
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from bcannot_core.annotators.labels import Flag, Phase, unpack_flags
from bcannot_core.episodes import generate
from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.generate import Mixture, episode_seed, generate_episodes
from bcannot_core.episodes.replay import episode_hash
from bcannot_core.episodes.shards import remove_leftovers
from bcannot_core.episodes.specification import GenerateSpec, generate_episode
from bcannot_core.errors import DatasetError, UsageError
from bcannot_core.screen import VARIANTS, get_variant

SHORT = GenerateSpec("exploration_3d", variants=("random", "light_right"))
MIXED = Mixture((SHORT, GenerateSpec("shape_matching"), GenerateSpec("cell_lineage")), (2, 5, 1))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_workers_and_one_make_the_same_bytes(tmp_path: Path) -> None:
    assert generate_episodes(MIXED, 40, 3, tmp_path / "one") == 40
    assert generate_episodes(MIXED, 40, 3, tmp_path / "two", workers=2) == 40
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert generate_episodes(MIXED, 40, 4, tmp_path / "other") == 40
    assert list(open_dataset(tmp_path / "other")) != list(open_dataset(tmp_path / "one"))


@pytest.mark.slow
def test_a_dask_cluster_makes_the_same_bytes(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    generate_episodes(MIXED, 40, 3, tmp_path / "here")
    options: dict[str, Any] = {"processes": True, "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        executor = client.get_executor()
        assert generate_episodes(MIXED, 40, 3, tmp_path / "dask", executor=executor) == 40
    assert contents(tmp_path / "dask") == contents(tmp_path / "here")


RUN = """
    import os, signal, sys
    from pathlib import Path
    from bcannot_core.episodes import generate
    from bcannot_core.episodes.generate import Mixture, generate_episodes
    from bcannot_core.episodes.specification import GenerateSpec

    generate.SHARD_EPISODES, generate._BATCH = 6, 2
    def progress(done, of_all):
        if done >= int(sys.argv[2]):
            Path(sys.argv[1], f".{os.uname().nodename}-{os.getpid()}-0123456789ab.tmp").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    short = GenerateSpec("exploration_3d", variants=("random", "light_right"))
    parts = (short, GenerateSpec("shape_matching"), GenerateSpec("cell_lineage"))
    if __name__ == "__main__":
        mixture, workers = Mixture(parts, (2, 5, 1)), int(sys.argv[3])
        generate_episodes(mixture, 20, 3, sys.argv[1], workers=workers, progress=progress)
"""


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "SHARD_EPISODES", 6)
    generate_episodes(MIXED, 20, 3, tmp_path / "whole")
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(RUN))
    for killed_at, workers in (("3", "1"), ("10", "2"), ("19", "1")):
        command = [sys.executable, str(script), str(tmp_path / "d"), killed_at, workers]
        # returns when nobody has the pipe any more: workers must not outlive who started them
        killed = subprocess.run(command, check=False, stdout=subprocess.PIPE, timeout=200)
        assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "d").glob("*.parquet"))) == 3
    assert generate_episodes(MIXED, 20, 3, tmp_path / "d") == 2
    assert contents(tmp_path / "d") == contents(tmp_path / "whole")


def test_only_leftovers_of_the_dead_are_removed(tmp_path: Path) -> None:
    import os
    import socket

    host = socket.gethostname().replace("-", "_").replace(".", "_")
    mine = f".{host}-{os.getpid()}-0123456789ab.tmp"
    names = [mine, ".elsewhere-999999999-0123456789ab.tmp", ".notes.tmp", "a.parquet"]
    dead = f".{host}-999999999-0123456789ab.tmp"
    for name in [*names, dead]:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_tasks_are_drawn_by_their_weights() -> None:
    parts = tuple(GenerateSpec(task) for task in ("exploration_3d", "shape_matching"))
    mixture = Mixture(parts, (3.0, 1.0))
    drawn = Counter(mixture.episode(episode_seed(0, i)).task for i in range(80))
    assert 45 <= drawn["exploration_3d"] <= 75
    assert drawn["exploration_3d"] + drawn["shape_matching"] == 80
    seed = episode_seed(0, 4)
    chosen = mixture.episode(seed)
    assert chosen == generate_episode(GenerateSpec(chosen.task), seed)


def test_variants_are_drawn_and_kept_by_their_names() -> None:
    episodes = [generate_episode(SHORT, seed) for seed in range(12)]
    names = {episode.variant for episode in episodes}
    assert "light_right" in names and len(names) > 4
    drawn = [get_variant(name) for name in names - set(VARIANTS)]
    assert drawn and not any(variant.held_out for variant in drawn)
    assert len({variant.panel for variant in drawn}) > 1
    for episode in episodes[:3]:
        assert episode_hash(episode) == episode_hash(episode)


def wrong_share(episodes: list[Episode]) -> float:
    labels = [unpack_flags(click.flags) for episode in episodes for click in episode.clicks]
    placed = [label for label in labels if label.phase is Phase.PLACE]
    return sum(bool(label.events & Flag.MISTAKE) for label in placed) / len(placed)


def test_the_rate_of_mistakes_can_be_chosen() -> None:
    for rate in (0.0, 0.3):
        spec = GenerateSpec("colored_dot_tracking", mistakes=rate)
        share = wrong_share([generate_episode(spec, seed) for seed in range(12)])
        assert share == pytest.approx(rate, abs=0.1 if rate else 0)


def test_options_reach_the_task_and_come_back() -> None:
    spec = GenerateSpec("colored_dot_tracking", {"dots": 5})
    episode = generate_episode(spec, 1)
    assert episode.config["dots"] == 5 and episode.data is None
    assert sum(click.action == "place" for click in episode.clicks) >= 5


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Mixture(()), "at least one"),
        (Mixture((SHORT,), (1.0, 2.0)), "1 tasks and 2 weights"),
        (Mixture((SHORT, SHORT), (1.0, 0.0)), "weight is 0.0"),
        (Mixture((GenerateSpec("tea"),)), "unknown task 'tea'"),
        (GenerateSpec("exploration_3d", mistakes=2.0), "share of 2.0 mistakes"),
        (GenerateSpec("exploration_3d", {"sugar": 1}), "no option 'sugar'"),
        (GenerateSpec("exploration_3d", variants=("plaid",)), "plaid"),
        (GenerateSpec("exploration_3d", behaviours=("sloppy",)), "sloppy"),
    ],
)
def test_what_cannot_be_generated_is_said(tmp_path: Path, spec: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        generate_episodes(spec, 2, 0, tmp_path / "d")


def test_a_click_of_a_mixed_dataset_takes_less_than_eight_bytes(tmp_path: Path) -> None:
    parts = (GenerateSpec("colored_dot_tracking"), GenerateSpec("exploration_3d"))
    generate_episodes(Mixture(parts), 120, 1, tmp_path)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size / open_dataset(tmp_path).column("steps").sum() <= 8


def test_a_fault_says_in_which_episode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(spec: GenerateSpec, seed: int) -> Episode:
        if seed == episode_seed(3, 1):
            raise ZeroDivisionError("nothing to share")
        return generate_episode(spec, seed)

    monkeypatch.setattr("bcannot_core.episodes.specification.generate_episode", broken)
    with pytest.raises(ZeroDivisionError) as error:
        generate_episodes(GenerateSpec("exploration_3d"), 3, 3, tmp_path)
    assert error.value.__notes__ == [f"in episode 1 of exploration_3d, seed {episode_seed(3, 1)}"]


class Dying(ThreadPoolExecutor):
    """An executor whose third job takes its worker with it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(1)
        self.error, self.jobs = error, 0

    def submit(self, call: Any, /, *args: Any, **options: Any) -> Future[Any]:
        self.jobs += 1
        if self.jobs != 3:
            return super().submit(call, *args, **options)
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


@pytest.mark.parametrize("kind", ["pool", "cluster", "cancelled"])
def test_a_worker_that_dies_is_said_in_one_line_and_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    error: Exception = BrokenProcessPool("gone") if kind == "pool" else CancelledError("gone")
    if kind == "cluster":
        distributed = pytest.importorskip("distributed")
        error = distributed.KilledWorker("job", None, 3)
    monkeypatch.setattr(generate, "SHARD_EPISODES", 4)
    monkeypatch.setattr(generate, "_BATCH", 2)
    with Dying(error) as executor, pytest.raises(DatasetError, match="a worker died") as said:
        generate_episodes(SHORT, 8, 0, tmp_path, executor=executor)
    assert "\n" not in str(said.value)
    assert generate_episodes(SHORT, 8, 0, tmp_path) == 4
