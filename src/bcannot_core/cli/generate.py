"""``bcannot generate``: record scripted annotators at work."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcannot_core.cli.asked import chosen_tasks, chosen_variants, task_options
from bcannot_core.cli.cluster import SchedulerOption, WorkersOption, cluster
from bcannot_core.cli.common import JsonOption, SeedOption, progress, say, write_json
from bcannot_core.cli.data import VoxelOption, open_pair
from bcannot_core.errors import UsageError

if TYPE_CHECKING:
    from bcannot_core.episodes.specification import GenerateSpec, Source, Specification

NAME = "generate"
EXAMPLE = "bcannot generate all --mixed --episodes 10000 --variant random --out data --workers 2"
TRACING = "neuron_tracing"


def command(
    task: Annotated[
        list[str],
        typer.Argument(help="Tasks (bcannot tasks), or all; TASK=WEIGHT draws it so often."),
    ],
    out: Annotated[Path, typer.Option(help="The dataset's folder; interrupted work goes on.")],
    episodes: Annotated[
        int, typer.Option(min=1, help="Episodes of each task, or in all where tasks are mixed.")
    ] = 100,
    seed: SeedOption = 0,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Draw a task for each episode; so do weights.")
    ] = False,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="Interface variants to draw from; also seen, unseen, random."),
    ] = None,
    behaviour: Annotated[
        list[str] | None, typer.Option(help="Behaviours to draw from: default, hasty, flawless, …")
    ] = None,
    mistakes: Annotated[
        float | None, typer.Option(help="Share of placements that go wrong, 0 to 0.9.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="[TASK.]NAME=VALUE", help="An option of the tasks."),
    ] = None,
    volume: Annotated[
        list[str] | None, typer.Option(help="Trace in this volume; may be given several times.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(help="Its ground truth, in the same order; beside the volume by default."),
    ] = None,
    voxel_nm: VoxelOption = None,
    sections: Annotated[int | None, typer.Option(min=1, help="Sections of a trace.")] = None,
    z_step: Annotated[
        list[int] | None, typer.Option(min=1, help="Take every n-th section, to draw from.")
    ] = None,
    any_axis: Annotated[
        bool, typer.Option("--any-axis", help="Slice along any axis (isotropic volumes).")
    ] = False,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    json_file: JsonOption = None,
) -> None:
    """Record scripted sessions.

    Episodes follow from tasks, options and seed alone, whatever the number of workers; a volume is
    turned and flipped at random.
    """
    from bcannot_core.episodes.generate import count_others
    from bcannot_core.episodes.specification import ALL_AXES, GenerateSpec, Orientation

    weights = chosen_tasks(task)
    if (volume or sections) and TRACING not in weights:
        raise UsageError(f"--volume and --sections are for {TRACING}, which is not among the tasks")
    options = task_options(option or [], weights)
    if sections is not None:
        options[TRACING]["sections"] = sections
    specs = [
        GenerateSpec(
            task=name,
            config=options[name],
            variants=chosen_variants(variant or ("original",)),
            behaviours=tuple(behaviour or ("default",)),
            mistakes=mistakes,
        )
        for name in weights
    ]
    traced = Orientation(ALL_AXES if any_axis else Orientation.axes, steps=tuple(z_step or (1,)))
    sources = tuple(_sources(volume or [], labels or [], voxel_nm))
    specs = [
        replace(spec, sources=sources, orientation=traced) if spec.task == TRACING else spec
        for spec in specs
    ]
    todo = _mixture(specs, weights, mixed)
    others = count_others(todo, episodes, seed, out)
    if others:
        say(f"{out}: {others} episodes of other runs are there (other options, seeds or numbers)")
    began = time.perf_counter()
    made = _work(todo, episodes, seed, out, workers, scheduler)
    there = episodes * len(todo) - made
    say(f"{out}: {made} episodes made, {there} were there")
    result = {"dataset": out, "made": made, "there": there, "seconds": time.perf_counter() - began}
    result |= {"others": others, "tasks": list(weights), "seed": seed, "workers": workers}
    write_json(json_file, result)


def _mixture(
    specs: "list[GenerateSpec]", weights: Mapping[str, float | None], mixed: bool
) -> "list[Specification]":
    """Return the specifications to work off: one mixture where that is asked for."""
    from bcannot_core.episodes.specification import Mixture

    if not mixed and all(weight is None for weight in weights.values()):
        return list(specs)
    shares = tuple(1.0 if weight is None else weight for weight in weights.values())
    return [Mixture(tuple(specs), shares)]


def _work(
    specs: "list[Specification]",
    episodes: int,
    seed: int,
    out: Path,
    workers: int,
    scheduler: str | None,
) -> int:
    from bcannot_core.episodes.generate import generate_episodes

    made = 0
    for spec in specs:
        spec.check()
    with cluster(scheduler) as executor:
        for spec in specs:
            with progress(spec.name, episodes) as advance:
                where: dict[str, Any] = {"workers": workers, "executor": executor}
                count = _counter(advance)
                made += generate_episodes(spec, episodes, seed, out, progress=count, **where)
    return made


def _sources(volumes: list[str], labels: list[str], voxel_nm: str | None) -> "Iterator[Source]":
    """Open the volumes once, for their full addresses and to find faults before the work."""
    from bcannot_core.episodes.specification import Source

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
