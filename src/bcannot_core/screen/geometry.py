"""Rectangles of a frame."""

from typing import NamedTuple


class Rect(NamedTuple):
    """A rectangle of whole frame pixels: left, top, width, height."""

    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        """First column to the right of it."""
        return self.x + self.w

    @property
    def bottom(self) -> int:
        """First row below it."""
        return self.y + self.h

    @property
    def centre(self) -> tuple[int, int]:
        """Its middle pixel, (x, y)."""
        return self.x + self.w // 2, self.y + self.h // 2

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index a frame."""
        return slice(self.y, self.y + self.h), slice(self.x, self.x + self.w)

    def contains(self, x: int, y: int) -> bool:
        """Whether the pixel lies in the rectangle."""
        return self.x <= x < self.x + self.w and self.y <= y < self.y + self.h

    def covers(self, other: "Rect") -> bool:
        """Whether the other rectangle lies in this one."""
        return (
            self.x <= other.x
            and self.y <= other.y
            and other.right <= self.right
            and other.bottom <= self.bottom
        )

    def inset(self, by: int) -> "Rect":
        """Return the rectangle shrunk on every side; negative to grow."""
        return Rect(self.x + by, self.y + by, self.w - 2 * by, self.h - 2 * by)
