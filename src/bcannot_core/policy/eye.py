"""The eye: retina and glance network together, from frames to what the transformer is told."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from bcannot_core.policy.config import PolicyConfig
from bcannot_core.policy.glance import GlanceNet, GlanceOutput, click_log_prob
from bcannot_core.policy.precision import autocast
from bcannot_core.policy.retina import (
    SETTLE_LOOKS,
    Glimpse,
    Point,
    Retina,
    View,
    coarse_frame,
    glance_inputs,
)

Frame = NDArray[np.uint8]

MIRRORS: tuple[tuple[int, ...], ...] = ((), (2,), (1,), (1, 2))
"""Axes of (inputs, y, x) along which a glance is mirrored."""


_NEAR_PX = 0.7


@dataclass(frozen=True)
class Sight:
    """What is passed on of one frame.

    Attributes
    ----------
    coarse : uint8 (h, w, 3)
        The frame at reduced resolution.
    patch : uint8 (p, p, 3)
        The surroundings of the last click in full colour.
    summary : float32 (s,)
        Plain figures about the glimpse and the last click.
    """

    coarse: Frame
    patch: Frame
    summary: NDArray[np.float32]


class Eye:
    """Looks at the frames of one session.

    Parameters
    ----------
    glance : GlanceNet
        In evaluation mode.
    config : PolicyConfig
        The policy's.
    device : torch.device
        Where the network is.
    """

    def __init__(self, glance: GlanceNet, config: PolicyConfig, device: torch.device) -> None:
        self.net, self.config, self.device = glance, config, device
        self.retina = Retina(config)

    def look(self, frame: Frame) -> Sight:
        """Take in a frame.

        Raises
        ------
        CheckpointError
            The frame has another size than the policy was made for.
        """
        retina = self.retina
        arrived = retina.see(frame)
        if arrived:
            if retina.disputed():
                self._believe_click(retina.views[1])
            if len(retina.views) == 1:
                self._settle(retina.views[0], retina.focus())
            else:
                inputs, origin = retina.glance()
                retina.views[0].glimpse = self._glimpse(inputs, origin)
        return Sight(
            coarse=coarse_frame(frame, self.config.coarse),
            patch=retina.patch(frame),
            summary=retina.summary(arrived=arrived),
        )

    def click(self, click_xy: tuple[int, int], *, trusted: bool = False) -> None:
        """Take in a click on the frame last looked at; follow it in any case where trusted."""
        self.retina.click(click_xy)
        if trusted and self.retina.disputed_here():
            self._believe_click(self.retina.views[0])

    @property
    def glimpse(self) -> Glimpse | None:
        """The glimpse of the present view."""
        return self.retina.views[0].glimpse if self.retina.views else None

    def _believe_click(self, view: View) -> None:
        """Look at a view anew, with the click on it as the only evidence of the object."""
        if view.click is not None:
            self._settle(view, view.click)
            del self.retina.views[self.retina.views.index(view) + 1 :]

    def _settle(self, view: View, focus: Point) -> None:
        """Look several times at a view that nothing is known of but where its object is."""
        view.glimpse = None
        for look in range(SETTLE_LOOKS):
            inputs, origin = glance_inputs([view, view] if look else [view], focus, self.config)
            view.glimpse = self._glimpse(inputs, origin)
        if view.glimpse is not None:
            view.glimpse.heat = near(view.glimpse, focus)

    def _glimpse(self, inputs: NDArray[np.float32], origin: tuple[int, int]) -> Glimpse:
        """Look at a glance and its mirror images at once, and take the mean of what is seen."""
        glance = torch.from_numpy(inputs).to(self.device)
        batch = torch.stack([glance.flip(axes) for axes in MIRRORS])
        with torch.inference_mode(), autocast(self.device):
            output = self.net(batch.contiguous(memory_format=torch.channels_last))
        heats = F.log_softmax(output.heat.flatten(1), dim=1).view_as(output.heat)
        belief, heat = (
            torch.stack(
                [m.flip([a - 1 for a in axes]) for m, axes in zip(maps, MIRRORS, strict=True)]
            )
            for maps in (output.belief, heats)
        )
        mean = GlanceOutput(
            belief.mean(0, keepdim=True),
            heat.mean(0, keepdim=True),
            output.present.mean(0, keepdim=True),
            output.sure.mean(0, keepdim=True),
            output.affinities[:1],
        )
        return Glimpse(
            origin,
            torch.sigmoid(mean.belief)[0].cpu().numpy(),
            click_log_prob(mean)[0].cpu().numpy(),
            float(torch.sigmoid(mean.present)[0]),
            float(torch.sigmoid(mean.sure)[0]),
        )


def near(glimpse: Glimpse, focus: Point) -> NDArray[np.float32]:
    """Return the heat of a glimpse, drawn to the only point that is known of the object."""
    x, y = focus[0] - glimpse.origin_xy[0], focus[1] - glimpse.origin_xy[1]
    rows, columns = np.ogrid[: glimpse.heat.shape[0], : glimpse.heat.shape[1]]
    heat = glimpse.heat - ((rows - y) ** 2 + (columns - x) ** 2) / np.float32(2 * _NEAR_PX**2)
    best = heat.max()
    total = np.log(np.exp(heat - best).sum()) + best
    drawn: NDArray[np.float32] = (heat - total).astype(np.float32)
    return drawn
