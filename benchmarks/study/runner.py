"""Carries out a study: stage after stage, skipping what is there, within a budget."""

import importlib
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.study.config import Experiment
from benchmarks.study.fitting import write_recipe
from benchmarks.study.plan import Request, Stage, plan
from benchmarks.study.record import Record, read_json, write_whole
from benchmarks.study.results import write_results

from bcannot_core.errors import BcannotError, UsageError

Execute = Callable[[Sequence[str]], int]
Say = Callable[[str], None]

STUDY = "study.json"
LEAST_MINUTES = 0.05


class StageError(BcannotError):
    """A stage did not end well."""


def execute(argv: Sequence[str], launcher: Sequence[str] = ()) -> int:
    """Carry out a command line in this process; under a launcher, as torchrun, in others.

    Parameters
    ----------
    argv : sequence of str
        ``bcannot …`` or ``python -m MODULE …``.
    launcher : sequence of str
        What the module and its arguments are given to.

    Returns
    -------
    int
        The exit code.
    """
    program, *words = argv
    module, arguments = (
        ("bcannot_core.cli", words) if program == "bcannot" else (words[1], words[2:])
    )
    if launcher:
        return subprocess.run([*launcher, "-m", module, *arguments], check=False).returncode
    if program == "bcannot":
        from bcannot_core.cli.app import run

        return run(arguments)
    return int(importlib.import_module(module).main(arguments))


def carry_out(
    experiment: Experiment,
    request: Request,
    *,
    run: Execute = execute,
    train: Execute | None = None,
    say: Say = print,
) -> Path:
    """Carry out an experiment; return its table.

    Stages that are whole are skipped; one that was interrupted goes on. What a stage leaves of
    its part of the budget goes to those after it.

    Parameters
    ----------
    experiment : Experiment
        What to do.
    request : Request
        Where, how long, which sizes.
    run, train : callable
        Carry out a command line, and that of a training run; ``run`` for both by default.
    say : callable
        Is told what is done.

    Raises
    ------
    UsageError
        The folder holds another study.
    StageError
        A stage failed, or did not give what it should.
    """
    stages = plan(experiment, request)
    _claim(experiment, request)
    records = [Record(stage) for stage in stages]
    for number, (stage, record) in enumerate(zip(stages, records, strict=True)):
        if record.whole:
            say(f"{stage.name}: there")
            continue
        spent = sum(other.minutes for other in records if other is not record)
        left = [
            s.share for s, r in zip(stages[number:], records[number:], strict=True) if not r.whole
        ]
        minutes = (request.budget - spent) * stage.share / sum(left) - record.minutes
        carry = (train or run) if stage.trains else run
        _carry_out_stage(record, max(minutes, LEAST_MINUTES), carry, say)
        write_results(experiment, stages, request.out)
    return write_results(experiment, stages, request.out)


def _carry_out_stage(record: Record, minutes: float, run: Execute, say: Say) -> None:
    stage, spent = record.stage, record.minutes
    with record.under_way():
        write_recipe(stage, minutes, run)
        argv = _timed(stage, max(minutes - (record.so_far - spent), LEAST_MINUTES))
        say(f"{stage.name}: {' '.join(argv)}")
        code = run(argv)
    if code:
        raise StageError(f"stage {stage.name!r} failed with exit code {code}: {' '.join(argv)}")
    if not record.complete():
        missing = ", ".join(str(path) for path in stage.gives)
        raise StageError(f"stage {stage.name!r} ended without giving all of {missing}")


def _timed(stage: Stage, minutes: float) -> tuple[str, ...]:
    """Return the command line, with time and resumption where it is a training run's."""
    if not stage.trains:
        return stage.argv
    begun = (stage.run / "recipe.json").exists()
    clock = ("--minutes", f"{minutes:.2f}") if stage.timed else ()
    return (*stage.argv, *clock, *(("--resume",) if begun else ()))


def _claim(experiment: Experiment, request: Request) -> None:
    """Take a folder for a study, or see that it holds this one."""
    path = request.out / STUDY
    about = {
        "experiment": experiment.to_json(),
        "budget": request.budget,
        "sizes": list(request.sizes),
        "seed": request.seed,
    }
    there = read_json(path)
    if there is None:
        write_whole(path, about)
    elif there != about:
        kept = json.dumps({name: there.get(name) for name in ("budget", "sizes", "seed")})
        raise UsageError(
            f"{request.out} holds another study (of {kept}, or of another experiment): "
            "give the same arguments to go on with it, or another folder"
        )
