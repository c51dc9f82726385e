"""``bcannot generate``: record scripted annotators at work."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bcannot_core.cli.cluster import SchedulerOption, WorkersOption, cluster
from bcannot_core.cli.common import SeedOption, progress, say
from bcannot_core.cli.data import VoxelOption, open_pair
from bcannot_core.errors import UsageError

if TYPE_CHECKING:
    from bcannot_core.episodes.generate import Source

NAME = "generate"
EXAMPLE = "bcannot generate neuron_tracing --episodes 500 --seed 1 --out sessions --workers 2"


def command(
    task: Annotated[list[str], typer.Argument(help="One or several tasks (bcannot tasks).")],
    out: Annotated[Path, typer.Option(help="The dataset's folder; interrupted work goes on.")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of each task.")] = 100,
    seed: SeedOption = 0,
    volume: Annotated[
        list[str] | None, typer.Option(help="Trace in this volume; may be given several times.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(help="Its ground truth, in the same order; beside the volume by default."),
    ] = None,
    voxel_nm: VoxelOption = None,
    sections: Annotated[int | None, typer.Option(min=1, help="Sections of a trace.")] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Interface variants to draw from.")
    ] = None,
    behaviour: Annotated[
        list[str] | None, typer.Option(help="Behaviours to draw from: default, hasty, flawless, …")
    ] = None,
    z_step: Annotated[
        list[int] | None, typer.Option(min=1, help="Take every n-th section, to draw from.")
    ] = None,
    any_axis: Annotated[
        bool, typer.Option("--any-axis", help="Slice along any axis (isotropic volumes).")
    ] = False,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
) -> None:
    """Record scripted sessions.

    Episodes follow from task, options and seed alone, whatever the number of workers; a volume is
    turned and flipped at random.
    """
    from bcannot_core.episodes.generate import (
        ALL_AXES,
        GenerateSpec,
        Orientation,
        generate_episodes,
    )

    orientation = Orientation(steps=tuple(z_step or (1,)))
    if any_axis:
        orientation = Orientation(ALL_AXES, steps=orientation.steps)
    specs = [
        GenerateSpec(
            task=name,
            config={} if sections is None else {"sections": sections},
            variants=tuple(variant or ("original",)),
            behaviours=tuple(behaviour or ("default",)),
            sources=tuple(_sources(volume or [], labels or [], voxel_nm)),
            orientation=orientation,
        )
        for name in task
    ]
    made = 0
    with cluster(scheduler) as executor:
        for spec in specs:
            with progress(spec.task, episodes) as advance:
                made += generate_episodes(
                    spec,
                    episodes,
                    seed,
                    out,
                    workers=workers,
                    executor=executor,
                    progress=_counter(advance),
                )
    say(f"{out}: {made} episodes made, {episodes * len(specs) - made} were there")


def _sources(volumes: list[str], labels: list[str], voxel_nm: str | None) -> "Iterator[Source]":
    """Open the volumes once, for their full addresses and to find faults before the work."""
    from bcannot_core.episodes.generate import Source

    if labels and len(labels) != len(volumes):
        raise UsageError(f"{len(volumes)} --volume and {len(labels)} --labels: give as many")
    for i, address in enumerate(volumes):
        grey, truth = open_pair(address, labels[i] if labels else None, voxel_nm)
        yield Source(grey.address, truth.address)


def _counter(advance: Callable[[int], object]) -> Callable[[int, int], None]:
    """Turn "so many are there" into "so many more"."""
    seen = 0

    def count(there: int, _all: int) -> None:
        nonlocal seen
        advance(there - seen)
        seen = there

    return count
