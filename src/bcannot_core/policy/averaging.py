"""Averages of policies: weights between those of policies that began as one.

Policies that were trained on from the same weights, each on other data, can be averaged: the
average knows something of all of it, and needs no more time than one of them. Policies that
were trained apart cannot.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.checkpoint import (
    Net,
    family_of,
    load_checkpoint,
    read_config,
    save_checkpoint,
)


def average_policies(parts: Sequence[tuple[Path, float]], out: Path) -> None:
    """Write the weighted mean of some policies as a policy.

    Parameters
    ----------
    parts : sequence of (Path, float)
        Checkpoint folders and how much each counts.
    out : Path
        The folder to write.

    Raises
    ------
    UsageError
        There are fewer than two, or one counts nothing or less.
    CheckpointError
        A policy cannot be read, or they are not built alike.
    """
    if len(parts) < 2:
        raise UsageError("an average needs two policies: name more")
    if any(not 0 < weight < float("inf") for _, weight in parts):
        raise UsageError("every policy of an average counts something: give weights above 0")
    total = sum(weight for _, weight in parts)
    shares = [(folder, weight / total) for folder, weight in parts]
    save_checkpoint(
        _mean(shares), out, card=_card(out.name, shares), training={"average": _origins(shares)}
    )


def mean_state(parts: Sequence[tuple[Mapping[str, Tensor], float]]) -> dict[str, Tensor]:
    """Return the weighted mean of networks' states; counters are those of the first.

    Parameters
    ----------
    parts : sequence of (mapping, float)
        States with the same names and shapes, and their shares, which add up to 1.
    """
    first = parts[0][0]
    mean: dict[str, Tensor] = {}
    for name, tensor in first.items():
        if tensor.is_floating_point():
            mean[name] = torch.stack([share * state[name] for state, share in parts]).sum(0)
        else:
            mean[name] = tensor
    return mean


def _mean(shares: Sequence[tuple[Path, float]]) -> Net:
    """Return a network with the mean of all policies' weights."""
    nets = [load_checkpoint(folder) for folder, _ in shares]
    first = nets[0]
    for (folder, _), net in zip(shares, nets, strict=True):
        if (family_of(net), net.config) != (family_of(first), first.config):
            raise CheckpointError(
                f"{folder} and {shares[0][0]} are not built alike: "
                "average policies that were trained on from the same one"
            )
    states = [(net.state_dict(), share) for net, (_, share) in zip(nets, shares, strict=True)]
    first.load_state_dict(mean_state(states))
    return first


def main_recipe(training: Any) -> Mapping[str, Any]:
    """Return the recipe that a policy was made with; of an average, that of its largest share.

    Parameters
    ----------
    training : Any
        What a checkpoint says of its training; an empty mapping is returned where it is no recipe.
    """
    while isinstance(training, Mapping) and "average" in training:
        parts = training["average"]
        known = [part for part in parts if _counts(part)] if isinstance(parts, list) else []
        training = max(known, key=itemgetter("share"))["training"] if known else None
    recipe = training.get("recipe") if isinstance(training, Mapping) else None
    return recipe if isinstance(recipe, Mapping) else {}


def _counts(part: Any) -> bool:
    named = isinstance(part, Mapping) and {"share", "training"} <= part.keys()
    return named and isinstance(part["share"], float)


def _origins(shares: Sequence[tuple[Path, float]]) -> list[dict[str, Any]]:
    return [
        {"share": share, "training": read_config(folder).get("training", {})}
        for folder, share in shares
    ]


def _card(name: str, shares: Sequence[tuple[Path, float]]) -> str:
    rows = [f"| {_called(folder)} | {share:.2f} |" for folder, share in shares]
    lines = [
        f"# {name}",
        "",
        "The average of policies that were trained on from the same weights, made with "
        "`bcannot average`.",
        "",
        "| policy | share |",
        "|---|---|",
        *rows,
        "",
    ]
    return "\n".join(lines)


def _called(folder: Path) -> str:
    """Return what a card calls a policy: a run's name where the folder is only named policy."""
    return folder.parent.name if folder.name == "policy" else folder.name
