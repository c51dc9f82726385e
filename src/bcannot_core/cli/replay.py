"""``bcannot replay``: look at a recorded session."""

from pathlib import Path
from typing import Annotated

import typer

from bcannot_core.cli.common import progress, say
from bcannot_core.errors import UsageError

NAME = "replay"
EXAMPLE = "bcannot replay sessions --episode 3 --out session.gif"


def command(
    dataset: Annotated[Path, typer.Argument(help="A dataset's folder, or a journal (.jsonl).")],
    out: Annotated[
        Path, typer.Option(help="What to write: .gif, .mp4, or a folder for PNG files.")
    ],
    episode: Annotated[int, typer.Option(help="Which episode; -1 is the last.")] = 0,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 4.0,
    marks: Annotated[bool, typer.Option(help="Mark where was clicked.")] = True,
    volume: Annotated[
        str | None, typer.Option(help="Where the volume is now, if it has moved.")
    ] = None,
) -> None:
    """Draw a recorded session, frame by frame.

    The frames are made again from the clicks, exactly as they were seen.
    """
    from bcannot_core.episodes.dataset import open_dataset
    from bcannot_core.episodes.export import export_episode
    from bcannot_core.episodes.replay import episode_from_journal
    from bcannot_core.volumes import open_volume

    if dataset.suffix == ".jsonl":
        chosen = episode_from_journal(dataset)
    else:
        episodes = open_dataset(dataset)
        if not -len(episodes) <= episode < len(episodes):
            raise UsageError(f"there is no episode {episode}: {dataset} has {len(episodes)}")
        chosen = episodes[episode]
    moved = None
    if volume is not None:
        voxel_nm = None if chosen.data is None else chosen.data.voxel_nm
        moved = open_volume(volume, voxel_nm=voxel_nm)
    with progress("drawing", len(chosen) + 1) as advance:
        written = export_episode(
            chosen,
            out,
            fps=fps,
            marks=marks,
            volume=moved,
            progress=lambda _done, _all: advance(1),
        )
    say(f"{written}: {len(chosen)} clicks of {chosen.task}")
