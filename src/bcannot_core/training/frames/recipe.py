"""Recipes of frames policies: what is learnt from which windows, and how."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.frames.config import SIZES, FramesConfig
from bcannot_core.training.recipe import TrainRecipe, build_recipe, read_recipe

FAMILY = "frames"
OPTIMIZERS = ("adamw", "muon")
PRECISIONS = ("auto", "bf16", "fp32")


@dataclass(frozen=True)
class DataRecipe:
    """Which windows are learnt from.

    Attributes
    ----------
    tasks : mapping of str to float
        Share of the windows by task. Tasks are generated live where no dataset is named; with
        datasets it says how often their tasks are drawn, by number of episodes where it is empty.
    variants, behaviours : tuple of str
        What live sessions are drawn from.
    augment : float
        Share of episodes that are shown on another interface, all of its axes drawn.
    per_episode : int
        Most windows that are cut from an episode before the next one is opened.
    overlap : bool
        Whether windows of an episode may overlap; else they tile it from a random place.
    lanes : int
        Episodes that are open at the same time, so that windows of one are far apart.
    contexts : int
        Length of a window in contexts of the policy. With more than one, most steps look back on a
        whole context whose steps did so, too: as in a session that goes on and on.
    blind : int
        First steps of a window that are not learnt, as what came before is not seen.
    rarest : float
        Largest weight of an action that is rare in its task; 1 to weigh all actions alike. Done
        weighs as much as the most frequent one: pressed too early, it costs all that was left.
    weights : mapping of str to float
        Weights by action, in place of those that follow from how rare it is.
    sample : int
        Episodes of each task in which actions are counted.
    """

    tasks: Mapping[str, float] = field(default_factory=dict)
    variants: tuple[str, ...] = ("original",)
    behaviours: tuple[str, ...] = ("default",)
    augment: float = 0.0
    per_episode: int = 8
    overlap: bool = False
    lanes: int = 64
    contexts: int = 2
    blind: int = 2
    rarest: float = 8.0
    weights: Mapping[str, float] = field(default_factory=dict)
    sample: int = 12


@dataclass(frozen=True)
class OptimRecipe:
    """How weights are changed.

    Attributes
    ----------
    name : str
        ``"adamw"``, or ``"muon"``: Muon for matrices and kernels, AdamW for the rest.
    rate : float
        Learning rate at its highest.
    backbone : float
        Factor on the rate of a vision transformer's last layer; for a pretrained one.
    layer_decay : float
        Each of its layers learns so many times as fast as the one after it.
    decay : float
        Weight decay of matrices and kernels.
    beta1, beta2 : float
        Of AdamW.
    momentum : float
        Of Muon.
    warm_up : float
        Share of the updates in which the rate rises.
    cool_down : float
        Share of the updates in which it falls to its lowest, along a cosine; 1 for all after the
        warm-up.
    lowest : float
        Share of the rate that is left at the end.
    clip : float
        Largest norm of the gradient.
    average : float
        Decay of the running average of the weights, which is what is saved.
    """

    name: str = "adamw"
    rate: float = 6e-4
    backbone: float = 1.0
    layer_decay: float = 1.0
    decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.98
    momentum: float = 0.95
    warm_up: float = 0.025
    cool_down: float = 1.0
    lowest: float = 0.01
    clip: float = 1.0
    average: float = 0.999


@dataclass(frozen=True)
class DaggerRecipe:
    """Learning from the policy's own sessions, after the updates on demonstrations.

    Attributes
    ----------
    rounds : int
        How often the policy plays and learns; 0 for never.
    episodes : int
        Sessions in a round.
    tasks : mapping
        What is played, and how often; that of the demonstrations if none is named.
    beta : float
        Chance that the annotator clicks in the policy's place, in the first round; squared in
        the second, and so on.
    share : float
        Share of the windows that come from those sessions.
    updates : int
        Updates in a round.
    limit : int
        Most steps of a session.
    patience : int
        Clicks in a row by which the policy may leave a mistake as it is; then the annotator mends
        it. A mistake that the policy does not see would else make Undo right for all that is left
        of the session: it would learn to undo whatever it does.
    temperature : float
        Of the policy's clicks.
    """

    rounds: int = 0
    episodes: int = 64
    tasks: Mapping[str, float] = field(default_factory=dict)
    beta: float = 0.5
    share: float = 0.5
    updates: int = 500
    limit: int = 500
    patience: int = 1
    temperature: float = 0.4


@dataclass(frozen=True)
class FramesRecipe:
    """A training run of a frames policy.

    Attributes
    ----------
    seed : int
        Seed of everything drawn.
    policy : mapping
        ``size``, and values of :class:`FramesConfig` that differ from that size.
    pretrained : str
        Weights that a vision transformer begins with: ``"none"``, ``"timm"`` for DINOv2, or a
        safetensors file.
    data, optimizer, dagger : recipe
        The parts.
    updates : int
        Optimizer updates.
    windows : int
        Windows in an update, over all processes and micro-batches.
    accumulate : int
        Micro-batches that an update is divided into, at least; one for each process in any case.
    precision : str
        ``"bf16"``, ``"fp32"``, or ``"auto"``: bf16 where the device has it.
    compile : bool
        Compile the network; on CUDA alone.
    checkpointing : bool
        Compute activations again in the backward pass rather than keep them.
    save_every : float
        Minutes between checkpoints.
    """

    seed: int = 0
    policy: Mapping[str, Any] = field(default_factory=lambda: {"size": "tiny"})
    pretrained: str = "none"
    data: DataRecipe = field(default_factory=DataRecipe)
    optimizer: OptimRecipe = field(default_factory=OptimRecipe)
    dagger: DaggerRecipe = field(default_factory=DaggerRecipe)
    updates: int = 10_000
    windows: int = 16
    accumulate: int = 1
    precision: str = "auto"
    compile: bool = False
    checkpointing: bool = False
    save_every: float = 3.0

    @property
    def low_precision(self) -> bool | None:
        """Whether to compute in bfloat16; None where the device decides."""
        return None if self.precision == "auto" else self.precision == "bf16"

    @property
    def config(self) -> FramesConfig:
        """The network's configuration."""
        values = dict(self.policy)
        size = values.pop("size", "tiny")
        if size not in SIZES:
            raise UsageError(f"recipe.policy.size is {size!r}: choose from {', '.join(SIZES)}")
        plain = SIZES[size].to_json()
        encoder = values.pop("encoder", {})
        if not isinstance(encoder, Mapping):
            raise UsageError(f"recipe.policy.encoder is {encoder!r}: give an object")
        try:
            return FramesConfig.from_json(
                {**plain, **values, "encoder": {**plain["encoder"], **encoder}}
            )
        except CheckpointError as error:
            raise UsageError(f"recipe.policy: {error}") from error

    @property
    def steps(self) -> int:
        """Steps of a window."""
        return self.data.contexts * self.config.context

    def to_json(self) -> dict[str, Any]:
        """Return plain values, to be read by :meth:`from_json`."""
        return {"family": FAMILY, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "FramesRecipe":
        """Build a recipe from plain values; what is left out keeps its default.

        Raises
        ------
        UsageError
            A name is unknown, a value of the wrong type, or no run can be made from it.
        """
        named = {key: value for key, value in values.items() if key != "family"}
        recipe: FramesRecipe = build_recipe(cls(), named, "recipe")
        _check(recipe)
        return recipe


def _check(recipe: FramesRecipe) -> None:
    """See that a run can be made from a recipe's values."""
    data, optimizer = recipe.data, recipe.optimizer
    positive = {
        "windows": recipe.windows,
        "accumulate": recipe.accumulate,
        "data.per_episode": data.per_episode,
        "data.lanes": data.lanes,
        "data.contexts": data.contexts,
        "data.rarest": data.rarest,
        "data.sample": data.sample,
    }
    for name, value in positive.items():
        if value < 1:
            raise UsageError(f"recipe.{name} is {value}: give 1 or more")
    shares = {
        "data.augment": data.augment,
        "optimizer.warm_up": optimizer.warm_up,
        "optimizer.cool_down": optimizer.cool_down,
        "optimizer.lowest": optimizer.lowest,
        "optimizer.layer_decay": optimizer.layer_decay,
        "optimizer.average": optimizer.average,
        "dagger.beta": recipe.dagger.beta,
        "dagger.share": recipe.dagger.share,
    }
    for name, value in shares.items():
        if value > 1:
            raise UsageError(f"recipe.{name} is {value}: give a share, from 0 to 1")
    if optimizer.name not in OPTIMIZERS:
        raise UsageError(_choose("optimizer.name", optimizer.name, OPTIMIZERS))
    if recipe.precision not in PRECISIONS:
        raise UsageError(_choose("precision", recipe.precision, PRECISIONS))
    if recipe.windows % recipe.accumulate:
        raise UsageError(
            f"recipe.windows is {recipe.windows}, which {recipe.accumulate} micro-batches "
            "(recipe.accumulate) do not divide"
        )
    _check_numbers(recipe)
    recipe.config.check()


def _check_numbers(recipe: FramesRecipe) -> None:
    """See that what is named has numbers that can be weights."""
    data, dagger = recipe.data, recipe.dagger
    groups = {"data.tasks": data.tasks, "data.weights": data.weights, "dagger.tasks": dagger.tasks}
    for group, named in groups.items():
        for name, value in named.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value < math.inf:
                raise UsageError(
                    f"recipe.{group}.{name} is {value!r}: give a number that is not negative"
                )
    for group in ("data.tasks", "dagger.tasks"):
        if groups[group] and not sum(groups[group].values()):
            raise UsageError(f"recipe.{group} leaves nothing to train with: give larger values")


def _choose(name: str, value: str, known: Sequence[str]) -> str:
    return f"recipe.{name} is {value!r}: choose from {', '.join(known)}"


def load_any_recipe(
    name: str | Path, changes: Mapping[str, Any] | None = None
) -> TrainRecipe | FramesRecipe:
    """Read a recipe of either family, by preset name or from a JSON file.

    Parameters
    ----------
    name : str or Path
        Of the preset or the file.
    changes : mapping, optional
        Other values by their paths, e.g. ``{"optimizer.rate": 1e-3}``.

    Raises
    ------
    UsageError
        There is no such recipe, it is not readable, its family is unknown, or a change does not
        fit it.
    """
    values = dict(read_recipe(name))
    for path, value in (changes or {}).items():
        _put(values, path, value)
    family = values.get("family", "glance")
    if family == FAMILY:
        return FramesRecipe.from_json(values)
    if family != "glance":
        raise UsageError(_choose("family", family, ("glance", FAMILY)))
    return TrainRecipe.from_json({key: v for key, v in values.items() if key != "family"})


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    *groups, last = path.split(".")
    for group in groups:
        inner = values.get(group, {})
        if not isinstance(inner, Mapping):
            raise UsageError(f"recipe.{path} cannot be set: {group} is {inner!r}")
        values[group] = dict(inner)
        values = values[group]
    values[last] = value
