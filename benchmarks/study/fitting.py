"""How many updates fit into a training run's time: measured by a short trial on this machine.

Learning rates fall over the updates of a recipe, so that a run that is cut off by the clock ends
with a high one. Where a recipe says ``{fit}``, the number follows from how long an update takes.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.study.plan import FIT, Stage
from benchmarks.study.record import write_whole

TRIAL_UPDATES = 8
LEAST_UPDATES = 4
_OF_TIME = 0.9


def needs_fitting(stage: Stage) -> bool:
    """Whether a stage's recipe leaves a number of updates open that was not found yet."""
    return stage.recipe is not None and FIT in json.dumps(stage.recipe) and not _begun(stage)


def write_recipe(stage: Stage, minutes: float, run: Callable[[Sequence[str]], int]) -> None:
    """Write the recipe of a stage; one that is there stays, for its run has begun with it."""
    if stage.recipe is None or _begun(stage):
        return
    recipe = stage.recipe
    if needs_fitting(stage):
        recipe = fitted(recipe, minutes, _seconds_per_update(stage, minutes, run))
    write_whole(stage.folder / "recipe.json", recipe)


def fitted(recipe: dict[str, Any], minutes: float, seconds: float | None) -> dict[str, Any]:
    """Return a recipe with its number of updates for so many minutes.

    Rounds of play and training share the time, half of it for playing.
    """
    count = int(minutes * 60 * _OF_TIME / seconds) if seconds else 0
    filled = dict(recipe)
    if filled.get("updates") == FIT:
        filled["updates"] = max(LEAST_UPDATES, count)
    rounds = filled.get("dagger")
    if isinstance(rounds, dict) and rounds.get("updates") == FIT:
        each = count // (2 * max(1, int(rounds.get("rounds", 1))))
        filled["dagger"] = {**rounds, "updates": max(LEAST_UPDATES, each)}
    return filled


def _seconds_per_update(
    stage: Stage, minutes: float, run: Callable[[Sequence[str]], int]
) -> float | None:
    trial = stage.folder / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    recipe = {**(stage.recipe or {}), "updates": TRIAL_UPDATES}
    recipe.pop("dagger", None)
    write_whole(trial / "recipe.json", recipe)
    here = str(stage.folder)
    argv = [
        word.replace(here, str(trial), 1) if _inside(word, here) else word for word in stage.argv
    ]
    try:
        run([*argv, "--minutes", f"{max(minutes / 4, 0.05):.2f}"])
        return median_seconds(trial / stage.name / "log.jsonl")
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def median_seconds(log: Path) -> float | None:
    """Return the median of the seconds of updates in a log, the first ones left out."""
    try:
        entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return None
    seconds = [entry["seconds"] for entry in entries if "seconds" in entry]
    return median(seconds[len(seconds) // 2 :]) if seconds else None


def _inside(word: str, folder: str) -> bool:
    return word == folder or word.startswith(folder + "/")


def _begun(stage: Stage) -> bool:
    return (stage.folder / "recipe.json").exists()
