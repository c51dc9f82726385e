"""``bcannot learn``: let a policy learn from sessions that a person corrected."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcannot_core.cli.common import JsonOption, SeedOption, progress, say, table, write_json
from bcannot_core.errors import UsageError

if TYPE_CHECKING:
    from bcannot_core.training.learning_options import Learned

NAME = "learn"
EXAMPLE = "bcannot learn my_sessions --name my_tissue"
_STEPS = 1000


def command(
    sessions: Annotated[
        list[Path],
        typer.Argument(help="Recorded sessions, folders of them, journals or datasets."),
    ],
    name: Annotated[str, typer.Option(help="Of the new policy, in the list of policies.")],
    policy: Annotated[
        str, typer.Option(help="The policy to begin with, a name or a folder.")
    ] = "default",
    updates: Annotated[int, typer.Option(min=1, help="Updates at most.")] = 1400,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Time for the updates at most.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.0, help="Learning rate.")] = 5e-4,
    share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Of what was learned, kept; less forgets less."),
    ] = 0.5,
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share of the sessions to score on.")
    ] = 0.2,
    rehearse: Annotated[
        list[str] | None,
        typer.Option(help="A labelled volume not to forget; generated tissue by default."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the policy, instead of the user's own.")
    ] = None,
    seed: SeedOption = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_file: JsonOption = None,
) -> None:
    """Let a policy learn from sessions that you corrected; no labels are needed.

    The new policy is listed by its name; the old one stays. What was interrupted goes on when the
    command is repeated.
    """
    from bcannot_core.training.learning import learn
    from bcannot_core.training.learning_options import REHEARSAL, LearnOptions, check_name
    from bcannot_core.training.lesson_stage import LearnRecipe
    from bcannot_core.training.session_files import read_sessions

    base = LearnRecipe()
    recipe = replace(
        base,
        seed=seed,
        updates=updates,
        held_out=held_out,
        share=share,
        optimizer=replace(base.optimizer, rate=rate),
    )
    known = tuple(rehearse) if rehearse else REHEARSAL
    options = LearnOptions(name, policy, recipe, device, minutes, known, out)
    check_name(options)
    episodes, problems = read_sessions(sessions)
    if not episodes:
        raise UsageError(f"{sessions[0]} holds no session of neuron tracing: record some first")
    with _shown() as told:
        learned = learn(episodes, options, progress=told)
    assert learned is not None  # nobody stopped it
    for problem in (*problems, *learned.problems):
        say(f"left out  {problem}")
    _show(learned)
    write_json(json_file, {**learned.to_json(), "name": name, "policy": policy})


@contextmanager
def _shown() -> "Iterator[Any]":
    """Show how far learning has come; yield what is to be told."""
    with progress("learning", _STEPS) as advance:
        shown = 0

        def told(entry: Mapping[str, Any]) -> None:
            nonlocal shown
            if entry["stage"] == "learning":
                now = int(entry["done"] * _STEPS)
                advance(now - shown)
                shown = now

        yield told


def _show(learned: "Learned") -> None:
    say(
        f"learned   {learned.updates} updates in {learned.seconds / 60:.1f} min from "
        f"{learned.sessions} sessions, {learned.corrections} corrections"
    )
    if learned.before is not None and learned.after is not None:
        rows = [
            (when, f"{of.right:.1%}", f"{of.corrections_per_100:.1f}")
            for when, of in (("before", learned.before), ("after", learned.after))
        ]
        table((f"{learned.held_out} sessions held out", "right", "corrections per 100"), rows)
    say(f"policy    {learned.folder}")
