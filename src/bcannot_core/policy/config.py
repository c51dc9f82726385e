"""What a policy is built from: one frozen dataclass a part, saved with the checkpoint."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bcannot_core.errors import CheckpointError


@dataclass(frozen=True)
class GlanceConfig:
    """The glance: a look at full resolution around the last click.

    Attributes
    ----------
    size : int
        Side of the glance in canvas pixels; a multiple of 8.
    views : int
        How many earlier views are seen in register with the present one.
    channels : tuple of int
        Width of the network at 1/2, 1/4 and 1/8 of the resolution.
    """

    size: int = 128
    views: int = 3
    channels: tuple[int, int, int] = (32, 96, 160)

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
    canvas_xywh: tuple[int, int, int, int] = (12, 12, 256, 256)
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
            A value is missing, unknown or of the wrong type.
        """
        try:
            glance = _checked(GlanceConfig, values["glance"])
            config: PolicyConfig = _checked(
                cls, {**values, "glance": GlanceConfig(**glance)}, build=True
            )
            return config
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"the policy configuration is not readable: {error}") from error


def _checked(kind: type, values: Mapping[str, Any], *, build: bool = False) -> Any:
    names = {f.name for f in fields(kind)}
    if set(values) != names:
        odd = sorted(set(values) ^ names)
        raise CheckpointError(f"the policy configuration lacks or does not know {', '.join(odd)}")
    plain: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, list):
            value = tuple(value)
        members = value if isinstance(value, tuple) else (value,)
        for member in members:
            if isinstance(member, GlanceConfig):
                continue
            if isinstance(member, bool) or not isinstance(member, int) or not 0 <= member <= 65_536:
                raise CheckpointError(f"the policy configuration has {name} = {value!r}")
        plain[name] = value
    return kind(**plain) if build else plain
