"""The volume and labels that a command's arguments name."""

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


def open_grey(
    address: str, voxel_nm: str | None = None, key: str | None = None, z_step: int = 1
) -> "Volume":
    """Open a volume, every ``z_step``-th section of it."""
    from bcannot_core.volumes import Region, open_volume

    volume = open_volume(address, voxel_nm=voxel_size(voxel_nm), key=key)
    return volume if z_step == 1 else Region(volume, step=(z_step, 1, 1))


def open_pair(
    address: str,
    labels: str | None,
    voxel_nm: str | None = None,
    keys: tuple[str | None, str | None] = (None, None),
    z_step: int = 1,
) -> "tuple[Volume, Volume]":
    """Open a volume and its labels; without an address they lie beside the volume.

    Raises
    ------
    UsageError
        Their shapes differ.
    """
    from bcannot_core.volumes import Region, open_volume

    volume = open_volume(address, voxel_nm=voxel_size(voxel_nm), key=keys[0])
    truth = open_volume(
        labels or address, voxel_nm=volume.voxel_nm, key=keys[1], labels=True
    )
    if volume.shape != truth.shape:
        raise UsageError(
            f"the labels have shape {truth.shape}, the volume {volume.shape}: they must be equal"
        )
    if z_step == 1:
        return volume, truth
    step = (z_step, 1, 1)
    return Region(volume, step=step), Region(truth, step=step)
