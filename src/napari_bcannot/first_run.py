"""Whether somebody is new here, and what they are told then."""

from napari_bcannot.settings import keep_section, read_section
from napari_bcannot.shortcuts import LABELS

_SECTION, _SEEN = "hints", "first_steps_seen"

TITLE = "First steps"
STEPS = (
    "Open a volume: your own 3-D image, or the sample below.",
    "Press <b>Pick start point</b>, then click inside a neurite.",
    f"Press <b>Start</b> ({LABELS['toggle']}): the policy traces section by section.",
    "Where it goes wrong, press the key again and click the right place: the trace goes on from "
    "there.",
    "<b>Save</b> the trace as SWC.",
)


def is_first_run() -> bool:
    """Whether the hint was never put away."""
    return read_section(_SECTION).get(_SEEN) is not True


def hint_seen() -> None:
    """Do not show the hint again."""
    keep_section(_SECTION, {_SEEN: True})


def hint_unseen() -> None:
    """Show the hint again."""
    keep_section(_SECTION, {_SEEN: False})


def hint_text() -> str:
    """Return the steps as a numbered list in HTML."""
    items = "".join(f"<li>{step}</li>" for step in STEPS)
    return f"<b>{TITLE}</b><ol style='margin-left: -22px'>{items}</ol>"
