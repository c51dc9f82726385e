"""Layers with time and channels: one time point and channel of them as a volume to trace in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bcannot_core.errors import UsageError
from napari_bcannot import notices
from napari_bcannot.geometry import NM_PER, refuse_rotation
from napari_bcannot.turns import one_line

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_bcannot.layers import LayerData

_KEPT = {
    "Image": ("contrast_limits", "colormap", "gamma", "interpolation2d"),
    "Labels": (),
}


def take_axes(viewer: "Viewer") -> None:
    """Add the time point and channel in view of the selected layer as a 3-D layer."""
    from napari.layers import Layer

    layer = viewer.layers.selection.active
    if layer is None:
        notices.show_warning("Select a layer with time or channels first.")
        return
    try:
        data, meta, kind = volume_in_view(layer, viewer.dims.point, viewer.dims.order)
    except UsageError as error:
        notices.show_warning(one_line(error))
        return
    layer.visible = False
    viewer.add_layer(Layer.create(data, meta, kind))
    notices.show_info(f"{meta['name']} can be traced in: choose it in Trace neuron.")


def volume_in_view(layer: Any, point: Sequence[float], order: Sequence[int]) -> "LayerData":
    """Return a 3-D layer of what a viewer shows of a layer with more axes.

    Nothing is read. The three axes that a 3-D view would show are kept, the others are fixed where
    the sliders are.

    Parameters
    ----------
    layer : napari.layers.Image or Labels
        A layer with four axes or more.
    point : sequence of float
        The viewer's position, world.
    order : sequence of int
        The order of the viewer's axes; the last three are kept.

    Raises
    ------
    UsageError
        The layer is of another kind, has three axes already, has colours (RGB), is rotated,
        sheared or mirrored, or the position lies outside it.
    """
    name = layer.name
    kind = type(layer).__name__
    if kind not in _KEPT:
        raise UsageError(f"layer {name!r} is neither an image nor labels")
    if layer.ndim <= 3:
        raise UsageError(f"layer {name!r} has no time or channels: it can be traced in as it is")
    if getattr(layer, "rgb", False):
        raise UsageError(f"layer {name!r} has colours: split its channels first")
    refuse_rotation(layer)
    # napari aligns the axes of a layer with the last ones of the viewer
    lead = len(point) - layer.ndim
    axes = [axis - lead for axis in order if axis >= lead]
    kept, fixed = axes[-3:], axes[:-3]
    at = _positions(layer, np.asarray(point, float)[lead:], fixed)
    labels = list(layer.axis_labels)
    where = ", ".join(f"{_called(labels, axis)} {at[axis]}" for axis in sorted(fixed))
    levels = [
        _part(level, at, kept) for level in (layer.data if layer.multiscale else [layer.data])
    ]
    meta: dict[str, Any] = {key: getattr(layer, key) for key in _KEPT[kind]}
    units = [layer.units[axis] for axis in kept]
    meta |= {
        "name": f"{name} ({where})",
        "scale": [layer.scale[axis] for axis in kept],
        "translate": [layer.translate[axis] for axis in kept],
        "axis_labels": ("z", "y", "x"),
        "units": units if all(str(unit) in NM_PER for unit in units) else ("pixel",) * 3,
        "metadata": {"taken_from": name, "axes": dict(_chosen(labels, at))},
    }
    if layer.multiscale:
        meta["multiscale"] = True
    if kind == "Image":
        meta["projection_mode"] = "none"
    return levels if layer.multiscale else levels[0], meta, kind.lower()


def _positions(layer: Any, world: Any, fixed: Sequence[int]) -> dict[int, int]:
    """Return the index of each fixed axis at a position of the viewer."""
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    at: dict[int, int] = {}
    for axis in fixed:
        index = round((world[axis] - layer.translate[axis]) / layer.scale[axis])
        if not 0 <= index < shape[axis]:
            raise UsageError(
                f"layer {layer.name!r} has nothing at {_called(layer.axis_labels, axis)} {index}: "
                "move the sliders to where it is"
            )
        at[axis] = int(index)
    return at


def _part(data: Any, at: dict[int, int], kept: Sequence[int]) -> Any:
    """Return a view of an array: numpy where it is one, else dask, which reads when asked."""
    if not isinstance(data, np.ndarray):
        data = _lazy(data)
    index = tuple(at.get(axis, slice(None)) for axis in range(data.ndim))
    left = sorted(kept)
    return data[index].transpose([left.index(axis) for axis in kept])


def _lazy(data: Any) -> Any:
    import dask.array

    if isinstance(data, dask.array.Array):
        return data
    read: Any = dask.array.from_array
    return read(data, chunks=getattr(data, "chunks", None) or "auto")


def _called(labels: Sequence[str], axis: int) -> str:
    label = str(labels[axis])
    return f"axis {axis}" if label.lstrip("-").isdigit() else label


def _chosen(labels: Sequence[str], at: dict[int, int]) -> list[tuple[str, int]]:
    return [(_called(labels, axis), at[axis]) for axis in sorted(at)]
