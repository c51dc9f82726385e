"""Sample data for napari's *Open sample* menu."""

from importlib.resources import files
from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def sample_em() -> list[LayerData]:
    """Return the bundled volume: synthetic electron microscopy, and its neurites (hidden)."""
    from bcannot_core.volumes import open_volume
    from napari_bcannot.layers import volume_layer

    path = str(files("bcannot_core") / "data" / "sample_em.npz")
    image = volume_layer(open_volume(path), "sample EM")
    data, meta, kind = volume_layer(open_volume(path, labels=True), "sample neurites")
    return [image, (data, meta | {"visible": False}, kind)]
