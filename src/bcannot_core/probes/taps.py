"""A tap on the stream of a policy's [cls] token while the policy looks at frames."""

from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from bcannot_core.errors import UsageError
from bcannot_core.policy.network import PolicyNet

_LARGEST = float(np.finfo(np.float16).max)


class ClsTap:
    """Listens to the residual stream at the [cls] token; what the policy does is unchanged.

    Parameters
    ----------
    policy : Policy
        A policy with a step transformer; every frame it looks at, by ``act``, ``propose`` or
        ``observe``, gives a new ``latest``.

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
        net = getattr(policy, "net", None)
        if not isinstance(net, PolicyNet):
            kind = type(policy).__name__
            raise UsageError(f"a {kind} has no [cls] stream: use a policy with a step transformer")
        steps = net.steps
        self.layers, self.width = len(steps.blocks) + 1, steps.config.width
        self._from_end = steps.tokens_per_step - 1
        self._heard: list[Tensor] = []
        first, *_ = steps.blocks
        self._hooks = [first.register_forward_pre_hook(self._begin)]
        self._hooks += [block.register_forward_hook(self._hear) for block in steps.blocks]

    @property
    def latest(self) -> NDArray[np.float16]:
        """The stream of the frame last looked at, (layers, width).

        Raises
        ------
        UsageError
            No frame was looked at yet.
        """
        if len(self._heard) != self.layers:
            raise UsageError("the policy has not looked at a frame yet: show it one")
        stream = np.stack([tensor.float().cpu().numpy() for tensor in self._heard])
        return stream.clip(-_LARGEST, _LARGEST).astype(np.float16)

    def close(self) -> None:
        """Stop listening."""
        for hook in self._hooks:
            hook.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self, _block: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._heard = [inputs[0][0, -self._from_end]]

    def _hear(self, _block: nn.Module, _inputs: object, output: Tensor) -> None:
        self._heard.append(output[0, -self._from_end])
