"""Checkpoint folders: what is written is read back, and nothing else is believed."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bcannot_core.errors import CheckpointError
from bcannot_core.policy import checkpoint
from bcannot_core.policy.checkpoint import (
    load_checkpoint,
    policy_folders,
    read_config,
    resolve_policy,
    save_checkpoint,
)
from bcannot_core.policy.config import GlanceConfig, PolicyConfig
from bcannot_core.policy.network import PolicyNet

torch.set_num_threads(1)


def make_net(seed=0, **config):
    torch.manual_seed(seed)
    glance = GlanceConfig(size=16, channels=(8, 8, 8))
    return PolicyNet(PolicyConfig(width=16, layers=1, heads=2, patch=8, glance=glance, **config))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint") / "whole"
    save_checkpoint(make_net(), folder, card="# whole\n", training={"seed": 3})
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(whole, tmp_path / "copy")


def test_a_full_disk_is_said_in_one_line_and_leaves_the_policy_before(folder, full_disk):
    before = [path.read_bytes() for path in shards_of(folder)]
    large = PolicyNet(PolicyConfig(width=64, layers=2, heads=2))
    with full_disk(), pytest.raises(CheckpointError, match="is the disk full"):
        save_checkpoint(large, folder, card="", training={})
    assert [path.read_bytes() for path in shards_of(folder)] == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def shards_of(folder):
    return sorted(folder.glob("*.safetensors"))


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_policy(folder, **values):
    policy = json.loads((folder / "config.json").read_text())["policy"]
    glance = {k.removeprefix("glance_"): v for k, v in values.items() if k.startswith("glance_")}
    values = {k: v for k, v in values.items() if not k.startswith("glance_")}
    change_config(folder, policy=policy | {"glance": policy["glance"] | glance} | values)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(t, b[name]) for name, t in a.items())


# -- round trip ----------------------------------------------------------------------------------


def test_full_precision_comes_back_bit_for_bit(tmp_path):
    net = make_net()
    net.glance.stem_norm.running_mean.fill_(0.123456789)
    net.glance.stem_norm.num_batches_tracked.fill_(70_000)
    save_checkpoint(net, tmp_path / "p", card="", training={}, half=False)
    back = load_checkpoint(tmp_path / "p")
    assert same(net, back)
    assert back.config == net.config
    assert all(p.requires_grad and not p.is_meta for p in back.parameters())


def test_half_precision_keeps_the_statistics(tmp_path):
    net = make_net()
    net.glance.stem_norm.running_var.fill_(1e-9)
    save_checkpoint(net, tmp_path / "p", card="", training={})
    back = load_checkpoint(tmp_path / "p").state_dict()
    for name, tensor in net.state_dict().items():
        exact = "running_" in name or not tensor.is_floating_point()
        assert torch.equal(back[name], tensor if exact else tensor.half().float()), name
        assert back[name].dtype == tensor.dtype
    assert (back["glance.stem_norm.running_var"] == 1e-9).all()


def test_a_folder_holds_configuration_card_and_weights(whole):
    names = sorted(path.name for path in whole.iterdir())
    assert names == ["README.md", "config.json", "model-00001-of-00001.safetensors"]
    assert (whole / "README.md").read_text() == "# whole\n"
    config = read_config(whole)
    assert config["training"] == {"seed": 3}
    assert PolicyConfig.from_json(config["policy"]) == make_net().config


def test_a_policy_without_a_card_gets_one(tmp_path):
    save_checkpoint(make_net(), tmp_path / "mine", card="", training={})
    assert (tmp_path / "mine" / "README.md").read_text() == "# mine\n"


def test_shards_stay_below_their_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SHARD_BYTES", 170_000)
    net = make_net()
    save_checkpoint(net, tmp_path / "p", card="", training={}, half=False)
    shards = shards_of(tmp_path / "p")
    assert len(shards) > 2
    assert max(sum(t.nbytes for t in load_file(s).values()) for s in shards) <= 170_000
    assert same(load_checkpoint(tmp_path / "p"), net)


def test_the_limit_leaves_room_for_the_header():
    assert checkpoint.SHARD_BYTES < 16 * 1024 * 1024


def test_an_existing_policy_is_replaced_and_nothing_is_left_behind(folder):
    net = make_net(seed=5)
    save_checkpoint(net, folder, card="# new\n", training={}, half=False)
    assert same(load_checkpoint(folder), net)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_failed_save_leaves_the_policy_as_it_was(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = load_checkpoint(folder)
    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(make_net(seed=5), folder, card="", training={})
    assert same(load_checkpoint(folder), before)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_something_else_than_a_policy_is_never_replaced(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "model" / "precious.txt").write_text("mine")
    for name in ("data", "file", "model"):
        with pytest.raises(CheckpointError, match="something else than a policy"):
            save_checkpoint(make_net(), tmp_path / name, card="", training={})
    for name in ("data", "model"):
        assert (tmp_path / name / "precious.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    save_checkpoint(make_net(), tmp_path / "empty", card="", training={})
    load_checkpoint(tmp_path / "empty")


def test_what_lies_beside_a_policy_stays_when_it_is_replaced(tmp_path):
    folder = tmp_path / "policy"
    save_checkpoint(make_net(seed=1), folder, card="", training={})
    (folder / "notes.txt").write_text("mine")
    (folder / "figures").mkdir()
    (folder / "figures" / "a.svg").write_text("mine")
    (folder / "probes").mkdir()
    (folder / "probes" / "probes.json").write_text("of the weights before")
    net = make_net(seed=2)
    save_checkpoint(net, folder, card="", training={}, half=False)
    assert same(load_checkpoint(folder), net)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "figures" / "a.svg").read_text() == "mine"
    assert not (folder / "probes").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]


# -- names ---------------------------------------------------------------------------------------


def test_policies_are_found_by_name_or_folder(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "user_policies", lambda: tmp_path)
    shutil.copytree(whole, tmp_path / "mine")
    (tmp_path / "no_policy").mkdir()
    assert policy_folders()["mine"] == tmp_path / "mine"
    assert "no_policy" not in policy_folders()
    assert resolve_policy("mine") == tmp_path / "mine"
    assert resolve_policy(whole) == resolve_policy(str(whole)) == whole
    (tmp_path / "here" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert resolve_policy("mine") == tmp_path / "mine", "any folder of that name stands before it"
    assert resolve_policy("./mine") == resolve_policy(Path("mine")) == Path("mine")
    with pytest.raises(CheckpointError, match=r"no policy 'yours'.*mine"):
        resolve_policy("yours")


# -- damage --------------------------------------------------------------------------------------


def refuse(folder, match):
    with pytest.raises(CheckpointError, match=match) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value).split(": ", 1)[0]


@pytest.mark.parametrize("version", [1, 3, "2", None])
def test_another_version_is_refused(folder, version):
    change_config(folder, version=version)
    refuse(folder, rf"version {version!r}, this release reads version 2: update")


def test_another_format_is_refused(folder):
    change_config(folder, format="something")
    refuse(folder, "does not describe a policy")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        '"bcannot-policy"',
        "null",
        "[" * 200_000,
        '{"format": "bcannot-policy", "version": 2}',
        '{"format": "bcannot-policy", "version": 2, "policy": [1]}',
        '{"format": "bcannot-policy", "version": 2, "policy": {}}',
        '{"format": "bcannot-policy", "version": 2, "policy": {"glance": 3}}',
        '{"format": "bcannot-policy", "version": 2, "policy": {"glance": [1, "a"]}}',
    ],
    ids=lambda text: text[:60],
)
def test_a_malformed_configuration_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    refuse(folder, ".")


def test_bytes_that_are_no_text_are_refused(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe\x00{")
    refuse(folder, "not readable as a policy")


def test_a_huge_configuration_is_not_even_read(folder):
    (folder / "config.json").write_text('{"a": "' + "x" * 1_000_000 + '"}')
    refuse(folder, "larger than")


def test_a_missing_configuration_is_refused(folder):
    (folder / "config.json").unlink()
    refuse(folder, "not readable as a policy")


@pytest.mark.parametrize(
    "values",
    [
        {"width": -16},
        {"width": 16.0},
        {"width": True},
        {"width": "16"},
        {"width": [16]},
        {"width": None},
        {"width": 10**9},
        {"frame_wh": 426},
        {"frame_wh": [426]},
        {"frame_wh": [426, 436, 3]},
        {"frame_wh": [426, [436]]},
        {"frame_wh": [0, 0]},
        {"canvas_xywh": [300, 0, 256, 256]},
        {"canvas_xywh": [0, 0, 0, 256]},
        {"coarse": 0},
        {"coarse": 3},
        {"heads": 0},
        {"heads": 3},
        {"heads": 16},
        {"patch": 0},
        {"patch": 12},
        {"context": 0},
        {"layers": 170_000},
        {"glance_size": 0},
        {"glance_size": 20},
        {"glance_lags": []},
        {"glance_lags": [2]},
        {"glance_lags": [1, 99]},
        {"glance_lags": 3},
        {"glance_channels": [8, 8]},
        {"glance_channels": [8, 8, 0]},
        {"glance_unknown": 1},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_configuration_that_fits_no_network_is_refused(folder, values):
    change_policy(folder, **values)
    refuse(folder, "configuration")


def test_a_missing_value_is_refused(folder):
    policy = json.loads((folder / "config.json").read_text())["policy"]
    del policy["context"]
    change_config(folder, policy=policy)
    refuse(folder, "lacks or does not know context")


@pytest.mark.parametrize(
    "values",
    [{"width": 32}, {"layers": 2}, {"glance_channels": [8, 8, 16]}, {"width": 8192, "layers": 256}],
    ids=str,
)
def test_a_configuration_for_other_weights_is_refused_without_building_it(folder, values):
    change_policy(folder, **values)
    refuse(folder, "not fit|has shape")


def test_truncated_weights_are_refused(folder):
    [shard] = shards_of(folder)
    whole = shard.read_bytes()
    for size in (0, 7, 100, len(whole) - 1):
        shard.write_bytes(whole[:size])
        refuse(folder, "is not readable.*get the policy anew")


def test_a_pickle_is_never_read(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    [shard] = shards_of(folder)
    shard.write_bytes(pickle.dumps(Trap()))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    refuse(folder, "is not readable")
    assert not (tmp_path / "sprung").exists()


def test_missing_and_extra_shards_are_refused(folder):
    [shard] = shards_of(folder)
    extra = shard.with_name("model-00002-of-00001.safetensors")
    shutil.copy(shard, extra)
    refuse(folder, "lacks some of its weight files")
    extra.unlink()
    shard.rename(shard.with_name("model-00001-of-00002.safetensors"))
    refuse(folder, "lacks some of its weight files")
    shard.with_name("model-00001-of-00002.safetensors").unlink()
    refuse(folder, "holds 0 weight files")
    shard.mkdir()
    refuse(folder, "is not readable")


@pytest.mark.parametrize("change", ["drop", "add", "reshape"])
def test_other_tensors_than_expected_are_refused(folder, change):
    [shard] = shards_of(folder)
    tensors = load_file(shard)
    if change == "drop":
        del tensors["steps.gate.bias"]
    elif change == "add":
        tensors["steps.spare"] = torch.zeros(3)
    else:
        tensors["steps.gate.bias"] = torch.zeros(2)
    save_file(tensors, shard)
    refuse(folder, "gate.bias" if change != "add" else "steps.spare")
