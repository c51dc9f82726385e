"""The plugin's side of real checkpoints; what an untrained network clicks does not matter."""

import json

import pytest
import torch

from bcannot_core.errors import CheckpointError
from bcannot_core.policy.config import GlanceConfig, PolicyConfig
from bcannot_core.policy.glance_policy import GlancePolicy
from bcannot_core.policy.network import PolicyNet
from napari_bcannot.nodes import Place
from napari_bcannot.policies import check_folder, load_policy
from napari_bcannot.runner import PolicyShelf
from napari_bcannot.snapshot import Phase
from napari_bcannot.turns import Failure, take_turns


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    config = PolicyConfig(width=32, layers=1, heads=2, glance=GlanceConfig(channels=(8, 16, 16)))
    folder = tmp_path_factory.mktemp("policy") / "tiny"
    GlancePolicy(PolicyNet(config), device="cpu").save(folder)
    return folder


def test_a_checkpoint_acts_in_a_session_with_a_person_in_between(make_controller, checkpoint):
    controller = make_controller(sections=6)
    controller.wants_heatmap = True
    shelf = PolicyShelf(load_policy)
    generation = controller.start()
    for n, turn in enumerate(
        take_turns(controller, lambda: shelf.seat(str(checkpoint)), generation)
    ):
        assert not isinstance(turn.result, Failure), turn.result
        if n == 2:
            controller.edit([Place((controller.trace.z, 100.0, 100.0))])
            assert not controller.accept(turn.result)
        else:
            assert controller.accept(turn.result)
        assert turn.result.heatmap.shape == (436, 426)
        assert 0 <= turn.result.confidence <= 1
        turn.ack.set()
        if n == 5 or not controller.wants(generation):
            break
    assert shelf.seat(str(checkpoint)) is shelf.seat(str(checkpoint)), (
        "it is loaded again each time"
    )


def test_a_checkpoint_of_another_version_is_a_failure_in_one_line(
    make_controller, checkpoint, tmp_path
):
    broken = tmp_path / "broken"
    broken.mkdir()
    body = json.loads((checkpoint / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(body | {"version": 99}))
    assert check_folder(str(broken)) == str(broken)
    controller = make_controller()
    shelf = PolicyShelf(load_policy)
    generation = controller.start()
    (turn,) = take_turns(controller, lambda: shelf.seat(str(broken)), generation)
    controller.fail(turn.result)
    assert controller.snapshot().phase is Phase.FAILED
    assert "version" in controller.warnings[0]
    assert "\n" not in controller.warnings[0]


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        check_folder(str(tmp_path))
