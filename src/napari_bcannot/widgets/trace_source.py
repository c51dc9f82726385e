"""Where a trace reads: the volume of the chosen layer, opened once, and its place in the world."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bcannot_core.tasks.neuron_tracing import TracingConfig
from bcannot_core.volumes import Volume
from napari_bcannot.geometry import Placement, Triple, layer_to_world, open_layer
from napari_bcannot.tracing import TraceSession, Zyx
from napari_bcannot.widgets.trace_view import TraceView


@dataclass(frozen=True)
class Opened:
    """A layer's volume, opened.

    Attributes
    ----------
    layer : napari.layers.Image
        The layer.
    volume, placement : Volume and Placement
        What is read, and where it lies in the world.
    voxel_nm : tuple of float
        Voxel size of the layer's finest level.
    wanted : tuple
        All that decided how it was opened.
    """

    layer: Any
    volume: Volume
    placement: Placement
    voxel_nm: Triple
    wanted: tuple[Any, ...]


class TraceSource:
    """Makes tracing sessions of what is chosen in the view.

    Parameters
    ----------
    view : TraceView
        Says which layer, voxel size, pixel size, sections and direction.

    Attributes
    ----------
    opened : Opened or None
        What the sitting at hand is traced in; its volume stays the same object all along.
    """

    def __init__(self, view: TraceView) -> None:
        self._view = view
        self.opened: Opened | None = None

    @property
    def layer(self) -> Any:
        """The layer that is traced in."""
        return None if self.opened is None else self.opened.layer

    @property
    def placement(self) -> Placement | None:
        """Where the volume that is traced in lies."""
        return None if self.opened is None else self.opened.placement

    def is_another(self, opened: Opened) -> bool:
        """Whether this is another volume than the one at hand, or in another place."""
        held = self.opened
        if held is None:
            return False
        return held.volume is not opened.volume or held.placement != opened.placement

    def open(self, layer: Any) -> Opened:
        """Return the volume of a layer as the view says: where it can be, the one at hand.

        Raises
        ------
        BcannotError
            It cannot be opened.
        """
        wanted, held = self._wanted(layer), self.opened
        if held is not None and held.wanted == wanted:
            return held
        voxel_nm, nm_per_px = self._view.voxel_nm(), self._view.nm_per_px.value()
        volume, placement = open_layer(layer, voxel_nm, nm_per_px)
        if held is not None and held.layer is layer and _fits(held, volume, placement):
            volume = held.volume
        return Opened(layer, volume, placement, voxel_nm, wanted)

    def make(self, opened: Opened, start_zyx: Zyx, nodes_zyx: tuple[Zyx, ...] = ()) -> TraceSession:
        """Return a session that begins at a voxel of the layer's finest level.

        Parameters
        ----------
        opened : Opened
            What it is traced in.
        start_zyx : tuple of float
            Start point.
        nodes_zyx : tuple of tuple, optional
            Nodes that it is to have room for; they say the direction.

        Raises
        ------
        BcannotError
            The start point lies outside.
        """
        start = opened.placement.to_voxels(layer_to_world(opened.layer, start_zyx))
        return TraceSession(opened.volume, start, self._config(start_zyx, nodes_zyx))

    def hold(self, opened: Opened) -> None:
        """Trace in this from here on."""
        self.opened = opened

    def take(self, layer: Any, volume: Volume, placement: Placement) -> None:
        """Go on in a layer whose volume was opened elsewhere, as the view says."""
        wanted = self._wanted(layer)
        self.hold(Opened(layer, volume, placement, self._view.voxel_nm(), wanted))

    def to_voxels(self, zyx: Zyx) -> Zyx:
        """Return the voxel of the traced volume at a voxel of the layer's finest level."""
        if self.opened is None:
            return zyx
        return self.opened.placement.to_voxels(layer_to_world(self.opened.layer, zyx))

    def forget(self) -> None:
        """Let go of layer and volume."""
        self.opened = None

    def _config(self, start: Zyx, nodes: tuple[Zyx, ...]) -> TracingConfig:
        view = self._view
        far = max((node[0] - start[0] for node in nodes), key=abs, default=0.0)
        direction = view.direction.currentData() if far == 0 else 1 if far > 0 else -1
        sections = max(view.sections.value(), int(abs(far)) + 1)
        return TracingConfig(sections, view.nm_per_px.value(), direction)

    def _wanted(self, layer: Any) -> tuple[Any, ...]:
        voxel: Triple = self._view.voxel_nm()
        place = (tuple(layer.scale), tuple(layer.translate))
        return (id(layer), voxel, self._view.nm_per_px.value(), *place)


def _fits(held: Opened, volume: Volume, placement: Placement) -> bool:
    """Whether a volume of the same layer is the one at hand, in the same place."""
    same = held.placement == placement and held.volume.shape == volume.shape
    return same and np.allclose(held.volume.voxel_nm, volume.voxel_nm, rtol=1e-6)
