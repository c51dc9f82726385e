"""``bcannot volumes``: the public volumes by name, or what one address holds."""

from pathlib import Path
from typing import Annotated

import typer

from bcannot_core.cli.common import JsonOption, say, table, write_json

NAME = "volumes"
EXAMPLE = "bcannot volumes sample_em.npz"


def command(
    address: Annotated[
        str | None, typer.Argument(help="Look at this volume instead of listing the public ones.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Array inside the file.")] = None,
    labels: Annotated[bool, typer.Option("--labels", help="Open it as labels.")] = False,
    json_file: JsonOption = None,
) -> None:
    """List public volumes, or describe one.

    With an address: shape, type, voxel size and resolution levels.
    """
    if address is None:
        _list(json_file)
    else:
        _show(address, key, labels, json_file)


def _list(json_file: Path | None) -> None:
    from dataclasses import asdict

    from bcannot_core.volumes.catalogue import catalogue

    entries = [asdict(entry) for entry in catalogue()]
    rows = [(entry["name"], entry["title"], entry["address"]) for entry in entries]
    table(("name", "what", "address"), rows)
    write_json(json_file, {"volumes": entries})


def _show(address: str, key: str | None, labels: bool, json_file: Path | None) -> None:
    from bcannot_core.volumes.opening import open_volume

    volume = open_volume(address, key=key, labels=labels)
    scales = [
        {"index": scale.index, "name": scale.name, "shape": scale.shape, "voxel_nm": scale.voxel_nm}
        for scale in volume.scales
    ]
    result = {
        "address": volume.address,
        "shape": volume.shape,
        "dtype": str(volume.dtype),
        "voxel_nm": volume.voxel_nm,
        "voxel_known": volume.voxel_known,
        "scales": scales,
    }
    say(f"address   {volume.address}")
    say(f"shape     {volume.shape} (z, y, x), {volume.dtype}")
    known = "" if volume.voxel_known else " (not stated: give --voxel-nm where it matters)"
    say(f"voxel     {volume.voxel_nm} nm (z, y, x){known}")
    for scale in volume.scales:
        mark = "*" if scale.index == volume.scale else " "
        say(f"scale {mark} {scale.index}: {scale.name}, {scale.shape}, {scale.voxel_nm} nm")
    write_json(json_file, result)
