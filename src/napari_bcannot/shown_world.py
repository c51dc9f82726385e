"""A task's world as layers of a viewer."""

from collections.abc import Sequence
from typing import Any

from napari.layers import Layer

from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.volumes import Volume
from napari_bcannot.fetching import Refresher
from napari_bcannot.remote_layers import volume_layer

LayerData = tuple[Any, dict[str, Any], str]

_BALL = {"shading": "spherical", "border_width": 0.0}
_LABEL = {
    "face_color": "transparent",
    "border_color": "transparent",
    "blending": "translucent_no_depth",
}
_LEGIBLE = "orange"
"""Colour of a text on a canvas that is black or, in napari's light theme, white."""


def is_spatial(layers: Sequence[LayerData]) -> bool:
    """Whether a world is looked at in projection: its picture says how it is to be rendered.

    Sections, frames and bands are axes to step along; only a volume that is seen as a whole, as in
    3D exploration, states a rendering.
    """
    return any(kind == "image" and "rendering" in meta for _, meta, kind in layers)


def for_view(layers: Sequence[LayerData]) -> list[LayerData]:
    """Return the layers of a world as its view needs them.

    Points of a spatial world are balls; those that carry a text are the text alone, so that it is
    not taken for one more ball.
    """
    if not is_spatial(layers):
        return list(layers)
    return [
        (data, _labelled(meta) if "text" in meta else {**meta, **_BALL}, kind)
        if kind == "points"
        else (data, meta, kind)
        for data, meta, kind in layers
    ]


def _labelled(meta: dict[str, Any]) -> dict[str, Any]:
    return {**meta, **_LABEL, "text": {**meta["text"], "color": _LEGIBLE}}


def section_of(task: Any, state: Any) -> int | None:
    """Return which section, frame or group of frames of its stack a state looks at."""
    named = (getattr(state, name, None) for name in ("section", "frame", "group"))
    section = next((index for index in named if isinstance(index, int)), None)
    if section is not None and isinstance(task, NeuronTracing):
        return task.z_of(section)
    return section


def read_world(task: Any, state: Any) -> list[LayerData]:
    """Return the layers of a world and its annotation; any thread may ask.

    Volumes that do not lie in memory are fetched part by part as they are looked at.

    Raises
    ------
    BcannotError
        The world cannot be read.
    """
    layers = for_view(task.layers(state))
    if task.in_memory:
        return layers
    read = {"volume": task.world.volume, "ground truth": task.world.labels}
    return [_fetched(layer, read.get(layer[1]["name"])) for layer in layers]


def _fetched(layer: LayerData, volume: Any) -> LayerData:
    """Return a layer whose voxels are fetched as they are looked at, where they must be."""
    if not isinstance(volume, Volume) or volume.in_memory:
        return layer
    data, meta, kind = volume_layer(volume, finest=volume.scale)
    return data, {**meta, **layer[1], "translate": (0.0, 0.0, 0.0)}, kind


class ShownWorld:
    """The layers of one world in a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._shown: dict[str, Layer] = {}

    def show(self, task: Any, state: Any, layers: list[LayerData] | None = None) -> None:
        """Show a world and its annotation in a state; where it is there, the annotation anew.

        Parameters
        ----------
        task, state
            What to show.
        layers : list of tuple, optional
            What `read_world` returned of them; read here by default.

        Raises
        ------
        BcannotError
            The world cannot be read.
        """
        layers = read_world(task, state) if layers is None else layers
        world = {meta["name"] for _, meta, _ in task.layers()}
        if not any(layer in self._viewer.layers for layer in self._shown.values()):
            self.forget()
            self._viewer.dims.ndisplay = 3 if is_spatial(layers) else 2
        active = self._viewer.layers.selection.active
        for data, meta, kind in layers:
            key = meta["name"]
            there = self._shown.get(key)
            if there is not None and there in self._viewer.layers:
                if key in world:
                    continue
                meta = {**meta, "visible": there.visible, "name": there.name}
                self._viewer.layers.remove(there)
            self._shown[key] = Layer.create(data, meta, kind)
            self._viewer.add_layer(self._shown[key])
            Refresher.shared().attach(self._shown[key])
        if active is not None and active in self._viewer.layers:
            self._viewer.layers.selection.active = active
        self._go_to(task, state, layers)

    def _go_to(self, task: Any, state: Any, layers: Sequence[LayerData]) -> None:
        """Show the section or frame that the task's screen shows."""
        picture = self._shown[layers[0][1]["name"]]
        section = section_of(task, state)
        if section is not None and not is_spatial(layers) and picture.ndim >= 3:
            axis = self._viewer.dims.ndim - picture.ndim
            world = picture.data_to_world((section, *(0,) * (picture.ndim - 1)))
            self._viewer.dims.set_point(axis, float(world[0]))

    def forget(self) -> None:
        """Leave the layers as they are; the next world gets layers of its own."""
        self._shown = {}
