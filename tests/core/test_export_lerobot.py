"""LeRobotDataset v3: what is written is read back by the libraries that its own loader uses."""

import importlib
import json
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.lerobot_format import SCREEN, FileNumber, instruction
from bcannot_core.episodes.lerobot_stats import FrameStats, add_up, of_column
from bcannot_core.episodes.replay import replay
from bcannot_core.episodes.specification import GenerateSpec, generate_episode
from bcannot_core.episodes.to_lerobot import LeRobotOptions, export_lerobot
from bcannot_core.errors import DatasetError, UsageError


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    """Three short sessions of one task and one of another, which looks at a volume."""
    made = [generate_episode(GenerateSpec("shape_matching"), seed) for seed in range(3)]
    return [*made, generate_episode(GenerateSpec("neuron_tracing", {"sections": 3}), 1)]


@pytest.fixture(scope="module")
def exact(episodes: list[Episode], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sessions with exact frames."""
    folder = tmp_path_factory.mktemp("lerobot") / "exact"
    return export_lerobot(episodes, folder, LeRobotOptions(fps=5, images=True))


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "meta/info.json").read_text())
    return found


def hf_features(info: dict[str, Any]) -> Any:
    """What the format's loader makes of the features in ``info.json``."""
    datasets = pytest.importorskip("datasets")
    found = {}
    for name, feature in info["features"].items():
        if feature["dtype"] == "image":
            found[name] = datasets.Image()
        elif feature["dtype"] != "video":
            value = datasets.Value(feature["dtype"])
            (length,) = feature["shape"]
            found[name] = value if length == 1 else datasets.Sequence(value, length)
    return datasets.Features(found)


def rows_of(folder: Path, cache: Path) -> Any:
    datasets = pytest.importorskip("datasets")
    files = sorted(str(path) for path in folder.glob("data/*/*.parquet"))
    features = hf_features(described(folder))
    return datasets.Dataset.from_parquet(files, features=features, cache_dir=str(cache))


def test_rows_are_the_steps(exact: Path, episodes: list[Episode], tmp_path: Path) -> None:
    rows = rows_of(exact, tmp_path)
    steps = [
        (e, i, step) for e, episode in enumerate(episodes) for i, step in enumerate(replay(episode))
    ]
    assert len(rows) == len(steps)
    for row, (e, i, step) in zip(rows, steps, strict=True):
        np.testing.assert_array_equal(np.asarray(row[SCREEN]), step.frame)
        assert row["action"] == [step.click.x, step.click.y]
        assert (row["episode_index"], row["frame_index"]) == (e, i)
        assert row["timestamp"] == pytest.approx(i / 5)
        assert row["click.action"] == step.outcome.action
        assert (row["click.flags"], row["click.ms"]) == (step.click.flags, step.click.ms)
        assert row["next.done"] == (i == len(episodes[e]) - 1)
        assert row["next.reward"] == float(row["next.done"])
    states, actions = np.array(rows["observation.state"]), np.array(rows["action"])
    first = np.array(rows["frame_index"]) == 0
    np.testing.assert_array_equal(states[~first], actions[np.flatnonzero(~first) - 1])
    assert (states[first] == (213, 218)).all()
    assert rows["index"][:] == list(range(len(rows)))


@pytest.mark.parametrize("images", [True, False], ids=["pictures", "video"])
def test_lerobots_own_reader_reads_it(
    episodes: list[Episode], tmp_path: Path, images: bool
) -> None:
    pytest.importorskip("lerobot")
    if not images:
        pytest.importorskip("torchcodec")  # what its video is read with
    with warnings.catch_warnings():  # of its own dependencies
        warnings.simplefilter("ignore")
        reader = importlib.import_module("lerobot.datasets.lerobot_dataset")
        folder = export_lerobot(episodes, tmp_path / "d", LeRobotOptions(fps=5, images=images))
        data = reader.LeRobotDataset("local/bcannot", root=folder)
        steps = [(e, step) for e, episode in enumerate(episodes) for step in replay(episode)]
        assert (len(data), data.num_episodes, data.fps) == (len(steps), len(episodes), 5)
        for i in [*range(0, len(steps), 7), len(steps) - 1]:
            e, step = steps[i]
            item = data[i]
            frame = item[SCREEN].permute(1, 2, 0).numpy() * 255
            if images:
                np.testing.assert_array_equal(np.rint(frame).astype(np.uint8), step.frame)
            else:
                assert np.abs(frame - step.frame).mean() < 4
            assert item["action"].tolist() == [step.click.x, step.click.y]
            assert int(item["episode_index"]) == e
            assert item["task"] == instruction(episodes[e].task)
            assert item["click.action"] == step.click.action


def test_episodes_say_where_they_are(exact: Path, episodes: list[Episode]) -> None:
    records = pq.read_table(exact / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    ends = np.cumsum([len(episode) for episode in episodes])
    assert [record["dataset_to_index"] for record in records] == ends.tolist()
    assert [record["dataset_from_index"] for record in records] == [0, *ends[:-1].tolist()]
    assert [record["length"] for record in records] == [len(episode) for episode in episodes]
    for record, episode in zip(records, episodes, strict=True):
        assert record["tasks"] == [instruction(episode.task)]
        about = json.loads(record["bcannot"])
        assert (about["task"], about["seed"]) == (episode.task, episode.seed)
        assert record["stats/action/max"] == [
            max(click.x for click in episode.clicks),
            max(click.y for click in episode.clicks),
        ]


def test_the_whole_is_described(exact: Path, episodes: list[Episode]) -> None:
    info = described(exact)
    frames = sum(map(len, episodes))
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (4, frames, 2)
    assert info["splits"] == {"train": "0:4"}
    assert info["video_path"] is None
    assert info["features"][SCREEN]["shape"] == [436, 426, 3]
    stats = json.loads((exact / "meta/stats.json").read_text())
    assert set(stats) == {name for name, of in info["features"].items() if of["dtype"] != "string"}
    xs = [click.x for episode in episodes for click in episode.clicks]
    assert stats["action"]["mean"][0] == pytest.approx(np.mean(xs))
    assert stats["action"]["std"][0] == pytest.approx(np.std(xs))
    assert stats["action"]["count"] == [frames]


def test_pandas_finds_tasks_by_their_instruction(exact: Path) -> None:
    pandas = pytest.importorskip("pandas")
    tasks = pandas.read_parquet(exact / "meta/tasks.parquet")
    assert tasks.loc[instruction("shape_matching")].task_index == 0
    assert tasks.loc[instruction("neuron_tracing")].task_index == 1
    assert instruction("no_such_task") == "no_such_task"


def test_video_shows_the_frames_of_each_episode(episodes: list[Episode], tmp_path: Path) -> None:
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    folder = export_lerobot(episodes, tmp_path / "d", LeRobotOptions(fps=10))
    records = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    path = folder / described(folder)["video_path"].format(
        video_key=SCREEN, chunk_index=0, file_index=0
    )
    command = [program, "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = subprocess.run(command, check=True, capture_output=True)
    assert b", 10 fps," in decoded.stderr
    shown = np.frombuffer(decoded.stdout, np.uint8).reshape(-1, 436, 426, 3)
    assert len(shown) == sum(map(len, episodes))
    for record, episode in zip(records, episodes, strict=True):
        begin = round(record[f"videos/{SCREEN}/from_timestamp"] * 10)
        assert round(record[f"videos/{SCREEN}/to_timestamp"] * 10) == begin + len(episode)
        for i, step in enumerate(replay(episode)):
            difference = shown[begin + i].astype(int) - step.frame
            assert np.abs(difference).mean() < 4
    assert SCREEN not in pq.read_schema(next(folder.glob("data/*/*.parquet"))).names


def test_large_files_are_closed(episodes: list[Episode], tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    options = LeRobotOptions(data_mb=0.0, video_mb=0.0)
    folder = export_lerobot(episodes, tmp_path / "d", options)
    records = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [record["data/file_index"] for record in records] == [0, 1, 2, 3]
    for i, record in enumerate(records):
        rows = pq.read_table(folder / f"data/chunk-000/file-{i:03d}.parquet")
        assert set(rows.column("episode_index").to_pylist()) == {i}
        number = record[f"videos/{SCREEN}/file_index"]
        assert (folder / f"videos/{SCREEN}/chunk-000/file-{number:03d}.mp4").stat().st_size > 1000
        assert record[f"videos/{SCREEN}/from_timestamp"] == 0 or number < i


def test_files_are_counted_in_chunks() -> None:
    assert FileNumber(0, 998).next() == (0, 999)
    assert FileNumber(0, 999).next() == (1, 0)


def test_statistics_of_parts_add_up_to_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, (90, 2))
    whole = of_column(values)
    parts = add_up([{"a": of_column(values[:20])}, {"a": of_column(values[20:])}])["a"]
    for name in ("min", "max", "mean", "std"):
        np.testing.assert_allclose(parts[name], whole[name])
    assert parts["count"] == [90]
    frames = rng.integers(0, 256, (5, 40, 48, 3), dtype=np.uint8)
    frames[..., 2] //= 2
    seen = FrameStats(5)
    for frame in frames:
        seen.add(frame)
    found, pixels = seen.result(), frames[:, ::4, ::4].reshape(-1, 3) / 255
    for name, of in (("mean", pixels.mean(0)), ("std", pixels.std(0)), ("max", pixels.max(0))):
        np.testing.assert_allclose(np.array(found[name]).ravel(), of)
    np.testing.assert_allclose(np.array(found["q50"]).ravel(), np.median(pixels, 0), atol=0.01)
    assert np.array(found["min"]).shape == (3, 1, 1)


def test_nothing_is_left_where_it_cannot_be_written(
    episodes: list[Episode], tmp_path: Path
) -> None:
    images = LeRobotOptions(images=True)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    with pytest.raises(DatasetError, match="not an empty folder"):
        export_lerobot(episodes, tmp_path / "there", images)
    with pytest.raises(UsageError, match="no episodes"):
        export_lerobot([], tmp_path / "none", images)
    with pytest.raises(UsageError, match="no steps"):
        export_lerobot([replace(episodes[0], clicks=())], tmp_path / "none", images)
    broken = Episode("neuron_tracing", {"sections": 0}, None, "original", 0, episodes[0].clicks)
    with pytest.raises(DatasetError, match="cannot be made"):
        export_lerobot([episodes[0], broken], tmp_path / "half", images)
    with pytest.raises(UsageError, match="frames a second"):
        LeRobotOptions(fps=0)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
