"""Layouts: where the canvas, the buttons and the status line of an interface are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from bcannot_core.errors import UsageError
from bcannot_core.screen.geometry import Rect
from bcannot_core.screen.themes import ButtonSize, Variant, get_variant

_MARGIN = 16
_GAP = 12
_SPACE = 8
_STATUS_H = 22
_BAR_H = 8
_BAR_W = 48


@dataclass(frozen=True, slots=True)
class ButtonSpec:
    """A button: its id, which is the action that it asks for, and what stands on it.

    Attributes
    ----------
    id : str
        Action name.
    label : str
        Its text.
    icon : str
        What is shown in place of the label on icon buttons; the label where empty.
    group : str
        The split layout puts ``"navigation"`` above the canvas and ``"edit"`` below.
    """

    id: str
    label: str
    icon: str = ""
    group: Literal["navigation", "edit"] = "edit"


@dataclass(frozen=True, slots=True)
class SizeRule:
    """How large buttons of one size are: in a side panel, at least in a row, and their height."""

    panel_w: int
    row_w: int
    most_w: int
    height: int
    text: int


SIZES: dict[ButtonSize, SizeRule] = {
    "small": SizeRule(92, 44, 66, 28, 18),
    "medium": SizeRule(122, 52, 76, 36, 20),
    "large": SizeRule(122, 60, 112, 44, 22),
    "icon": SizeRule(70, 44, 70, 40, 28),
}


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
        Rectangles by button id, in the order of the specs.
    specs : tuple of ButtonSpec
        The buttons.
    """

    variant: Variant
    size_wh: tuple[int, int]
    canvas: Rect
    status: Rect
    progress: Rect
    buttons: Mapping[str, Rect]
    specs: tuple[ButtonSpec, ...] = field(repr=False)


def build_layout(
    buttons: Sequence[ButtonSpec],
    variant: str | Variant = "original",
    canvas_hw: tuple[int, int] = (256, 256),
    window_wh: tuple[int, int] = (426, 436),
) -> Layout:
    """Lay out an interface; the same arguments return the same object.

    Raises
    ------
    UsageError
        Two buttons have the same id, the variant is unknown, or the window is too small.
    """
    return _build(tuple(buttons), get_variant(variant), canvas_hw, window_wh)


@lru_cache(maxsize=256)
def _build(
    specs: tuple[ButtonSpec, ...],
    variant: Variant,
    canvas_hw: tuple[int, int],
    window_wh: tuple[int, int],
) -> Layout:
    if len({spec.id for spec in specs}) != len(specs):
        raise UsageError(f"button ids are not unique: {', '.join(spec.id for spec in specs)}")
    if variant.panel in ("left", "right"):
        canvas, status, rects = _side_panel(specs, variant, canvas_hw, window_wh)
    else:
        canvas, status, rects = _toolbars(specs, variant, canvas_hw, window_wh)
    text, bar = _split_status(status)
    window = Rect(0, 0, *window_wh)
    for rect in (canvas, status, *rects.values()):
        if not window.covers(rect):
            raise UsageError(
                f"a window of {window_wh[0]}×{window_wh[1]} is too small for a canvas of "
                f"{canvas_hw[1]}×{canvas_hw[0]} and {len(specs)} buttons ({variant.name}): "
                "enlarge it"
            )
    ordered = MappingProxyType({spec.id: rects[spec.id] for spec in specs})
    return Layout(variant, window_wh, canvas, text, bar, ordered, specs)


def _split_status(line: Rect) -> tuple[Rect, Rect]:
    """Divide the status line into the text and the progress bar beside it."""
    bar_w = min(_BAR_W, line.w // 4)
    bar = Rect(line.right - bar_w, line.y + (line.h - _BAR_H) // 2, bar_w, _BAR_H)
    return Rect(line.x, line.y, line.w - bar_w - _SPACE, line.h), bar


def _place_canvas(
    variant: Variant, canvas_hw: tuple[int, int], left: int, top: int
) -> tuple[Rect, Rect]:
    """Stack canvas and status line from a top left corner."""
    height, width = canvas_hw
    if variant.status == "top":
        status = Rect(left, top, width, _STATUS_H)
        return Rect(left, status.bottom + _GAP, width, height), status
    canvas = Rect(left, top, width, height)
    return canvas, Rect(left, canvas.bottom + _GAP, width, _STATUS_H)


def _side_panel(
    specs: tuple[ButtonSpec, ...],
    variant: Variant,
    canvas_hw: tuple[int, int],
    window_wh: tuple[int, int],
) -> tuple[Rect, Rect, dict[str, Rect]]:
    size = SIZES[variant.button_size]
    height, width = canvas_hw
    columns = 1
    while -(-len(specs) // columns) * (size.height + _SPACE) - _SPACE > height + _GAP + _STATUS_H:
        columns += 1
    room = window_wh[0] - width - 3 * _MARGIN
    each = min(size.panel_w, (room - (columns - 1) * _SPACE) // columns)
    if each < size.row_w:
        columns, each = 1, size.panel_w  # cannot fit: the caller reports it
    panel_w = columns * each + (columns - 1) * _SPACE
    side = (window_wh[0] - width - panel_w - _MARGIN) // 2
    left = side if variant.panel == "right" else side + panel_w + _MARGIN
    top = (window_wh[1] - height - _GAP - _STATUS_H) // 2
    canvas, status = _place_canvas(variant, canvas_hw, left, top)
    panel_x = canvas.right + _MARGIN if variant.panel == "right" else side
    rects = {}
    for i, spec in enumerate(specs):
        row, column = divmod(i, columns)
        x = panel_x + column * (each + _SPACE)
        rects[spec.id] = Rect(x, canvas.y + row * (size.height + _SPACE), each, size.height)
    return canvas, status, rects


def _toolbars(
    specs: tuple[ButtonSpec, ...],
    variant: Variant,
    canvas_hw: tuple[int, int],
    window_wh: tuple[int, int],
) -> tuple[Rect, Rect, dict[str, Rect]]:
    size = SIZES[variant.button_size]
    room = window_wh[0] - 2 * _MARGIN
    above, below = _shares(specs, variant)
    above_rows, below_rows = _rows(above, size, room), _rows(below, size, room)
    pitch = size.height + _SPACE
    above_h = len(above_rows) * pitch + (_GAP - _SPACE if above_rows else 0)
    below_h = len(below_rows) * pitch + (_GAP - _SPACE if below_rows else 0)
    height, width = canvas_hw
    total = above_h + height + _GAP + _STATUS_H + below_h
    top = (window_wh[1] - total) // 2
    canvas, status = _place_canvas(variant, canvas_hw, (window_wh[0] - width) // 2, top + above_h)
    rects = _row_rects(above_rows, size, room, top)
    bottom = max(canvas.bottom, status.bottom) + _GAP
    return canvas, status, rects | _row_rects(below_rows, size, room, bottom)


def _shares(
    specs: tuple[ButtonSpec, ...], variant: Variant
) -> tuple[tuple[ButtonSpec, ...], tuple[ButtonSpec, ...]]:
    """Return the buttons above and those below the canvas."""
    if variant.panel == "split":
        above = tuple(spec for spec in specs if spec.group == "navigation")
        return above, tuple(spec for spec in specs if spec.group != "navigation")
    return (specs, ()) if variant.panel == "top" else ((), specs)


def _rows(specs: tuple[ButtonSpec, ...], size: SizeRule, room: int) -> list[tuple[ButtonSpec, ...]]:
    """Spread buttons over as few rows as they need, evenly."""
    if not specs:
        return []
    most = max(1, (room + _SPACE) // (size.row_w + _SPACE))
    count = -(-len(specs) // most)
    per_row = -(-len(specs) // count)
    return [specs[i : i + per_row] for i in range(0, len(specs), per_row)]


def _row_rects(
    rows: list[tuple[ButtonSpec, ...]], size: SizeRule, room: int, top: int
) -> dict[str, Rect]:
    rects = {}
    for r, row in enumerate(rows):
        each = min(size.most_w, (room - (len(row) - 1) * _SPACE) // len(row))
        used = len(row) * each + (len(row) - 1) * _SPACE
        left = _MARGIN + (room - used) // 2
        for i, spec in enumerate(row):
            y = top + r * (size.height + _SPACE)
            rects[spec.id] = Rect(left + i * (each + _SPACE), y, each, size.height)
    return rects
