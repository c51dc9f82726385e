"""What a frames policy is built from, and the sizes that have a name."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from bcannot_core.errors import CheckpointError
from bcannot_core.policy.plain import checked_values

CELL = 8
"""Side in pixels of the cells that the pointer chooses among."""

EncoderKind = Literal["conv", "vit"]
HeadKind = Literal["pointer", "independent"]

_LARGEST_FRAME = 8192
SMALLEST_FRAME = 32
"""Least height and width of a frame."""


@dataclass(frozen=True)
class EncoderConfig:
    """The frame encoder.

    Attributes
    ----------
    kind : str
        ``"conv"``, or ``"vit"`` for a vision transformer on patches of 14 pixels.
    channels : tuple of int
        Convolutional: width at 1/4, 1/8 and 1/16 of the resolution.
    blocks : tuple of int
        Convolutional: residual blocks at each of them; the last ones look across tiles.
    width, layers, heads : int
        Of the vision transformer.
    registers : int
        Extra tokens of the vision transformer.
    """

    kind: EncoderKind = "conv"
    channels: tuple[int, int, int] = (32, 64, 128)
    blocks: tuple[int, int, int] = (0, 1, 1)
    width: int = 384
    layers: int = 12
    heads: int = 6
    registers: int = 4

    def problems(self) -> list[str]:
        """Return the names of values that no encoder can be built from."""
        fits = {
            "encoder.kind": self.kind in get_args(EncoderKind),
            "encoder.channels": all(1 <= c <= 8192 for c in self.channels),
            "encoder.blocks": all(0 <= b <= 64 for b in self.blocks),
            "encoder.heads": self.heads >= 1 and self.width % self.heads == 0,
            "encoder.width": 1 <= self.width <= 8192,
            "encoder.layers": 0 <= self.layers <= 256,
            "encoder.registers": 0 <= self.registers <= 64,
        }
        return [name for name, good in fits.items() if not good]


@dataclass(frozen=True)
class FramesConfig:
    """A frames policy.

    Attributes
    ----------
    frame_wh : tuple of int
        Width and height of the frames that it is made for.
    encoder : EncoderConfig
        The frame encoder.
    width, layers, heads : int
        Size of the transformer over steps.
    context : int
        Steps that it looks back on, the present one included.
    head : str
        ``"pointer"``: a map over the frame, coarse to fine; ``"independent"``: x and y apart.
    tokens_hw : tuple of int
        Rows and columns of a frame's tokens.
    features : int
        Channels of the cells' features.
    """

    frame_wh: tuple[int, int] = (426, 436)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    width: int = 192
    layers: int = 4
    heads: int = 6
    context: int = 20
    head: HeadKind = "pointer"
    tokens_hw: tuple[int, int] = (12, 9)
    features: int = 64

    @property
    def tokens_per_step(self) -> int:
        """Tokens of a step: [cls], frame, click."""
        return self.tokens_hw[0] * self.tokens_hw[1] + 2

    def to_json(self) -> dict[str, Any]:
        """Return plain values, to be read by :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "FramesConfig":
        """Build a configuration from plain values.

        Raises
        ------
        CheckpointError
            A value is missing, unknown, of the wrong type, or fits no network.
        """
        if not isinstance(values.get("encoder"), Mapping):
            raise CheckpointError("the policy configuration has no readable encoder")
        encoder = EncoderConfig(**checked_values(EncoderConfig, values["encoder"]))
        others = {k: v for k, v in values.items() if k != "encoder"}
        plain = checked_values(cls, others, apart=("encoder",))
        config = cls(**plain, encoder=encoder)
        config.check()
        return config

    def check(self) -> None:
        """See that a network can be built from the values.

        Raises
        ------
        CheckpointError
            It cannot, or would be larger than any that makes sense.
        """
        fits = {
            "frame_wh": all(SMALLEST_FRAME <= s <= _LARGEST_FRAME for s in self.frame_wh),
            "heads": self.heads >= 1 and self.width % (2 * self.heads) == 0,
            "width": 1 <= self.width <= 8192,
            "layers": 0 <= self.layers <= 256,
            "context": 1 <= self.context <= 4096,
            "head": self.head in get_args(HeadKind),
            "tokens_hw": all(1 <= side <= 256 for side in self.tokens_hw),
            "features": 1 <= self.features <= 8192,
        }
        wrong = [name for name, good in fits.items() if not good] + self.encoder.problems()
        if wrong:
            raise CheckpointError(
                f"no network can be built from the policy configuration: {', '.join(wrong)}"
            )


def _vit(width: int, layers: int, heads: int) -> EncoderConfig:
    return EncoderConfig(kind="vit", width=width, layers=layers, heads=heads)


SIZES: dict[str, FramesConfig] = {
    "tiny": FramesConfig(width=192, layers=4, heads=3, tokens_hw=(6, 5)),
    "very_small": FramesConfig(encoder=_vit(384, 12, 6), width=256, layers=4, heads=4),
    "small": FramesConfig(encoder=_vit(384, 12, 6), width=256, layers=8, heads=4),
    "base": FramesConfig(encoder=_vit(768, 12, 12), width=320, layers=8, heads=5),
    "large": FramesConfig(encoder=_vit(1024, 24, 16), width=384, layers=8, heads=6),
}
"""The policies that have a name, from the one for a laptop's processor to the largest.

Widths are those with which the parameters come to 25, 28, 95 and 320 million. (With a width of 512
and 8 layers ``base`` would have 113 million.)
"""
