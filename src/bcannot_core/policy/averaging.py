"""Averages of policies: weights between those of policies that began as one.

Policies that were trained on from the same weights, each on other data, can be averaged: the
average knows something of all of it, and needs no more time than one of them. Policies that
were trained apart cannot.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.checkpoint import Net, load_checkpoint, read_config, save_checkpoint

if TYPE_CHECKING:
    from torch import Tensor


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


def _mean(shares: Sequence[tuple[Path, float]]) -> Net:
    """Return a network with the mean of all weights; counters are those of the first."""
    first = shares[0][0]
    built = _build_of(first)
    net = load_checkpoint(first)
    mean: dict[str, Tensor] = {}
    for folder, share in shares:
        if _build_of(folder) != built:
            raise CheckpointError(
                f"{folder} and {first} are not built alike: "
                "average policies that were trained on from the same one"
            )
        for name, tensor in load_checkpoint(folder).state_dict().items():
            if not tensor.is_floating_point():
                mean.setdefault(name, tensor)
                continue
            weighted = share * tensor.double()
            mean[name] = mean[name] + weighted if name in mean else weighted
    kinds = {name: tensor.dtype for name, tensor in net.state_dict().items()}
    net.load_state_dict({name: tensor.to(kinds[name]) for name, tensor in mean.items()})
    return net


def _build_of(folder: Path) -> tuple[Any, Any]:
    """Return what decides how a policy's network is built."""
    config = read_config(folder)
    return config.get("family", "glance"), config["policy"]


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
