"""In which precision networks compute: bfloat16 where the hardware has it, float32 elsewhere.

A processor without bfloat16 instructions imitates them: the same product takes several times as
long as in float32.
"""

from functools import cache

import torch

_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")
_AMPERE = (8, 0)


@cache
def has_bfloat16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 by instructions of its own.

    Older versions of PyTorch cannot tell of a processor; with them it computes in float32.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _AMPERE
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        able = torch.cpu.get_capabilities()
        return any(able.get(name, False) for name in _INSTRUCTIONS)
    return False


def autocast(device: torch.device, low: bool | None = None) -> torch.autocast:
    """Return the context in which networks compute in bfloat16 where that suffices.

    Parameters
    ----------
    device : torch.device
        Where they compute.
    low : bool, optional
        Whether they do so at all; by default where the device has it.
    """
    low = has_bfloat16(device) if low is None else low
    return torch.autocast(device.type, torch.bfloat16, enabled=low)
