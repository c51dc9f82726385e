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


SHORTCUTS = (
    Shortcut("next_section", ".", "."),
    Shortcut("previous_section", ",", ","),
    Shortcut("done", "Shift-D", "Shift+D"),
    Shortcut("toggle", "K", "K"),
    Shortcut("step", "J", "J"),
    Shortcut("undo", "Control-Z", "Ctrl+Z"),
    Shortcut("redo", "Control-Shift-Z", "Ctrl+Shift+Z"),
)

LABELS = {shortcut.command: shortcut.label for shortcut in SHORTCUTS}

HELP = (
    f"Keys: {LABELS['next_section']} +z, {LABELS['previous_section']} −z, "
    f"{LABELS['done']} Done, {LABELS['toggle']} Start/Pause, {LABELS['step']} Step, "
    f"{LABELS['undo']} Undo, {LABELS['redo']} Redo. "
    "Click to place the section's node, drag to move it, Delete to remove it."
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
