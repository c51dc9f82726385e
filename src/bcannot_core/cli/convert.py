"""``bcannot convert``: skeletons from one format into another."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bcannot_core.cli.common import JsonOption, say, voxel_size, write_json
from bcannot_core.errors import UsageError
from bcannot_core.url_queries import masked

if TYPE_CHECKING:
    from bcannot_core.skeletons import SkeletonSet
    from bcannot_core.skeletons.convert import Reading

NAME = "convert"
EXAMPLE = "bcannot convert traces.nml traces.swc"


class Format(StrEnum):
    """What can be read and written."""

    SWC = "swc"
    SWC_FOLDER = "swc-folder"
    NML = "nml"
    CSV = "csv"
    PRECOMPUTED = "precomputed"


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="A .swc, .nml or .csv file, a folder of SWC files, a folder or address of "
            "Neuroglancer-precomputed skeletons, a recorded session's folder.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A .swc, .nml, .csv file or .precomputed folder."),
    ],
    form: Annotated[
        Format | None, typer.Option("--to", help="The format of OUT, where its name tells none.")
    ] = None,
    source_form: Annotated[
        Format | None, typer.Option("--from", help="The format of IN, where its name tells none.")
    ] = None,
    voxel_nm: Annotated[
        str | None,
        typer.Option(metavar="Z,Y,X", help="Voxel size, where IN has positions in voxels."),
    ] = None,
    ids: Annotated[
        str | None, typer.Option(metavar="ID,ID…", help="Segments to take, precomputed.")
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Add to OUT, an SWC file, what IN holds.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Convert skeletons between SWC, WEBKNOSSOS NML, CSV and Neuroglancer-precomputed.

    What the other format has no place for is said. OUT appears whole or not at all.
    """
    from dataclasses import replace

    from bcannot_core.skeletons import append_swc, format_of, write_skeletons
    from bcannot_core.skeletons.convert import Reading

    size = voxel_size(voxel_nm)
    if append and (form or format_of(out, reading=False)) != Format.SWC:
        raise UsageError(f"--append adds to SWC files, not to {out}")
    found = _read(source, source_form, Reading(size, _numbers(ids)))
    skeletons = replace(found, voxel_nm=size or found.voxel_nm)
    remarks = list(found.remarks)
    if append:
        append_swc(out, skeletons.neurites)
    else:
        remarks += write_skeletons(out, skeletons, form.value if form else None)
    for remark in remarks:
        typer.echo(f"note: {remark}", err=True)
    count = "1 neurite" if len(skeletons) == 1 else f"{len(skeletons)} neurites"
    say(f"{out}: {count}, {skeletons.nodes} nodes")
    write_json(json, _result(source, out, skeletons, remarks))


def _read(source: str, form: Format | None, options: "Reading") -> "SkeletonSet":
    """Read skeletons, or those of a recorded session's folder."""
    from bcannot_core.skeletons import read_skeletons

    if form is None and (Path(source) / "session.jsonl").is_file():
        from bcannot_core.sittings.skeletons import sitting_skeletons

        return sitting_skeletons(source)
    return read_skeletons(source, form.value if form else None, options)


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise UsageError(f"--ids {text!r} is no list of whole numbers: give it as 1,2,3")
    return [int(word) for word in words]


def _result(
    source: str, out: Path, skeletons: "SkeletonSet", remarks: list[str]
) -> dict[str, object]:
    return {
        "in": masked(source),
        "out": out,
        "neurites": [{"name": n.name, "nodes": len(n)} for n in skeletons.neurites],
        "nodes": skeletons.nodes,
        "voxel_nm_zyx": skeletons.voxel_nm,
        "remarks": remarks,
    }
