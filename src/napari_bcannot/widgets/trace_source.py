"""Where a trace reads: the volume of the chosen layer, opened once, and its place in the world."""

from typing import TYPE_CHECKING, Any

from bcannot_core.tasks.neuron_tracing import TracingConfig
from napari_bcannot.geometry import Placement, Triple, layer_to_world, open_layer
from napari_bcannot.tracing import TraceSession, Zyx
from napari_bcannot.widgets.trace_view import TraceView

if TYPE_CHECKING:
    from bcannot_core.volumes import Volume


class TraceSource:
    """Makes tracing sessions of what is chosen in the view.

    Parameters
    ----------
    view : TraceView
        Says which layer, voxel size, pixel size, sections and direction.

    Attributes
    ----------
    layer, placement : layer and Placement, or None
        Of the session made last.
    """

    def __init__(self, view: TraceView) -> None:
        self._view = view
        self._opened: tuple[Any, ...] = ()
        self._volume: Volume | None = None
        self.layer: Any = None
        self.placement: Placement | None = None

    def is_another(self, layer: Any) -> bool:
        """Whether a trace in this layer, as the view says, is in another volume than the last."""
        return self._opened != self._wanted(layer)

    def make(self, layer: Any, start_zyx: Zyx, nodes_zyx: tuple[Zyx, ...] = ()) -> TraceSession:
        """Return a session that begins at a voxel of the layer's finest level.

        Parameters
        ----------
        layer : napari.layers.Image
            The volume's.
        start_zyx : tuple of float
            Start point.
        nodes_zyx : tuple of tuple, optional
            Nodes that it is to have room for; they say the direction.

        Raises
        ------
        BcannotError
            The volume cannot be opened, or the start point lies outside.
        """
        volume, placement = self._volume, self.placement
        if volume is None or placement is None or self.is_another(layer):
            voxel_nm, nm_per_px = self._view.voxel_nm(), self._view.nm_per_px.value()
            volume, placement = open_layer(layer, voxel_nm, nm_per_px)
        start = placement.to_voxels(layer_to_world(layer, start_zyx))
        trace = TraceSession(volume, start, self._config(start_zyx, nodes_zyx))
        self._volume, self.placement, self.layer = volume, placement, layer
        self._opened = self._wanted(layer)
        return trace

    def take(self, layer: Any, placement: Placement) -> None:
        """Go on in a layer whose volume was opened elsewhere."""
        self._opened, self._volume = self._wanted(layer), None
        self.layer, self.placement = layer, placement

    def to_voxels(self, zyx: Zyx) -> Zyx:
        """Return the voxel of the traced volume at a voxel of the layer's finest level."""
        if self.placement is None:
            return zyx
        return self.placement.to_voxels(layer_to_world(self.layer, zyx))

    def forget(self) -> None:
        """Let go of layer and volume."""
        self._opened, self._volume, self.layer = (), None, None

    def _config(self, start: Zyx, nodes: tuple[Zyx, ...]) -> TracingConfig:
        view = self._view
        far = max((node[0] - start[0] for node in nodes), key=abs, default=0.0)
        direction = view.direction.currentData() if far == 0 else 1 if far > 0 else -1
        sections = max(view.sections.value(), int(abs(far)) + 1)
        return TracingConfig(sections, view.nm_per_px.value(), direction)

    def _wanted(self, layer: Any) -> tuple[Any, ...]:
        voxel: Triple = self._view.voxel_nm()
        return (id(layer), voxel, self._view.nm_per_px.value(), tuple(layer.scale))
