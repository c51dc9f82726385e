"""Coordinates: volume (z, y, x) voxels, canvas (x, y) pixels, frame (x, y) pixels.

Voxel centres lie on integers. The canvas pixel in the middle, ``size // 2``, shows ``centre_yx``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CanvasView:
    """A window onto one section: which point each canvas pixel shows.

    Parameters
    ----------
    centre_yx : tuple of float
        Voxel coordinates of the canvas pixel ``(width // 2, height // 2)``.
    voxel_yx : tuple of float
        Voxel size in the section, nm.
    nm_per_px : float
        Size of a canvas pixel, nm.
    size_hw : tuple of int
        Canvas size in pixels.
    """

    centre_yx: tuple[float, float]
    voxel_yx: tuple[float, float]
    nm_per_px: float
    size_hw: tuple[int, int] = (256, 256)

    @property
    def step_yx(self) -> tuple[float, float]:
        """Voxels per canvas pixel along y and x."""
        return self.nm_per_px / self.voxel_yx[0], self.nm_per_px / self.voxel_yx[1]

    def to_volume(self, canvas_xy: tuple[float, float]) -> tuple[float, float]:
        """Return the (y, x) voxel coordinates that a canvas pixel shows."""
        step_y, step_x = self.step_yx
        x, y = canvas_xy
        return (
            self.centre_yx[0] + (y - self.size_hw[0] // 2) * step_y,
            self.centre_yx[1] + (x - self.size_hw[1] // 2) * step_x,
        )

    def to_canvas(self, yx: tuple[float, float]) -> tuple[float, float]:
        """Return the (x, y) canvas position of voxel coordinates, not rounded or clipped."""
        step_y, step_x = self.step_yx
        return (
            (yx[1] - self.centre_yx[1]) / step_x + self.size_hw[1] // 2,
            (yx[0] - self.centre_yx[0]) / step_y + self.size_hw[0] // 2,
        )

    def contains(self, yx: tuple[float, float], margin: float = 0) -> bool:
        """Whether the point is on the canvas, at least ``margin`` pixels from its border."""
        x, y = self.to_canvas(yx)
        height, width = self.size_hw
        return margin <= x <= width - 1 - margin and margin <= y <= height - 1 - margin
