"""Episodes on the user's own files: other files are refused on replay."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bcannot_core.episodes.dataset import EpisodeWriter, open_dataset
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.replay import episode_hash
from bcannot_core.episodes.specification import GenerateSpec, generate_episode
from bcannot_core.episodes.worlds import FILES, build_task, describe_task
from bcannot_core.errors import DatasetError, UsageError
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.worlds import omniglot, photographs
from bcannot_core.tasks.worlds.file_prints import fingerprint_files

STROKES = "START\n0,0,0\n40,0,9\n80,-10,20\nBREAK\n40,-60,40\n40,-20,60\nBREAK\n"


def forget() -> None:
    """Forget what was read, as another process would."""
    for cached in (
        omniglot.find_characters,
        omniglot.fingerprint_characters,
        omniglot.read_character,
        photographs.read_photo,
        photographs._fingerprint,
    ):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget()


def pictures(folder: Path) -> dict[str, Any]:
    for number in range(2):
        rng = np.random.default_rng(number)
        grey = np.kron(rng.integers(0, 256, (30, 30)), np.ones((12, 12))).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{number}.bmp")
    return {"source": "folder", "folder": str(folder), "landmarks": 4}


def characters(folder: Path) -> dict[str, Any]:
    (folder / "Made").mkdir()
    for number in range(2):
        (folder / "Made" / f"{number}.txt").write_text(STROKES.replace("40", f"4{number}"))
    return {"folder": str(folder), "dots": 6, "spread": 1}


MAKERS = {"multichannel_alignment": pictures, "colored_dot_tracking": characters}


@pytest.fixture(params=list(MAKERS))
def episode(request: pytest.FixtureRequest, tmp_path: Path) -> Episode:
    folder = tmp_path / "mine"
    folder.mkdir()
    return generate_episode(GenerateSpec(request.param, MAKERS[request.param](folder)), 5)


def files_of(episode: Episode) -> list[Path]:
    folder = Path(episode.config["folder"])
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_same_files_replay_wherever_they_lie(episode: Episode, tmp_path: Path) -> None:
    assert len(episode.meta[FILES]) == 16
    with EpisodeWriter(tmp_path / "d") as writer:
        writer.append(episode)
    before = episode_hash(episode)
    forget()
    (stored,) = open_dataset(tmp_path / "d")
    assert episode_hash(stored) == before
    moved = tmp_path / "moved"
    shutil.move(episode.config["folder"], moved)
    (moved / "notes.md").write_text("not looked at")
    forget()
    elsewhere = Episode(
        episode.task,
        {**episode.config, "folder": str(moved)},
        None,
        episode.variant,
        episode.seed,
        episode.clicks,
        episode.meta,
    )
    assert episode_hash(elsewhere) == before


def change_a_byte(files: list[Path]) -> None:
    body = bytearray(files[0].read_bytes())
    at = body.index(b"80") if b"START" in body else len(body) - 7
    body[at] ^= 1
    files[0].write_bytes(body)


def add_one(files: list[Path]) -> None:
    shutil.copy(files[0], files[0].with_stem("9"))


@pytest.mark.parametrize(
    "change",
    [
        change_a_byte,
        add_one,
        lambda files: files[0].unlink(),
        lambda files: files[0].rename(files[0].with_stem("8")),
    ],
    ids=["changed", "added", "removed", "renamed"],
)
def test_other_files_are_refused(episode: Episode, change: Callable[[list[Path]], object]) -> None:
    change(files_of(episode))
    forget()
    with pytest.raises(DatasetError, match="does not hold the files") as error:
        build_task(episode)
    assert episode.config["folder"] in str(error.value) and "\n" not in str(error.value)


def test_a_folder_that_is_gone_is_named(episode: Episode) -> None:
    shutil.rmtree(episode.config["folder"])
    forget()
    with pytest.raises(DatasetError, match=r"cannot be made.*mine"):
        build_task(episode)


@pytest.mark.parametrize("task", sorted(MAKERS))
def test_without_a_folder_there_is_nothing_to_keep(task: str) -> None:
    made = make_task(task, 0)
    assert made.files_fingerprint() == ""
    assert FILES not in describe_task(made, {"a": 1}).meta


def test_a_long_file_counts_by_its_beginning_middle_and_end(tmp_path: Path) -> None:
    path, body = tmp_path / "a.png", bytearray(1_000_000)
    seen = set()
    for at in (None, 0, 500_000, 999_999):
        changed = bytearray(body)
        if at is not None:
            changed[at] = 1
        path.write_bytes(changed)
        seen.add(fingerprint_files(tmp_path, [path]))
    path.write_bytes(body[:-1])
    assert len(seen | {fingerprint_files(tmp_path, [path])}) == 5
    with pytest.raises(UsageError, match=r"gone\.png cannot be read"):
        fingerprint_files(tmp_path, [tmp_path / "gone.png"])
