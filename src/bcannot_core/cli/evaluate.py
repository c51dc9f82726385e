"""``bcannot eval``: score a policy."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcannot_core.cli.common import JsonOption, SeedOption, figure, progress, say, table, write_json
from bcannot_core.cli.data import (
    KeyOption,
    LabelsKeyOption,
    LabelsOption,
    VoxelOption,
    ZStepOption,
    open_pair,
)
from bcannot_core.cli.evaluate_task import (
    Asked,
    closed_loop,
    recorded,
    show_teacher_forced,
    teacher_forced,
)
from bcannot_core.errors import BcannotError, UsageError

if TYPE_CHECKING:
    from bcannot_core.episodes.episode import Episode
    from bcannot_core.volumes import Volume

NAME = "eval"
EXAMPLE = (
    "bcannot eval default --task neuron_tracing --volume em.npz --voxel-nm 10,10,10 "
    "--json result.json"
)
SHOWN = {
    "skeleton_accuracy": "accuracy",
    "coverage": "coverage",
    "product": "product",
    "first_node_accuracy": "1st node",
    "done_rate": "done",
    "placement_at_5px": "@5 px",
    "mistakes": "mistakes",
    "steps_mean": "steps",
}


class Mode(StrEnum):
    """Who acts while the policy is scored."""

    CLOSED_LOOP = "closed-loop"
    TEACHER_FORCED = "teacher-forced"


@dataclass(frozen=True)
class _Asked:
    """What the arguments ask for."""

    episodes: int
    seed: int
    sections: int
    nm_per_px: float
    forced: int


def command(
    policy: Annotated[
        str,
        typer.Argument(
            help="The policy, a name or a folder; or baseline:random, baseline:annotator, "
            "baseline:flawless, vlm:MODEL@URL."
        ),
    ],
    task: Annotated[str, typer.Option(help="What it is to do.")] = "neuron_tracing",
    mode: Annotated[
        Mode, typer.Option(help="The policy acts, or proposes on recorded history.")
    ] = Mode.CLOSED_LOOP,
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
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Recorded sessions, teacher-forced; scripted ones by default."),
    ] = None,
    variant: Annotated[
        str, typer.Option(help="Interface variant, for tasks other than tracing.")
    ] = "original",
    lockstep: Annotated[
        int | None,
        typer.Option(min=1, help="Sessions at once, where the policy takes a batch."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Clicks after which an episode is cut off.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DATASET", help="Keep the policy's sessions, closed loop."),
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 takes the most probable click; above, it is drawn.")
    ] = 0.0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_file: JsonOption = None,
) -> None:
    """Score a policy.

    closed-loop: the policy works in worlds that no dataset has, and so does the scripted
    annotator; in tracing it follows neurites drawn uniformly from a labelled volume, beside two
    baselines. teacher-forced: its proposals are compared with the clicks of recorded or scripted
    sessions.
    """
    from bcannot_core.evaluation.tasks import TaskEvaluation
    from bcannot_core.tasks.registry import task_class

    chosen = task_class(task).id
    if data and mode is Mode.CLOSED_LOOP:
        raise UsageError("--data goes with --mode teacher-forced: closed loop makes its own")
    if record and mode is not Mode.CLOSED_LOOP:
        raise UsageError(
            "--record goes with --mode closed-loop: else sessions are recorded already"
        )
    traced_in = {"--volume": volume, "--labels": labels, "--voxel-nm": voxel_nm}
    traced_in |= {"--key": key, "--labels-key": labels_key}
    about: dict[str, Any] = {"policy": policy, "task": task, "mode": mode.value, "seed": seed}
    if chosen != "neuron_tracing":
        _refuse(chosen, traced_in)
        words = Asked(policy, lockstep, device, temperature, record)
        evaluation = TaskEvaluation(chosen, episodes, seed, variant, {}, limit, forced=forced)
        rollouts = None
        if mode is Mode.CLOSED_LOOP:
            report, rollouts = closed_loop(words, evaluation)
        else:
            report = teacher_forced(words, evaluation, data)
        write_json(json_file, {**report, **about, "variant": variant})
        if rollouts is not None and record is not None:
            rollouts.write(record)
        _see_finished(report)
        return
    other = None if variant == "original" else variant
    _refuse(chosen, {"--record": record, "--limit": limit, "--variant": other})
    if data:
        _refuse("--data", traced_in)
    asked = _Asked(episodes, seed, sections, nm_per_px, forced)
    pair = None
    if not data:
        pair = open_pair(volume or _sample(), labels, voxel_nm, (key, labels_key), z_step)
    acting = _acting(policy, device, temperature)
    if pair is not None and mode is Mode.CLOSED_LOOP:
        report = _closed_loop(acting, policy, pair, asked)
    else:
        sessions = recorded(data, chosen, episodes) if data else _scripted(pair, asked)
        report = _teacher_forced(acting, sessions, episodes)
    if pair is not None:
        about |= {"volume": pair[0].address, "labels": pair[1].address}
        about |= {"voxel_nm": pair[0].voxel_nm, "sections": sections}
    write_json(json_file, {**report, **about})
    _see_finished(report)


def _see_finished(report: Mapping[str, Any]) -> None:
    """Say so where an endpoint or a server failed before the end."""
    if "interrupted" in report:
        raise BcannotError(f"not finished: {report['interrupted']}")


def _refuse(what: str, given: Mapping[str, object]) -> None:
    """See that no option is given that a task does not have, or that another one replaces."""
    for option, value in given.items():
        if value is not None:
            raise UsageError(f"{option} does not go with {what}: leave it out")


def _acting(name: str, device: str, temperature: float) -> Any:
    """Return who traces: a policy, or a vision-language model."""
    if name.startswith("vlm:"):
        from bcannot_core.evaluation.vlm.client import ChatClient
        from bcannot_core.evaluation.vlm.policy import VlmPolicy, endpoint_of

        return VlmPolicy(ChatClient(endpoint_of(name)), "neuron_tracing")
    if name.startswith("baseline:"):
        raise UsageError(f"{name} does not trace: baselines of tracing stand in every result")
    from bcannot_core.policy.policy import Policy

    return Policy.load(name, device=device, temperature=temperature)


def _closed_loop(
    acting: Any, name: str, pair: "tuple[Volume, Volume]", asked: _Asked
) -> dict[str, Any]:
    from bcannot_core.evaluation.tracing import EvaluationOptions, evaluate_tracing
    from bcannot_core.tracing import TraceOptions

    options = EvaluationOptions(
        episodes=asked.episodes,
        seed=asked.seed,
        forced=asked.forced,
        trace=TraceOptions(asked.sections, asked.nm_per_px),
    )
    with progress("tracing", asked.episodes) as advance:
        report = evaluate_tracing(acting, *pair, options, progress=_steps(advance))
    shown = {name: report}
    shown |= {key: value for key, value in report.items() if key.startswith("baseline:")}
    rows = [(row, *(figure(of.get(key, "")) for key in SHOWN)) for row, of in shown.items()]
    table(("", *SHOWN.values()), rows)
    low, high = report["product_interval_95"]
    say(f"product   {figure(report['product'])}, 95 % interval {figure(low)} to {figure(high)}")
    say(f"drawn     {report['neurites']} neurites, {report['sections_mean']} sections on average")
    if "forced_mistakes" in report:
        undone = report["forced_mistakes"]
        say(f"undone    {undone['undo_rate']:.0%} of {undone['episodes']} forced mistakes")
    say(f"speed     {figure(report['ms_per_action'])} ms per action")
    return report


def _teacher_forced(acting: Any, sessions: "Iterator[Episode]", count: int) -> dict[str, Any]:
    from bcannot_core.evaluation.teacher_forced import evaluate_teacher_forced

    with progress("replaying", count) as advance:
        report = evaluate_teacher_forced(acting, sessions, advance)
    show_teacher_forced(report)
    return report


def _scripted(pair: "tuple[Volume, Volume] | None", asked: _Asked) -> "Iterator[Episode]":
    """Yield sessions of the scripted annotator, in the volume as it is."""
    from bcannot_core.episodes.generate import (
        GenerateSpec,
        Orientation,
        Source,
        episode_seed,
        generate_episode,
    )

    sources = () if pair is None else (Source(pair[0].address, pair[1].address),)
    spec = GenerateSpec(
        config={"sections": asked.sections, "nm_per_px": asked.nm_per_px},
        sources=sources,
        orientation=Orientation(axes=((0, 1, 2),), flips=False),
    )
    for number in range(asked.episodes):
        yield generate_episode(spec, episode_seed(asked.seed, number))


def _sample() -> str:
    from bcannot_core.evaluation.sample import sample_path

    return str(sample_path())


def _steps(advance: Callable[[int], object]) -> Callable[[int, int], None]:
    def step(_done: int, _all: int) -> None:
        advance(1)

    return step
