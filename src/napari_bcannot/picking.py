"""Picking a point in the viewer by a click."""

from collections.abc import Callable, Iterator
from typing import Any

DRAG_PX = 5.0
"""A press and release further apart than this pans the view instead."""


class StartPicker:
    """While on, the next click in the viewer is a picked point.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the person clicks.
    picked : callable
        Gets the world position, as many coordinates as the viewer has axes.
    """

    def __init__(self, viewer: Any, picked: Callable[[tuple[float, ...]], None]) -> None:
        self._viewer = viewer
        self._picked = picked
        self.on = False

    def switch(self, on: bool) -> None:
        """Wait for a click, or stop waiting."""
        callbacks = self._viewer.mouse_drag_callbacks
        if on and not self.on:
            callbacks.append(self._on_mouse)
        elif self.on and not on and self._on_mouse in callbacks:
            callbacks.remove(self._on_mouse)
        self.on = on

    def _on_mouse(self, viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1:
            return
        pressed = event.pos
        yield
        while event.type == "mouse_move":
            yield
        moved = max(abs(float(a) - float(b)) for a, b in zip(event.pos, pressed, strict=True))
        if self.on and moved <= DRAG_PX:
            self._picked(tuple(float(at) for at in event.position))
