"""``python -m benchmarks.study NAME --out DIR``: carry out an experiment, or go on with it."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.study.config import Experiment, experiments, load_experiment
from benchmarks.study.plan import Request, plan
from benchmarks.study.runner import carry_out, execute

from bcannot_core.errors import BcannotError, UsageError


def main(argv: Sequence[str]) -> int:
    """Run one command line; return its exit code."""
    asked = _parser().parse_args(argv)
    request = Request(
        Path(asked.out).resolve(), asked.budget, tuple(asked.size.split(",")), asked.seed
    )
    try:
        experiment = load_experiment(asked.name)
        if asked.dry_run:
            _show(experiment, request)
            return 0
        train = partial(execute, launcher=shlex.split(asked.launcher))
        print(carry_out(experiment, request, train=train).read_text(encoding="utf-8"))
    except BcannotError as error:
        print(f"study: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


def _show(experiment: Experiment, request: Request) -> None:
    stages = plan(experiment, request)
    whole = sum(stage.share for stage in stages)
    for stage in stages:
        minutes = request.budget * stage.share / whole
        print(f"{stage.name:24s} {minutes:7.2f} min  {' '.join(stage.argv)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study",
        description="Carry out an experiment of the study; the same command goes on with it.",
        epilog="Example: python -m benchmarks.study single_task --out runs/dots --budget 60",
    )
    parser.add_argument("name", help=f"a JSON file, or one of {', '.join(experiments())}")
    parser.add_argument("--out", required=True, help="the study's folder")
    parser.add_argument("--budget", type=float, default=60.0, help="minutes for all stages")
    parser.add_argument("--size", default="tiny", help="sizes of policies, with commas between")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--launcher",
        default="",
        help='runs training on several devices: "torchrun --nproc-per-node 8"',
    )
    parser.add_argument("--dry-run", action="store_true", help="show the stages and do nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
