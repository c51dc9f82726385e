"""Directions saved with a policy: ``probes/probes.json`` and ``probes/directions.safetensors``.

They belong to the weights that they were found with: a policy that was trained on has others, and
its directions are refused until it is probed again.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.checkpoint import resolve_policy
from bcannot_core.policy.plain import read_description
from bcannot_core.policy.tensors import written
from bcannot_core.probes.asked import Finding
from bcannot_core.probes.linear import Direction

FORMAT, VERSION = "bcannot-probes", 1
FOLDER = "probes"
_ABOUT, _WEIGHTS = "probes.json", "directions.safetensors"


def fingerprint(folder: Path) -> str:
    """Return what tells the weights of a policy's folder from others."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.glob("model-*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def save_findings(
    policy: Path, findings: Mapping[str, Finding], layers: int, *, folder: Path | None = None
) -> Path:
    """Save directions with the policy that they were found in; return their folder.

    Parameters
    ----------
    policy : Path
        The policy's folder.
    findings : mapping
        What was found, by name.
    layers : int
        Layers of the stream, the one before the first included.
    folder : Path, optional
        Where to, in place of ``probes`` in the policy's folder.

    Raises
    ------
    UsageError
        Nothing was found.
    """
    if not findings:
        raise UsageError("no direction was found that could be saved: probe more episodes")
    folder = policy / FOLDER if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    width = next(iter(findings.values())).direction.weight.size
    about = {
        "format": FORMAT,
        "version": VERSION,
        "policy": fingerprint(policy),
        "layers": layers,
        "width": width,
        "directions": {
            name: {
                "layer": found.direction.layer,
                "bias": found.direction.bias,
                "threshold": found.threshold,
                "auc": found.auc,
            }
            for name, found in findings.items()
        },
    }
    weights = {name: found.direction.weight for name, found in findings.items()}
    aside = [folder / f".{name}.{os.getpid()}" for name in (_WEIGHTS, _ABOUT)]
    try:
        with written(folder / _WEIGHTS):
            save_file(weights, aside[0])
        aside[0].chmod(0o644)
        aside[1].write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        for scratch, name in zip(aside, (_WEIGHTS, _ABOUT), strict=True):
            scratch.replace(folder / name)
    finally:
        for scratch in aside:
            scratch.unlink(missing_ok=True)
    return folder


def load_findings(policy: Path, *, folder: Path | None = None) -> tuple[dict[str, Finding], int]:
    """Return the directions saved with a policy, and the layers of its stream.

    Raises
    ------
    CheckpointError
        There are none, or they are unreadable, of another version or of other weights.
    """
    folder = policy / FOLDER if folder is None else folder
    about = _about(folder)
    if about.get("policy") != fingerprint(policy):
        raise CheckpointError(
            f"{folder} belongs to other weights than those in {policy}: probe the policy anew"
        )
    try:
        weights = load_file(folder / _WEIGHTS)
        layers, width = int(about["layers"]), int(about["width"])
        found = {
            str(name): _finding(weights[name], values, layers, width)
            for name, values in about["directions"].items()
        }
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{folder} is not readable: {error}; probe the policy anew"
        ) from error
    return found, layers


def _about(folder: Path) -> dict[str, Any]:
    path = folder / _ABOUT
    if not path.exists():
        raise CheckpointError(
            f"there are no probes in {folder}: make them with bcannot probe … --save"
        )
    return read_description(path, "probes", FORMAT, VERSION, "probe the policy anew")


def _finding(weight: NDArray[Any], values: Mapping[str, Any], layers: int, width: int) -> Finding:
    layer, bias, threshold = int(values["layer"]), float(values["bias"]), float(values["threshold"])
    area = values["auc"]
    if weight.shape != (width,) or weight.dtype != np.float32 or not 0 <= layer < layers:
        raise ValueError(f"a direction of shape {weight.shape} at layer {layer} does not fit")
    if not (np.isfinite(weight).all() and math.isfinite(bias) and math.isfinite(threshold)):
        raise ValueError("a direction holds values that are no numbers")
    return Finding(Direction(layer, weight, bias), threshold, None if area is None else float(area))


class MistakeProbe:
    """Tells from the stream of a policy how likely the click just made was a mistake.

    Show the policy the click with ``observe`` and then the frame that came of it with ``propose``;
    the stream of that frame, from a :class:`~bcannot_core.probes.taps.ClsTap`, is what is scored.

    Parameters
    ----------
    finding : Finding
        The direction.
    layers : int
        Layers of the policy's stream.
    """

    def __init__(self, finding: Finding, layers: int) -> None:
        self.finding, self.layers = finding, layers

    @classmethod
    def load(cls, policy: str | Path, name: str = "mistake", *, folder: Path | None = None) -> Self:
        """Load the direction saved with a policy.

        Parameters
        ----------
        policy : str or Path
            A policy's name or folder.
        name : str
            ``"mistake"``, or ``"mistaken_placement"`` for a score of placements alone.
        folder : Path, optional
            Where the directions are, in place of ``probes`` in the policy's folder.

        Raises
        ------
        CheckpointError
            There is none, or it is unreadable or of other weights.
        """
        found, layers = load_findings(resolve_policy(policy), folder=folder)
        if name not in found:
            raise CheckpointError(f"there is no direction {name!r}: choose from {', '.join(found)}")
        return cls(found[name], layers)

    def score(self, cls_stream: NDArray[Any]) -> float:
        """Return how likely the click before was a mistake, 0 to 1.

        Parameters
        ----------
        cls_stream : float (layers, width)
            The stream of the frame after the click.

        Raises
        ------
        UsageError
            It has another shape.
        """
        return float(1 / (1 + np.exp(-self._logit(cls_stream))))

    def likely(self, cls_stream: NDArray[Any]) -> bool:
        """Whether to raise the alarm, as at most about one right click in twenty does."""
        return self._logit(cls_stream) > self.finding.threshold

    def _logit(self, stream: NDArray[Any]) -> float:
        direction = self.finding.direction
        expected = (self.layers, direction.weight.size)
        if stream.shape != expected:
            raise UsageError(f"the stream has shape {stream.shape}, the policy's has {expected}")
        return float(np.clip(direction.logits(stream[direction.layer]), -50, 50))
