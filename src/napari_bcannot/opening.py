"""Opens volumes by their address without holding up the window."""

from collections.abc import Callable
from functools import partial
from typing import Any

from napari.layers import Layer

from napari_bcannot.background import Background
from napari_bcannot.readers import LayerData, read_volume


class VolumeOpener:
    """Opens volumes on worker threads and adds them to a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    opened : callable
        Gets the new layer.
    failed : callable
        Gets a one-line message.
    """

    def __init__(
        self, viewer: Any, opened: Callable[[Layer], None], failed: Callable[[str], None]
    ) -> None:
        self._viewer = viewer
        self._opened = opened
        self._background = Background(failed, latest=False)

    def open(self, address: str) -> None:
        """Begin to open a volume."""
        self._background.run(partial(read_volume, address), self._add)

    def close(self) -> None:
        """Take no notice of what is still being opened."""
        self._background.drop()

    def _add(self, layers: list[LayerData]) -> None:
        for data, meta, kind in layers:
            self._opened(self._viewer.add_layer(Layer.create(data, meta, kind)))
