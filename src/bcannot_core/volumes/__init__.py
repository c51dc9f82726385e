"""Volumes: open one from any address, look at regions of it, write skeletons."""

from bcannot_core.volumes.contrast import Contrast, to_grey
from bcannot_core.volumes.opening import open_volume
from bcannot_core.volumes.types import ScaleInfo
from bcannot_core.volumes.volume import Region, Volume

__all__ = ["Contrast", "Region", "ScaleInfo", "Volume", "open_volume", "to_grey"]
