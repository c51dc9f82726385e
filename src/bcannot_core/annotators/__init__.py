"""Scripted annotators: behaviours, and one plan for each task."""

from bcannot_core.annotators.base import Annotator, make_annotator
from bcannot_core.annotators.behaviour import (
    BEHAVIOURS,
    CORRECTION,
    MISTAKE,
    OVERSHOOT,
    VERIFY,
    Behaviour,
    Flag,
    named_behaviour,
)

__all__ = [
    "BEHAVIOURS",
    "CORRECTION",
    "MISTAKE",
    "OVERSHOOT",
    "VERIFY",
    "Annotator",
    "Behaviour",
    "Flag",
    "make_annotator",
    "named_behaviour",
]
