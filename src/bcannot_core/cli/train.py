"""``bcannot train``: train a policy on sessions."""

from pathlib import Path
from typing import Annotated

import typer

from bcannot_core.cli.common import say
from bcannot_core.cli.losses import LossLine

NAME = "train"
EXAMPLE = "bcannot train tracing --data sessions --out runs/mine"


def command(
    recipe: Annotated[str, typer.Argument(help="A preset's name, or a JSON file.")],
    data: Annotated[list[Path], typer.Option(help="A dataset; may be given several times.")],
    out: Annotated[Path, typer.Option(help="The run's folder: recipe, log, state and policy.")],
    start_from: Annotated[
        str | None, typer.Option(help="Begin with this policy's weights, a name or a folder.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run there.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare data.")] = 1,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so long; the run can be resumed.")
    ] = None,
) -> None:
    """Train a policy on recorded sessions.

    A run that was stopped goes on with --resume as if nothing had happened.
    """
    from bcannot_core.policy.checkpoint import resolve_policy
    from bcannot_core.training.recipe import load_recipe
    from bcannot_core.training.run import RunOptions, train

    chosen = load_recipe(recipe)
    options = RunOptions(out, resume, device, workers, minutes)
    with LossLine(chosen.glance.updates + chosen.steps.updates) as losses:
        first = None if start_from is None else resolve_policy(start_from)
        policy = train(chosen, data, options, start_from=first, progress=losses)
    say(outcome(policy, out))


def outcome(policy: Path | None, out: Path) -> str:
    """Return the last line of a training command."""
    if policy is None:
        return f"{out}: the time is over; continue with --resume"
    return f"policy  {policy}"
