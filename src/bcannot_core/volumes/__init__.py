"""Volumes: open one from any address, look at regions of it, write skeletons."""

from bcannot_core.volumes.base import ScaleInfo
from bcannot_core.volumes.catalogue import CatalogueEntry, catalogue
from bcannot_core.volumes.contrast import Contrast, to_grey
from bcannot_core.volumes.opening import open_volume
from bcannot_core.volumes.region import Region
from bcannot_core.volumes.swc import Skeleton, read_swc, write_swc
from bcannot_core.volumes.volume import Volume

__all__ = [
    "CatalogueEntry",
    "Contrast",
    "Region",
    "ScaleInfo",
    "Skeleton",
    "Volume",
    "catalogue",
    "open_volume",
    "read_swc",
    "to_grey",
    "write_swc",
]
