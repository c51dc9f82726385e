"""Opens volumes by their address without holding up the window."""

from collections.abc import Callable
from typing import Any

from napari.layers import Layer
from napari.qt.threading import create_worker

from napari_bcannot.readers import LayerData, read_volume
from napari_bcannot.turns import one_line


class VolumeOpener:
    """Opens volumes on a worker thread and adds them to a viewer.

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
        self._failed = failed
        self._closed = False

    def open(self, address: str) -> None:
        """Begin to open a volume."""
        worker = create_worker(read_volume, address, _start_thread=False, _ignore_errors=True)
        worker.returned.connect(self._add)
        worker.errored.connect(self._say)
        worker.start()

    def close(self) -> None:
        """Take no notice of what is still being opened."""
        self._closed = True

    def _add(self, layers: list[LayerData]) -> None:
        for data, meta, kind in [] if self._closed else layers:
            self._opened(self._viewer.add_layer(Layer.create(data, meta, kind)))

    def _say(self, error: Exception) -> None:
        if not self._closed:
            self._failed(one_line(error))
