"""What to generate, and how one episode follows from it: a scripted annotator on one world."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

from bcannot_core.annotators import Behaviour, make_annotator, named_behaviour
from bcannot_core.episodes.episode import Episode, to_json
from bcannot_core.episodes.traced import (
    ALL_AXES,
    Orientation,
    Source,
    draw_tracing,
    generate_missing,
    pick,
)
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.errors import UsageError
from bcannot_core.screen import get_variant, random_variant
from bcannot_core.session.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig
from bcannot_core.tasks.registry import make_task, task_class
from bcannot_core.tasks.tracing_world import DEFAULT_VOLUME

__all__ = [
    "ALL_AXES",
    "RANDOM_VARIANT",
    "GenerateSpec",
    "Mixture",
    "Orientation",
    "Source",
    "Specification",
    "episode_seed",
    "generate_episode",
]

RANDOM_VARIANT = "random"
"""Among the variants to draw from: one with all its axes drawn."""

_RECIPE = 2  # goes up when the same specification and seed give other episodes than before
_PART, _HABITS = 1, 2  # streams of randomness apart from the world's, which has the seed alone


class Specification(Protocol):
    """What can be generated: a task, or a mixture of tasks."""

    @property
    def name(self) -> str:
        """What its shards are named after."""
        ...

    def digest(self, seed: int) -> str:
        """Return a short name of this specification with a seed."""
        ...

    def check(self) -> None:
        """See that it can be generated as far as can be told without a world."""
        ...

    def prepare(self) -> None:
        """Make what all episodes need and every process would otherwise make for itself."""
        ...

    def episode(self, seed: int) -> Episode:
        """Make the episode of a seed."""
        ...


@dataclass(frozen=True)
class GenerateSpec:
    """What to generate of one task.

    Attributes
    ----------
    task : str
        Task id.
    config : mapping
        Options of the task; for ``neuron_tracing`` fields of ``TracingConfig``.
    variants : tuple of str
        Interface variants to draw from; ``"random"`` is one with all its axes drawn.
    behaviours : tuple
        Behaviours, or names of some, to draw from.
    mistakes : float, optional
        Share of placements that go wrong, in place of the behaviour's own.
    sources : tuple of Source
        For ``neuron_tracing``: the volumes to draw from; its own generated tissue without any.
    orientation : Orientation
        How sources are turned.
    min_sections : int
        A neurite is traced where it goes on for so many sections, or to the volume's border.
    """

    task: str = "neuron_tracing"
    config: Mapping[str, Any] = field(default_factory=dict)
    variants: tuple[str, ...] = ("original",)
    behaviours: tuple[Behaviour | str, ...] = ("default",)
    mistakes: float | None = None
    sources: tuple[Source, ...] = ()
    orientation: Orientation = field(default_factory=Orientation)
    min_sections: int = 20

    @property
    def name(self) -> str:
        """The task's id."""
        return self.task

    def digest(self, seed: int) -> str:
        """Return a short name of this specification with a seed."""
        return _digest({"spec": asdict(self), "seed": seed, "recipe": _RECIPE})

    def check(self) -> None:
        """See that there are such a task, such variants and such behaviours.

        Raises
        ------
        UsageError
            There are not.
        """
        task_class(self.task)
        for variant in self.variants:
            if variant != RANDOM_VARIANT:
                get_variant(variant)
        for behaviour in self.behaviours:
            habits = named_behaviour(behaviour) if isinstance(behaviour, str) else behaviour
            if self.mistakes is not None:
                habits.with_mistakes(self.mistakes)

    def prepare(self) -> None:
        """Generate the volumes that are traced in, where they are not on this disk yet."""
        addresses = [of for source in self.sources for of in (source.volume, source.labels)]
        if self.task == NeuronTracing.id and not addresses:
            addresses = [self.config.get("volume") or DEFAULT_VOLUME]
        for address in addresses:
            generate_missing(address)

    def episode(self, seed: int) -> Episode:
        """Make the episode of a seed, as :func:`generate_episode`."""
        return generate_episode(self, seed)


@dataclass(frozen=True)
class Mixture:
    """Several tasks, one of them drawn for each episode.

    Attributes
    ----------
    parts : tuple of GenerateSpec
        What is drawn from.
    weights : tuple of float
        How often each part is drawn, relative to the others; equally often by default.
    """

    parts: tuple[GenerateSpec, ...]
    weights: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """``"mixture"``."""
        return "mixture"

    def digest(self, seed: int) -> str:
        """Return a short name of this mixture with a seed."""
        return _digest({"mixture": asdict(self), "seed": seed, "recipe": _RECIPE})

    def check(self) -> None:
        """See that the tasks and weights can be.

        Raises
        ------
        UsageError
            A task is unknown, there is none, or a weight is not positive.
        """
        if not self.parts:
            raise UsageError("a mixture of no tasks: name at least one")
        if self.weights and len(self.weights) != len(self.parts):
            given = f"{len(self.parts)} tasks and {len(self.weights)} weights"
            raise UsageError(f"{given}: give as many")
        for weight in self.weights:
            if not (math.isfinite(weight) and weight > 0):
                raise UsageError(f"a task's weight is {weight}: give a positive number")
        for part in self.parts:
            part.check()

    def prepare(self) -> None:
        """Prepare all parts."""
        for part in self.parts:
            part.prepare()

    def episode(self, seed: int) -> Episode:
        """Draw a part and make its episode."""
        weights = np.array(self.weights or (1.0,) * len(self.parts))
        rng = np.random.default_rng((seed, _PART))
        return self.parts[int(rng.choice(len(weights), p=weights / weights.sum()))].episode(seed)


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.blake2b(to_json(body).encode(), digest_size=4).hexdigest()


def episode_seed(seed: int, number: int) -> int:
    """Return the seed of one episode of a dataset's seed, 63 bits."""
    words = np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def generate_episode(spec: GenerateSpec, seed: int) -> Episode:
    """Let a scripted annotator do one episode.

    Parameters
    ----------
    spec : GenerateSpec
        What to generate.
    seed : int
        Decides the world, the interface, the behaviour and every click.

    Raises
    ------
    TaskError, VolumeError
        The world cannot be made.
    """
    traced = spec.task == NeuronTracing.id and bool(spec.sources)
    rng = np.random.default_rng(seed if traced else (seed, _HABITS))
    variant = pick(rng, spec.variants)
    behaviour = pick(rng, spec.behaviours)
    if variant == RANDOM_VARIANT:
        variant = random_variant(rng).name
    if traced:
        config = TracingConfig(**{**spec.config, "variant": variant})
        task: Any = draw_tracing(spec.sources, spec.orientation, spec.min_sections, config, rng)
    else:
        task = make_task(spec.task, seed, variant=variant, **spec.config)
    session = Session(task)
    habits = behaviour
    if spec.mistakes is not None:
        habits = make_annotator(session, 0, behaviour).behaviour.with_mistakes(spec.mistakes)
    annotator = make_annotator(session, rng, habits)
    annotator.run()
    meta: dict[str, Any] = {
        "behaviour": behaviour if isinstance(behaviour, str) else "custom",
        "success": bool(task.score(session.state)["success"]),
    }
    strategy = getattr(getattr(annotator, "strategy", None), "name", None)
    if strategy is not None:
        meta["strategy"] = strategy
    return episode_of(session, meta, seed=seed)
