"""DINOv2 weights for the vision transformer: from timm, a hub, or a local file."""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.frames.config import EncoderConfig
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.vit import VitEncoder

TIMM_NAMES = {
    384: "vit_small_patch14_reg4_dinov2.lvd142m",
    768: "vit_base_patch14_reg4_dinov2.lvd142m",
    1024: "vit_large_patch14_reg4_dinov2.lvd142m",
}
"""timm's names of the models, by width."""

_WHOLE = {
    "cls_token": "cls",
    "reg_token": "registers",
    "register_tokens": "registers",
    "pos_embed": "places",
    "patch_embed.proj.weight": "patch.weight",
    "patch_embed.proj.bias": "patch.bias",
    "norm.weight": "norm.weight",
    "norm.bias": "norm.bias",
}
_IN_BLOCK = {
    "norm1": "norm1",
    "attn.qkv": "qkv",
    "attn.proj": "out",
    "ls1.gamma": "scale1",
    "norm2": "norm2",
    "mlp.fc1": "rise",
    "mlp.fc2": "fall",
    "ls2.gamma": "scale2",
}
_UNUSED = frozenset({"mask_token"})


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Map a state dict with the names of timm, or of the DINOv2 hub, to ours.

    Raises
    ------
    CheckpointError
        A name is unknown.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name in _UNUSED:
            continue
        block = re.fullmatch(r"blocks\.(?:\d+\.)?(\d+)\.(.+?)(\.weight|\.bias)?", name)
        if name in _WHOLE:
            found[_WHOLE[name]] = tensor
        elif block and block[2] in _IN_BLOCK:
            found[f"blocks.{block[1]}.{_IN_BLOCK[block[2]]}{block[3] or ''}"] = tensor
        else:
            raise CheckpointError(f"{name!r} is no weight of a DINOv2 model with registers")
    if "places" in found and "cls" in found:
        extra = found["places"].shape[1] - round((found["places"].shape[1] - 0.5) ** 0.5) ** 2
        if extra == 1:  # the class token's own position, which it always has: part of it
            found["cls"] = found["cls"] + found["places"][:, :1]
            found["places"] = found["places"][:, 1:]
    return found


def load_weights(net: FramesNet, source: str | Path) -> None:
    """Give a network's vision transformer pretrained weights.

    Parameters
    ----------
    net : FramesNet
        A network with a vision transformer.
    source : str or Path
        ``"none"``: leave it as it is; ``"timm"``: DINOv2 of the same width, downloaded by timm
        (extra ``[dinov2]``); else a local safetensors file with timm's, the hub's or our names.

    Raises
    ------
    UsageError
        The network has no vision transformer, or timm is not installed.
    CheckpointError
        The weights are unreadable or do not fit.
    """
    if str(source) == "none":
        return
    if not isinstance(net.encoder, VitEncoder):
        raise UsageError("the policy has a convolutional encoder: pretrained weights are for ViTs")
    vit = net.encoder.vit
    state = _from_timm(net.config.encoder) if str(source) == "timm" else _from_file(Path(source))
    if not set(state) <= set(vit.state_dict()):
        state = renamed(state)
    expected = {name: tensor.shape for name, tensor in vit.state_dict().items()}
    given = {name: tensor.shape for name, tensor in state.items()}
    if given != expected:
        odd = sorted(name for name in {*given, *expected} if given.get(name) != expected.get(name))
        raise CheckpointError(
            f"{source}: the weights do not fit a ViT of width {net.config.encoder.width} "
            f"({', '.join(odd[:3])} …)"
        )
    vit.load_state_dict(state)


def _from_timm(config: EncoderConfig) -> Mapping[str, Tensor]:
    name = TIMM_NAMES.get(config.width)
    if name is None:
        raise CheckpointError(f"there are no DINOv2 weights of width {config.width}")
    try:
        timm: Any = import_module("timm")
    except ImportError as error:
        raise UsageError("timm is not installed: pip install 'napari-bcannot[dinov2]'") from error
    state: Mapping[str, Tensor] = timm.create_model(
        name, pretrained=True, num_classes=0
    ).state_dict()
    return state


def _from_file(path: Path) -> Mapping[str, Tensor]:
    try:
        state: Mapping[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error
    return state


def learning_groups(
    net: FramesNet, rate: float, encoder_rate: float, decay: float = 0.8
) -> Iterator[dict[str, Any]]:
    """Give parameter groups with a learning rate for every layer of a vision transformer.

    What is not of the transformer learns at ``rate``; its last layer at ``encoder_rate``, and
    each layer before that ``decay`` times as fast as the one after it. A convolutional encoder
    learns at ``rate``.

    Yields
    ------
    dict
        ``params``: list of (name, parameter); ``lr``.
    """
    vit = net.encoder.vit if isinstance(net.encoder, VitEncoder) else None
    inside = set() if vit is None else {id(p) for p in vit.parameters()}
    yield {
        "params": [(name, p) for name, p in net.named_parameters() if id(p) not in inside],
        "lr": rate,
    }
    if vit is None:
        return
    prefix, layers = "encoder.vit.", len(vit.blocks)
    groups: dict[int, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in vit.named_parameters(prefix[:-1]):
        groups.setdefault(_depth(name.removeprefix(prefix), layers), []).append((name, parameter))
    for depth, params in sorted(groups.items()):
        yield {"params": params, "lr": encoder_rate * decay ** (layers - depth)}


def _depth(name: str, layers: int) -> int:
    block = re.match(r"blocks\.(\d+)\.", name)
    if block:
        return int(block[1]) + 1
    return layers if name.startswith("norm.") else 0
