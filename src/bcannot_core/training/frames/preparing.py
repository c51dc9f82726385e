"""What is done to a network before it is trained: checkpointing, compiling, rates of its parts."""

import torch
from torch import nn

from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.vit_weights import learning_groups
from bcannot_core.training.frames.recipe import FramesRecipe, OptimRecipe


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


def rate_scales(net: FramesNet, recipe: OptimRecipe) -> dict[str, float]:
    """Return factors on the learning rate by parameter name: those of a vision transformer."""
    groups = learning_groups(net, 1.0, recipe.backbone, recipe.layer_decay)
    return {name: float(group["lr"]) for group in groups for name, _ in group["params"]}
