"""What is done to a network before it is trained: checkpointing, compiling, rates of its parts."""

import torch
from torch import nn

from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.training.frames.recipe import FramesRecipe


def prepare(net: FramesNet, recipe: FramesRecipe, device: torch.device) -> None:
    """Switch on what the recipe asks for.

    Parts that can forget activations have a switch ``checkpointing``. Compiling is for CUDA: what
    it makes of convolutions on a CPU has wrong gradients.
    """
    for module in net.modules():
        if hasattr(module, "checkpointing"):
            vars(module)["checkpointing"] = recipe.checkpointing
    if recipe.compile and device.type == "cuda":
        encoder: nn.Module = net.encoder
        encoder.compile()


def rate_scales(net: FramesNet, recipe: FramesRecipe) -> dict[str, float]:
    """Return factors on the learning rate by parameter name.

    A pretrained encoder learns at the recipe's ``backbone`` rate, its first layers more slowly
    where it says so itself (``rate_scales``).
    """
    encoder: nn.Module = net.encoder
    own = getattr(encoder, "rate_scales", None)
    scales: dict[str, float] = {} if own is None else own()
    return {
        f"encoder.{name}": recipe.optimizer.backbone * scales.get(name, 1.0)
        for name, _ in encoder.named_parameters()
    }
