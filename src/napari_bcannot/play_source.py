"""What neuron tracing is played in: a volume and its labels, of layers or at addresses. No Qt."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bcannot_core.errors import UsageError
from bcannot_core.volumes import Volume, open_volume
from napari_bcannot.geometry import READ_TIMEOUT_S, volume_of, voxel_nm_of


@dataclass(frozen=True)
class Source:
    """A volume to trace in.

    Attributes
    ----------
    volume : napari.layers.Image or str
        A grey 3-D layer, or an address.
    labels : napari.layers.Labels or str, optional
        The ids of its neurites; without them there are neither annotator nor score.
    """

    volume: Any
    labels: Any = None

    def options(self) -> dict[str, Any]:
        """Return the task's options for it; opens files, and asks servers.

        Raises
        ------
        VolumeError
            There is nothing that can be read.
        UsageError
            The labels are those of another volume.
        """
        volume = _volume(self.volume, labels=False)
        labels = None if self.labels is None else _volume(self.labels, labels=True)
        if labels is not None and labels.shape != volume.shape:
            raise UsageError(
                f"the labels have shape {labels.shape}, the volume {volume.shape} (z, y, x): "
                "choose the labels of this volume"
            )
        return {"volume": volume, "labels": labels}


def _volume(place: Any, *, labels: bool) -> Volume:
    if isinstance(place, str):
        return _opened(place, labels)
    return volume_of(place, voxel_nm_of(place)[0], labels=labels)


@lru_cache(maxsize=4)
def _opened(address: str, labels: bool) -> Volume:
    """Open an address; kept, so that the next world in it need not look through it again."""
    return open_volume(address, labels=labels, timeout_s=READ_TIMEOUT_S)
