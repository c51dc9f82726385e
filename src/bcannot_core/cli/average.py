"""``bcannot average``: one policy from several that began as one."""

import math
from pathlib import Path
from typing import Annotated

import typer

from bcannot_core.cli.common import say

NAME = "average"
EXAMPLE = "bcannot average default runs/mine/policy --out policies/both"


def command(
    policies: Annotated[
        list[str],
        typer.Argument(
            metavar="POLICY[=WEIGHT]...", help="Names or folders, and how much each counts."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
) -> None:
    """Average the weights of policies that were trained on from the same one.

    A policy that learnt new tissue gains back what it forgot of the old: the average with the one
    that it began with does well on both. Each counts 1 unless a weight is given.
    """
    from bcannot_core.policy.averaging import average_policies
    from bcannot_core.policy.checkpoint import resolve_policy

    parts = [_weighted(text) for text in policies]
    average_policies([(resolve_policy(name), weight) for name, weight in parts], out)
    say(f"policy  {out}")


def _weighted(text: str) -> tuple[str, float]:
    """Parse ``POLICY=WEIGHT``; what follows the sign belongs to the name where it is no number."""
    name, sign, weight = text.rpartition("=")
    try:
        value = float(weight) if sign else math.nan
    except ValueError:
        value = math.nan
    return (text, 1.0) if math.isnan(value) else (name, value)
