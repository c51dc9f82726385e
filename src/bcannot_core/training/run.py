"""A training run: a folder with the recipe, the log, the state to resume from, and the policy."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.of_task import EpisodesOfTask
from bcannot_core.errors import UsageError
from bcannot_core.policy.checkpoint import load_glance, save_checkpoint
from bcannot_core.policy.network import PolicyNet
from bcannot_core.policy.policy import choose_device
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.training.card import model_card
from bcannot_core.training.glance_stage import GlanceStage
from bcannot_core.training.recipe import TrainRecipe, read_recipe
from bcannot_core.training.sources import tissues_of
from bcannot_core.training.steps_stage import StepsStage
from bcannot_core.training.store import RunLog, environment, load_state, save_state
from bcannot_core.volumes.atomic import write_atomic

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class RunOptions:
    """Where and how a recipe is carried out; none of it changes the result.

    Attributes
    ----------
    out : Path
        The run's folder.
    resume : bool
        Continue a run that is there.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    workers : int
        Processes that prepare data.
    budget : float, optional
        Minutes after which to stop; the run can be resumed.
    parallel : str
        For frames policies on several processes: ``"ddp"`` or ``"fsdp"``.
    """

    out: Path
    resume: bool = False
    device: str = "auto"
    workers: int = 1
    budget: float | None = None
    parallel: str = "ddp"


def train(
    recipe: TrainRecipe,
    datasets: Sequence[Path],
    options: RunOptions,
    *,
    start_from: Path | None = None,
    progress: Progress | None = None,
) -> Path | None:
    """Carry out a recipe; return the policy's folder, None where the budget ended first.

    Parameters
    ----------
    recipe : TrainRecipe
        What to do. A run that is resumed keeps the recipe it began with.
    datasets : sequence of Path
        Episodes to learn from: those of neuron tracing, others are left out.
    options : RunOptions
        Where and how.
    start_from : Path, optional
        Checkpoint folder to begin with instead of random weights.
    progress : callable, optional
        Is given the losses of every update; before them ``episodes`` and ``left_out``, how many
        there are, where some were left out.

    Raises
    ------
    UsageError
        The folder holds a run and ``resume`` is not set, or holds none and it is; or no episode
        is of neuron tracing.
    """
    episodes = EpisodesOfTask(open_dataset(*datasets), NeuronTracing.id)
    return _Run(recipe, episodes, options, start_from, progress).carry_out()


class _Run:
    def __init__(
        self,
        recipe: TrainRecipe,
        episodes: EpisodesOfTask,
        options: RunOptions,
        start_from: Path | None,
        progress: Progress | None,
    ) -> None:
        self.options, self.out = options, options.out
        self.device = choose_device(options.device)
        first = None if start_from is None else load_glance(start_from)
        self.recipe = TrainRecipe.from_json(claim_run(options, recipe.to_json()))
        self.episodes = episodes
        self.progress = progress
        self.log = RunLog(self.out / "log.jsonl")
        self.until = None if options.budget is None else time.monotonic() + options.budget * 60
        torch.manual_seed(self.recipe.seed)
        self.net = PolicyNet(self.recipe.policy) if first is None else first
        self.net.to(self.device)

    def carry_out(self) -> Path | None:
        self.log.write({"stage": "run", "recipe": self.recipe.to_json(), **environment()})
        left_out = self.episodes.left_out
        if left_out and self.progress is not None:
            self.progress({"stage": "run", "episodes": len(self.episodes), "left_out": left_out})
        stages: list[tuple[str, int, Callable[[], GlanceStage | StepsStage]]] = [
            ("glance", self.recipe.glance.updates, self._glance_stage),
            ("steps", self.recipe.steps.updates, self._steps_stage),
        ]
        for name, updates, make in stages:
            if updates and not self._complete(name, make):
                return None
        return self.out / "policy"

    def _glance_stage(self) -> GlanceStage:
        return GlanceStage(
            self.net.glance,
            tissues_of(self.episodes),
            self.recipe.glance,
            self.recipe.seed,
            self.options.workers,
        )

    def _steps_stage(self) -> StepsStage:
        return StepsStage(
            self.net, self.episodes, self.recipe.steps, self.recipe.seed, self.options.workers
        )

    def _complete(self, name: str, make: Callable[[], GlanceStage | StepsStage]) -> bool:
        """Run a stage to its end, from where it was left; False where the time ran out."""
        folder = self.out / f"state-{name}"
        kept = load_state(folder)
        if kept is not None and kept[0].get("complete"):
            _load_average(self.net, name, kept[1])
            return True
        stage = make()
        try:
            if kept is not None:
                stage.restore(*kept)
            self.log.rewind(name, stage.update)
            saved = time.monotonic()
            complete = False
            while not complete:
                pause = saved + self.recipe.save_every * 60
                complete = stage.run(self._record, min(pause, self.until or pause))
                values, tensors = stage.state()
                self._save_policy(name, tensors)  # before the state: complete, it is not made again
                save_state(folder, {**values, "complete": complete}, tensors)
                saved = time.monotonic()
                if not complete and self.until is not None and saved >= self.until:
                    return False
        finally:
            stage.close()
        _load_average(self.net, name, stage.optimizer.tensors())
        return True

    def _record(self, entry: dict[str, Any]) -> None:
        self.log.write({**entry, "time": round(time.time(), 2)})
        if self.progress is not None:
            self.progress(entry)

    def _save_policy(self, name: str, tensors: dict[str, torch.Tensor]) -> None:
        """Save the policy as it would be with the averaged weights of a stage."""
        averaged = PolicyNet(self.net.config)
        averaged.load_state_dict(self.net.state_dict())
        _load_average(averaged, name, tensors)
        training = {"recipe": self.recipe.to_json(), "episodes": len(self.episodes)}
        card = model_card(self.out.name, self.recipe, self.episodes)
        save_checkpoint(averaged, self.out / "policy", card=card, training=training)


def _load_average(net: PolicyNet, name: str, tensors: dict[str, torch.Tensor]) -> None:
    part = net.glance if name == "glance" else net.steps
    prefix = "average."
    part.load_state_dict(
        {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
    )


def claim_run(options: RunOptions, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take a folder for a run; return the values of the recipe that holds in it.

    Raises
    ------
    UsageError
        The folder holds a run and ``resume`` is not set, or holds none and it is.
    """
    path = options.out / "recipe.json"
    if path.exists():
        if not options.resume:
            raise UsageError(f"{options.out} holds a run already: use --resume or another folder")
        return read_recipe(path)
    if options.resume:
        raise UsageError(f"{options.out} holds no run to resume: leave --resume out")
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(recipe, indent=2) + "\n"
    write_atomic(path, lambda file: file.write(text.encode()))
    return recipe
