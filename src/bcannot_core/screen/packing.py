"""Packing: how buttons, lists and tabs share the room beside and around the canvas.

Everything is tried at its natural size first, then ever denser until it fits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bcannot_core.screen.geometry import Rect
from bcannot_core.screen.specs import SIZES, ButtonSpec, SizeRule
from bcannot_core.screen.themes import Variant

MARGIN = 16
GAP = 12
SPACE = 8
STATUS_H = 22
EDGE = 4  # least distance of toolbars from the window's edge
_TAB_H, _TAB_SPACE, _TAB_LEAST, _TAB_MOST = 24, 4, 38, 84
_CAPTION_H = 20
_HINT_H = 20
_LEAST_W = 24
_LIST_LEAST_W, _MANY, _MANY_W = 104, 8, 122
_LISTS = ((1, 22, 2), (1, 19, 1), (1, 17, 1), (2, 20, 2), (2, 17, 1))  # columns, height, space
_LOW = (1, 28, 6)
_TIGHT_ROWS = (
    SizeRule(0, 40, 66, 28, 18),
    SizeRule(0, 36, 60, 24, 16),
    SizeRule(0, 30, 60, 20, 16),
)
_TIGHT_SPACE, _TIGHT_GAP = 4, 6


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be laid out."""

    specs: tuple[ButtonSpec, ...]
    variant: Variant
    canvas_hw: tuple[int, int]
    window_wh: tuple[int, int]
    panel_hw: tuple[int, int] | None = None
    hint: bool = False

    def of(self, *kinds: str) -> tuple[ButtonSpec, ...]:
        """Return the buttons of some kinds."""
        return tuple(spec for spec in self.specs if spec.kind in kinds)

    @property
    def lists(self) -> bool:
        """Whether there is a list or a picture beside the canvas."""
        return self.panel_hw is not None or bool(self.of("item"))


@dataclass(slots=True)
class Packed:
    """Where everything went."""

    rects: dict[str, Rect]
    canvas: Rect
    status: Rect
    hint: Rect | None = None
    panel: Rect | None = None
    caption: Rect | None = None


class _Grid(NamedTuple):
    """Buttons in columns: how many, how high, how far apart."""

    columns: int
    height: int
    space: int

    def extent(self, count: int) -> int:
        rows = -(-count // self.columns)
        return max(0, rows * (self.height + self.space) - self.space)

    def place(self, specs: Sequence[ButtonSpec], area: Rect) -> dict[str, Rect]:
        each = (area.w - (self.columns - 1) * self.space) // self.columns
        rects = {}
        for i, spec in enumerate(specs):
            row, column = divmod(i, self.columns)
            x, y = area.x + column * (each + self.space), area.y + row * (self.height + self.space)
            rects[spec.id] = Rect(x, y, each, self.height)
        return rects

    def place_buttons(self, specs: Sequence[ButtonSpec], area: Rect) -> dict[str, Rect]:
        """Place as :meth:`place`, but let a last one that is alone in its row fill the row."""
        rects = self.place(specs, area)
        if len(specs) % self.columns == 1:
            last = specs[-1].id
            rects[last] = rects[last]._replace(w=area.w)
        return rects


def pack(request: Request) -> Packed:
    """Lay out a request; what comes out may exceed the window where nothing fits."""
    if request.variant.panel in ("left", "right"):
        return _beside(request)
    return _toolbars(request)


# --- the column of canvas, tabs, status and hint ------------------------------------------------


def _tab_rows(request: Request) -> list[tuple[ButtonSpec, ...]]:
    tabs, width = request.of("tab"), request.canvas_hw[1]
    most = max(1, (width + _TAB_SPACE) // (_TAB_LEAST + _TAB_SPACE))
    rows = -(-len(tabs) // most)
    per_row = -(-len(tabs) // rows) if rows else 1
    return [tabs[i : i + per_row] for i in range(0, len(tabs), per_row)]


def _column_h(request: Request) -> int:
    tabs = len(_tab_rows(request)) * (_TAB_H + _TAB_SPACE)
    hint = _HINT_H + SPACE if request.hint else 0
    return request.canvas_hw[0] + GAP + STATUS_H + hint + tabs + (SPACE - _TAB_SPACE if tabs else 0)


def _column(request: Request, left: int, top: int) -> Packed:
    """Stack status or hint, tabs, canvas, and hint or status from a top left corner."""
    height, width = request.canvas_hw
    status_first = request.variant.status == "top"
    status = hint = None
    y = top
    if status_first:
        status = Rect(left, y, width, STATUS_H)
        y = status.bottom + GAP
    elif request.hint:
        hint = Rect(left, y, width, _HINT_H)
        y = hint.bottom + SPACE
    rects: dict[str, Rect] = {}
    for row in _tab_rows(request):
        each = min(_TAB_MOST, (width - (len(row) - 1) * _TAB_SPACE) // len(row))
        for i, spec in enumerate(row):
            rects[spec.id] = Rect(left + i * (each + _TAB_SPACE), y, each, _TAB_H)
        y += _TAB_H + _TAB_SPACE
    y += SPACE - _TAB_SPACE if rects else 0
    canvas = Rect(left, y, width, height)
    y = canvas.bottom
    if status is None:
        y += GAP
        status = Rect(left, y, width, STATUS_H)
    elif request.hint:
        hint = Rect(left, y + SPACE, width, _HINT_H)
    return Packed(rects, canvas, status, hint)


# --- lists and pictures beside the canvas -------------------------------------------------------


def _panel_h(request: Request) -> int:
    return 0 if request.panel_hw is None else _CAPTION_H + request.panel_hw[0] + 2


def _place_panel(request: Request, packed: Packed, area: Rect) -> None:
    """Put caption and picture at the top of an area."""
    if request.panel_hw is None:
        return
    height, width = request.panel_hw
    packed.caption = Rect(area.x, area.y, area.w, _CAPTION_H)
    left = area.x + (area.w - width) // 2
    packed.panel = Rect(left, area.y + _CAPTION_H + 1, width, height)


def _strip_w(request: Request, least: int) -> int:
    picture = 0 if request.panel_hw is None else request.panel_hw[1] + 2
    many = len(request.of("item")) > _MANY
    return max(least, _MANY_W if many else _LIST_LEAST_W, picture)


def _stacked(*heights: int) -> int:
    some = [height for height in heights if height]
    return sum(some) + GAP * max(0, len(some) - 1)


def _top_of(inner: int, height: int, canvas_y: int, window_h: int) -> int:
    """Return the top of a block that begins with the canvas unless it must begin before."""
    return max(MARGIN, min(canvas_y, window_h - MARGIN - height)) if height > inner else canvas_y


# --- buttons beside the canvas ------------------------------------------------------------------


def _button_grids(request: Request, count: int, room: int) -> Iterator[_Grid]:
    """Yield arrangements of a panel's buttons, the most natural first."""
    size = SIZES[request.variant.button_size]
    yield _Grid(1, size.height, SPACE)
    if size.height > _LOW[1] and request.variant.button_size != "icon":
        yield _Grid(*_LOW)
    for columns in range(2, count + 1):
        if (room - (columns - 1) * SPACE) // columns >= size.row_w:
            yield _Grid(columns, size.height, SPACE)
    yield from (_Grid(2, 28, 6), _Grid(2, 24, 4), _Grid(3, 22, 4), _Grid(3, 18, 3))


def _panel_grids(request: Request, room: int, limit: int) -> tuple[_Grid, _Grid]:
    """Return the arrangements of buttons and of items that fit into a height, the largest."""
    buttons, items = len(request.of("button", "toggle")), len(request.of("item"))
    panel = _panel_h(request)
    grids = list(_button_grids(request, buttons, room))
    lists = [_Grid(*of) for of in _LISTS] if items else [_Grid(1, 0, 0)]
    pairs = [(a + 2 * b, grid, of) for a, grid in enumerate(grids) for b, of in enumerate(lists)]
    for _, grid, of in sorted(pairs, key=lambda pair: pair[0]):
        if _stacked(panel, grid.extent(buttons), of.extent(items)) <= limit:
            return grid, of
    return grids[0], lists[0]


def _beside(request: Request) -> Packed:
    size = SIZES[request.variant.button_size]
    window_w, window_h = request.window_wh
    width = request.canvas_hw[1]
    column_h = _column_h(request)
    room = window_w - width - 3 * MARGIN
    limit = window_h - 2 * MARGIN if request.lists else column_h
    grid, of = _panel_grids(request, room, limit)
    if request.lists:
        panel_w = _strip_w(request, size.panel_w)
    else:
        each = min(size.panel_w, (room - (grid.columns - 1) * grid.space) // grid.columns)
        each = each if each >= _LEAST_W else size.panel_w  # cannot fit: the caller reports it
        panel_w = grid.columns * each + (grid.columns - 1) * grid.space
    side = (window_w - width - panel_w - MARGIN) // 2
    left = side if request.variant.panel == "right" else side + panel_w + MARGIN
    packed = _column(request, left, (window_h - column_h) // 2)
    panel_x = packed.canvas.right + MARGIN if request.variant.panel == "right" else side
    buttons, items = request.of("button", "toggle"), request.of("item")
    heights = (_panel_h(request), grid.extent(len(buttons)), of.extent(len(items)))
    inner = max(packed.status.bottom, packed.canvas.bottom) - packed.canvas.y
    y = _top_of(inner, _stacked(*heights), packed.canvas.y, window_h)
    area = Rect(panel_x, y, panel_w, 0)
    _place_panel(request, packed, area)
    area = area._replace(y=area.y + (heights[0] + GAP if heights[0] else 0))
    packed.rects |= grid.place_buttons(buttons, area)
    area = area._replace(y=area.y + (heights[1] + GAP if heights[1] else 0))
    packed.rects |= of.place(items, area)
    return packed


# --- toolbars -----------------------------------------------------------------------------------


class _Bar(NamedTuple):
    """Rows of buttons above or below the canvas."""

    rows: list[tuple[ButtonSpec, ...]]
    size: SizeRule
    space: int
    gap: int

    @property
    def extent(self) -> int:
        if not self.rows:
            return 0
        return len(self.rows) * (self.size.height + self.space) + self.gap - self.space

    def place(self, room: int, top: int) -> dict[str, Rect]:
        rects = {}
        for r, row in enumerate(self.rows):
            each = min(self.size.most_w, (room - (len(row) - 1) * self.space) // len(row))
            used = len(row) * each + (len(row) - 1) * self.space
            left = MARGIN + (room - used) // 2
            y = top + r * (self.size.height + self.space)
            for i, spec in enumerate(row):
                rects[spec.id] = Rect(left + i * (each + self.space), y, each, self.size.height)
        return rects


def _toolbars(request: Request) -> Packed:
    window_w, window_h = request.window_wh
    width = request.canvas_hw[1]
    room = window_w - 2 * MARGIN
    column_h = _column_h(request)
    above, below = _bars(request, room, window_h - 2 * EDGE - column_h)
    top = (window_h - above.extent - column_h - below.extent) // 2
    if request.lists:
        strip_w = _strip_w(request, SIZES[request.variant.button_size].panel_w)
        side = (window_w - width - MARGIN - strip_w) // 2
        strip_left = request.variant.panel == "bottom"
        left = side + strip_w + MARGIN if strip_left else side
        strip_x = side if strip_left else side + width + MARGIN
    else:
        left, strip_x, strip_w = (window_w - width) // 2, 0, 0
    packed = _column(request, left, top + above.extent)
    packed.rects |= above.place(room, top)
    packed.rects |= below.place(room, top + above.extent + column_h + below.gap)
    if request.lists:
        _place_strip(request, packed, Rect(strip_x, top + above.extent, strip_w, column_h))
    return packed


def _place_strip(request: Request, packed: Packed, area: Rect) -> None:
    """Put picture and items beside the canvas of an interface with toolbars."""
    items = request.of("item")
    panel = _panel_h(request)
    grids = [_Grid(*of) for of in _LISTS]
    heights = [_stacked(panel, grid.extent(len(items))) for grid in grids]
    grid, height = next(
        ((grid, height) for grid, height in zip(grids, heights, strict=True) if height <= area.h),
        (grids[-1], heights[-1]),
    )
    y = max(area.y, min(packed.canvas.y, area.bottom - height))
    area = area._replace(y=y)
    _place_panel(request, packed, area)
    if items:
        packed.rects |= grid.place(items, area._replace(y=y + (panel + GAP if panel else 0)))


def _bars(request: Request, room: int, limit: int) -> tuple[_Bar, _Bar]:
    """Return the toolbars above and below, as large as the height allows."""
    size = SIZES[request.variant.button_size]
    above, below = _shares(request)
    rules = ((size, SPACE, GAP), *((rule, _TIGHT_SPACE, _TIGHT_GAP) for rule in _TIGHT_ROWS))
    bars = tuple(_two_bars(above, below, of, room) for of in rules)
    fitting = (two for two in bars if two[0].extent + two[1].extent <= limit)
    return next(fitting, bars[-1])


def _two_bars(
    above: tuple[ButtonSpec, ...],
    below: tuple[ButtonSpec, ...],
    rule: tuple[SizeRule, int, int],
    room: int,
) -> tuple[_Bar, _Bar]:
    size, space, gap = rule
    return (
        _Bar(_rows(above, size, space, room), size, space, gap),
        _Bar(_rows(below, size, space, room), size, space, gap),
    )


def _shares(request: Request) -> tuple[tuple[ButtonSpec, ...], tuple[ButtonSpec, ...]]:
    """Return the buttons above and those below the canvas."""
    specs = request.of("button", "toggle")
    if request.variant.panel == "split":
        above = tuple(spec for spec in specs if spec.group == "navigation")
        return above, tuple(spec for spec in specs if spec.group != "navigation")
    return (specs, ()) if request.variant.panel == "top" else ((), specs)


def _rows(
    specs: tuple[ButtonSpec, ...], size: SizeRule, space: int, room: int
) -> list[tuple[ButtonSpec, ...]]:
    """Spread buttons over as few rows as they need, evenly."""
    if not specs:
        return []
    most = max(1, (room + space) // (size.row_w + space))
    count = -(-len(specs) // most)
    per_row = -(-len(specs) // count)
    return [specs[i : i + per_row] for i in range(0, len(specs), per_row)]
