"""The volume and labels that a command's arguments name."""

from functools import partial
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bcannot_core.cli.common import voxel_size
from bcannot_core.errors import UsageError

if TYPE_CHECKING:
    from bcannot_core.volumes import Volume

VoxelOption = Annotated[
    str | None,
    typer.Option("--voxel-nm", metavar="Z,Y,X", help="Voxel size in nm, where the data lack it."),
]
KeyOption = Annotated[str | None, typer.Option("--key", help="Array of the volume in its file.")]
LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels", metavar="ADDRESS", help="Ground truth; where the volume is an .npz, its seg."
    ),
]
LabelsKeyOption = Annotated[
    str | None, typer.Option("--labels-key", help="Array of the labels in their file.")
]
ZStepOption = Annotated[
    int, typer.Option("--z-step", min=1, help="Take every n-th section; their distance grows.")
]

_LOCAL = ("precomputed://", "zarr://", "file://")
"""Prefixes that a path may follow."""


def located(address: str) -> str:
    """Return an address that means the same from any folder: local paths become absolute."""
    for prefix in _LOCAL:
        if address.startswith(prefix):
            return prefix + located(address.removeprefix(prefix))
    if "://" in address:
        return address
    whole = Path(address).expanduser()
    for mark in ("#", "::"):
        path, found, rest = address.rpartition(mark)
        part = Path(path).expanduser()
        if found and part.exists() and not whole.exists():
            return f"{part.resolve()}{mark}{rest}"
    return str(whole.resolve()) if whole.exists() else address


def open_grey(
    address: str, voxel_nm: str | None = None, key: str | None = None, z_step: int = 1
) -> "Volume":
    """Open a volume, every ``z_step``-th section of it."""
    from bcannot_core.volumes import Region, open_volume

    volume = open_volume(located(address), voxel_nm=voxel_size(voxel_nm), key=key)
    return volume if z_step == 1 else Region(volume, step=(z_step, 1, 1))


def open_pair(
    address: str,
    labels: str | None,
    voxel_nm: str | None = None,
    keys: tuple[str | None, str | None] = (None, None),
    z_step: int = 1,
) -> "tuple[Volume, Volume]":
    """Open a volume and its labels.

    Without an address the labels are looked for where the volume is: an .npz holds both, and
    synthetic tissue knows its own.

    Raises
    ------
    UsageError
        There is no address of labels and none can be guessed, or the shapes differ.
    """
    from bcannot_core.volumes import Region, open_volume

    volume = open_volume(located(address), voxel_nm=voxel_size(voxel_nm), key=keys[0])
    beside = located(labels or _beside(address, keys[1]))
    truth = _open_labels(beside, volume, keys[1])
    if volume.shape != truth.shape:
        raise UsageError(
            f"the labels have shape {truth.shape}, the volume {volume.shape}: they must be equal"
        )
    if z_step == 1:
        return volume, truth
    step = (z_step, 1, 1)
    return Region(volume, step=step), Region(truth, step=step)


def _open_labels(address: str, volume: "Volume", key: str | None) -> "Volume":
    """Open the level of labels that has a volume's shape; the one nearest in size where none has.

    The sizes alone would mislead: that of the volume may be another than its data state.
    """
    from bcannot_core.volumes import open_volume

    opened = partial(open_volume, address, voxel_nm=volume.voxel_nm, key=key, labels=True)
    if "scale=" in address:
        return opened()
    nearest = opened(scale=volume.voxel_nm[1])
    level = _fitting_level(nearest, volume)
    return nearest if level is None else opened(scale=level)


def _fitting_level(labels: "Volume", volume: "Volume") -> int | None:
    """Return another level of the labels, of the volume's shape; None where they fit or none does.

    Of regions it is what lies below that has levels.
    """
    from bcannot_core.volumes import Region

    if isinstance(labels, Region) and isinstance(volume, Region):
        labels, volume = labels.volume, volume.volume
    fitting = [level for level in labels.scales if level.shape == volume.shape]
    if labels.shape == volume.shape or not fitting:
        return None
    size = volume.voxel_nm[1]
    return min(fitting, key=lambda level: abs(log(level.voxel_nm[1] / size))).index


def _beside(address: str, key: str | None) -> str:
    """Return where the labels of a volume are when nobody said so."""
    location = address.partition("#")[0]
    both = location.startswith("synthetic://") or location.lower().endswith(".npz")
    if not both and key is None:
        raise UsageError(f"the ground truth of {address} is missing: give --labels ADDRESS")
    return address
