"""Layouts: where the canvas, the buttons and the status line of an interface are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from bcannot_core.errors import UsageError
from bcannot_core.screen.geometry import Rect
from bcannot_core.screen.packing import SPACE, Request, pack
from bcannot_core.screen.specs import ButtonSpec
from bcannot_core.screen.themes import Variant, get_variant

_BAR_H = 8
_BAR_W = 48


@dataclass(frozen=True, eq=False)
class Layout:
    """Rectangles of an interface; all lie inside the window and none overlap.

    Attributes
    ----------
    variant : Variant
        What it was built for.
    size_wh : tuple of int
        Window size.
    canvas, status, progress : Rect
        The canvas, the status text and the progress bar.
    buttons : mapping of str to Rect
        Rectangles by button id, in the order of the specs, whatever their kind.
    specs : tuple of ButtonSpec
        The buttons.
    panel, caption : Rect or None
        The picture of the side panel and the text above it.
    hint : Rect or None
        The hint line.
    """

    variant: Variant
    size_wh: tuple[int, int]
    canvas: Rect
    status: Rect
    progress: Rect
    buttons: Mapping[str, Rect]
    specs: tuple[ButtonSpec, ...] = field(repr=False)
    panel: Rect | None = None
    caption: Rect | None = None
    hint: Rect | None = None


def build_layout(
    buttons: Sequence[ButtonSpec],
    variant: str | Variant = "original",
    canvas_hw: tuple[int, int] = (256, 256),
    window_wh: tuple[int, int] = (426, 436),
    *,
    panel_hw: tuple[int, int] | None = None,
    hint: bool = False,
) -> Layout:
    """Lay out an interface; the same arguments return the same object.

    Parameters
    ----------
    buttons : sequence of ButtonSpec
        Everything that is clicked beside the canvas.
    variant : str or Variant
        The interface variant.
    canvas_hw, window_wh : tuple of int
        Sizes in pixels.
    panel_hw : tuple of int, optional
        Make room for a picture beside the canvas.
    hint : bool
        Make room for a line of text.

    Raises
    ------
    UsageError
        Two buttons have the same id, the variant is unknown, or the window is too small.
    """
    return _build(
        Request(tuple(buttons), get_variant(variant), canvas_hw, window_wh, panel_hw, hint)
    )


@lru_cache(maxsize=256)
def _build(request: Request) -> Layout:
    specs, window = request.specs, Rect(0, 0, *request.window_wh)
    if len({spec.id for spec in specs}) != len(specs):
        raise UsageError(f"button ids are not unique: {', '.join(spec.id for spec in specs)}")
    packed = pack(request)
    others = [rect for rect in (packed.panel, packed.caption, packed.hint) if rect is not None]
    for rect in (packed.canvas, packed.status, *others, *packed.rects.values()):
        if not window.covers(rect):
            raise UsageError(
                f"a window of {window.w}×{window.h} is too small for a canvas of "
                f"{packed.canvas.w}×{packed.canvas.h} and {len(specs)} buttons "
                f"({request.variant.name}): enlarge it"
            )
    text, bar = _split_status(packed.status)
    return Layout(
        request.variant,
        request.window_wh,
        packed.canvas,
        text,
        bar,
        MappingProxyType({spec.id: packed.rects[spec.id] for spec in specs}),
        specs,
        packed.panel,
        packed.caption,
        packed.hint,
    )


def _split_status(line: Rect) -> tuple[Rect, Rect]:
    """Divide the status line into the text and the progress bar beside it."""
    bar_w = min(_BAR_W, line.w // 4)
    bar = Rect(line.right - bar_w, line.y + (line.h - _BAR_H) // 2, bar_w, _BAR_H)
    return Rect(line.x, line.y, line.w - bar_w - SPACE, line.h), bar
