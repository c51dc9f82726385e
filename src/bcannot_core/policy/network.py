"""The whole network of a policy: what a checkpoint holds."""

from typing import ClassVar

from torch import nn

from bcannot_core.policy.config import PolicyConfig
from bcannot_core.policy.glance import GlanceNet
from bcannot_core.policy.model import StepTransformer


class PolicyNet(nn.Module):
    """Glance network and step transformer of one policy.

    Parameters
    ----------
    config : PolicyConfig
        Screen and sizes.
    """

    family: ClassVar[str] = "glance"

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        self.glance = GlanceNet(config.glance)
        self.steps = StepTransformer(config)
