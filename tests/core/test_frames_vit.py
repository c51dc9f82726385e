"""The vision transformer: sizes, pretrained weights under other names, learning rates by layer."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.frames import vit_weights
from bcannot_core.policy.frames.config import SIZES, EncoderConfig, FramesConfig
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.vit_weights import learning_groups, load_weights

torch.set_num_threads(1)

WIDTH = 32
ENCODER = EncoderConfig(kind="vit", width=WIDTH, layers=2, heads=2)
CONFIG = FramesConfig(
    frame_wh=(70, 60), encoder=ENCODER, width=32, layers=1, heads=2, tokens_hw=(2, 2), features=16
)


def make_net(seed=0, config=CONFIG):
    torch.manual_seed(seed)
    return FramesNet(config).eval()


def timm_state(width=WIDTH, layers=2, seed=0):
    """Weights with the names and shapes that timm gives ``vit_*_patch14_reg4_dinov2``."""
    shapes = {
        "cls_token": (1, 1, width),
        "reg_token": (1, 4, width),
        "pos_embed": (1, 1369, width),
        "patch_embed.proj.weight": (width, 3, 14, 14),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for i in range(layers):
        linear = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
        for name, (rows, columns) in linear.items():
            shapes[f"blocks.{i}.{name}.weight"] = (rows * width, columns * width)
            shapes[f"blocks.{i}.{name}.bias"] = (rows * width,)
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[f"blocks.{i}.{name}"] = (width,)
        for name in ("ls1.gamma", "ls2.gamma"):
            shapes[f"blocks.{i}.{name}"] = (width,)
    g = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=g) * 0.1 for name, shape in shapes.items()}


def hub_state():
    """The same as DINOv2's own hub names it."""
    state = timm_state()
    state["register_tokens"] = state.pop("reg_token")
    state["mask_token"] = torch.zeros(1, WIDTH)
    place = torch.full((1, 1, WIDTH), 0.25)
    state["cls_token"] = state["cls_token"] - place
    state["pos_embed"] = torch.cat((place, state["pos_embed"]), 1)
    return state


@pytest.mark.parametrize(
    ("name", "millions"), [("very_small", 25), ("small", 28), ("base", 95), ("large", 320)]
)
def test_sizes_are_what_they_are_called(name, millions):
    with torch.device("meta"):
        net = FramesNet(SIZES[name])
    count = sum(p.numel() for p in net.parameters())
    assert count == pytest.approx(millions * 1e6, rel=0.03)


def test_timm_has_as_many_weights_as_ours():
    with torch.device("meta"):
        vit = FramesNet(SIZES["small"]).encoder.vit
    ours = sum(p.numel() for p in vit.parameters())
    assert ours == sum(t.numel() for t in timm_state(384, 12).values())


@pytest.mark.parametrize("hw", [(60, 70), (32, 99)])
def test_frames_of_any_size_have_tokens_and_cells(hw):
    net = make_net()
    frames = torch.randint(0, 256, (1, 2, *hw, 3), dtype=torch.uint8)
    with torch.inference_mode():
        encoded = net.encode(frames)
        click = net(frames, torch.zeros(1, 2, 2, dtype=torch.long))
    assert encoded.tokens.shape == (1, 2, 4, 32)
    assert encoded.cells.shape == (1, 2, 16, -(-hw[0] // 8), -(-hw[1] // 8))
    assert click.heatmap(0).sum().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_gradient_reaches_every_parameter(checkpointing):
    net = make_net().train()
    torch.nn.init.normal_(net.head.fine.out.weight)
    net.encoder.vit.checkpointing = net.transformer.checkpointing = checkpointing
    frames = torch.randint(0, 256, (1, 2, 60, 70, 3), dtype=torch.uint8)
    clicks = torch.tensor([[[10, 20], [50, 33]]])
    rects = torch.cat((clicks, clicks + 1), -1)
    net(frames, clicks, rects, torch.zeros(1, 2, 2)).target_log_prob(rects).sum().backward()
    missing = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


@pytest.mark.parametrize("make_state", [timm_state, hub_state])
def test_pretrained_weights_are_the_network_that_they_were(tmp_path, make_state):
    save_file(make_state(), tmp_path / "dino.safetensors")
    net = make_net()
    load_weights(net, tmp_path / "dino.safetensors")
    pixels = torch.randn(2, 3, 28, 42, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = net.encoder.vit(pixels)
        wanted = reference_vit(timm_state(), pixels, net.encoder.vit.placed(2, 3))
    assert torch.allclose(found, wanted, atol=1e-4)


def reference_vit(state, pixels, places):
    """The model written out with timm's names."""
    import torch.nn.functional as F

    def norm(x, name):
        return F.layer_norm(x, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    def linear(x, name):
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    x = F.conv2d(
        pixels, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=14
    )
    x = x.flatten(2).transpose(1, 2) + places
    lead = torch.cat((state["cls_token"], state["reg_token"]), 1).expand(len(x), -1, -1)
    x = torch.cat((lead, x), 1)
    for i in range(2):
        b = f"blocks.{i}."
        q, k, v = (
            part.unflatten(2, (2, -1)).transpose(1, 2)
            for part in linear(norm(x, b + "norm1"), b + "attn.qkv").chunk(3, -1)
        )
        weights = (q @ k.transpose(2, 3) / (WIDTH // 2) ** 0.5).softmax(-1)
        seen = (weights @ v).transpose(1, 2).flatten(2)
        x = x + state[b + "ls1.gamma"] * linear(seen, b + "attn.proj")
        inner = F.gelu(linear(norm(x, b + "norm2"), b + "mlp.fc1"))
        x = x + state[b + "ls2.gamma"] * linear(inner, b + "mlp.fc2")
    return norm(x, "norm")[:, 5:].transpose(1, 2).unflatten(2, (2, 3))


def test_the_grid_of_places_keeps_its_shape():
    vit = make_net().encoder.vit
    assert vit.placed(37, 37) is vit.places
    with torch.no_grad():
        ramp = torch.linspace(0, 1, 37)
        vit.places.copy_(ramp.repeat_interleave(37)[None, :, None].expand_as(vit.places))
    grid = vit.placed(31, 32)[0, :, 0].view(31, 32)
    assert torch.allclose(grid, grid[:, :1].expand_as(grid), atol=1e-4)
    assert (grid[1:, 0] > grid[:-1, 0]).all()


def test_weights_from_timm_are_asked_for_by_width(monkeypatch):
    asked = []

    def create_model(name, **options):
        asked.append((name, options))
        return SimpleNamespace(state_dict=lambda: timm_state())

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    monkeypatch.setitem(vit_weights.TIMM_NAMES, WIDTH, "vit_mine")
    net = make_net()
    load_weights(net, "timm")
    assert asked == [("vit_mine", {"pretrained": True, "num_classes": 0})]
    assert torch.equal(net.encoder.vit.cls, timm_state()["cls_token"])


def test_without_timm_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.setitem(vit_weights.TIMM_NAMES, WIDTH, "vit_mine")
    with pytest.raises(UsageError, match="dinov2"):
        load_weights(make_net(), "timm")


def test_weights_that_do_not_fit_are_refused(tmp_path):
    net = make_net()
    before = net.encoder.vit.cls.clone()
    load_weights(net, "none")
    with pytest.raises(CheckpointError, match="not a readable"):
        load_weights(net, tmp_path / "nothing.safetensors")
    for change in ({"blocks.0.attn.qkv.weight": torch.zeros(3, 3)}, {"head.weight": torch.ones(1)}):
        save_file({**timm_state(), **change}, tmp_path / "odd.safetensors")
        with pytest.raises(CheckpointError):
            load_weights(net, tmp_path / "odd.safetensors")
    save_file(timm_state(layers=1), tmp_path / "short.safetensors")
    with pytest.raises(CheckpointError, match="do not fit"):
        load_weights(net, tmp_path / "short.safetensors")
    assert torch.equal(net.encoder.vit.cls, before)
    conv = make_net(config=replace(CONFIG, encoder=EncoderConfig(channels=(8, 8, 8))))
    with pytest.raises(UsageError, match="convolutional"):
        load_weights(conv, tmp_path / "short.safetensors")


def test_every_parameter_learns_at_the_rate_of_its_layer():
    net = make_net()
    groups = list(learning_groups(net, 1e-4, 1e-5, 0.5))
    rate = {name: group["lr"] for group in groups for name, _ in group["params"]}
    assert set(rate) == {name for name, _ in net.named_parameters()}
    assert sum(len(group["params"]) for group in groups) == len(rate)
    assert rate["encoder.vit.patch.weight"] == rate["encoder.vit.places"] == 1e-5 / 4
    assert rate["encoder.vit.blocks.0.qkv.weight"] == 1e-5 / 2
    assert rate["encoder.vit.blocks.1.qkv.weight"] == rate["encoder.vit.norm.weight"] == 1e-5
    assert rate["encoder.token.weight"] == rate["cls"] == 1e-4
    conv = make_net(config=replace(CONFIG, encoder=EncoderConfig(channels=(8, 8, 8))))
    [group] = learning_groups(conv, 1e-4, 1e-5)
    assert len(group["params"]) == len(list(conv.parameters()))
