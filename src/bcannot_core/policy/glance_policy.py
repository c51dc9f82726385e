"""The policy for tracing: retina, glance network and step transformer at work in a session."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from bcannot_core.policy.eye import Eye, Frame, Sight
from bcannot_core.policy.model import CELL, ClickLogits, StepInputs, grid_shape
from bcannot_core.policy.network import PolicyNet
from bcannot_core.policy.policy import Policy, Proposal
from bcannot_core.policy.stream import TransformerStream

_BELIEVED = 0.5


class GlancePolicy(Policy):
    """A policy of the glance family with the memory of one session.

    Parameters
    ----------
    net : PolicyNet
        The network.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    temperature : float
        0 takes the most probable click; above, clicks are drawn.
    seed : int
        Seed of the draws.
    """

    def __init__(
        self, net: PolicyNet, *, device: str = "auto", temperature: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__(net, device=device, temperature=temperature)
        self.net = net
        self.net.glance.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.config = net.config
        self._generator = np.random.default_rng(seed)
        self.reset()

    # Acting -----------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget the session; the next frame begins a new one."""
        self._eye = Eye(self.net.glance, self.config, self.device)
        self._stream = TransformerStream(self.net.steps)
        self._frame: Frame | None = None
        self._awaits_click = False
        self._logits: ClickLogits | None = None
        self._proposal: Proposal | None = None

    def heatmap(self) -> NDArray[np.float32]:
        """Return the probability of the next click, (height, width), sum 1, for the last frame.

        Zeros before the first frame.
        """
        width, height = self.config.frame_wh
        heat = np.zeros((height, width), dtype=np.float32)
        if self._logits is None:
            return heat
        gate = self._gate()
        rows, columns = grid_shape(self.config)
        cells = torch.softmax(self._logits.pointer.flatten(), 0).view(rows, columns).cpu().numpy()
        spread = np.repeat(np.repeat(cells, CELL, 0), CELL, 1)[:height, :width]
        heat += (1 - gate) * spread / max(float(spread.sum()), 1e-9)
        glimpse = self._eye.glimpse
        if glimpse is not None:
            near = np.zeros_like(heat)
            _add_window(near, np.exp(glimpse.heat), self._eye.retina.to_frame(glimpse.origin_xy))
            heat += gate * near / max(float(near.sum()), 1e-9)
        return heat

    def belief(self, click: tuple[int, int]) -> float | None:
        """Return how likely a place of the last frame belongs to the neurite; 0 out of sight."""
        glimpse = self._eye.glimpse
        if glimpse is None:
            return None
        return glimpse.at(glimpse.belief, self._eye.retina.to_register(click), 0.0)

    def takes_as_one(self, a_xy: tuple[int, int], b_xy: tuple[int, int]) -> bool:
        """Whether two pixels of the frame last looked at lie in one region of what is followed."""
        glimpse = self._eye.glimpse
        if glimpse is None:
            return False
        regions, _ = ndimage.label(glimpse.belief > _BELIEVED)
        left, top = self._eye.retina.to_frame(glimpse.origin_xy)
        height, width = regions.shape
        found = []
        for x, y in (a_xy, b_xy):
            row, column = y - top, x - left
            inside = 0 <= row < height and 0 <= column < width
            found.append(int(regions[row, column]) if inside else 0)
        return found[0] == found[1] != 0

    # Inside -----------------------------------------------------------------------------------

    def _look(self, frame: Frame) -> None:
        """Bring retina, glance and transformer up to a frame, once."""
        if self._awaits_click and self._frame is not None and np.array_equal(frame, self._frame):
            return
        sight = self._eye.look(frame)
        self._frame = frame.copy()
        self._awaits_click = True
        self._logits = self._stream.look(self._step_inputs(sight))

    def _commit(self, click: tuple[int, int], *, trusted: bool = False) -> None:
        width, height = self.config.frame_wh
        self._eye.click(click, trusted=trusted)
        scaled = torch.tensor([[click[0] / width, click[1] / height]], device=self.device)
        self._stream.click(scaled)
        self._awaits_click = False

    def _step_inputs(self, sight: Sight) -> StepInputs:
        return StepInputs(
            coarse=self._picture(sight.coarse),
            patch=self._picture(sight.patch),
            summary=self._tensor(sight.summary),
            clicks=torch.zeros(1, 1, 2, device=self.device),
        )

    def _picture(self, picture: Frame) -> Tensor:
        values = torch.from_numpy(np.ascontiguousarray(picture)).to(self.device)
        return values.permute(2, 0, 1)[None, None].float() / 255

    def _tensor(self, values: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(values).to(self.device)[None, None]

    def _gate(self) -> float:
        assert self._logits is not None
        return float(torch.sigmoid(self._logits.gate.flatten()[0]))

    def _choose(self) -> Proposal:
        assert self._logits is not None
        gate = self._gate()
        glimpse = self._eye.glimpse
        draw = self._generator.random() if self.temperature > 0 else 0.5
        if glimpse is not None and draw < gate:
            point = self._pick(glimpse.heat)
            place = (point[0] + glimpse.origin_xy[0], point[1] + glimpse.origin_xy[1])
            x, y = self._eye.retina.to_frame(place)
            cx, cy, width, height = self.config.canvas_xywh
            x, y = min(max(x, cx), cx + width - 1), min(max(y, cy), cy + height - 1)
            return Proposal((x, y), gate * glimpse.sure, "glance")
        rows, columns = grid_shape(self.config)
        logits = self._logits.pointer.view(rows, columns).cpu()
        column, row = self._pick(torch.log_softmax(logits.flatten(), 0).view(rows, columns).numpy())
        width, height = self.config.frame_wh
        x, y = min(column * CELL + CELL // 2, width - 1), min(row * CELL + CELL // 2, height - 1)
        return Proposal((x, y), 1 - gate, "screen")

    def _pick(self, log_prob: NDArray[np.float32]) -> tuple[int, int]:
        """Return (x, y) of the most probable place, or of a drawn one."""
        if self.temperature > 0:
            noise = self._generator.gumbel(size=log_prob.shape)
            index = int((log_prob / self.temperature + noise).argmax())
        else:
            index = int(log_prob.argmax())
        y, x = divmod(index, log_prob.shape[1])
        return x, y


def _add_window(
    target: NDArray[np.float32], window: NDArray[np.float32], corner_xy: tuple[int, int]
) -> None:
    x, y = corner_xy
    ya, yb = max(y, 0), min(y + window.shape[0], target.shape[0])
    xa, xb = max(x, 0), min(x + window.shape[1], target.shape[1])
    if yb > ya and xb > xa:
        target[ya:yb, xa:xb] += window[ya - y : yb - y, xa - x : xb - x]
