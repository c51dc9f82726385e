"""Sprites: everything of a frame that is drawn once and then copied.

All arithmetic is on whole numbers, so that the same sprite has the same bytes everywhere.
"""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen.font import text_mask
from bcannot_core.screen.geometry import Rect
from bcannot_core.screen.layout import Layout
from bcannot_core.screen.specs import SIZES, ButtonSpec
from bcannot_core.screen.themes import THEMES, Colour, Theme, Variant

ButtonLook = Literal["normal", "disabled", "pressed"]
_SUB = 8
_RADII = {"rounded": 9, "pill": 1000, "square": 2}
_GLOW = 6
_STATUS_TEXT, _LEAST_TEXT = 18, 12
_SPACING = 6
_SPARE = 2  # columns by which a text may be wider than asked for before it is shortened
_LIST_TEXT = 16  # of tabs and items
_FLAT_RADIUS = 4
_SWATCH, _SWATCH_LEFT, _DIM = 12, 5, 110
_ITEM_LEFT = 3
_TICK, _TICK_TEXT = 14, 16
_NARROW, _BRIGHT = 80, 330  # below this width the tick stands on the swatch, dark on bright ones


class Look(NamedTuple):
    """How a button looks: its state, and whether it carries a tick."""

    name: ButtonLook
    ticked: bool


def blend(
    below: NDArray[np.uint8], colour: Colour, alpha: NDArray[np.uint8] | int
) -> NDArray[np.uint8]:
    """Lay a colour over a picture, ``alpha`` 0 to 255 for each pixel or for all."""
    a = np.asarray(alpha, dtype=np.int32)[..., None]
    over = np.array(colour, dtype=np.int32)
    return ((below.astype(np.int32) * (255 - a) + over * a + 127) // 255).astype(np.uint8)


@lru_cache(maxsize=64)
def plain(size_wh: tuple[int, int], colour: Colour) -> NDArray[np.uint8]:
    """Return a picture of one colour, uint8 (h, w, 3), read-only."""
    width, height = size_wh
    out = np.empty((height, width, 3), dtype=np.uint8)
    out[:] = colour
    out.flags.writeable = False
    return out


@lru_cache(maxsize=256)
def rounded_mask(width: int, height: int, radius: int) -> NDArray[np.uint8]:
    """Return the coverage of a rounded rectangle, uint8 (height, width), read-only."""
    radius = min(radius, width // 2, height // 2)
    mask = np.full((height, width), 255, dtype=np.uint8)
    if radius > 0:
        at = 2 * np.arange(radius * _SUB, dtype=np.int64) + 1 - 2 * radius * _SUB
        inside = at[:, None] ** 2 + at[None, :] ** 2 <= (2 * radius * _SUB) ** 2
        counts = inside.reshape(radius, _SUB, radius, _SUB).sum(axis=(1, 3), dtype=np.int64)
        corner = (counts * 255 // _SUB**2).astype(np.uint8)
        mask[:radius, :radius] = corner
        mask[:radius, -radius:] = corner[:, ::-1]
        mask[-radius:] = mask[:radius][::-1]
    mask.flags.writeable = False
    return mask


@lru_cache(maxsize=64)
def ring_offsets(radius: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the (dy, dx) offsets of a ring one pixel wide: distances nearest to ``radius``."""
    at = np.arange(-radius - 1, radius + 2, dtype=np.int64)
    quarters = 4 * (at[:, None] ** 2 + at[None, :] ** 2)
    dy, dx = np.nonzero((quarters >= (2 * radius - 1) ** 2) & (quarters < (2 * radius + 1) ** 2))
    return dy - radius - 1, dx - radius - 1


def text_sprite(
    text: str, size: int, colour: Colour, background: Colour, slot_wh: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return a line of text on a plain slot, left-aligned and centred in height; cut to fit."""
    width, height = slot_wh
    out = np.empty((height, width, 3), dtype=np.uint8)
    out[:] = background
    mask = text_mask(text, size)[:height, :width]
    top = max(0, (height - mask.shape[0]) // 2)
    part = out[top : top + mask.shape[0], : mask.shape[1]]
    part[:] = blend(part, colour, mask)
    return out


@lru_cache(maxsize=4096)
def button_sprite(
    spec: ButtonSpec, size_wh: tuple[int, int], variant: Variant, theme: Theme, look: Look
) -> NDArray[np.uint8]:
    """Return one button as it looks, uint8 (h, w, 3), read-only."""
    radius = _RADII[variant.button_style]
    if spec.kind in ("tab", "item"):
        radius = min(radius, _FLAT_RADIUS)
    chosen = spec.kind != "button" and look.name == "pressed"
    out = _plate(size_wh, radius, theme, look.name, chosen).copy()
    if spec.kind == "tab" and chosen:
        out[-4:-1, 3:-3] = theme.accent
    ink = theme.disabled_text if look.name == "disabled" else theme.button_text
    _draw_face(out, spec, variant, theme, look, ink)
    out.flags.writeable = False
    return out


@lru_cache(maxsize=1024)
def _plate(
    size_wh: tuple[int, int], radius: int, theme: Theme, look: ButtonLook, chosen: bool
) -> NDArray[np.uint8]:
    """Return a button with nothing on it."""
    width, height = size_wh
    fill = {"normal": theme.button, "disabled": theme.disabled, "pressed": theme.pressed}[look]
    edge = theme.button_edge if look != "disabled" else theme.track
    out = plain(size_wh, theme.background).copy()
    out = blend(out, theme.accent if chosen else edge, rounded_mask(width, height, radius))
    inner = rounded_mask(width - 2, height - 2, min(radius, height // 2) - 1)
    out[1:-1, 1:-1] = blend(out[1:-1, 1:-1], fill, inner)
    return out


def _draw_face(
    out: NDArray[np.uint8],
    spec: ButtonSpec,
    variant: Variant,
    theme: Theme,
    look: Look,
    ink: Colour,
) -> None:
    """Draw swatch, text and tick; the text is centred in what the others leave, on items left."""
    width = out.shape[1]
    left = right = 0
    if spec.swatch is not None:
        side = min(_SWATCH, out.shape[0] - 6)
        left = _SWATCH_LEFT + side
        _draw_swatch(out, spec.swatch, side, theme, _DIM if look.name == "disabled" else 255)
    if look.ticked and left and width < _NARROW:
        ink_on = (0, 0, 0) if sum(spec.swatch or ()) > _BRIGHT else (255, 255, 255)
        _centre_text(out[:, _SWATCH_LEFT - 1 : left + 1], "✓", _TICK_TEXT, ink_on)
    elif look.ticked:
        right = _TICK
        _centre_text(out[:, width - _TICK - 1 : width - 1], "✓", _TICK_TEXT, theme.accent)
    text, size = _face(spec, variant, width - left - right)
    part = out[:, left : width - right]
    if spec.kind == "item":
        start = _ITEM_LEFT if left else 2 * _ITEM_LEFT
        part = part[:, start : start + text_mask(text, size).shape[1]]
    _centre_text(part, text, size, ink)


def _draw_swatch(
    out: NDArray[np.uint8], colour: Colour, side: int, theme: Theme, alpha: int
) -> None:
    top = (out.shape[0] - side) // 2
    part = out[top : top + side, _SWATCH_LEFT : _SWATCH_LEFT + side]
    part[:] = blend(part, theme.button_edge, rounded_mask(side, side, 3))
    part = part[1:-1, 1:-1]
    part[:] = blend(part, colour, rounded_mask(side - 2, side - 2, 2) // 255 * alpha)


def _face(spec: ButtonSpec, variant: Variant, width: int) -> tuple[str, int]:
    """Return what stands on a button and how large, made smaller until it fits."""
    if spec.kind in ("tab", "item"):
        return fitted(spec.label, _LIST_TEXT, width - _SPACING)
    size_name = variant.button_size
    text = spec.icon or spec.label if size_name == "icon" else spec.label
    return fitted(text, SIZES[size_name].text, width - _SPACING)


@lru_cache(maxsize=4096)
def fitted(text: str, size: int, width: int) -> tuple[str, int]:
    """Return a text and the largest size, at most ``size``, at which it fits; else shortened."""
    size = _fitting(text, size, width)
    short = text
    while len(short) > 1 and text_mask(short, size).shape[1] > width + _SPARE:
        short = short.removesuffix("…")[:-1].rstrip() + "…"
    return short, size


def _fitting(text: str, size: int, width: int) -> int:
    """Return the largest size, at most ``size``, at which a text fits; or the smallest there is."""
    while size > _LEAST_TEXT and text_mask(text, size).shape[1] > width:
        size -= 2
    return size


def _centre_text(out: NDArray[np.uint8], text: str, size: int, ink: Colour) -> None:
    mask = text_mask(text, size)
    height, width = out.shape[:2]
    # The capitals are centred, not the line with its room for descenders.
    top = height // 2 - (2 + 7) * size // 32 - size // 32
    left = max(0, (width - mask.shape[1] + 1) // 2)
    mask = mask[: height - top, : width - left]
    part = out[top : top + mask.shape[0], left : left + mask.shape[1]]
    part[:] = blend(part, ink, mask)


class Sheet:
    """The sprites of one layout and theme; made once, shared by all screens, read-only.

    Attributes
    ----------
    background : uint8 (h, w, 3)
        The window with its buttons at rest, an empty progress bar and an empty canvas.
    bar_full, bar_empty : uint8 (h, w, 3)
        The progress bar at its ends.
    """

    def __init__(self, layout: Layout, theme: Theme) -> None:
        self.layout = layout
        self.theme = theme
        self.bar_full = self._bar(theme.accent)
        self.bar_empty = self._bar(theme.track)
        self._specs = {spec.id: spec for spec in layout.specs}
        self._buttons: dict[tuple[str, ButtonLook, bool], NDArray[np.uint8]] = {}
        self._texts: dict[tuple[str, int, int], NDArray[np.uint8]] = {}
        self.background = self._background()

    def button(self, name: str, look: ButtonLook, ticked: bool) -> NDArray[np.uint8]:
        """Return the sprite of a button."""
        key = (name, look, ticked)
        if key not in self._buttons:
            rect = self.layout.buttons[name]
            self._buttons[key] = button_sprite(
                self._specs[name],
                (rect.w, rect.h),
                self.layout.variant,
                self.theme,
                Look(look, ticked),
            )
        return self._buttons[key]

    def text(self, text: str, rect: Rect) -> NDArray[np.uint8]:
        """Return the sprite of a text that fills a rectangle, left-aligned."""
        key = (text, rect.w, rect.h)
        if key not in self._texts:
            if len(self._texts) >= 4096:
                self._texts.clear()
            short, size = fitted(text, _STATUS_TEXT, rect.w - _SPACING)
            self._texts[key] = text_sprite(
                short, size, self.theme.text, self.theme.background, (rect.w, rect.h)
            )
        return self._texts[key]

    def _bar(self, colour: Colour) -> NDArray[np.uint8]:
        rect = self.layout.progress
        out = np.empty((rect.h, rect.w, 3), dtype=np.uint8)
        out[:] = self.theme.background
        return blend(out, colour, rounded_mask(rect.w, rect.h, rect.h // 2))

    def _background(self) -> NDArray[np.uint8]:
        out = plain(self.layout.size_wh, self.theme.background).copy()
        _draw_border(out, self.layout, self.theme)
        for spec in self.layout.specs:
            out[self.layout.buttons[spec.id].slices] = self.button(spec.id, "normal", False)
        out[self.layout.progress.slices] = self.bar_empty
        _fill(out, self.layout.canvas, (0, 0, 0))
        if self.layout.panel is not None:
            out[self.layout.panel.inset(-1).slices] = self.theme.border
            out[self.layout.panel.slices] = self.theme.track
        out.flags.writeable = False
        return out


def _draw_border(out: NDArray[np.uint8], layout: Layout, theme: Theme) -> None:
    """Draw what surrounds the canvas, from the outside inwards."""
    border, canvas = layout.variant.border, layout.canvas
    if border == "glow":
        colour = theme.background
        for distance in range(_GLOW, 0, -1):
            pixel = blend(plain((1, 1), colour), theme.border, 255 // (distance * distance + 1))
            colour = (int(pixel[0, 0, 0]), int(pixel[0, 0, 1]), int(pixel[0, 0, 2]))
            _fill(out, canvas.inset(-distance), colour)
    widths = {"none": 0, "thin": 1, "thick": 3, "glow": 1}
    _fill(out, canvas.inset(-widths[border]), theme.border)


def _fill(out: NDArray[np.uint8], rect: Rect, colour: Colour) -> None:
    """Fill a rectangle as far as it lies on a picture."""
    part = out[max(0, rect.y) : rect.bottom, max(0, rect.x) : rect.right]
    part[:] = plain((part.shape[1], part.shape[0]), colour)  # several times faster than a colour


@lru_cache(maxsize=128)
def get_sheet(layout: Layout, theme: Theme | None = None) -> Sheet:
    """Return the sprites of a layout, in its variant's theme unless another is given."""
    return Sheet(layout, theme or THEMES[layout.variant.theme])


def bar_width(rect: Rect, fraction: float) -> int:
    """Return how many columns of the progress bar are filled."""
    return max(0, min(rect.w, int(fraction * rect.w + 0.5)))
