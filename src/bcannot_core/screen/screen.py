"""The screen: draws a frame, and says what lies under a click."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import ClickError, UsageError
from bcannot_core.screen.geometry import Rect
from bcannot_core.screen.layout import Layout
from bcannot_core.screen.painter import Painter, paste
from bcannot_core.screen.shapes import Marker, Shape
from bcannot_core.screen.sprites import ButtonLook, bar_width, get_sheet
from bcannot_core.screen.themes import Theme

_NONE: frozenset[str] = frozenset()


class Hit(NamedTuple):
    """What lies under a click.

    Attributes
    ----------
    kind : str
        ``"button"``, ``"canvas"`` or ``"none"``.
    target : str
        Button id, empty elsewhere.
    canvas_xy : tuple of int or None
        Canvas pixel (x, y) for the kind ``"canvas"``.
    """

    kind: Literal["button", "canvas", "none"]
    target: str = ""
    canvas_xy: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a frame shows.

    Attributes
    ----------
    canvas : uint8 (h, w) or (h, w, 3)
        The picture; compared by identity, so it must not be changed once it was drawn.
    markers : tuple of Marker
        Drawn on it in this order.
    status : tuple of str
        Parts of the status text, side by side.
    progress : float
        Filled share of the progress bar, 0 to 1.
    disabled, pressed : frozenset of str
        Ids of buttons that look so: pressed stands for the chosen tab or item, too.
    ticked : frozenset of str
        Ids of buttons that carry a tick.
    shapes : tuple of Shape
        Drawn on the picture in this order, below the markers.
    panel : uint8 (h, w) or (h, w, 3), optional
        The picture of the side panel; compared by identity, too.
    caption : str
        Text above it.
    hint : str
        Text of the hint line.
    """

    canvas: NDArray[np.uint8]
    markers: tuple[Marker, ...] = ()
    status: tuple[str, ...] = ()
    progress: float = 0.0
    disabled: frozenset[str] = frozenset()
    pressed: frozenset[str] = frozenset()
    ticked: frozenset[str] = frozenset()
    shapes: tuple[Shape, ...] = ()
    panel: NDArray[np.uint8] | None = None
    caption: str = ""
    hint: str = ""


class Screen:
    """An interface of one layout: draws content into one frame that it keeps.

    Parameters
    ----------
    layout : Layout
        Where everything is.
    theme : Theme, optional
        Colours; the variant's otherwise.
    """

    def __init__(self, layout: Layout, theme: Theme | None = None) -> None:
        self.layout = layout
        self._sheet = get_sheet(layout, theme)
        self.theme = self._sheet.theme
        self._frame = self._sheet.background.copy()
        self._view = self._frame.view()
        self._view.flags.writeable = False
        self._painter = Painter(self._frame, layout.canvas)
        self._hits = [Hit("none"), *(Hit("button", name) for name in layout.buttons)]
        self._hit_map = _hit_map(layout)
        self._drawn: Content | None = None
        self._filled = 0

    @property
    def size_wh(self) -> tuple[int, int]:
        """Frame size in pixels."""
        return self.layout.size_wh

    def hit(self, x: int, y: int) -> Hit:
        """Return what lies under a click.

        Raises
        ------
        ClickError
            The click lies outside the frame.
        """
        width, height = self.layout.size_wh
        if not (0 <= x < width and 0 <= y < height):
            raise ClickError(f"click ({x}, {y}) lies outside the frame of {width}×{height} pixels")
        canvas = self.layout.canvas
        if canvas.contains(x, y):
            return Hit("canvas", "", (x - canvas.x, y - canvas.y))
        return self._hits[int(self._hit_map[y, x])]

    def draw(self, content: Content) -> NDArray[np.uint8]:
        """Draw what differs from the content before.

        Returns
        -------
        uint8 (h, w, 3)
            A read-only view of the screen's own frame; it changes with the next call.
        """
        before, canvas = self._drawn, self.layout.canvas
        if content.canvas.shape[:2] != (canvas.h, canvas.w):
            raise UsageError(
                f"the picture has {content.canvas.shape[:2]} pixels, "
                f"the canvas {(canvas.h, canvas.w)}"
            )
        self._painter.paint(content.canvas, (*content.shapes, *content.markers))
        old_status = before.status if before else ()
        if content.status != old_status:
            self._draw_status(content.status, old_status)
        self._draw_progress(content.progress)
        self._draw_buttons(content, before)
        self._draw_panel(content, before)
        self._drawn = content
        return self._view

    def _draw_status(self, parts: tuple[str, ...], before: tuple[str, ...]) -> None:
        rect = self.layout.status
        same = len(parts) == len(before)
        if not same:
            self._frame[rect.slices] = self.theme.background
        for i, (text, slot) in enumerate(zip(parts, _slots(rect, len(parts)), strict=True)):
            if not (same and text == before[i]):
                self._frame[slot.slices] = self._sheet.text(text, slot)

    def _draw_progress(self, fraction: float) -> None:
        rect = self.layout.progress
        filled = bar_width(rect, fraction)
        if filled != self._filled:
            bar = self._frame[rect.slices]
            bar[:, :filled] = self._sheet.bar_full[:, :filled]
            bar[:, filled:] = self._sheet.bar_empty[:, filled:]
            self._filled = filled

    def _draw_buttons(self, content: Content, before: Content | None) -> None:
        rects, disabled, pressed = self.layout.buttons, content.disabled, content.pressed
        for name in _changed_buttons(content, before):
            if name in rects:
                look: ButtonLook = (
                    "disabled" if name in disabled else "pressed" if name in pressed else "normal"
                )
                sprite = self._sheet.button(name, look, name in content.ticked)
                self._frame[rects[name].slices] = sprite

    def _draw_panel(self, content: Content, before: Content | None) -> None:
        layout, frame = self.layout, self._frame
        if layout.hint is not None and content.hint != (before.hint if before else ""):
            frame[layout.hint.slices] = self._sheet.text(content.hint, layout.hint)
        if layout.caption is not None and content.caption != (before.caption if before else ""):
            frame[layout.caption.slices] = self._sheet.text(content.caption, layout.caption)
        if layout.panel is None or content.panel is (before.panel if before else None):
            return
        if content.panel is None:
            frame[layout.panel.slices] = self.theme.track
            return
        part = frame[layout.panel.slices]
        if content.panel.shape[:2] != part.shape[:2]:
            raise UsageError(
                f"the picture of the side panel has {content.panel.shape[:2]} pixels, "
                f"there is room for {part.shape[:2]}"
            )
        paste(part, content.panel)


@lru_cache(maxsize=128)
def _hit_map(layout: Layout) -> NDArray[np.uint16]:
    """Return the number of the button on each pixel of a frame, from 1 on; 0 for none."""
    width, height = layout.size_wh
    numbers = np.zeros((height, width), dtype=np.uint16)
    for number, rect in enumerate(layout.buttons.values(), 1):
        numbers[rect.slices] = number
    return numbers


@lru_cache(maxsize=256)
def _slots(rect: Rect, count: int) -> tuple[Rect, ...]:
    """Divide the status text; the first of two parts gets the larger share."""
    first = rect.w * 3 // 5 if count == 2 else rect.w // max(1, count)
    rest = (rect.w - first) // max(1, count - 1)
    slots = [Rect(rect.x, rect.y, first, rect.h)] if count else []
    while len(slots) < count:
        slots.append(Rect(slots[-1].right, rect.y, rest, rect.h))
    return tuple(slots)


def _changed_buttons(content: Content, before: Content | None) -> set[str]:
    """Return the buttons whose looks differ from the content before; at first all are at rest."""
    changed: set[str] = set()
    for now, then in (
        (content.disabled, before.disabled if before else _NONE),
        (content.pressed, before.pressed if before else _NONE),
        (content.ticked, before.ticked if before else _NONE),
    ):
        if now != then:
            changed |= now ^ then
    return changed
