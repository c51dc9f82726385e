"""Rounds of play and training (DAgger), each in a folder of its own within the run's."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bcannot_core.episodes.dataset import EpisodeWriter
from bcannot_core.errors import CheckpointError
from bcannot_core.policy.checkpoint import load_checkpoint
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.policy import BatchPolicy
from bcannot_core.training.frames.dagger import PlayOptions, play
from bcannot_core.training.frames.distributed import World
from bcannot_core.training.frames.recipe import DataRecipe, FramesRecipe
from bcannot_core.training.frames.sources import (
    EpisodeSource,
    LiveEpisodes,
    MixedEpisodes,
    RecordedEpisodes,
)
from bcannot_core.training.store import replacing, tidy

ROWS = 8
_PLAYED, _ROUND = "played", "round"


def round_folder(out: Path, number: int) -> Path:
    """Return the folder of a round, counted from 0."""
    return out / f"{_ROUND}-{number + 1}"


def round_recipe(recipe: FramesRecipe, number: int) -> FramesRecipe:
    """Return the recipe of a round's training."""
    seed = recipe.seed + 7_919 * (number + 1)
    return replace(recipe, seed=seed, updates=recipe.dagger.updates)


def playable(recipe: FramesRecipe, source: EpisodeSource) -> FramesRecipe:
    """Return a recipe that says what to play: the tasks of the demonstrations if it names none."""
    tasks = recipe.dagger.tasks or recipe.data.tasks or dict.fromkeys(source.tasks, 1.0)
    return replace(recipe, dagger=replace(recipe.dagger, tasks=tasks))


def played_episodes(
    recipe: FramesRecipe, out: Path, number: int, policy: Path, world: World
) -> Path:
    """Let a policy play a round's sessions where that was not done yet; return where they are."""
    folder = round_folder(out, number) / _PLAYED
    if world.main:
        tidy(folder)
        if not folder.exists():
            _play(recipe, number, policy, folder, world)
    world.gather(None)
    return folder


def _play(recipe: FramesRecipe, number: int, policy: Path, folder: Path, world: World) -> None:
    net = load_checkpoint(policy)
    if not isinstance(net, FramesNet):
        raise CheckpointError(f"{policy} holds no frames policy")
    dagger, seed = recipe.dagger, round_recipe(recipe, number).seed
    rows = min(ROWS, dagger.episodes)
    player = BatchPolicy(
        net.to(world.device),
        rows,
        temperature=dagger.temperature,
        seed=seed,
        low_precision=recipe.low_precision,
    )
    options = PlayOptions.of_round(dagger, number)
    tasks = LiveEpisodes(replace(recipe.data, tasks=dagger.tasks))
    with replacing(folder) as scratch, EpisodeWriter(scratch) as writer:
        writer.extend(play(player, tasks, dagger.episodes, seed, options))
        writer.flush()


def mixed_with(
    source: EpisodeSource, played: Sequence[Path], recipe: FramesRecipe
) -> EpisodeSource:
    """Return demonstrations and played sessions, mixed by the recipe's share."""
    data: DataRecipe = replace(recipe.data, tasks={})
    share = recipe.dagger.share
    return MixedEpisodes([source, RecordedEpisodes(played, data)], [1 - share, share])


def put_in_place(policy: Path, target: Path) -> Path:
    """Copy a policy to where another one is, in one go."""
    with replacing(target) as scratch:
        shutil.copytree(policy, scratch, dirs_exist_ok=True)
        scratch.chmod(0o755)
    return target
