"""What of a policy's heatmap lies on the volume. No Qt and no napari here."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bcannot_core.coords import CanvasView


def cut_to_volume(
    view: CanvasView, picture: NDArray[np.float32], shape_yx: tuple[int, ...]
) -> tuple[CanvasView, NDArray[np.float32]]:
    """Return what of a canvas's picture lies on a section, and its view.

    The view is that of the part: its pixel (0, 0) is the first one inside the volume.
    """
    rows, columns = (
        np.flatnonzero((at > -0.5) & (at < size - 0.5))
        for at, size in zip(_positions(view), shape_yx, strict=True)
    )
    y0, x0 = view.to_volume((float(columns[0]), float(rows[0])))
    inside = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    step_y, step_x = view.step_yx
    height, width = inside.shape
    centre = (y0 + height // 2 * step_y, x0 + width // 2 * step_x)
    return replace(view, centre_yx=centre, size_hw=inside.shape), inside


def _positions(view: CanvasView) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the voxel coordinates of a canvas's rows and columns."""
    height, width = view.size_hw
    step_y, step_x = view.step_yx
    ys = view.centre_yx[0] + (np.arange(height) - height // 2) * step_y
    xs = view.centre_yx[1] + (np.arange(width) - width // 2) * step_x
    return ys, xs
