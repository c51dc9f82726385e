"""Sessions of a person: a folder each, with every click of every neurite and all that happened.

A *sitting* is what users know as a session: from opening a volume to closing it, with any number
of neurites. (`bcannot_core.session.Session` is one neurite's reducer.)
"""

from bcannot_core.sittings.exporting import Export, export_sittings
from bcannot_core.sittings.facts import NeuriteFacts, NeuriteRecord, SittingFacts
from bcannot_core.sittings.lines import SittingEvent
from bcannot_core.sittings.listing import (
    SittingInfo,
    delete_sitting,
    delete_sittings,
    interrupted,
    list_sittings,
    look_at,
)
from bcannot_core.sittings.lock import in_use
from bcannot_core.sittings.reader import SittingReader
from bcannot_core.sittings.timeline import Drawn, Moment, Picture, Timeline
from bcannot_core.sittings.writer import SittingWriter

__all__ = [
    "Drawn",
    "Export",
    "Moment",
    "NeuriteFacts",
    "NeuriteRecord",
    "Picture",
    "SittingEvent",
    "SittingFacts",
    "SittingInfo",
    "SittingReader",
    "SittingWriter",
    "Timeline",
    "delete_sitting",
    "delete_sittings",
    "export_sittings",
    "in_use",
    "interrupted",
    "list_sittings",
    "look_at",
]
