"""The commands that show what there is: volumes, tasks, policies, replay, bench."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bcannot_core.annotators import make_annotator
from bcannot_core.episodes.dataset import EpisodeWriter
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.volumes import open_volume


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_volumes_lists_the_public_ones(cli: Any, tmp_path: Path) -> None:
    code, out, err = cli("volumes", "--json", tmp_path / "v.json")
    names = {entry["name"] for entry in read(tmp_path / "v.json")["volumes"]}
    assert (code, err) == (0, "")
    assert "h01" in names and all(name in out for name in names)


def test_volumes_shows_what_a_file_holds(cli: Any, tmp_path: Path, labelled_npz: Path) -> None:
    code, out, _ = cli("volumes", labelled_npz, "--json", tmp_path / "v.json")
    shown = read(tmp_path / "v.json")
    assert code == 0 and "(24, 96, 96)" in out
    assert shown["shape"] == [24, 96, 96]
    assert shown["voxel_nm"] == [30.0, 10.0, 10.0] and shown["voxel_known"] is True
    assert shown["dtype"] == "uint8"


def test_volumes_opens_labels_by_key(cli: Any, tmp_path: Path, labelled_npz: Path) -> None:
    argv = ("volumes", labelled_npz, "--labels", "--key", "seg", "--json", tmp_path / "v.json")
    assert cli(*argv)[0] == 0
    assert read(tmp_path / "v.json")["dtype"] == "uint32"


def truncated(tmp_path: Path) -> Path:
    path = tmp_path / "cut.npz"
    np.savez(path, em=np.zeros((4, 8, 8), np.uint8))
    path.write_bytes(path.read_bytes()[:150])
    return path


def flat(tmp_path: Path) -> Path:
    path = tmp_path / "flat.npy"
    np.save(path, np.zeros((8, 8), np.uint8))
    return path


def text(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text("no volume")
    return path


@pytest.mark.parametrize("make", [truncated, flat, text, lambda folder: folder / "missing.tif"])
def test_what_is_no_volume_is_one_line_and_1(cli: Any, tmp_path: Path, make: Any) -> None:
    path = make(tmp_path)
    code, out, err = cli("volumes", path)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert path.name in err


def test_tasks_lists_neuron_tracing(cli: Any, tmp_path: Path) -> None:
    code, out, _ = cli("tasks", "--json", tmp_path / "t.json")
    entries = {entry["id"]: entry for entry in read(tmp_path / "t.json")["tasks"]}
    assert code == 0 and "neuron_tracing" in out
    assert entries["neuron_tracing"]["summary"].startswith("Neuron tracing")


def test_policies_lists_the_users_own(
    cli: Any, tmp_path: Path, random_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bcannot_core.policy.checkpoint.user_policies", lambda: random_policy.parent
    )
    code, out, _ = cli("policies", "--json", tmp_path / "p.json")
    entries = {entry["name"]: entry for entry in read(tmp_path / "p.json")["policies"]}
    assert code == 0 and "untrained" in out
    assert entries["untrained"]["folder"] == str(random_policy)
    size = sum(file.stat().st_size for file in random_policy.iterdir())
    assert entries["untrained"]["bytes"] == size


@pytest.fixture
def sessions(tmp_path: Path, labelled_npz: Path) -> Path:
    """A dataset of two short scripted sessions."""
    folder = tmp_path / "sessions"
    volume, labels = open_volume(labelled_npz), open_volume(labelled_npz, labels=True)
    with EpisodeWriter(folder) as writer:
        for seed in range(2):
            world = TracingWorld(volume, (0, 20, 20 + 50 * seed), labels)
            session = Session(NeuronTracing(world, TracingConfig(sections=3)))
            make_annotator(session, seed, "flawless").run()
            writer.append(episode_of(session))
    return folder


def test_replay_draws_every_frame(cli: Any, tmp_path: Path, sessions: Path) -> None:
    code, out, err = cli("replay", sessions, "--episode", 1, "--out", tmp_path / "frames")
    assert (code, err) == (0, "")
    frames = sorted((tmp_path / "frames").iterdir())
    clicks = int(out.split(": ")[1].split()[0])
    assert len(frames) == clicks + 1
    assert np.asarray(Image.open(frames[0])).shape == (436, 426, 3)


def test_replay_writes_a_gif(cli: Any, tmp_path: Path, sessions: Path) -> None:
    assert cli("replay", sessions, "--episode", -1, "--out", tmp_path / "a.gif")[0] == 0
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.size == (426, 436)


def test_replay_finds_a_volume_that_moved(
    cli: Any, tmp_path: Path, sessions: Path, labelled_npz: Path
) -> None:
    moved = tmp_path / "elsewhere.npz"
    moved.write_bytes(labelled_npz.read_bytes())
    argv = ("replay", sessions, "--out", tmp_path / "a.gif", "--volume", moved)
    assert cli(*argv)[0] == 0
    np.savez(moved, em=np.zeros((24, 96, 96), np.uint8), voxel_nm=np.array([30.0, 10.0, 10.0]))
    code, _, err = cli(*argv)
    assert code == 1 and err.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [(("--episode", "2"), 2), (("--out", "x.avi"), 2), (("--fps", "0"), 2)],
)
def test_replay_refuses_wrong_options(
    cli: Any, tmp_path: Path, sessions: Path, change: tuple[str, str], code: int
) -> None:
    options = {"--episode": "0", "--out": str(tmp_path / "a.gif"), "--fps": "4"} | dict([change])
    found, _, err = cli("replay", sessions, *[word for pair in options.items() for word in pair])
    assert (found, err.count("\n")) == (code, 1)


def test_replay_of_nothing_is_1(cli: Any, tmp_path: Path) -> None:
    code, _, err = cli("replay", tmp_path / "none", "--out", tmp_path / "a.gif")
    assert (code, err.count("\n")) == (1, 1)


def test_bench_render_has_a_figure_for_each_task(cli: Any, tmp_path: Path) -> None:
    argv = ("bench", "render", "--task", "neuron_tracing", "--seconds", 0.1)
    code, out, _ = cli(*argv, "--json", tmp_path / "b.json")
    result = read(tmp_path / "b.json")
    assert code == 0 and "neuron_tracing" in out
    assert result["frames_per_s"] == result["tasks"]["neuron_tracing"]["frames_per_s"] > 0


@pytest.mark.slow
def test_bench_latency_has_the_keys_of_the_contract(
    cli: Any, tmp_path: Path, random_policy: Path
) -> None:
    argv = ("bench", "latency", "--policy", random_policy, "--repeats", 1, "--threads", 1)
    code, _, err = cli(*argv, "--json", tmp_path / "b.json")
    assert (code, err) == (0, "")
    result = read(tmp_path / "b.json")
    assert {"median_ms", "p95_ms", "ratio_step500_step10"} <= set(result)
    assert 0 < result["median_ms"] <= result["p95_ms"]


def test_bench_names_an_unknown_policy(cli: Any) -> None:
    code, _, err = cli("bench", "latency", "--policy", "no-such-policy")
    assert (code, err.count("\n")) == (1, 1) and "no-such-policy" in err
