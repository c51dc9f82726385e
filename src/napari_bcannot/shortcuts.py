"""The plugin's keys. None of them is taken by napari's viewer, image, points or vectors layers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A key, as napari spells it, and the method of a widget that it calls."""

    command: str
    key: str
    label: str
    """The key as people read it."""
    does: str
    """What it does, in a word or two."""
    tells: str = ""
    """What it does, in a sentence."""


SHORTCUTS = (
    Shortcut("next_section", ".", ".", "+z", "Go to the next section"),
    Shortcut("previous_section", ",", ",", "−z", "Go to the previous section"),
    Shortcut("done", "Shift-D", "Shift+D", "Done", "Say that the trace is complete"),
    Shortcut("toggle", "K", "K", "Start / Pause", "Let the policy trace, or hold it"),
    Shortcut("step", "J", "J", "Step", "Let the policy make one click"),
    Shortcut(
        "accept_proposal", "Enter", "Enter", "Accept", "Take what the policy proposes, and go on"
    ),
    Shortcut("reject_proposal", "U", "U", "Turn down", "Turn down what the policy proposes"),
    Shortcut("branch_here", "B", "B", "Branch", "Begin a branch at this section's node"),
    Shortcut("next_neurite", "]", "]", "Next neurite", "Go on with the next neurite of the list"),
    Shortcut(
        "previous_neurite", "[", "[", "Previous one", "Go on with the neurite before in the list"
    ),
    Shortcut("undo", "Control-Z", "Ctrl+Z", "Undo", "Take back the last edit, whoever made it"),
    Shortcut("redo", "Control-Shift-Z", "Ctrl+Shift+Z", "Redo", "Make it again"),
)
"""Of the trace widget, in any layer."""

MOUSE = (
    ("Click", "Place the section's node, or move it"),
    ("Drag", "Move a node (select mode of the points layer)"),
    ("Delete", "Remove the selected node"),
)
"""What the mouse and napari's own keys do to a trace."""

LABELS = {shortcut.command: shortcut.label for shortcut in SHORTCUTS}

HELP = (
    "Click in the image to place the section's node, click again to move it, press Delete to "
    "remove it.<br>"
    + " &nbsp; ".join(f"<b>{shortcut.label}</b> {shortcut.does}" for shortcut in SHORTCUTS)
)


def all_shortcuts() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return every key and what it does, in named groups: what people are shown."""
    from napari_bcannot.review_keys import REVIEW_SHORTCUTS

    return [
        ("Tracing", [_row(shortcut) for shortcut in SHORTCUTS]),
        ("Nodes", list(MOUSE)),
        ("Reviewing (while Review traces is open)", [_row(key) for key in REVIEW_SHORTCUTS]),
    ]


def _row(shortcut: Shortcut) -> tuple[str, str]:
    return shortcut.label, shortcut.tells or shortcut.does


def bind_keys(
    viewer: Any, commands: object, shortcuts: Iterable[Shortcut] = SHORTCUTS
) -> list[str]:
    """Bind keys to the methods of ``commands`` that they are named after.

    Returns
    -------
    list of str
        The keys that were free and are now bound.
    """
    bound = []
    for shortcut in shortcuts:
        try:
            viewer.bind_key(shortcut.key, _calls(getattr(commands, shortcut.command)))
        except ValueError:  # somebody else has bound it in this viewer: leave it theirs
            continue
        bound.append(shortcut.key)
    return bound


def unbind_keys(viewer: Any, keys: list[str]) -> None:
    """Take the keys away again."""
    for key in keys:
        viewer.bind_key(key, None)


def _calls(command: Callable[[], None]) -> Callable[[Any], None]:
    def on_key(_: Any) -> None:
        command()

    return on_key
