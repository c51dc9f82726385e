"""``bcannot finetune``: go on training a policy on sessions of your own."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bcannot_core.cli.common import SeedOption, say
from bcannot_core.cli.losses import LossLine
from bcannot_core.cli.train import outcome

if TYPE_CHECKING:
    from bcannot_core.training.recipe import TrainRecipe

NAME = "finetune"
EXAMPLE = "bcannot finetune default --data my_sessions --out runs/tuned"


def command(
    policy: Annotated[str, typer.Argument(help="The policy to begin with, a name or a folder.")],
    data: Annotated[list[Path], typer.Option(help="A dataset; may be given several times.")],
    out: Annotated[Path, typer.Option(help="The run's folder.")],
    updates: Annotated[int, typer.Option(min=0, help="Updates on the sessions' clicks.")] = 500,
    glance_updates: Annotated[
        int, typer.Option(min=0, help="Updates of the glance; needs sessions with labels.")
    ] = 0,
    rate: Annotated[float, typer.Option(min=0.0, help="Learning rate.")] = 2e-4,
    seed: SeedOption = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run there.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare data.")] = 1,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so long; the run can be resumed.")
    ] = None,
) -> None:
    """Go on training a policy on your sessions.

    The recipe is that of the policy, with fewer updates and a smaller rate.
    """
    from bcannot_core.policy.checkpoint import resolve_policy
    from bcannot_core.training.run import RunOptions, train

    folder = resolve_policy(policy)
    recipe = _recipe(folder, seed, rate, (glance_updates, updates))
    options = RunOptions(out, resume, device, workers, minutes)
    with LossLine(glance_updates + updates) as losses:
        tuned = train(recipe, data, options, start_from=folder, progress=losses)
    say(outcome(tuned, out))


def _recipe(folder: Path, seed: int, rate: float, updates: tuple[int, int]) -> "TrainRecipe":
    """Return the recipe that the policy was made with, changed to fewer and smaller steps."""
    from bcannot_core.policy.checkpoint import read_config
    from bcannot_core.policy.config import PolicyConfig
    from bcannot_core.training.recipe import TrainRecipe

    config = read_config(folder)
    training = config.get("training")
    made_by = training.get("recipe", {}) if isinstance(training, dict) else {}
    base = TrainRecipe.from_json(made_by)
    glance, steps = base.glance, base.steps
    return replace(
        base,
        seed=seed,
        policy=PolicyConfig.from_json(config["policy"]),
        glance=replace(glance, updates=updates[0], optimizer=replace(glance.optimizer, rate=rate)),
        steps=replace(steps, updates=updates[1], optimizer=replace(steps.optimizer, rate=rate)),
    )
