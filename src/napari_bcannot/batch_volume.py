"""Which volume a list of start points is of."""

from collections.abc import Iterable
from typing import Any
from weakref import ref

from napari_bcannot.geometry import is_volume_layer
from napari_bcannot.restoring import address_of


class ListedVolume:
    """The layer that start points were listed for, also where it was closed and opened again.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer; it is not kept from going away.

    Attributes
    ----------
    name : str
        What it was called.
    """

    def __init__(self, layer: Any) -> None:
        self._note(layer)

    def find(self, layers: Iterable[Any]) -> Any:
        """Return the layer among others; None where it is not."""
        there = [layer for layer in layers if is_volume_layer(layer)]
        held = self._layer()
        again = (layer for layer in there if _known_by(layer) == self._known)
        found = held if any(layer is held for layer in there) else next(again, None)
        if found is not None:
            self._note(found)  # it may have another name by now
        return found

    def _note(self, layer: Any) -> None:
        self.name: str = layer.name
        self._layer = ref(layer)
        self._known = _known_by(layer)


def _known_by(layer: Any) -> tuple[Any, ...]:
    """Return what a layer is known by when it is opened again."""
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    return address_of(layer), tuple(shape), tuple(layer.scale), tuple(layer.translate)
