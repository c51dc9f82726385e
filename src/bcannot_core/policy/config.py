"""What a policy is built from: one frozen dataclass a part, saved with the checkpoint."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bcannot_core.errors import CheckpointError
from bcannot_core.policy.plain import checked_values

LARGEST_LAG = 8
"""How many views back a glance may look."""

_LARGEST_FRAME = 8192


@dataclass(frozen=True)
class GlanceConfig:
    """The glance: a look at full resolution around the last click.

    Attributes
    ----------
    size : int
        Side of the glance in canvas pixels; a multiple of 8.
    lags : tuple of int
        Which earlier views are seen in register with the present one; 1, the one before, first.
    channels : tuple of int
        Width of the network at 1/2, 1/4 and 1/8 of the resolution.
    """

    size: int = 96
    lags: tuple[int, ...] = (1, 2, 4)
    channels: tuple[int, int, int] = (32, 128, 224)

    @property
    def views(self) -> int:
        """How many earlier views are seen."""
        return len(self.lags)

    @property
    def inputs(self) -> int:
        """Input channels: the present view, earlier views, and what was believed of them."""
        return 1 + 2 * self.views


@dataclass(frozen=True)
class PolicyConfig:
    """A policy: the screen it was made for and the size of its parts.

    Attributes
    ----------
    frame_wh : tuple of int
        Width and height of the frames.
    canvas_xywh : tuple of int
        Where the canvas lies in the frame.
    coarse : int
        The whole frame is seen at ``1 / coarse`` of its resolution.
    patch : int
        Side of the full-colour patch around the last click.
    width, layers, heads : int
        Size of the transformer.
    context : int
        Steps the transformer looks back on.
    """

    frame_wh: tuple[int, int] = (426, 436)
    canvas_xywh: tuple[int, int, int, int] = (16, 73, 256, 256)
    coarse: int = 4
    patch: int = 32
    width: int = 128
    layers: int = 4
    heads: int = 4
    context: int = 20
    glance: GlanceConfig = field(default_factory=GlanceConfig)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, to be read by :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PolicyConfig":
        """Build a configuration from plain values.

        Raises
        ------
        CheckpointError
            A value is missing, unknown, of the wrong type, or fits no network.
        """
        if not isinstance(values.get("glance"), Mapping):
            raise CheckpointError("the policy configuration has no readable glance")
        glance = GlanceConfig(**checked_values(GlanceConfig, values["glance"], open_="lags"))
        others = {name: value for name, value in values.items() if name != "glance"}
        config = cls(**checked_values(cls, others, apart=("glance",)), glance=glance)
        config.check()
        return config

    def check(self) -> None:
        """See that a network can be built from the values.

        Raises
        ------
        CheckpointError
            It cannot, or would be larger than any that makes sense.
        """
        glance = self.glance
        (width, height), (x, y, canvas_w, canvas_h) = self.frame_wh, self.canvas_xywh
        fits = {
            "frame_wh": all(self.patch <= side <= _LARGEST_FRAME for side in self.frame_wh),
            "canvas_xywh": x + canvas_w <= width and y + canvas_h <= height,
            "canvas_xywh's size": min(canvas_w, canvas_h) > 0,
            "coarse": self.coarse in (1, 2, 4, 8),
            "patch": self.patch >= 8 and self.patch % 8 == 0,
            "heads": self.heads >= 1 and self.width % (2 * self.heads) == 0,
            "width": 1 <= self.width <= 8192,
            "layers": self.layers <= 256,
            "context": 1 <= self.context <= 4096,
            "glance.size": 8 <= glance.size <= 1024 and glance.size % 8 == 0,
            "glance.lags": glance.lags[:1] == (1,) and max(glance.lags) <= LARGEST_LAG,
            "glance.channels": all(1 <= c <= 8192 for c in glance.channels),
        }
        wrong = [name for name, good in fits.items() if not good]
        if wrong:
            raise CheckpointError(
                f"no network can be built from the policy configuration: {', '.join(wrong)}"
            )
