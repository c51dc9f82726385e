"""``bcannot finetune``: go on training a policy on sessions of your own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcannot_core.cli.asked import chosen_tasks
from bcannot_core.cli.common import SeedOption, say
from bcannot_core.cli.train import carry_out, outcome
from bcannot_core.errors import UsageError

if TYPE_CHECKING:
    from bcannot_core.training.frames.recipe import FramesRecipe
    from bcannot_core.training.recipe import TrainRecipe

NAME = "finetune"
EXAMPLE = "bcannot finetune default --data my_sessions --out runs/tuned"


def command(
    policy: Annotated[str, typer.Argument(help="The policy to begin with, a name or a folder.")],
    out: Annotated[Path, typer.Option(help="The run's folder.")],
    data: Annotated[
        list[Path] | None, typer.Option(help="A dataset; may be given several times.")
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="Frames policies: TASK or TASK=WEIGHT, done live where no data is given."
        ),
    ] = None,
    updates: Annotated[int, typer.Option(min=0, help="Updates on the sessions' clicks.")] = 500,
    glance_updates: Annotated[
        int, typer.Option(min=0, help="Updates of the glance; needs sessions with labels.")
    ] = 0,
    rounds: Annotated[
        int, typer.Option(min=0, help="Frames policies: rounds of play after that (DAgger).")
    ] = 0,
    rate: Annotated[float, typer.Option(min=0.0, help="Learning rate.")] = 2e-4,
    seed: SeedOption = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run there.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare data.")] = 1,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget", "--minutes", min=0, help="Stop after so many minutes; can be resumed."
        ),
    ] = None,
) -> None:
    """Go on training a policy on your sessions.

    The recipe is that of the policy, with fewer updates and a smaller rate.
    """
    from bcannot_core.policy.checkpoint import resolve_policy
    from bcannot_core.training.run import RunOptions

    folder = resolve_policy(policy)
    changes = _Changes(seed, rate, updates, glance_updates, rounds, tuple(task or ()))
    recipe = _recipe(folder, changes)
    options = RunOptions(out, resume, device, workers, budget)
    say(outcome(carry_out(recipe, data or [], options, folder), out))


@dataclass(frozen=True)
class _Changes:
    """What is asked for in place of the policy's own recipe."""

    seed: int
    rate: float
    updates: int
    glance_updates: int
    rounds: int
    tasks: Sequence[str]


def _recipe(folder: Path, changes: _Changes) -> "TrainRecipe | FramesRecipe":
    """Return the recipe that the policy was made with, changed to fewer and smaller steps."""
    from bcannot_core.policy.averaging import main_recipe
    from bcannot_core.policy.checkpoint import read_config

    config = read_config(folder)
    made_by = main_recipe(config.get("training"))
    if config.get("family", "glance") == "frames":
        return _frames_recipe(config["policy"], made_by, changes)
    if changes.tasks or changes.rounds:
        raise UsageError(f"{folder} traces neurites: --task and --rounds are for frames policies")
    return _tracing_recipe(config["policy"], made_by, changes)


def _tracing_recipe(
    policy: Mapping[str, Any], made_by: Mapping[str, Any], changes: _Changes
) -> "TrainRecipe":
    from bcannot_core.policy.config import PolicyConfig
    from bcannot_core.training.recipe import TrainRecipe

    base = TrainRecipe.from_json(made_by)
    glance, steps, rate = base.glance, base.steps, changes.rate
    return replace(
        base,
        seed=changes.seed,
        policy=PolicyConfig.from_json(policy),
        glance=replace(
            glance,
            updates=changes.glance_updates,
            optimizer=replace(glance.optimizer, rate=rate),
        ),
        steps=replace(
            steps, updates=changes.updates, optimizer=replace(steps.optimizer, rate=rate)
        ),
    )


def _frames_recipe(
    policy: Mapping[str, Any], made_by: Mapping[str, Any], changes: _Changes
) -> "FramesRecipe":
    """Return the own recipe of a policy, for the tasks named or all that the datasets hold."""
    from bcannot_core.training.frames.recipe import FramesRecipe

    if changes.glance_updates:
        raise UsageError("a frames policy has no glance: leave --glance-updates out")
    base = FramesRecipe.from_json(made_by)
    asked = chosen_tasks(changes.tasks)
    tasks = {name: 1.0 if weight is None else weight for name, weight in asked.items()}
    return replace(
        base,
        seed=changes.seed,
        policy=policy,
        data=replace(base.data, tasks=tasks),
        optimizer=replace(base.optimizer, rate=changes.rate),
        dagger=replace(base.dagger, rounds=changes.rounds),
        updates=changes.updates,
    )
