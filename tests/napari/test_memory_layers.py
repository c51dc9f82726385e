"""Sessions on layers that lie in no file: recorded with a copy, brought back from it."""

import numpy as np
from napari.layers import Image
from sitting import grey_volume

from bcannot_core.sittings.copies import find_copy
from bcannot_core.tasks.neuron_tracing import TracingConfig
from napari_bcannot.neurites import NeuriteList
from napari_bcannot.recorder import SittingRecorder
from napari_bcannot.restoring import find_layer, make_again, open_layer_of, plan_of
from napari_bcannot.tracing import TraceSession


def recorded(root, volume, warned):
    neurites = NeuriteList()
    recorder = SittingRecorder(neurites, warned.append)
    recorder.switch(root)
    trace = TraceSession(volume, (0, 60, 60), TracingConfig(sections=10))
    neurites.add(trace, name="axon")
    trace.place((0, 60, 60))
    trace.place((1, 63, 61))
    folder = recorder.folder
    recorder.end_all()
    return folder, trace.nodes


def test_a_layer_in_memory_comes_back_with_its_session(tmp_path):
    volume = grey_volume("memory:em")
    warned = []
    folder, nodes = recorded(tmp_path, volume, warned)
    assert warned == []
    plan = plan_of(folder)
    data, meta, kind = open_layer_of(plan)
    assert kind == "image"
    assert np.array_equal(np.asarray(data), np.asarray(volume.array))
    again = make_again(plan, meta["metadata"]["bcannot_volume"])
    ((_, trace),) = again.traces
    again.writer.close()
    assert trace.nodes == nodes


def test_another_layer_of_that_name_is_not_taken_for_it(tmp_path):
    volume = grey_volume("memory:em")
    folder, _ = recorded(tmp_path, volume, [])
    plan = plan_of(folder)
    other = Image(255 - np.asarray(volume.array), name="em")
    same = Image(np.asarray(volume.array).copy(), name="em")
    assert find_layer([other], plan) is None
    assert find_layer([other, same], plan) is same


def test_what_cannot_be_kept_is_said_and_recorded_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("bcannot_core.sittings.copies.MAX_BYTES", 10)
    warned = []
    volume = grey_volume("memory:em")
    folder, _ = recorded(tmp_path, volume, warned)
    assert len(warned) == 1
    assert "too large" in warned[0]
    assert find_copy(folder, volume.fingerprint()) is None
    assert len(plan_of(folder).neurites) == 1


def test_volumes_in_files_are_not_copied(tmp_path):
    folder, _ = recorded(tmp_path, grey_volume("cells.tif"), [])
    assert not (folder / "volumes").exists()
