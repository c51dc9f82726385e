"""A tap on the stream of a policy's [cls] token while the policy looks at frames."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from bcannot_core.closing import Closing
from bcannot_core.errors import UsageError
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.network import PolicyNet

_LARGEST = float(np.finfo(np.float16).max)


class _Heard(threading.local):
    """What was heard in a thread, a tensor a layer."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []


class ClsTap(Closing):
    """Listens to the residual stream at the [cls] token; what the policy does is unchanged.

    It hears what the network does in the thread that asks: another policy with the same network
    may act in another thread.

    Parameters
    ----------
    policy : Policy or BatchPolicy
        A policy with a transformer over steps, of either family; every frame it looks at, by
        ``act``, ``propose`` or ``observe``, gives a new ``latest``.

    Attributes
    ----------
    layers, width : int
        Shape of what is heard: before the first layer, and after each.

    Raises
    ------
    UsageError
        The policy has no stream that can be listened to.
    """

    def __init__(self, policy: Any) -> None:
        blocks, per_step, self.width = _stream_of(policy)
        self.layers = len(blocks) + 1
        # a click's token may stand before [cls], never between it and the end of its frame
        self._place = 1 - per_step
        self._here = _Heard()
        self._hooks = [blocks[0].register_forward_pre_hook(self._begin)]
        self._hooks += [block.register_forward_hook(self._hear) for block in blocks]

    @property
    def latest(self) -> NDArray[np.float16]:
        """The stream of the frame last looked at, (layers, width).

        Raises
        ------
        UsageError
            No frame was looked at yet.
        """
        stream: NDArray[np.float16] = self.rows[0]
        return stream

    @property
    def rows(self) -> NDArray[np.float16]:
        """The stream of the frames last looked at in lockstep, (rows, layers, width).

        Raises
        ------
        UsageError
            No frame was looked at yet.
        """
        heard = self._here.tensors
        if len(heard) != self.layers:
            raise UsageError("the policy has not looked at a frame yet: show it one")
        stream = np.stack([tensor.float().cpu().numpy() for tensor in heard], 1)
        low: NDArray[np.float16] = stream.clip(-_LARGEST, _LARGEST).astype(np.float16)
        return low

    def close(self) -> None:
        """Stop listening."""
        for hook in self._hooks:
            hook.remove()

    def _begin(self, _block: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._here.tensors = [inputs[0][:, self._place]]

    def _hear(self, _block: nn.Module, _inputs: object, output: Tensor) -> None:
        self._here.tensors.append(output[:, self._place])


def _stream_of(policy: Any) -> tuple[list[nn.Module], int, int]:
    """Return the layers that a policy's stream goes through, its tokens per step, its width."""
    net = getattr(policy, "net", None)
    if isinstance(net, PolicyNet):
        blocks, per_step = list(net.steps.blocks), net.steps.tokens_per_step
    elif isinstance(net, FramesNet):
        blocks, per_step = list(net.transformer.blocks), net.config.tokens_per_step
    else:
        blocks, per_step = [], 0
    if not blocks or not isinstance(net, PolicyNet | FramesNet):
        kind = type(policy).__name__
        raise UsageError(f"a {kind} has no [cls] stream: use a policy with a step transformer")
    return blocks, per_step, net.config.width
