"""Scripted annotators: behaviours, and one plan for each task."""

from bcannot_core.annotators.base import Annotator, make_annotator
from bcannot_core.annotators.behaviour import (
    BEHAVIOURS,
    STRATEGIES,
    Behaviour,
    Strategy,
    named_behaviour,
)
from bcannot_core.annotators.labels import (
    CORRECTION,
    MISTAKE,
    OVERSHOOT,
    VERIFY,
    ClickLabels,
    Flag,
    Phase,
    pack_flags,
    unpack_flags,
)
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator

__all__ = [
    "BEHAVIOURS",
    "CORRECTION",
    "MISTAKE",
    "OVERSHOOT",
    "STRATEGIES",
    "VERIFY",
    "Annotator",
    "Behaviour",
    "ClickLabels",
    "Flag",
    "Intent",
    "Mistake",
    "Phase",
    "PlanAnnotator",
    "Strategy",
    "make_annotator",
    "named_behaviour",
    "pack_flags",
    "unpack_flags",
]
