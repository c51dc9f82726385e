"""From an experiment, sizes and a budget to the stages with their command lines."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.study.config import Experiment, Row, StageConfig

from bcannot_core.errors import UsageError

_BRACES = re.compile(r"\{([^{}]*)\}")
_SIZES = "{sizes}"

FIT = "{fit}"
"""In a recipe: as many updates as the stage's time allows, found when it begins."""


@dataclass(frozen=True)
class Request:
    """What is asked of an experiment.

    Attributes
    ----------
    out : Path
        The study's folder.
    budget : float
        Minutes for all stages together.
    sizes : tuple of str
        Sizes of policies; the first one where an experiment takes one alone.
    seed : int
        Seed of everything.
    """

    out: Path
    budget: float = 60.0
    sizes: tuple[str, ...] = ("tiny",)
    seed: int = 0


@dataclass(frozen=True)
class Stage:
    """A stage with everything filled in.

    Attributes
    ----------
    name, folder : str, Path
        Name and folder.
    argv : tuple of str
        Its command line, without what a training run is told of time.
    gives : tuple of Path
        What is there when it is whole.
    share : float
        Its part of the budget.
    trains, timed : bool
        Whether it is a training run, and whether that is stopped by the clock.
    recipe : dict, optional
        What is written to ``recipe.json`` before.
    rows : tuple of Row
        What it contributes to the table.
    """

    name: str
    folder: Path
    argv: tuple[str, ...]
    gives: tuple[Path, ...]
    share: float
    trains: bool
    timed: bool
    recipe: dict[str, Any] | None
    rows: tuple[Row, ...]

    @property
    def run(self) -> Path:
        """The folder of a training run: named as the stage is, so that reports can tell runs."""
        return self.folder / self.name


def plan(experiment: Experiment, request: Request) -> list[Stage]:
    """Return the stages of an experiment, in order.

    Raises
    ------
    UsageError
        Braces name what is not known (a stage that comes later, for example), two stages have
        one name, or the request has no budget or size.
    """
    if request.budget <= 0 or not request.sizes:
        raise UsageError("a study needs a budget above 0 minutes and a size")
    drafts = [
        (config, values)
        for config in experiment.stages
        for values in _combinations(config, request.sizes)
    ]
    whole = sum(config.share for config, _ in drafts)
    known: dict[str, Any] = {
        "seed": request.seed,
        "size": request.sizes[0],
        "out": request.out,
        "budget": request.budget,
        "fit": FIT,
    }
    stages: list[Stage] = []
    for config, values in drafts:
        minutes = request.budget * config.share / whole
        name = str(_filled(config.name, {**known, **values}, config.name))
        if name in known:
            raise UsageError(f"experiment {experiment.name!r} has two stages {name!r}")
        stages.append(_stage(config, name, {**known, **values}, request.out / name, minutes))
        known |= {name: request.out / name, f"run:{name}": stages[-1].run}
    return stages


def _combinations(config: StageConfig, sizes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    lists = [sizes if given == _SIZES else given for given in config.each.values()]
    for values in product(*lists):
        yield dict(zip(config.each, values, strict=True))


def _stage(
    config: StageConfig, name: str, known: Mapping[str, Any], folder: Path, minutes: float
) -> Stage:
    values = {**known, "here": folder, "run": folder / name}
    if config.amount is not None:
        values["amount"] = config.amount.within(minutes, (known[name] for name in config.each))

    def fill(text: Any) -> Any:
        return _filled(text, values, name)

    return Stage(
        name,
        folder,
        tuple(str(fill(word)) for word in config.argv),
        tuple(folder / str(fill(given)) for given in config.gives),
        config.share,
        config.trains,
        config.timed,
        None if config.recipe is None else fill(config.recipe),
        tuple(Row(str(fill(row.name)), str(fill(row.file)), row.columns) for row in config.rows),
    )


def _filled(template: Any, values: Mapping[str, Any], stage: str) -> Any:
    """Return a template with braces filled in; a text that is nothing but braces keeps the type."""
    if isinstance(template, Mapping):
        return {
            str(_filled(k, values, stage)): _filled(v, values, stage) for k, v in template.items()
        }
    if isinstance(template, list | tuple):
        return [_filled(member, values, stage) for member in template]
    if not isinstance(template, str):
        return template

    def value(name: str) -> Any:
        if name not in values:
            known = ", ".join(sorted(values))
            raise UsageError(f"stage {stage!r} speaks of {{{name}}}, which is none of {known}")
        return values[name]

    alone = _BRACES.fullmatch(template)
    if alone:
        found = value(alone[1])
        return str(found) if isinstance(found, Path) else found
    while _BRACES.search(template):
        filled = _BRACES.sub(lambda match: str(value(match[1])), template)
        if filled == template:
            raise UsageError(f"stage {stage!r}: {FIT} stands alone, as a value of a recipe")
        template = filled
    return template
