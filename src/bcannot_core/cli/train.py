"""``bcannot train``: train a policy on sessions."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcannot_core.cli.common import say
from bcannot_core.cli.losses import LossLine
from bcannot_core.errors import UsageError

if TYPE_CHECKING:
    from bcannot_core.training.frames.recipe import FramesRecipe
    from bcannot_core.training.recipe import TrainRecipe
    from bcannot_core.training.run import RunOptions

NAME = "train"
EXAMPLE = "bcannot train dots --out runs/mine"


def command(
    recipe: Annotated[str, typer.Argument(help="A preset's name, or a JSON file.")],
    out: Annotated[Path, typer.Option(help="The run's folder: recipe, log, state and policy.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="A dataset; may be given several times. Without any, a frames policy learns from "
            "its recipe's tasks as the scripted annotator does them."
        ),
    ] = None,
    start_from: Annotated[
        str | None, typer.Option(help="Begin with this policy's weights, a name or a folder.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run there.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare data.")] = 1,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget", "--minutes", min=0, help="Stop after so many minutes; can be resumed."
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another value for the recipe: optimizer.rate=0.001"),
    ] = None,
    parallel: Annotated[
        str, typer.Option(help="Under torchrun: ddp, or fsdp for networks that are too large.")
    ] = "ddp",
) -> None:
    """Train a policy on recorded sessions, or on tasks done live.

    A run that was stopped goes on with --resume as if nothing had happened.
    """
    from bcannot_core.policy.checkpoint import resolve_policy
    from bcannot_core.training.frames.recipe import load_any_recipe
    from bcannot_core.training.run import RunOptions

    chosen = load_any_recipe(recipe, changes_of(change or []))
    options = RunOptions(out, resume, device, workers, budget, parallel)
    first = None if start_from is None else resolve_policy(start_from)
    say(outcome(carry_out(chosen, data or [], options, first), out))


def changes_of(words: Sequence[str]) -> dict[str, Any]:
    """Return values by their paths from ``path.to.name=value``; what is no JSON is a text.

    Raises
    ------
    UsageError
        A word has another form.
    """
    changes: dict[str, Any] = {}
    for word in words:
        path, given, text = word.partition("=")
        if not (given and all(path.split("."))):
            raise UsageError(f"--set {word!r}: give NAME=VALUE, for example optimizer.rate=0.001")
        try:
            changes[path] = json.loads(text)
        except ValueError:
            changes[path] = text
    return changes


def carry_out(
    recipe: "TrainRecipe | FramesRecipe",
    data: Sequence[Path],
    options: "RunOptions",
    start_from: Path | None,
) -> Path | None:
    """Carry out a recipe of either family, with its losses shown; return the policy's folder.

    Raises
    ------
    UsageError
        A recipe of the tracing policy has no dataset.
    """
    from bcannot_core.training.frames.recipe import FramesRecipe

    if options.resume:
        _tell_kept(recipe, options.out)
    if isinstance(recipe, FramesRecipe):
        from bcannot_core.training.frames.run import train_frames

        dagger = recipe.dagger
        with LossLine(recipe.updates + dagger.rounds * dagger.updates) as losses:
            return train_frames(recipe, data, options, start_from=start_from, progress=losses)
    from bcannot_core.training.run import train

    if not data:
        raise UsageError("a policy that traces neurites learns from datasets: name one with --data")
    with LossLine(recipe.glance.updates + recipe.steps.updates) as losses:
        return train(recipe, data, options, start_from=start_from, progress=losses)


def _tell_kept(recipe: "TrainRecipe | FramesRecipe", out: Path) -> None:
    """Say so where a run began with another recipe than is asked for now, which it keeps."""
    from bcannot_core.training.recipe import read_recipe

    path = out / "recipe.json"
    if path.is_file() and type(recipe).from_json(read_recipe(path)) != recipe:
        typer.echo(f"{out} goes on with the recipe that it began with ({path})", err=True)


def outcome(policy: Path | None, out: Path) -> str:
    """Return the last line of a training command."""
    if policy is None:
        return f"{out}: the time is over; continue with --resume"
    return f"policy  {policy}"
