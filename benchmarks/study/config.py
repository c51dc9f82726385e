"""Experiments as frozen configurations, read from the JSON files beside this one."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bcannot_core.errors import UsageError

EXPERIMENTS = Path(__file__).parent / "experiments"
PROGRAMS = ("bcannot", "python")

Plain = str | int | float


@dataclass(frozen=True)
class Amount:
    """How many episodes a stage makes or plays: so many a minute of its budget, within limits.

    Attributes
    ----------
    per_minute : float
        Episodes a minute.
    least, most : int
        Limits, whatever the budget.
    factors : mapping of str to float
        For some of the values of ``each``, long tasks for example: what the number and the least
        number are multiplied by.
    """

    per_minute: float
    least: int = 1
    most: int = 1_000_000
    factors: Mapping[str, float] = field(default_factory=dict)

    def within(self, minutes: float, values: Iterable[object] = ()) -> int:
        """Return the number for a budget, with the values of ``each``."""
        factor = math.prod(self.factors.get(str(value), 1.0) for value in values)
        number = max(self.least, self.per_minute * minutes) * factor
        return min(self.most, max(1, round(number)))


@dataclass(frozen=True)
class Row:
    """A row of the table, filled from a stage's JSON file.

    Attributes
    ----------
    name : str
        What stands at its beginning; rows of the same name are one.
    file : str
        The JSON file, in the stage's folder if relative.
    columns : mapping of str to str
        Column to value: names joined by dots lead into the file; several joined by ``|`` are
        tried in order.
    """

    name: str
    file: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class StageConfig:
    """One stage, or one for each of several values.

    Braces in texts are filled in: ``{here}`` is the stage's folder and ``{run}`` that of its
    training run, ``{NAME}`` and ``{run:NAME}`` are those of the stage ``NAME``; ``{seed}``,
    ``{size}``, ``{amount}`` and what ``each`` names are values.

    Attributes
    ----------
    name : str
        Also that of its folder.
    argv : tuple of str
        The command line, ``bcannot …`` or ``python -m MODULE …``.
    gives : tuple of str
        Files or folders that are there when it is whole, its own folder's if relative; JSON
        files can be read.
    share : float
        Its part of the budget, relative to the other stages.
    trains : bool
        Whether it is a training run, in ``{run}``: it is given ``--minutes``, and
        ``--resume`` where it was interrupted.
    timed : bool
        Whether a training run is stopped by the clock; one that is not goes on to its end.
    amount : Amount, optional
        What ``{amount}`` stands for.
    recipe : mapping, optional
        Written to ``{here}/recipe.json``, its texts filled in; ``{fit}`` stands for as many
        updates as there is time for.
    each : mapping
        Names of values and their lists, ``"{sizes}"`` for the sizes asked for: a stage is made of
        every combination.
    rows : tuple of Row
        What it contributes to the table.
    """

    name: str
    argv: tuple[str, ...]
    gives: tuple[str, ...]
    share: float = 1.0
    trains: bool = False
    timed: bool = True
    amount: Amount | None = None
    recipe: Mapping[str, Any] | None = None
    each: Mapping[str, tuple[Plain, ...] | str] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """An experiment.

    Attributes
    ----------
    name : str
        Also that of its file.
    about : str
        What it shows.
    stages : tuple of StageConfig
        In order.
    reference : mapping
        Rows of published figures that stand in the table beside ours.
    """

    name: str
    about: str
    stages: tuple[StageConfig, ...]
    reference: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as they come back from a file."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Experiment":
        """Build an experiment from plain values.

        Raises
        ------
        UsageError
            A value is missing, unknown or of no use.
        """
        try:
            stages = tuple(_stage(stage) for stage in values["stages"])
            experiment = cls(**{**values, "stages": stages})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"the experiment is not readable: {error!r}") from error
        _check(experiment)
        return experiment


def experiments() -> dict[str, Path]:
    """Return the files of the experiments there are, by name."""
    return {path.stem: path for path in sorted(EXPERIMENTS.glob("*.json"))}


def load_experiment(name: str) -> Experiment:
    """Read an experiment by name, or from a JSON file.

    Raises
    ------
    UsageError
        There is no such experiment, or it is not readable.
    """
    known = experiments()
    path = known.get(name, Path(name))
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"there is no experiment {name!r}: give a JSON file or one of {', '.join(known)}"
        ) from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} is no experiment: give an object")
    return Experiment.from_json(values)


def _stage(values: Mapping[str, Any]) -> StageConfig:
    built = dict(values)
    if built.get("amount") is not None:
        built["amount"] = Amount(**built["amount"])
    for name in ("argv", "gives"):
        if isinstance(built[name], str) or not all(isinstance(w, str) for w in built[name]):
            raise ValueError(f"{name} of stage {values.get('name')!r} is no list of texts")
        built[name] = tuple(built[name])
    built["rows"] = tuple(Row(**row) for row in built.get("rows", ()))
    built["each"] = {
        name: of if isinstance(of, str) else tuple(of) for name, of in built.get("each", {}).items()
    }
    return StageConfig(**built)


def _check(experiment: Experiment) -> None:
    if not experiment.stages:
        raise UsageError(f"experiment {experiment.name!r} has no stages")
    for stage in experiment.stages:
        if not stage.argv or stage.argv[0] not in PROGRAMS:
            said = stage.argv[0] if stage.argv else ""
            raise UsageError(f"stage {stage.name!r} begins with {said!r}: use bcannot or python")
        if stage.argv[0] == "python" and (len(stage.argv) < 3 or stage.argv[1] != "-m"):
            raise UsageError(f"stage {stage.name!r}: give python -m MODULE …")
        if stage.share <= 0 or not stage.gives:
            raise UsageError(f"stage {stage.name!r} needs a share above 0 and files that it gives")
        if not re.fullmatch(r"[\w.{}=+-]+", stage.name):
            raise UsageError(f"stage {stage.name!r} has a name that is no folder's")
