"""Notices when a viewer's layers come, go, move or are renamed."""

from collections.abc import Callable
from typing import Any

_EVENTS = ("inserted", "removed", "reordered", "renamed")  # napari has "renamed" from 0.6.1 on


class LayerWatch:
    """Calls back after each change of the list of layers, until it is closed.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are watched.
    changed : callable
        A method; gets the event.
    """

    def __init__(self, viewer: Any, changed: Callable[[Any], None]) -> None:
        events = viewer.layers.events
        self._changed = changed
        self._emitters = [getattr(events, name) for name in _EVENTS if hasattr(events, name)]
        for emitter in self._emitters:
            emitter.connect(changed)

    def close(self) -> None:
        """Watch no longer."""
        for emitter in self._emitters:
            emitter.disconnect(self._changed)
        self._emitters = []
