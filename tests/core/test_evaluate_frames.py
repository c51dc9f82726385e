"""Frames policies through the evaluation: in a batch the same as one by one."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bcannot_core.episodes.generate import GenerateSpec, generate_episode
from bcannot_core.evaluation.actors import BatchActors, OneByOne
from bcannot_core.evaluation.participants import open_actors
from bcannot_core.evaluation.tasks import TaskEvaluation, evaluate_task, force_mistakes
from bcannot_core.evaluation.teacher_forced import evaluate_teacher_forced
from bcannot_core.policy.frames.config import EncoderConfig, FramesConfig
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.policy import FramesPolicy

TASK = "shape_matching"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    encoder = EncoderConfig(channels=(4, 8, 8), blocks=(0, 0, 0))
    net = FramesNet(FramesConfig(encoder=encoder, width=32, layers=1, heads=2, context=4))
    path = tmp_path_factory.mktemp("frames") / "untrained"
    FramesPolicy(net, device="cpu").save(path)
    return path


def test_a_frames_policy_takes_a_batch(folder: Path) -> None:
    actors = open_actors(str(folder), TASK, 3, device="cpu")
    assert isinstance(actors, BatchActors) and actors.rows == 3
    assert actors.name == "untrained"


def test_closed_loop_in_a_batch_is_that_of_single_sessions(folder: Path) -> None:
    options = TaskEvaluation(TASK, episodes=4, forced=0, limit=6, seed=3)
    batched = evaluate_task(open_actors(str(folder), TASK, 3, device="cpu"), options)
    single = evaluate_task(OneByOne([FramesPolicy.load(folder, device="cpu")]), options)
    for found in (batched, single):
        del found["ms_per_action"]
    assert batched == single


def test_forced_mistakes_in_a_batch_are_those_of_single_sessions(folder: Path) -> None:
    options = TaskEvaluation(TASK, episodes=1, forced=4, seed=3)
    batched = force_mistakes(open_actors(str(folder), TASK, 3, device="cpu"), options)
    single = force_mistakes(OneByOne([FramesPolicy.load(folder, device="cpu")]), options)
    assert batched == single and batched["episodes"] == 4


def test_teacher_forced_in_a_batch_is_that_of_single_sessions(folder: Path) -> None:
    spec = GenerateSpec(task=TASK)
    episodes = [generate_episode(spec, seed) for seed in range(4)]
    done: list[int] = []
    batched: Any = evaluate_teacher_forced(
        open_actors(str(folder), TASK, 3, device="cpu"), episodes, done.append
    )
    single = evaluate_teacher_forced(FramesPolicy.load(folder, device="cpu"), episodes)
    assert batched == single
    assert batched["episodes"] == len(done) == 4
    assert batched["steps"] > 20
