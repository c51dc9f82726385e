"""Every task's world as layers, from *File > Open Sample*."""

import numpy as np
import pytest

from bcannot_core.tasks.registry import list_tasks
from napari_bcannot import sample_data

TRUTH_KINDS = {"points", "shapes", "tracks", "labels", "vectors"}


@pytest.mark.parametrize("task_id", list_tasks())
def test_a_world_has_pictures_and_hidden_truth(task_id):
    layers = getattr(sample_data, task_id)(seed=3)
    kinds = [kind for _, _, kind in layers]
    assert kinds[0] == "image"
    names = [meta["name"] for _, meta, _ in layers]
    assert len(set(names)) == len(names)
    hidden = {kind for _, meta, kind in layers if meta.get("visible") is False}
    assert hidden & TRUTH_KINDS, "ground truth is there, and hidden"
    assert any(meta.get("visible", True) for _, meta, kind in layers if kind == "image")


@pytest.mark.parametrize("task_id", list_tasks())
def test_the_same_seed_is_the_same_world(task_id):
    make = getattr(sample_data, task_id)
    one, same, other = (np.asarray(make(seed=seed)[0][0]) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    if task_id != "neuron_tracing":  # its worlds are places in one volume
        assert one.shape != other.shape or not np.array_equal(one, other)


@pytest.mark.gui
def test_napari_opens_every_sample(make_napari_viewer):
    viewer = make_napari_viewer()
    for task_id in list_tasks():
        layers = viewer.open_sample("napari-bcannot", task_id)
        assert len(layers) >= 2, task_id
        viewer.layers.clear()
    viewer.open_sample("napari-bcannot", "shape_matching", seed=4)
    assert len(viewer.layers) >= 2
