"""What a glance should have said where only clicks are known.

Nothing tells which pixels belong to the neurite. Where an average of the networks so far believes
in a region that the node lies in, and in nothing that is known to be wrong, that region is taken
for the neurite; it gets better as the network does.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from bcannot_core.policy.glance import GlanceOutput, click_log_prob
from bcannot_core.training.glance_stage import ABSENT_WEIGHT, bell
from bcannot_core.training.lesson_lanes import Hint, is_near

_BELIEVED, _DOUBTED = 0.6, 0.15
_LARGEST = 0.5
_SPOT = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if dy * dy + dx * dx <= 4]
_SPOT_WEIGHT = 15.0

Known = tuple[NDArray[np.float32], NDArray[np.float32]]


def known_pixels(hint: Hint, belief: NDArray[np.float32], size: int) -> Known:
    """Return which pixels are the neurite, and how much each counts; unknown ones count nothing.

    Parameters
    ----------
    hint : Hint
        What is known.
    belief : float32 (size, size)
        What the teacher believes.
    size : int
        Side of the glance.
    """
    mask = np.zeros((size, size), dtype=np.float32)
    weight = np.zeros((size, size), dtype=np.float32)
    if not hint.present:
        weight[:] = 1
        return mask, weight
    if hint.node is None:
        return mask, weight
    region = _region(hint, belief)
    if region is not None:
        mask[region] = 1
        weight[region | (belief < _DOUBTED)] = 1
    for points, value in ((hint.others, 0.0), (hint.wrong, 0.0), ((hint.node,), 1.0)):
        for y, x in points:
            _spot(mask, weight, (y, x), value)
    return mask, weight


def _region(hint: Hint, belief: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Return the region believed in around the node, None where it cannot be the neurite."""
    assert hint.node is not None
    regions, _ = ndimage.label(belief > _BELIEVED)
    own = regions[hint.node]
    if own == 0:
        return None
    region: NDArray[np.bool_] = regions == own
    wrong = any(region[at] for at in (*hint.wrong, *hint.others))
    return None if wrong or region.mean() > _LARGEST else region


def _spot(
    mask: NDArray[np.float32], weight: NDArray[np.float32], at: tuple[int, int], value: float
) -> None:
    ys, xs = (np.array(_SPOT) + at).T
    inside = (ys >= 0) & (ys < mask.shape[0]) & (xs >= 0) & (xs < mask.shape[1])
    mask[ys[inside], xs[inside]] = value
    weight[ys[inside], xs[inside]] = _SPOT_WEIGHT


def lesson_losses(
    output: GlanceOutput,
    hints: Sequence[Hint],
    beliefs: NDArray[np.float32],
    corrected_weight: float,
) -> dict[str, Tensor]:
    """Return the losses of a batch of hints: mask, click, aim, presence, confidence; their total.

    Parameters
    ----------
    output : GlanceOutput
        What the network said.
    hints : sequence of Hint
        What is known.
    beliefs : float32 (n, size, size)
        What the teacher believes.
    corrected_weight : float
        How much more a section counts in which a person put a policy right.
    """
    device, size = output.belief.device, output.belief.shape[1]
    known = [known_pixels(h, b, size) for h, b in zip(hints, beliefs, strict=True)]
    mask, pixels = (
        torch.from_numpy(np.stack(part)).to(device) for part in zip(*known, strict=True)
    )
    counts = torch.tensor([corrected_weight if h.corrected else 1.0 for h in hints], device=device)
    counts = counts / counts.mean()
    present = torch.tensor([float(h.present) for h in hints], device=device)
    aimed = counts * torch.tensor([float(h.node is not None) for h in hints], device=device)
    where = torch.tensor([h.node or (0, 0) for h in hints], device=device)
    wanted = bell(where, torch.ones_like(mask))
    cross = F.binary_cross_entropy_with_logits(output.belief, mask, reduction="none")
    heat = F.log_softmax(output.heat.flatten(1), 1).view_as(mask)
    joint = click_log_prob(output)
    near = _near(joint, hints).to(device)
    total = aimed.sum().clamp(min=1)
    losses = {
        "mask": 4 * (cross * pixels).mean((1, 2)).mul(counts).mean(),
        "click": -0.15 * ((wanted * heat).sum((1, 2)) * aimed).sum() / total,
        "aim": -0.15 * ((wanted * joint).sum((1, 2)) * aimed).sum() / total,
        "present": 0.3
        * F.binary_cross_entropy_with_logits(
            output.present, present, weight=1 + (ABSENT_WEIGHT - 1) * (1 - present)
        ),
        "sure": 0.1 * F.binary_cross_entropy_with_logits(output.sure, near),
    }
    return {**losses, "total": torch.stack(list(losses.values())).sum()}


@torch.no_grad()
def _near(joint: Tensor, hints: Sequence[Hint]) -> Tensor:
    """Return for every glance whether the most probable click is near the node."""
    best = joint.flatten(1).argmax(1).cpu().numpy()
    size = joint.shape[1]
    return torch.tensor(
        [float(is_near(divmod(int(b), size), h)) for b, h in zip(best, hints, strict=True)]
    )
