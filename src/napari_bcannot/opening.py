"""Opens volumes by their address without holding up the window."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer

from bcannot_core.errors import BcannotError, VolumeAxesError
from bcannot_core.volumes import ScaleInfo, Volume, open_volume
from bcannot_core.volumes.catalogue import CatalogueEntry, find_volume
from bcannot_core.volumes.contrast import default_contrast
from napari_bcannot.background import Background
from napari_bcannot.fetching import Refresher
from napari_bcannot.geometry import READ_TIMEOUT_S, VOLUME_KEY
from napari_bcannot.remote_layers import NM, LayerData, volume_layer, warm_up
from napari_bcannot.turns import one_line

Axes = tuple[tuple[str, int], ...]
"""Axes beside z, y, x: their names and sizes."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to open.

    Attributes
    ----------
    address : str
        Of the grey values.
    labels : str
        Address of the ids to show upon them; empty for none.
    finest : int
        Finest level to show.
    """

    address: str
    labels: str = ""
    finest: int = 0


@dataclass(frozen=True, slots=True)
class OpenedVolumes:
    """Layers to add, what could not be opened beside them, or axes that need a place each."""

    layers: tuple[LayerData, ...] = ()
    problem: str = ""
    axes: Axes = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a volume before it is shown, or which axes need a place each."""

    scales: tuple[ScaleInfo, ...] = ()
    dtype: str = ""
    voxel_known: bool = False
    axes: Axes = ()


def labels_address(entry: CatalogueEntry) -> str:
    """Return the address of the labels of an entry of the catalogue; empty where it has none."""
    known = find_volume(entry.labels) if entry.labels else None
    return known.address if known else entry.labels or ""


def read_request(request: Request) -> OpenedVolumes:
    """Open what is asked for; waits for servers.

    Labels that cannot be opened leave the grey values without them.

    Raises
    ------
    VolumeError
        The grey values cannot be opened.
    """
    with ThreadPoolExecutor(2) as pool:
        grey = pool.submit(open_volume, request.address, timeout_s=READ_TIMEOUT_S)
        ids = pool.submit(_open_labels, request.labels) if request.labels else None
        volume = grey.result()
        finest = min(request.finest, len(volume.scales) - 1)
        layers = [volume_layer(volume, finest=finest, wait=False)]
        problem = ""
        try:
            labels = ids.result() if ids else None
            if labels is not None:
                beside = volume.scales[finest].voxel_nm
                layers.append(volume_layer(labels, beside=beside))
        except BcannotError as error:
            problem = f"The segmentation is not shown: {one_line(error)}"
    load_napari()
    return OpenedVolumes(tuple(layers), problem)


def _read_or_ask(request: Request) -> OpenedVolumes:
    try:
        return read_request(request)
    except VolumeAxesError as error:
        return OpenedVolumes(axes=error.axes)


def _show_contrast(layer: Layer, volume: Volume) -> None:
    """Give a layer its volume's contrast, unless the person has chosen another meanwhile."""
    first = default_contrast(volume.dtype)
    if volume.contrast_known and tuple(layer.contrast_limits) == (first.lo, first.hi):
        layer.contrast_limits = (volume.contrast.lo, volume.contrast.hi)


def look_up(address: str) -> Facts:
    """Return what a volume's metadata say; waits for servers.

    Raises
    ------
    VolumeError
        It cannot be opened.
    """
    try:
        volume = open_volume(address, timeout_s=READ_TIMEOUT_S)
    except VolumeAxesError as error:
        return Facts(axes=error.axes)
    return Facts(volume.scales, str(volume.dtype), volume.voxel_known)


@cache
def load_napari() -> None:
    """Have napari load what it needs for its first layers: that would hold up the window.

    Done once; on whichever thread asks.
    """
    nothing = np.zeros((1, 1, 1), np.uint8)
    Image(nothing, units=NM, contrast_limits=(0, 1))
    Labels(nothing, units=NM)


def _open_labels(address: str) -> Volume:
    return open_volume(address, labels=True, timeout_s=READ_TIMEOUT_S)


class VolumeOpener:
    """Opens volumes on worker threads and adds them to a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    opened : callable
        Gets each new layer.
    failed : callable
        Gets a one-line message.

    Attributes
    ----------
    chosen : callable
        Gets the axes of which a place is to be chosen before a volume with more axes can be
        opened; by default a message says so.
    """

    def __init__(
        self, viewer: Any, opened: Callable[[Layer], None], failed: Callable[[str], None]
    ) -> None:
        self._viewer = viewer
        self._opened = opened
        self._failed = failed
        self.chosen: Callable[[Axes], None] = self._say_axes
        self._background = Background(failed, latest=False)
        self._aside = Background(lambda _: None, latest=False)

    def prepare(self) -> None:
        """Get ready for the first volume."""
        self._aside.run(load_napari, lambda _: None)

    @property
    def busy(self) -> bool:
        """Whether something is being opened."""
        return self._background.busy

    def open(self, request: Request | str) -> None:
        """Begin to open volumes."""
        wanted = Request(request) if isinstance(request, str) else request
        self._background.run(partial(_read_or_ask, wanted), self._add)

    def look_up(self, address: str, done: Callable[[Facts], None]) -> None:
        """Begin to read what a volume's metadata say."""
        self._background.run(partial(look_up, address), done)

    def close(self) -> None:
        """Take no notice of what is still being opened."""
        self._background.drop()
        self._aside.drop()

    def _say_axes(self, axes: Axes) -> None:
        listed = ", ".join(f"{name} ({size})" for name, size in axes)
        hint = ",".join(f"{name}:0" for name, _ in axes)
        self._failed(f"There are more axes: {listed}. Add a place of each, as in #at={hint}.")

    def _add(self, opened: OpenedVolumes) -> None:
        if opened.axes:
            self.chosen(opened.axes)
            return
        first, *rest = opened.layers
        layer = self._add_layer(first)
        if rest:  # in a turn of its own: napari takes a while for each layer
            self._aside.run(lambda: rest, partial(self._add_upon, layer))
        volume = layer.metadata[VOLUME_KEY]
        self._aside.run(partial(warm_up, volume), partial(_show_contrast, layer))
        self._opened(layer)
        if opened.problem:
            self._failed(opened.problem)

    def _add_upon(self, below: Layer, layers: list[LayerData]) -> None:
        for one in layers:
            self._add_layer(one)
        if below in self._viewer.layers:
            self._viewer.layers.selection.active = below

    def _add_layer(self, one: LayerData) -> Layer:
        data, meta, kind = one
        layer: Layer = self._viewer.add_layer(Layer.create(data, meta, kind))
        Refresher.shared().attach(layer)
        return layer
