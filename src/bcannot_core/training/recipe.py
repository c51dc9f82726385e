"""Recipes: what a training run does, as frozen dataclasses saved with the run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.config import PolicyConfig
from bcannot_core.training.tissue import Augmentation

_LARGEST = 2**53


@dataclass(frozen=True)
class OptimizerRecipe:
    """AdamW with a linear warm-up and a cosine decay.

    Attributes
    ----------
    rate : float
        Learning rate at its highest.
    decay : float
        Weight decay of matrices and kernels.
    warm_up : int
        Updates of warm-up.
    clip : float
        Largest norm of the gradient.
    average : float
        Decay of the running average of the weights, which is what is saved.
    """

    rate: float = 1.2e-3
    decay: float = 0.02
    warm_up: int = 50
    clip: float = 1.0
    average: float = 0.998


@dataclass(frozen=True)
class GlanceRecipe:
    """First stage: the glance network follows neurites in augmented blocks.

    Attributes
    ----------
    updates : int
        Optimizer updates; 0 skips the stage.
    lanes : int
        Neurites followed at the same time.
    batch : int
        How many of them, drawn at random, take a step in an update.
    pool : int
        Blocks in use.
    refresh : int
        Updates after which one block is replaced.
    guided : int
        Updates during which the truth takes the network's place, less and less often.
    ends : float
        Share of neurites that are followed from shortly before they end.
    """

    updates: int = 20_000
    lanes: int = 192
    batch: int = 32
    pool: int = 14
    refresh: int = 8
    guided: int = 2_000
    ends: float = 0.0
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class StepsRecipe:
    """Second stage: the transformer learns the sessions' clicks.

    Attributes
    ----------
    updates : int
        Optimizer updates; 0 skips the stage.
    episodes : int
        How many episodes are rendered, at most.
    rollouts : int
        How many of those with labels are played anew by the policy's own eye, at most.
    windows : int
        Windows in a batch.
    """

    updates: int = 1_500
    episodes: int = 300
    rollouts: int = 0
    windows: int = 8
    optimizer: OptimizerRecipe = field(
        default_factory=lambda: OptimizerRecipe(rate=1e-3, average=0.99)
    )


@dataclass(frozen=True)
class TrainRecipe:
    """A whole training run.

    Attributes
    ----------
    seed : int
        Seed of everything drawn.
    policy : PolicyConfig
        What is trained.
    glance, steps : recipe
        The two stages.
    save_every : float
        Minutes between checkpoints.
    """

    seed: int = 0
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    glance: GlanceRecipe = field(default_factory=GlanceRecipe)
    steps: StepsRecipe = field(default_factory=StepsRecipe)
    save_every: float = 3.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values, to be read by :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainRecipe":
        """Build a recipe from plain values; what is left out keeps its default.

        Raises
        ------
        UsageError
            A name is unknown, a value of the wrong type, or no run can be made from it.
        """
        recipe: TrainRecipe = build_recipe(cls(), values, "recipe")
        _check(recipe)
        return recipe


def build_recipe(default: Any, values: Mapping[str, Any], where: str) -> Any:
    """Return a recipe with some values changed; those below it keep their defaults too.

    Parameters
    ----------
    default : dataclass
        The recipe whose values are changed.
    values : mapping
        Plain values by name.
    where : str
        What messages call it.

    Raises
    ------
    UsageError
        A name is unknown, or a value is not of the type that it has by default.
    """
    if not isinstance(values, Mapping):
        raise UsageError(f"{where} is {values!r}: give an object with named values")
    names = [f.name for f in fields(default)]
    unknown = set(values) - set(names)
    if unknown:
        known = ", ".join(names)
        raise UsageError(f"{where} does not know {sorted(unknown)[0]!r}: choose from {known}")
    built: dict[str, Any] = {}
    for name, value in values.items():
        build = build_recipe if is_dataclass(getattr(default, name)) else _like
        built[name] = build(getattr(default, name), value, f"{where}.{name}")
    return replace(default, **built)


def _like(default: Any, value: Any, where: str) -> Any:
    """Return a value of the type that it has by default: plain, a tuple, or values by name."""
    if isinstance(default, Mapping):
        if not isinstance(value, Mapping):
            raise UsageError(f"{where} is {value!r}: give an object with named values")
        return dict(value)
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or not value:
            what = "texts" if isinstance(default[0], str) else "numbers"
            raise UsageError(f"{where} is {value!r}: give a list of {what}")
        return tuple(_like(default[0], member, where) for member in value)
    if isinstance(default, str | bool):
        if type(value) is not type(default):
            what = "a text" if isinstance(default, str) else "true or false"
            raise UsageError(f"{where} is {value!r}: give {what}")
        return value
    kind = type(default)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < _LARGEST or kind(value) != value:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{where} is {value!r}: give {what} that is not negative")
    return kind(value)


def _check(recipe: TrainRecipe) -> None:
    """See that a run can be made from a recipe's values."""
    glance, augmentation = recipe.glance, recipe.glance.augmentation
    fits = {
        "glance.lanes": glance.lanes >= 1,
        "glance.batch": glance.batch >= 1,
        "glance.pool": glance.pool >= 1,
        "glance.refresh": glance.refresh >= 1,
        "glance.augmentation.zooms": len(augmentation.zooms) == 2 and min(augmentation.zooms) > 0,
        "glance.augmentation.nm_per_px": augmentation.nm_per_px > 0,
        "glance.augmentation.spacings": sum(augmentation.spacings) > 0,
        "steps.windows": recipe.steps.windows >= 1,
        "steps.episodes": recipe.steps.episodes >= 1,
    }
    for name, good in fits.items():
        if not good:
            raise UsageError(f"recipe.{name} leaves nothing to train with: give larger values")
    try:
        PolicyConfig.from_json(recipe.policy.to_json())
    except CheckpointError as error:
        raise UsageError(f"recipe.policy: {error}") from error


def presets() -> dict[str, Path]:
    """Return the recipes that come with the package, by name."""
    folder = Path(str(resources.files("bcannot_core"))) / "data" / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


def read_recipe(name: str | Path) -> Mapping[str, Any]:
    """Read the values of a recipe by preset name or from a JSON file.

    Raises
    ------
    UsageError
        There is no such recipe, or it is not readable.
    """
    known = presets()
    path = known.get(str(name), Path(name))
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        names = ", ".join(known) or "none"
        raise UsageError(
            f"there is no recipe {str(name)!r}: give a JSON file or one of {names}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, Mapping):
        raise UsageError(f"recipe is {values!r}: give an object with named values")
    return values


def load_recipe(name: str | Path) -> TrainRecipe:
    """Read a recipe of the tracing policy by preset name or from a JSON file.

    Raises
    ------
    UsageError
        There is no such recipe, or it is not readable.
    """
    return TrainRecipe.from_json(read_recipe(name))
