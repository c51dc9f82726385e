"""``bcannot generate``: scripted sessions, and the volumes that its arguments name."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from bcannot_core.cli.data import located, open_grey, open_pair
from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.errors import BcannotError, UsageError


def generate(cli: Any, out: Path, *argv: object, volume: Path) -> tuple[int, str, str]:
    words = ("generate", "neuron_tracing", "--out", out, "--sections", 5, "--volume", volume)
    found: tuple[int, str, str] = cli(*words, *argv)
    return found


def test_it_makes_what_was_asked_for(cli: Any, tmp_path: Path, labelled_npz: Path) -> None:
    argv = ("--episodes", 4, "--behaviour", "flawless", "--variant", "light_right")
    code, out, err = generate(cli, tmp_path / "d", *argv, volume=labelled_npz)
    episodes = list(open_dataset(tmp_path / "d"))
    assert (code, err) == (0, "") and "4 episodes" in out
    assert [episode.variant for episode in episodes] == ["light_right"] * 4
    assert all(episode.config["sections"] == 5 for episode in episodes)
    actions = Counter(click.action for episode in episodes for click in episode.clicks)
    assert actions["place"] == 20 and actions["undo"] == 0 and actions["done"] == 4


def test_interrupted_work_goes_on(cli: Any, tmp_path: Path, labelled_npz: Path) -> None:
    generate(cli, tmp_path / "d", "--episodes", 3, volume=labelled_npz)
    code, out, _ = generate(cli, tmp_path / "d", "--episodes", 3, volume=labelled_npz)
    assert code == 0 and "0 episodes made, 3 were there" in out


def test_what_other_runs_left_in_the_folder_is_said(
    cli: Any, tmp_path: Path, labelled_npz: Path
) -> None:
    out, report = tmp_path / "d", tmp_path / "r.json"
    assert "other runs" not in generate(cli, out, "--episodes", 3, volume=labelled_npz)[1]
    argv = ("--episodes", 2, "--behaviour", "flawless", "--json", report)
    code, said, err = generate(cli, out, *argv, volume=labelled_npz)
    assert (code, err) == (0, "")
    assert "3 episodes of other runs are there" in said.splitlines()[0]
    assert json.loads(report.read_text())["others"] == 3
    assert len(open_dataset(out)) == 5
    _, said, _ = generate(cli, out, "--episodes", 1, volume=labelled_npz)
    assert "4 episodes of other runs are there" in said  # two, and two more of the same


def test_another_seed_gives_other_episodes(cli: Any, tmp_path: Path, labelled_npz: Path) -> None:
    for seed in (1, 2):
        argv = ("--episodes", 2, "--seed", seed)
        assert generate(cli, tmp_path / str(seed), *argv, volume=labelled_npz)[0] == 0
    first, second = (
        [episode.clicks for episode in open_dataset(tmp_path / str(seed))] for seed in (1, 2)
    )
    assert first != second


@pytest.mark.parametrize(
    "argv",
    [
        ("--episodes", 0),
        ("--seed", -1),
        ("--behaviour", "drunk"),
        ("--variant", "plaid"),
        ("--labels", "a.npz", "--labels", "b.npz"),
        ("--voxel-nm", "1,2"),
    ],
)
def test_wrong_options_are_2(
    cli: Any, tmp_path: Path, labelled_npz: Path, argv: tuple[Any, ...]
) -> None:
    code, _, err = generate(cli, tmp_path / "d", *argv, volume=labelled_npz)
    assert (code, err.count("\n")) == (2, 1)


def test_a_task_that_is_not_there_is_2_and_a_volume_1(cli: Any, tmp_path: Path) -> None:
    code, _, err = cli("generate", "neuron_tacing", "--out", tmp_path / "d")
    assert code == 2 and "did you mean 'neuron_tracing'" in err
    code, _, err = generate(cli, tmp_path / "d", volume=tmp_path / "none.npz")
    assert code == 1 and "none.npz" in err


def test_an_absent_scheduler_is_one_line(
    cli: Any, tmp_path: Path, labelled_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcannot_core.cli.cluster.CONNECT_S", 1)
    argv = ("--scheduler", "tcp://127.0.0.1:9")
    code, _, err = generate(cli, tmp_path / "d", *argv, volume=labelled_npz)
    assert (code, err.count("\n")) == (1, 1) and "tcp://127.0.0.1:9" in err


# --------------------------------------------------------------------------- volumes and labels


def test_an_npz_holds_both(labelled_npz: Path) -> None:
    volume, labels = open_pair(str(labelled_npz), None)
    assert volume.voxel_nm == labels.voxel_nm == (30.0, 10.0, 10.0)
    assert set(np.unique(labels.read(0, 1, 0, 96, 0, 96))) == {1, 2, 3, 4}


def test_synthetic_tissue_knows_its_labels() -> None:
    address = "synthetic://default?seed=1&shape=8,64,64&voxel_nm=30,10,10"
    volume, labels = open_pair(address, None)
    assert volume.shape == labels.shape == (8, 64, 64)
    assert len(np.unique(labels.read(0, 8, 0, 64, 0, 64))) > 1


def test_grey_values_are_never_taken_for_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "em.npy", np.zeros((8, 32, 32), np.uint8))
    with pytest.raises(UsageError, match="--labels"):
        open_pair(str(tmp_path / "em.npy"), None)


def test_labels_of_another_shape_are_refused(tmp_path: Path, labelled_npz: Path) -> None:
    np.save(tmp_path / "seg.npy", np.ones((10, 96, 96), np.uint32))
    with pytest.raises(BcannotError, match="shape"):
        open_pair(str(labelled_npz), str(tmp_path / "seg.npy"))


def pyramid(path: Path, array: np.ndarray) -> str:
    """An OME-Zarr image whose two levels state 8 and 16 nm."""
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    levels = []
    for name, step in (("0", 1), ("1", 2)):
        group[name] = array[:, ::step, ::step]
        scale = {"type": "scale", "scale": [30, 8 * step, 8 * step]}
        levels.append({"path": name, "coordinateTransformations": [scale]})
    axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    return str(path)


@pytest.fixture
def pyramids(tmp_path: Path, labelled_npz: Path) -> tuple[str, str]:
    with np.load(labelled_npz) as arrays:
        return pyramid(tmp_path / "em.zarr", arrays["em"]), pyramid(
            tmp_path / "seg.zarr", arrays["seg"]
        )


@pytest.mark.parametrize("voxel_nm", [None, "40,20,20", "40,4,4", "40,2,2"])
@pytest.mark.parametrize(("level", "width"), [("", 96), ("#scale=0", 96), ("#scale=1", 48)])
def test_labels_are_of_the_level_of_the_volume(
    pyramids: tuple[str, str], voxel_nm: str | None, level: str, width: int
) -> None:
    volume, labels = open_pair(pyramids[0] + level, pyramids[1], voxel_nm)
    assert volume.shape == labels.shape == (24, width, width)
    assert volume.voxel_nm == labels.voxel_nm
    assert set(np.unique(labels.read(0, 1, 0, width, 0, width))) == {1, 2, 3, 4}


def test_labels_of_a_region_are_of_its_level(pyramids: tuple[str, str]) -> None:
    box = "#box=0,24,0,40,0,40"
    volume, labels = open_pair(pyramids[0] + box, pyramids[1] + box, "40,20,20")
    assert volume.shape == labels.shape == (24, 40, 40)
    assert volume.voxel_nm == labels.voxel_nm == (40.0, 20.0, 20.0)
    assert np.unique(labels.read(0, 1, 0, 40, 0, 40)).tolist() == [1]


def test_the_level_of_labels_that_was_asked_for_stays(pyramids: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=r"\(24, 48, 48\), the volume \(24, 96, 96\)"):
        open_pair(pyramids[0], f"{pyramids[1]}#scale=1")


def test_every_nth_section(labelled_npz: Path) -> None:
    volume, labels = open_pair(str(labelled_npz), None, z_step=3)
    assert volume.shape == labels.shape == (8, 96, 96)
    assert volume.voxel_nm == labels.voxel_nm == (90.0, 10.0, 10.0)
    whole = open_grey(str(labelled_npz))
    np.testing.assert_array_equal(volume.read(1, 2, 0, 96, 0, 96), whole.read(3, 4, 0, 96, 0, 96))


def test_relative_paths_become_absolute(
    labelled_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(labelled_npz.parent)
    name = labelled_npz.name
    assert located(name) == str(labelled_npz)
    assert located(f"{name}::seg") == f"{labelled_npz}::seg"
    assert located(f"{name}::em#voxel_nm=1,1,1") == f"{labelled_npz}::em#voxel_nm=1,1,1"
    for prefix in ("zarr://", "precomputed://", "file://", "zarr://file://"):
        assert located(prefix + name) == prefix + str(labelled_npz)
    monkeypatch.setenv("HOME", str(labelled_npz.parent))
    assert located(f"~/{name}") == str(labelled_npz)
    assert located("zarr://gs://bucket/a") == "zarr://gs://bucket/a"
    assert located("synthetic://neuropil?seed=1") == "synthetic://neuropil?seed=1"
    assert located("nowhere.tif") == "nowhere.tif"
