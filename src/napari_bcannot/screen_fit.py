"""How a frame fits into a widget: which frame pixel lies under the mouse. No Qt here."""

from dataclasses import dataclass

_CRISP = 0.12
"""Give up so much of the size, as a share, for whole pixels."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A frame centred in a widget, as large as its proportions allow.

    Where a whole number of device pixels a frame pixel makes it hardly smaller, that is taken, so
    that the frame is as crisp as it was drawn.

    Attributes
    ----------
    frame_wh : tuple of int
        Frame size in frame pixels.
    widget_wh : tuple of int
        Widget size in the toolkit's logical pixels.
    ratio : float
        Device pixels a logical pixel (2 on many HiDPI displays).
    """

    frame_wh: tuple[int, int]
    widget_wh: tuple[int, int]
    ratio: float = 1.0

    @property
    def scale(self) -> float:
        """Device pixels a frame pixel."""
        room = min(
            side * self.ratio / size
            for side, size in zip(self.widget_wh, self.frame_wh, strict=True)
        )
        whole = int(room)
        if whole >= 1 and whole >= room * (1 - _CRISP):
            return float(whole)
        return max(room, 1e-6)

    @property
    def crisp(self) -> bool:
        """Whether every frame pixel is a whole number of device pixels."""
        return self.scale.is_integer()

    @property
    def size(self) -> tuple[float, float]:
        """Size of the shown frame in logical pixels."""
        width, height = self.frame_wh
        return width * self.scale / self.ratio, height * self.scale / self.ratio

    @property
    def origin(self) -> tuple[float, float]:
        """Top left corner of the shown frame in logical pixels, on a device pixel."""
        x, y = (
            round(max(0.0, side - size) / 2 * self.ratio) / self.ratio
            for side, size in zip(self.widget_wh, self.size, strict=True)
        )
        return x, y

    def to_frame(self, x: float, y: float) -> tuple[int, int] | None:
        """Return the frame pixel under a point of the widget, None beside the frame."""
        factor = self.ratio / self.scale
        left, top = self.origin
        column, row = (x - left) * factor, (y - top) * factor
        width, height = self.frame_wh
        if not (0 <= column < width and 0 <= row < height):
            return None
        return int(column), int(row)

    def to_widget(self, x: int, y: int) -> tuple[float, float]:
        """Return where in the widget the middle of a frame pixel is."""
        factor = self.scale / self.ratio
        left, top = self.origin
        return left + (x + 0.5) * factor, top + (y + 0.5) * factor
