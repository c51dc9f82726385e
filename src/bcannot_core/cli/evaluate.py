"""``bcannot eval``: score a policy."""

from collections.abc import Callable
from typing import Annotated

import typer

from bcannot_core.cli.common import JsonOption, SeedOption, figure, progress, table, write_json
from bcannot_core.cli.data import (
    KeyOption,
    LabelsKeyOption,
    LabelsOption,
    VoxelOption,
    ZStepOption,
    open_pair,
)
from bcannot_core.errors import UsageError

NAME = "eval"
EXAMPLE = (
    "bcannot eval default --task neuron_tracing --volume em.npz --voxel-nm 10,10,10 "
    "--json result.json"
)
SHOWN = (
    "skeleton_accuracy",
    "coverage",
    "product",
    "first_node_accuracy",
    "done_rate",
    "placement_at_5px",
    "mistakes",
    "steps_mean",
)


def command(
    policy: Annotated[str, typer.Argument(help="The policy, a name or a folder.")],
    task: Annotated[str, typer.Option(help="What it is to do.")] = "neuron_tracing",
    episodes: Annotated[int, typer.Option(min=1, help="How many episodes.")] = 60,
    seed: SeedOption = 0,
    volume: Annotated[
        str | None, typer.Option(help="A labelled volume; the bundled sample by default.")
    ] = None,
    labels: LabelsOption = None,
    voxel_nm: VoxelOption = None,
    key: KeyOption = None,
    labels_key: LabelsKeyOption = None,
    z_step: ZStepOption = 1,
    sections: Annotated[int, typer.Option(min=2, help="Sections of a trace.")] = 50,
    nm_per_px: Annotated[float, typer.Option(help="Size of a canvas pixel, nm.")] = 10.0,
    forced: Annotated[
        int, typer.Option(min=0, help="Episodes with a forced mistake: is it undone?")
    ] = 20,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_file: JsonOption = None,
) -> None:
    """Score a policy in closed loop.

    The policy traces neurites drawn uniformly from a labelled volume; two baselines trace the
    same: always the canvas centre, always the last node.
    """
    from bcannot_core.evaluation.tracing import EvaluationOptions, evaluate_tracing
    from bcannot_core.policy.policy import Policy
    from bcannot_core.tasks.registry import task_class
    from bcannot_core.tracing import TraceOptions

    if task_class(task).id != "neuron_tracing":
        raise UsageError(f"{task!r} cannot be evaluated in closed loop: use neuron_tracing")
    options = EvaluationOptions(
        episodes=episodes, seed=seed, forced=forced, trace=TraceOptions(sections, nm_per_px)
    )
    grey, truth = open_pair(volume or _sample(), labels, voxel_nm, (key, labels_key), z_step)
    acting = Policy.load(policy, device=device)
    with progress("tracing", episodes) as advance:
        report = evaluate_tracing(acting, grey, truth, options, progress=_steps(advance))
    shown = {policy: report} | {
        name: value for name, value in report.items() if name.startswith("baseline:")
    }
    rows = [(name, *(figure(of.get(key, "")) for key in SHOWN)) for name, of in shown.items()]
    table(("", *SHOWN), rows)
    about = {"policy": policy, "task": task, "mode": "closed-loop", "seed": seed}
    where = {"volume": grey.address, "labels": truth.address, "voxel_nm": grey.voxel_nm}
    write_json(json_file, {**report, **about, **where, "sections": sections})


def _sample() -> str:
    from bcannot_core.evaluation.sample import sample_path

    return str(sample_path())


def _steps(advance: Callable[[int], object]) -> Callable[[int, int], None]:
    def step(_done: int, _all: int) -> None:
        advance(1)

    return step
