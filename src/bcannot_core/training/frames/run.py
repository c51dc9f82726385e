"""A run of a frames policy: a folder with recipe, log, state to resume from, policy and figure."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bcannot_core.errors import CheckpointError
from bcannot_core.policy.checkpoint import load_checkpoint, read_config, save_checkpoint
from bcannot_core.policy.frames.config import FramesConfig
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.vit_weights import load_weights
from bcannot_core.training.frames.board import Board
from bcannot_core.training.frames.card import frames_card
from bcannot_core.training.frames.cutting import Cutter, action_weights
from bcannot_core.training.frames.distributed import (
    World,
    joined,
    load_run_state,
    save_run_state,
)
from bcannot_core.training.frames.figure import draw_losses
from bcannot_core.training.frames.recipe import FramesRecipe
from bcannot_core.training.frames.rounds import (
    mixed_with,
    playable,
    played_episodes,
    put_in_place,
    round_folder,
    round_recipe,
)
from bcannot_core.training.frames.sources import EpisodeSource, make_source
from bcannot_core.training.frames.trainer import STAGE, Trainer
from bcannot_core.training.run import Progress, RunOptions, claim_run
from bcannot_core.training.store import RunLog, environment

STATE = "state-frames"


def train_frames(
    recipe: FramesRecipe,
    datasets: Sequence[Path],
    options: RunOptions,
    *,
    start_from: Path | None = None,
    progress: Progress | None = None,
) -> Path | None:
    """Carry out a recipe; return the policy's folder, None where the budget ended first.

    Under ``torchrun`` every process calls it alike.

    Parameters
    ----------
    recipe : FramesRecipe
        What to do. A run that is resumed keeps the recipe it began with.
    datasets : sequence of Path
        Episodes to learn from; without any the recipe's tasks are done live.
    options : RunOptions
        Where and how.
    start_from : Path, optional
        Checkpoint folder to begin with instead of random weights.
    progress : callable, optional
        Is given the losses of every update, in the first process.

    Raises
    ------
    UsageError
        The folder holds a run and ``resume`` is not set, or holds none and it is; or the recipe
        has nothing to train with.
    """
    until = None if options.budget is None else time.monotonic() + options.budget * 60
    with joined(options.device) as world:
        source = make_source(datasets, recipe.data)
        if start_from is not None and not options.resume:
            _check_start(start_from, recipe)
        recipe = _claimed(recipe, options, world)
        place = Place(options, world, until, progress)
        run = FramesRun(recipe, source, place, options.out, start_from=start_from)
        policy = run.carry_out()
        if policy is not None and recipe.dagger.rounds:
            policy = _play_rounds(recipe, source, place, policy, worked=run.worked)
        return policy


def _play_rounds(
    recipe: FramesRecipe, source: EpisodeSource, place: "Place", policy: Path, *, worked: bool
) -> Path | None:
    """Carry out the rounds of play and training; the last one's policy becomes the run's.

    Where nothing was done yet (``worked``), something is, however late it is.
    """
    out, world, latest, played = place.options.out, place.world, policy, list[Path]()
    recipe = playable(recipe, source)
    for number in range(recipe.dagger.rounds):
        if worked and place.late():
            return None
        played.append(played_episodes(recipe, out, number, latest, world))
        mixed = mixed_with(source, played, recipe)
        inner = round_recipe(recipe, number)
        run = FramesRun(inner, mixed, place, round_folder(out, number), start_from=latest)
        trained = run.carry_out()
        if trained is None:
            return None
        latest, worked = trained, worked or run.worked
    if world.main:
        put_in_place(latest, policy)
    return policy


@dataclass(frozen=True)
class Place:
    """Where and until when runs are carried out.

    Attributes
    ----------
    options : RunOptions
        The command's.
    world : World
        The processes that take part.
    until : float or None
        The time, monotonic, at which to stop.
    progress : callable or None
        Is given the losses of every update.
    """

    options: RunOptions
    world: World
    until: float | None = None
    progress: Progress | None = None

    def late(self) -> bool:
        """Whether the time has run out, by the clock of the first process."""
        late = self.until is not None and time.monotonic() >= self.until
        return bool(self.world.gather(late)[0])


def _check_start(start_from: Path, recipe: FramesRecipe) -> None:
    """Refuse a checkpoint that is not what a recipe trains; its weights are not read."""
    about = read_config(start_from)
    if about.get("family") != FramesNet.family:
        raise CheckpointError(
            f"{start_from} holds no frames policy: begin with one, or without any"
        )
    if FramesConfig.from_json(about["policy"]) != recipe.config:
        raise CheckpointError(
            f"{start_from} has another size than the recipe's policy: give the recipe that size"
        )


def _claimed(recipe: FramesRecipe, options: RunOptions, world: World) -> FramesRecipe:
    """Take the run's folder, in the first process; return the recipe that holds in all."""
    values: Mapping[str, Any] = {}
    if world.main:
        values = claim_run(options, recipe.to_json())
    return FramesRecipe.from_json(world.gather(values)[0])


class FramesRun:
    """One stretch of training with its files.

    Parameters
    ----------
    recipe : FramesRecipe
        What to do.
    source : EpisodeSource
        What to learn from.
    place : Place
        Where and until when.
    out : Path
        Its folder.
    start_from : Path, optional
        Checkpoint folder to begin with.
    """

    def __init__(
        self,
        recipe: FramesRecipe,
        source: EpisodeSource,
        place: Place,
        out: Path,
        *,
        start_from: Path | None = None,
    ) -> None:
        self.recipe, self.source, self.out = recipe, source, out
        self.options, self.world, self.place = place.options, place.world, place
        self.start_from = start_from
        self._log: RunLog | None = None
        self._board: Board | None = None
        self.worked = False  # whether there was anything left to do

    def carry_out(self) -> Path | None:
        """Train from where the run was left; None where the time ran out."""
        if self.world.main:
            self._log = RunLog(self.out / "log.jsonl")
            self._log.write({"stage": "run", "recipe": self.recipe.to_json(), **environment()})
        with ExitStack() as stack:
            trainer = self._trainer()
            stack.callback(trainer.close)
            if self._log is not None:
                self._log.rewind(STAGE, trainer.update)
                self._board = Board(self.out / "tensorboard", trainer.update)
                stack.callback(self._board.close)
            return self._train(trainer)

    def _train(self, trainer: Trainer) -> Path | None:
        complete = trainer.update >= self.recipe.updates
        self.worked = not complete
        while not complete:
            pause = time.monotonic() + self.recipe.save_every * 60
            complete = trainer.run(self._record, min(pause, self.place.until or pause))
            self._save(trainer)
            if self.place.late() and not complete:
                return None
        return self.out / "policy"

    def _trainer(self) -> Trainer:
        """Return the trainer as the run was left."""
        torch.manual_seed(self.recipe.seed)
        net = self._network().to(self.world.device)
        weights = self._weights()
        trainer = Trainer(
            net,
            self.recipe,
            Cutter.of_recipe(self.recipe, self.source, weights),
            self.world,
            workers=self.options.workers,
            parallel=self.options.parallel,
        )
        kept = load_run_state(self.out / STATE, trainer.tensors(), self.world)
        if kept is not None:
            trainer.restore(*kept)
        return trainer

    def _network(self) -> FramesNet:
        if self.start_from is None:
            net = FramesNet(self.recipe.config)
            load_weights(net, self.recipe.pretrained)
            return net
        _check_start(self.start_from, self.recipe)
        found = load_checkpoint(self.start_from)
        assert isinstance(found, FramesNet)
        return found

    def _weights(self) -> dict[tuple[str, str], float]:
        """Return the weights by task and action, counted once for all processes."""
        counted = None
        if self.world.main:
            counted = action_weights(self.source, self.recipe.data, self.recipe.seed)
        found: dict[tuple[str, str], float] = self.world.gather(counted)[0]
        return found

    def _record(self, entry: dict[str, Any]) -> None:
        if self._log is None or self._board is None:
            return
        self._log.write({**entry, "time": round(time.time(), 2)})
        self._board.write(entry)
        if self.place.progress is not None:
            self.place.progress(entry)

    def _save(self, trainer: Trainer) -> None:
        """Save the policy with its averaged weights, the figure, and last of all the state.

        A run whose state is complete does nothing when it is resumed: its policy must be there.
        """
        weights = trainer.averaged()
        if self.world.main:
            self._save_policy(weights, trainer.update)
        sharded = self.options.parallel == "fsdp" and self.world.size > 1
        values = {"update": trainer.update}
        save_run_state(self.out / STATE, values, trainer.tensors(), self.world, sharded=sharded)

    def _save_policy(self, weights: Mapping[str, torch.Tensor], updates: int) -> None:
        averaged = FramesNet(self.recipe.config)
        averaged.load_state_dict(weights)
        training = {"recipe": self.recipe.to_json(), "updates": updates}
        card = frames_card(self.out.name, self.recipe, self.source.tasks, updates)
        save_checkpoint(averaged, self.out / "policy", card=card, training=training)
        draw_losses(self.out / "log.jsonl", self.out / "losses.png", STAGE)
        if self._board is not None:
            self._board.flush()
