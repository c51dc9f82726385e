"""Skeletons of neurites in the files of other tools: SWC, NML, CSV, precomputed skeletons."""

from bcannot_core.skeletons.convert import (
    FORMATS,
    format_of,
    read_skeletons,
    write_skeletons,
)
from bcannot_core.skeletons.neurites import (
    NamedSkeleton,
    SkeletonSet,
    join_branches,
)
from bcannot_core.skeletons.swc_files import append_swc

__all__ = [
    "FORMATS",
    "NamedSkeleton",
    "SkeletonSet",
    "append_swc",
    "format_of",
    "join_branches",
    "read_skeletons",
    "write_skeletons",
]
