"""What a run's folder holds: recipe, log, evaluations, recorded sessions, policy."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from bcannot_core.errors import UsageError

_LOG, _RECIPE, _POLICY = "log.jsonl", "recipe.json", "policy"
_MODES = ("closed-loop", "teacher-forced")
_DEEPEST = 3
_LARGEST_JSON = 64 * 2**20


@dataclass(frozen=True)
class Evaluation:
    """A result of ``bcannot eval``.

    Attributes
    ----------
    file : str
        Its name in the run's folder.
    task, mode : str
        What was evaluated.
    result : mapping
        The figures.
    """

    file: str
    task: str
    mode: str
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A training run, or a folder with the evaluations of a policy.

    Attributes
    ----------
    name : str
        The folder's name.
    folder : Path
        Where it is.
    recipe : mapping
        How it was trained, empty where that is unknown.
    stages : mapping
        The log's entries with an update, by stage.
    evaluations : tuple of Evaluation
        Results in the folder.
    rollouts : tuple of Path
        Datasets of recorded sessions.
    parameters : int or None
        Of the policy.
    """

    name: str
    folder: Path
    recipe: Mapping[str, Any]
    stages: Mapping[str, list[dict[str, Any]]]
    evaluations: tuple[Evaluation, ...]
    rollouts: tuple[Path, ...]
    parameters: int | None

    @property
    def policy(self) -> Path | None:
        """Its policy's folder, None where there is none."""
        folder = self.folder / _POLICY
        own = self.folder if (self.folder / "config.json").exists() else None
        return folder if (folder / "config.json").exists() else own

    @property
    def updates(self) -> int:
        """Updates made, over all stages."""
        return sum(1 + max(e["update"] for e in entries) for entries in self.stages.values())

    @property
    def minutes(self) -> float:
        """Minutes between updates; interruptions do not count."""
        return sum(_minutes(entries) for entries in self.stages.values())


def read_run(folder: Path) -> Run:
    """Read a run's folder.

    Raises
    ------
    UsageError
        There is no such folder, or it holds neither a log, nor a policy, nor evaluations.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: name the folder of a run")
    run = Run(
        folder.resolve().name,
        folder,
        _recipe(folder / _RECIPE),
        _stages(folder / _LOG),
        tuple(sorted(_evaluations(folder), key=lambda one: (one.task, one.mode, one.file))),
        tuple(sorted(_within(folder, "rollouts*.parquet"))),
        None,
    )
    if not (run.stages or run.evaluations or run.policy):
        raise UsageError(f"{folder} is no run: it has no {_LOG}, no policy and no evaluations")
    policy = run.policy
    return run if policy is None else Run(**{**vars(run), "parameters": _parameters(policy)})


def _recipe(path: Path) -> Mapping[str, Any]:
    found = _json(path)
    return found if isinstance(found, dict) else {}


def _json(path: Path) -> Any:
    """Return what a JSON file holds, None where it cannot be read."""
    try:
        if path.stat().st_size > _LARGEST_JSON:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _stages(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return a log's entries by stage; lines that cannot be read are left out."""
    stages: dict[str, list[dict[str, Any]]] = {}
    if not path.exists():
        return stages
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("update"), int):
            stages.setdefault(str(entry.get("stage", "training")), []).append(entry)
    return stages


def _evaluations(folder: Path) -> Iterator[Evaluation]:
    for path in _within(folder, "*.json"):
        found = _json(path)
        if not isinstance(found, dict) or found.get("mode") not in _MODES:
            continue
        if isinstance(found.get("task"), str) and "episodes" in found:
            file = path.relative_to(folder).as_posix()
            yield Evaluation(file, found["task"], found["mode"], found)


def _within(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield files by name, not too deep down, and not those of the policy or hidden ones."""
    for path in folder.rglob(pattern):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if len(parts) <= _DEEPEST and not hidden and parts[0] != _POLICY:
            yield path


def _parameters(policy: Path) -> int | None:
    """Return how many numbers a policy's weights are."""
    total = 0
    try:
        for path in policy.glob("*.safetensors"):
            with safe_open(path, framework="numpy") as weights:
                total += sum(
                    math.prod(weights.get_slice(name).get_shape())
                    for name in weights.keys()  # noqa: SIM118
                )
    except (OSError, SafetensorError):
        return None
    return total or None


def _minutes(entries: list[dict[str, Any]]) -> float:
    stated = (entry.get("time") for entry in entries)
    times = [float(time) for time in stated if isinstance(time, int | float)]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    usual = sorted(gaps)[len(gaps) // 2] if gaps else 0.0
    return sum(gap for gap in gaps if 0 <= gap <= max(120.0, 20 * usual)) / 60
