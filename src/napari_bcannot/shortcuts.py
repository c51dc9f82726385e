"""The plugin's keys. None of them is taken by napari's viewer, image, points or vectors layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A key, as napari spells it, and the command of the trace widget that it calls."""

    command: str
    key: str
    label: str
    """The key as people read it."""
    does: str
    """What it does, in a word or two."""


SHORTCUTS = (
    Shortcut("next_section", ".", ".", "+z"),
    Shortcut("previous_section", ",", ",", "−z"),
    Shortcut("done", "Shift-D", "Shift+D", "Done"),
    Shortcut("toggle", "K", "K", "Start / Pause"),
    Shortcut("step", "J", "J", "Step"),
    Shortcut("undo", "Control-Z", "Ctrl+Z", "Undo"),
    Shortcut("redo", "Control-Shift-Z", "Ctrl+Shift+Z", "Redo"),
)

LABELS = {shortcut.command: shortcut.label for shortcut in SHORTCUTS}

HELP = (
    "Click in the image to place the section's node, click again to move it, press Delete to "
    "remove it.<br>"
    + " &nbsp; ".join(f"<b>{shortcut.label}</b> {shortcut.does}" for shortcut in SHORTCUTS)
)


def bind_keys(viewer: Any, commands: object) -> list[str]:
    """Bind the keys to the methods of ``commands`` that they are named after.

    Returns
    -------
    list of str
        The keys that were free and are now bound.
    """
    bound = []
    for shortcut in SHORTCUTS:
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
