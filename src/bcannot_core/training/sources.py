"""From datasets of episodes to the labelled tissue that they were recorded in."""

from collections.abc import Iterable, Sequence

import numpy as np

from bcannot_core.episodes.episode import Episode
from bcannot_core.errors import DatasetError
from bcannot_core.training.tissue import Tissue
from bcannot_core.volumes import open_volume
from bcannot_core.volumes.address import add_options, parse_address, split_options

_MAX_VOXELS = 1 << 29

Box = tuple[int, int, int, int, int, int]


def tissues_of(episodes: Iterable[Episode]) -> list[Tissue]:
    """Return the labelled volumes of episodes, each cut to the box that its episodes look at.

    A tissue weighs as much as it has episodes.

    Raises
    ------
    DatasetError
        No episode names labels, or the volumes are too large to hold.
    """
    boxes: dict[tuple[str, str], list[Box | None]] = {}
    for episode in episodes:
        data = episode.data
        if data is None or data.labels is None:
            continue
        seen, truth = parse_address(data.volume), parse_address(data.labels)
        region = seen.region
        names = (_plain(data.volume), _plain(data.labels))
        if truth.region != region:
            raise DatasetError(f"{data.volume} and {data.labels} are different regions")
        boxes.setdefault(names, []).append(region.box if region else None)
    if not boxes:
        raise DatasetError(
            "the datasets hold no episode with labels: record or generate with labels"
        )
    return [tissue_at(*names, found) for names, found in boxes.items()]


def _plain(address: str) -> str:
    """Return an address without its region."""
    location, options = split_options(address)
    region = ("box=", "axes=", "flip=", "step=")
    return add_options(
        location, [part for part in options.split("&") if part and not part.startswith(region)]
    )


def tissue_at(
    volume_address: str, labels_address: str, boxes: Sequence[Box | None] = (None,)
) -> Tissue:
    """Return a labelled volume, cut to what some boxes span; None is the whole of it.

    Raises
    ------
    DatasetError
        Shapes differ, or it is too large to hold.
    """
    volume, labels = open_volume(volume_address), open_volume(labels_address, labels=True)
    if volume.shape != labels.shape:
        raise DatasetError(
            f"{labels_address} has shape {labels.shape}, {volume_address} {volume.shape}: "
            "they must be equal"
        )
    depth, height, width = volume.shape
    whole = (0, depth, 0, height, 0, width)
    used = np.array([box or whole for box in boxes])
    z0, y0, x0 = (int(used[:, i].min()) for i in (0, 2, 4))
    z1, y1, x1 = (int(used[:, i].max()) for i in (1, 3, 5))
    size = (z1 - z0) * (y1 - y0) * (x1 - x0)
    if size > _MAX_VOXELS:
        raise DatasetError(
            f"the episodes of {volume_address} span {size} voxels: use smaller regions"
        )
    grey = np.stack([volume.section_grey(z, y0, y1, x0, x1) for z in range(z0, z1)])
    names, numbers = np.unique(labels.read(z0, z1, y0, y1, x0, x1), return_inverse=True)
    if names[0] != 0:
        numbers = numbers + 1
    ids = numbers.reshape(grey.shape).astype(np.int32)
    return Tissue(grey, ids, volume.voxel_nm, float(len(boxes)))
