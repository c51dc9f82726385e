"""``bcannot bench``: how fast things are on this machine."""

import os
import platform
import statistics
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from bcannot_core.cli.cluster import WorkersOption
from bcannot_core.cli.common import JsonOption, SeedOption, figure, progress, say, table, write_json

NAME = "bench"
EXAMPLE = "bcannot bench latency --json latency.json"
CORES = 2


class What(StrEnum):
    """What can be measured."""

    RENDER = "render"
    GENERATE = "generate"
    LATENCY = "latency"
    TRAINING = "training"


def command(
    what: Annotated[
        What | None,
        typer.Argument(
            help="render, generate, latency or training; render and latency by default."
        ),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Tasks for render and generate; all by default.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for each task, render.")] = 3.0,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of a run, generate.")] = 4096,
    workers: WorkersOption = CORES,
    recipe: Annotated[str, typer.Option(help="Preset or file of a frames policy, training.")] = (
        "dots"
    ),
    updates: Annotated[int, typer.Option(min=1, help="Updates of a run, training.")] = 20,
    policy: Annotated[str, typer.Option(help="Policy name or folder, latency.")] = "default",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda, latency.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads, latency.")] = CORES,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of 505 actions, latency.")] = 3,
    seed: SeedOption = 0,
    json_file: JsonOption = None,
) -> None:
    """Measure drawing speed, generation, latency and training.

    render: frames a second on one core, a scripted annotator acting; generate: episodes a second
    of a mixture, by one process and by several; latency: one action of a policy, drawing
    included, and how it grows from step 10 to step 500 of a session; training: updates a second
    on windows drawn meanwhile by worker processes, and on the same ones drawn before.
    """
    result: dict[str, Any] = {"cpu": platform.machine(), "cores": os.cpu_count()}
    if what in (None, What.RENDER):
        result |= _render(task, seconds, seed)
    if what is What.GENERATE:
        result |= _generate(task, episodes, workers, seed)
    if what in (None, What.LATENCY):
        result |= _latency(policy, device, min(threads, os.cpu_count() or 1), repeats)
    if what is What.TRAINING:
        result |= _training(recipe, updates, workers, device, threads)
    write_json(json_file, result)


def _render(tasks: list[str] | None, seconds: float, seed: int) -> dict[str, Any]:
    from bcannot_core.annotators import make_annotator
    from bcannot_core.evaluation.bench_render import measure_render
    from bcannot_core.tasks.registry import list_tasks, make

    figures: dict[str, dict[str, float | int]] = {}
    names = tasks or list_tasks()
    with progress("drawing", len(names)) as advance:
        for name in names:
            env = make(name)
            figures[name] = measure_render(env, _annotators(make_annotator, env), seconds, seed)
            advance(1)
    rows = [
        (name, *(f"{of[key]:,.0f}" for key in ("frames_per_s", "frames_per_cpu_s", "step_us")))
        for name, of in figures.items()
    ]
    table(("task", "frames/s", "frames/CPU s", "step, µs"), rows)
    rates = [float(of["frames_per_s"]) for of in figures.values()]
    mean = statistics.geometric_mean(rates)
    say(f"slowest {min(rates):,.0f} frames/s, geometric mean {mean:,.0f} frames/s")
    return {"frames_per_s": min(rates), "frames_per_s_geometric_mean": mean, "tasks": figures}


def _annotators(make_annotator: Callable[..., Any], env: object) -> Callable[[int], Any]:
    return lambda seed: make_annotator(env, seed=seed)


def _generate(tasks: list[str] | None, episodes: int, workers: int, seed: int) -> dict[str, Any]:
    from bcannot_core.episodes.bench_generate import measure_generate
    from bcannot_core.episodes.specification import GenerateSpec, Mixture
    from bcannot_core.tasks.registry import list_tasks

    mixture = Mixture(tuple(GenerateSpec(name) for name in tasks or list_tasks()))
    mixture.check()
    counts = (1, workers) if workers > 1 else (1,)
    with progress("generating", episodes * len(counts)) as advance:
        found = measure_generate(mixture, episodes, seed, counts, advance)
    table(
        ("workers", "episodes/s", "clicks/s", "seconds"),
        [
            (
                run["workers"],
                *(figure(run[k]) for k in ("episodes_per_s", "clicks_per_s", "wall_s")),
            )
            for run in found["runs"]
        ],
    )
    same = "the same bytes" if found["same_bytes"] else "NOT the same bytes"
    say(f"{figure(found['speedup'])} times as fast, {same}")
    return found


def _latency(name: str, device: str, threads: int, repeats: int) -> dict[str, Any]:
    import torch

    from bcannot_core.evaluation.bench_latency import measure_latency, run_length
    from bcannot_core.evaluation.sample import sample_path
    from bcannot_core.policy.policy import Policy
    from bcannot_core.session import Session
    from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
    from bcannot_core.volumes import open_volume

    torch.set_num_threads(threads)
    policy = Policy.load(name, device=device)
    volume = open_volume(sample_path())
    depth, height, width = volume.shape
    task = NeuronTracing(
        TracingWorld(volume, (0, height // 2, width // 2)), TracingConfig(sections=depth)
    )
    with progress("acting", repeats * run_length()) as advance:
        figures = measure_latency(policy, lambda: Session(task), repeats, advance)
    for key, value in figures.items():
        say(f"{key:22} {figure(value)}")
    return {**figures, "policy": policy.name, "device": str(policy.device), "threads": threads}


def _training(name: str, updates: int, workers: int, device: str, threads: int) -> dict[str, Any]:
    import torch

    from bcannot_core.errors import UsageError
    from bcannot_core.policy.policy import choose_device
    from bcannot_core.training.frames.bench import bench_training
    from bcannot_core.training.frames.recipe import FramesRecipe, load_any_recipe

    recipe = load_any_recipe(name)
    if not isinstance(recipe, FramesRecipe):
        raise UsageError(f"{name} trains no frames policy: choose another recipe, such as dots")
    torch.set_num_threads(min(threads, os.cpu_count() or 1))
    where = choose_device(device)
    figures = bench_training(recipe, updates=updates, device=where, workers=workers)
    for key, value in figures.items():
        say(f"{key:22} {figure(value)}")
    return {**figures, "recipe": name, "device": str(where), "threads": threads}
