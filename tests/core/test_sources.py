"""From episodes to the tissue that they were recorded in."""

import numpy as np
import pytest

from bcannot_core.episodes.episode import DataRef, Episode
from bcannot_core.errors import DatasetError, VolumeError
from bcannot_core.training import sources
from bcannot_core.training.card import model_card
from bcannot_core.training.recipe import TrainRecipe
from bcannot_core.training.sources import tissues_of


def make_episode(volume, labels="same", **data):
    values = {"start_zyx": (0, 0, 0), "voxel_nm": (30, 10, 10), "contrast": (0, 255)} | data
    labels = volume if labels == "same" else labels
    reference = None if volume is None else DataRef(volume, labels=labels, **values)
    return Episode("neuron_tracing", {}, reference, "original", 0, ())


@pytest.fixture
def file(tmp_path):
    """A volume whose name has a # in it, and its arrays."""
    rng = np.random.default_rng(0)
    em = rng.integers(0, 256, (8, 40, 50), dtype=np.uint8)
    em[0, 0, :2] = 0, 255
    seg = rng.integers(5, 9, em.shape).astype(np.uint64) * 10**12
    seg[:, :10] = 0
    path = tmp_path / "sample#1.npz"
    np.savez(path, em=em, seg=seg, voxel_nm=np.array([30.0, 10.0, 10.0]))
    return path, em, seg


def test_a_volume_is_used_whole_where_no_region_is_named(file):
    path, em, seg = file
    [tissue] = tissues_of([make_episode(str(path))] * 3)
    assert tissue.grey.shape == em.shape
    assert tissue.grey.dtype == np.uint8
    assert np.corrcoef(tissue.grey.ravel(), em.ravel())[0, 1] > 0.99
    assert tissue.voxel_nm == (30, 10, 10)
    assert tissue.weight == 3
    assert tissue.labels.dtype == np.int32
    assert ((tissue.labels == 0) == (seg == 0)).all()
    pairs = np.unique(np.stack([tissue.labels.ravel(), seg.ravel()]), axis=1)
    assert pairs.shape[1] == np.unique(seg).size, "one small number for each id"


def test_the_box_around_all_regions_is_used_unturned(file):
    path, em, seg = file
    boxes = ["#box=1,4,5,20,0,30", "#box=2,6,8,25,10,20&axes=2,1,0&flip=1,0,1&step=2,1,1"]
    [tissue] = tissues_of([make_episode(f"{path}{box}") for box in boxes])
    assert tissue.grey.shape == (5, 20, 30)
    assert tissue.weight == 2
    part = seg[1:6, 5:25, :30]
    assert ((tissue.labels == 0) == (part == 0)).all()
    assert np.corrcoef(tissue.grey.ravel(), em[1:6, 5:25, :30].ravel())[0, 1] > 0.99


def test_background_is_kept_apart_where_there_is_none(tmp_path):
    seg = np.arange(1, 9, dtype=np.uint32).reshape(2, 2, 2)
    np.savez(tmp_path / "full.npz", em=seg.astype(np.uint8), seg=seg)
    [tissue] = tissues_of([make_episode(str(tmp_path / "full.npz"))])
    assert tissue.labels.ravel().tolist() == list(range(1, 9))


def test_other_options_of_an_address_stay(file):
    path, *_ = file
    address = f"{path}#voxel_nm=40,20,20"
    tissues = tissues_of([make_episode(f"{address}&box=0,4,0,40,0,50"), make_episode(str(path))])
    assert [tissue.voxel_nm for tissue in tissues] == [(40, 20, 20), (30, 10, 10)]


def test_labels_may_lie_elsewhere(file, tmp_path):
    _, em, seg = file
    np.save(tmp_path / "grey.npy", em)
    np.savez(tmp_path / "labels.npz", seg=seg)
    volume, labels = str(tmp_path / "grey.npy"), str(tmp_path / "labels.npz")
    box = "#box=0,8,0,40,0,50"
    [tissue] = tissues_of([make_episode(volume + box, labels + box)])
    assert ((tissue.labels == 0) == (seg == 0)).all()


def test_episodes_without_labels_are_left_out(file):
    path, *_ = file
    episodes = [make_episode(None), make_episode(str(path), labels=None), make_episode(str(path))]
    assert tissues_of(episodes)[0].weight == 1
    with pytest.raises(DatasetError, match="no episode with labels"):
        tissues_of(episodes[:2])
    with pytest.raises(DatasetError, match="no episode with labels"):
        tissues_of([])


def test_regions_that_do_not_agree_are_refused(file):
    path, *_ = file
    with pytest.raises(DatasetError, match="different regions"):
        tissues_of([make_episode(f"{path}#box=0,4,0,40,0,50", f"{path}#box=1,5,0,40,0,50")])


def test_labels_of_another_shape_are_refused(file, tmp_path):
    path, _, seg = file
    np.savez(tmp_path / "short.npz", seg=seg[:4])
    with pytest.raises(DatasetError, match="must be equal"):
        tissues_of([make_episode(str(path), str(tmp_path / "short.npz"))])


def test_a_volume_that_is_gone_is_named(tmp_path):
    with pytest.raises(VolumeError, match="gone"):
        tissues_of([make_episode(str(tmp_path / "gone.npz"))])


def test_volumes_that_fit_no_memory_are_refused(file, monkeypatch):
    path, em, _ = file
    monkeypatch.setattr(sources, "_MAX_VOXELS", em.size - 1)
    with pytest.raises(DatasetError, match="span 16000 voxels: use smaller regions"):
        tissues_of([make_episode(str(path))])
    small = make_episode(f"{path}#box=0,7,0,40,0,50")
    assert tissues_of([small])[0].grey.shape == (7, 40, 50)


def test_the_card_names_data_without_folders(file):
    path, *_ = file
    synthetic = "synthetic://default?seed=1"
    episodes = [make_episode(f"{path}#box=0,4,0,40,0,50"), make_episode(synthetic)] * 2
    card = model_card("mine", TrainRecipe(), [*episodes, make_episode(None)])
    assert card.startswith("# mine\n")
    assert "* sample#1.npz: 2 episodes" in card
    assert f"* {synthetic}: 2 episodes" in card
    assert str(path.parent) not in card
    assert "20000 updates of 32 glances" in card
