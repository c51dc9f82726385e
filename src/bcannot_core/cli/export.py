"""``bcannot export``: a dataset with its frames, in the format of another library."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bcannot_core.cli.common import progress, say
from bcannot_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bcannot_core.episodes.dataset import EpisodeDataset
    from bcannot_core.episodes.episode import Episode

NAME = "export"
EXAMPLE = "bcannot export data --format lerobot --out data_lerobot"


class Format(StrEnum):
    """What can be written."""

    LEROBOT = "lerobot"
    WEBDATASET = "webdataset"


def command(
    dataset: Annotated[list[Path], typer.Argument(help="Datasets' folders, or single shards.")],
    out: Annotated[Path, typer.Option(help="A new folder.")],
    form: Annotated[Format, typer.Option("--format", help="Whose format.")],
    task: Annotated[list[str] | None, typer.Option(help="Tasks to take; all by default.")] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1, help="Take so many episodes, from the first on.")
    ] = None,
    fps: Annotated[int, typer.Option(min=1, help="Frames a second, lerobot.")] = 10,
    images: Annotated[
        bool, typer.Option("--images", help="Exact pictures in place of video, lerobot.")
    ] = False,
) -> None:
    """Write a dataset with its frames for other training code.

    lerobot: a LeRobotDataset v3. webdataset: tar files, a picture and a JSON for each step.
    """
    from bcannot_core.episodes.dataset import open_dataset

    data = open_dataset(*dataset)
    numbers = _chosen(data, task)[:episodes]
    if not numbers:
        wanted = ", ".join(task or [])
        raise UsageError(f"there is no episode of {wanted}: bcannot stats shows what there is")
    with progress("writing", len(numbers)) as advance:
        chosen = _each(data, numbers)
        if form is Format.WEBDATASET:
            from bcannot_core.episodes.to_webdataset import export_webdataset

            export_webdataset(chosen, out, progress=advance)
        else:
            from bcannot_core.episodes.to_lerobot import LeRobotOptions, export_lerobot

            export_lerobot(chosen, out, LeRobotOptions(fps, images), progress=advance)
    say(f"{out}: {len(numbers)} episodes as {form}")


def _chosen(data: "EpisodeDataset", tasks: list[str] | None) -> list[int]:
    if not tasks:
        return list(range(len(data)))
    return [i for i, task in enumerate(data.column("task")) if task in tasks]


def _each(data: "EpisodeDataset", numbers: list[int]) -> "Iterator[Episode]":
    return (data[number] for number in numbers)
